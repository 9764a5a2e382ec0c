//! SQL over the columns that a query names. Checking the text is the caller's: what arrives here is one harmless SELECT.

use super::frame::{Broken, table};
use super::scan::{ScanFile, TableScan};
use super::{ColumnarError, Table};
use polars::prelude::IntoLazy;
use polars::sql::SQLContext;

/// A table that a query may name.
pub enum Input<'i> {
    /// What a pass over segments leaves.
    Scanned {
        /// What is read, and what is kept of it.
        scan: TableScan,
        /// Of which files, oldest first.
        files: Vec<ScanFile>,
    },
    /// What a pass over rows leaves that the caller has.
    Given {
        /// What is read, and what is kept of it.
        scan: TableScan,
        /// Gives the next rows; at least one table, and none when there are no more.
        next: Box<dyn FnMut() -> Option<Table> + 'i>,
    },
}

/// Runs one SELECT over `inputs`, and over the rows of `steps` before it: names and SELECTs. Files that cannot be read are
/// left out, and `broken` is told.
pub fn select(
    steps: &[(String, String)],
    sql: &str,
    inputs: Vec<Input<'_>>,
    broken: Broken<'_>,
) -> Result<Table, ColumnarError> {
    let mut context = SQLContext::new();
    for input in inputs {
        match input {
            Input::Scanned { scan, files } => context.register(&scan.into, scan.run(&files, broken)?.lazy()),
            Input::Given { scan, mut next } => context.register(&scan.into, scan.run_over(&mut next)?.lazy()),
        }
    }
    for (name, step) in steps {
        let frame = context.execute(step)?;
        context.register(name, frame);
    }
    // The inputs hold the named columns only. Pushing projections down would gain nothing, and makes of a lone
    // `COUNT(*)` over several segments a cast that this build of the engine does not have.
    let frame = context.execute(sql)?.with_projection_pushdown(false).collect()?;
    Ok(table(&frame))
}

//! What a scan reads, and what it keeps.

use crate::model::time::UtcMs;
use crate::store::columnar::frame::LOGICAL;
use crate::store::columnar::rollups::RollUp;
use std::ops::Range;
use std::path::PathBuf;

/// What is read of a table, and what becomes of its rows.
#[derive(Debug, Clone)]
pub struct TableScan {
    /// Name of the table that the columns make.
    pub name: String,
    /// Columns, stored ones or those of [`LOGICAL`], and their names in that table.
    pub columns: Vec<(String, String)>,
    /// Conditions that the steps apply too: what rows do not fulfil them need not be read.
    pub tests: Vec<ScanTest>,
    /// SELECTs that make a row of a row, each over the one before.
    pub steps: Vec<RowStep>,
    /// What becomes of their rows.
    pub fold: Reduction,
    /// Name of the table that comes of it.
    pub into: String,
    /// If nothing is asked of times but in which bucket they lie: how long that is, milliseconds.
    pub bucket_ms: Option<i64>,
}

/// A condition on columns of a scan's table.
#[derive(Debug, Clone)]
pub struct ScanTest {
    /// The condition.
    pub sql: String,
    /// The columns that it names, as that table calls them.
    pub columns: Vec<String>,
}

/// A SELECT that makes a row of a row.
#[derive(Debug, Clone)]
pub struct RowStep {
    /// Name of the table that it makes.
    pub name: String,
    /// Its text.
    pub sql: String,
    /// The same with the column [`WEIGHT`] handed on.
    pub weighted: String,
}

/// Column of a row's weight: for how many rows it stands.
pub(crate) const WEIGHT: &str = "weight";

/// What becomes of the rows of a scan.
#[derive(Debug, Clone)]
pub enum Reduction {
    /// All are kept.
    Rows,
    /// Groups are summed up.
    Groups {
        /// Columns that tell groups apart.
        keys: Vec<String>,
        /// Columns that are made of a group.
        made: Vec<(String, Summary)>,
    },
    /// Each different row is kept once.
    Distinct,
    /// The first so many are kept.
    First(usize),
    /// So many are kept, the first in an order.
    Top {
        /// Columns, each with whether it goes down, and whether NULL comes first.
        by: Vec<(String, bool, bool)>,
        /// How many.
        rows: usize,
    },
}

/// What is made of the rows of a group.
#[derive(Debug, Clone, PartialEq)]
pub enum Summary {
    /// How many there are.
    Rows,
    /// How many have a value.
    Count(String),
    /// How many different values there are.
    Distinct(String),
    /// Sum.
    Sum(String),
    /// Mean.
    Mean(String),
    /// Least.
    Min(String),
    /// Greatest.
    Max(String),
    /// The middle one; between two, their mean.
    Median(String),
    /// The value below which such a share of them is.
    Quantile(String, f64),
}

/// A file of a segment, and what of it is read.
#[derive(Debug, Clone)]
pub struct ScanFile {
    /// Where.
    pub path: PathBuf,
    /// Its rows, or those of a roll-up in it.
    pub part: ScanPart,
    /// First and last time of its events.
    pub span_ms: (UtcMs, UtcMs),
    /// Times that are read.
    pub within: Range<UtcMs>,
}

/// Which rows of a file are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanPart {
    /// Its own.
    Rows,
    /// Those of a roll-up. What has a weight there stands for so many rows, and is read by groups alone.
    RollUp(RollUp),
}

impl TableScan {
    /// All rows of some columns, under their own names.
    pub(crate) fn of_rows(name: &str, columns: Vec<String>) -> TableScan {
        TableScan {
            name: name.to_owned(),
            columns: columns.into_iter().map(|column| (column.clone(), column)).collect(),
            tests: Vec::new(),
            steps: Vec::new(),
            fold: Reduction::Rows,
            into: name.to_owned(),
            bucket_ms: None,
        }
    }

    /// The stored columns that it needs.
    pub(super) fn stored(&self) -> Vec<String> {
        let mut stored: Vec<String> = self
            .columns
            .iter()
            .flat_map(|(column, _)| stored_names(column))
            .collect();
        stored.sort_unstable();
        stored.dedup();
        stored
    }
}

/// The stored columns that a column is made of, itself as a rule.
pub(super) fn stored_names(column: &str) -> Vec<String> {
    match LOGICAL.iter().find(|(name, _)| *name == column) {
        Some((_, needs)) => needs.iter().map(|need| (*need).to_owned()).collect(),
        None => vec![column.to_owned()],
    }
}

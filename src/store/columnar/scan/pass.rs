//! A scan on its way through files, or through rows that the caller has.

use super::fold::{Folded, part};
use super::parts::joined;
use super::rows::GroupRows;
use super::spec::{Reduction, ScanFile, ScanPart, TableScan, WEIGHT};
use crate::store::columnar::frame::{Broken, empty, frame, logical};
use crate::store::columnar::read::SegmentReader;
use crate::store::columnar::rollups::{RollUp, RollUps};
use crate::store::columnar::{ColumnarError, Table};
use polars::prelude::{DataFrame, IntoLazy, LazyFrame, col};
use polars::sql::SQLContext;
use std::collections::HashMap;
use std::io::{Read, Seek};

impl TableScan {
    /// Reads the files; those that cannot be read are left out, and `broken` is told.
    pub(in crate::store::columnar) fn run(
        &self,
        files: &[ScanFile],
        broken: Broken<'_>,
    ) -> Result<DataFrame, ColumnarError> {
        let mut pass = Pass {
            scan: self,
            stored: self.stored(),
            known: vec![HashMap::new(); self.tests.len()],
            pending: [PendingRows::default(), PendingRows::default()],
            folded: Folded::new(&self.fold),
        };
        for file in files {
            // A file counts as a whole or not at all.
            let mut frames = Vec::new();
            match pass.file(file, &mut frames) {
                Ok(()) => frames
                    .into_iter()
                    .try_for_each(|(frame, is_weighted)| pass.take(frame, is_weighted))?,
                // What the engine does not do is about the question.
                Err(error @ ColumnarError::Engine(_)) => return Err(error),
                Err(error) => broken(&file.path, error)?,
            }
            if pass.folded.is_full() {
                break;
            }
        }
        pass.finish()
    }

    /// The same over rows that the caller has.
    pub(in crate::store::columnar) fn run_over(
        &self,
        next: &mut dyn FnMut() -> Option<Table>,
    ) -> Result<DataFrame, ColumnarError> {
        let mut folded = Folded::new(&self.fold);
        while let Some(table) = next() {
            folded.add(part(&self.fold, self.through(frame(table)?, false)?, false)?)?;
            if folded.is_full() {
                break;
            }
        }
        folded.finish()
    }

    /// Rows of stored columns after the steps.
    fn through(&self, stored: DataFrame, is_weighted: bool) -> Result<DataFrame, ColumnarError> {
        let mut context = SQLContext::new();
        let mut frame = renamed(stored.lazy(), &self.columns, is_weighted);
        let mut name = &self.name;
        for step in &self.steps {
            context.register(name, frame);
            frame = context.execute(if is_weighted { &step.weighted } else { &step.sql })?;
            name = &step.name;
        }
        Ok(frame.with_projection_pushdown(false).collect()?)
    }
}

/// A scan on its way through files.
struct Pass<'s> {
    scan: &'s TableScan,
    /// The stored columns that it needs.
    stored: Vec<String>,
    /// Of each condition, which combinations of values fulfil it.
    known: Vec<HashMap<String, bool>>,
    /// Rows that wait for more: for each run of the SELECTs the engine makes a plan. Without a weight, and with one.
    pending: [PendingRows; 2],
    folded: Folded<'s>,
}

/// Rows of stored columns.
#[derive(Default)]
struct PendingRows {
    frames: Vec<DataFrame>,
    rows: usize,
}

/// So many rows are worth a plan; of more, what is made on the way to an answer is more than the answer.
const RUN_ROWS: usize = 32 << 10;

impl Pass<'_> {
    /// The rows of a file, and whether they have a weight.
    fn file(&mut self, file: &ScanFile, frames: &mut Vec<(DataFrame, bool)>) -> Result<(), ColumnarError> {
        let ScanPart::RollUp(which) = file.part else {
            return self.rows(file, SegmentReader::open(&file.path)?, frames);
        };
        let rollups = RollUps::open(&file.path)?;
        let reader = rollups.map(|mut rollups| rollups.reader(&file.path, which));
        match reader.transpose()?.flatten() {
            Some(reader) => self.rows(file, reader, frames),
            None => Ok(()),
        }
    }

    fn rows<F: Read + Seek>(
        &mut self,
        file: &ScanFile,
        mut reader: SegmentReader<'_, F>,
        frames: &mut Vec<(DataFrame, bool)>,
    ) -> Result<(), ColumnarError> {
        let is_inside = file.within.contains(&file.span_ms.0) && file.within.contains(&file.span_ms.1);
        for group in 0..reader.groups() {
            let mut rows = GroupRows::new(&mut reader, group);
            if !is_inside {
                rows.keep_times(file.within.clone())?;
            }
            for test in 0..self.scan.tests.len() {
                self.keep(test, &mut rows)?;
            }
            if rows.is_empty() {
                continue;
            }
            if let ScanPart::RollUp(RollUp::Peers | RollUp::Latencies | RollUp::Witnesses) = file.part {
                let mut columns = self.stored.clone();
                columns.push(WEIGHT.to_owned());
                for picked in rows.slices(RUN_ROWS) {
                    frames.push((rows.frame(&columns, &picked, None)?, true));
                }
                continue;
            }
            let alike = match self.scan.fold {
                Reduction::Groups { .. } | Reduction::Distinct => rows.alike(&self.stored)?,
                _ => None,
            };
            if let Some(alike) = alike {
                let is_weighted = matches!(self.scan.fold, Reduction::Groups { .. });
                let frame = rows.frame(&self.stored, &alike.first, is_weighted.then_some(alike.counts))?;
                frames.push((frame, is_weighted));
                continue;
            }
            for picked in rows.slices(RUN_ROWS) {
                let rows = rows.frame(&self.stored, &picked, None)?;
                frames.push((rows, false));
            }
        }
        Ok(())
    }

    /// Leaves out rows that do not fulfil a condition, if its columns are of few values.
    fn keep<F: Read + Seek>(&mut self, test: usize, rows: &mut GroupRows<'_, '_, F>) -> Result<(), ColumnarError> {
        let (scan, condition) = (self.scan, &self.scan.tests[test]);
        let is_named = |(_, own): &&(String, String)| condition.columns.contains(own);
        let columns: Vec<(String, String)> = scan.columns.iter().filter(is_named).cloned().collect();
        let stored: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
        if columns.len() != condition.columns.len() || !stored.iter().all(|name| rows.is_coded(name)) {
            return Ok(());
        }
        if rows.is_empty() {
            return Ok(());
        }
        let Some(alike) = rows.alike(&stored)? else {
            return Ok(());
        };
        let values = rows.keys(&stored, &alike.first);
        let known = &mut self.known[test];
        let unknown: Vec<usize> = (0..values.len())
            .filter(|at| !known.contains_key(&values[*at]))
            .collect();
        if !unknown.is_empty() {
            let first: Vec<u32> = unknown.iter().map(|at| alike.first[*at]).collect();
            let numbers = unknown.iter().map(|at| *at as i64).collect();
            let frame = rows.frame(&stored, &first, Some(numbers))?;
            let mut context = SQLContext::new();
            context.register(&scan.name, renamed(frame.lazy(), &columns, true));
            let sql = format!("SELECT {WEIGHT} FROM {} WHERE {}", scan.name, condition.sql);
            let kept = context.execute(&sql)?.with_projection_pushdown(false).collect()?;
            known.extend(unknown.iter().map(|at| (values[*at].clone(), false)));
            for number in kept.column(WEIGHT)?.as_materialized_series().i64()?.iter().flatten() {
                known.insert(values[number as usize].clone(), true);
            }
        }
        let fulfils: Vec<bool> = values.iter().map(|value| known[value]).collect();
        rows.keep_alike(&alike, &fulfils);
        Ok(())
    }

    /// Takes rows, and runs the SELECTs over them when there are enough.
    fn take(&mut self, frame: DataFrame, is_weighted: bool) -> Result<(), ColumnarError> {
        let pending = &mut self.pending[usize::from(is_weighted)];
        pending.rows += frame.height();
        pending.frames.push(frame);
        match pending.rows >= RUN_ROWS || matches!(self.scan.fold, Reduction::First(_)) {
            true => self.settle(is_weighted),
            false => Ok(()),
        }
    }

    fn settle(&mut self, is_weighted: bool) -> Result<(), ColumnarError> {
        let mut pending = std::mem::take(&mut self.pending[usize::from(is_weighted)]);
        if pending.rows == 0 {
            return Ok(());
        }
        let rows = self.scan.through(joined(&mut pending.frames)?, is_weighted)?;
        self.folded.add(part(&self.scan.fold, rows, is_weighted)?)
    }

    fn finish(mut self) -> Result<DataFrame, ColumnarError> {
        self.settle(true)?;
        self.settle(false)?;
        if self.folded.is_empty() {
            let rows = self.scan.through(empty(&self.stored), false)?;
            self.folded.add(part(&self.scan.fold, rows, false)?)?;
        }
        self.folded.finish()
    }
}

/// Stored columns as the first table of a scan has them.
fn renamed(frame: LazyFrame, columns: &[(String, String)], is_weighted: bool) -> LazyFrame {
    let made: Vec<_> = columns.iter().filter_map(|(name, _)| logical(name)).collect();
    let frame = if made.is_empty() {
        frame
    } else {
        frame.with_columns(made)
    };
    let mut names: Vec<_> = columns
        .iter()
        .map(|(name, own)| col(name.as_str()).alias(own.as_str()))
        .collect();
    if is_weighted {
        names.push(col(WEIGHT));
    }
    frame.select(names)
}

#[cfg(test)]
mod tests {
    use super::super::spec::{RowStep, ScanTest, Summary};
    use super::*;
    use crate::store::batch::NONE;
    use crate::store::columnar::frame::table;
    use crate::store::columnar::write::{Columns, NumberEncoding};
    use std::path::Path;

    const ROWS: i64 = 3_000;

    fn file_of(folder: &Path) -> Vec<ScanFile> {
        let mut out = Columns::new(ROWS as usize).unwrap();
        let kinds = ["accepted", "delivered", "deferred"].map(str::to_owned);
        out.dictionary("kind", &kinds, (0..ROWS).map(|n| (n * n % 3) as u32))
            .unwrap();
        out.few("messages", (0..ROWS).map(|n| n % 5).collect::<Vec<i64>>())
            .unwrap();
        let bytes: Vec<u64> = (0..ROWS)
            .map(|n| if n % 7 == 0 { NONE } else { (n % 11) as u64 })
            .collect();
        out.optional("bytes", &bytes, NumberEncoding::Few).unwrap();
        out.growing("log_offset", &(0..ROWS).collect::<Vec<_>>()).unwrap();
        out.growing("ts_ms", &(0..ROWS).map(|n| n * 10).collect::<Vec<_>>())
            .unwrap();
        let path = folder.join("events");
        std::fs::write(&path, out.encode().unwrap()).unwrap();
        vec![ScanFile {
            path,
            part: ScanPart::Rows,
            span_ms: (0, ROWS * 10),
            within: i64::MIN..i64::MAX,
        }]
    }

    fn scan_of(columns: &[&str], tests: &[(&str, &[&str])], fold: Reduction) -> TableScan {
        let named = |name: &&str| ((*name).to_owned(), format!("t_{name}"));
        let list = |more: &str| format!("SELECT t_kind AS k, t_messages AS a, t_bytes AS b{more} FROM u1");
        TableScan {
            columns: columns.iter().map(named).collect(),
            tests: tests
                .iter()
                .map(|(sql, columns)| ScanTest {
                    sql: (*sql).to_owned(),
                    columns: columns.iter().map(|name| (*name).to_owned()).collect(),
                })
                .collect(),
            steps: vec![RowStep {
                name: "u2".to_owned(),
                sql: list(""),
                weighted: list(&format!(", {WEIGHT}")),
            }],
            fold,
            into: "u3".to_owned(),
            name: "u1".to_owned(),
        }
    }

    fn groups() -> Reduction {
        let (a, b) = (|| "a".to_owned(), || "b".to_owned());
        let made = [
            Summary::Rows,
            Summary::Count(b()),
            Summary::Sum(b()),
            Summary::Mean(b()),
            Summary::Min(a()),
            Summary::Max(b()),
            Summary::Distinct(b()),
            Summary::Median(b()),
            Summary::Quantile(b(), 0.9),
        ];
        Reduction::Groups {
            keys: vec!["k".to_owned()],
            made: (0..).zip(made).map(|(at, made)| (format!("g{at}"), made)).collect(),
        }
    }

    fn answer(scan: &TableScan, files: &[ScanFile]) -> Table {
        table(&scan.run(files, &mut |_, error| Err(error)).unwrap())
    }

    #[test]
    fn rows_with_a_weight_give_what_each_row_gives() {
        let folder = tempfile::tempdir().unwrap();
        let files = file_of(folder.path());
        let alike = answer(&scan_of(&["kind", "messages", "bytes"], &[], groups()), &files);
        // An offset tells each row from all others.
        let each = answer(
            &scan_of(&["kind", "messages", "bytes", "log_offset"], &[], groups()),
            &files,
        );
        assert_eq!(alike, each);
        let counts: i64 = match &alike.columns[1].values {
            crate::store::columnar::Values::Int(counts) => counts.iter().flatten().sum(),
            other => panic!("{other:?}"),
        };
        assert_eq!((alike.rows(), counts), (2, ROWS));
    }

    #[test]
    fn a_window_and_a_condition_leave_rows_out() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = file_of(folder.path());
        files[0].within = 100..400;
        let tests: [(&str, &[&str]); 1] = [("(t_kind = 'delivered')", &["t_kind"])];
        let found = answer(
            &scan_of(&["kind", "messages", "bytes"], &tests, Reduction::Rows),
            &files,
        );
        // Of 30 rows those whose number is no multiple of three.
        assert_eq!(found.rows(), 20);
        let first = answer(
            &scan_of(&["kind", "messages", "bytes"], &[], Reduction::First(7)),
            &files,
        );
        assert_eq!(first.rows(), 7);
    }

    #[test]
    fn where_no_row_is_left_nothing_else_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let files = file_of(folder.path());
        let tests: [(&str, &[&str]); 1] = [("(t_kind = 'bounced')", &["t_kind"])];
        // To read a column that the file does not have would be an error.
        let columns = ["kind", "messages", "bytes", "reason"];
        assert_eq!(answer(&scan_of(&columns, &tests, groups()), &files).rows(), 0);
        let read = scan_of(&columns, &[], groups()).run(&files, &mut |_, error| Err(error));
        assert!(read.unwrap_err().to_string().contains("no column reason"));
    }
}

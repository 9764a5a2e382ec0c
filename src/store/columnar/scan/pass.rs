//! A scan on its way through files, or through rows that the caller has.

use super::fold::{Folded, part};
use super::parts::joined;
use super::rows::{Alike, GroupRows};
use super::spec::{Reduction, ScanFile, ScanPart, ScanTest, TableScan, WEIGHT, stored_names};
use crate::store::batch::NONE;
use crate::store::columnar::frame::{Broken, empty, frame, logical};
use crate::store::columnar::read::SegmentReader;
use crate::store::columnar::rollups::{RollUp, RollUps};
use crate::store::columnar::{ColumnarError, Table};
use polars::prelude::{DataFrame, IntoLazy, LazyFrame, col};
use polars::sql::SQLContext;
use rustc_hash::FxHashSet;
use std::collections::{BTreeSet, HashMap};
use std::io::{Read, Seek};
use std::sync::mpsc::{Receiver, sync_channel};

impl TableScan {
    /// Reads the files; those that cannot be read are left out, and `broken` is told.
    pub(in crate::store::columnar) fn run(
        &self,
        files: &[ScanFile],
        broken: Broken<'_>,
    ) -> Result<DataFrame, ColumnarError> {
        let stored = self.stored();
        let mut pass = Pass {
            scan: self,
            stored: &stored,
            pending: [PendingRows::default(), PendingRows::default()],
            folded: Folded::new(&self.fold),
        };
        match self.threads(&stored).min(files.len()) {
            0 | 1 => {
                let mut reader = FileReader::new(self, &stored);
                for file in files {
                    pass.add(file, reader.read(file), broken)?;
                    if pass.folded.is_full() {
                        break;
                    }
                }
            }
            threads => pass.read_by(threads, files, broken)?,
        }
        pass.finish()
    }

    /// How many threads read: several where rows become a few groups as they are read, or few rows are left by then, so that little
    /// more is in memory by it.
    fn threads(&self, stored: &[String]) -> usize {
        let is_small =
            matches!(self.fold, Reduction::Groups { .. }) && !stored.iter().any(|name| DISTINCT.contains(&&**name));
        match is_small || self.tests.iter().any(|test| self.is_lookup(test)) {
            true => std::thread::available_parallelism()
                .map_or(1, usize::from)
                .min(THREADS_MAX),
            false => 1,
        }
    }

    /// Whether a condition names the values that a column of many values is to have.
    fn is_lookup(&self, test: &ScanTest) -> bool {
        let mut many = self.columns.iter().filter(|(name, _)| DISTINCT.contains(&&**name));
        many.any(|(_, own)| {
            let rest = test.sql.strip_prefix('(').and_then(|inside| inside.strip_prefix(own));
            rest.is_some_and(|rest| rest.starts_with(" = ") || rest.starts_with(" IN ("))
        })
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

/// Threads that read files, at most.
const THREADS_MAX: usize = 4;
/// Columns that tell nearly every row from all others: where they are read, rows do not become fewer.
const DISTINCT: [&str; 6] = [
    "queue_id",
    "log_offset",
    "message_key",
    "recipient_local",
    "sender_local",
    "bytes",
];

/// What is read of a file: frames of stored columns, and whether their rows have a weight.
type FileFrames = Result<Vec<(DataFrame, bool)>, ColumnarError>;

/// A scan on its way through files.
struct Pass<'s> {
    scan: &'s TableScan,
    /// The stored columns that it needs.
    stored: &'s [String],
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

/// So many rows are looked at at once for a condition.
const EACH_ROWS: usize = 128 << 10;

/// Reads files for a scan.
struct FileReader<'s> {
    scan: &'s TableScan,
    /// The stored columns that it needs.
    stored: &'s [String],
    /// Of each condition, which combinations of values fulfil it.
    known: Vec<HashMap<String, bool>>,
    /// Conditions that most rows fulfil: to read other columns is not spared by them.
    is_weak: Vec<bool>,
}

impl<'s> FileReader<'s> {
    fn new(scan: &'s TableScan, stored: &'s [String]) -> Self {
        FileReader {
            scan,
            stored,
            known: vec![HashMap::new(); scan.tests.len()],
            is_weak: vec![false; scan.tests.len()],
        }
    }

    /// A file counts as a whole or not at all.
    fn read(&mut self, file: &ScanFile) -> FileFrames {
        let mut frames = Vec::new();
        self.file(file, &mut frames).map(|()| frames)
    }

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
            if let Some(bucket_ms) = self.scan.bucket_ms {
                rows.take_buckets_for_times(bucket_ms);
            }
            // Conditions on columns of few values cost less, and spare the others rows.
            let (of_few, of_many): (Vec<usize>, Vec<usize>) =
                (0..self.scan.tests.len()).partition(|test| self.is_of_few(*test, &rows));
            for test in of_few.into_iter().chain(of_many) {
                self.keep(test, &mut rows)?;
            }
            if rows.is_empty() {
                continue;
            }
            if let ScanPart::RollUp(RollUp::Peers | RollUp::Latencies | RollUp::Witnesses) = file.part {
                let mut columns = self.stored.to_vec();
                columns.push(WEIGHT.to_owned());
                for picked in rows.slices(RUN_ROWS) {
                    frames.push((rows.frame(&columns, &picked, None)?, true));
                }
                continue;
            }
            let alike = match self.scan.fold {
                Reduction::Groups { .. } | Reduction::Distinct => rows.alike(self.stored)?,
                _ => None,
            };
            if let Some(alike) = alike {
                let is_weighted = matches!(self.scan.fold, Reduction::Groups { .. });
                let frame = rows.frame(self.stored, &alike.first, is_weighted.then_some(alike.counts))?;
                frames.push((frame, is_weighted));
                continue;
            }
            for picked in rows.slices(RUN_ROWS) {
                let rows = rows.frame(self.stored, &picked, None)?;
                frames.push((rows, false));
            }
        }
        Ok(())
    }

    /// The columns that a condition names, and what they are called; none if it names others.
    fn columns_of(&self, test: usize) -> Option<Vec<(String, String)>> {
        let condition = &self.scan.tests[test];
        let is_named = |(_, own): &&(String, String)| condition.columns.contains(own);
        let columns: Vec<(String, String)> = self.scan.columns.iter().filter(is_named).cloned().collect();
        (columns.len() == condition.columns.len()).then_some(columns)
    }

    fn is_of_few<F: Read + Seek>(&self, test: usize, rows: &GroupRows<'_, '_, F>) -> bool {
        let columns = self.columns_of(test);
        columns.is_some_and(|columns| columns.iter().all(|(name, _)| rows.is_coded(name)))
    }

    /// Leaves out rows that do not fulfil a condition.
    fn keep<F: Read + Seek>(&mut self, test: usize, rows: &mut GroupRows<'_, '_, F>) -> Result<(), ColumnarError> {
        let Some(columns) = self.columns_of(test).filter(|_| !rows.is_empty()) else {
            return Ok(());
        };
        let stored = stored_of(&columns);
        if columns.iter().all(|(name, _)| rows.is_coded(name))
            && let Some(alike) = rows.alike(&stored)?
        {
            return self.keep_alike(test, (&columns, &alike), rows);
        }
        // Times were looked at; and where no other column is read, none is spared.
        let is_of_times = stored.iter().all(|name| name == "ts_ms");
        if is_of_times || self.is_weak[test] || stored.len() == self.stored.len() {
            return Ok(());
        }
        let before = rows.len();
        let numbers = match columns.as_slice() {
            [(name, own)] => numbers(&self.scan.tests[test].sql, own).map(|numbers| (name, numbers)),
            _ => None,
        };
        let is_done = match numbers {
            Some((name, numbers)) => rows.keep_numbers(name, &numbers)?,
            None => false,
        };
        if !is_done {
            let mut kept = Vec::new();
            for picked in rows.slices(EACH_ROWS) {
                let numbers = picked.iter().map(|row| i64::from(*row)).collect();
                let frame = rows.frame(&stored, &picked, Some(numbers))?;
                kept.extend(
                    self.fulfilling(test, frame, &columns)?
                        .into_iter()
                        .map(|row| row as u32),
                );
            }
            rows.keep(kept);
        }
        self.is_weak[test] = 2 * rows.len() > before;
        Ok(())
    }

    /// Leaves out kinds of rows that do not fulfil a condition.
    fn keep_alike<F: Read + Seek>(
        &mut self,
        test: usize,
        (columns, alike): (&[(String, String)], &Alike),
        rows: &mut GroupRows<'_, '_, F>,
    ) -> Result<(), ColumnarError> {
        let stored = stored_of(columns);
        let values = rows.keys(&stored, &alike.first);
        let unknown: Vec<usize> = (0..values.len())
            .filter(|at| !self.known[test].contains_key(&values[*at]))
            .collect();
        if !unknown.is_empty() {
            let first: Vec<u32> = unknown.iter().map(|at| alike.first[*at]).collect();
            let numbers = unknown.iter().map(|at| *at as i64).collect();
            let frame = rows.frame(&stored, &first, Some(numbers))?;
            let kept = self.fulfilling(test, frame, columns)?;
            let known = &mut self.known[test];
            known.extend(unknown.iter().map(|at| (values[*at].clone(), false)));
            known.extend(kept.into_iter().map(|number| (values[number as usize].clone(), true)));
        }
        let fulfils: Vec<bool> = values.iter().map(|value| self.known[test][value]).collect();
        rows.keep_alike(alike, &fulfils);
        Ok(())
    }

    /// The numbers of rows that fulfil a condition; they stand in the column of weights.
    fn fulfilling(
        &self,
        test: usize,
        rows: DataFrame,
        columns: &[(String, String)],
    ) -> Result<Vec<i64>, ColumnarError> {
        let (name, condition) = (&self.scan.name, &self.scan.tests[test].sql);
        let mut context = SQLContext::new();
        context.register(name, renamed(rows.lazy(), columns, true));
        let sql = format!("SELECT {WEIGHT} FROM {name} WHERE {condition}");
        let kept = context.execute(&sql)?.with_projection_pushdown(false).collect()?;
        let numbers = kept.column(WEIGHT)?.as_materialized_series().i64()?;
        Ok(numbers.iter().flatten().collect())
    }
}

/// The stored columns that some columns are made of.
fn stored_of(columns: &[(String, String)]) -> Vec<String> {
    let names = columns.iter().flat_map(|(name, _)| stored_names(name));
    let stored: BTreeSet<String> = names.collect();
    stored.into_iter().collect()
}

/// The numbers of which a column has one, if that is what a condition says: `(name = 1)`, `(name IN (1, 2))`.
fn numbers(condition: &str, name: &str) -> Option<FxHashSet<u64>> {
    let inside = condition.strip_prefix('(')?.strip_suffix(')')?.strip_prefix(name)?;
    let list = match inside.strip_prefix(" = ") {
        Some(number) => number,
        None => inside.strip_prefix(" IN (")?.strip_suffix(')')?,
    };
    // A number above all others is none.
    let number = |text: &str| text.parse().ok().filter(|number| *number != NONE);
    list.split(", ").map(number).collect()
}

impl Pass<'_> {
    /// Reads files on several threads. What they read comes in the order of the files, and waits for no more than one file each.
    fn read_by(&mut self, threads: usize, files: &[ScanFile], broken: Broken<'_>) -> Result<(), ColumnarError> {
        let (scan, stored) = (self.scan, self.stored);
        std::thread::scope(|scope| {
            let start = |first: usize| {
                let (give, take) = sync_channel(1);
                scope.spawn(move || {
                    let mut reader = FileReader::new(scan, stored);
                    let mut own = files.iter().skip(first).step_by(threads);
                    // Nobody takes it: enough has been read.
                    own.try_for_each(|file| give.send(reader.read(file)))
                });
                take
            };
            let readers: Vec<Receiver<FileFrames>> = (0..threads).map(start).collect();
            for (file, reader) in files.iter().zip(readers.iter().cycle()) {
                // A reader that ends early has panicked, which the end of the scope passes on.
                let Ok(read) = reader.recv() else { break };
                self.add(file, read, broken)?;
                if self.folded.is_full() {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Takes what was read of a file.
    fn add(&mut self, file: &ScanFile, read: FileFrames, broken: Broken<'_>) -> Result<(), ColumnarError> {
        match read {
            Ok(frames) => frames
                .into_iter()
                .try_for_each(|(frame, is_weighted)| self.take(frame, is_weighted)),
            // What the engine does not do is about the question.
            Err(error @ ColumnarError::Engine(_)) => Err(error),
            Err(error) => broken(&file.path, error),
        }
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
            let rows = self.scan.through(empty(self.stored), false)?;
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
    use super::super::spec::{RowStep, Summary};
    use super::*;
    use crate::model::time::UtcMs;
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
            span_ms: (UtcMs::EPOCH, UtcMs::new(ROWS * 10)),
            within: UtcMs::MIN..UtcMs::MAX,
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
            bucket_ms: None,
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
    fn times_that_are_asked_for_by_bucket_alone_are_alike() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = file_of(folder.path());
        files[0].within = UtcMs::new(905)..UtcMs::MAX;
        let mut scan = scan_of(&["kind", "messages", "bytes", "ts_ms"], &[], groups());
        scan.steps[0].sql =
            "SELECT (t_ts_ms - (t_ts_ms % 10000)) AS k, t_messages AS a, t_bytes AS b FROM u1".to_owned();
        scan.steps[0].weighted = scan.steps[0].sql.replace(" FROM", &format!(", {WEIGHT} FROM"));
        let each = answer(&scan, &files);
        scan.bucket_ms = Some(10_000);
        assert_eq!(each.rows(), 3);
        assert_eq!(answer(&scan, &files), each);
        let stored = scan.stored();
        let read = FileReader::new(&scan, &stored).read(&files[0]).unwrap();
        let rows: usize = read.iter().map(|(rows, _)| rows.height()).sum();
        assert!(
            rows < 2_000 && read.iter().all(|(_, is_weighted)| *is_weighted),
            "{rows}"
        );
    }

    #[test]
    fn several_threads_give_what_one_gives_in_the_order_of_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        for at in 0..9_i64 {
            let part = folder.path().join(at.to_string());
            std::fs::create_dir(&part).unwrap();
            files.extend(file_of(&part));
            // Of each file other rows.
            files[at as usize].within = UtcMs::new(at * 1_000)..UtcMs::MAX;
        }
        std::fs::write(&files[4].path, "damaged").unwrap();
        let read = |threads: usize, fold: Reduction| {
            let scan = scan_of(&["kind", "messages", "bytes"], &[], fold);
            let stored = scan.stored();
            let mut pass = Pass {
                scan: &scan,
                stored: &stored,
                pending: [PendingRows::default(), PendingRows::default()],
                folded: Folded::new(&scan.fold),
            };
            let mut broken = Vec::new();
            let mut note = |path: &Path, _: ColumnarError| {
                broken.push(path.to_owned());
                Ok(())
            };
            pass.read_by(threads, &files, &mut note).unwrap();
            (table(&pass.finish().unwrap()), broken)
        };
        let one = read(1, groups());
        assert_eq!(one.1, [files[4].path.clone()]);
        for threads in [2, 3, 20] {
            assert_eq!(read(threads, groups()), one);
        }
        let first = read(3, Reduction::First(7_001));
        assert_eq!((first.0.rows(), &first), (7_001, &read(1, Reduction::First(7_001))));
    }

    #[test]
    fn a_window_and_a_condition_leave_rows_out() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = file_of(folder.path());
        files[0].within = UtcMs::new(100)..UtcMs::new(400);
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
        // The same of a column of many values, by its numbers and by what the engine says of each.
        let columns = ["kind", "messages", "bytes", "reason", "log_offset"];
        for condition in [
            "(t_log_offset = 3000)",
            "(t_log_offset IN (-1, 3000))",
            "(t_log_offset > 2999)",
        ] {
            let scan = scan_of(&columns, &[(condition, &["t_log_offset"])], groups());
            assert_eq!(answer(&scan, &files).rows(), 0, "{condition}");
        }
    }

    #[test]
    fn a_condition_on_a_column_of_many_values_leaves_other_rows_out() {
        let folder = tempfile::tempdir().unwrap();
        let files = file_of(folder.path());
        let found = |condition: &str| {
            let columns = ["kind", "messages", "bytes", "log_offset"];
            let mut scan = scan_of(&columns, &[(condition, &["t_log_offset"])], Reduction::Rows);
            let stored = scan.stored();
            let read = FileReader::new(&scan, &stored).read(&files[0]).unwrap();
            let read: usize = read.iter().map(|(rows, _)| rows.height()).sum();
            scan.steps[0].sql += &format!(" WHERE {condition}");
            (read, answer(&scan, &files).rows())
        };
        assert_eq!(found("(t_log_offset = 17)"), (1, 1));
        let threads = |condition: &str| {
            let scan = scan_of(
                &["kind", "log_offset"],
                &[(condition, &["t_log_offset"])],
                Reduction::Rows,
            );
            scan.threads(&scan.stored())
        };
        let all = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(THREADS_MAX);
        assert_eq!(
            (threads("(t_log_offset = 17)"), threads("(t_log_offset < 17)")),
            (all, 1)
        );
        assert_eq!(found("(t_log_offset IN (17, 2999, 9000))"), (2, 2));
        assert_eq!(found("(t_log_offset < 20)"), (20, 20));
        assert_eq!(found("(t_log_offset > -5)"), (3_000, 3_000));
    }
}

//! The rows of one group that a scan has not left out yet, and those columns of it that were asked for.

use super::spec::WEIGHT;
use crate::model::time::UtcMs;
use crate::store::batch::NONE;
use crate::store::columnar::ColumnarError;
use crate::store::columnar::any_column::AnyColumn;
use crate::store::columnar::read::SegmentReader;
use polars::prelude::{Column as PlColumn, DataFrame, NamedFrom, Series};
use rustc_hash::{FxHashMap, FxHashSet};
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{Read, Seek};
use std::ops::Range;

/// Different numbers of a column beyond which rows are not alike.
const NUMBERS_MAX: usize = 4_096;
/// So many different rows are worth no weights: there must be several rows to each.
const ROWS_PER_KIND: usize = 4;
/// Combinations of codes that are numbered by place; of more, those that occur are looked up.
const PLACES_MAX: u64 = 1 << 18;

/// A group of rows.
pub(super) struct GroupRows<'r, 'p, F> {
    reader: &'r mut SegmentReader<'p, F>,
    group: usize,
    /// Rows that are left; none for all.
    left: Option<Vec<u32>>,
    columns: HashMap<String, AnyColumn>,
    bucket_ms: Option<i64>,
}

/// Numbers of rows.
pub(super) type Picked<'r> = Cow<'r, [u32]>;

/// Rows that are alike.
pub(super) struct Alike {
    /// Of each row that is left, its kind.
    pub kinds: Vec<u32>,
    /// Of each kind, its first row.
    pub first: Vec<u32>,
    /// Of each kind, how many rows there are.
    pub counts: Vec<i64>,
}

impl<'r, 'p, F: Read + Seek> GroupRows<'r, 'p, F> {
    pub(super) fn new(reader: &'r mut SegmentReader<'p, F>, group: usize) -> Self {
        GroupRows {
            reader,
            group,
            left: None,
            columns: HashMap::new(),
            bucket_ms: None,
        }
    }

    /// From now on a time is the beginning of its bucket.
    pub(super) fn take_buckets_for_times(&mut self, bucket_ms: i64) {
        self.bucket_ms = Some(bucket_ms);
        if let Some(times) = self.columns.get_mut("ts_ms") {
            begin_buckets(times, bucket_ms);
        }
    }

    /// How many rows are left.
    pub(super) fn len(&self) -> usize {
        self.left.as_ref().map_or(self.reader.group_rows(self.group), Vec::len)
    }

    /// Whether no row is left.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a column stands in the file by its different values.
    pub(super) fn is_coded(&self, name: &str) -> bool {
        self.reader.is_dictionary(name) || name == "first_hop"
    }

    /// Leaves out rows of another time.
    pub(super) fn keep_times(&mut self, span_ms: Range<UtcMs>) -> Result<(), ColumnarError> {
        self.load("ts_ms")?;
        let Some(AnyColumn::Numbers(times)) = self.columns.get("ts_ms") else {
            return Err(self.reader.damaged("ts_ms"));
        };
        let span_ms = span_ms.start.get()..span_ms.end.get();
        let is_inside = |(_, ts_ms): &(u32, &u64)| span_ms.contains(&(**ts_ms as i64));
        let rows: Vec<u32> = (0..).zip(times).filter(is_inside).map(|(row, _)| row).collect();
        if rows.len() < times.len() {
            self.left = Some(rows);
        }
        Ok(())
    }

    /// Leaves out all but these rows.
    pub(super) fn keep(&mut self, rows: Vec<u32>) {
        if rows.len() < self.len() {
            self.left = Some(rows);
        }
    }

    /// Leaves out rows whose number in a column is none of some; false if it is no column of numbers.
    pub(super) fn keep_numbers(&mut self, name: &str, wanted: &FxHashSet<u64>) -> Result<bool, ColumnarError> {
        self.load(name)?;
        let rows = match self.columns.get(name) {
            Some(AnyColumn::Numbers(numbers) | AnyColumn::Optional(numbers)) => {
                // Nearly no row has one; most rows are told by this alone.
                let (least, most) = (wanted.iter().min().copied(), wanted.iter().max().copied());
                let (least, most) = (least.unwrap_or(u64::MAX), most.unwrap_or(0));
                let is_wanted = |number: u64| (least..=most).contains(&number) && wanted.contains(&number);
                match &self.left {
                    Some(rows) => {
                        let left = rows.iter().filter(|row| is_wanted(numbers[**row as usize]));
                        left.copied().collect()
                    }
                    None => {
                        let all = (0..).zip(numbers).filter(|(_, number)| is_wanted(**number));
                        all.map(|(row, _)| row).collect()
                    }
                }
            }
            _ => return Ok(false),
        };
        self.keep(rows);
        Ok(true)
    }

    /// Leaves out kinds of rows.
    pub(super) fn keep_alike(&mut self, alike: &Alike, keep: &[bool]) {
        if keep.iter().all(|keep| *keep) {
            return;
        }
        let rows = self.left_rows();
        let kept = rows.iter().zip(&alike.kinds).filter(|(_, kind)| keep[**kind as usize]);
        self.left = Some(kept.map(|(row, _)| *row).collect());
    }

    fn left_rows(&self) -> Picked<'_> {
        match &self.left {
            Some(rows) => Cow::Borrowed(rows),
            None => Cow::Owned((0..self.len() as u32).collect()),
        }
    }

    /// The rows that are left, so many at a time.
    pub(super) fn slices(&self, rows: usize) -> Vec<Vec<u32>> {
        self.left_rows().chunks(rows).map(<[u32]>::to_vec).collect()
    }

    fn load(&mut self, name: &str) -> Result<(), ColumnarError> {
        if !self.columns.contains_key(name) {
            let mut column = self.reader.group_any(name, self.group)?;
            if let Some(bucket_ms) = self.bucket_ms.filter(|_| name == "ts_ms") {
                begin_buckets(&mut column, bucket_ms);
            }
            self.columns.insert(name.to_owned(), column);
        }
        Ok(())
    }

    /// Which rows are alike in some columns; none if hardly any are.
    pub(super) fn alike(&mut self, names: &[String]) -> Result<Option<Alike>, ColumnarError> {
        // What is no code is looked at last: a column that is left unread costs nothing.
        let (coded, others): (Vec<_>, Vec<_>) = names.iter().partition(|name| self.is_coded(name));
        let mut alike = Alike {
            kinds: vec![0; self.len()],
            first: vec![0],
            counts: Vec::new(),
        };
        for name in coded.into_iter().chain(others) {
            self.load(name)?;
            let Some(codes) = self.codes(name) else { return Ok(None) };
            if !alike.split(&codes, &self.left_rows()) {
                return Ok(None);
            }
        }
        alike.counts = vec![0; alike.first.len()];
        alike.kinds.iter().for_each(|kind| alike.counts[*kind as usize] += 1);
        Ok(Some(alike))
    }

    /// A code for each row that is left, and how many codes there may be; none where there are too many.
    fn codes(&self, name: &str) -> Option<RowCodes<'_>> {
        let rows = self.left.as_deref();
        match self.columns.get(name)? {
            AnyColumn::Texts(texts) => Some(RowCodes {
                codes: match rows {
                    None => Cow::Borrowed(&texts.codes),
                    Some(rows) => Cow::Owned(rows.iter().map(|row| texts.codes[*row as usize]).collect()),
                },
                count: texts.values.len(),
            }),
            AnyColumn::Flags(flags) => Some(RowCodes {
                codes: Cow::Owned(picked(flags, rows).map(|flag| u32::from(*flag)).collect()),
                count: 2,
            }),
            AnyColumn::Numbers(numbers) | AnyColumn::Optional(numbers) => {
                let mut known: FxHashMap<u64, u32> = FxHashMap::default();
                let mut codes = Vec::with_capacity(self.len());
                let mut last = (u64::MAX - 1, u32::MAX);
                for number in picked(numbers, rows) {
                    if *number != last.0 || last.1 == u32::MAX {
                        let next = known.len() as u32;
                        last = (*number, *known.entry(*number).or_insert(next));
                        if known.len() > NUMBERS_MAX {
                            return None;
                        }
                    }
                    codes.push(last.1);
                }
                Some(RowCodes {
                    codes: Cow::Owned(codes),
                    count: known.len(),
                })
            }
            AnyColumn::Plain(_) => None,
        }
    }

    /// What tells some rows apart in columns that are codes: their values, one behind the other.
    pub(super) fn keys(&self, names: &[String], rows: &[u32]) -> Vec<String> {
        let key = |row: &u32| {
            let mut key = String::new();
            for name in names {
                match self.columns.get(name) {
                    Some(AnyColumn::Texts(texts)) => {
                        let value = &texts.values[texts.codes[*row as usize] as usize];
                        key.push_str(&value.len().to_string());
                        key.push(' ');
                        key.push_str(value);
                    }
                    Some(AnyColumn::Flags(flags)) => key.push(if flags[*row as usize] { '1' } else { '0' }),
                    _ => {}
                }
            }
            key
        };
        rows.iter().map(key).collect()
    }

    /// Rows of some columns; with a weight each, if they have one.
    pub(super) fn frame(
        &mut self,
        names: &[String],
        rows: &[u32],
        weights: Option<Vec<i64>>,
    ) -> Result<DataFrame, ColumnarError> {
        let mut columns = Vec::with_capacity(names.len() + 1);
        for name in names {
            self.load(name)?;
            let Some(column) = self.columns.get(name) else { continue };
            columns.push(PlColumn::from(series(name, column, rows)));
        }
        if let Some(weights) = weights {
            columns.push(PlColumn::from(Series::new(WEIGHT.into(), weights)));
        }
        Ok(DataFrame::new(rows.len(), columns)?)
    }
}

fn begin_buckets(times: &mut AnyColumn, bucket_ms: i64) {
    if let AnyColumn::Numbers(times) = times {
        let begin = |ts_ms: &mut u64| *ts_ms = ((*ts_ms as i64).div_euclid(bucket_ms) * bucket_ms) as u64;
        times.iter_mut().for_each(begin);
    }
}

fn picked<'c, T>(column: &'c [T], rows: Option<&'c [u32]>) -> impl Iterator<Item = &'c T> {
    let len = rows.map_or(column.len(), <[u32]>::len);
    (0..len).map(move |at| match rows {
        Some(rows) => &column[rows[at] as usize],
        None => &column[at],
    })
}

fn series(name: &str, column: &AnyColumn, rows: &[u32]) -> Series {
    let at = |row: &u32| *row as usize;
    match column {
        AnyColumn::Texts(texts) => {
            let values = rows
                .iter()
                .map(|row| texts.values[texts.codes[at(row)] as usize].as_str());
            Series::new(name.into(), values.collect::<Vec<_>>())
        }
        AnyColumn::Plain(texts) => Series::new(
            name.into(),
            rows.iter().map(|row| texts.get(at(row))).collect::<Vec<_>>(),
        ),
        AnyColumn::Flags(flags) => Series::new(name.into(), rows.iter().map(|row| flags[at(row)]).collect::<Vec<_>>()),
        AnyColumn::Numbers(numbers) => Series::new(
            name.into(),
            rows.iter().map(|row| numbers[at(row)] as i64).collect::<Vec<_>>(),
        ),
        AnyColumn::Optional(numbers) => {
            let number = |row: &u32| {
                Some(numbers[at(row)])
                    .filter(|number| *number != NONE)
                    .map(|number| number as i64)
            };
            Series::new(name.into(), rows.iter().map(number).collect::<Vec<_>>())
        }
    }
}

/// A code a row.
struct RowCodes<'c> {
    codes: Cow<'c, [u32]>,
    /// RowCodes are below it.
    count: usize,
}

impl Alike {
    /// Tells kinds apart by one more column; false if that leaves hardly any rows alike.
    fn split(&mut self, by: &RowCodes<'_>, rows: &[u32]) -> bool {
        if by.count <= 1 {
            if self.first.len() == 1 {
                self.first[0] = rows.first().copied().unwrap_or(0);
            }
            return true;
        }
        let most = (rows.len() / ROWS_PER_KIND).max(64);
        let count = by.count as u64;
        let places = self.first.len() as u64 * count;
        let mut numbers = match places <= PLACES_MAX {
            true => KindNumbers::Places(vec![u32::MAX; places as usize]),
            false => KindNumbers::Map(FxHashMap::default()),
        };
        let mut first = Vec::new();
        for ((kind, code), row) in self.kinds.iter_mut().zip(&*by.codes).zip(rows) {
            let key = u64::from(*kind) * count + u64::from(*code);
            let number = numbers.at(key);
            if *number == u32::MAX {
                if first.len() == most {
                    return false;
                }
                *number = first.len() as u32;
                first.push(*row);
            }
            *kind = *number;
        }
        self.first = first;
        true
    }
}

/// Numbers of combinations.
enum KindNumbers {
    Places(Vec<u32>),
    Map(FxHashMap<u64, u32>),
}

impl KindNumbers {
    #[inline]
    fn at(&mut self, key: u64) -> &mut u32 {
        match self {
            KindNumbers::Places(places) => &mut places[key as usize],
            KindNumbers::Map(map) => map.entry(key).or_insert(u32::MAX),
        }
    }
}

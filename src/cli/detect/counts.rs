//! Count series from CSV: columns `series`, `ts`, `count` in any order, with a header.
//!
//! A row says how many; an empty count says that nothing is known, and so does a row that is missing between others,
//! unless the caller says that missing rows are zeros (an export that leaves them out). Rows may come in any order. Two
//! rows for one moment are an error unless they say the same.

use crate::detect::detector::{COUNT_MAX, Sample};
use jiff::Timestamp;
use jiff::civil::DateTime;
use std::collections::BTreeMap;
use std::io::Read;

/// Steps that detection works with, seconds; finer rows are summed.
const GRAINS_S: [i64; 7] = [60, 300, 600, 900, 1_200, 1_800, 3_600];
/// Most rows that are read.
const ROWS_MAX: usize = 100_000_000;
/// Longest series, steps: what missing rows may be filled up to; twenty years of minutes, 260 MB.
const STEPS_MAX: i64 = 11_000_000;

/// One series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CsvCounts {
    /// Its name.
    pub name: String,
    /// Length of a step, seconds.
    pub grain_s: i64,
    /// Steps in order.
    pub samples: Vec<(i64, Sample)>,
    /// Steps without data between the first and the last.
    pub missing: i64,
    /// Steps that say zero.
    pub zeros: usize,
}

/// Why a file cannot be read; `line` is 0 for the whole of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadCounts {
    /// Line, from 1.
    pub line: u64,
    /// What is wrong, and the cure.
    pub why: String,
}

impl std::fmt::Display for BadCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        f.write_str(&self.why)
    }
}

impl std::error::Error for BadCounts {}

fn bad(line: u64, why: impl Into<String>) -> BadCounts {
    BadCounts { line, why: why.into() }
}

type Rows = Vec<(i64, Option<u64>, u64)>;

/// Reads all series of a file; `zero_missing` fills rows that are missing with zeros.
pub(super) fn read(input: impl Read, zero_missing: bool) -> Result<Vec<CsvCounts>, BadCounts> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
    let header = reader.headers().map_err(|why| bad(1, why.to_string()))?.clone();
    let column = |name: &str| {
        let at = header
            .iter()
            .position(|head| head.trim_start_matches('\u{feff}').eq_ignore_ascii_case(name));
        at.ok_or_else(|| bad(1, format!("no column `{name}`; expected a header series,ts,count")))
    };
    let (series, ts, count) = (column("series")?, column("ts")?, column("count")?);
    let mut all: BTreeMap<String, Rows> = BTreeMap::new();
    let mut record = csv::StringRecord::new();
    let mut rows = 0;
    while reader.read_record(&mut record).map_err(|why| {
        let line = why.position().map_or(0, csv::Position::line);
        bad(line, why.to_string())
    })? {
        rows += 1;
        let line = record.position().map_or(0, csv::Position::line);
        if rows > ROWS_MAX {
            return Err(bad(line, "more than 100 million rows"));
        }
        let field = |at: usize| record.get(at).unwrap_or_default();
        let ts = time(field(ts)).ok_or_else(|| bad(line, "`ts`: expected a time like 2018-06-06T18:00:00Z"))?;
        let count = count_of(field(count)).map_err(|why| bad(line, why))?;
        match all.get_mut(field(series)) {
            Some(rows) => rows.push((ts, count, line)),
            None => {
                all.insert(field(series).to_owned(), vec![(ts, count, line)]);
            }
        }
    }
    all.into_iter()
        .map(|(name, rows)| one(name, rows, zero_missing))
        .collect()
}

fn count_of(text: &str) -> Result<Option<u64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let huge = || format!("`count` is over {COUNT_MAX}");
    if let Ok(count) = text.parse::<u64>() {
        return if count <= COUNT_MAX {
            Ok(Some(count))
        } else {
            Err(huge())
        };
    }
    match text.parse::<f64>() {
        Ok(count) if count < 0.0 => Err("`count` is negative".to_owned()),
        Ok(count) if count > COUNT_MAX as f64 => Err(huge()),
        Ok(count) if count.fract() == 0.0 => Ok(Some(count as u64)),
        _ => Err("`count`: expected a whole number, or nothing for no data".to_owned()),
    }
}

/// RFC 3339, a civil time that is taken for UTC, or seconds since the epoch.
fn time(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_second());
    }
    if let Ok(seconds) = text.parse::<i64>() {
        return Timestamp::from_second(seconds).ok().map(|time| time.as_second());
    }
    let civil: DateTime = text.parse().ok()?;
    civil
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()
        .map(|time| time.timestamp().as_second())
}

fn one(name: String, mut rows: Rows, zero_missing: bool) -> Result<CsvCounts, BadCounts> {
    rows.sort_by_key(|row| row.0);
    for pair in rows.windows(2) {
        if pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1 {
            let line = pair[1].2.max(pair[0].2);
            return Err(bad(
                line,
                format!("line {} has another count for this time", pair[0].2.min(pair[1].2)),
            ));
        }
    }
    rows.dedup_by_key(|row| row.0);
    let (row_s, grain_s) = if zero_missing { sparse_grid(&rows) } else { grid(&rows)? };
    let whole = grain_s / row_s;
    let mut steps: Vec<(i64, u64, i64)> = Vec::new();
    for (ts, count, _) in rows {
        let start = ts - ts.rem_euclid(grain_s);
        if steps.last().is_none_or(|last| last.0 != start) {
            steps.push((start, 0, 0));
        }
        if let (Some(last), Some(count)) = (steps.last_mut(), count) {
            last.1 = last.1.saturating_add(count);
            last.2 += 1;
        }
    }
    let sample = |(start, sum, seen): (i64, u64, i64)| {
        let known = seen == whole || zero_missing;
        (start, if known { Sample::Count(sum) } else { Sample::NoData })
    };
    let span = steps.last().map_or(0, |last| last.0) - steps.first().map_or(0, |first| first.0);
    let missing = span / grain_s + 1 - steps.len() as i64;
    let mut samples: Vec<(i64, Sample)> = steps.into_iter().map(sample).collect();
    if zero_missing && missing > 0 {
        if span / grain_s > STEPS_MAX {
            return Err(bad(
                0,
                format!("series {name:?} spans too long a time to fill with zeros"),
            ));
        }
        samples = filled(&samples, grain_s);
    }
    let zeros = samples.iter().filter(|(_, sample)| *sample == Sample::Count(0)).count();
    Ok(CsvCounts {
        name,
        grain_s,
        samples,
        missing,
        zeros,
    })
}

/// Seconds from row to row, and the step that they are summed in: rows stand in for all the time between them.
fn grid(rows: &Rows) -> Result<(i64, i64), BadCounts> {
    let apart = rows.windows(2).map(|pair| (pair[1].0 - pair[0].0, pair[1].2)).min();
    let (row_s, row_line) = apart.unwrap_or((300, 0));
    match GRAINS_S.into_iter().find(|grain| grain % row_s == 0) {
        Some(grain_s) => Ok((row_s, grain_s)),
        None => Err(bad(
            row_line,
            format!(
                "rows are {row_s} s apart; the interval must divide an hour, from 1 s to 60 min. If rows of zero are \
                 left out, use --missing-is-zero"
            ),
        )),
    }
}

/// The same where rows of zero are left out: how far apart those are that are there says little, but all stand on the
/// grid of the export.
fn sparse_grid(rows: &Rows) -> (i64, i64) {
    const HOUR_S: i64 = 3_600;
    let apart = rows.windows(2).map(|pair| pair[1].0 - pair[0].0);
    let row_s = apart.fold(HOUR_S, gcd);
    let grain_s = GRAINS_S.into_iter().find(|grain| grain % row_s == 0);
    (row_s, grain_s.unwrap_or(HOUR_S))
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn filled(samples: &[(i64, Sample)], grain_s: i64) -> Vec<(i64, Sample)> {
    let mut all = Vec::new();
    let mut next = samples.first().map_or(0, |sample| sample.0);
    for &(ts, sample) in samples {
        while next < ts {
            all.push((next, Sample::Count(0)));
            next += grain_s;
        }
        all.push((ts, sample));
        next = ts + grain_s;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(rows: &str) -> Result<Vec<CsvCounts>, BadCounts> {
        read(format!("series,ts,count\n{rows}").as_bytes(), false)
    }

    #[test]
    fn rows_in_any_order_with_holes_and_blanks() {
        let rows = "a,2018-06-06T00:02:00Z,3\na,2018-06-06T00:00:00Z,1\na,2018-06-06 00:01,\na,1528243440,0\n";
        let all = text(rows).unwrap();
        let at = 1_528_243_200;
        assert_eq!(
            all[0].samples,
            [
                (at, Sample::Count(1)),
                (at + 60, Sample::NoData),
                (at + 120, Sample::Count(3)),
                (at + 240, Sample::Count(0))
            ]
        );
        assert_eq!((all[0].grain_s, all[0].missing, all[0].zeros), (60, 1, 1));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (rows, why) in [
            ("a,2018-06-06T00:00:00Z,-1\n", "line 2: `count` is negative"),
            (
                "a,yesterday,1\n",
                "line 2: `ts`: expected a time like 2018-06-06T18:00:00Z",
            ),
            (
                "a,0,1.5\n",
                "line 2: `count`: expected a whole number, or nothing for no data",
            ),
            (
                "a,0,1\na,60,1\na,0,2\n",
                "line 4: line 2 has another count for this time",
            ),
            (
                "a,0,1\na,86400,1\n",
                "line 3: rows are 86400 s apart; the interval must divide an hour, from 1 s to 60 min. If rows of zero are \
                 left out, use --missing-is-zero",
            ),
        ] {
            assert_eq!(text(rows).unwrap_err().to_string(), why);
        }
        let header = read(&b"name,ts,count\n"[..], false).unwrap_err();
        assert_eq!(
            header.to_string(),
            "line 1: no column `series`; expected a header series,ts,count"
        );
    }

    #[test]
    fn huge_counts_and_a_clock_that_jumps_are_bounded() {
        for count in ["1000000001", "18446744073709551616", "1e300", "inf"] {
            let why = text(&format!("a,0,{count}\n")).unwrap_err().to_string();
            assert_eq!(why, "line 2: `count` is over 1000000000");
        }
        assert!(text("a,0,NaN\n").is_err());
        // The rows that do not fit are named, not the last ones.
        let why = text("a,0,1\na,60,1\na,67,1\na,120,1\n").unwrap_err().to_string();
        assert!(why.starts_with("line 4: rows are 7 s apart"), "{why}");
        // Seventy centuries ahead: a leap, and no minutes are made of it.
        let jump = "series,ts,count\na,0,1\na,60,1\na,9999-01-01T00:00:00Z,1\n";
        assert_eq!(read(jump.as_bytes(), false).unwrap()[0].samples.len(), 3);
        let why = read(jump.as_bytes(), true).unwrap_err().to_string();
        assert_eq!(why, "series \"a\" spans too long a time to fill with zeros");
    }

    #[test]
    fn one_event_is_a_series() {
        let all = text("a,2018-06-06T18:00:00Z,1\n").unwrap();
        assert_eq!(all[0].samples, [(1_528_308_000, Sample::Count(1))]);
    }

    #[test]
    fn finer_rows_are_summed_and_a_half_seen_step_is_no_data() {
        let all = text("a,0,1\na,30,2\na,60,4\na,120,8\na,150,16\n").unwrap();
        assert_eq!(
            all[0].samples,
            [(0, Sample::Count(3)), (60, Sample::NoData), (120, Sample::Count(24))]
        );
    }

    #[test]
    fn a_sparse_series_is_read_when_missing_rows_are_zeros() {
        // A mail every seven minutes or more, one a day, one at some second: no distance is a divisor of an hour.
        let rows = "series,ts,count\na,0,1\na,420,2\na,1020,1\nb,0,1\nb,86400,1\nb,259200,1\nc,7,1\nc,444,1\n";
        assert!(read(rows.as_bytes(), false).is_err());
        let all = read(rows.as_bytes(), true).unwrap();
        let shape = |at: usize| {
            let sum = all[at].samples.iter().map(|(_, sample)| match sample {
                Sample::Count(count) => *count,
                Sample::NoData => panic!("no data in {}", all[at].name),
            });
            (all[at].grain_s, all[at].samples.len(), sum.sum::<u64>())
        };
        assert_eq!(
            [shape(0), shape(1), shape(2)],
            [(60, 18, 4), (3_600, 73, 3), (60, 8, 2)]
        );
    }

    #[test]
    fn missing_rows_are_zeros_when_told_so() {
        let all = read(&b"count,series,ts\n5,a,0\n7,a,300\n2,a,900\n1,b,60\n"[..], true).unwrap();
        let counts: Vec<Sample> = all[0].samples.iter().map(|sample| sample.1).collect();
        assert_eq!(counts, [5, 7, 0, 2].map(Sample::Count));
        assert_eq!(all[1].samples.len(), 1);
        assert!(text("").unwrap().is_empty());
    }
}

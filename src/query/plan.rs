//! How the SELECTs of a translation are run over segments. From each stored table that a query names, SELECTs follow that
//! make a row of a row; they run as rows are read. The first one that needs more (groups, different rows, the first so many)
//! is where rows are summed up, if that can be done in parts. What comes behind it is run over its rows.

use super::bucket::bucket_ms;
use super::sql::{EmbeddedQuery, Level, LevelForm};
use crate::model::time::UtcMs;
use crate::store::columnar::{Reduction, RowStep, ScanTest, Summary, TableScan, WEIGHT};
use std::collections::HashMap;
use std::ops::Range;

/// A query for the embedded engine.
#[derive(Debug)]
pub(super) struct QueryPlan {
    /// Passes over stored tables, with the table of each.
    pub scans: Vec<(&'static str, TableScan)>,
    /// SELECTs over what comes of them: names and texts.
    pub steps: Vec<(String, String)>,
    /// The last one.
    pub sql: String,
}

/// What the last SELECT is called while it is planned: no table has that name.
const LAST: &str = "last";

/// Of a translation.
pub(super) fn plan(query: &EmbeddedQuery) -> QueryPlan {
    let last = (LAST.to_owned(), query.last.clone());
    let levels: Vec<(String, Level)> = query.steps.iter().cloned().chain([last]).collect();
    let readers = Readers::of(&levels);
    let mut scans = Vec::new();
    let mut gone = vec![false; levels.len()];
    for at in 0..levels.len() {
        let (name, level) = &levels[at];
        let LevelForm::Stored { table, columns } = &level.form else {
            continue;
        };
        let mut scan = TableScan {
            name: name.clone(),
            columns: columns
                .iter()
                .map(|(column, own)| (column.clone(), own.clone()))
                .collect(),
            tests: Vec::new(),
            steps: Vec::new(),
            fold: Reduction::Rows,
            into: name.clone(),
            bucket_ms: None,
        };
        gone[at] = true;
        let table = *table;
        let mut next = readers.only(name);
        while let Some(at) = next {
            let (name, level) = &levels[at];
            if !extend(&mut scan, name, level) {
                break;
            }
            gone[at] = true;
            next = if matches!(scan.fold, Reduction::Rows) {
                readers.only(name)
            } else {
                None
            };
        }
        if let Some(at) = next.filter(|_| matches!(scan.fold, Reduction::Rows)) {
            reduce(&mut scan, &levels[at].1);
        }
        scan.bucket_ms = bucket_ms(&scan);
        scans.push((table, scan));
    }
    let steps = levels.iter().zip(&gone).filter(|(_, gone)| !**gone);
    let mut steps: Vec<(String, String)> = steps.map(|((name, level), _)| (name.clone(), level.sql())).collect();
    let sql = match gone.last() {
        Some(true) => format!("SELECT * FROM {LAST}"),
        _ => steps.pop().map(|(_, sql)| sql).unwrap_or_default(),
    };
    QueryPlan { scans, steps, sql }
}

/// The times that rows of a scan may have, as its conditions say, the second one not included.
pub(super) fn times(scan: &TableScan) -> Range<UtcMs> {
    let mut times = UtcMs::MIN..UtcMs::MAX;
    for test in &scan.tests {
        let Some((operator, at)) = comparison(scan, test) else {
            continue;
        };
        match operator {
            ">=" => times.start = times.start.max(at),
            ">" => times.start = times.start.max(at.saturating_add(1)),
            "<" => times.end = times.end.min(at),
            "<=" => times.end = times.end.min(at.saturating_add(1)),
            "=" => {
                times.start = times.start.max(at);
                times.end = times.end.min(at.saturating_add(1));
            }
            _ => {}
        }
    }
    times
}

/// A condition that compares the time of a row with a number: how, and with which.
fn comparison<'t>(scan: &TableScan, test: &'t ScanTest) -> Option<(&'t str, UtcMs)> {
    let inside = test.sql.strip_prefix('(')?.strip_suffix(')')?;
    let [name, operator, ms] = inside.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    let is_time = |(column, own): &(String, String)| own == name && (column == "ts" || column == "ts_ms");
    let ms = scan.columns.iter().any(is_time).then(|| ms.parse().ok())??;
    Some((operator, UtcMs::new(ms)))
}

/// Which SELECTs read the rows of each.
struct Readers(HashMap<String, Vec<usize>>);

impl Readers {
    fn of(levels: &[(String, Level)]) -> Readers {
        let mut readers: HashMap<String, Vec<usize>> =
            levels.iter().map(|(name, _)| (name.clone(), Vec::new())).collect();
        for (at, (_, level)) in levels.iter().enumerate() {
            // A word in quotes that looks like a name makes one more reader of it, which is no mistake.
            let sql = level.sql();
            for word in sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
                if let Some(readers) = readers.get_mut(word) {
                    readers.push(at);
                }
            }
        }
        Readers(readers)
    }

    /// The only one that reads a table, and it reads it once.
    fn only(&self, name: &str) -> Option<usize> {
        match self.0.get(name)?.as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }
}

/// Makes a SELECT part of a scan; false if it cannot be one.
fn extend(scan: &mut TableScan, name: &str, level: &Level) -> bool {
    match &level.form {
        LevelForm::Rows { tests, .. } => {
            let own = |column: &String| scan.columns.iter().any(|(_, own)| own == column);
            let tests = tests.iter().filter(|test| test.columns.iter().all(own));
            let tests: Vec<ScanTest> = tests
                .map(|test| ScanTest {
                    sql: test.sql.clone(),
                    columns: test.columns.iter().cloned().collect(),
                })
                .collect();
            scan.tests.extend(tests);
            scan.steps.push(RowStep {
                name: name.to_owned(),
                sql: level.sql(),
                weighted: level.sql_with(WEIGHT),
            });
        }
        LevelForm::Groups { keys, made, .. } => {
            let summary = |(name, text): &(String, String)| Some((name.clone(), summary(text)?));
            let Some(made) = made.iter().map(summary).collect() else {
                return false;
            };
            scan.fold = Reduction::Groups {
                keys: keys.clone(),
                made,
            };
        }
        _ => return false,
    }
    scan.into = name.to_owned();
    true
}

/// Keeps only those rows that a SELECT needs, which is run over them afterwards.
fn reduce(scan: &mut TableScan, level: &Level) {
    scan.fold = match &level.form {
        LevelForm::Distinct { .. } => Reduction::Distinct,
        LevelForm::Sorted {
            by, rows: Some(rows), ..
        } if by.is_empty() => Reduction::First(*rows),
        LevelForm::Sorted {
            by, rows: Some(rows), ..
        } => Reduction::Top {
            by: by.clone(),
            rows: *rows,
        },
        _ => Reduction::Rows,
    };
}

/// A function over a group, from its text.
fn summary(text: &str) -> Option<Summary> {
    let (function, rest) = text.split_once('(')?;
    let inside = rest.strip_suffix(')')?;
    let column = || is_name(inside).then(|| inside.to_owned());
    Some(match function {
        "COUNT" if inside == "*" => Summary::Rows,
        "COUNT" => match inside.strip_prefix("DISTINCT ") {
            Some(column) if is_name(column) => Summary::Distinct(column.to_owned()),
            Some(_) => return None,
            None => Summary::Count(column()?),
        },
        "SUM" => Summary::Sum(column()?),
        "AVG" => Summary::Mean(column()?),
        "MIN" => Summary::Min(column()?),
        "MAX" => Summary::Max(column()?),
        "MEDIAN" => Summary::Median(column()?),
        "QUANTILE_DISC" => {
            let (column, share) = inside.split_once(", ")?;
            Summary::Quantile(is_name(column).then(|| column.to_owned())?, share.parse().ok()?)
        }
        _ => return None,
    })
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::DAY_MS;
    use crate::model::time::{End, UtcMs};
    use crate::query::named;
    use crate::query::sql::for_embedded;

    fn folds(text: &str) -> Vec<Reduction> {
        let plan = plan(&for_embedded(text).expect(text));
        plan.scans.into_iter().map(|(_, scan)| scan.fold).collect()
    }

    #[test]
    fn every_named_query_sums_up_rows_as_they_are_read() {
        for query in named::all() {
            let values = query
                .values(&[], End::clock(UtcMs::new(1_000_000_000_000)))
                .expect(query.name);
            let folds = folds(&query.bind(&values));
            let is_summed = |fold: &Reduction| matches!(fold, Reduction::Groups { .. });
            assert!(
                !folds.is_empty() && folds.iter().all(is_summed),
                "{}: {folds:?}",
                query.name
            );
        }
    }

    #[test]
    fn rows_are_kept_only_where_all_are_needed() {
        let one = |text: &str| match folds(text).as_slice() {
            [fold] => format!("{fold:?}"),
            more => panic!("{text}: {more:?}"),
        };
        assert!(one("SELECT DISTINCT service FROM events").starts_with("Distinct"));
        assert!(one("SELECT service FROM events LIMIT 3 OFFSET 2").starts_with("First(5)"));
        let top = one("SELECT service, bytes FROM events ORDER BY bytes DESC LIMIT 3");
        assert!(top.contains("Top") && top.contains("rows: 3"), "{top}");
        assert!(one("SELECT service FROM events WHERE kind = 'accepted'").starts_with("Rows"));
        assert!(one("SELECT service, ROW_NUMBER() OVER (ORDER BY ts_ms) FROM events").starts_with("Rows"));
        // What a WITH is used for twice is read once.
        let twice = "WITH a AS (SELECT service, COUNT(*) AS n FROM events GROUP BY service) \
                     SELECT x.service, y.n FROM a AS x JOIN a AS y ON x.service = y.service";
        assert!(folds(twice).iter().all(|fold| matches!(fold, Reduction::Groups { .. })));
    }

    #[test]
    fn a_condition_on_the_time_says_which_segments_are_read() {
        let of = |text: &str| times(&plan(&for_embedded(text).expect(text)).scans[0].1);
        let day = 1_528_243_200_000_i64;
        let within = |from: i64, to: i64| UtcMs::new(from)..UtcMs::new(to);
        let count = "SELECT COUNT(*) FROM events WHERE";
        assert_eq!(
            of(&format!("{count} ts >= '2018-06-06' AND ts < '2018-06-07'")),
            within(day, day + DAY_MS)
        );
        assert_eq!(
            of(&format!("{count} ts_ms > {day} AND kind = 'accepted'")),
            within(day + 1, i64::MAX)
        );
        assert_eq!(
            of(&format!("{count} ts_ms BETWEEN {day} AND {day}")),
            within(day, day + 1)
        );
        let other = [
            "ts_ms >= 5 OR kind = 'accepted'",
            "bytes >= 5",
            "ts_ms + 1 > 5",
            "NOT (ts_ms > 5)",
        ];
        for condition in other {
            assert_eq!(
                of(&format!("{count} {condition}")),
                UtcMs::MIN..UtcMs::MAX,
                "{condition}"
            );
        }
    }

    #[test]
    fn conditions_on_one_table_are_tested_before_a_join() {
        let text = "SELECT a.service FROM events AS a JOIN rates AS b ON a.service = b.service \
                    WHERE a.kind = 'accepted' AND b.kind = 'delivered' AND a.ts_ms < b.ts_ms";
        let plan = plan(&for_embedded(text).expect(text));
        for (_, scan) in &plan.scans {
            let tests: Vec<&str> = scan.tests.iter().map(|test| test.sql.as_str()).collect();
            assert!(matches!(tests.as_slice(), [test] if test.contains("kind")), "{tests:?}");
        }
    }

    fn bucket(text: &str) -> Option<i64> {
        plan(&for_embedded(text).expect(text)).scans[0].1.bucket_ms
    }

    #[test]
    fn a_question_for_buckets_alone_says_how_long_they_are() {
        let hours = "SELECT ts_ms - ts_ms % 3600000 AS h, kind, COUNT(*) FROM events";
        let by_hour = |condition: &str| bucket(&format!("{hours} {condition} GROUP BY h, kind"));
        assert_eq!(by_hour(""), Some(3_600_000));
        assert_eq!(
            by_hour("WHERE service = 'wiki' AND ts_ms <> ts_ms - ts_ms % 60000"),
            None
        );
        assert_eq!(
            by_hour("WHERE ts >= '2018-06-06' AND ts < '2018-06-07 00:30'"),
            Some(1_800_000)
        );
        assert_eq!(
            by_hour("WHERE ts > '2018-06-06'"),
            None,
            "its first millisecond is none of it"
        );
        assert_eq!(by_hour("WHERE ts_ms >= 1528243200001"), None, "no whole hours");
        assert_eq!(
            bucket("SELECT ts_ms - ts_ms % 3600000 AS h, ts_ms - ts_ms % 900000 AS q FROM events GROUP BY h, q"),
            Some(900_000)
        );
        assert_eq!(
            bucket("SELECT DISTINCT ts_ms - ts_ms % 86400000 AS d FROM events"),
            Some(86_400_000)
        );
        for other in [
            "SELECT ts_ms - ts_ms % 3600000 AS h, MAX(ts_ms) FROM events GROUP BY h",
            "SELECT ts_ms - ts_ms % 3600000 AS h FROM events",
            "SELECT ts_ms - ts_ms % 3600000 - 5 AS h, COUNT(*) FROM events GROUP BY h",
            "SELECT service, COUNT(*) FROM events GROUP BY service",
        ] {
            assert_eq!(bucket(other), None, "{other}");
        }
    }
}

//! How many mails are in the queues over time: a level that is counted once, and the rates of what came and left. A mail is in
//! the queue of a host from its arrival to its completion; both are rates, by service and relay.

use crate::model::time::{MINUTE_MS, UtcMs};
use crate::query::history::MailHistory;
use crate::query::rates::{By, RateQuestion, covered_buckets};
use crate::query::series::{Series, SeriesSet};
use crate::query::{QueryError, SumsOf, Window};
use crate::store::columnar::Table;
use std::collections::BTreeMap;

/// The measure of a [`RateQuestion`] that asks for levels.
pub const BACKLOG: &str = "backlog";

/// Service and relay.
type QueuePair = (String, String);

/// Levels of the queues, from which rates go on: a later level is that of the begin, and what arrived less what was completed
/// since.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueueLevels {
    /// The begin, UTC milliseconds: a whole minute.
    from_ms: UtcMs,
    pairs: BTreeMap<QueuePair, PairLevel>,
}

/// The level of a service's mail on a relay.
#[derive(Debug, Clone, Default, PartialEq)]
struct PairLevel {
    /// Mails at the begin.
    begin: i64,
    /// Mails by which it changes, and when, though no rate says so: one whose arrival was not read is there from its first row
    /// on, and one that its log forgets is gone a day after its last row.
    changes: Vec<(UtcMs, i64)>,
    /// Rows of an earlier version have no origin, though their arrivals were read.
    has_old_rows: bool,
}

/// Mails in the queues at the moment of a count, on their way to [`QueueLevels`].
#[derive(Debug, Default)]
pub(super) struct LevelCount(BTreeMap<QueuePair, PairLevel>);

impl LevelCount {
    /// Adds a mail: whether its arrival was read, and how it changes the level otherwise.
    pub(super) fn add(&mut self, pair: QueuePair, has_arrived: bool, changes: impl IntoIterator<Item = (UtcMs, i64)>) {
        let level = self.0.entry(pair).or_default();
        level.begin += i64::from(has_arrived);
        level.changes.extend(changes);
    }

    /// Goes back to the begin of the window, at the end of which was counted.
    pub(super) fn finish(self, store: &dyn MailHistory, window: Window) -> Result<QueueLevels, QueryError> {
        let mut pairs = self.0;
        // Rates know whole minutes.
        let minute_ms = window.until_ms.floor_to(MINUTE_MS).max(window.since_ms);
        let whole = (window.since_ms, minute_ms);
        let mut moves = Moves::default();
        moves.take(&all_rates(store, whole)?);
        moves.take(&store.select(
            &sql("events", None),
            Window {
                since_ms: minute_ms,
                ..window
            },
        )?);
        for (pair, moved) in moves.0 {
            let moved = moved.get(&0).copied().unwrap_or_default();
            let level = pairs.entry(pair).or_default();
            level.has_old_rows = moved.came_unknown > 0;
            level.begin -= moved.net(level.has_old_rows);
        }
        Ok(QueueLevels {
            from_ms: window.since_ms,
            pairs,
        })
    }
}

/// Arrivals and completions by service, relay, kind, and origin; by bucket if there are some.
fn sql(table: &str, step_ms: Option<i64>) -> String {
    let (start, group) = match step_ms {
        Some(step_ms) => (
            format!(", ts_ms - ts_ms % {step_ms} AS minute"),
            format!(", ts_ms - ts_ms % {step_ms}"),
        ),
        None => Default::default(),
    };
    format!(
        "SELECT service, relay, kind, origin, SUM(messages) AS mails{start} FROM {table} \
         WHERE kind = 'accepted' OR kind = 'completed' GROUP BY service, relay, kind, origin{group}"
    )
}

fn all_rates(store: &dyn MailHistory, (since_ms, until_ms): (UtcMs, UtcMs)) -> Result<Table, QueryError> {
    let window = Window { since_ms, until_ms };
    store.add_up(&sql("rates", None), window, SumsOf::Rates { step_ms: None })
}

/// What came and left, by service and relay, and by the start of a bucket.
#[derive(Debug, Default)]
struct Moves(BTreeMap<QueuePair, BTreeMap<i64, MailMoves>>);

/// Mails that came and left.
#[derive(Debug, Default, Clone, Copy)]
struct MailMoves {
    came: i64,
    left: i64,
    /// The same without an origin: the arrival was not read, or an earlier version read it.
    came_unknown: i64,
    left_unknown: i64,
}

impl Moves {
    fn take(&mut self, table: &Table) {
        for row in 0..table.rows() {
            let [service, relay, kind, origin] = [0, 1, 2, 3].map(|column| table.text(column, row));
            let number = |column: usize| table.number(column, row).unwrap_or_default();
            let (mails, start) = (number(4), if table.columns.len() > 5 { number(5) } else { 0 });
            let pair = self.0.entry((service.to_owned(), relay.to_owned())).or_default();
            let moved = pair.entry(start).or_default();
            *match (kind, origin) {
                ("accepted", "") => &mut moved.came_unknown,
                ("accepted", _) => &mut moved.came,
                (_, "") => &mut moved.left_unknown,
                (_, _) => &mut moved.left,
            } += mails;
        }
    }
}

impl MailMoves {
    /// What stayed. A completion takes nothing away where its arrival added nothing.
    fn net(self, has_old_rows: bool) -> i64 {
        let unknown = match has_old_rows {
            true => self.came_unknown - self.left_unknown,
            false => 0,
        };
        self.came - self.left + unknown
    }
}

/// Mails in the queues at the end of each bucket, by service or relay: a series for each that had any, or that the question
/// names. What is before the begin of the levels is not known.
///
/// # Errors
/// The store cannot be read, or there are too many buckets.
pub fn queue_levels(
    store: &dyn MailHistory,
    levels: &QueueLevels,
    question: &RateQuestion,
) -> Result<SeriesSet, QueryError> {
    let coverage = store.coverage(question.window.since_ms)?;
    let (start_ms, everywhere) = covered_buckets(&coverage, None, question)?;
    let mut course = LevelCourse {
        question,
        start_ms,
        buckets: everywhere.len(),
        changes: BTreeMap::new(),
    };
    for name in &question.only {
        course.add(name, start_ms, 0);
    }
    let since_ms = start_ms.max(levels.from_ms);
    let mut before = Moves::default();
    before.take(&all_rates(store, (levels.from_ms, since_ms))?);
    for (pair, level) in &levels.pairs {
        let moved = before.0.get(pair).and_then(|moved| moved.get(&0));
        let moved = moved.map_or(0, |moved| moved.net(level.has_old_rows));
        course.add(course.name(pair), start_ms, level.begin + moved);
        for (at_ms, mails) in &level.changes {
            course.add(course.name(pair), *at_ms, *mails);
        }
    }
    let step_ms = question.grain_ms();
    let within = Window {
        since_ms,
        until_ms: question.window.until_ms,
    };
    let sums = SumsOf::Rates { step_ms: Some(step_ms) };
    let mut moves = Moves::default();
    moves.take(&store.add_up(&sql("rates", Some(step_ms)), within, sums)?);
    for (pair, moved) in &moves.0 {
        let has_old_rows = levels.pairs.get(pair).is_some_and(|level| level.has_old_rows);
        for (at_ms, moved) in moved {
            course.add(course.name(pair), UtcMs::new(*at_ms), moved.net(has_old_rows));
        }
    }
    let first = usize::try_from((since_ms - start_ms).div_euclid(question.step_ms)).unwrap_or(0);
    let mut series = Vec::new();
    for (name, changes) in &course.changes {
        let own = match question.by {
            By::Relay => Some(covered_buckets(&coverage, Some(name.as_str()), question)?.1),
            _ => None,
        };
        series.extend(course.series(name, changes, (first, own.as_ref().unwrap_or(&everywhere))));
    }
    Ok(course.finish(series))
}

/// Levels on their way to a graph.
struct LevelCourse<'q> {
    question: &'q RateQuestion,
    start_ms: UtcMs,
    buckets: usize,
    /// By name, the changes in each bucket.
    changes: BTreeMap<String, Vec<i64>>,
}

impl LevelCourse<'_> {
    fn name<'p>(&self, (service, relay): &'p QueuePair) -> &'p str {
        match self.question.by {
            By::Relay => relay,
            _ => service,
        }
    }

    /// Adds mails from a time on; what was before the first bucket is there at its end.
    fn add(&mut self, name: &str, at_ms: UtcMs, mails: i64) {
        let only = &self.question.only;
        if !only.is_empty() && only.iter().all(|wanted| wanted != name) {
            return;
        }
        if !self.changes.contains_key(name) {
            self.changes.insert(name.to_owned(), vec![0; self.buckets]);
        }
        let bucket = (at_ms - self.start_ms).div_euclid(self.question.step_ms).max(0);
        let changes = self.changes.get_mut(name);
        if let Some(change) = changes.and_then(|changes| changes.get_mut(usize::try_from(bucket).ok()?)) {
            *change += mails;
        }
    }

    /// One line, from its first known bucket on; none where nothing ever waited.
    fn series(&self, name: &str, changes: &[i64], (first, covered): (usize, &[bool])) -> Option<Series> {
        let mut level = 0;
        let points = changes.iter().zip(covered).enumerate();
        let points: Vec<Option<f64>> = points
            .map(|(at, (change, is_covered))| {
                level += change;
                // An ID whose end was not read, and that was given out again, would count less than nothing.
                (at >= first && (*is_covered || *change != 0)).then_some(level.max(0) as f64)
            })
            .collect();
        let is_any = points.iter().flatten().any(|level| *level > 0.0);
        (is_any || self.question.only.iter().any(|wanted| wanted == name)).then(|| Series {
            name: name.to_owned(),
            points,
            expected: None,
        })
    }

    fn finish(self, mut series: Vec<Series>) -> SeriesSet {
        let total = |series: &Series| series.points.iter().flatten().sum::<f64>();
        series.sort_by(|a, b| total(b).total_cmp(&total(a)).then_with(|| a.name.cmp(&b.name)));
        SeriesSet {
            title: format!("mail in the queues by {}", self.question.by.column()),
            unit: "messages".to_owned(),
            start_ms: self.start_ms,
            step_ms: self.question.step_ms,
            series,
        }
    }
}

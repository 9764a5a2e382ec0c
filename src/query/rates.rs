//! Rates as series: one pass over the rates of the segments in a window, sums per bucket and name. A bucket in which
//! no log was read is a gap; one in which logs were read and no mail was in them is zero.

use super::bucket::divisor;
use super::coarsest::{SumsOf, pieces};
use super::series::{Series, SeriesSet};
use crate::model::direction::DirectionView;
use crate::model::time::{DAY_MIN, MINUTE_MS, UtcMs};
use crate::query::answer::QueryError;
use crate::query::window::Window;
use crate::store::Store;
use crate::store::catalogue::Covered;
use crate::store::columnar::{RateBlock, read_rates};
use std::collections::HashMap;
use std::ops::Range;

/// What the series are named by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Service.
    Service,
    /// Hostgroup.
    Hostgroup,
    /// Relay.
    Relay,
    /// Kind of event.
    Kind,
}

impl By {
    /// The column.
    pub fn column(self) -> &'static str {
        match self {
            By::Service => "service",
            By::Hostgroup => "hostgroup",
            By::Relay => "relay",
            By::Kind => "kind",
        }
    }
}

/// A question for rates.
#[derive(Debug, Clone)]
pub struct RateQuestion {
    /// Time.
    pub window: Window,
    /// Length of a bucket, milliseconds, a multiple of a minute.
    pub step_ms: i64,
    /// A moment at which a bucket begins: 1970 for buckets that begin in UTC.
    pub origin_ms: UtcMs,
    /// Names.
    pub by: By,
    /// Kind of event; none for all (by kind).
    pub kind: Option<String>,
    /// Destination; none for all.
    pub destination: Option<String>,
    /// Which mail, by its direction.
    pub direction: DirectionView,
    /// Only these names, each with a series, also where it has no mail; empty for all that have some.
    pub only: Vec<String>,
    /// Only this service's mail.
    pub service: Option<String>,
    /// `messages`, `recipients`, `attempts` or `bytes`; `backlog` where levels are asked for, which are no rates.
    pub measure: &'static str,
}

impl RateQuestion {
    /// Messages that relays accepted, in buckets of UTC.
    pub fn accepted(window: Window, step_ms: i64, by: By, direction: DirectionView) -> RateQuestion {
        RateQuestion {
            window,
            step_ms,
            origin_ms: UtcMs::EPOCH,
            by,
            kind: Some("accepted".to_owned()),
            destination: None,
            direction,
            only: Vec::new(),
            service: None,
            measure: "messages",
        }
    }
}

/// A bucket with which the window has some 300 of them.
pub fn bucket_ms(window: Window) -> i64 {
    const NICE_MINUTES: [i64; 9] = [1, 2, 5, 10, 15, 30, 60, 180, 360];
    let length = window.until_ms - window.since_ms;
    let fits = |minutes: &&i64| length / (**minutes * MINUTE_MS) <= 320;
    NICE_MINUTES.iter().find(fits).copied().unwrap_or(DAY_MIN) * MINUTE_MS
}

/// The most buckets that a question may have: a day of minutes is 1 440.
const BUCKETS_MAX: i64 = 200_000;

/// SumsOf per bucket: in `measure` per minute, so that the unit does not change with the bucket.
pub fn rates(store: &Store, question: &RateQuestion) -> Result<SeriesSet, QueryError> {
    super::embedded::steadily(|| rates_once(store, question))
}

fn rates_once(store: &Store, question: &RateQuestion) -> Result<SeriesSet, QueryError> {
    let (start, _) = checked(question)?;
    let mut sums = HashMap::new();
    let columns = (question.by.column(), question.measure);
    let (window, sum) = (
        question.window,
        SumsOf::Rates {
            step_ms: Some(question.grain_ms()),
        },
    );
    for segment in store.segments().to_read(start, window.until_ms)? {
        let within = window.since_ms..window.until_ms;
        for piece in pieces(store.segments(), &segment, "rates", Some(sum), within) {
            let block = store.segments().read_part(&segment, piece.file, |path| {
                read_rates(path, piece.part, columns, question.service.as_deref())
            })?;
            if let Some(block) = block {
                add(&mut sums, &block, question, piece.within);
            }
        }
    }
    Ok(series_of(sums, &store.coverage().stretches(start)?, question))
}

/// The same of rates that were read elsewhere.
pub(super) fn collect(
    blocks: &[RateBlock],
    coverage: &[Covered],
    question: &RateQuestion,
) -> Result<SeriesSet, QueryError> {
    let mut sums = HashMap::new();
    let within = || question.window.since_ms..question.window.until_ms;
    blocks
        .iter()
        .for_each(|block| add(&mut sums, block, question, within()));
    Ok(series_of(sums, coverage, question))
}

impl RateQuestion {
    /// The same from the beginning of its first bucket on.
    #[must_use]
    pub fn from_whole_bucket(&self) -> RateQuestion {
        RateQuestion {
            window: Window {
                since_ms: buckets(self).0,
                ..self.window
            },
            ..self.clone()
        }
    }

    /// What the beginnings of all buckets are multiples of, milliseconds.
    pub fn grain_ms(&self) -> i64 {
        divisor(self.step_ms, self.origin_ms - UtcMs::EPOCH)
    }
}

/// Start of the first bucket and number of buckets.
fn buckets(question: &RateQuestion) -> (UtcMs, i64) {
    let step = question.step_ms;
    let since = question.window.since_ms;
    let start = since - (since - question.origin_ms).rem_euclid(step);
    let length = question.window.until_ms - start;
    (start, length.div_euclid(step) + i64::from(length.rem_euclid(step) > 0))
}

/// The same, if there are not too many.
pub(super) fn checked(question: &RateQuestion) -> Result<(UtcMs, i64), QueryError> {
    let (start, buckets) = buckets(question);
    match (1..=BUCKETS_MAX).contains(&buckets) {
        true => Ok((start, buckets)),
        false => Err(QueryError::Question(format!(
            "{buckets} buckets between since and until; choose 1 to {BUCKETS_MAX}"
        ))),
    }
}

fn series_of(mut sums: HashMap<String, Vec<i64>>, coverage: &[Covered], question: &RateQuestion) -> SeriesSet {
    let step = question.step_ms;
    let (start, buckets) = buckets(question);
    let buckets = buckets as usize;
    for name in &question.only {
        // Who asks for a name wants to see that it sent nothing.
        sums.entry(name.clone()).or_insert_with(|| vec![0; buckets]);
    }
    let everywhere = covered(coverage, None, question, start, buckets);
    let per_minute = MINUTE_MS as f64 / step as f64;
    let series = |(name, sums): (String, Vec<i64>)| {
        // A relay's own log tells whether it was silent; for all else any log will do.
        let own = (question.by == By::Relay).then(|| covered(coverage, Some(&name), question, start, buckets));
        let seen = own.as_ref().unwrap_or(&everywhere);
        let point = |(at, sum): (usize, &i64)| (seen[at] || *sum > 0).then_some(*sum as f64 * per_minute);
        let points = sums.iter().enumerate().map(point).collect();
        Series {
            name,
            points,
            expected: None,
        }
    };
    let mut series: Vec<Series> = sums.into_iter().map(series).collect();
    let total = |series: &Series| series.points.iter().flatten().sum::<f64>();
    series.sort_by(|a, b| total(b).total_cmp(&total(a)).then_with(|| a.name.cmp(&b.name)));
    let kind = question
        .kind
        .as_deref()
        .map(|kind| format!("{kind} "))
        .unwrap_or_default();
    let of = question
        .service
        .as_deref()
        .map(|service| format!(" of {service}"))
        .unwrap_or_default();
    SeriesSet {
        title: format!(
            "{}{kind}mail{of} by {}",
            direction_words(question.direction),
            question.by.column()
        ),
        unit: format!("{} / min", question.measure),
        start_ms: start,
        step_ms: step,
        series,
    }
}

/// What a title says of the mail that is shown, unless it is outbound.
fn direction_words(view: DirectionView) -> String {
    match view {
        DirectionView::Outbound => String::new(),
        view => format!("{} ", view.as_str()),
    }
}

/// Adds the rows of these times.
fn add(sums: &mut HashMap<String, Vec<i64>>, block: &RateBlock, question: &RateQuestion, within: Range<UtcMs>) {
    // Columns are integers.
    let within = within.start.get()..within.end.get();
    let (start, buckets) = buckets(question);
    let buckets = buckets as usize;
    let wanted = |values: &[String], want: &Option<String>| -> Vec<bool> {
        values
            .iter()
            .map(|value| want.as_ref().is_none_or(|want| want == value))
            .collect()
    };
    let kinds = wanted(&block.kind.values, &question.kind);
    let destinations = wanted(&block.destination.values, &question.destination);
    // A relay shows all that it takes; everything else counts mail once, where it enters.
    let every_hop: Vec<bool> = block
        .kind
        .values
        .iter()
        .map(|kind| question.by == By::Relay || kind != "accepted")
        .collect();
    // Few of each: every pair is decided once.
    let origins = block.origin.values.iter();
    let shown: Vec<Vec<bool>> = origins
        .map(|origin| {
            let directions = block.direction.values.iter();
            directions
                .map(|direction| question.direction.has(origin, direction))
                .collect()
        })
        .collect();
    let mut by_code: Vec<Option<Vec<i64>>> = vec![None; block.by.values.len()];
    for row in 0..block.ts_ms.len() {
        let at = (block.ts_ms[row] - start.get()).div_euclid(question.step_ms);
        let counts = kinds[block.kind.codes[row] as usize]
            && destinations[block.destination.codes[row] as usize]
            && shown[block.origin.codes[row] as usize][block.direction.codes[row] as usize]
            && (every_hop[block.kind.codes[row] as usize] || block.first_hop[row])
            && within.contains(&block.ts_ms[row]);
        if counts && at >= 0 && (at as usize) < buckets {
            let sum = by_code[block.by.codes[row] as usize].get_or_insert_with(|| vec![0; buckets]);
            sum[at as usize] += block.value[row];
        }
    }
    for (name, found) in block.by.values.iter().zip(by_code) {
        let Some(found) = found else { continue };
        if !question.only.is_empty() && !question.only.contains(name) {
            continue;
        }
        let sum = sums.entry(name.clone()).or_insert_with(|| vec![0; buckets]);
        sum.iter_mut().zip(found).for_each(|(sum, more)| *sum += more);
    }
}

/// The start of the first bucket of a question, and in which buckets a log (of `host`, if named) was readable.
///
/// # Errors
/// There are too many buckets, or none.
pub fn covered_buckets(
    coverage: &[Covered],
    host: Option<&str>,
    question: &RateQuestion,
) -> Result<(UtcMs, Vec<bool>), QueryError> {
    let (start, buckets) = checked(question)?;
    Ok((start, covered(coverage, host, question, start, buckets as usize)))
}

/// Buckets in which a log (of `host`, if named) was readable.
fn covered(
    coverage: &[Covered],
    host: Option<&str>,
    question: &RateQuestion,
    start: UtcMs,
    buckets: usize,
) -> Vec<bool> {
    let mut seen = vec![false; buckets];
    for span in coverage.iter().filter(|span| host.is_none_or(|host| span.host == host)) {
        let first = (span.from_ms - start).div_euclid(question.step_ms).max(0);
        let last = (span.to_ms - start)
            .div_euclid(question.step_ms)
            .min(buckets as i64 - 1);
        for at in first..=last {
            seen[at as usize] = true;
        }
    }
    seen
}

//! What each provider does with our mail, by relay, against what is usual: attempts, outcomes, reasons, and the time to delivery.

use crate::model::direction::DirectionView;
use crate::model::time::{DAY_MS, HOUR_MS};
use crate::normalise::provider::in_rates;

use crate::query::history::MailHistory;
use crate::query::{QueryError, SumsOf, Window};
use crate::store::columnar::Table;
use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

/// What is usual is that of so many days before the window.
const USUAL_DAYS: i64 = 28;

/// Provider, by its name in rates, and relay.
pub(crate) type ProviderAt = (String, String);

/// Attempts by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Attempts {
    pub all: i64,
    /// Put off.
    pub deferred: i64,
    /// Refused, or given up.
    pub bounced: i64,
}

impl Attempts {
    /// Both together.
    #[must_use]
    pub(crate) fn plus(self, other: Attempts) -> Attempts {
        Attempts {
            all: self.all + other.all,
            deferred: self.deferred + other.deferred,
            bounced: self.bounced + other.bounced,
        }
    }

    /// Parts that were put off and that were refused, in per cent with one decimal; none without attempts.
    pub(crate) fn percents(self) -> Option<(f64, f64)> {
        let percent = |part: i64| (1000.0 * part as f64 / self.all as f64).round() / 10.0;
        (self.all > 0).then(|| (percent(self.deferred), percent(self.bounced)))
    }
}

/// What a provider did with the mail of one relay.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ProviderOutcome {
    /// Attempts in the window.
    pub attempts: Attempts,
    /// Those of the weeks before it.
    pub usual: Attempts,
    /// Copies that were taken at the first attempt.
    pub at_first: i64,
    /// Copies that were taken after one was put off.
    pub later: i64,
    /// Milliseconds in the queue of what was taken, with two digits, and how often each came.
    times: BTreeMap<i64, i64>,
    /// The most frequent reason of what was put off or refused, with how often it came.
    pub reason: Option<(String, i64)>,
}

impl ProviderOutcome {
    /// The time in the queue that a part of the copies took at most, milliseconds.
    pub(crate) fn quantile(&self, part: f64) -> Option<i64> {
        let all: i64 = self.times.values().sum();
        let wanted = (part * all as f64).ceil().max(1.0) as i64;
        let mut seen = 0;
        let mut times = self.times.iter();
        let found = times.find(|(_, count)| {
            seen += **count;
            seen >= wanted
        });
        found.map(|(ms, _)| *ms)
    }
}

/// All providers and relays in a window. The copies of each mail are followed: of a day of a million, that takes seconds.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn providers(
    store: &dyn MailHistory,
    window: Window,
    direction: DirectionView,
) -> Result<BTreeMap<ProviderAt, ProviderOutcome>, QueryError> {
    let mut all = provider_attempts(store, window, direction)?;
    copies(store, window, direction, &mut all)?;
    Ok(all)
}

/// The same without how many copies were taken at first and how many later.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn provider_times(
    store: &dyn MailHistory,
    window: Window,
    direction: DirectionView,
) -> Result<BTreeMap<ProviderAt, ProviderOutcome>, QueryError> {
    let mut all = provider_attempts(store, window, direction)?;
    times(store, window, direction, &mut all)?;
    Ok(all)
}

/// The same without the copies that were taken and their times: attempts, what is usual, and reasons.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn provider_attempts(
    store: &dyn MailHistory,
    window: Window,
    direction: DirectionView,
) -> Result<BTreeMap<ProviderAt, ProviderOutcome>, QueryError> {
    let mut all: BTreeMap<ProviderAt, ProviderOutcome> = BTreeMap::new();
    for (at, attempts) in attempts(store, window, direction)? {
        all.entry(at).or_default().attempts = attempts;
    }
    let before = Window {
        since_ms: window.since_ms.saturating_sub(USUAL_DAYS * DAY_MS),
        until_ms: window.since_ms,
    };
    for (at, attempts) in attempts(store, before, direction)? {
        // What has no attempt in the window is not asked about.
        if let Some(one) = all.get_mut(&at) {
            one.usual = attempts;
        }
    }
    reasons(store, window, direction, &mut all)?;
    Ok(all)
}

/// Attempts in a window by what became of them.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn attempts(
    store: &dyn MailHistory,
    window: Window,
    direction: DirectionView,
) -> Result<BTreeMap<ProviderAt, Attempts>, QueryError> {
    let question = format!(
        "SELECT provider, relay, kind, SUM(attempts) AS attempts FROM rates WHERE provider <> '' AND {} \
         AND (kind = 'delivered' OR kind = 'deferred' OR kind = 'bounced' OR kind = 'expired') GROUP BY provider, relay, kind",
        direction.condition()
    );
    let table = store.add_up(&question, window, SumsOf::Rates { step_ms: None })?;
    let mut all: BTreeMap<ProviderAt, Attempts> = BTreeMap::new();
    for row in 0..table.rows() {
        let sum = all
            .entry((table.text(0, row).to_owned(), table.text(1, row).to_owned()))
            .or_default();
        let count = table.number(3, row).unwrap_or(0);
        sum.all += count;
        match table.text(2, row) {
            "deferred" => sum.deferred += count,
            "bounced" | "expired" => sum.bounced += count,
            _ => {}
        }
    }
    all.retain(|_, sum| sum.all > 0);
    Ok(all)
}

fn reasons(
    store: &dyn MailHistory,
    window: Window,
    direction: DirectionView,
    all: &mut BTreeMap<ProviderAt, ProviderOutcome>,
) -> Result<(), QueryError> {
    let question = format!(
        "SELECT provider, relay, reason, COUNT(*) AS times FROM events WHERE provider <> '' AND {} \
         AND (kind = 'deferred' OR kind = 'bounced' OR kind = 'expired') GROUP BY provider, relay, reason",
        direction.condition()
    );
    let table = store.select(&question, window)?;
    let mut counts: BTreeMap<(ProviderAt, String), i64> = BTreeMap::new();
    for row in 0..table.rows() {
        let at = (in_rates(table.text(0, row)).to_owned(), table.text(1, row).to_owned());
        *counts.entry((at, table.text(2, row).to_owned())).or_default() += table.number(3, row).unwrap_or(0);
    }
    for ((at, reason), times) in counts {
        let one = all.entry(at).or_default();
        // Of two that came as often, the first by name.
        if one.reason.as_ref().is_none_or(|(_, most)| times > *most) {
            one.reason = Some((reason, times));
        }
    }
    Ok(())
}

/// How long what was taken had been in the queue.
fn times(
    store: &dyn MailHistory,
    window: Window,
    direction: DirectionView,
    all: &mut BTreeMap<ProviderAt, ProviderOutcome>,
) -> Result<(), QueryError> {
    // With two digits, so that there are a few hundred of them however many copies there are.
    let digits = (2..=9).map(|zeros| 10_i64.pow(zeros));
    let rounded: String = digits
        .map(|below| {
            let step = below / 100;
            format!("WHEN queue_ms < {below} THEN queue_ms - queue_ms % {step} ")
        })
        .collect();
    let question = format!(
        "SELECT provider, relay, q, COUNT(*) AS times FROM (SELECT provider, relay, \
         CASE {rounded} ELSE queue_ms - queue_ms % 10000000 END AS q \
         FROM events WHERE provider <> '' AND {} AND kind = 'delivered') AS rounded GROUP BY provider, relay, q",
        direction.condition()
    );
    let table = store.select(&question, window)?;
    for row in 0..table.rows() {
        let at = (in_rates(table.text(0, row)).to_owned(), table.text(1, row).to_owned());
        let one = all.entry(at).or_default();
        if let Some(ms) = table.number(2, row) {
            // The longest ones have more digits.
            *one.times.entry(two_digits(ms)).or_default() += table.number(3, row).unwrap_or(0);
        }
    }
    Ok(())
}

/// Copies that were taken, at first or later, and how long that took. Hour by hour: no more than the copies of an hour, and a
/// number for each one that was put off, are held.
fn copies(
    store: &dyn MailHistory,
    window: Window,
    direction: DirectionView,
    all: &mut BTreeMap<ProviderAt, ProviderOutcome>,
) -> Result<(), QueryError> {
    let keys = RandomState::new();
    let mut deferred = HashSet::new();
    let copy = "host, queue_id, recipient_local, recipient_domain";
    let key = |table: &Table, row: usize| keys.hash_one([0, 1, 2, 3].map(|column| table.text(column, row)));
    let question = |columns: &str, kind: &str| {
        let of = direction.condition();
        format!("SELECT {columns} FROM events WHERE provider <> '' AND {of} AND kind = '{kind}'")
    };
    each_hour(store, window, &question(copy, "deferred"), |table| {
        deferred.extend((0..table.rows()).map(|row| key(table, row)));
    })?;
    let taken = question(&format!("{copy}, provider, relay, queue_ms"), "delivered");
    each_hour(store, window, &taken, |table| {
        for row in 0..table.rows() {
            let at = (in_rates(table.text(4, row)).to_owned(), table.text(5, row).to_owned());
            let one = all.entry(at).or_default();
            match deferred.contains(&key(table, row)) {
                true => one.later += 1,
                false => one.at_first += 1,
            }
            if let Some(ms) = table.number(6, row) {
                *one.times.entry(two_digits(ms)).or_default() += 1;
            }
        }
    })
}

fn each_hour(
    store: &dyn MailHistory,
    window: Window,
    question: &str,
    mut take: impl FnMut(&Table),
) -> Result<(), QueryError> {
    let Some((first, last)) = store.span(window.until_ms.saturating_sub(1))? else {
        return Ok(());
    };
    let mut since_ms = window.since_ms.max(first);
    let until_ms = window.until_ms.min(last.saturating_add(HOUR_MS));
    while since_ms < until_ms {
        let end_ms = (since_ms.floor_to(HOUR_MS) + HOUR_MS).min(until_ms);
        let hour = Window {
            since_ms,
            until_ms: end_ms,
        };
        take(&store.select(question, hour)?);
        since_ms = end_ms;
    }
    Ok(())
}

/// All but the first two digits zero, as the query `latency` has times.
fn two_digits(ms: i64) -> i64 {
    let mut step = 1;
    while ms / step >= 100 {
        step *= 10;
    }
    ms / step * step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_parts_are_those_of_the_counts() {
        let one = ProviderOutcome {
            times: [(100, 90), (2_000, 8), (61_000, 2)].into(),
            ..ProviderOutcome::default()
        };
        assert_eq!(
            (one.quantile(0.5), one.quantile(0.95), one.quantile(1.0)),
            (Some(100), Some(2_000), Some(61_000))
        );
        assert_eq!(ProviderOutcome::default().quantile(0.5), None);
        assert_eq!([99, 100, 1_234, 61_789].map(two_digits), [99, 100, 1_200, 61_000]);
        let attempts = Attempts {
            all: 200,
            deferred: 128,
            bounced: 1,
        };
        assert_eq!(
            (attempts.percents(), Attempts::default().percents()),
            (Some((64.0, 0.5)), None)
        );
    }
}

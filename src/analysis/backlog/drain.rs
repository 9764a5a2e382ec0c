//! How fast a backlog drains, and when it will be gone. Pure: a backlog by minute in, a forecast out.

use crate::model::time::{MINUTE_MS, Minute, UtcMs};

/// A backlog that is within this share of its peak has not begun to drain.
const PEAK: f64 = 0.98;

/// A backlog that was smaller than this share of what waits now was another one.
const SAME: f64 = 0.9;

/// Minutes and recipients that a forecast needs at least.
const MINUTES_MIN: usize = 5;
const DRAINED_MIN: i64 = 3;

/// A forecast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drain {
    /// Recipients by which the backlog shrinks, a minute.
    pub per_minute: f64,
    /// When nothing is left at that rate, UTC milliseconds.
    pub gone_ms: UtcMs,
}

/// The forecast of a backlog, in recipients at the end of each minute, the newest last; none if it does not shrink.
pub(super) fn forecast(backlog: &[i64], at_ms: UtcMs) -> Option<Drain> {
    let (&now, before) = backlog.split_last()?;
    if now <= 0 {
        return None;
    }
    let is_another = |waiting: &i64| (*waiting as f64) < SAME * now as f64;
    let begin = before.iter().rposition(is_another).map_or(0, |at| at + 1);
    let this = backlog.get(begin..)?;
    let peak = *this.iter().max()?;
    let start = this.iter().rposition(|waiting| *waiting as f64 >= PEAK * peak as f64)?;
    let drains = this.get(start + 1..)?;
    if drains.len() < MINUTES_MIN || this[start] - now < DRAINED_MIN {
        return None;
    }
    let (per_minute, left) = line_through(drains);
    if per_minute <= 0.0 {
        return None;
    }
    let left_ms = left.max(1.0) / per_minute * MINUTE_MS as f64;
    Some(Drain {
        per_minute,
        gone_ms: at_ms.saturating_add(left_ms as i64),
    })
}

/// The line through a backlog that fits best: by how much it falls a minute, and where it ends. Queue runs make steps, of
/// which single minutes say little.
fn line_through(backlog: &[i64]) -> (f64, f64) {
    let count = backlog.len() as f64;
    let middle = (count - 1.0) / 2.0;
    let mean = backlog.iter().sum::<i64>() as f64 / count;
    let (mut both, mut squares) = (0.0, 0.0);
    for (at, waiting) in backlog.iter().enumerate() {
        let from_middle = at as f64 - middle;
        both += from_middle * (*waiting as f64 - mean);
        squares += from_middle * from_middle;
    }
    let slope = both / squares.max(1.0);
    (-slope, mean + slope * middle)
}

/// A backlog by minute, made of stays: each counts from its arrival to its end.
#[derive(Debug, Clone)]
pub(super) struct Minutes {
    /// The first minute.
    first: Minute,
    changes: Vec<i64>,
}

impl Minutes {
    /// So many minutes up to `at_ms`, without a backlog.
    pub(super) fn until(at_ms: UtcMs, minutes: usize) -> Self {
        let end = at_ms.minute() + 1;
        Minutes {
            first: end - minutes as i64,
            changes: vec![0; minutes],
        }
    }

    /// Adds recipients that came at a time and left at another; those that have not left are still there.
    pub(super) fn add(&mut self, recipients: i64, came_ms: UtcMs, left_ms: Option<UtcMs>) {
        let minute = |at: UtcMs| usize::try_from(at.minute() - self.first).unwrap_or(0);
        let (came, left) = (minute(came_ms), left_ms.map(minute));
        if left == Some(came) {
            return;
        }
        if let Some(change) = self.changes.get_mut(came) {
            *change += recipients;
        }
        if let Some(change) = left.and_then(|left| self.changes.get_mut(left)) {
            *change -= recipients;
        }
    }

    /// Adds another backlog of the same minutes.
    pub(super) fn add_all(&mut self, other: &Minutes) {
        for (change, more) in self.changes.iter_mut().zip(&other.changes) {
            *change += more;
        }
    }

    /// Recipients that wait at the end of each minute.
    pub(super) fn backlog(&self) -> Vec<i64> {
        let mut waiting = 0;
        let sum = |change: &i64| {
            waiting += change;
            waiting
        };
        self.changes.iter().map(sum).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A day of minutes, of which the last ones are a drain of `length` minutes by `left` (share of the time that has passed
    /// → share of the backlog that is left), up to its half time.
    fn half_time(length: usize, left: impl Fn(f64) -> f64) -> f64 {
        let before = 1440 - length / 2;
        let flat = (0..before).map(|at| if at < 600 { 0 } else { 4000 + (at as i64 * 7919) % 60 });
        let drain = (1..=length / 2).map(|at| (4030.0 * left(at as f64 / length as f64)) as i64);
        let backlog: Vec<i64> = flat.chain(drain).collect();
        let found = forecast(&backlog, UtcMs::EPOCH).expect("it drains");
        found.gone_ms.get() as f64 / MINUTE_MS as f64 / (length as f64 / 2.0)
    }

    #[test]
    fn at_half_time_the_end_is_known_within_a_fifth() {
        for length in [20, 60, 240, 1200] {
            let even = half_time(length, |time| 1.0 - time);
            assert!((0.8..1.2).contains(&even), "{length}: {even}");
            // Queue runs: the first one is at the begin.
            for runs in [10.0, 12.0, 20.0] {
                let steps = half_time(length, |time| 1.0 - (time * runs).floor() / runs);
                assert!((0.8..1.2).contains(&steps), "{length} in {runs} runs: {steps}");
            }
            // Mail that comes meanwhile makes it uneven.
            let uneven = half_time(length, |time| 1.0 - time + 0.03 * (time * 40.0).sin());
            assert!((0.8..1.2).contains(&uneven), "{length}: {uneven}");
        }
    }

    #[test]
    fn an_earlier_backlog_and_one_that_grows_forecast_nothing() {
        // Yesterday's was larger, and is gone; now one grows.
        let yesterday = (0..300).map(|at| 9000 - 30 * at);
        let now = (0..600).map(|at| 2 * at);
        let grows: Vec<i64> = yesterday.chain(std::iter::repeat_n(0, 400)).chain(now).collect();
        assert_eq!(forecast(&grows, UtcMs::EPOCH), None);
        assert_eq!(forecast(&[0; 60], UtcMs::EPOCH), None);
        assert_eq!(forecast(&[], UtcMs::EPOCH), None);
        assert_eq!(forecast(&[500; 60], UtcMs::EPOCH), None);
        // Two minutes are no rate.
        assert_eq!(forecast(&[500, 500, 400, 300], UtcMs::EPOCH), None);
    }

    #[test]
    fn stays_add_up_to_a_backlog_by_minute() {
        let at_ms = 9 * MINUTE_MS + 30_000;
        let mut minutes = Minutes::until(UtcMs::new(at_ms), 5);
        minutes.add(3, UtcMs::EPOCH, None);
        minutes.add(2, UtcMs::new(6 * MINUTE_MS), Some(UtcMs::new(8 * MINUTE_MS)));
        minutes.add(7, UtcMs::new(7 * MINUTE_MS), Some(UtcMs::new(7 * MINUTE_MS + 20_000)));
        minutes.add(1, UtcMs::EPOCH, Some(UtcMs::new(5 * MINUTE_MS)));
        assert_eq!(minutes.backlog(), [3, 5, 5, 3, 3]);
    }
}

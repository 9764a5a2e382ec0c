//! The moment that retention counts from, and how far it may move. Pure: the clock and the machine's running time are
//! given.
//!
//! It follows the smaller of the clock and the newest event. One wrong date moves both: a dead clock battery, a step of
//! NTP, a log of 2036. So the horizon moves no further than the machine has run, and a day more for each of its starts.
//! A larger step expires nothing:
//!
//! * one that is shorter than the retention is not made. The horizon goes on at the speed at which the machine runs, so
//!   that nothing expires before its time, and what lies between is held back;
//! * one that is longer, forward or back, leaves all that is stored behind, as an archive that is held back: a store of
//!   2018 that now takes the logs of today, or a clock that was ten years ahead and is right again.

use crate::model::time::{CivilDay, DAY_MS, UtcMs};
use std::ops::Range;

/// What a machine says of time. A store reads no clock; it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineTime {
    /// The clock. May be wrong.
    pub wall_ms: UtcMs,
    /// Names this start of the machine: another number after the next one.
    pub boot: i64,
    /// For how long it has run since then, milliseconds. Never steps.
    pub uptime_ms: i64,
}

/// Where retention stands, as the catalogue keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Horizon {
    /// The moment that it counts from.
    pub(super) at_ms: UtcMs,
    /// Days before this one have been dealt with: what they still hold was older than the retention when it
    /// was stored, an archive, and stays.
    pub(super) done_day: CivilDay,
    /// As of then.
    pub(super) boot: i64,
    /// As of then.
    pub(super) uptime_ms: i64,
    /// How far it may move at once, milliseconds.
    pub(super) credit_ms: i64,
}

/// What a look at the time says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Advance {
    pub(super) horizon: Horizon,
    /// Days that are older than the retention now and were not before.
    pub(super) expired: Range<CivilDay>,
    /// The step that was not made, milliseconds; 0 if there is none.
    pub(super) held_ms: i64,
}

/// The day before which retention of so many days removes, seen from a moment.
pub(super) fn limit_day(at_ms: UtcMs, retain_days: u32) -> CivilDay {
    at_ms.day() - i64::from(retain_days)
}

/// Moves the horizon towards `target_ms`, the smaller of the clock and the newest event that is not in the future.
pub(super) fn advance(old: Option<Horizon>, target_ms: UtcMs, retain_days: u32, machine: &MachineTime) -> Advance {
    let MachineTime { boot, uptime_ms, .. } = *machine;
    let Some(old) = old else {
        // What is here already was stored before anybody counted: nothing of it has aged here.
        let limit = limit_day(target_ms, retain_days);
        let horizon = Horizon {
            at_ms: target_ms,
            done_day: limit,
            boot,
            uptime_ms,
            credit_ms: DAY_MS,
        };
        return Advance {
            horizon,
            expired: limit..limit,
            held_ms: 0,
        };
    };
    let (ran_ms, start_ms) = match boot == old.boot {
        true => ((uptime_ms - old.uptime_ms).max(0), 0),
        false => (uptime_ms.max(0), DAY_MS),
    };
    let credit_ms = old.credit_ms.saturating_add(ran_ms).saturating_add(start_ms);
    let retain_ms = i64::from(retain_days) * DAY_MS;
    let step_ms = target_ms - old.at_ms;
    let leaps = step_ms < -retain_ms || step_ms > credit_ms.max(retain_ms);
    let moved_ms = match step_ms <= credit_ms {
        true => step_ms.max(0),
        false => ran_ms.min(step_ms),
    };
    let at_ms = if leaps { target_ms } else { old.at_ms + moved_ms };
    let limit = limit_day(at_ms, retain_days);
    let horizon = Horizon {
        at_ms,
        // A longer retention goes back: there is nothing that it could bring back.
        done_day: limit,
        boot,
        uptime_ms,
        credit_ms: if leaps { credit_ms } else { credit_ms - moved_ms },
    };
    Advance {
        horizon,
        expired: if leaps { limit } else { old.done_day.min(limit) }..limit,
        held_ms: (target_ms - at_ms).max(0),
    }
}

/// Moves the horizon to where the operator says that it is right.
pub(super) fn force(old: Option<Horizon>, target_ms: UtcMs, retain_days: u32, machine: &MachineTime) -> Advance {
    let limit = limit_day(target_ms, retain_days);
    let horizon = Horizon {
        at_ms: target_ms,
        done_day: limit,
        boot: machine.boot,
        uptime_ms: machine.uptime_ms,
        credit_ms: old.map_or(DAY_MS, |old| old.credit_ms),
    };
    Advance {
        horizon,
        expired: CivilDay::MIN..limit,
        held_ms: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::model::time::HOUR_MS;

    fn machine(boot: i64, uptime_ms: i64) -> MachineTime {
        MachineTime {
            wall_ms: UtcMs::EPOCH,
            boot,
            uptime_ms,
        }
    }

    /// Days from a day on, as they expire.
    fn days(range: Range<i64>) -> Range<CivilDay> {
        CivilDay::new(range.start)..CivilDay::new(range.end)
    }

    fn at(day: i64) -> UtcMs {
        CivilDay::new(day).start()
    }

    fn first(day: i64) -> Horizon {
        advance(None, at(day), 90, &machine(1, 0)).horizon
    }

    #[test]
    fn nothing_of_what_was_there_before_it_counted_expires() {
        let first = advance(None, at(1000), 90, &machine(1, 0));
        assert_eq!(first.expired, days(910..910));
    }

    #[test]
    fn a_machine_that_runs_expires_a_day_each_day() {
        let mut horizon = first(1000);
        let mut expired = Vec::new();
        for hour in 1..=240 {
            let target = at(1000) + hour * HOUR_MS;
            let next = advance(Some(horizon), target, 90, &machine(1, hour * HOUR_MS));
            assert_eq!(next.held_ms, 0);
            expired.extend(next.expired.start.up_to(next.expired.end));
            horizon = next.horizon;
        }
        assert_eq!(
            expired,
            days(910..920).start.up_to(CivilDay::new(920)).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_step_of_weeks_expires_nothing_and_time_goes_on_as_the_machine_runs() {
        let target = at(1040);
        let step = advance(Some(first(1000)), target, 90, &machine(1, HOUR_MS));
        assert!(step.expired.is_empty());
        assert_eq!(step.held_ms, 40 * DAY_MS - HOUR_MS);
        // Two days later two days are older than the retention: by the machine's time, not by the wrong one.
        let later = advance(Some(step.horizon), target, 90, &machine(1, 49 * HOUR_MS));
        assert_eq!(later.expired, days(910..912));
        // The clock is right again: nothing was lost by it.
        let right = advance(Some(later.horizon), at(1002) + HOUR_MS, 90, &machine(1, 49 * HOUR_MS));
        assert_eq!((right.expired.is_empty(), right.held_ms), (true, 0));
    }

    #[test]
    fn a_step_of_years_leaves_all_behind_and_the_way_back_takes_it_up_again() {
        let wrong = advance(Some(first(1000)), at(5000), 90, &machine(1, HOUR_MS));
        assert_eq!(
            (wrong.expired.clone(), wrong.horizon.at_ms),
            (days(4910..4910), at(5000))
        );
        let mut horizon = wrong.horizon;
        for day in 1..=30 {
            let next = advance(Some(horizon), at(5000 + day), 90, &machine(1, day * DAY_MS));
            assert!(next.expired.start >= CivilDay::new(4910));
            horizon = next.horizon;
        }
        let right = advance(Some(horizon), at(1030), 90, &machine(1, 30 * DAY_MS));
        assert_eq!((right.expired, right.horizon.at_ms), (days(940..940), at(1030)));
        let later = advance(Some(right.horizon), at(1031), 90, &machine(1, 31 * DAY_MS));
        assert_eq!(later.expired, days(940..941));
    }

    #[test]
    fn with_a_retention_of_a_day_a_step_of_two_days_expires_nothing() {
        let first = advance(None, at(1000), 1, &machine(1, 0)).horizon;
        let wrong = advance(Some(first), at(1002), 1, &machine(1, 0));
        assert!(wrong.expired.is_empty());
        // A day is what a start gives.
        assert_eq!(
            advance(Some(first), at(1001), 1, &machine(1, 0)).expired,
            days(999..1000)
        );
    }

    #[test]
    fn starts_of_the_program_give_nothing_and_starts_of_the_machine_a_day_each() {
        let target = at(1005);
        let mut horizon = first(1000);
        for _ in 0..1000 {
            let again = advance(Some(horizon), target, 90, &machine(1, 0));
            assert!(again.expired.is_empty());
            horizon = again.horizon;
        }
        // The first start of all gave one day.
        for boot in 2..=4 {
            let start = advance(Some(horizon), target, 90, &machine(boot, 0));
            assert!(start.expired.is_empty(), "{boot}");
            horizon = start.horizon;
        }
        assert_eq!(
            advance(Some(horizon), target, 90, &machine(5, 0)).expired,
            days(910..915)
        );
    }

    #[test]
    fn a_clock_that_goes_back_and_returns_changes_nothing() {
        let horizon = first(1000);
        let back = advance(Some(horizon), at(950), 90, &machine(2, HOUR_MS));
        assert!(back.expired.is_empty());
        assert_eq!(
            (back.horizon.at_ms, back.horizon.done_day),
            (horizon.at_ms, horizon.done_day)
        );
        let again = advance(Some(back.horizon), at(1000) + HOUR_MS, 90, &machine(2, 2 * HOUR_MS));
        assert_eq!((again.held_ms, again.expired.is_empty()), (0, true));
    }

    #[test]
    fn a_shorter_retention_expires_at_once_and_a_longer_one_nothing() {
        let horizon = first(1000);
        assert_eq!(
            advance(Some(horizon), at(1000), 30, &machine(1, 0)).expired,
            days(910..970)
        );
        let longer = advance(Some(horizon), at(1000), 365, &machine(1, 0));
        assert!(longer.expired.is_empty());
        assert_eq!(longer.horizon.done_day, CivilDay::new(635));
    }

    #[test]
    fn force_takes_all_that_is_older() {
        let forced = force(Some(first(1000)), at(5000), 90, &machine(1, 0));
        assert_eq!(forced.expired, CivilDay::MIN..CivilDay::new(4910));
        assert_eq!(forced.horizon.at_ms, at(5000));
    }
}

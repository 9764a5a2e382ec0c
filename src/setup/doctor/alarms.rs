//! The alarms: does somebody judge, and does it reach somebody?

use super::finding::{Examination, FaultArea, Finding, NextStep};
use crate::alert::state::AlertState;
use crate::config::Config;
use crate::model::human::ago;
use crate::model::time::{MINUTE_MS, UtcMs, UtcS, rfc3339};
use crate::setup::alerts::{alert_state, alerts_path};
use std::fs::{File, TryLockError};

/// Mail is judged once a minute, behind the slowest source; what is older is late while lines come in.
const BEHIND_MS: i64 = 30 * MINUTE_MS;

/// Looks at them.
pub(super) fn look(config: &Config, now_ms: UtcMs, found: &mut Examination) {
    let state = match alert_state(config) {
        Ok((state, broken)) => {
            if let Some(what) = broken {
                let next = NextStep::Words("systemctl try-restart mailpulse mailpulse-watch".to_owned());
                found
                    .findings
                    .push(Finding::new(FaultArea::Channels, "state_broken", what, next));
            }
            state
        }
        Err(error) => {
            let next = NextStep::Words("run as root, or as the user of the store".to_owned());
            let what = format!("{error:#}");
            found
                .findings
                .push(Finding::new(FaultArea::Channels, "state_unreadable", what, next));
            return;
        }
    };
    found.judged_ms = state.judged.map(UtcS::start);
    found
        .findings
        .extend(watch(is_watched(config), found.judged_ms, found.newest_ms, now_ms));
    found.findings.extend(failing(&state));
}

/// Whether a `watch` holds the state.
fn is_watched(config: &Config) -> bool {
    let lock = File::open(alerts_path(config).with_extension("lock"));
    lock.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn watch(is_watched: bool, judged_ms: Option<UtcMs>, newest_ms: Option<UtcMs>, now_ms: UtcMs) -> Option<Finding> {
    let until = |judged: UtcMs| format!("mail was judged until {} ({})", rfc3339(judged), ago(now_ms - judged));
    match (is_watched, judged_ms) {
        (false, judged) => Some(Finding::new(
            FaultArea::Channels,
            "watch_not_running",
            match judged {
                Some(judged) => format!(
                    "`mailpulse watch` is not running: nobody is notified of an outage; {}",
                    until(judged)
                ),
                None => {
                    "`mailpulse watch` is not running, and has evaluated nothing yet: nobody is notified of an outage"
                        .to_owned()
                }
            },
            NextStep::Start,
        )),
        (true, Some(judged)) if newest_ms.is_some_and(|newest| newest - judged > BEHIND_MS) => Some(Finding::new(
            FaultArea::Channels,
            "watch_behind",
            format!("`mailpulse watch` runs and is behind: {}", until(judged)),
            NextStep::Words("journalctl -u mailpulse -u mailpulse-watch says what it waits for".to_owned()),
        )),
        _ => None,
    }
}

/// Channels that do not take what is sent.
fn failing(state: &AlertState) -> Vec<Finding> {
    let channels = state.channels().into_iter().filter(|channel| channel.is_failing());
    let finding = channels.map(|channel| {
        let since = channel
            .since
            .map_or(String::new(), |since| format!(", since {}", rfc3339(since.start())));
        let what = format!(
            "the alert channel {} fails{since}: {} notices wait, {} were refused: {}",
            channel.name,
            channel.waiting,
            channel.refused,
            channel.why.unwrap_or_default()
        );
        let next = NextStep::Words("correct this [[alert]], or its receiver".to_owned());
        Finding::new(FaultArea::Channels, "channel_failing", what, next)
    });
    finding.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_that_is_away_and_one_that_is_behind_are_two_faults() {
        let now = 1_000 * MINUTE_MS;
        let id = |finding: Option<Finding>| finding.map(|finding| finding.id);
        assert_eq!(id(watch(false, None, None, UtcMs::new(now))), Some("watch_not_running"));
        assert_eq!(
            id(watch(
                false,
                Some(UtcMs::new(now)),
                Some(UtcMs::new(now)),
                UtcMs::new(now)
            )),
            Some("watch_not_running")
        );
        assert_eq!(
            id(watch(
                true,
                Some(UtcMs::new(now - BEHIND_MS)),
                Some(UtcMs::new(now)),
                UtcMs::new(now)
            )),
            None
        );
        assert_eq!(
            id(watch(
                true,
                Some(UtcMs::new(now - BEHIND_MS - 1)),
                Some(UtcMs::new(now)),
                UtcMs::new(now)
            )),
            Some("watch_behind")
        );
        assert_eq!(
            id(watch(true, Some(UtcMs::EPOCH), Some(UtcMs::EPOCH), UtcMs::new(now))),
            None,
            "no line comes in: the source is stale"
        );
    }
}

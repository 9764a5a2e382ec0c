//! Findings as rows: what interface and table have in common.

use crate::detect::alarm::State;
use crate::detect::channels::Channel;
use crate::detect::episode::{Drop, DropEnd};
use jiff::Timestamp;
use serde_json::{Value, json};

/// One finding of one series.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CsvFinding {
    /// Name of the series.
    pub series: String,
    /// The drop.
    pub drop: Drop,
}

/// Time of a finding, RFC 3339.
pub(super) fn time(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| format!("{seconds} s"), |time| time.to_string())
}

/// Two digits after the point are what a count or a score is good for.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Why it ended, in words.
pub(super) fn end(end: DropEnd) -> String {
    match end {
        DropEnd::Recovered => "recovered".to_owned(),
        DropEnd::Accepted(days) => format!("accepted as the new level after {days} days"),
        DropEnd::Retired(days) => format!("taken for retired after {days} days of silence"),
        DropEnd::Unseen => "unknown: no data".to_owned(),
    }
}

/// Why it is told.
fn state(drop: &Drop) -> State {
    match drop.channel {
        Channel::Schedule => State::Overdue,
        _ => State::Dropped,
    }
}

/// A finding as the interface has it.
pub(super) fn json(finding: &CsvFinding) -> Value {
    let drop = &finding.drop;
    let mut json = json!({
        "series": { "service": finding.series },
        "state": state(drop).as_str(),
        "onset": time(drop.onset),
        "detected": time(drop.detected),
        "ended": drop.ended.map(time),
        "expected": rounded(drop.expected),
        "observed": rounded(drop.observed),
        "score": rounded(drop.score),
        "cause": null,
        "provisional": drop.provisional,
        "channel": drop.channel.to_string(),
        "end": drop.end.map(end),
    });
    if drop.worse {
        json["worse"] = json!(true);
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gerrit() -> CsvFinding {
        CsvFinding {
            series: "gerrit".to_owned(),
            drop: Drop {
                onset: 1_528_308_000,
                detected: 1_528_308_300,
                ended: None,
                end: None,
                expected: 12.345,
                observed: 0.0,
                score: 0.5,
                channel: Channel::Gap,
                provisional: false,
                worse: false,
            },
        }
    }

    #[test]
    fn mail_of_a_set_time_is_overdue() {
        let mut finding = gerrit();
        finding.drop.channel = Channel::Schedule;
        let json = json(&finding);
        assert_eq!(
            (json["state"].as_str(), json["channel"].as_str()),
            (Some("overdue"), Some("schedule"))
        );
    }

    #[test]
    fn the_interface_in_full() {
        assert_eq!(
            json(&gerrit()).to_string(),
            r#"{"series":{"service":"gerrit"},"state":"dropped","onset":"2018-06-06T18:00:00Z","detected":"2018-06-06T18:05:00Z","ended":null,"expected":12.35,"observed":0.0,"score":0.5,"cause":null,"provisional":false,"channel":"gap","end":null}"#
        );
    }
}

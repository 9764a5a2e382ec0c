//! `detect --explain`: the words of the answer, and what speaks for each alarm. On stderr: data stays data.

use crate::analysis::alarms::minute;
use crate::cli::output;
use crate::detect::alarm::{Alarm, State};
use crate::detect::fleet::Names;

/// Words of the columns.
const COLUMNS: [(&str, &str); 8] = [
    ("onset", "the first minute of which mail is missing"),
    (
        "detected",
        "the minute in which the detection was sure, and `watch` would have sent the alarm",
    ),
    ("ended", "the minute in which it was over; empty while it lasts"),
    (
        "expected",
        "mails that were due from onset to detection, by this series' own history",
    ),
    ("observed", "mails that came in that time"),
    (
        "score",
        "how far the evidence is beyond the limit that keeps the budget of false alarms \
         (`false_alarms_per_service_per_90_days`), as a power of ten: 0 is at the limit, 2 a hundred times beyond it",
    ),
    (
        "provisional",
        "found in a series with under 14 days of history, whose usual weeks are not known: shown, and sent to nobody",
    ),
    (
        "members",
        "the services whose mail is affected; an alarm of a relay covers theirs",
    ),
];

/// Prints it.
pub(super) fn print(alarms: &[&Alarm], names: &Names) {
    output::talk(&words(alarms, names));
}

fn words(alarms: &[&Alarm], names: &Names) -> String {
    let mut lines = vec!["\nColumns:".to_owned()];
    lines.extend(COLUMNS.iter().map(|(name, meaning)| format!("  {name}: {meaning}")));
    lines.push("States:".to_owned());
    for state in State::ALL {
        lines.push(format!("  {}: {}", state.as_str(), state.meaning()));
    }
    for alarm in alarms {
        let (kind, name) = alarm.scope.named(names);
        lines.push(format!(
            "{kind} {name}, {} since {}:",
            alarm.state.as_str(),
            minute(alarm.onset)
        ));
        if alarm.provisional {
            lines.push("  provisional: the history is too short to be sure".to_owned());
        }
        lines.extend(alarm.evidence.iter().map(|evidence| format!("  {evidence}")));
        if let Some(cause) = &alarm.cause {
            lines.push(format!("  cause: relay {}", names.host(cause.relay)));
            let more = cause
                .evidence
                .iter()
                .filter(|evidence| !alarm.evidence.contains(evidence));
            lines.extend(more.map(|evidence| format!("  {evidence}")));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_answer_is_explained() {
        let words = words(&[], &Names::default());
        for word in [
            "dropped: ",
            "stuck: ",
            "refused: ",
            "blind: ",
            "unreadable: ",
            "score: ",
            "provisional: ",
            "onset: ",
            "members: ",
        ] {
            assert!(words.contains(&format!("  {word}")), "{word} in {words}");
        }
    }
}

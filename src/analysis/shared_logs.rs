//! Hosts whose lines stand in another host's log: if those stop, nobody can tell whether the mail or the log did.

use crate::detect::alarm::{Alarm, Scope, State};
use crate::detect::fleet::Names;
use crate::model::time::{HOUR_MS, UtcMs};
use crate::query::history::MailHistory;
use crate::query::{QueryError, Window};

/// The alarm, with what the log of its relay adds to its evidence.
///
/// # Errors
/// The history cannot be read.
pub(crate) fn with_evidence(store: &dyn MailHistory, alarm: &Alarm, names: &Names) -> Result<Alarm, QueryError> {
    let mut alarm = alarm.clone();
    let relay = match (alarm.scope, &alarm.cause) {
        (Scope::Relay(relay), _) => Some(relay),
        (_, Some(cause)) => Some(cause.relay),
        _ => None,
    };
    let Some(host) = relay
        .filter(|_| alarm.state == State::Dropped)
        .map(|relay| names.host(relay))
    else {
        return Ok(alarm);
    };
    if !store.hosts_of_logs()?.iter().any(|known| known == host) {
        return Ok(alarm);
    }
    // The minute of the onset may have its last lines.
    let since_ms = (alarm.onset + 1).start();
    let ends_ms = alarm.ended.map_or(UtcMs::MAX, |ended| ended.start());
    let window = Window {
        since_ms,
        until_ms: (since_ms + HOUR_MS).min(ends_ms),
    };
    let minutes = store.source_minutes(window)?;
    if minutes
        .iter()
        .all(|minute| minute.host != host || minute.counts.lines == 0)
    {
        alarm.evidence.push(format!(
            "{host} has no line at all in the central log, which goes on with the lines of others: its log may not arrive"
        ));
    }
    Ok(alarm)
}

//! Rows → mails: which stays in queues are one mail, what became of it, and what comes next. Pure.

use crate::analysis::fleet::label;
use crate::model::time::UtcMs;
use std::collections::{BTreeMap, BTreeSet};

/// What one log says of a mail at one time: a row of `events`. Texts are empty where the log says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TraceEvent {
    /// When, UTC milliseconds.
    pub ts_ms: UtcMs,
    /// Where its line stands in the log: the order within a millisecond.
    pub log_offset: i64,
    /// Whose log.
    pub host: String,
    /// Which parser.
    pub source: String,
    /// What happened.
    pub kind: String,
    /// Who sent it.
    pub service: String,
    /// The ID in the queue.
    pub queue_id: String,
    /// Key of the Message-ID; on arrivals alone.
    pub message_key: Option<i64>,
    /// Who handed it in.
    pub client: String,
    /// Sender, as stored.
    pub sender: String,
    /// Recipient, as stored.
    pub recipient: String,
    /// Where the recipient's copy goes.
    pub destination: String,
    /// Next hop.
    pub remote_host: String,
    /// Its address.
    pub remote_ip: String,
    /// SMTP reply code.
    pub smtp_code: Option<i64>,
    /// Enhanced status code.
    pub enhanced_code: String,
    /// Reason class.
    pub reason: String,
    /// The remote side's words, where they are kept.
    pub reply: String,
    pub bytes: Option<i64>,
    /// Time in the queue.
    pub queue_ms: Option<i64>,
    /// Time of the delivery.
    pub delivery_ms: Option<i64>,
}

impl TraceEvent {
    /// Whether a stay in a queue begins with it.
    pub(super) fn is_arrival(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "accepted" | "submitted" | "submit_failed" | "rejected"
        )
    }

    /// Whether a stay in a queue ends with it.
    pub(super) fn is_end(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "completed" | "submitted" | "submit_failed" | "rejected"
        )
    }

    /// Where it went; of an arrival, where it came from.
    pub(crate) fn next_hop(&self) -> String {
        match self.kind.as_str() {
            "accepted" | "rejected" if !self.client.is_empty() => format!("from {}", self.client),
            _ if self.remote_host.is_empty() => self.remote_ip.clone(),
            _ => self.remote_host.clone(),
        }
    }

    /// The reply in its codes and class: `451 4.7.1 greylisted`.
    pub(crate) fn reply_codes(&self) -> String {
        let code = self.smtp_code.map(|code| code.to_string()).unwrap_or_default();
        let parts = [code.as_str(), &self.enhanced_code, &self.reason];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(" ")
    }

    /// Whether it is an outcome for a recipient, or for all of them.
    fn is_outcome(&self) -> bool {
        !matches!(self.kind.as_str(), "accepted" | "completed" | "submitted")
    }
}

/// A mail and its story.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TracedMail {
    /// Who sent it, as its first row says.
    pub service: String,
    /// What became of it: `delivered`, `waiting`, `frozen`, `bounced`, `expired`, `rejected`, `discarded`, `submit_failed`,
    /// `handed_on` (to a host whose log does not have it), or `unknown`.
    pub state: &'static str,
    /// Recipients by what became of their copies at the last hop.
    pub recipients: BTreeMap<String, u64>,
    /// What comes next, a sentence a queue; empty when nothing does.
    pub next: Vec<String>,
    /// What the logs say of it, in order.
    pub events: Vec<TraceEvent>,
}

/// One stay in one queue.
#[derive(Debug, Default)]
struct Stay {
    events: Vec<TraceEvent>,
    keys: BTreeSet<i64>,
}

/// The mails of some rows, the one that came first first.
pub(super) fn mails(rows: BTreeSet<TraceEvent>) -> Vec<TracedMail> {
    let mut mails: Vec<Stay> = Vec::new();
    for stay in stays(rows) {
        // Stays of one Message-ID are one mail; a stay that has none is one of its own.
        let (same, others): (Vec<Stay>, Vec<Stay>) = mails
            .into_iter()
            .partition(|mail| mail.keys.intersection(&stay.keys).next().is_some());
        mails = others;
        let joined = same.into_iter().chain([stay]).reduce(|mut all, one| {
            all.events.extend(one.events);
            all.keys.extend(one.keys);
            all
        });
        mails.extend(joined);
    }
    let mut mails: Vec<TracedMail> = mails.into_iter().map(|mail| told(mail.events)).collect();
    mails.sort_by(|a, b| a.events.cmp(&b.events));
    mails
}

/// Stays in queues. A queue ID that begins again after its message left is another message's.
fn stays(rows: BTreeSet<TraceEvent>) -> Vec<Stay> {
    let mut open: BTreeMap<(String, String), Stay> = BTreeMap::new();
    let mut stays = Vec::new();
    for row in rows {
        if row.queue_id.is_empty() {
            stays.push(Stay {
                keys: row.message_key.into_iter().collect(),
                events: vec![row],
            });
            continue;
        }
        let stay = open.entry((row.host.clone(), row.queue_id.clone())).or_default();
        let has_left = stay.events.iter().any(|event| event.kind == "completed");
        if row.kind == "accepted" && has_left {
            stays.push(std::mem::take(stay));
        }
        stay.keys.extend(row.message_key);
        stay.events.push(row);
    }
    stays.extend(open.into_values());
    stays
}

fn told(mut events: Vec<TraceEvent>) -> TracedMail {
    events.sort();
    let recipients = recipients(&events);
    let next = next(&events);
    TracedMail {
        service: events.first().map(|event| event.service.clone()).unwrap_or_default(),
        state: state(&events, &recipients, &next),
        recipients,
        next,
        events,
    }
}

/// What became of each recipient's copy; a copy that another queue took is counted there.
fn recipients(events: &[TraceEvent]) -> BTreeMap<String, u64> {
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    for event in events
        .iter()
        .filter(|event| event.is_outcome() && !event.recipient.is_empty())
    {
        if event.destination == "relay" {
            continue;
        }
        last.insert(&event.recipient, &event.kind);
    }
    let mut counts = BTreeMap::new();
    for kind in last.into_values() {
        *counts.entry(kind.to_owned()).or_default() += 1;
    }
    counts
}

fn next(events: &[TraceEvent]) -> Vec<String> {
    let mut queues: BTreeMap<(&str, &str), Vec<&TraceEvent>> = BTreeMap::new();
    for event in events.iter().filter(|event| !event.queue_id.is_empty()) {
        queues.entry((&event.host, &event.queue_id)).or_default().push(event);
    }
    let mut next: Vec<String> = Vec::new();
    for ((host, id), events) in queues {
        let Some(last) = events.last().filter(|_| !events.iter().any(|event| event.is_end())) else {
            continue;
        };
        // A recipient's last row decides: of two, one may have got it.
        let mut open: BTreeMap<&str, &TraceEvent> = BTreeMap::new();
        for event in events.iter().filter(|event| event.is_outcome()) {
            open.insert(&event.recipient, event);
        }
        let waits = open.values().filter(|event| event.kind == "deferred").count();
        next.push(match last.kind.as_str() {
            "frozen" => format!("frozen on {host} ({id}): it stays until an operator thaws or removes it"),
            "accepted" => format!("accepted by {host} ({id}): its log has no delivery attempt yet"),
            _ if waits > 0 => {
                let reason = if last.reason.is_empty() {
                    "no reason given"
                } else {
                    &last.reason
                };
                format!("{host} tries again ({id}): {waits} of its recipients deferred, at last for {reason}")
            }
            _ => format!("{host} has not finished it ({id})"),
        });
    }
    let hosts: BTreeSet<&str> = events.iter().map(|event| label(&event.host)).collect();
    let handed = events
        .iter()
        .filter(|event| event.kind == "delivered" && event.destination == "relay");
    let missing: BTreeSet<&str> = handed
        .map(|event| event.remote_host.as_str())
        .filter(|host| !hosts.contains(label(host)))
        .collect();
    next.extend(
        missing
            .into_iter()
            .map(|host| format!("handed to {host}: its log has no arrival of it")),
    );
    next
}

fn state(events: &[TraceEvent], recipients: &BTreeMap<String, u64>, next: &[String]) -> &'static str {
    let has = |kind: &str| recipients.contains_key(kind) || events.last().is_some_and(|event| event.kind == kind);
    let last_of_queues = |words: &str| next.iter().any(|line| line.starts_with(words));
    if last_of_queues("frozen") {
        return "frozen";
    }
    if last_of_queues("handed to") {
        return "handed_on";
    }
    if !next.is_empty() {
        return "waiting";
    }
    let kinds = [
        "bounced",
        "expired",
        "rejected",
        "submit_failed",
        "discarded",
        "delivered",
    ];
    kinds.into_iter().find(|kind| has(kind)).unwrap_or("unknown")
}

impl TracedMail {
    /// Milliseconds from its first row to its last.
    pub(crate) fn took_ms(&self) -> i64 {
        match (self.events.first(), self.events.last()) {
            (Some(first), Some(last)) => last.ts_ms - first.ts_ms,
            _ => 0,
        }
    }

    /// Hosts whose logs have it, in the order in which they had it.
    pub(crate) fn hosts(&self) -> Vec<&str> {
        let mut hosts: Vec<&str> = Vec::new();
        for event in &self.events {
            if !hosts.contains(&event.host.as_str()) {
                hosts.push(&event.host);
            }
        }
        hosts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::MINUTE_MS;

    /// A row: minute, host, queue ID, kind, recipient.
    fn row(minute: i64, host: &str, id: &str, kind: &str, recipient: &str) -> TraceEvent {
        TraceEvent {
            ts_ms: UtcMs::new(minute * MINUTE_MS),
            host: host.to_owned(),
            queue_id: id.to_owned(),
            kind: kind.to_owned(),
            recipient: recipient.to_owned(),
            service: "shop".to_owned(),
            ..TraceEvent::default()
        }
    }

    fn keyed(key: i64, row: TraceEvent) -> TraceEvent {
        TraceEvent {
            message_key: Some(key),
            ..row
        }
    }

    fn to(remote: &str, destination: &str, row: TraceEvent) -> TraceEvent {
        TraceEvent {
            remote_host: remote.to_owned(),
            destination: destination.to_owned(),
            ..row
        }
    }

    #[test]
    fn hops_of_one_message_id_are_one_mail_and_its_copies_count_where_they_end() {
        let rows = [
            keyed(7, row(0, "app1", "A", "accepted", "")),
            to("mx1.example.org", "relay", row(1, "app1", "A", "delivered", "x@y")),
            row(1, "app1", "A", "completed", ""),
            keyed(7, row(1, "mx1", "B", "accepted", "")),
            row(2, "mx1", "B", "deferred", "x@y"),
            row(9, "mx1", "B", "delivered", "x@y"),
            row(9, "mx1", "B", "completed", ""),
            keyed(8, row(3, "mx1", "C", "accepted", "")),
        ];
        let mails = mails(rows.into_iter().collect());
        let [mail, other] = &mails[..] else {
            panic!("{mails:#?}")
        };
        assert_eq!((mail.state, &mail.next[..]), ("delivered", &[][..]));
        assert_eq!(mail.recipients, BTreeMap::from([("delivered".to_owned(), 1)]));
        assert_eq!((mail.hosts(), mail.took_ms()), (vec!["app1", "mx1"], 9 * MINUTE_MS));
        assert_eq!((other.state, other.events.len()), ("waiting", 1));
    }

    #[test]
    fn a_queue_id_that_begins_again_is_another_mail() {
        let rows = [
            row(0, "mx1", "A", "accepted", ""),
            row(1, "mx1", "A", "delivered", "x@y"),
            row(1, "mx1", "A", "completed", ""),
            row(5, "mx1", "A", "accepted", ""),
            row(6, "mx1", "A", "bounced", "z@y"),
            row(6, "mx1", "A", "completed", ""),
        ];
        let mails = mails(rows.into_iter().collect());
        assert_eq!(
            mails.iter().map(|mail| mail.state).collect::<Vec<_>>(),
            ["delivered", "bounced"]
        );
    }

    #[test]
    fn what_comes_next_is_said_of_each_queue() {
        let of = |rows: &[TraceEvent]| {
            let mut mails = mails(rows.iter().cloned().collect());
            let mail = mails.remove(0);
            (mail.state, mail.next.join("; "))
        };
        let came = row(0, "mx1", "A", "accepted", "");
        let deferred = TraceEvent {
            reason: "greylisted".to_owned(),
            ..row(2, "mx1", "A", "deferred", "x@y")
        };
        assert_eq!(of(std::slice::from_ref(&came)).0, "waiting");
        let (state, next) = of(&[came.clone(), row(1, "mx1", "A", "delivered", "w@y"), deferred.clone()]);
        assert_eq!(state, "waiting");
        assert_eq!(
            next,
            "mx1 tries again (A): 1 of its recipients deferred, at last for greylisted"
        );
        let (state, next) = of(&[came.clone(), deferred, row(3, "mx1", "A", "frozen", "")]);
        assert_eq!(state, "frozen");
        assert!(next.starts_with("frozen on mx1 (A)"), "{next}");
        let gone = row(1, "mx1", "A", "completed", "");
        let (state, next) = of(&[
            came,
            to("mx2.example.org", "relay", row(1, "mx1", "A", "delivered", "x@y")),
            gone,
        ]);
        assert_eq!(
            (state, next.as_str()),
            ("handed_on", "handed to mx2.example.org: its log has no arrival of it")
        );
        assert_eq!(of(&[row(0, "app", "", "submit_failed", "")]).0, "submit_failed");
    }
}

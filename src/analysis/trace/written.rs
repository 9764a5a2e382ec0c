//! One mail's story as JSON.

use super::story::{TraceEvent, TracedMail};
use crate::model::time::rfc3339;
use serde_json::{Value, json};

/// A mail and its events: times as RFC 3339, sizes in bytes, durations in milliseconds. `reply` stands only where it is kept.
pub(crate) fn mail_json(mail: &TracedMail) -> Value {
    let event = |event: &TraceEvent| {
        let mut json = json!({
            "ts": rfc3339(event.ts_ms),
            "host": event.host,
            "source": event.source,
            "kind": event.kind,
            "queue_id": event.queue_id,
            "client": event.client,
            "sender": event.sender,
            "recipient": event.recipient,
            "destination": event.destination,
            "remote_host": event.remote_host,
            "remote_ip": event.remote_ip,
            "smtp_code": event.smtp_code,
            "enhanced_code": event.enhanced_code,
            "reason": event.reason,
            "bytes": event.bytes,
            "queue_ms": event.queue_ms,
            "delivery_ms": event.delivery_ms,
        });
        if !event.reply.is_empty() {
            json["reply"] = json!(event.reply);
        }
        json
    };
    json!({
        "service": mail.service,
        "state": mail.state,
        "recipients": mail.recipients,
        "hosts": mail.hosts(),
        "took_ms": mail.took_ms(),
        "next": mail.next,
        "events": mail.events.iter().map(event).collect::<Vec<_>>(),
    })
}

/// The same without addresses, and without words in which addresses may stand.
pub(crate) fn mail_json_without_addresses(mail: &TracedMail) -> Value {
    let mut json = mail_json(mail);
    for event in json["events"].as_array_mut().into_iter().flatten() {
        if let Some(event) = event.as_object_mut() {
            event.retain(|key, _| !matches!(key.as_str(), "sender" | "recipient" | "reply"));
        }
    }
    json
}

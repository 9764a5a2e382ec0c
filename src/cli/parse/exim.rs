//! A line of Exim's main log, in its own file or in whatever stands around it.

use super::explain::rules;
use super::fields::{map_time, put, put_number, put_odd, put_reply, snake, unparsed};
use super::lines::{LineOutput, LineSource};
use super::unwrap::{Unwrapped, not_own, place};
use crate::ingest::wrapping::LineContent;
use crate::normalise::attribution::Attribution;
use crate::normalise::exim::authentication;
use crate::normalise::redact::split_address;
use crate::normalise::rules::Facts;
use mailpulse_parsers::exim::{
    self,
    record::{Arrival, EximBody, EximDelivery, EximHost, EximNotice, EximNoticeKind, EximRecord},
};
use mailpulse_parsers::layers::Mta;
use mailpulse_parsers::reply;
use mailpulse_parsers::syslog::Envelope;
use serde_json::{Map, Value, json};

/// Tells a line.
pub(super) fn line(
    source: &LineSource,
    unwrapped: &mut Unwrapped,
    lines: &mut LineOutput<'_>,
    line: &[u8],
) -> anyhow::Result<()> {
    let mut map = Map::new();
    let mut processes = std::mem::take(&mut unwrapped.processes);
    let number = lines.next();
    unwrapped.line(Mta::Exim, source, line, |found| match found {
        LineContent::Own(envelope) => own(source, &mut map, &envelope, line),
        LineContent::Foreground(text, Some(stamp)) => match processes.text(text) {
            Some((pid, text)) => {
                let second = stamp.utc_ms().div_euclid(1000);
                let id = processes.id(text, pid, second, number);
                let whole = [id.as_deref().unwrap_or_default(), if id.is_some() { " " } else { "" }].concat();
                let whole = [whole.as_bytes(), text].concat();
                let envelope = Envelope {
                    stamp,
                    year_known: stamp.year != 0,
                    host: b"",
                    tag: b"exim",
                    pid,
                    rest: &whole,
                };
                own(source, &mut map, &envelope, &whole);
                // It is made up, and of the place in the log.
                map.remove("id");
            }
            None => not_own(
                &mut map,
                Mta::Exim,
                &LineContent::Nothing("debug output of Exim"),
                line,
                false,
            ),
        },
        LineContent::Unknown(text) if exim::is_continuation(text) => {
            map.insert("status".into(), "ignored".into());
            map.insert("why".into(), "continues the line before, or is empty".into());
        }
        LineContent::Unknown(text) => {
            let (text, before) = place(line, text);
            match exim::parse(&text[before..]) {
                Err(mut reject) => {
                    reject.offset += before;
                    unparsed(&mut map, &reject, text, source.attribution.is_some());
                }
                Ok(_) => not_own(
                    &mut map,
                    Mta::Exim,
                    &LineContent::Unknown(text),
                    text,
                    source.attribution.is_some(),
                ),
            }
        }
        found => not_own(&mut map, Mta::Exim, &found, line, source.attribution.is_some()),
    });
    unwrapped.processes = processes;
    lines.tell(map)
}

/// A message of Exim's.
fn own(source: &LineSource, map: &mut Map<String, Value>, envelope: &Envelope<'_>, line: &[u8]) {
    match exim::parse_in_syslog(&source.dated(envelope)) {
        Ok(mut record) => {
            source.with_year(&mut record.stamp);
            let status = if is_event(&record) { "event" } else { "ignored" };
            map.insert("status".into(), status.into());
            fields(map, &record);
            if let Some(attribution) = &source.attribution {
                map.insert("explain".into(), explain(&record, attribution));
            }
        }
        Err(mut reject) => {
            let (text, before) = place(line, envelope.rest);
            reject.offset += before;
            unparsed(map, &reject, text, source.attribution.is_some());
        }
    }
}

fn is_event(record: &EximRecord<'_>) -> bool {
    use EximNoticeKind::{Frozen, RejectedConnection, RejectedMessage, RejectedRcpt, Removed};
    match &record.body {
        EximBody::Notice(notice) => match notice.kind {
            RejectedRcpt | RejectedMessage | RejectedConnection => true,
            Frozen => record.id.is_some(),
            Removed => record.id.is_some() && notice.text.starts_with(b"removed"),
            _ => false,
        },
        _ => record.id.is_some(),
    }
}

fn fields(map: &mut Map<String, Value>, record: &EximRecord<'_>) {
    map_time(map, &record.stamp);
    put_number(map, "pid", record.pid.map(u64::from));
    put(map, "id", record.id.map(|id| id.0));
    put_odd(map, record.odd.as_ref());
    match &record.body {
        EximBody::Arrival(arrival) => arrival_fields(map, arrival),
        EximBody::Delivery(delivery) => delivery_fields(map, delivery),
        EximBody::Completed { queue_ms } => {
            map.insert("what".into(), "completed".into());
            put_number(map, "queue_ms", *queue_ms);
        }
        EximBody::Notice(notice) => notice_fields(map, notice),
    }
}

fn host(map: &mut Map<String, Value>, host: &EximHost<'_>) {
    put(map, "host", host.name);
    put(map, "helo", host.helo);
    if let Some(ip) = host.ip {
        map.insert("ip".into(), ip.to_string().into());
    }
    put_number(map, "port", host.port.map(u64::from));
    if host.continued {
        map.insert("continued".into(), true.into());
    }
}

fn arrival_fields(map: &mut Map<String, Value>, arrival: &Arrival<'_>) {
    map.insert(
        "what".into(),
        if arrival.fakereject { "fakereject" } else { "arrival" }.into(),
    );
    put(map, "sender", Some(arrival.sender));
    host(map, &arrival.host);
    put(map, "user", arrival.user);
    put(map, "protocol", arrival.protocol);
    put(map, "authenticator", arrival.authenticator);
    put(map, "authenticated_id", arrival.authenticated_id);
    put(map, "bounced", arrival.bounced.map(|id| id.0));
    put(map, "message_id", arrival.message_id);
    put_number(map, "bytes", arrival.size);
    put_number(map, "receive_ms", arrival.receive_ms);
    put(map, "tls", arrival.tls);
    put(map, "subject", arrival.subject);
    put(map, "original_sender", arrival.original_sender);
    put(map, "recipients", arrival.recipients);
}

fn delivery_fields(map: &mut Map<String, Value>, delivery: &EximDelivery<'_>) {
    map.insert("what".into(), snake(&format!("{:?}", delivery.flag)).into());
    map.insert("target".into(), format!("{:?}", delivery.target).to_lowercase().into());
    put(map, "recipient", Some(delivery.address));
    put(map, "original_recipient", delivery.original);
    put(map, "sender", delivery.sender);
    put(map, "return_path", delivery.return_path);
    put(map, "router", delivery.router);
    put(map, "transport", delivery.transport);
    host(map, &delivery.host);
    put_number(map, "bytes", delivery.size);
    put(map, "confirmation", delivery.confirmation);
    put_number(map, "queue_ms", delivery.queue_ms);
    put_number(map, "delivery_ms", delivery.delivery_ms);
    put(map, "tls", delivery.tls);
    if let Some(errno) = delivery.errno {
        map.insert("errno".into(), errno.into());
    }
    put(map, "text", delivery.text);
    if delivery.text.is_some() || delivery.errno.is_some() {
        let reply = reply::classify_with_errno(delivery.text.unwrap_or_default(), delivery.errno);
        put_reply(map, &reply);
    }
}

fn notice_fields(map: &mut Map<String, Value>, notice: &EximNotice<'_>) {
    map.insert("what".into(), snake(&format!("{:?}", notice.kind)).into());
    host(map, &notice.host);
    put(map, "sender", notice.sender);
    put(map, "recipient", notice.recipient);
    put(map, "text", Some(notice.text));
    put(map, "reason", (!notice.reason.is_empty()).then_some(notice.reason));
}

/// No rule asks for router or transport.
const FOLLOWS: &str = "carries the service of its message: see its arrival";

fn explain(record: &EximRecord<'_>, attribution: &Attribution) -> Value {
    let auth = match &record.body {
        EximBody::Arrival(arrival) => authentication(arrival, &attribution.services),
        _ => None,
    };
    let (host, facts) = match &record.body {
        EximBody::Arrival(arrival) => (&arrival.host, arrival_facts(arrival, auth.as_deref())),
        EximBody::Delivery(delivery) => (
            &delivery.host,
            Facts {
                sender: delivery.sender,
                router: delivery.router,
                transport: delivery.transport,
                ..Facts::default()
            },
        ),
        EximBody::Notice(notice) => (
            &notice.host,
            Facts {
                sender: notice.sender,
                client_name: notice.host.name,
                client_ip: notice.host.ip,
                ..Facts::default()
            },
        ),
        EximBody::Completed { .. } => return json!(FOLLOWS),
    };
    if matches!(record.body, EximBody::Delivery(_)) && !attribution.services.needs_delivery() {
        return json!(FOLLOWS);
    }
    rules(attribution, &facts, host.name, host.ip)
}

fn arrival_facts<'a>(arrival: &Arrival<'a>, auth: Option<&'a [u8]>) -> Facts<'a> {
    Facts {
        sender: Some(arrival.sender),
        client_name: arrival.host.name,
        client_ip: arrival.host.ip,
        user: if arrival.host == EximHost::default() {
            arrival.user
        } else {
            None
        },
        auth,
        message_id_host: arrival.message_id.map(|id| split_address(id).1),
        ..Facts::default()
    }
}

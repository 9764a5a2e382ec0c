//! A line of Postfix, in syslog's envelope or in whatever stands around it.

use super::explain::rules;
use super::fields::{map_time, put, put_number, put_odd, put_reply, snake, unparsed};
use super::lines::{LineOutput, LineSource};
use super::unwrap::{Unwrapped, not_own, place};
use crate::ingest::wrapping::LineContent;
use crate::normalise::attribution::Attribution;
use crate::normalise::redact::split_address;
use crate::normalise::rules::Facts;
use anyhow::Result;
use mailpulse_parsers::layers::Mta;
use mailpulse_parsers::postfix::record::{
    Action, Client, PostfixBody, PostfixDelivery, PostfixHost, PostfixRecord, Rejection, Status,
};
use mailpulse_parsers::syslog::{Envelope, is_level};
use mailpulse_parsers::{postfix, reply};
use serde_json::{Map, Value, json};

/// Tells a line.
pub(super) fn line(
    source: &LineSource,
    unwrapped: &mut Unwrapped,
    lines: &mut LineOutput<'_>,
    line: &[u8],
) -> Result<()> {
    let mut map = Map::new();
    unwrapped.line(Mta::Postfix, source, line, |found| match found {
        LineContent::Own(envelope) => own(source, &mut map, &envelope, line),
        found => not_own(&mut map, Mta::Postfix, &found, line, source.attribution.is_some()),
    });
    lines.tell(map)
}

/// A message of Postfix'.
fn own(source: &LineSource, map: &mut Map<String, Value>, envelope: &Envelope<'_>, line: &[u8]) {
    let record = match postfix::parse(envelope.tag, envelope.rest) {
        Ok(record) => record,
        Err(mut reject) => {
            let (text, before) = place(line, envelope.rest);
            reject.offset += before;
            return unparsed(map, &reject, text, source.attribution.is_some());
        }
    };
    map.insert(
        "status".into(),
        if is_event(&record) { "event" } else { "ignored" }.into(),
    );
    map_time(map, &source.dated(envelope).stamp);
    let host = Some(envelope.host).filter(|host| !host.is_empty() && !is_level(host));
    put(map, "log_host", host);
    put_number(map, "pid", envelope.pid.map(u64::from));
    map.insert("program".into(), record.program.as_str().into());
    put(map, "id", record.queue_id);
    fields(map, &record);
    if let Some(attribution) = &source.attribution {
        map.insert("explain".into(), explain(&record, envelope, attribution));
    }
}

fn is_event(record: &PostfixRecord<'_>) -> bool {
    match &record.body {
        PostfixBody::QueueActive(_) | PostfixBody::Expired(_) | PostfixBody::Removed { .. } => {
            record.queue_id.is_some()
        }
        PostfixBody::Delivery(delivery) => {
            let probe = matches!(delivery.status, Status::Deliverable | Status::Undeliverable);
            record.queue_id.is_some() && !probe
        }
        PostfixBody::Rejection(rejection) => !matches!(rejection.action, Action::Pass | Action::RejectWarning),
        PostfixBody::Unqueued(_) => true,
        _ => false,
    }
}

fn host(map: &mut Map<String, Value>, host: &PostfixHost<'_>) {
    put(map, "host", host.name);
    if let Some(ip) = host.ip {
        map.insert("ip".into(), ip.to_string().into());
    }
    put_number(map, "port", host.port.map(u64::from));
    put(map, "socket", host.socket);
}

fn fields(map: &mut Map<String, Value>, record: &PostfixRecord<'_>) {
    put_odd(map, record.odd.as_ref());
    let what = match &record.body {
        PostfixBody::Client(client) => {
            client_fields(map, client);
            "client".to_owned()
        }
        PostfixBody::Pickup(pickup) => {
            put_number(map, "uid", pickup.uid);
            put(map, "sender", Some(pickup.sender));
            put(map, "orig_id", pickup.orig_id);
            "pickup".to_owned()
        }
        PostfixBody::Cleanup(cleanup) => {
            put(map, "message_id", Some(cleanup.message_id));
            if cleanup.resent {
                map.insert("resent".into(), true.into());
            }
            "cleanup".to_owned()
        }
        PostfixBody::QueueActive(active) => {
            put(map, "sender", Some(active.sender));
            put_number(map, "bytes", active.size);
            put_number(map, "recipients", active.nrcpt);
            "queue_active".to_owned()
        }
        PostfixBody::Expired(expired) => {
            put(map, "sender", Some(expired.sender));
            "expired".to_owned()
        }
        PostfixBody::Removed { by_admin: true } => "removed_by_admin".to_owned(),
        PostfixBody::Removed { by_admin: false } => "removed".to_owned(),
        PostfixBody::Delivery(delivery) => {
            delivery_fields(map, delivery);
            snake(&format!("{:?}", delivery.status))
        }
        PostfixBody::Notification(notification) => {
            put(map, "notification_id", Some(notification.notification_id));
            snake(&format!("{:?}", notification.kind))
        }
        PostfixBody::Rejection(rejection) => {
            rejection_fields(map, rejection);
            snake(&format!("{:?}", rejection.action))
        }
        PostfixBody::Unqueued(unqueued) => {
            put_number(map, "uid", unqueued.uid);
            put(map, "sender", unqueued.sender);
            put(map, "text", Some(unqueued.reason));
            put_reply(map, &unqueued.reply());
            "unqueued".to_owned()
        }
        PostfixBody::Requeued { next } => {
            put(map, "next_queue_id", Some(next));
            "requeued".to_owned()
        }
        PostfixBody::Problem(problem) => {
            put(map, "text", Some(problem.text));
            snake(&format!("{:?}", problem.severity))
        }
        PostfixBody::Daemon(daemon) => {
            put(map, "text", Some(daemon.text));
            snake(&format!("{:?}", daemon.kind))
        }
        PostfixBody::Notice(notice) => {
            host(map, &notice.host);
            put(map, "text", Some(notice.text));
            put(map, "reason", (!notice.reason.is_empty()).then_some(notice.reason));
            snake(&format!("{:?}", notice.kind))
        }
    };
    map.insert("what".into(), what.into());
}

fn client_fields(map: &mut Map<String, Value>, client: &Client<'_>) {
    host(map, &client.host);
    put(map, "sasl_method", client.sasl_method);
    put(map, "sasl_username", client.sasl_username);
    put(map, "sasl_sender", client.sasl_sender);
    put(map, "orig_queue_id", client.orig_queue_id);
    put(map, "orig_client", client.orig_client.and_then(|client| client.name));
}

fn delivery_fields(map: &mut Map<String, Value>, delivery: &PostfixDelivery<'_>) {
    map.insert(
        "destination".into(),
        snake(&format!("{:?}", delivery.destination)).into(),
    );
    put(map, "recipient", Some(delivery.recipient));
    put(map, "original_recipient", delivery.orig_to);
    host(map, &delivery.relay);
    put_number(map, "queue_ms", delivery.delay_ms);
    if let Some([before, queue, setup, transmission]) = delivery.delays_ms {
        let delays = json!({"before_queue": before, "queue": queue, "setup": setup, "transmission": transmission});
        map.insert("delays_ms".into(), delays);
    }
    put(map, "text", Some(delivery.text));
    put(map, "next_id", delivery.next_queue_id);
    put_reply(map, &reply::classify_with_dsn(delivery.text, delivery.dsn));
}

fn rejection_fields(map: &mut Map<String, Value>, rejection: &Rejection<'_>) {
    put(map, "stage", Some(rejection.stage));
    host(map, &rejection.host);
    put(map, "helo", rejection.helo);
    put(map, "sender", rejection.sender);
    put(map, "recipient", rejection.recipient);
    put(map, "protocol", rejection.protocol);
    put(map, "sasl_username", rejection.sasl_username);
    put(map, "content", rejection.content);
    put(map, "text", Some(rejection.text));
    put_reply(map, &reply::classify_own(rejection.text, rejection.enhanced()));
}

/// Postfix tells sender and client in lines of their own: this line's part of what rules ask.
fn explain(record: &PostfixRecord<'_>, envelope: &Envelope<'_>, attribution: &Attribution) -> Value {
    let log_host = crate::model::text::text(envelope.host);
    let facts = Facts {
        host: &log_host,
        ..Facts::default()
    };
    let (facts, client, decides) = match &record.body {
        PostfixBody::Client(client) => {
            let facts = Facts {
                client_name: client.host.name,
                client_ip: client.host.ip,
                auth: client.sasl_username,
                ..facts
            };
            let decides = "client and authenticated id; the sender follows in the queue active line of this ID";
            (facts, client.host, decides)
        }
        PostfixBody::Pickup(pickup) => {
            let facts = Facts {
                sender: Some(pickup.sender),
                ..facts
            };
            (
                facts,
                PostfixHost::default(),
                "a local mail: its sender, with the queue active line of this ID",
            )
        }
        PostfixBody::Cleanup(cleanup) => {
            let facts = Facts {
                message_id_host: Some(split_address(cleanup.message_id).1),
                ..facts
            };
            let decides = "the host of the Message-ID; client and sender are in the lines around it with this ID";
            (facts, PostfixHost::default(), decides)
        }
        PostfixBody::QueueActive(active) => {
            let facts = Facts {
                sender: Some(active.sender),
                ..facts
            };
            let decides = "the sender; the client is in the client line of this ID. The message is attributed here";
            (facts, PostfixHost::default(), decides)
        }
        PostfixBody::Rejection(rejection) => {
            let facts = Facts {
                sender: rejection.sender,
                client_name: rejection.host.name,
                client_ip: rejection.host.ip,
                auth: rejection.sasl_username,
                ..facts
            };
            (
                facts,
                rejection.host,
                "this line alone, unless a client line has this ID",
            )
        }
        _ => {
            return json!(
                "carries the service of its message: see the client line and the queue active line of its ID"
            );
        }
    };
    let mut found = rules(attribution, &facts, client.name, client.ip);
    found["decides"] = decides.into();
    found
}

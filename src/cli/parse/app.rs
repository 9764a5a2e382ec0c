//! Records of an application's log: the first line carries the record, the further lines say to which they belong.

use super::explain::rules;
use super::fields::{map_time, put, put_number, put_odd, put_reply, unparsed};
use super::lines::{LineOutput, LineSource};
use crate::ingest::readers::begins_with_time;
use crate::model::log_kinds::usual_service;
use crate::normalise::app::channel;
use crate::normalise::rules::Facts;
use anyhow::Result;
use mailpulse_parsers::app::{AppBody, AppRecord, Format, Mail, Time};
use mailpulse_parsers::reply;
use serde_json::{Map, Value, json};

/// What is kept of a record, as in ingest.
const RECORD_BYTES_MAX: usize = 64 << 10;

/// The record in hand.
#[derive(Default)]
pub(super) struct OpenRecordLines {
    text: Vec<u8>,
    /// LineOutput of it; 0 if there is none.
    lines: u64,
}

impl OpenRecordLines {
    /// Takes a line: it begins a record, which finishes the one in hand, or belongs to it.
    pub(super) fn line(
        &mut self,
        source: &LineSource,
        format: &Format,
        lines: &mut LineOutput<'_>,
        line: &[u8],
    ) -> Result<()> {
        if format.starts(line) {
            self.finish(source, format, lines)?;
            self.lines = 1;
            self.text.extend_from_slice(line);
            return Ok(());
        }
        if begins_with_time(line)
            && let Err(reject) = format.parse(line)
        {
            // It belongs to no record, and ends the one before it.
            self.finish(source, format, lines)?;
            let mut map = Map::new();
            unparsed(&mut map, &reject, line, source.attribution.is_some());
            return lines.tell(map);
        }
        if self.lines > 0 {
            self.lines += 1;
            if self.text.len() + line.len() < RECORD_BYTES_MAX {
                self.text.push(b'\n');
                self.text.extend_from_slice(line);
            }
            return Ok(());
        }
        let mut map = Map::new();
        map.insert("status".into(), "ignored".into());
        map.insert("why".into(), "belongs to no record".into());
        lines.tell(map)
    }

    /// Tells the record in hand and the lines that belong to it.
    pub(super) fn finish(&mut self, source: &LineSource, format: &Format, lines: &mut LineOutput<'_>) -> Result<()> {
        if self.lines == 0 {
            return Ok(());
        }
        let mut map = Map::new();
        match format.parse(&self.text) {
            Ok(record) => parsed(&mut map, source, &record),
            Err(reject) => {
                let end = memchr::memchr(b'\n', &self.text).unwrap_or(self.text.len());
                unparsed(&mut map, &reject, &self.text[..end], source.attribution.is_some());
            }
        }
        if self.lines > 1 {
            map.insert("lines".into(), self.lines.into());
        }
        let first = lines.next();
        lines.tell(map)?;
        for _ in 1..self.lines {
            let mut map = Map::new();
            map.insert("status".into(), "ignored".into());
            map.insert("belongs_to".into(), first.into());
            lines.tell(map)?;
        }
        self.text.clear();
        self.lines = 0;
        Ok(())
    }
}

fn parsed(map: &mut Map<String, Value>, source: &LineSource, record: &AppRecord<'_>) {
    let (status, what) = match &record.body {
        // Only a record before it tells whether its task was about mail.
        AppBody::SubmitFailed(mail) if mail.needs_known_key => ("ignored", "submit_failed"),
        AppBody::Submitted(_) => ("event", "submitted"),
        AppBody::SubmitFailed(_) => ("event", "submit_failed"),
        AppBody::Other => ("ignored", "other"),
    };
    map.insert("status".into(), status.into());
    put_odd(map, record.odd.as_ref());
    match &record.time {
        Time::Full(stamp) => {
            let mut stamp = *stamp;
            source.with_year(&mut stamp);
            map_time(map, &stamp);
        }
        Time::TimeOfDay(time) => {
            let text = format!(
                "{:02}:{:02}:{:02}.{:03}",
                time.hour, time.minute, time.second, time.millis
            );
            map.insert("time".into(), text.into());
        }
        Time::Undated => {}
    }
    map.insert("what".into(), what.into());
    put(map, "host", record.host.as_deref());
    put(map, "level", record.level.as_deref());
    put(map, "logger", record.logger.as_deref());
    if let Some(mail) = record.mail() {
        mail_fields(map, mail, matches!(record.body, AppBody::SubmitFailed(_)));
    }
    if source.attribution.is_some() {
        map.insert("explain".into(), explain(source, record));
    }
}

fn mail_fields(map: &mut Map<String, Value>, mail: &Mail<'_>, failed: bool) {
    put(map, "key", mail.key.as_deref());
    put(map, "sender", mail.sender.as_deref());
    put(map, "recipient", mail.recipient.as_deref());
    put_number(map, "recipients", mail.recipients.map(u64::from));
    put(map, "relay", mail.relay.as_deref());
    put(map, "message_id", mail.message_id.as_deref());
    if mail.will_retry {
        map.insert("will_retry".into(), true.into());
    }
    if mail.needs_known_key {
        map.insert("needs_known_key".into(), true.into());
        let why = "is an event only if a record with its key failed as mail before";
        map.insert("why".into(), why.into());
    }
    if failed {
        put(map, "text", Some(&mail.reason));
        put_reply(map, &reply::classify(&mail.reason));
    }
}

/// Which template or condition matched, and where the service comes from.
fn explain(source: &LineSource, record: &AppRecord<'_>) -> Value {
    let Some(attribution) = &source.attribution else {
        return Value::Null;
    };
    let Some(mail) = record.mail() else {
        return json!({"matched": matched(source, record), "says": "nothing about a mail's fate"});
    };
    let host = record.host.as_deref().filter(|host| !host.is_empty());
    let host = host.unwrap_or(source.host.as_bytes());
    let facts = Facts {
        sender: mail.sender.as_deref(),
        client_name: Some(host),
        host: &source.host,
        ..Facts::default()
    };
    let mut found = rules(attribution, &facts, Some(host), None);
    let usual = usual_service(source.spec.kind);
    let channel = record.logger.as_deref().filter(|_| usual.is_none()).and_then(channel);
    let (service, from) = match (
        &source.spec.service,
        found["service"]["service"].as_str(),
        usual,
        channel,
    ) {
        (Some(service), ..) => (service.clone(), "the source's `service`"),
        (None, Some(service), ..) => (service.to_owned(), "a [[service]] rule"),
        (None, None, Some(service), _) => (service.to_owned(), "the usual service of this kind of log"),
        (None, None, None, Some(service)) => (service, "the record's logger or channel"),
        (None, None, None, None) => match found["derived"].as_str() {
            Some(service) => (service.to_owned(), "derived from sender and host: no rule names it"),
            None => ("unattributed".to_owned(), "nothing: give the source a `service`"),
        },
    };
    found["service_is"] = json!({"service": service, "from": from});
    found["matched"] = matched(source, record);
    found
}

/// The template or condition that matched, as the configuration counts them.
fn matched(source: &LineSource, record: &AppRecord<'_>) -> Value {
    let Some(index) = record.matched else {
        return Value::Null;
    };
    match source.spec.kind {
        "pattern" => json!({"template": index + 1}),
        "json" => match &record.body {
            AppBody::SubmitFailed(_) => json!({"failed_when": index + 1}),
            // Counted after the failures' conditions.
            _ => json!({"submitted_when": index + 1 - source.failed_conditions().min(index)}),
        },
        _ => json!(index + 1),
    }
}

//! An entry of systemd's journal as `journalctl -o json` prints it: one object a line.
//!
//! The format is described in systemd's "Journal JSON Format": a field is a string, an array of byte values where it
//! is no UTF-8, or null where it is too long. The cursor holds the entry's sequence number, which is its offset.

use crate::source::journal::parse_cursor;
use mailpulse_parsers::Stamp;
use mailpulse_parsers::syslog::Envelope;
use serde::Deserialize;
use serde_json::Value;

/// What is used of an entry.
#[derive(Debug)]
pub struct JournalEntry {
    /// Name of the sequence and number in it, from the cursor.
    pub place: Option<(String, u64)>,
    stamp: Stamp,
    host: String,
    tag: String,
    pid: Option<u32>,
    message: Vec<u8>,
}

#[derive(Deserialize)]
struct RawEntry {
    #[serde(rename = "__CURSOR")]
    cursor: Option<String>,
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    realtime: String,
    #[serde(rename = "_HOSTNAME")]
    host: Option<String>,
    #[serde(rename = "SYSLOG_IDENTIFIER")]
    identifier: Option<String>,
    #[serde(rename = "SYSLOG_PID")]
    syslog_pid: Option<String>,
    #[serde(rename = "_PID")]
    pid: Option<String>,
    #[serde(rename = "MESSAGE", default)]
    message: Value,
}

impl JournalEntry {
    /// Reads one line.
    ///
    /// # Errors
    /// What is wrong with it, for a report.
    pub fn parse(line: &[u8]) -> Result<JournalEntry, String> {
        let raw: RawEntry = serde_json::from_slice(line).map_err(|error| format!("no entry of a journal: {error}"))?;
        let micros: i64 = raw
            .realtime
            .parse()
            .map_err(|_| "no entry of a journal: __REALTIME_TIMESTAMP is no number".to_owned())?;
        Ok(JournalEntry {
            place: raw
                .cursor
                .as_deref()
                .and_then(parse_cursor)
                .map(|at| (at.sequence.to_owned(), at.number)),
            stamp: stamp(micros / 1000)?,
            host: raw.host.unwrap_or_default(),
            tag: raw.identifier.unwrap_or_default(),
            pid: raw.syslog_pid.or(raw.pid).and_then(|pid| pid.parse().ok()),
            message: bytes(raw.message),
        })
    }

    /// As if it had come by syslog.
    pub fn envelope(&self) -> Envelope<'_> {
        Envelope {
            stamp: self.stamp,
            year_known: true,
            host: self.host.as_bytes(),
            tag: self.tag.as_bytes(),
            pid: self.pid,
            rest: &self.message,
        }
    }
}

fn bytes(message: Value) -> Vec<u8> {
    match message {
        Value::String(text) => text.into_bytes(),
        Value::Array(numbers) => numbers.iter().filter_map(|n| n.as_u64().map(|n| n as u8)).collect(),
        _ => Vec::new(),
    }
}

fn stamp(ms: i64) -> Result<Stamp, String> {
    let time =
        jiff::Timestamp::from_millisecond(ms).map_err(|_| "no entry of a journal: time out of range".to_owned())?;
    let civil = time.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    Ok(Stamp {
        year: civil.year(),
        month: civil.month() as u8,
        day: civil.day() as u8,
        hour: civil.hour() as u8,
        minute: civil.minute() as u8,
        second: civil.second() as u8,
        millis: civil.millisecond() as u16,
        offset_seconds: Some(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_an_envelope() {
        let line = br#"{"__CURSOR":"s=0639;i=4d2;b=1;t=1f","__REALTIME_TIMESTAMP":"1528311301123456","_HOSTNAME":"mx1","SYSLOG_IDENTIFIER":"postfix/smtp","_PID":"77","MESSAGE":"4F: to=<a@b>"}"#;
        let entry = JournalEntry::parse(line).unwrap();
        let envelope = entry.envelope();
        assert_eq!(entry.place, Some(("0639".to_owned(), 0x4d2)));
        assert_eq!(envelope.stamp.utc_ms(), 1_528_311_301_123);
        assert_eq!(
            (envelope.tag, envelope.pid, envelope.rest),
            (&b"postfix/smtp"[..], Some(77), &b"4F: to=<a@b>"[..])
        );
    }

    #[test]
    fn bytes_that_are_no_utf8_come_as_numbers() {
        let line = br#"{"__REALTIME_TIMESTAMP":"1","MESSAGE":[255,97]}"#;
        assert_eq!(JournalEntry::parse(line).unwrap().message, [255, 97]);
        assert!(JournalEntry::parse(b"{}").is_err());
        assert!(JournalEntry::parse(b"{\"__REALTIME_TIMESTAMP\":\"x\"}").is_err());
    }
}

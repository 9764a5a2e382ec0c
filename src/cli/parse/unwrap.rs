//! What stands around a mail server's line, taken off as ingest does it.

use super::fields::{put, unparsed};
use super::lines::LineSource;
use crate::ingest::readers::Processes;
use crate::ingest::wrapping::{JournalEntry, LineContent, LineHead, Peeler, TIMELESS, Trust, recognise, untrusted};
use mailpulse_parsers::layers::Mta;
use mailpulse_parsers::syslog::{any_envelope, envelope};
use serde_json::{Map, Value};

/// What is kept from line to line.
#[derive(Debug, Default)]
pub(super) struct Unwrapped {
    head: LineHead,
    peeler: Peeler,
    pub(super) processes: Processes,
}

impl Unwrapped {
    /// For a log that begins like this.
    pub(super) fn of(source: &LineSource, sample: &[u8]) -> Unwrapped {
        Unwrapped {
            head: recognise(&source.spec, sample)
                .map(|form| form.head)
                .unwrap_or_default(),
            ..Unwrapped::default()
        }
    }

    /// Takes a line apart.
    pub(super) fn line(&mut self, mta: Mta, source: &LineSource, line: &[u8], with: impl FnOnce(LineContent<'_>)) {
        let trust = Trust {
            spec: &source.spec,
            head: &self.head,
        };
        match line.starts_with(b"{").then(|| JournalEntry::parse(line).ok()).flatten() {
            Some(entry) => with(Peeler::envelope(mta, line, &entry.envelope(), trust)),
            None => self.peeler.line(mta, line, trust, with),
        }
    }
}

/// The line that a text ends, and how much of it stands before the text; the text alone where it was escaped.
pub(super) fn place<'l>(line: &'l [u8], text: &'l [u8]) -> (&'l [u8], usize) {
    match line.ends_with(text) {
        true => (line, line.len() - text.len()),
        false => (text, 0),
    }
}

/// Tells a line that holds nothing of the program.
pub(super) fn not_own(map: &mut Map<String, Value>, mta: Mta, found: &LineContent<'_>, line: &[u8], picture: bool) {
    let (status, why) = match found {
        LineContent::Foreign(envelope) => {
            put(map, "program", Some(envelope.tag));
            ("ignored", "of another program".to_owned())
        }
        LineContent::Nothing(why) => ("ignored", if line.is_empty() { "empty" } else { why }.to_owned()),
        LineContent::Untrusted(tag) => ("unparsed", untrusted(mta, tag)),
        LineContent::Foreground(..) => ("unparsed", TIMELESS.to_owned()),
        LineContent::Own(_) => ("unparsed", format!("no line of {}", mta.as_str())),
        LineContent::Unknown(text) => {
            let (whole, before) = place(line, text);
            match any_envelope(text).and_then(|_| envelope(text)) {
                Err(mut reject) => {
                    reject.offset += before;
                    return unparsed(map, &reject, whole, picture);
                }
                Ok(_) => ("unparsed", format!("no line of {}", mta.as_str())),
            }
        }
    };
    map.insert("status".into(), status.into());
    map.insert("why".into(), why.into());
}

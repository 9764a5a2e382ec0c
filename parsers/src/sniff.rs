//! What kind of log a file looks like, from its first bytes: for saying what a foreign file is, not for parsing it.

use crate::app::Format;
use crate::cut::Cut;
use crate::exim::{self, Foreground};
use crate::layers::{Mta, Outer, Peeled, is_sure};
use crate::postfix;
use crate::syslog::{self, Envelope};
use crate::wrap::{self, unwrap};
use memchr::{memchr, memchr_iter, memmem};

/// What a sample looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Exim's main log.
    EximMain,
    /// Exim through syslog.
    EximSyslog,
    /// Exim's debug output in the foreground, which has no times.
    EximForeground,
    /// Postfix through syslog.
    Postfix,
    /// Gerrit's error log, text or JSON.
    Gerrit,
    /// Phabricator's daemon log.
    Phabricator,
    /// Hue, see [`Format::Hue`].
    Hue,
    /// Oozie, see [`Format::Oozie`].
    Oozie,
    /// Sentry, see [`Format::Sentry`].
    Sentry,
    /// A Slim application's JSON log.
    Slimapp,
    /// The log of a dumps host.
    Dumps,
    /// Some other program through syslog.
    Syslog,
    /// A JSON object a line.
    Json,
    /// Text with a bracketed or plain timestamp that is no mail log.
    OtherLog,
    /// Compressed data (gzip, zstd, bzip2, xz, zip).
    Compressed,
    /// Not text: one byte of twenty or more is a control character.
    Binary,
}

impl Kind {
    /// In words, for a message.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::EximMain => "an Exim main log",
            Kind::EximSyslog => "an Exim log from syslog",
            Kind::EximForeground => "what an Exim in the foreground prints (`exim -bd -v`)",
            Kind::Postfix => "a Postfix log",
            Kind::Gerrit => "a Gerrit error log",
            Kind::Phabricator => "a Phabricator daemon log",
            Kind::Hue => "a Hue log",
            Kind::Oozie => "an Oozie log",
            Kind::Sentry => "a Sentry log",
            Kind::Slimapp => "a JSON log of a Slim application",
            Kind::Dumps => "the log of a dumps host",
            Kind::Syslog => "a syslog file of other programs",
            Kind::Json => "a log of JSON objects",
            Kind::OtherLog => "an application's log",
            Kind::Compressed => "compressed data",
            Kind::Binary => "not text",
        }
    }
}

/// Kinds that lines vote for, in their order.
const KINDS: [Kind; 14] = [
    Kind::EximMain,
    Kind::EximSyslog,
    Kind::EximForeground,
    Kind::Postfix,
    Kind::Gerrit,
    Kind::Phabricator,
    Kind::Hue,
    Kind::Oozie,
    Kind::Sentry,
    Kind::Slimapp,
    Kind::Dumps,
    Kind::Syslog,
    Kind::Json,
    Kind::OtherLog,
];

/// How many of [`KINDS`] say what the log is about; the others only say how it is written.
const SPECIFIC: usize = 11;

/// Lines that are looked at.
const LINES_MAX: usize = 200;

/// What `sample` (the first bytes of a file, some kilobytes) looks like; `None` if it is empty or says nothing.
///
/// ```
/// use mailpulse_parsers::sniff::{Kind, sniff};
///
/// let kind = sniff(b"2018-06-06 18:55:01 1fQdLN-0001Ab-Cd Completed\n").unwrap();
/// assert_eq!((kind, kind.as_str()), (Kind::EximMain, "an Exim main log"));
/// assert_eq!(sniff(b"\x1f\x8b\x08\0"), Some(Kind::Compressed));
/// assert_eq!(sniff(b"hello\nworld\n"), None);
/// ```
#[must_use]
pub fn sniff(sample: &[u8]) -> Option<Kind> {
    const MAGIC: [&[u8]; 5] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\0", b"PK\x03\x04"];
    if MAGIC.iter().any(|magic| sample.starts_with(magic)) {
        return Some(Kind::Compressed);
    }
    let mut votes = Vec::new();
    let mut from = 0;
    for end in memchr_iter(b'\n', sample).chain([sample.len()]).take(LINES_MAX) {
        votes.extend(line_kind(sample.until(end).past(from)));
        from = (end + 1).min(sample.len());
    }
    // A few lines of a known log are enough: its neighbours in the same file say less.
    let most = |kinds: &[Kind]| {
        let count = |kind: &Kind| votes.iter().filter(|vote| *vote == kind).count();
        kinds.iter().copied().max_by_key(count).filter(|kind| count(kind) > 0)
    };
    let best = most(KINDS.until(SPECIFIC)).or_else(|| most(KINDS.past(SPECIFIC)));
    best.or_else(|| is_binary(sample).then_some(Kind::Binary))
}

/// NUL blocks stand in real logs after a crash, so a NUL alone does not make a file binary.
fn is_binary(sample: &[u8]) -> bool {
    let odd = sample
        .iter()
        .filter(|byte| matches!(byte, 0..=8 | 14..=26 | 28..=31))
        .count();
    odd * 20 > sample.len()
}

fn line_kind(line: &[u8]) -> Option<Kind> {
    let start = line.iter().position(|byte| *byte != 0)?;
    let line = line.past(start).strip_suffix(b"\r").unwrap_or(line.past(start));
    if let Ok(envelope) = syslog::envelope(line) {
        return Some(match envelope.tag {
            tag if Mta::Exim.owns(tag) => Kind::EximSyslog,
            tag if postfix::is_postfix(tag) => Kind::Postfix,
            _ => of_message(&envelope).unwrap_or(Kind::Syslog),
        });
    }
    if let Some(kind) = application(line) {
        return Some(kind);
    }
    if let Some(kind) = wrapped(line, 0) {
        return Some(kind);
    }
    if let Ok(record) = exim::parse(line)
        && is_sure(&record)
    {
        return Some(Kind::EximMain);
    }
    if let Some(kind) = of_mta(line, &Outer::default()) {
        return Some(kind);
    }
    if exim::parse(line).is_ok() {
        return Some(Kind::OtherLog);
    }
    if line.starts_with(b"{\"") && line.ends_with(b"}") {
        return Some(Kind::Json);
    }
    let dated = memchr(b':', line.until(40)).is_some()
        && (line.starts_with(b"[") || line.first().is_some_and(u8::is_ascii_digit));
    (dated
        && (memmem::find(line, b"ERROR").is_some()
            || memmem::find(line, b"] ").is_some()
            || memmem::find(line, b" - ").is_some()))
    .then_some(Kind::OtherLog)
}

/// Of what mail server a line is that is known by its head, or in spite of it.
fn of_mta(line: &[u8], outer: &Outer<'_>) -> Option<Kind> {
    let of = |mta: Mta| matches!(mta.peel(line, outer, &|_| false), Peeled::Own(_) | Peeled::Untrusted(_));
    match () {
        () if of(Mta::Postfix) => Some(Kind::Postfix),
        () if of(Mta::Exim) && exim::parse(line).is_ok_and(|record| is_sure(&record)) => Some(Kind::EximMain),
        () if of(Mta::Exim) && exim::parse(line).is_err() => Some(Kind::EximSyslog),
        () => matches!(exim::foreground(line), Foreground::Mark { main: true, .. }).then_some(Kind::EximForeground),
    }
}

/// The same of an envelope's message.
fn of_message(envelope: &Envelope<'_>) -> Option<Kind> {
    let of = |mta: Mta| !matches!(mta.message(envelope, &|_| false), Peeled::Foreign(_));
    match () {
        () if of(Mta::Postfix) => Some(Kind::Postfix),
        () if of(Mta::Exim) => Some(Kind::EximSyslog),
        () => None,
    }
}

/// A line in a runtime's wrapper, or in the journal's export.
fn wrapped(line: &[u8], depth: usize) -> Option<Kind> {
    if let Some(entry) = journal_entry(line) {
        let [tag, message] = entry;
        let envelope = Envelope {
            stamp: crate::Stamp::default(),
            year_known: false,
            host: b"",
            tag: tag.as_bytes(),
            pid: None,
            rest: message.as_bytes(),
        };
        return Some(match envelope.tag {
            tag if Mta::Exim.owns(tag) => Kind::EximSyslog,
            tag if postfix::is_postfix(tag) => Kind::Postfix,
            _ => of_message(&envelope).unwrap_or(Kind::Syslog),
        });
    }
    let inner = unwrap(line).filter(|_| depth < wrap::DEPTH_MAX)?;
    let outer = Outer {
        stamp: inner.stamp,
        name: None,
    };
    wrapped(&inner.text, depth + 1).or_else(|| of_mta(&inner.text, &outer))
}

/// Tag and message of a line of `journalctl -o json`.
fn journal_entry(line: &[u8]) -> Option<[String; 2]> {
    memmem::find(line, b"\"__REALTIME_TIMESTAMP\"").filter(|_| line.starts_with(b"{"))?;
    let mut fields: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(line).ok()?;
    Some(["SYSLOG_IDENTIFIER", "MESSAGE"].map(|name| match fields.remove(name) {
        Some(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }))
}

/// An application by a line of its format that names it: the layouts alone are those of common logging libraries.
fn application(line: &[u8]) -> Option<Kind> {
    const NAMED: [(Format, Kind, &[&[u8]]); 7] = [
        (Format::Gerrit, Kind::Gerrit, &[b"google.gerrit"]),
        (
            Format::Phabricator,
            Kind::Phabricator,
            &[b"habricator", b"Phutil", b"phutil", b"Task ID "],
        ),
        (Format::Hue, Kind::Hue, &[b"/"]),
        (Format::Oozie, Kind::Oozie, &[b"-oozie-", b" USER["]),
        (Format::Sentry, Kind::Sentry, &[b"sentry."]),
        (Format::Slimapp, Kind::Slimapp, &[b"Slimapp"]),
        (Format::Dumps, Kind::Dumps, &[b"MAIL SEND FAILED!"]),
    ];
    let named = |names: &[&[u8]]| names.iter().any(|name| memmem::find(line, name).is_some());
    let found = NAMED
        .iter()
        .find(|(format, _, names)| named(names) && format.starts(line) && format.parse(line).is_ok());
    found.map(|(_, kind, _)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn kinds() {
        for (sample, kind) in [
            ("2018-06-06 18:55:01 1fQdLN-0001Ab-Cd Completed\n", Some(Kind::EximMain)),
            ("2018-06-06 18:55:01 Start queue run: pid=1\n", Some(Kind::EximMain)),
            (
                "Jun  6 18:55:01 mx1 exim[1]: 2018-06-06 18:55:01 x\n",
                Some(Kind::EximSyslog),
            ),
            (
                "Jun  6 18:55:01 mx1 cron[1]: x\nJun  6 18:55:01 mx1 postfix/smtp[1]: 4F: to=<a>\n",
                Some(Kind::Postfix),
            ),
            ("Jun  6 18:55:01 mx1 cron[1]: x\n", Some(Kind::Syslog)),
            ("{\"@timestamp\":\"x\"}\n", Some(Kind::Json)),
            (
                "\tat x\n[2018-06-06 19:02:11,123] [main] INFO  com.google.gerrit.pgm.Daemon : ready\n",
                Some(Kind::Gerrit),
            ),
            (
                "{\"message\":\"x\",\"logger_name\":\"com.google.gerrit.pgm.Daemon\"}\n",
                Some(Kind::Gerrit),
            ),
            (
                "[06-Jun-2018 19:02:11 UTC] [2018-06-06 19:02:11] EXCEPTION: (PhutilProxyException) Error\n",
                Some(Kind::Phabricator),
            ),
            ("[06-Jun-2018 19:02:11 UTC] PHP Warning: x\n", Some(Kind::OtherLog)),
            (
                "[06/Jun/2018 19:02:11 +0000] views        ERROR    x\n",
                Some(Kind::Hue),
            ),
            (
                "2018-06-06 19:02:11,123  WARN A:523 - USER[hdfs] GROUP[-] x\n",
                Some(Kind::Oozie),
            ),
            ("05:40:47 [INFO] sentry.mail: mail.sent\n", Some(Kind::Sentry)),
            (
                "{\"method\":\"Wikimedia\\\\Slimapp\\\\Mailer::mail\"}\n",
                Some(Kind::Slimapp),
            ),
            (
                "2018-06-06 19:02:11: enwiki x\nMAIL SEND FAILED! GODDAMIT! Was sending this mail:\n",
                Some(Kind::Dumps),
            ),
            (
                "[2018-06-06 19:02:11,123] [SendEmail-1] ERROR c : x\n",
                Some(Kind::OtherLog),
            ),
            (
                "{\"log\":\"Nov 19 13:39:04 mx postfix/smtp[1]: 3A: x\\n\",\"stream\":\"stdout\",\"time\":\"2025-11-19T13:39:04Z\"}\n",
                Some(Kind::Postfix),
            ),
            (
                "mail-1  | 2025-11-19 13:39:04 1vLh1s-00000001AbC-2DeF Completed\n",
                Some(Kind::EximMain),
            ),
            (
                "{\"__REALTIME_TIMESTAMP\":\"1\",\"SYSLOG_IDENTIFIER\":\"postfix/smtp\",\"MESSAGE\":\"x\"}\n",
                Some(Kind::Postfix),
            ),
            ("<22>1 2025-11-19T13:39:04Z mx exim 1 - - x\n", Some(Kind::EximSyslog)),
            (
                "Nov 19 13:39:04 mx 3f2e[2]: 2025-11-19 13:39:04 1vLh1s-00000001AbC-2DeF Completed\n",
                Some(Kind::EximSyslog),
            ),
            ("    9 LOG: MAIN\n    9   Completed\n", Some(Kind::EximForeground)),
            (
                "2025-11-19T13:39:04.123456789Z     9 LOG: MAIN\n",
                Some(Kind::EximForeground),
            ),
            ("mail-1  | hello\n", None),
            ("\x1f\x7f\x01\x02\x03\x04", Some(Kind::Binary)),
            ("BZh91AY", Some(Kind::Compressed)),
            ("", None),
            ("hello\nworld\n", None),
        ] {
            assert_eq!(sniff(sample.as_bytes()), kind, "{sample:?}");
        }
    }
}

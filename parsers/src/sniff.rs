//! What kind of log a file looks like, from its first bytes: for saying what a foreign file is, not for parsing it.

use crate::exim::{self, record::Body, record::NoticeKind};
use crate::postfix;
use crate::syslog;
use memchr::{memchr, memchr_iter, memmem};

/// What a sample looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Exim's main log.
    EximMain,
    /// Exim through syslog.
    EximSyslog,
    /// Postfix through syslog.
    Postfix,
    /// Some other program through syslog.
    Syslog,
    /// A JSON object a line.
    Json,
    /// Text with a bracketed or plain timestamp that is no mail log.
    OtherLog,
    /// Compressed data (gzip, zstd, bzip2, xz, zip).
    Compressed,
    /// Not text.
    Binary,
}

impl Kind {
    /// In words, for a message.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::EximMain => "an Exim main log",
            Kind::EximSyslog => "an Exim log from syslog",
            Kind::Postfix => "a Postfix log",
            Kind::Syslog => "a syslog file of other programs",
            Kind::Json => "a log of JSON objects",
            Kind::OtherLog => "an application's log",
            Kind::Compressed => "compressed data",
            Kind::Binary => "not text",
        }
    }
}

/// Lines that are looked at.
const LINES_MAX: usize = 200;

/// What `sample` (the first bytes of a file, some kilobytes) looks like; `None` if it is empty or says nothing.
#[must_use]
pub fn sniff(sample: &[u8]) -> Option<Kind> {
    const MAGIC: [&[u8]; 5] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\0", b"PK\x03\x04"];
    if MAGIC.iter().any(|magic| sample.starts_with(magic)) {
        return Some(Kind::Compressed);
    }
    let mut votes = [0u32; 6];
    let mut from = 0;
    for end in memchr_iter(b'\n', sample).chain([sample.len()]).take(LINES_MAX) {
        if let Some(kind) = line_kind(&sample[from..end]) {
            votes[kind as usize] += 1;
        }
        from = (end + 1).min(sample.len());
    }
    // A few lines of a mail log are enough: its neighbours in the same file say less.
    const KINDS: [Kind; 6] = [
        Kind::EximMain,
        Kind::EximSyslog,
        Kind::Postfix,
        Kind::Syslog,
        Kind::Json,
        Kind::OtherLog,
    ];
    let best = KINDS[..3]
        .iter()
        .max_by_key(|kind| votes[**kind as usize])
        .filter(|kind| votes[**kind as usize] > 0);
    let best = best.or_else(|| KINDS[3..].iter().max_by_key(|kind| votes[**kind as usize]));
    match best {
        Some(kind) if votes[*kind as usize] > 0 => Some(*kind),
        _ => is_binary(sample).then_some(Kind::Binary),
    }
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
    let line = &line[start..];
    if let Ok(envelope) = syslog::envelope(line) {
        return Some(match envelope.tag {
            tag if tag.starts_with(b"exim") => Kind::EximSyslog,
            tag if postfix::is_postfix(tag) => Kind::Postfix,
            _ => Kind::Syslog,
        });
    }
    if let Ok(record) = exim::parse(line) {
        let known = !matches!(&record.body, Body::Notice(n) if n.kind == NoticeKind::Chatter);
        return Some(if record.id.is_some() || known {
            Kind::EximMain
        } else {
            Kind::OtherLog
        });
    }
    if line.starts_with(b"{\"") && line.ends_with(b"}") {
        return Some(Kind::Json);
    }
    let dated = memchr(b':', &line[..line.len().min(40)]).is_some()
        && (line.starts_with(b"[") || line.first().is_some_and(u8::is_ascii_digit));
    (dated
        && (memmem::find(line, b"ERROR").is_some()
            || memmem::find(line, b"] ").is_some()
            || memmem::find(line, b" - ").is_some()))
    .then_some(Kind::OtherLog)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
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
                "[2018-06-06 19:02:11,123] [SendEmail-1] ERROR c : x\n",
                Some(Kind::OtherLog),
            ),
            ("\x1f\x7f\x01\x02\x03\x04", Some(Kind::Binary)),
            ("BZh91AY", Some(Kind::Compressed)),
            ("", None),
            ("hello\nworld\n", None),
        ] {
            assert_eq!(sniff(sample.as_bytes()), kind, "{sample:?}");
        }
    }
}

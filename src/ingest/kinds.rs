//! How a log is read: what the configuration says of its source, and how its lines are wrapped, told by its content.

use crate::source::Limits;
use jiff::tz::TimeZone;
use mailpulse_parsers::app::{Body, Format as AppFormat, Time};
use mailpulse_parsers::{exim, postfix, sniff, syslog};
use std::path::Path;
use std::sync::Arc;

/// Every kind of log, as the configuration names them; the last two are described there.
pub const KINDS: [&str; 11] = [
    "exim",
    "postfix",
    "gerrit",
    "phabricator",
    "hue",
    "oozie",
    "sentry",
    "slimapp",
    "dumps",
    "json",
    "pattern",
];

/// How the lines of a log are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As the program writes them to its own file.
    Plain,
    /// In syslog's envelope.
    Syslog,
    /// As `journalctl -o json` prints them.
    Journal,
}

/// Which grammar reads the lines.
#[derive(Debug, Clone)]
pub enum Way {
    /// Exim's main log.
    Exim,
    /// Postfix.
    Postfix,
    /// An application's log.
    App(Arc<AppFormat>),
}

/// What the configuration says of how a log is read.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Name of the kind.
    pub kind: &'static str,
    /// Grammar.
    pub way: Way,
    /// Zone of the log's clock.
    pub zone: TimeZone,
    /// Year of stamps without one; by default the file's time tells.
    pub year: Option<i16>,
    /// Service that an application's log is of; by default rules or the kind tell.
    pub service: Option<String>,
    /// Relay that an application hands its mail to.
    pub relay: Option<String>,
}

impl Spec {
    /// The spec of a grammar with nothing else configured.
    pub fn of(way: Way, zone: TimeZone) -> Spec {
        let kind = match &way {
            Way::Exim => "exim",
            Way::Postfix => "postfix",
            Way::App(format) => format.as_str(),
        };
        Spec {
            kind,
            way,
            zone,
            year: None,
            service: None,
            relay: None,
        }
    }

    /// Whether both describe sources that one line of threads can read one after the other.
    pub fn same_reading(&self, other: &Spec) -> bool {
        let parser = |spec: &Spec| match &spec.way {
            Way::App(parser) => Some(Arc::as_ptr(parser)),
            _ => None,
        };
        self.kind == other.kind
            && self.zone == other.zone
            && self.year == other.year
            && self.service == other.service
            && self.relay == other.relay
            && (parser(self) == parser(other) || self.is_built_in())
    }

    fn is_built_in(&self) -> bool {
        !matches!(self.kind, "json" | "pattern")
    }
}

impl Way {
    /// The grammar of a kind that needs no description, by its name.
    pub fn named(kind: &str) -> Option<Way> {
        match kind {
            "exim" => Some(Way::Exim),
            "postfix" => Some(Way::Postfix),
            app => AppFormat::named(app).map(|format| Way::App(Arc::new(format))),
        }
    }

    /// The grammar for a file that no source names, by its content; Exim's where that says nothing, which then says
    /// why not.
    pub fn sniffed(path: &Path, limits: &Limits) -> Way {
        crate::source::sample(path, 64, limits)
            .ok()
            .and_then(|sample| sniff::sniff(&sample.bytes))
            .and_then(source_kind)
            .and_then(Way::named)
            .unwrap_or(Way::Exim)
    }
}

/// The kind of source that reads what a sample looks like.
pub fn source_kind(looks: sniff::Kind) -> Option<&'static str> {
    match looks {
        sniff::Kind::EximMain | sniff::Kind::EximSyslog => Some("exim"),
        sniff::Kind::Postfix => Some("postfix"),
        sniff::Kind::Gerrit => Some("gerrit"),
        sniff::Kind::Phabricator => Some("phabricator"),
        sniff::Kind::Hue => Some("hue"),
        sniff::Kind::Oozie => Some("oozie"),
        sniff::Kind::Sentry => Some("sentry"),
        sniff::Kind::Slimapp => Some("slimapp"),
        sniff::Kind::Dumps => Some("dumps"),
        _ => None,
    }
}

/// The service that a kind of log is usually of.
pub fn usual_service(kind: &str) -> Option<&'static str> {
    match kind {
        "gerrit" => Some("gerrit"),
        "phabricator" => Some("phabricator"),
        "hue" => Some("hue"),
        "oozie" => Some("oozie"),
        "sentry" => Some("sentry"),
        "dumps" => Some("snapshot"),
        _ => None,
    }
}

/// Whether a program of this kind writes one record into several files.
pub fn writes_copies(kind: &str) -> bool {
    kind == "hue"
}

/// Whether a line is a record of its own in this format.
fn is_record(format: &AppFormat, line: &[u8]) -> bool {
    format.starts(line)
        && format
            .parse(line)
            .is_ok_and(|record| record.time != Time::Undated || record.body != Body::Other)
}

/// Lines that are looked at.
const LINES_MAX: usize = 200;

fn lines(sample: &[u8]) -> impl Iterator<Item = &[u8]> {
    let complete = match memchr::memrchr(b'\n', sample) {
        Some(end) => &sample[..end],
        None => sample,
    };
    complete
        .split(|b| *b == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty())
        .take(LINES_MAX)
}

/// The format of a sample of a log, or what the file looks like instead and what to do.
pub fn recognise(spec: &Spec, sample: &[u8]) -> Result<Format, String> {
    let any = |test: &dyn Fn(&[u8]) -> bool| lines(sample).any(test);
    let tagged = |test: &dyn Fn(&[u8]) -> bool| {
        any(&|line| syslog::envelope(line).is_ok_and(|envelope| test(envelope.tag)))
            .then_some(Format::Syslog)
            .or_else(|| {
                any(&|line| line.starts_with(b"{\"") && memchr::memmem::find(line, b"\"__CURSOR\"").is_some())
                    .then_some(Format::Journal)
            })
    };
    // A syslog file in which this program has not spoken yet is right all the same.
    let any_syslog = || (sniff::sniff(sample) == Some(sniff::Kind::Syslog)).then_some(Format::Syslog);
    let found = match &spec.way {
        Way::Exim if any(&|line| exim::parse(line).is_ok()) => Some(Format::Plain),
        Way::Exim => tagged(&|tag| tag.starts_with(b"exim")).or_else(any_syslog),
        Way::Postfix => tagged(&postfix::is_postfix).or_else(any_syslog),
        Way::App(format) => any(&|line| is_record(format, line)).then_some(Format::Plain),
    };
    found.ok_or_else(|| foreign(spec.kind, sample))
}

/// How the words of [`recognise`] end, for those who store.
pub const NOT_STORED: &str = ". Nothing of it was stored";

fn foreign(kind: &str, sample: &[u8]) -> String {
    let looks = match sniff::sniff(sample) {
        Some(other) => format!("looks like {}", other.as_str()),
        None if sample.contains(&0) => "looks like binary data".to_owned(),
        None => "looks like no mail log that is known here".to_owned(),
    };
    let cure = match sniff::sniff(sample).and_then(source_kind) {
        Some(other) if other != kind => format!("Name its kind: `kind = \"{other}\"`"),
        _ => "Leave it out, or name its kind in a [[source]]".to_owned(),
    };
    format!(
        "not a log of kind {kind}: it {looks}; none of its first lines parses. {cure}; `mailpulse parse --explain` \
         shows where a line stops to parse{NOT_STORED}"
    )
}

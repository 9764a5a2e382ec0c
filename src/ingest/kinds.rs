//! How a log is read: what the configuration says of its source, and how its lines are wrapped, told by its content.

use super::lines::peel::TIMELESS;
use super::survey::{Survey, is_mark, lines};
use crate::source::Limits;
use jiff::tz::TimeZone;
use mailpulse_parsers::app::{AppBody, Format as AppFormat, Time, UNDATED};
use mailpulse_parsers::layers::Mta;
use mailpulse_parsers::{exim, sniff, syslog, wrap};
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
    /// In the wrapper of a container's runtime.
    Wrapped,
}

/// What stands in front of a log's lines that is not the program's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// A tag that stands on every line and is not the program's: a container's ID, Exim's `syslog_processname`.
    pub tag: Option<Arc<[u8]>>,
    /// It is what an Exim in the foreground prints.
    pub foreground: bool,
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
    /// Tags of syslog that stand for the program, beside its own.
    pub tags: Arc<[String]>,
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
            tags: Arc::default(),
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
            && self.tags == other.tags
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
        sniff::Kind::EximMain | sniff::Kind::EximSyslog | sniff::Kind::EximForeground => Some("exim"),
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

/// Kinds of logs that are one service's.
pub const USUAL_SERVICES: [(&str, &str); 6] = [
    ("gerrit", "gerrit"),
    ("phabricator", "phabricator"),
    ("hue", "hue"),
    ("oozie", "oozie"),
    ("sentry", "sentry"),
    ("dumps", "snapshot"),
];

/// The service that a kind of log is usually of.
pub fn usual_service(kind: &str) -> Option<&'static str> {
    let found = USUAL_SERVICES.iter().find(|(of, _)| *of == kind);
    found.map(|(_, service)| *service)
}

/// Whether a program of this kind writes one record into several files.
pub fn writes_copies(kind: &str) -> bool {
    kind == "hue"
}

/// Whether a line is a record of its own in this format.
fn is_record(format: &AppFormat, line: &[u8]) -> bool {
    format.starts(line)
        && match format.parse(line) {
            Ok(record) => record.time != Time::Undated || record.body != AppBody::Other,
            // It is about mail: an application that renamed the field, whose lines are counted as unparsed.
            Err(reject) => reject.expected == UNDATED,
        }
}

/// What was learnt of a log from its first lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// How its lines are wrapped.
    pub format: Format,
    /// What stands in front of them.
    pub head: Head,
}

impl Recognised {
    /// A log without anything unusual.
    pub fn plain(format: Format) -> Recognised {
        Recognised {
            format,
            head: Head::default(),
        }
    }
}

/// How a sample of a log is read, or what the file looks like instead and what to do.
pub fn recognise(spec: &Spec, sample: &[u8]) -> Result<Recognised, String> {
    let any = |test: &dyn Fn(&[u8]) -> bool| lines(sample).any(test);
    let mta = match &spec.way {
        Way::App(format) if any(&|line| is_record(format, line)) => return Ok(Recognised::plain(Format::Plain)),
        Way::App(_) => return Err(foreign(spec.kind, sample)),
        Way::Exim => Mta::Exim,
        Way::Postfix => Mta::Postfix,
    };
    // What nearly every log is, told by its first lines.
    if mta == Mta::Exim && any(&|line| exim::parse(line).is_ok_and(|record| record.id.is_some())) {
        return Ok(Recognised::plain(Format::Plain));
    }
    let talks = mta == Mta::Exim && any(&is_mark);
    if !talks && any(&|line| syslog::envelope(line).is_ok_and(|envelope| mta.owns(envelope.tag))) {
        return Ok(Recognised::plain(Format::Syslog));
    }
    let survey = Survey::of(spec, mta, sample);
    if survey.is_timeless() {
        return Err(format!("it cannot be dated: {TIMELESS}{NOT_STORED}"));
    }
    if let Some((format, head)) = survey.format() {
        return Ok(Recognised { format, head });
    }
    // A file in which this program has not spoken yet is right all the same.
    if survey.is_journal() {
        return Ok(Recognised::plain(Format::Journal));
    }
    if sniff::sniff(sample) == Some(sniff::Kind::Syslog) {
        return Ok(Recognised::plain(Format::Syslog));
    }
    Err(foreign(spec.kind, sample))
}

/// How the words of [`recognise`] end, for those who store.
pub const NOT_STORED: &str = ". Nothing of it was stored";

fn foreign(kind: &str, sample: &[u8]) -> String {
    let looks = match sniff::sniff(sample) {
        Some(other) => format!("looks like {}", other.as_str()),
        None if sample.contains(&0) => "looks like binary data".to_owned(),
        None => "looks like no mail log that is known here".to_owned(),
    };
    let runtime = lines(sample).find_map(wrap::unwrap).map(|wrapped| wrapped.runtime);
    if let Some(runtime) = runtime
        && !matches!(kind, "exim" | "postfix")
    {
        return format!(
            "not a log of kind {kind}: its lines are in the wrapper of {}, which is taken off for exim and postfix only. \
             Read what `docker logs NAME` or `kubectl logs NAME` prints instead{NOT_STORED}",
            runtime.as_str()
        );
    }
    let cure = match sniff::sniff(sample).and_then(source_kind) {
        Some(other) if other != kind => format!("Name its kind: `kind = \"{other}\"`"),
        _ => "Leave it out, or name its kind in a [[source]]".to_owned(),
    };
    format!(
        "not a log of kind {kind}: it {looks}; none of its first lines parses. {cure}; `mailpulse parse --explain` \
         shows where a line stops to parse{NOT_STORED}"
    )
}

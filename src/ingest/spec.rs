//! How a log is read: its kind, the grammar of its lines, and what the configuration says of its source.

use super::line_hosts::LineHosts;
use crate::model::log_kinds::{EXIM, KindReader, LogKind, POSTFIX};
use crate::source::Limits;
use jiff::tz::TimeZone;
use mailpulse_parsers::app::Format as AppFormat;
use mailpulse_parsers::layers::Mta;
use mailpulse_parsers::sniff;
use std::path::Path;
use std::sync::Arc;

/// Which grammar reads the lines.
#[derive(Debug, Clone)]
pub enum Grammar {
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
    pub grammar: Grammar,
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
    /// Whose lines they are, where that may not be the source's host.
    pub line_hosts: Option<Arc<LineHosts>>,
}

impl Spec {
    /// The spec of a grammar with nothing else configured.
    pub fn of(grammar: Grammar, zone: TimeZone) -> Spec {
        let kind = match &grammar {
            Grammar::Exim => EXIM,
            Grammar::Postfix => POSTFIX,
            Grammar::App(format) => format.as_str(),
        };
        Spec {
            kind,
            grammar,
            zone,
            year: None,
            service: None,
            relay: None,
            tags: Arc::default(),
            line_hosts: None,
        }
    }

    /// Whether both describe sources that one line of threads can read one after the other.
    pub fn same_reading(&self, other: &Spec) -> bool {
        let parser = |spec: &Spec| match &spec.grammar {
            Grammar::App(parser) => Some(Arc::as_ptr(parser)),
            _ => None,
        };
        self.kind == other.kind
            && self.zone == other.zone
            && self.year == other.year
            && self.service == other.service
            && self.relay == other.relay
            && self.tags == other.tags
            && self.line_hosts == other.line_hosts
            && (parser(self) == parser(other) || !self.is_described())
    }

    fn is_described(&self) -> bool {
        LogKind::named(self.kind).is_some_and(|kind| kind.reader == KindReader::Described)
    }
}

impl Grammar {
    /// The mail server whose lines it reads.
    pub fn mta(&self) -> Option<Mta> {
        match self {
            Grammar::Exim => Some(Mta::Exim),
            Grammar::Postfix => Some(Mta::Postfix),
            Grammar::App(_) => None,
        }
    }

    /// The grammar of a kind that needs no description, by its name.
    pub fn named(kind: &str) -> Option<Grammar> {
        let kind = LogKind::named(kind)?;
        match kind.reader {
            KindReader::Exim => Some(Grammar::Exim),
            KindReader::Postfix => Some(Grammar::Postfix),
            KindReader::BuiltIn => AppFormat::named(kind.name).map(|format| Grammar::App(Arc::new(format))),
            KindReader::Described => None,
        }
    }

    /// The grammar for a file that no source names, by its content; Exim's where that says nothing, which then says
    /// why not.
    pub fn sniffed(path: &Path, limits: &Limits) -> Grammar {
        crate::source::sample(path, 64, limits)
            .ok()
            .and_then(|sample| sniff::sniff(&sample.bytes))
            .and_then(LogKind::of_look)
            .and_then(|kind| Grammar::named(kind.name))
            .unwrap_or(Grammar::Exim)
    }
}

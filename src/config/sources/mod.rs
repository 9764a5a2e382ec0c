//! Sources: which files, of what kind, whose, in which time zone.

mod journal;

pub(crate) use journal::JournalPart;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use glob::Pattern;
use jiff::tz::TimeZone;
use mailpulse_parsers::app::Format;

use super::at::At;
use super::errors::shown;
use super::formats;
use super::names::{NAME_HINT, is_host_name, is_name};
use super::path_glob::{GLOB_HINT, PathGlob, plain};
use super::path_template::PathTemplate;
use super::raw::{RawSource, RawSourceKind};
use super::report::Report;
use super::shape::IncompleteTables;
use super::zone::parse_timezone;
use crate::model::log_kinds::{EXIM, KindReader, POSTFIX};

/// What writes a log.
#[derive(Debug, Clone)]
pub enum SourceKind {
    /// The Exim main log.
    Exim,
    /// Postfix.
    Postfix,
    /// An application.
    App(Arc<Format>),
}

impl SourceKind {
    /// The kind as the configuration writes it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            SourceKind::Exim => EXIM,
            SourceKind::Postfix => POSTFIX,
            SourceKind::App(format) => format.as_str(),
        }
    }
}

/// Whose log a file is.
#[derive(Debug, Clone)]
pub enum HostOf {
    /// This machine's.
    This,
    /// That of a named host.
    Named(String),
    /// Read from the path; see [`Source::host_in`].
    Path,
    /// Each line's is the host's that it names.
    Lines,
}

/// `host` of a log whose lines name their hosts.
pub(crate) const FROM_LOG: &str = "from-log";

/// One `[[source]]`.
#[derive(Debug, Clone)]
pub struct Source {
    /// What writes the log.
    pub kind: SourceKind,
    /// Its files.
    pub paths: Vec<PathGlob>,
    /// Whose it is.
    pub host: HostOf,
    /// Zone of its timestamps.
    pub timezone: TimeZone,
    /// Year of timestamps without one; by default the file's time tells.
    pub year: Option<i16>,
    /// Service that an application's log is of.
    pub service: Option<String>,
    /// Relay that an application hands its mail to.
    pub relay: Option<String>,
    /// Tags of syslog that stand for the program, beside its own.
    pub syslog_tags: Vec<String>,
    /// Where it stands: `mailpulse.toml:12`.
    pub place: String,
    /// What is read of systemd's journal, instead of files.
    pub journal: Option<JournalPart>,
    template: Option<PathTemplate>,
}

/// RFC 5424's longest name of an application is 48 bytes; a container's ID has 64.
const TAG_BYTES_MAX: usize = 128;

impl Source {
    /// Whether a file belongs to this source.
    #[must_use]
    pub fn matches(&self, path: &Path) -> bool {
        self.paths.iter().any(|glob| glob.matches(path))
    }

    /// Tags under which its program logs, beside its own: configured ones, and identifiers that are asked for by name.
    #[must_use]
    pub fn tags(&self) -> Arc<[String]> {
        let identifiers = self.journal.iter().flat_map(|journal| &journal.identifiers);
        self.syslog_tags.iter().chain(identifiers).cloned().collect()
    }

    /// The host in the path of a file, with `host_from`.
    #[must_use]
    pub fn host_in(&self, path: &Path) -> Option<String> {
        let path = plain(path);
        self.template.as_ref()?.host(path.to_str()?).map(str::to_owned)
    }
}

/// The kinds that need no description.
fn kind(raw: RawSourceKind) -> Option<SourceKind> {
    let kind = raw.log_kind();
    match kind.reader {
        KindReader::Exim => Some(SourceKind::Exim),
        KindReader::Postfix => Some(SourceKind::Postfix),
        KindReader::BuiltIn => Format::named(kind.name).map(|format| SourceKind::App(Arc::new(format))),
        KindReader::Described => None,
    }
}

/// Checks all sources.
pub(super) fn check(
    raw: Vec<At<RawSource>>,
    folder: &Path,
    incomplete: &IncompleteTables,
    report: &mut Report<'_>,
) -> Vec<Source> {
    let mut checker = Checker {
        folder,
        report,
        known: HashMap::new(),
        journals: HashMap::new(),
    };
    let mut sources = Vec::new();
    for source in raw {
        let at = source.at();
        let complete = !incomplete.contains(&at.start);
        let source = source.into_inner();
        let kind = source.kind.as_ref().and_then(|kind| {
            let kind = *kind.get();
            let built_in = self::kind(kind);
            let name = kind.log_kind().name;
            formats::refuse_misfits(kind, name, &source, checker.report);
            built_in.or_else(|| {
                let format = formats::described(kind, &source, &at, incomplete, checker.report)?;
                Some(SourceKind::App(Arc::new(format)))
            })
        });
        let journal = source.journal.as_ref().is_some_and(|journal| *journal.get());
        if source.paths.as_ref().is_none_or(Vec::is_empty) && source.host_from.is_none() && complete && !journal {
            checker.report.add(
                &at,
                "[[source]] has no `paths`",
                "add `paths = [\"/var/log/exim4/mainlog*\"]`",
            );
        }
        let place = checker.report.place(&at);
        sources.extend(checker.source(source, kind, place));
    }
    sources
}

struct Checker<'c, 'r> {
    folder: &'c Path,
    report: &'c mut Report<'r>,
    /// Globs seen, and where.
    known: HashMap<String, String>,
    /// Journals seen, and where.
    journals: HashMap<journal::Which, String>,
}

impl Checker<'_, '_> {
    fn source(&mut self, mut raw: RawSource, kind: Option<SourceKind>, place: String) -> Option<Source> {
        let journal = journal::check(&mut raw, self.folder, &mut self.journals, self.report);
        let written: Vec<_> = raw.paths.unwrap_or_default();
        let mut paths: Vec<PathGlob> = written.iter().filter_map(|path| self.glob(path)).collect();
        let mut template = None;
        if let Some(from) = &raw.host_from {
            if let Some(host) = &raw.host {
                let what = "both `host` and `host_from` are given";
                self.report
                    .add(&host.at(), what, "keep `host` for one host, `host_from` for many");
            }
            let text = self.absolute(from.get());
            match PathTemplate::compile(&text) {
                Ok(compiled) => {
                    let glob = PathTemplate::as_glob(&text);
                    if written.is_empty()
                        && let Ok(pattern) = Pattern::new(&glob)
                    {
                        paths.push(PathGlob { text: glob, pattern });
                    }
                    template = Some(compiled);
                }
                Err((what, hint)) => {
                    self.report.add(
                        &from.at(),
                        format!("`host_from = \"{}\"` {what}", shown(from.get())),
                        hint,
                    );
                }
            }
        }
        let host = match (raw.host, &template) {
            (Some(host), _) if host.get() == FROM_LOG => self.host_of_lines(&host, kind.as_ref()),
            (Some(host), _) => self.host(&host).map(HostOf::Named),
            (None, Some(_)) => Some(HostOf::Path),
            (None, None) => Some(HostOf::This),
        };
        let timezone = raw.timezone.map_or(Some(TimeZone::UTC), |zone| self.timezone(&zone));
        let service = raw
            .service
            .map_or(Some(None), |name| self.service(&name, kind.as_ref()).map(Some));
        let tags = raw
            .syslog_tag
            .map_or(Some(Vec::new()), |tags| self.tags(&tags, kind.as_ref()));
        let relay = raw.relay.map_or(Some(None), |name| self.host(&name).map(Some));
        Some(Source {
            kind: kind?,
            paths,
            host: host?,
            timezone: timezone?,
            year: raw.year,
            service: service?,
            relay: relay?,
            syslog_tags: tags?,
            place,
            journal,
            template,
        })
    }

    fn glob(&mut self, path: &At<String>) -> Option<PathGlob> {
        let quoted = shown(path.get());
        let wrong = match path.get() {
            text if text.trim().is_empty() => Some(("names no file", "write a path or a glob of paths".to_owned())),
            text if text.contains("{host}") => Some(("contains `{host}`", format!("write `host_from = \"{quoted}\"`"))),
            text if text.contains(['{', '}']) => Some((
                "contains braces, which globs of paths do not support",
                "write one path for each".to_owned(),
            )),
            _ => None,
        };
        let text = self.absolute(path.get());
        let pattern = match (wrong, Pattern::new(&text)) {
            (None, Ok(pattern)) => pattern,
            (None, Err(error)) => {
                self.report.add(
                    &path.at(),
                    format!("`{quoted}` is not a glob: {}", error.msg),
                    GLOB_HINT,
                );
                return None;
            }
            (Some((what, hint)), _) => {
                self.report.add(&path.at(), format!("`{quoted}` {what}"), hint);
                return None;
            }
        };
        let place = self.report.place(&path.at());
        if let Some(first) = self.known.insert(text.clone(), place) {
            let what = format!("`{quoted}` is already defined at {first}");
            self.report
                .add(&path.at(), what, "remove one: a file belongs to one source");
        }
        Some(PathGlob { text, pattern })
    }

    fn service(&mut self, name: &At<String>, kind: Option<&SourceKind>) -> Option<String> {
        if let Some(SourceKind::Exim | SourceKind::Postfix) = kind {
            let what = "`service` at a source of an MTA, whose log has the mail of many services";
            self.report
                .add(&name.at(), what, "remove it, and write a [[service]] rule");
            return None;
        }
        if !is_name(name.get()) {
            let what = format!("`{}` cannot be the name of a service", shown(name.get()));
            self.report.add(&name.at(), what, NAME_HINT);
            return None;
        }
        Some(name.get().clone())
    }

    fn tags(&mut self, tags: &At<Vec<At<String>>>, kind: Option<&SourceKind>) -> Option<Vec<String>> {
        if let Some(SourceKind::App(_)) = kind {
            let what = "`syslog_tag` at a source that is not read through syslog";
            self.report
                .add(&tags.at(), what, "remove it: it is for the kinds exim and postfix");
            return None;
        }
        let mut good = Some(Vec::new());
        for tag in tags.get() {
            let text = tag.get();
            let is_tag = |c: char| c.is_ascii_graphic() && !matches!(c, ':' | '[');
            if text.is_empty() || text.len() > TAG_BYTES_MAX || !text.chars().all(is_tag) {
                let what = format!("`{}` is not a syslog tag", shown(text));
                let hint = "write the text before `[123]:` or `:` in the log, without spaces, as in \
                            `syslog_tag = [\"mailer\"]`";
                self.report.add(&tag.at(), what, hint);
                good = None;
            } else if let Some(good) = &mut good {
                good.push(text.clone());
            }
        }
        good
    }

    fn absolute(&self, path: &str) -> String {
        plain(&self.folder.join(path)).to_string_lossy().into_owned()
    }

    fn host(&mut self, host: &At<String>) -> Option<String> {
        if is_host_name(host.get()) {
            return Some(host.get().clone());
        }
        let what = format!("`host = \"{}\"` is not a host name", shown(host.get()));
        self.report
            .add(&host.at(), what, "use at most 253 letters, digits, `-`, `_`, and dots");
        None
    }

    fn host_of_lines(&mut self, host: &At<String>, kind: Option<&SourceKind>) -> Option<HostOf> {
        if let Some(SourceKind::App(_)) = kind {
            let what = format!("`host = \"{FROM_LOG}\"` is for logs of kind exim and postfix");
            self.report.add(&host.at(), what, "name the host, or use `host_from`");
            return None;
        }
        Some(HostOf::Lines)
    }

    fn timezone(&mut self, zone: &At<String>) -> Option<TimeZone> {
        parse_timezone(zone.get())
            .map_err(|hint| {
                let what = format!("unknown `timezone = \"{}\"`", shown(zone.get()));
                self.report.add(&zone.at(), what, hint);
            })
            .ok()
    }
}

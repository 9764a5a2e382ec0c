//! A look at the first lines of a mail server's log: how they are wrapped, under which tags its lines stand, and whether
//! they are its lines at all. What is decided here holds for the whole log.

use super::form::{LineHead, Wrapping, WrappingForm};
use super::journal_entry::JournalEntry;
use super::peel::{LineContent, Peeler, Trust};
use crate::ingest::spec::Spec;
use mailpulse_parsers::exim::{self, Foreground, foreground};
use mailpulse_parsers::harmless::safe_text;
use mailpulse_parsers::layers::{Mta, is_sure};
use mailpulse_parsers::wrap::unwrap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Lines that are looked at.
pub(super) const LINES_MAX: usize = 200;

/// The complete lines of a sample that are looked at.
pub(super) fn lines(sample: &[u8]) -> impl Iterator<Item = &[u8]> {
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

/// What was seen.
#[derive(Debug, Default)]
pub struct Survey {
    /// Lines.
    pub lines: usize,
    /// Lines of the program, of an Exim in the foreground too.
    pub own: usize,
    /// Of these, lines without any head.
    plain: usize,
    /// Of these, lines that can only be an Exim's.
    sure: usize,
    /// Lines that say nothing.
    nothing: usize,
    /// Lines in a container runtime's wrapper.
    wrapped: usize,
    /// Lines of the journal's export.
    journal: usize,
    /// Entries of an Exim in the foreground.
    foreground: usize,
    /// Of these, those with a time around them.
    timed: usize,
    /// Whole lines of the program by tags that nobody vouches for.
    pub untrusted: BTreeMap<Vec<u8>, usize>,
    /// Lines of other programs by their tags.
    pub foreign: BTreeMap<Vec<u8>, usize>,
    unknown: usize,
}

/// Whether a line is an entry of `journalctl -o json`.
fn is_journal_entry(line: &[u8]) -> bool {
    line.starts_with(b"{") && memchr::memmem::find(line, b"\"__REALTIME_TIMESTAMP\"").is_some()
}

impl Survey {
    /// Looks at the lines of a sample.
    #[must_use]
    pub fn of(spec: &Spec, mta: Mta, sample: &[u8]) -> Survey {
        let survey = Survey::with(spec, mta, sample, LineHead::default());
        // Where Exim writes its log to the same output, that is read.
        if mta == Mta::Exim && survey.sure == 0 && lines(sample).any(is_mark) {
            let tag = survey.uniform_tag().map(Arc::from);
            return Survey {
                untrusted: survey.untrusted,
                ..Survey::with(spec, mta, sample, LineHead { tag, foreground: true })
            };
        }
        survey
    }

    fn with(spec: &Spec, mta: Mta, sample: &[u8], head: LineHead) -> Survey {
        let trust = Trust { spec, head: &head };
        let mut survey = Survey::default();
        let mut peeler = Peeler::default();
        for line in lines(sample) {
            survey.lines += 1;
            if is_journal_entry(line) {
                survey.journal += 1;
                match JournalEntry::parse(line) {
                    Ok(entry) => survey.take(Peeler::envelope(mta, line, &entry.envelope(), trust)),
                    Err(_) => survey.unknown += 1,
                }
                continue;
            }
            survey.wrapped += usize::from(unwrap(line).is_some());
            peeler.line(mta, line, trust, |found| {
                let plain = matches!(&found, LineContent::Own(envelope) if envelope.rest.len() == line.len());
                survey.plain += usize::from(plain);
                survey.take(found);
            });
        }
        survey
    }

    fn take(&mut self, found: LineContent<'_>) {
        match found {
            LineContent::Own(envelope) => {
                self.own += 1;
                let sure = exim::parse_in_syslog(&envelope).is_ok_and(|record| is_sure(&record));
                self.sure += usize::from(sure);
            }
            LineContent::Foreground(line, stamp) => {
                let entry = usize::from(matches!(foreground(line), Foreground::Mark { main: true, .. }));
                self.foreground += entry;
                if stamp.is_some() {
                    (self.timed, self.own) = (self.timed + entry, self.own + entry);
                }
            }
            LineContent::Untrusted(tag) => *self.untrusted.entry(tag.to_vec()).or_default() += 1,
            LineContent::Foreign(envelope) => *self.foreign.entry(envelope.tag.to_vec()).or_default() += 1,
            LineContent::Nothing(_) => self.nothing += 1,
            LineContent::Unknown(_) => self.unknown += 1,
        }
    }

    /// The tag that is not the program's and that stands on every line, some of which can only be its lines.
    #[must_use]
    pub(crate) fn uniform_tag(&self) -> Option<&[u8]> {
        let (tag, _) = self.untrusted.first_key_value()?;
        let alone = self.untrusted.len() == 1 && self.own == self.timed && self.unknown == 0;
        (alone && self.foreign.keys().all(|other| other == tag)).then_some(tag)
    }

    /// How the log is read; none if it is none of the program's.
    pub(super) fn form(&self) -> Option<WrappingForm> {
        let head = LineHead {
            tag: self.uniform_tag().map(Arc::from),
            foreground: self.foreground > 0,
        };
        let speaks = self.own > 0 || !self.untrusted.is_empty() || self.foreground > 0;
        // A log that has only begun, or a container in which others speak.
        let may_speak = self.unknown == 0 && (self.nothing == self.lines || self.wrapped == self.lines);
        if self.lines == 0 || !(speaks || may_speak) {
            return None;
        }
        let wrapping = match () {
            () if self.journal > 0 => Wrapping::Journal,
            () if self.wrapped > 0 => Wrapping::Container,
            () if self.plain > 0 && self.plain == self.own && self.untrusted.is_empty() && !head.foreground => {
                Wrapping::Plain
            }
            () => Wrapping::Syslog,
        };
        Some(WrappingForm { wrapping, head })
    }

    /// Whether this is an Exim's output that nothing dates.
    #[must_use]
    pub(crate) fn is_timeless(&self) -> bool {
        self.foreground > 0 && self.timed == 0 && self.own == 0
    }

    /// Whether it is the journal's export.
    pub(super) fn is_journal(&self) -> bool {
        self.journal > 0
    }

    /// What does not fit, for people.
    #[must_use]
    pub fn warnings(&self, mta: Mta) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.uniform_tag().is_none() {
            for (tag, count) in self.untrusted.iter().take(5) {
                warnings.push(format!(
                    "{count} of its first {} lines hold a line of {} under the tag `{2}`, which is not its own: they are \
                     not read. If that program is {1}, add `syslog_tag = [\"{2}\"]` to this source",
                    self.lines,
                    mta.as_str(),
                    shown(tag)
                ));
            }
        }
        let foreign: usize = self.foreign.values().sum();
        if self.own == 0 && self.untrusted.is_empty() && foreign > 0 {
            let mut tags: Vec<_> = self.foreign.iter().collect();
            tags.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let names: Vec<String> = tags
                .iter()
                .take(5)
                .map(|(tag, _)| format!("`{}`", shown(tag)))
                .collect();
            warnings.push(format!(
                "none of its first {} lines is {}'s; they are of {}{}. If {1} logs under another tag, name it: \
                 `syslog_tag = [\"…\"]`; if it logs elsewhere, correct `paths`",
                self.lines,
                mta.as_str(),
                names.join(", "),
                if tags.len() > 5 { " and others" } else { "" }
            ));
        }
        warnings
    }
}

fn shown(tag: &[u8]) -> String {
    safe_text(&tag[..tag.len().min(100)])
}

/// Whether a line, with or without what stands around it, is the first one of an entry of an Exim in the foreground.
pub(super) fn is_mark(line: &[u8]) -> bool {
    // What stands around it ends in a space, a quote, or it is nothing.
    let Some(at) = memchr::memmem::find(line, b"LOG: MAIN") else {
        return false;
    };
    matches!(at.checked_sub(1).map(|before| line[before]), None | Some(b' ' | b'"'))
}

//! How a source fits its files: looks at the beginning of each.
//!
//! A template that never matches and a condition that never holds are how a format that changed, or was described
//! wrongly, shows itself: without this, its mail would count as zero.

use super::warning::{ConfigWarning, WarningTopic};
use crate::config::{Source, SourceKind};
use crate::ingest::wrapping::{NOT_STORED, Survey, recognise};
use crate::normalise::exim::zone::{ZoneVerdict, verdict_of};
use crate::setup::plan::spec;
use crate::source::{Limits, sample};
use jiff::tz::TimeZone;
use mailpulse_parsers::app::json::Mapping;
use mailpulse_parsers::app::pattern::Patterns;
use mailpulse_parsers::app::{Format, Time};
use std::path::{Path, PathBuf};

/// What is read of a file.
const SAMPLE_KIB: usize = 64;

/// Files of a source that are looked at; a central log tree has thousands.
const FILES_MAX: usize = 200;

/// Ambiguous lines of a source that are told.
const AMBIGUOUS_MAX: usize = 5;

/// A file's beginning, in records, each with the number of its first line.
struct Records {
    path: PathBuf,
    records: Vec<(usize, Vec<u8>)>,
}

/// What does not fit.
pub(super) fn of<'p>(source: &Source, files: impl Iterator<Item = &'p Path>, limits: &Limits) -> Vec<ConfigWarning> {
    let mut warnings = Vec::new();
    let spec = spec(source);
    let mut surveyed = Vec::new();
    let mut zones = ZoneSurvey::default();
    for path in files.take(FILES_MAX) {
        let Ok(sample) = sample(path, SAMPLE_KIB, limits) else {
            // A file that cannot be read is told with the paths, or by the run that reads it.
            continue;
        };
        if sample.bytes.is_empty() {
            continue;
        }
        match (recognise(&spec, &sample.bytes), spec.grammar.mta()) {
            (Err(why), _) => {
                let why = why.trim_end_matches(NOT_STORED);
                warnings.push(WarningTopic::Kind.says(format!("{}: {why}", path.display())));
            }
            (Ok(_), Some(mta)) => {
                let found = Survey::of(&spec, mta, &sample.bytes).warnings(mta);
                let of_file = |what| WarningTopic::Kind.says(format!("{}: {what}", path.display()));
                warnings.extend(found.into_iter().map(of_file));
            }
            (Ok(_), None) => {}
        }
        if matches!(source.kind, SourceKind::Exim) {
            zones.look(path, &source.timezone, &sample.bytes);
        }
        if let SourceKind::App(format) = &source.kind {
            surveyed.push(Records {
                path: path.to_owned(),
                records: cut(format, &sample.bytes, sample.whole),
            });
        }
    }
    let placed = |topic: WarningTopic, what: String| topic.says(format!("{}: {what}", source.place));
    warnings.extend(zones.warning().map(|what| placed(WarningTopic::Zone, what)));
    surveyed.retain(|file| !file.records.is_empty());
    if surveyed.is_empty() {
        return warnings;
    }
    if let SourceKind::App(format) = &source.kind {
        let found = match format.as_ref() {
            Format::Pattern(patterns) => templates(patterns, &surveyed),
            Format::Json(mapping) => conditions(mapping, &surveyed),
            _ => Vec::new(),
        };
        warnings.extend(found.into_iter().map(|what| placed(WarningTopic::Kind, what)));
    }
    warnings
}

/// Files whose message IDs prove the configured zone wrong.
#[derive(Default)]
struct ZoneSurvey {
    first: Option<(PathBuf, ZoneVerdict)>,
    wrong: usize,
}

impl ZoneSurvey {
    fn look(&mut self, path: &Path, zone: &TimeZone, sample: &[u8]) {
        let verdict = verdict_of(zone, sample.split(|byte| *byte == b'\n'));
        if let ZoneVerdict::Wrong(_) = verdict {
            self.wrong += 1;
            self.first.get_or_insert((path.to_owned(), verdict));
        }
    }

    fn warning(self) -> Option<String> {
        let (path, verdict) = self.first?;
        let words = crate::setup::zones::warning(verdict)?;
        let others = match self.wrong {
            1 => String::new(),
            files => format!(" and {} other files", files - 1),
        };
        Some(format!("{}{others}: {words}", path.display()))
    }
}

/// Records of a sample; the last is left out if the sample cuts it.
fn cut(format: &Format, sample: &[u8], whole: bool) -> Vec<(usize, Vec<u8>)> {
    let mut records: Vec<(usize, Vec<u8>)> = Vec::new();
    for (at, line) in sample.split(|byte| *byte == b'\n').enumerate() {
        if format.starts(line) {
            records.push((at + 1, line.to_vec()));
        } else if let Some((_, record)) = records.last_mut() {
            record.push(b'\n');
            record.extend_from_slice(line);
        }
    }
    if !whole {
        records.pop();
    }
    for (_, record) in &mut records {
        record.truncate(record.trim_ascii_end().len());
    }
    records
}

fn looked_at(files: &[Records]) -> String {
    let records: usize = files.iter().map(|file| file.records.len()).sum();
    let plural = if files.len() == 1 { "" } else { "s" };
    format!(
        "{records} records of {} file{plural}, the first {SAMPLE_KIB} KiB of each",
        files.len()
    )
}

fn templates(patterns: &Patterns, files: &[Records]) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut matches: Vec<usize> = Vec::new();
    let mut ambiguous = Vec::new();
    for file in files {
        let survey = patterns.survey(file.records.iter().map(|(_, record)| record.as_slice()));
        matches.resize(survey.matches.len(), 0);
        matches
            .iter_mut()
            .zip(&survey.matches)
            .for_each(|(sum, count)| *sum += count);
        for (record, first, other) in survey.ambiguous {
            ambiguous.push(format!(
                "ambiguous: {}:{} matches template {} and template {}, whose outcomes differ, and the first one wins. \
                 Put the narrower one first, or make both more specific",
                file.path.display(),
                file.records[record].0,
                first + 1,
                other + 1
            ));
        }
        if survey.rejected > 0 {
            warnings.push(format!(
                "{} of {} records in {} do not begin as `starts` or the first template describes, or have no valid \
                 time; `mailpulse parse` shows where",
                survey.rejected,
                survey.records,
                file.path.display()
            ));
        }
    }
    for at in (0..matches.len()).filter(|at| matches[*at] == 0) {
        warnings.push(format!(
            "template {} matches nothing in {}; correct or remove it: `mailpulse parse --explain` shows what matches",
            at + 1,
            looked_at(files)
        ));
    }
    let more = ambiguous.len().saturating_sub(AMBIGUOUS_MAX);
    warnings.extend(ambiguous.into_iter().take(AMBIGUOUS_MAX));
    if more > 0 {
        warnings.push(format!("ambiguous: and {more} more lines"));
    }
    warnings
}

fn conditions(mapping: &Mapping, files: &[Records]) -> Vec<String> {
    let (failed, submitted) = mapping.conditions();
    let mut held = vec![0usize; failed + submitted];
    let (mut parsed, mut dated) = (0, 0);
    let records = files.iter().flat_map(|file| &file.records);
    for record in records.filter_map(|(_, record)| mapping.parse_undated(record).ok()) {
        parsed += 1;
        dated += usize::from(record.time != Time::Undated);
        if let Some(count) = record.matched.and_then(|at| held.get_mut(at)) {
            *count += 1;
        }
    }
    let mut warnings = Vec::new();
    if parsed == 0 {
        // That no line is a JSON object with a valid time has been said by name of the file.
        return warnings;
    }
    if dated == 0 {
        warnings.push(format!(
            "no record has a time in {}; name its field: `fields = {{ time = \"…\" }}`",
            looked_at(files)
        ));
    }
    for at in (0..held.len()).filter(|at| held[*at] == 0) {
        let (name, number) = if at < failed {
            ("failed_when", at + 1)
        } else {
            ("submitted_when", at - failed + 1)
        };
        warnings.push(format!(
            "condition {number} of `{name}` never decides in {}; correct or remove it",
            looked_at(files)
        ));
    }
    warnings
}

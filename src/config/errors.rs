//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::text::Texts;

/// One mistake. Its text is `file:line:column: what; cure`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file, as it was named.
    pub file: PathBuf,
    /// Line from 1; 0 if the file as a whole is meant.
    pub line: usize,
    /// Column from 1, in characters; 0 with line 0.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub cure: String,
}

impl ConfigError {
    /// An error of a whole file.
    pub(super) fn of_file(file: &Path, what: String, cure: &str) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            what,
            cure: cure.to_owned(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.to_string_lossy().escape_debug())?;
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        write!(f, " {}; {}", self.what, self.cure)
    }
}

/// Collects the errors of all steps.
pub(super) struct Report<'a> {
    texts: &'a Texts,
    errors: Vec<(usize, ConfigError)>,
    warnings: Vec<ConfigError>,
    faults: Vec<ConfigError>,
}

impl<'a> Report<'a> {
    /// Starts with the errors of reading the files.
    pub(super) fn new(texts: &'a Texts, errors: Vec<ConfigError>) -> Self {
        Self {
            texts,
            errors: errors.into_iter().map(|error| (0, error)).collect(),
            warnings: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Adds an error at a place in the texts.
    pub(super) fn add(&mut self, at: &Range<usize>, what: impl Into<String>, cure: impl Into<String>) {
        let error = self.located(at, what.into(), cure.into());
        self.errors.push((at.start, error));
    }

    /// Adds what works, and is probably not meant.
    pub(super) fn warn(&mut self, at: &Range<usize>, what: impl Into<String>, cure: impl Into<String>) {
        let warning = self.located(at, what.into(), cure.into());
        self.warnings.push(warning);
    }

    /// Adds what cannot be meant, and what a daemon goes on with all the same: only `check` refuses it.
    pub(super) fn fault(&mut self, at: &Range<usize>, what: impl Into<String>, cure: impl Into<String>) {
        let fault = self.located(at, what.into(), cure.into());
        self.faults.push(fault);
    }

    /// What only `check` refuses.
    pub(super) fn take_faults(&mut self) -> Vec<ConfigError> {
        std::mem::take(&mut self.faults)
    }

    /// What has been warned of.
    pub(super) fn take_warnings(&mut self) -> Vec<ConfigError> {
        std::mem::take(&mut self.warnings)
    }

    fn located(&self, at: &Range<usize>, what: String, cure: String) -> ConfigError {
        let (file, line, column) = self.texts.place(at.start);
        ConfigError {
            file: file.to_owned(),
            line,
            column,
            what,
            cure,
        }
    }

    /// Place of a character of the text that is written at `at`; `column` counts the text's characters from 1.
    pub(super) fn inside(&self, at: &Range<usize>, column: usize) -> Range<usize> {
        let start = at.start + written_length(self.texts.source(at), column.saturating_sub(1));
        start..at.end.max(start)
    }

    /// `file:line`, to point from one error to another place.
    pub(super) fn place(&self, at: &Range<usize>) -> String {
        let (file, line, _) = self.texts.place(at.start);
        format!("{}:{line}", file.to_string_lossy().escape_debug())
    }

    /// The value if nothing is wrong, else all errors in the order of the texts.
    pub(super) fn finish<T>(mut self, value: T) -> Result<T, Vec<ConfigError>> {
        if self.errors.is_empty() {
            return Ok(value);
        }
        self.errors.sort_by_key(|(at, _)| *at);
        let mut errors: Vec<_> = self.errors.into_iter().map(|(_, error)| error).collect();
        errors.dedup();
        Err(errors)
    }
}

/// Bytes that the opening quotes and the first characters of a TOML string take as it is written.
fn written_length(source: &str, characters: usize) -> usize {
    let (quotes, escapes) = match source.as_bytes() {
        [b'"', b'"', b'"', ..] => (3, true),
        [b'\'', b'\'', b'\'', ..] => (3, false),
        [first, ..] => (1, *first == b'"'),
        [] => return 0,
    };
    let mut at = quotes;
    if quotes == 3 && source[at..].starts_with('\n') {
        at += 1;
    }
    for _ in 0..characters {
        let Some(rest) = source.get(at..) else { break };
        let Some(c) = rest.chars().next() else { break };
        at += match (escapes && c == '\\', rest.as_bytes().get(1)) {
            (false, _) => c.len_utf8(),
            (true, Some(b'u')) => 6,
            (true, Some(b'U')) => 10,
            (true, Some(b'x')) => 4,
            (true, _) => 2,
        };
    }
    at.min(source.len())
}

/// Text of a user inside a message: on one line, and without anything that a terminal would act on.
pub(super) fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    let short: String = text.chars().take(CHARS_MAX).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("{}{dots}", short.escape_debug())
}

/// The candidate that was probably meant.
pub(super) fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let folded = name.to_lowercase();
    let distance = |candidate: &str| strsim::osa_distance(&folded, &candidate.to_lowercase());
    let (distance, candidate) = candidates
        .into_iter()
        .map(|c| (distance(c), c))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= (name.chars().count() / 3).max(1)).then_some(candidate)
}

/// The cure for an unknown word: what was meant, or all there is.
pub(super) fn suggestion<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str> + Clone, kind: &str) -> String {
    match nearest(name, candidates.clone()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("{kind}: {}", candidates.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_what_is_near() {
        let keys = ["sender", "sender_domain", "client", "timezone"];
        assert_eq!(nearest("snder", keys), Some("sender"));
        assert_eq!(nearest("Time_Zone", keys), Some("timezone"));
        assert_eq!(nearest("from", keys), None);
        assert_eq!(suggestion("from", ["a", "b"], "known keys"), "known keys: a, b");
    }

    #[test]
    fn places_within_a_text_count_quotes_and_escapes() {
        assert_eq!(written_length(r#""abc""#, 2), 3);
        assert_eq!(written_length(r#""\"\u00e9ü{""#, 3), 1 + 2 + 6 + 2);
        assert_eq!(written_length("'''\na\\b'''", 2), 4 + 2);
        assert_eq!(written_length("\"ab", 99), 3);
        assert_eq!(written_length("", 99), 0);
    }

    #[test]
    fn users_text_cannot_act() {
        assert_eq!(shown("a\u{1b}[31m\n"), "a\\u{1b}[31m\\n");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), 81);
    }
}

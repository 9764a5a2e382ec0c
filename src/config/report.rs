//! Collects what is wrong with a configuration, with its place in the texts.

use std::ops::Range;

use super::errors::ConfigError;
use super::text::ConfigTexts;

/// Collects the errors of all steps.
pub(super) struct Report<'a> {
    texts: &'a ConfigTexts,
    errors: Vec<(usize, ConfigError)>,
    warnings: Vec<ConfigError>,
    faults: Vec<ConfigError>,
}

impl<'a> Report<'a> {
    /// Starts with the errors of reading the files.
    pub(super) fn new(texts: &'a ConfigTexts, errors: Vec<ConfigError>) -> Self {
        Self {
            texts,
            errors: errors.into_iter().map(|error| (0, error)).collect(),
            warnings: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Adds an error at a place in the texts.
    pub(super) fn add(&mut self, at: &Range<usize>, what: impl Into<String>, hint: impl Into<String>) {
        let error = self.located(at, what.into(), hint.into());
        self.errors.push((at.start, error));
    }

    /// Adds what works, and is probably not meant.
    pub(super) fn warn(&mut self, at: &Range<usize>, what: impl Into<String>, hint: impl Into<String>) {
        let warning = self.located(at, what.into(), hint.into());
        self.warnings.push(warning);
    }

    /// Adds what cannot be meant, and what a daemon goes on with all the same: only `check` refuses it.
    pub(super) fn fault(&mut self, at: &Range<usize>, what: impl Into<String>, hint: impl Into<String>) {
        let fault = self.located(at, what.into(), hint.into());
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

    fn located(&self, at: &Range<usize>, what: String, hint: String) -> ConfigError {
        let (file, line, column) = self.texts.place(at.start);
        ConfigError {
            file: file.to_owned(),
            line,
            column,
            what,
            hint,
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
    if quotes == 3 && source.as_bytes().get(at) == Some(&b'\n') {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_within_a_text_count_quotes_and_escapes() {
        assert_eq!(written_length(r#""abc""#, 2), 3);
        assert_eq!(written_length(r#""\"\u00e9ü{""#, 3), 1 + 2 + 6 + 2);
        assert_eq!(written_length("'''\na\\b'''", 2), 4 + 2);
        assert_eq!(written_length("\"ab", 99), 3);
        assert_eq!(written_length("", 99), 0);
    }
}

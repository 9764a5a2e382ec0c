//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

/// One mistake. Its text is `file:line:column: what; hint`.
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
    pub hint: String,
}

impl ConfigError {
    /// An error of a whole file.
    pub(super) fn of_file(file: &Path, what: String, hint: &str) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            what,
            hint: hint.to_owned(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.to_string_lossy().escape_debug())?;
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        write!(f, " {}; {}", self.what, self.hint)
    }
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

/// The hint for an unknown word: what was meant, or all there is.
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
    fn users_text_cannot_act() {
        assert_eq!(shown("a\u{1b}[31m\n"), "a\\u{1b}[31m\\n");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), 81);
    }
}

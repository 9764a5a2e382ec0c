//! What is wrong with a format that the configuration describes: where, what, and the cure.

use std::fmt;

/// A description that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildError {
    /// The part of the description: `template 2`, `failed_when 1`, `time_format`.
    pub part: String,
    /// Place in that part's text, in characters from 1; `None` if the part as a whole is meant.
    pub column: Option<usize>,
    /// What is wrong and what to write instead.
    pub problem: String,
}

impl BuildError {
    pub(super) fn new(part: impl Into<String>, column: Option<usize>, problem: impl Into<String>) -> Self {
        BuildError {
            part: part.into(),
            column,
            problem: problem.into(),
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            Some(column) => write!(f, "{}, column {column}: {}", self.part, self.problem),
            None => write!(f, "{}: {}", self.part, self.problem),
        }
    }
}

impl std::error::Error for BuildError {}

/// ` (did you mean …?)` if one of `known` is near to `name`.
pub(super) fn suggestion(name: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .map(|known| (distance(name, known), known))
        .min()
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4);
    near.map_or_else(String::new, |(_, known)| format!(" (did you mean `{known}`?)"))
}

/// Levenshtein distance of short names; long ones are far from everything.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 32 || b.len() > 32 {
        return usize::MAX;
    }
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut row: Vec<usize> = (1..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        // What stands to the left, and above it.
        let (mut left, mut diagonal) = (i + 1, i);
        for (y, above) in b.iter().zip(&mut row) {
            left = (diagonal + usize::from(x != y)).min(left + 1).min(*above + 1);
            diagonal = std::mem::replace(above, left);
        }
    }
    row.last().copied().unwrap_or(a.len())
}

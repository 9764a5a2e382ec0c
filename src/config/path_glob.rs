//! Globs over absolute paths.

use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};

/// What globs know.
pub(super) const GLOB_HINT: &str = "globs of paths support `*`, `?`, `[0-9]`, and `**` as a whole folder";

/// A glob over absolute paths.
#[derive(Debug, Clone)]
pub struct PathGlob {
    pub(super) text: String,
    pub(super) pattern: Pattern,
}

impl PathGlob {
    /// The glob as text, for the crate `glob`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the path is one of these files. It need not exist; `..` in it is resolved as text.
    #[must_use]
    pub fn matches(&self, path: &Path) -> bool {
        let options = MatchOptions {
            require_literal_separator: true,
            ..MatchOptions::default()
        };
        self.pattern.matches_path_with(&plain(path), options)
    }
}

/// The path as absolute text without `.` and `..`. Links are not followed: a glob is text too.
pub(super) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in std::path::absolute(path)
        .unwrap_or_else(|_| path.to_owned())
        .components()
    {
        match component {
            Component::ParentDir => _ = plain.pop(),
            other => plain.push(other),
        }
    }
    plain
}

//! Folders and globs, bounded in depth and number. Every folder is entered once, so that links cannot make a loop.
//!
//! The `glob` crate matches single names here and does not walk: its own walk leaves out names that are no UTF-8.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};
use rustc_hash::FxHashSet;

use super::super::unpack::kind_of;
use super::super::{Limits, SourceError};
use super::Skipped;
use super::family::Name;

/// As a shell does: `*` does not match a leading dot.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

pub(super) struct FolderWalk<'l> {
    pub(super) files: Vec<PathBuf>,
    pub(super) errors: Vec<SourceError>,
    pub(super) skipped: Vec<Skipped>,
    limits: &'l Limits,
    entered: FxHashSet<(u64, u64)>,
    entries: usize,
}

impl<'l> FolderWalk<'l> {
    pub(super) fn new(limits: &'l Limits) -> FolderWalk<'l> {
        FolderWalk {
            files: Vec::new(),
            errors: Vec::new(),
            skipped: Vec::new(),
            limits,
            entered: FxHashSet::default(),
            entries: 0,
        }
    }

    /// One path as it was written: what exists under that very name comes before a glob.
    pub(super) fn argument(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() || metadata.is_file() => self.take(path, &metadata),
            Ok(metadata) => {
                self.errors.push(SourceError::NotAFile {
                    path: path.to_owned(),
                    what: kind_of(&metadata),
                });
            }
            Err(_) if is_glob(path.as_os_str()) && fs::symlink_metadata(path).is_err() => self.expand(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
                self.errors.push(SourceError::Missing { path: path.to_owned() });
            }
            Err(error) => self.errors.push(SourceError::unreadable(path, error)),
        }
    }

    fn take(&mut self, path: &Path, metadata: &Metadata) {
        if metadata.is_dir() {
            let before = self.files.len() + self.errors.len();
            let new = !self.entered.contains(&(metadata.dev(), metadata.ino()));
            self.folder(path, metadata, 0);
            if new && before == self.files.len() + self.errors.len() {
                self.errors.push(SourceError::NoLogs { path: path.to_owned() });
            }
        } else if metadata.is_file() {
            self.files.push(path.to_owned());
        } else {
            self.skipped.push(Skipped::NotAFile {
                path: path.to_owned(),
                what: kind_of(metadata),
            });
        }
    }

    fn folder(&mut self, path: &Path, metadata: &Metadata, depth: usize) {
        if !self.entered.insert((metadata.dev(), metadata.ino())) {
            return;
        }
        if depth > self.limits.depth_max {
            let (path, limit) = (path.to_owned(), self.limits.depth_max);
            self.errors.push(SourceError::TooMuch {
                path,
                what: "deeper folders",
                limit,
            });
            return;
        }
        for name in self.names(path) {
            let entry = path.join(&name);
            let bytes = name.as_bytes();
            let log = Name::parse(bytes).looks_like_log();
            if bytes.starts_with(b".") {
                continue;
            }
            match fs::metadata(&entry) {
                Ok(metadata) if metadata.is_dir() => self.folder(&entry, &metadata, depth + 1),
                Ok(metadata) if log => self.take(&entry, &metadata),
                Ok(_) => {}
                Err(error) if log => self.errors.push(SourceError::unreadable(&entry, error)),
                Err(_) => {}
            }
        }
    }

    /// The names in a folder, sorted.
    fn names(&mut self, path: &Path) -> Vec<std::ffi::OsString> {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => {
                self.errors.push(SourceError::unreadable(path, error));
                return Vec::new();
            }
        };
        let left = self.limits.entries_max.saturating_sub(self.entries);
        let mut names: Vec<_> = entries
            .flatten()
            .map(|entry| entry.file_name())
            .take(left + 1)
            .collect();
        if names.len() > left {
            names.truncate(left);
            let (path, limit) = (path.to_owned(), self.limits.entries_max);
            self.errors.push(SourceError::TooMuch {
                path,
                what: "more entries",
                limit,
            });
        }
        self.entries += names.len();
        names.sort();
        names
    }

    fn expand(&mut self, pattern: &Path) {
        let mut base = PathBuf::new();
        let mut rest = Vec::new();
        for component in pattern.components() {
            let name = component.as_os_str();
            if rest.is_empty() && !is_glob(name) {
                base.push(name);
                continue;
            }
            let compiled = match component {
                Component::Normal(name) => Pattern::new(&text(name)).map_err(|error| error.msg),
                _ => Err("`..` after a wildcard"),
            };
            match compiled {
                Ok(compiled) => rest.push(compiled),
                Err(detail) => {
                    let (pattern, detail) = (pattern.to_owned(), detail.to_owned());
                    self.errors.push(SourceError::BadGlob { pattern, detail });
                    return;
                }
            }
        }
        let before = (self.files.len(), self.errors.len(), self.skipped.len());
        self.matches(&base, &rest, 0);
        if before == (self.files.len(), self.errors.len(), self.skipped.len()) {
            self.errors.push(SourceError::NoMatch {
                pattern: pattern.to_owned(),
            });
        }
    }

    /// Every path under `base` that the pattern's components match. A link to a folder above ends at the depth limit.
    fn matches(&mut self, base: &Path, pattern: &[Pattern], depth: usize) {
        let [first, rest @ ..] = pattern else { return };
        let any_depth = first.as_str() == "**";
        if any_depth && !rest.is_empty() {
            self.matches(base, rest, depth);
        }
        if depth > self.limits.depth_max {
            return;
        }
        let folder = if base.as_os_str().is_empty() {
            Path::new(".")
        } else {
            base
        };
        for name in self.names(folder) {
            let hidden = name.as_bytes().starts_with(b".");
            if if any_depth {
                hidden
            } else {
                !first.matches_with(&text(&name), OPTIONS)
            } {
                continue;
            }
            let path = base.join(&name);
            match fs::metadata(&path) {
                Ok(metadata) if any_depth && metadata.is_dir() => {
                    // `**` follows no links, as in a shell.
                    if !path.is_symlink() {
                        self.matches(&path, pattern, depth + 1);
                    }
                }
                Ok(metadata) if rest.is_empty() => self.take(&path, &metadata),
                Ok(metadata) if !any_depth && metadata.is_dir() => self.matches(&path, rest, depth + 1),
                Ok(_) => {}
                Err(error) if rest.is_empty() => self.errors.push(SourceError::unreadable(&path, error)),
                Err(_) => {}
            }
        }
    }
}

fn is_glob(text: &OsStr) -> bool {
    text.as_bytes().iter().any(|byte| b"*?[".contains(byte))
}

/// A name as text for matching: one that is no UTF-8 goes byte by byte, so that `*` and `?` match it.
fn text(name: &OsStr) -> String {
    match name.to_str() {
        Some(text) => text.to_owned(),
        None => name.as_bytes().iter().map(|byte| char::from(*byte)).collect(),
    }
}

//! From the paths that somebody wrote to the files that are read: folders and globs expanded, one file under several
//! names taken once, the generations of a rotated log together and oldest first.
//!
//! A file that was named is taken whatever its name; in a folder only names that look like logs are. What is no
//! regular file is never opened. One bad path does not stop the others: every failure stands in [`Scan::errors`].

mod family;
mod skipped;
#[cfg(test)]
mod tests;
mod walk;

use crate::model::time::UtcMs;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use family::{Age, Name};
use rustc_hash::FxHashMap;
pub use skipped::Skipped;
use walk::FolderWalk;

use super::unpack::open_regular;
use super::{Codec, Limits, SourceError, Stamp};

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// How it was reached.
    pub path: PathBuf,
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Size on disk.
    pub size: u64,
    /// Time of the last change.
    pub mtime_ms: UtcMs,
    /// By its magic bytes.
    pub codec: Codec,
}

impl Found {
    /// For [`super::identity`].
    pub fn stamp(&self) -> Stamp {
        let Found {
            dev,
            ino,
            size,
            mtime_ms,
            codec,
            ..
        } = *self;
        Stamp {
            dev,
            ino,
            size,
            mtime_ms,
            codec,
        }
    }
}

/// The generations of one log, in one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// The folder, and what the names share. A file of that name need not exist.
    pub stem: PathBuf,
    /// Oldest first, as far as names tell.
    pub files: Vec<Found>,
}

/// What a scan found.
#[derive(Debug, Default)]
pub struct Scan {
    /// By path.
    pub families: Vec<Family>,
    /// What could not be read, or was not there.
    pub errors: Vec<SourceError>,
    /// What was left alone.
    pub skipped: Vec<Skipped>,
}

/// Expands files, folders and globs.
pub fn scan(paths: &[PathBuf], limits: &Limits) -> Scan {
    let mut walk = FolderWalk::new(limits);
    for path in paths {
        walk.argument(path);
    }
    let mut scan = Scan {
        families: Vec::new(),
        errors: walk.errors,
        skipped: walk.skipped,
    };
    let mut files = Vec::new();
    for path in once_each(walk.files, &mut scan) {
        match found(&path) {
            Ok(file) => files.push(file),
            Err(error) => scan.errors.push(error),
        }
    }
    scan.families = families(files);
    scan
}

/// One name a file: a real name before a symbolic link, then by the alphabet.
fn once_each(mut paths: Vec<PathBuf>, scan: &mut Scan) -> Vec<PathBuf> {
    paths.sort();
    paths.dedup();
    paths.sort_by_cached_key(|path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()));
    let mut taken: FxHashMap<(u64, u64), PathBuf> = FxHashMap::default();
    let mut kept = Vec::new();
    for path in paths {
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) => {
                scan.errors.push(SourceError::unreadable(&path, error));
                continue;
            }
        };
        let Stamp { dev, ino, .. } = Stamp::of(&metadata, Codec::Plain);
        if let Some(taken) = taken.get(&(dev, ino)) {
            scan.skipped.push(Skipped::SameFile {
                path,
                taken: taken.clone(),
            });
        } else {
            taken.insert((dev, ino), path.clone());
            kept.push(path);
        }
    }
    kept
}

fn found(path: &Path) -> Result<Found, SourceError> {
    let (file, codec) = open_regular(path)?;
    let metadata = file.metadata().map_err(|error| SourceError::unreadable(path, error))?;
    let Stamp {
        dev,
        ino,
        size,
        mtime_ms,
        codec,
    } = Stamp::of(&metadata, codec);
    Ok(Found {
        path: path.to_owned(),
        dev,
        ino,
        size,
        mtime_ms,
        codec,
    })
}

fn families(files: Vec<Found>) -> Vec<Family> {
    // A folder may be reached by several names: what makes a family is the folder itself.
    let mut folders: FxHashMap<PathBuf, PathBuf> = FxHashMap::default();
    let mut by_stem: BTreeMap<PathBuf, Vec<(Age, PathBuf, Found)>> = BTreeMap::new();
    for file in files {
        let name = Name::parse(file.path.file_name().unwrap_or_default().as_bytes());
        let folder = file
            .path
            .parent()
            .filter(|folder| *folder != Path::new(""))
            .unwrap_or(Path::new("."));
        let real = folders.entry(folder.to_owned());
        let real = real.or_insert_with(|| folder.canonicalize().unwrap_or_else(|_| folder.to_owned()));
        let stem = OsString::from_vec(name.stem);
        by_stem
            .entry(real.join(&stem))
            .or_default()
            .push((name.age, file.path.with_file_name(&stem), file));
    }
    let in_order = |mut files: Vec<(Age, PathBuf, Found)>| {
        files.sort_by(|a, b| (&a.0, &a.2.path).cmp(&(&b.0, &b.2.path)));
        let stem = files.last().map(|(_, stem, _)| stem.clone()).unwrap_or_default();
        Family {
            stem,
            files: files.into_iter().map(|(_, _, file)| file).collect(),
        }
    };
    by_stem.into_values().map(in_order).collect()
}

//! Standard input, spooled to a file: a log must be looked at twice (what is it, do we know it) and may be an archive.
//!
//! The file lies in a folder of the store, so that it takes the disk that the operator gave us, and is removed when it
//! has been read. What a killed run left there is removed by the next one: it is whatever nobody holds a lock on.

use super::{Limits, SourceError};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Nobody writes to the file any more: it is as old as a log that is at rest.
const AT_REST: Duration = Duration::from_secs(120);

/// A file that holds what came in. Removed when dropped.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    /// Its lock says that it is in use.
    _file: File,
}

impl Spool {
    /// Reads `input` to its end into a file below `folder`.
    ///
    /// # Errors
    /// It cannot be read or written, or is longer than a log's content may be.
    pub fn of(input: &mut dyn Read, folder: &Path, limits: &Limits) -> Result<Spool, SourceError> {
        let unreadable = |path: &Path, error| SourceError::unreadable(path, error);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(folder)
            .map_err(|error| unreadable(folder, error))?;
        remove_leftovers(folder);
        let path = folder.join(format!("stdin-{}", std::process::id()));
        // It holds addresses: nobody else reads it.
        let mut options = File::options();
        options.write(true).create_new(true).mode(0o600);
        // Left by a process of the same number that was killed; a link in its place is not written to.
        let _ = fs::remove_file(&path);
        let mut file = options.open(&path).map_err(|error| unreadable(&path, error))?;
        let spool = Spool {
            path: path.clone(),
            _file: file.try_clone().map_err(|error| unreadable(&path, error))?,
        };
        let fill = || -> io::Result<u64> {
            file.try_lock()?;
            let copied = io::copy(&mut input.take(limits.content_bytes_max.saturating_add(1)), &mut file)?;
            file.set_modified(file.metadata()?.modified()? - AT_REST)?;
            Ok(copied)
        };
        match { fill }() {
            Ok(copied) if copied > limits.content_bytes_max => Err(SourceError::TooLong {
                limit_bytes: limits.content_bytes_max,
            }),
            Ok(_) => Ok(spool),
            Err(error) => Err(unreadable(&path, error)),
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn remove_leftovers(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_goes_away_and_takes_leftovers_with_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("stdin-0"), "left by a killed run").unwrap();
        let spool = Spool::of(&mut &b"a line\n"[..], folder.path(), &Limits::default()).unwrap();
        assert_eq!(fs::read(spool.path()).unwrap(), b"a line\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let path = spool.path().to_owned();
        remove_leftovers(folder.path());
        assert!(path.exists(), "it is in use");
        drop(spool);
        assert!(!path.exists());
    }

    #[test]
    fn endless_input_ends() {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits {
            content_bytes_max: 1000,
            ..Limits::default()
        };
        let error = Spool::of(&mut io::repeat(b'x'), folder.path(), &limits).unwrap_err();
        assert!(error.to_string().contains("1000 bytes"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

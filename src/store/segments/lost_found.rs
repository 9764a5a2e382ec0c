//! `lost+found/` in the store: files that nothing refers to are moved there, and are not removed before the folder has
//! reached its limit. Then the oldest go first.

use crate::files;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folder's name.
pub(crate) const FOLDER: &str = "lost+found";
/// Its limit where the configuration states none, bytes.
pub(crate) const LOST_FOUND_BYTES_MAX: u64 = 1 << 30;
/// Files in it, at most.
const FILES_MAX: usize = 10_000;

/// What lies in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LostFoundContents {
    /// Files, or folders.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The folder, and how much may lie in it.
#[derive(Debug)]
pub(crate) struct LostFound {
    folder: PathBuf,
    bytes_max: u64,
}

/// One of its files.
struct KeptFile {
    number: u64,
    path: PathBuf,
    bytes: u64,
}

impl LostFound {
    /// That of a store.
    pub(crate) fn of(store: &Path, bytes_max: u64) -> Self {
        LostFound {
            folder: store.join(FOLDER),
            bytes_max,
        }
    }

    /// How much lies in it.
    pub(crate) fn contents(&self) -> LostFoundContents {
        let kept = self.kept();
        LostFoundContents {
            files: kept.len() as u64,
            bytes: kept.iter().map(|file| file.bytes).sum(),
        }
    }

    /// Moves files into it, each under its name with a number before it; what is beyond the limit goes, oldest first. A file
    /// that is not there is passed over. Returns how many were moved.
    ///
    /// # Errors
    /// With the path that could not be moved; those before it are.
    pub(crate) fn take(&self, paths: &[PathBuf]) -> Result<u64, (PathBuf, io::Error)> {
        if paths.is_empty() {
            return Ok(0);
        }
        files::make_folder(&self.folder).map_err(|error| (self.folder.clone(), error))?;
        let mut number = self.kept().last().map_or(0, |file| file.number);
        let mut moved = 0;
        for path in paths {
            number += 1;
            let mut name = std::ffi::OsString::from(format!("{number:06}-"));
            name.push(path.file_name().unwrap_or_default());
            match fs::rename(path, self.folder.join(name)) {
                Ok(()) => moved += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err((path.clone(), error)),
            }
        }
        files::sync_folder(&self.folder).map_err(|error| (self.folder.clone(), error))?;
        self.bound();
        Ok(moved)
    }

    /// Removes the oldest while there is too much.
    fn bound(&self) {
        let kept = self.kept();
        let mut bytes: u64 = kept.iter().map(|file| file.bytes).sum();
        let mut count = kept.len();
        for file in kept {
            if bytes <= self.bytes_max && count <= FILES_MAX {
                return;
            }
            let removed = match fs::symlink_metadata(&file.path) {
                Ok(found) if found.is_dir() => fs::remove_dir_all(&file.path),
                _ => fs::remove_file(&file.path),
            };
            match removed {
                Ok(()) => tracing::warn!(
                    path = %file.path.display(),
                    "removed: lost+found is larger than lost_found_mib_max"
                ),
                Err(error) => tracing::warn!(path = %file.path.display(), %error, "cannot remove"),
            }
            (bytes, count) = (bytes - file.bytes, count - 1);
        }
    }

    /// All files, oldest first.
    fn kept(&self) -> Vec<KeptFile> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut kept: Vec<KeptFile> = entries
            .map(|entry| {
                let name = entry.file_name();
                let number = name.to_str().and_then(|name| name.split('-').next()?.parse().ok());
                KeptFile {
                    number: number.unwrap_or(0),
                    bytes: size_of_tree(&entry.path(), 0),
                    path: entry.path(),
                }
            })
            .collect();
        kept.sort_by(|a, b| (a.number, &a.path).cmp(&(b.number, &b.path)));
        kept
    }
}

/// Bytes of a file, or of all in a folder; links count as nothing. Eight folders deep.
fn size_of_tree(path: &Path, depth: u32) -> u64 {
    let Ok(found) = fs::symlink_metadata(path) else {
        return 0;
    };
    if !found.is_dir() || depth > 8 {
        return if found.is_file() { found.len() } else { 0 };
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| size_of_tree(&entry.path(), depth + 1)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_kept_under_numbers_and_the_oldest_go_when_there_is_too_much() {
        let store = tempfile::tempdir().unwrap();
        let lost = LostFound::of(store.path(), 250);
        for round in 0..4 {
            let path = store.path().join("7.events.parquet");
            fs::write(&path, vec![b'0' + round; 100]).unwrap();
            let gone = store.path().join("was never there");
            assert_eq!(lost.take(&[path, gone]).unwrap(), 1);
        }
        let mut names: Vec<_> = fs::read_dir(store.path().join(FOLDER))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["000003-7.events.parquet", "000004-7.events.parquet"]);
        assert_eq!(lost.contents(), LostFoundContents { files: 2, bytes: 200 });
        let newest = fs::read(store.path().join(FOLDER).join(&names[1])).unwrap();
        assert_eq!(newest, [b'3'; 100]);
    }

    #[test]
    fn folders_and_links_are_moved_as_they_are() {
        let store = tempfile::tempdir().unwrap();
        let lost = LostFound::of(store.path(), 1000);
        fs::create_dir(store.path().join("folder")).unwrap();
        fs::write(store.path().join("folder/file"), [0; 50]).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", store.path().join("link")).unwrap();
        let paths = ["folder", "link"].map(|name| store.path().join(name));
        assert_eq!(lost.take(&paths).unwrap(), 2);
        assert_eq!(lost.contents(), LostFoundContents { files: 2, bytes: 50 });
    }
}

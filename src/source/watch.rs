//! Asks the system to tell when a folder changes. A hint and no more: the rescan that always runs finds what no event
//! told, and a queue that overflowed, or a limit on watches, costs time and no line.
//!
//! A watch is for quiet times. While a log grows by thousands of lines a second, each of them would be an event; whoever
//! reads then drops the watch, looks once a second, and sets it again when nothing happens any more.

use notify::event::ModifyKind;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::path::{Path, PathBuf};

/// Folders that are watched; dropping it ends that.
pub struct FolderWatch {
    _watcher: RecommendedWatcher,
    /// Folders that cannot be watched, and why.
    pub unwatched: Vec<(PathBuf, String)>,
}

impl FolderWatch {
    /// Watches folders, without what is below them. `changed` is called from another thread, with whether names may have
    /// changed.
    ///
    /// # Errors
    /// The system's own words: no more watches at all.
    pub fn new(folders: &[PathBuf], changed: impl Fn(bool) + Send + 'static) -> Result<FolderWatch, String> {
        let handler = move |event: notify::Result<Event>| {
            let names = match &event {
                Ok(event) if event.need_rescan() => true,
                Ok(event) => match event.kind {
                    EventKind::Access(_) => return,
                    EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)) => false,
                    _ => true,
                },
                // It may be an overflow: something happened.
                Err(_) => true,
            };
            changed(names);
        };
        let mut watcher = notify::recommended_watcher(handler).map_err(|error| error.to_string())?;
        let mut unwatched = Vec::new();
        for folder in folders {
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                unwatched.push((folder.clone(), error.to_string()));
            }
        }
        Ok(FolderWatch {
            _watcher: watcher,
            unwatched,
        })
    }
}

/// The folders in which the files of a pattern lie or will lie, as far as they are there: a change of names shows there.
pub fn folders_of(pattern: &Path) -> Vec<PathBuf> {
    let is_pattern = |text: &str| text.contains(['*', '?', '[']);
    let parent = match pattern.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    if pattern.is_dir() {
        return vec![pattern.to_owned()];
    }
    match parent.to_str() {
        Some(text) if is_pattern(text) => {
            let found = glob::glob(text).into_iter().flatten().flatten();
            found.filter(|path| path.is_dir()).take(FOLDERS_MAX).collect()
        }
        _ => vec![parent.to_owned()],
    }
}

/// Folders watched for one pattern, at most.
const FOLDERS_MAX: usize = 1_000;

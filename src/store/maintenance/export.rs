//! Segments as Parquet files in a folder of somebody else's. A list in the folder says which files are of the last export:
//! the next one takes their place, because segments that were merged meanwhile have other names and the same rows.

use super::verify::LISTS_MAX;
use crate::files;
use crate::model::time::UtcMs;
use crate::store::catalogue::{CatalogueError, Segment, numbers};
use crate::store::error::StoreError;
use crate::store::handle::Store;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The list's name.
pub(crate) const LIST: &str = "mailpulse-export.json";

/// What stands in the list.
#[derive(Debug, Serialize, Deserialize)]
struct ExportList {
    /// Of this form.
    mailpulse_export: u32,
    /// Number of the catalogue whose segments they are.
    store: String,
    /// Names of the files. Those of an export that was killed, and those that it was to replace, are among them.
    files: BTreeSet<String>,
}

/// What was exported.
#[derive(Debug, Default)]
pub struct Exported {
    /// Segments.
    pub segments: u64,
    /// Files of an earlier export that were removed.
    pub removed: u64,
    /// Segments that could not be read, or are not what was committed, one line each.
    pub missing: Vec<String>,
}

/// A file on its way.
struct Copied {
    temporary: PathBuf,
    name: String,
}

/// Copies the segments of a window into a folder, and takes the place of an earlier export of this store.
///
/// # Errors
/// The folder holds something else; it cannot be written.
pub fn export(store: &Store, folder: &Path, since_ms: UtcMs, until_ms: UtcMs) -> Result<Exported, StoreError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::Io { path, source }
    };
    files::make_folder(folder).map_err(io(folder))?;
    let own = format!("{:016x}", numbers::id_of(&store.catalogue().connection())?);
    let before = earlier(folder, &own)?;
    let mut exported = Exported::default();
    let mut copied: Vec<Copied> = Vec::new();
    let mut done: BTreeSet<i64> = BTreeSet::new();
    let mut segments = Vec::new();
    for _ in 0..LISTS_MAX {
        segments = store.segments().between(since_ms, until_ms)?;
        exported.missing.clear();
        for segment in &segments {
            if done.contains(&segment.id) {
                continue;
            }
            match copy_segment(store, segment, folder) {
                Ok(files) => {
                    done.insert(segment.id);
                    copied.extend(files);
                }
                Err(CopyFault::Segment(why)) => exported.missing.push(why),
                Err(CopyFault::Folder(error)) => return Err(error),
            }
        }
        let now: Vec<i64> = store
            .segments()
            .between(since_ms, until_ms)?
            .iter()
            .map(|s| s.id)
            .collect();
        if segments.iter().map(|segment| segment.id).eq(now) {
            break;
        }
    }
    let named: BTreeSet<String> = segments
        .iter()
        .filter(|segment| done.contains(&segment.id))
        .flat_map(|segment| names(store, segment))
        .collect();
    // Merged while the others were copied.
    let (wanted, unwanted): (Vec<Copied>, Vec<Copied>) =
        copied.into_iter().partition(|file| named.contains(&file.name));
    for file in unwanted {
        fs::remove_file(&file.temporary).map_err(io(&file.temporary))?;
    }
    exported.segments = (named.len() / 2) as u64;
    let all: BTreeSet<String> = before.union(&named).cloned().collect();
    write_list(folder, &own, &all)?;
    // Never both: who reads the folder meanwhile counts no row twice.
    for name in before.difference(&named) {
        match fs::remove_file(folder.join(name)) {
            Ok(()) => exported.removed += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io(&folder.join(name))(error)),
        }
    }
    for file in wanted {
        let to = folder.join(&file.name);
        fs::rename(&file.temporary, &to).map_err(io(&to))?;
    }
    write_list(folder, &own, &named)?;
    files::sync_folder(folder).map_err(io(folder))?;
    Ok(exported)
}

fn names(store: &Store, segment: &Segment) -> [String; 2] {
    [store.files().events(segment.id), store.files().rates(segment.id)].map(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.unwrap_or_default().to_owned()
    })
}

/// Copies both files of a segment under temporary names.
fn copy_segment(store: &Store, segment: &Segment, folder: &Path) -> Result<Vec<Copied>, CopyFault> {
    let mut copied = Vec::new();
    let paths = [store.files().events(segment.id), store.files().rates(segment.id)];
    let hashes = [&segment.events_hash, &segment.rates_hash];
    for ((path, hash), name) in paths.iter().zip(hashes).zip(names(store, segment)) {
        let bytes = fs::read(path).map_err(|error| CopyFault::Segment(format!("{}: {error}", path.display())))?;
        if blake3::hash(&bytes).to_hex().as_str() != hash {
            let what = "its content differs from what was committed; `mailpulse store verify` says more";
            return Err(CopyFault::Segment(format!("{}: {what}", path.display())));
        }
        let temporary = folder.join(format!("{name}.tmp"));
        let written = files::new_file(&temporary).and_then(|mut file| {
            io::Write::write_all(&mut file, &bytes)?;
            file.sync_all()
        });
        written.map_err(|source| {
            CopyFault::Folder(StoreError::Io {
                path: temporary.clone(),
                source,
            })
        })?;
        copied.push(Copied { temporary, name });
    }
    Ok(copied)
}

/// Why a segment was not copied.
enum CopyFault {
    /// It, or its absence.
    Segment(String),
    /// Where it was to go.
    Folder(StoreError),
}

/// The files of an earlier export of this store; a folder with anything else is refused.
fn earlier(folder: &Path, store: &str) -> Result<BTreeSet<String>, StoreError> {
    let refused = |what: &str| StoreError::NotOurs {
        path: folder.to_owned(),
        what: what.to_owned(),
    };
    let io = |path: PathBuf| move |source| StoreError::Io { path, source };
    let path = folder.join(LIST);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut entries = fs::read_dir(folder).map_err(io(folder.to_owned()))?;
            return match entries.next() {
                None => Ok(BTreeSet::new()),
                Some(_) => Err(refused(&format!("it is not empty, and contains no export (no {LIST})"))),
            };
        }
        Err(error) => return Err(io(path)(error)),
    };
    let list: ExportList =
        serde_json::from_slice(&text).map_err(|why| refused(&format!("its {LIST} is damaged ({why})")))?;
    if list.mailpulse_export != 1 {
        return Err(refused("it contains an export of a newer version"));
    }
    if list.store != store {
        return Err(refused("it contains an export of another store"));
    }
    // Names are ours, whatever stands in the list.
    let is_ours = |name: &String| {
        let number = name
            .strip_suffix(".events.parquet")
            .or_else(|| name.strip_suffix(".rates.parquet"));
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    Ok(list.files.into_iter().filter(is_ours).collect())
}

fn write_list(folder: &Path, store: &str, names: &BTreeSet<String>) -> Result<(), StoreError> {
    let path = folder.join(LIST);
    let list = ExportList {
        mailpulse_export: 1,
        store: store.to_owned(),
        files: names.clone(),
    };
    let text = serde_json::to_vec_pretty(&list).map_err(CatalogueError::from)?;
    files::write_whole(&path, &text).map_err(|source| StoreError::Io { path, source })
}

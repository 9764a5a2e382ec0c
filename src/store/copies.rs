//! `copies/` in the store: copies of the catalogue, an hour apart, the two newest. Segments can be read again from their
//! files; positions of logs, lines by minute and open messages stand in the catalogue alone.
//!
//! A copy is a snapshot, made by SQLite's backup beside the readers and the writer, looked through (`quick_check`), and
//! packed. Its name says when it was made, which segment was the newest, and the hash of the file: a copy is there
//! whole, or it is none.

use crate::files;
use crate::model::time::{HOUR_MS, UtcMs};
use crate::store::catalogue::{self, snapshot};
use crate::store::error::StoreError;
use std::fs::{self, File};
use std::io::{self, Read, Seek as _, Write};
use std::path::{Path, PathBuf};

/// The folder's name.
pub(crate) const FOLDER: &str = "copies";
/// From copy to copy.
pub(crate) const EVERY_MS: i64 = HOUR_MS;
/// Copies kept.
const KEPT: usize = 2;
/// What a copy unpacks to, at most.
const UNPACKED_BYTES_MAX: u64 = 64 << 30;

/// A copy, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// Its file.
    pub path: PathBuf,
    /// Counts the copies of a store.
    pub number: u64,
    /// When it was made, UTC milliseconds.
    pub taken_ms: UtcMs,
    /// The newest segment then.
    pub last_segment: i64,
    /// BLAKE3 of the file, the first half, hexadecimal.
    hash: String,
}

impl Copy {
    fn of(path: PathBuf) -> Option<Copy> {
        let name = path.file_name()?.to_str()?;
        let parts = name.strip_prefix("catalogue-")?.strip_suffix(".sqlite.zst")?;
        let mut parts = parts.split('-');
        let mut next = || parts.next();
        let (number, taken_ms) = (next()?.parse().ok()?, UtcMs::new(next()?.parse().ok()?));
        let (last_segment, hash) = (next()?.parse().ok()?, next()?.to_owned());
        let whole = next().is_none() && hash.len() == 32;
        whole.then_some(Copy {
            path,
            number,
            taken_ms,
            last_segment,
            hash,
        })
    }

    /// Whether its file is what was written.
    pub fn is_whole(&self) -> io::Result<bool> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(&self.path)?)?;
        Ok(short(&hasher) == self.hash)
    }

    /// Unpacks it to a new file, and looks it through.
    ///
    /// # Errors
    /// Why it is no good.
    pub fn unpack(&self, to: &Path) -> Result<(), String> {
        let text = |error: io::Error| error.to_string();
        if !self.is_whole().map_err(text)? {
            return Err("its content differs from what was written (hash mismatch)".to_owned());
        }
        let packed = File::open(&self.path).map_err(text)?;
        let unpacked = zstd::stream::read::Decoder::new(packed).map_err(text)?;
        let mut file = files::new_file(to).map_err(text)?;
        let copied = io::copy(&mut unpacked.take(UNPACKED_BYTES_MAX), &mut file).map_err(text)?;
        if copied == UNPACKED_BYTES_MAX {
            return Err(format!("it decompresses to more than {UNPACKED_BYTES_MAX} bytes"));
        }
        file.sync_all().map_err(text)?;
        catalogue::check_file(to)
    }
}

/// The first half of a hash, hexadecimal.
fn short(hasher: &blake3::Hasher) -> String {
    hasher.finalize().to_hex().chars().take(32).collect()
}

/// All copies of a store, newest first.
pub fn list(store: &Path) -> Vec<Copy> {
    let entries = fs::read_dir(store.join(FOLDER)).into_iter().flatten().flatten();
    let mut copies: Vec<Copy> = entries.filter_map(|entry| Copy::of(entry.path())).collect();
    copies.sort_by_key(|copy| std::cmp::Reverse(copy.number));
    copies
}

/// Whether there is none, or the newest is older than an hour; a clock that was set back does not count.
pub fn is_due(store: &Path, now_ms: UtcMs) -> bool {
    list(store)
        .first()
        .is_none_or(|copy| !(copy.taken_ms..copy.taken_ms + EVERY_MS).contains(&now_ms))
}

/// Makes a copy, and removes those that are older than the last two. Only who may write to the store calls it; it takes no
/// lock of the catalogue's that a writer waits for.
///
/// # Errors
/// It cannot be read or written; the catalogue is damaged, and the copies that are there stay.
pub fn take(store: &Path, now_ms: UtcMs) -> Result<(), StoreError> {
    let folder = store.join(FOLDER);
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::Io { path, source }
    };
    files::make_folder(&folder).map_err(io(&folder))?;
    let (plain, packed) = (folder.join("copy.sqlite.tmp"), folder.join("copy.zst.tmp"));
    drop(files::new_file(&plain).map_err(io(&plain))?);
    let made = snapshot(&store.join(catalogue::FILE), &plain)
        .map_err(StoreError::from)
        .and_then(|last_segment| {
            let hash = pack(&plain, &packed).map_err(io(&packed))?;
            Ok((last_segment, hash))
        });
    for end in ["", "-journal", "-wal", "-shm"] {
        let _ = fs::remove_file(folder.join(format!("copy.sqlite.tmp{end}")));
    }
    let (last_segment, hash) = made.inspect_err(|_| _ = fs::remove_file(&packed))?;
    let number = list(store).first().map_or(0, |copy| copy.number) + 1;
    let name = format!("catalogue-{number}-{}-{last_segment}-{hash}.sqlite.zst", now_ms.get());
    let path = folder.join(name);
    fs::rename(&packed, &path).map_err(io(&path))?;
    files::sync_folder(&folder).map_err(io(&folder))?;
    for older in list(store).into_iter().skip(KEPT) {
        fs::remove_file(&older.path).map_err(io(&older.path))?;
    }
    Ok(())
}

/// Packs a file into a new one; gives its hash.
fn pack(from: &Path, to: &Path) -> io::Result<String> {
    let mut out = zstd::stream::write::Encoder::new(files::new_file(to)?, 1)?;
    io::copy(&mut File::open(from)?, &mut out)?;
    let mut file = out.finish()?;
    file.flush()?;
    file.sync_all()?;
    file.rewind()?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(&file)?;
    Ok(short(&hasher))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    const HOUR: i64 = EVERY_MS;

    #[test]
    fn two_copies_are_kept_and_one_is_made_an_hour() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path()).unwrap();
        assert!(is_due(folder.path(), UtcMs::new(0)));
        for hour in 1..=4 {
            store.positions().source(&format!("mx{hour}"), "exim").unwrap();
            take(folder.path(), UtcMs::new(hour * HOUR)).unwrap();
            assert!(!is_due(folder.path(), UtcMs::new(hour * HOUR + HOUR - 1)));
            assert!(is_due(folder.path(), UtcMs::new(hour * HOUR + HOUR)));
            assert!(
                is_due(folder.path(), UtcMs::new(hour * HOUR - 1)),
                "the clock was set back"
            );
        }
        let copies = list(folder.path());
        let numbers: Vec<u64> = copies.iter().map(|copy| copy.number).collect();
        assert_eq!(numbers, [4, 3]);
        assert_eq!(fs::read_dir(folder.path().join(FOLDER)).unwrap().count(), 2);
        let to = folder.path().join("unpacked");
        copies[0].unpack(&to).unwrap();
        let hosts = catalogue::open(&to).unwrap().number("SELECT count(*) FROM source");
        assert_eq!(hosts, 4);
    }

    #[test]
    fn a_copy_that_was_changed_is_none() {
        let folder = tempfile::tempdir().unwrap();
        drop(Store::create(folder.path()).unwrap());
        take(folder.path(), UtcMs::new(HOUR)).unwrap();
        let copy = list(folder.path()).remove(0);
        let mut bytes = fs::read(&copy.path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&copy.path, bytes).unwrap();
        let why = copy.unpack(&folder.path().join("unpacked")).unwrap_err();
        assert!(why.contains("hash"), "{why}");
    }

    #[test]
    fn a_copy_is_of_one_moment_whatever_is_committed_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path()).unwrap();
        let put = |from: i64, to: i64| {
            let connection = store.catalogue().connection();
            connection.run("BEGIN");
            for n in from..to {
                let text = format!("{n}-{}", "x".repeat(500));
                connection.run(&format!(
                    "INSERT INTO derived_service (source, name) VALUES (1, '{text}')"
                ));
            }
            connection.run("COMMIT");
        };
        put(0, 20_000);
        let end = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut at = 20_000;
                while !end.load(std::sync::atomic::Ordering::Relaxed) {
                    put(at, at + 10);
                    at += 10;
                }
            });
            take(folder.path(), UtcMs::new(HOUR)).unwrap();
            end.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        let to = folder.path().join("unpacked");
        list(folder.path())[0].unpack(&to).unwrap();
        let rows = catalogue::open(&to)
            .unwrap()
            .number("SELECT count(*) FROM derived_service");
        assert!(rows >= 20_000 && rows % 10 == 0, "{rows}");
    }

    #[test]
    #[ignore = "slow: tests/run runs it"]
    fn a_damaged_catalogue_does_not_drive_out_the_good_copies() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path()).unwrap();
        {
            let connection = store.catalogue().connection();
            for n in 0..2_000 {
                let text = format!("{n}-{}", "x".repeat(200));
                connection.run(&format!(
                    "INSERT INTO derived_service (source, name) VALUES (1, '{text}')"
                ));
            }
        }
        drop(store);
        take(folder.path(), UtcMs::new(HOUR)).unwrap();
        let catalogue = folder.path().join("catalogue.sqlite");
        let mut bytes = fs::read(&catalogue).unwrap();
        for at in (20 * 4096..60 * 4096).step_by(4096) {
            bytes[at..at + 64].fill(0xa5);
        }
        fs::write(&catalogue, bytes).unwrap();
        for hour in 2..6 {
            let error = take(folder.path(), UtcMs::new(hour * HOUR)).unwrap_err().to_string();
            assert!(error.contains("store repair"), "{error}");
        }
        let copies = list(folder.path());
        assert_eq!(copies.len(), 1);
        copies[0].unpack(&folder.path().join("unpacked")).unwrap();
        assert_eq!(fs::read_dir(folder.path().join(FOLDER)).unwrap().count(), 1);
    }
}

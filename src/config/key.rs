//! The key of the pseudonyms: 32 random bytes as hexadecimal text in a file that only its owner may read.
//!
//! A key that is lost or replaced breaks the link between old and new pseudonyms for ever, so a file that is there but
//! not good is an error, and is never written over.

use crate::files;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

const KEY_BYTES: usize = 32;
/// Everyone but the owner.
const OTHERS: u32 = 0o077;
/// Tells the temporary files of the threads of one process apart.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Reads the key, or makes one if there is none.
///
/// # Errors
/// If the file is readable by others, is no key, or cannot be read or made; the text says what to do.
pub(crate) fn load_or_create_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    match load(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(path).map_err(|error| because(path, &error, error.kind(), "make the folder writable"))?;
            load(path)
        }
        loaded => loaded,
    }
}

/// Reads the key.
///
/// # Errors
/// As [`load_or_create_key`]; and if there is none.
pub(crate) fn load(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let file = File::open(path).map_err(|error| because(path, &error, error.kind(), "make it readable"))?;
    let mode = file.metadata()?.mode() & 0o7777;
    if mode & OTHERS != 0 {
        let what = format!("its mode is {mode:04o}, so that others can read or change it");
        return Err(because(
            path,
            &what,
            io::ErrorKind::PermissionDenied,
            "run `chmod 600` on it",
        ));
    }
    let mut text = Vec::new();
    file.take(4096).read_to_end(&mut text)?;
    decode(text.trim_ascii()).ok_or_else(|| {
        let what = "it does not contain 64 hexadecimal digits";
        let hint = "restore it, or move it away to start with a new key (old pseudonyms then match no new ones)";
        because(path, &what, io::ErrorKind::InvalidData, hint)
    })
}

/// Writes a new key under another name and links it: of two processes that do this at once, one wins, and both go on
/// with its key; a crash leaves no half key.
fn create(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    files::make_folder(folder)?;
    let mut key = [0; KEY_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".{}.{number}.new", std::process::id()));
    let temporary = folder.join(name);
    // Left by a process of the same number that was killed.
    _ = fs::remove_file(&temporary);
    let written = write(&temporary, &key).and_then(|()| fs::hard_link(&temporary, path));
    fs::remove_file(&temporary)?;
    match written {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => files::sync_folder(folder),
    }
}

fn write(path: &Path, key: &[u8]) -> io::Result<()> {
    let mut file = files::new_secret(path)?;
    file.write_all(format!("{}\n", hex::encode(key)).as_bytes())?;
    file.sync_all()
}

fn decode(text: &[u8]) -> Option<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    hex::decode_to_slice(text, &mut key).ok()?;
    Some(key)
}

fn because(path: &Path, what: &dyn std::fmt::Display, kind: io::ErrorKind, hint: &str) -> io::Error {
    io::Error::new(
        kind,
        format!("key file {}: {what}; {hint}", path.to_string_lossy().escape_debug()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store/key");
        let key = load_or_create_key(&path).unwrap();
        assert_ne!(key, [0; KEY_BYTES]);
        assert_eq!(load_or_create_key(&path).unwrap(), key);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn many_at_once_get_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let keys: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| load_or_create_key(&path).unwrap()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
    }

    #[test]
    fn is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "junk").unwrap();
        let chmod = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        chmod(0o640);
        let error = load_or_create_key(&path).unwrap_err().to_string();
        assert!(
            error.ends_with("its mode is 0640, so that others can read or change it; run `chmod 600` on it"),
            "{error}"
        );
        chmod(0o600);
        let error = load_or_create_key(&path).unwrap_err().to_string();
        assert!(
            error.contains("does not contain 64 hexadecimal digits; restore it"),
            "{error}"
        );
        assert_eq!(fs::read(&path).unwrap(), b"junk");
    }
}

//! Files of the store's own, opened for writing by a name that everybody knows: whoever may write into the folder could have
//! put a link there, and what the link points to would be written over.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Opens a file of the store for reading and writing, and makes it if it is not there. A link is not followed.
///
/// # Errors
/// It is a link, or no regular file, or has a second name, or belongs to somebody else than this user and the owner of
/// its folder. The text says what to do.
pub fn open_own(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let file = options
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP) => refused("it is a symbolic link"),
            _ => error,
        })?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(refused("it is no regular file"));
    }
    if found.nlink() > 1 {
        return Err(refused("it has another name elsewhere (a hard link)"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let ours = [this_user()?, fs::metadata(folder.unwrap_or(Path::new(".")))?.uid()];
    if !ours.contains(&found.uid()) {
        return Err(refused("another user owns it"));
    }
    Ok(file)
}

/// Writes a file that is either there whole or not at all, also after a power cut once its folder is synced. The temporary
/// file is a new one: a link in its place is removed, and not followed.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let write = || -> io::Result<()> {
        let mut file = new_file(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().inspect_err(|_| {
        // Make room again: a full disk is the likeliest cause.
        let _ = fs::remove_file(&temporary);
    })
}

/// A file that was not there before: what stood in its place goes, and was not written to.
pub fn new_file(path: &Path) -> io::Result<File> {
    let create = || File::options().read(true).write(true).create_new(true).open(path);
    match create() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            create()
        }
        made => made,
    }
}

/// After files were made, renamed or removed in a folder.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn this_user() -> io::Result<u32> {
    Ok(fs::metadata("/proc/self")?.uid())
}

fn refused(what: &str) -> io::Error {
    let cure = "it is not written to; look who put it there, and remove it";
    io::Error::other(format!("{what}: {cure}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_and_what_is_no_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let precious = folder.path().join("precious");
        fs::write(&precious, "keep me").unwrap();
        let own = |name: &str| open_own(&folder.path().join(name));
        symlink(&precious, folder.path().join("soft")).unwrap();
        symlink(folder.path().join("not there"), folder.path().join("dangling")).unwrap();
        fs::hard_link(&precious, folder.path().join("hard")).unwrap();
        fs::create_dir(folder.path().join("folder")).unwrap();
        for (name, word) in [("soft", "symbolic"), ("dangling", "symbolic"), ("hard", "hard link")] {
            let error = own(name).unwrap_err().to_string();
            assert!(error.contains(word), "{name}: {error}");
        }
        assert!(own("folder").is_err());
        own("new").unwrap();
        own("new").unwrap();
        assert_eq!(fs::read_to_string(&precious).unwrap(), "keep me");
        assert!(!folder.path().join("not there").exists());
    }

    #[test]
    fn a_link_in_the_place_of_a_temporary_file_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let precious = folder.path().join("precious");
        fs::write(&precious, "keep me").unwrap();
        symlink(&precious, folder.path().join("a.tmp")).unwrap();
        write_whole(&folder.path().join("a.json"), b"new").unwrap();
        assert_eq!(fs::read_to_string(&precious).unwrap(), "keep me");
        assert_eq!(fs::read_to_string(folder.path().join("a.json")).unwrap(), "new");
        assert!(!folder.path().join("a.tmp").exists());
    }
}

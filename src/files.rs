//! Files of the store's own, opened for writing by a name that everybody knows: whoever may write into the folder could have
//! put a link there, and what the link points to would be written over.
//!
//! They hold who mailed whom: the owner and the group of the folder may read them, and nobody else.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown, fchown,
};
use std::path::Path;

/// Of the store's files; the umask may take more away.
const FILE_MODE: u32 = 0o640;
/// Of keys.
const SECRET_MODE: u32 = 0o600;
/// Of its folders.
const FOLDER_MODE: u32 = 0o750;
/// What others may do.
const OTHERS: u32 = 0o007;

/// Makes a folder of the store, and those above it, where they are not there.
pub fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
        make_folder(above)?;
    }
    match DirBuilder::new().mode(FOLDER_MODE).create(path) {
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => give_to_owner(path, &fs::metadata(path)?, |uid, gid| chown(path, uid, gid)),
    }
}

/// What root or a member of the group makes in somebody's store belongs to whom the store belongs: else its owner could not
/// read it.
fn give_to_owner(
    path: &Path,
    made: &fs::Metadata,
    chown: impl Fn(Option<u32>, Option<u32>) -> io::Result<()>,
) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = fs::metadata(folder.unwrap_or(Path::new(".")))?;
    if made.gid() != folder.gid() {
        // Who may not has another group's folder: the folder's own mode rules there.
        let _ = chown(None, Some(folder.gid()));
    }
    match made.uid() == 0 && folder.uid() != 0 {
        true => chown(Some(folder.uid()), None),
        false => Ok(()),
    }
}

/// Takes from others what they may do with a file or a folder that an earlier version made. Who does not own it leaves it.
pub(crate) fn close_to_others(path: &Path) {
    if let Ok(found) = fs::symlink_metadata(path)
        && !found.is_symlink()
        && found.mode() & OTHERS != 0
    {
        let _ = fs::set_permissions(path, Permissions::from_mode(found.mode() & 0o7777 & !OTHERS));
    }
}

/// Opens a file of the store for reading and writing, and makes it if it is not there. A link is not followed.
///
/// # Errors
/// It is a link, or no regular file, or has a second name, or belongs to somebody else than this user and the owner of
/// its folder. The text says what to do.
pub fn open_own(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let file = options
        .mode(FILE_MODE)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP) => refused("it is a symbolic link"),
            _ => error,
        })?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(refused("it is not a regular file"));
    }
    if found.nlink() > 1 {
        return Err(refused("it has another name elsewhere (a hard link)"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let ours = [this_user()?, fs::metadata(folder.unwrap_or(Path::new(".")))?.uid()];
    if !ours.contains(&found.uid()) {
        return Err(refused("another user owns it"));
    }
    give_to_owner(path, &found, |uid, gid| fchown(&file, uid, gid))?;
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

/// A new file that nobody but its owner may read.
///
/// # Errors
/// There is one.
pub fn new_secret(path: &Path) -> io::Result<File> {
    create(path, SECRET_MODE)
}

/// A file that was not there before: what stood in its place goes, and was not written to.
pub(crate) fn new_file(path: &Path) -> io::Result<File> {
    match create(path, FILE_MODE) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            create(path, FILE_MODE)
        }
        made => made,
    }
}

fn create(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true).mode(mode);
    let file = options.open(path)?;
    give_to_owner(path, &file.metadata()?, |uid, gid| fchown(&file, uid, gid))?;
    Ok(file)
}

/// Makes an empty file, if there is none.
pub(crate) fn make_file(path: &Path) -> io::Result<()> {
    match create(path, FILE_MODE) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
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
    let hint = "mailpulse does not write to it; find out who created it, and remove it";
    io::Error::other(format!("{what}: {hint}"))
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
    fn others_may_neither_read_nor_enter() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        make_folder(&deep).unwrap();
        make_folder(&deep).unwrap();
        write_whole(&deep.join("whole"), b"x").unwrap();
        drop((
            new_file(&deep.join("new")).unwrap(),
            open_own(&deep.join("own")).unwrap(),
        ));
        let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().mode() & 0o777;
        for (name, most) in [
            ("a", 0o750),
            ("a/b", 0o750),
            ("a/b/whole", 0o640),
            ("a/b/new", 0o640),
            ("a/b/own", 0o640),
        ] {
            assert_eq!(mode(name) & !most, 0, "{name} {:o}", mode(name));
        }
        fs::set_permissions(deep.join("new"), Permissions::from_mode(0o664)).unwrap();
        close_to_others(&deep.join("new"));
        assert_eq!(mode("a/b/new"), 0o660);
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

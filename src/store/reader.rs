//! The catalogue for who only reads. To read a database with a write-ahead log, SQLite wants to make files beside it; who
//! may not (another user, a read-only mount, a snapshot) gets the same answer:
//!
//! * While somebody writes, or after a crash, the log and its index are there: SQLite reads them as they are.
//! * Else both files are copied to a private folder, and the copy is opened, where the log is applied. Files that changed
//!   while they were copied are copied again, so that no copy is torn.

use super::{Error, catalogue, columnar, outbox};
use crate::files;
use rusqlite::{Connection, ErrorCode, MAIN_DB};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Whether others than owner and group have been shut out, in the catalogue.
const CLOSED: &str = "closed_to_others";
/// How often a copy is begun before it is given up: whoever writes commits every second or two.
const COPIES_MAX: u32 = 10;
/// Two writes within so short a time may leave the same time of change: clocks of files tick up to ten milliseconds.
const SETTLES: Duration = Duration::from_millis(50);

/// Opens the catalogue of a store for reading; who may write brings its tables up to date.
///
/// # Errors
/// It cannot be read; it is damaged, or of another version.
pub(super) fn open(path: &Path) -> Result<Connection, Error> {
    match catalogue::open(path) {
        Err(catalogue::Error::Sqlite(error)) if needs_files(&error) => {}
        opened => return Ok(opened?),
    }
    match beside_a_writer(path)? {
        Some(connection) => Ok(connection),
        None => private_copy(path),
    }
}

/// Whether SQLite may not make or change a file.
fn needs_files(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
    )
}

/// The catalogue where it is; none where SQLite does not manage without files of its own.
fn beside_a_writer(path: &Path) -> Result<Option<Connection>, Error> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let looked = Connection::open_with_flags(path, flags).and_then(|connection| {
        connection.busy_timeout(Duration::from_secs(20))?;
        // Only a statement that reads finds out.
        let version = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        Ok((version, connection))
    });
    match looked {
        Ok((version, connection)) if catalogue::is_up_to_date(version)? => Ok(Some(connection)),
        Ok(_) => Ok(None),
        Err(error) if needs_files(&error) => Ok(None),
        Err(error) => Err(catalogue::Error::from(error).into()),
    }
}

/// A copy that nobody else sees, up to date. Its files have no name any more when it is opened.
fn private_copy(path: &Path) -> Result<Connection, Error> {
    let folder = PrivateFolder::new().map_err(|(path, source)| Error::Io { path, source })?;
    let copy = folder.0.join("catalogue.sqlite");
    copy_whole(path, &copy)?;
    let connection = catalogue::open(&copy)?;
    let prepare = || -> Result<(), rusqlite::Error> {
        // Takes in the log, which would be looked for by its name.
        connection.pragma_update(None, "journal_mode", "DELETE")?;
        connection.pragma_update(None, "query_only", true)
    };
    prepare().map_err(catalogue::Error::from)?;
    debug_assert!(!connection.is_readonly(MAIN_DB).unwrap_or(true));
    catalogue::quick_check(&connection).map_err(catalogue::Error::Damaged)?;
    Ok(connection)
}

/// A folder for this user alone, which goes with what is in it.
struct PrivateFolder(PathBuf);

impl PrivateFolder {
    fn new() -> Result<PrivateFolder, (PathBuf, io::Error)> {
        let path = std::env::temp_dir().join(format!("mailpulse-{:016x}", outbox::random()));
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok(PrivateFolder(path)),
            Err(error) => Err((path, error)),
        }
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The log of a database.
fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// What changes when a file is written.
#[derive(PartialEq, Eq)]
struct Stamp([i64; 4], u64, u64);

impl Stamp {
    fn of(path: &Path) -> io::Result<Option<Stamp>> {
        match fs::metadata(path) {
            Ok(found) => Ok(Some(Stamp::from(&found))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl From<&Metadata> for Stamp {
    fn from(found: &Metadata) -> Stamp {
        let times = [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()];
        Stamp(times, found.ino(), found.size())
    }
}

/// Copies a database and its log as they were at one moment.
fn copy_whole(from: &Path, to: &Path) -> Result<(), Error> {
    let (log, log_copy) = (log_of(from), log_of(to));
    let stamps = || -> Result<[Option<Stamp>; 2], Error> {
        Ok([
            Stamp::of(from).map_err(io_error(from))?,
            Stamp::of(&log).map_err(io_error(&log))?,
        ])
    };
    for _ in 0..COPIES_MAX {
        let before = stamps()?;
        std::thread::sleep(SETTLES);
        if stamps()? == before {
            copy(from, to)?;
            match &before[1] {
                Some(_) => copy(&log, &log_copy)?,
                None => _ = fs::remove_file(&log_copy),
            }
            if stamps()? == before {
                return Ok(());
            }
        }
    }
    Err(Error::Changing { path: from.to_owned() })
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path, source }
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let mut source = match File::open(from) {
        // The log went meanwhile: the stamps will say so.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(io_error(from))?,
    };
    let mut target = files::new_file(to).map_err(io_error(to))?;
    io::copy(&mut source, &mut target).map(|_| ()).map_err(io_error(to))
}

/// Says who may read, where this user may not.
pub(super) fn refused(error: Error) -> Error {
    match error {
        Error::Io { path, source } | Error::Columnar(columnar::Error::Io { path, source })
            if source.kind() == io::ErrorKind::PermissionDenied =>
        {
            Error::Unreadable {
                hint: readers(&path).unwrap_or_else(|| "run as a user who may read there".to_owned()),
                path,
                source,
            }
        }
        other => other,
    }
}

/// Who may read a file of a store, and how somebody else may too; none where nothing of its path can be looked at.
pub fn readers(path: &Path) -> Option<String> {
    // What stands in a folder that may not be entered cannot be looked at; the folder can.
    let found = path.ancestors().find_map(|path| fs::symlink_metadata(path).ok())?;
    let owner = name_of("/etc/passwd", found.uid());
    let group = name_of("/etc/group", found.gid());
    Some(match found.gid() != 0 && found.mode() & 0o040 != 0 {
        true => format!(
            "the user {owner} and the group {group} may read there: add this user to the group (`usermod -aG {group} USER`, \
             then log in again), or run as {owner}"
        ),
        false => format!(
            "only {owner} may read there: run as {owner}, or let a group read (`chgrp -R GROUP` and `chmod -R g+rX` on the \
             store's folder)"
        ),
    })
}

/// A name in a file like `/etc/group`; the number where there is none.
fn name_of(file: &str, id: u32) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let named = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id.to_string()).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| id.to_string())
}

/// Takes from others what they may do with a store that an earlier version made, once: what its owner allows later stays.
pub(super) fn close_to_others(store: &Path, connection: &Connection) -> Result<(), Error> {
    if outbox::get(connection, CLOSED)? == 1 {
        return Ok(());
    }
    let mut folders = vec![store.to_owned()];
    while let Some(folder) = folders.pop() {
        files::close_to_others(&folder);
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            match path.is_dir() && !path.is_symlink() {
                true => folders.push(path),
                false => files::close_to_others(&path),
            }
        }
    }
    outbox::put(connection, CLOSED, 1)
}

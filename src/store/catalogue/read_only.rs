//! The catalogue for who only reads. To read a database with a write-ahead log, SQLite wants to make files beside it; who
//! may not (another user, a read-only mount, a snapshot) gets the same answer:
//!
//! * While somebody writes, or after a crash, the log and its index are there: SQLite reads them as they are.
//! * Else both files are copied to a private folder, and the copy is opened, where the log is applied. Files that changed
//!   while they were copied are copied again, so that no copy is torn.

use super::check::quick_check;
use super::numbers::random;
use super::schema::is_up_to_date;
use super::{CatalogueError, Connection, open};
use crate::files;
use rusqlite::{ErrorCode, MAIN_DB};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a copy is begun before it is given up: whoever writes commits every second or two.
const COPIES_MAX: u32 = 10;
/// Two writes within so short a time may leave the same time of change: clocks of files tick up to ten milliseconds.
const SETTLES: Duration = Duration::from_millis(50);

/// Opens the catalogue of a store for reading; who may write brings its tables up to date.
///
/// # Errors
/// It cannot be read; it is damaged, or of another version.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection, CatalogueError> {
    match open(path) {
        Err(CatalogueError::Sqlite(error)) if needs_files(&error) => {}
        opened => return opened,
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
fn beside_a_writer(path: &Path) -> Result<Option<Connection>, CatalogueError> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let looked = rusqlite::Connection::open_with_flags(path, flags).and_then(|connection| {
        connection.busy_timeout(Duration::from_secs(20))?;
        // Only a statement that reads finds out.
        let version = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        Ok((version, connection))
    });
    match looked {
        Ok((version, connection)) if is_up_to_date(version)? => Ok(Some(Connection::of(connection))),
        Ok(_) => Ok(None),
        Err(error) if needs_files(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A copy that nobody else sees, up to date. Its files have no name any more when it is opened.
fn private_copy(path: &Path) -> Result<Connection, CatalogueError> {
    let folder = PrivateFolder::new().map_err(|(path, source)| CatalogueError::Io { path, source })?;
    let copy = folder.0.join("catalogue.sqlite");
    copy_whole(path, &copy)?;
    let connection = open(&copy)?;
    let prepare = || -> Result<(), rusqlite::Error> {
        // Takes in the log, which would be looked for by its name.
        connection.sqlite().pragma_update(None, "journal_mode", "DELETE")?;
        connection.sqlite().pragma_update(None, "query_only", true)
    };
    prepare()?;
    debug_assert!(!connection.sqlite().is_readonly(MAIN_DB).unwrap_or(true));
    quick_check(&connection).map_err(CatalogueError::Damaged)?;
    Ok(connection)
}

/// A folder for this user alone, which goes with what is in it.
struct PrivateFolder(PathBuf);

impl PrivateFolder {
    fn new() -> Result<PrivateFolder, (PathBuf, io::Error)> {
        let path = std::env::temp_dir().join(format!("mailpulse-{:016x}", random()));
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
struct DatabaseStamp([i64; 4], u64, u64);

impl DatabaseStamp {
    fn of(path: &Path) -> io::Result<Option<DatabaseStamp>> {
        match fs::metadata(path) {
            Ok(found) => Ok(Some(DatabaseStamp::from(&found))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl From<&Metadata> for DatabaseStamp {
    fn from(found: &Metadata) -> DatabaseStamp {
        let times = [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()];
        DatabaseStamp(times, found.ino(), found.size())
    }
}

/// Copies a database and its log as they were at one moment.
fn copy_whole(from: &Path, to: &Path) -> Result<(), CatalogueError> {
    let (log, log_copy) = (log_of(from), log_of(to));
    let stamps = || -> Result<[Option<DatabaseStamp>; 2], CatalogueError> {
        Ok([
            DatabaseStamp::of(from).map_err(io_error(from))?,
            DatabaseStamp::of(&log).map_err(io_error(&log))?,
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
    Err(CatalogueError::Changing { path: from.to_owned() })
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> CatalogueError {
    let path = path.to_owned();
    move |source| CatalogueError::Io { path, source }
}

fn copy(from: &Path, to: &Path) -> Result<(), CatalogueError> {
    let mut source = match File::open(from) {
        // The log went meanwhile: the stamps will say so.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(io_error(from))?,
    };
    let mut target = files::new_file(to).map_err(io_error(to))?;
    io::copy(&mut source, &mut target).map(|_| ()).map_err(io_error(to))
}

//! The embedded store: Parquet segments in a folder and a catalogue that says which of them count.
//!
//! ```text
//! STORE/catalogue.sqlite        segments, positions, open messages, counters   (catalogue.rs)
//! STORE/catalogue.id            which catalogue the segments belong to         (condition.rs)
//! STORE/copies/                 the catalogue as it was, an hour apart         (copies.rs)
//! STORE/segments/N.events.parquet, N.rates.parquet                             (columnar/)
//! STORE/lost+found/             files that nothing refers to                   (lost_found.rs)
//! STORE/outbox/                 what is to be sent to another store            (outbox/)
//! STORE/key                     key of the pseudonyms
//! STORE/lock                    who writes
//! ```
//!
//! A segment is written whole (temporary name, fsync, rename, fsync of the folder) before the transaction that names
//! it. A crash in between leaves a file that nobody names; the next writer moves it to `lost+found` and reads its lines
//! again. A catalogue that is lost is never started afresh beside segments: `repair/` makes it anew.

pub mod attributed;
pub mod batch;
pub mod catalogue;
pub mod clickhouse;
pub mod columnar;
pub mod commit;
mod condition;
pub mod copies;
mod derived;
pub mod export;
pub mod forget;
pub mod hops;
pub mod incomplete;
pub mod known;
pub mod lost_found;
pub mod maintain;
mod moved;
mod ordinals;
pub mod outbox;
mod privacy;
mod reader;
pub mod recall;
pub mod relabel;
pub mod repair;
pub mod reread;
pub mod retention;
pub mod state;
pub mod trouble;

pub use condition::Lost;
pub use reader::readers;

use crate::files;
use lost_found::LostFound;
use rusqlite::Connection;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What went wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading or writing a file.
    #[error("{path}: {source}{}", cure(source))]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// This user may not read the store.
    #[error("{path}: {source}; {hint}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
        /// Who may, and how this user may too.
        hint: String,
    },
    /// The catalogue changes faster than it can be copied for a user who may not write beside it.
    #[error(
        "{path}: it changed again and again while it was copied, and this user may not read it in place: ask again"
    )]
    Changing {
        /// The catalogue.
        path: PathBuf,
    },
    /// In the catalogue.
    #[error(transparent)]
    Catalogue(#[from] catalogue::Error),
    /// In a columnar file.
    #[error(transparent)]
    Columnar(#[from] columnar::Error),
    /// Another process writes.
    #[error("{path}: another mailpulse (pid {pid}) writes to this store; stop it, or wait until it is done")]
    Locked {
        /// The store.
        path: PathBuf,
        /// Its process ID, as it left it.
        pid: String,
    },
    /// What cannot be sent fills the outbox.
    #[error(
        "{path}: {bytes} bytes wait to be sent, and {max} may (outbox_mib_max): nothing is read until the ClickHouse takes \
         them again; `mailpulse status` says why it does not"
    )]
    OutboxFull {
        /// The outbox.
        path: PathBuf,
        /// What waits.
        bytes: u64,
        /// What may.
        max: u64,
    },
    /// `ship` was taken away and came back.
    #[error(
        "{path}: something was committed here while `ship` was not set, and the ClickHouse lacks it. Send everything anew, \
         into an empty database: mailpulse store ship --anew"
    )]
    ShipGap {
        /// The store.
        path: PathBuf,
    },
    /// The catalogue is not the one of the segments.
    #[error(
        "{path}: {lost}: nothing is started afresh, and nothing is removed; {}",
        catalogue::REPAIR
    )]
    Lost {
        /// The store.
        path: PathBuf,
        /// What is wrong with its catalogue.
        lost: Lost,
    },
    /// The catalogue was rebuilt, and nobody has said what becomes of what was sent.
    #[error(
        "{path}: the catalogue was rebuilt (`store repair`), and nothing is sent before it is said what the server keeps. If \
         it keeps its rows: `mailpulse store ship --keep-sent`, after the logs have been read again; it sends what is missing \
         there. If its database is empty: `mailpulse store ship --anew`"
    )]
    ShipUndecided {
        /// The store.
        path: PathBuf,
    },
    /// What is stored and not counted is not compared with a server's.
    #[error(
        "{path}: {segments} segments were taken over, and their logs have not been read again: run `mailpulse backfill` first, \
         so that nothing is sent twice. If these logs are gone: mailpulse store ship --keep-sent --force"
    )]
    UnreadLogs {
        /// The store.
        path: PathBuf,
        /// How many.
        segments: u64,
    },
    /// A folder for an export holds something else.
    #[error(
        "{path}: {what}: nothing is written there; name an empty folder, or one of an earlier export of this store"
    )]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// What is in it.
        what: String,
    },
    /// There is no store.
    #[error("{0}: no store here; `mailpulse backfill` makes one, or name another with --store")]
    Missing(PathBuf),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Error::Catalogue(error.into())
    }
}

fn cure(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; nothing of this batch is committed: make room and run again, it goes on where it stopped"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "; the file system is mounted read-only: questions are answered, nothing is stored"
        }
        io::ErrorKind::PermissionDenied => "; run as a user who may write there, or name another store with --store",
        _ => "",
    }
}

/// A store on disk. Many may read; one may write.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Mutex<Connection>,
    /// Held while this process writes.
    lock: Option<File>,
    /// Segments that nobody names any more, and since when.
    condemned: Mutex<Vec<(Instant, i64)>>,
    /// What is committed is posted to the outbox, up to so many bytes.
    outbox_bytes_max: Option<u64>,
    /// Where files go that nothing refers to.
    lost_found: LostFound,
    /// What readers found to be lacking.
    incomplete: incomplete::Incomplete,
    /// A change of attribution that the next rows bring.
    attribution: Mutex<Option<attributed::Pending>>,
}

impl Drop for Store {
    fn drop(&mut self) {
        let condemned = std::mem::take(self.condemned.get_mut().unwrap_or_else(PoisonError::into_inner));
        let ids: Vec<i64> = condemned.into_iter().map(|(_, id)| id).collect();
        self.remove_files(&ids);
    }
}

impl Store {
    /// Opens an existing store for reading: also where this user may not write.
    ///
    /// # Errors
    /// There is none; its catalogue is lost or of another version.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let open = || -> Result<Self, Error> {
            let file = path.join("catalogue.sqlite");
            refuse_lost(path, condition::look_at_file(path)?)?;
            if !file.exists() {
                return Err(Error::Missing(path.to_owned()));
            }
            let connection = or_damaged(path, reader::open(&file))?;
            refuse_lost(path, condition::look_inside(path, &connection)?)?;
            Ok(Store::of(path, connection, None, lost_found::BYTES_MAX))
        };
        open().map_err(reader::refused)
    }

    /// Opens a store for writing; makes it when it is not there. What a crash left behind goes to `lost+found`, of the
    /// default size.
    ///
    /// # Errors
    /// As [`Store::create_within`].
    pub fn create(path: &Path) -> Result<Self, Error> {
        Store::create_within(path, lost_found::BYTES_MAX)
    }

    /// As [`Store::create`], with a limit of `lost+found`, bytes.
    ///
    /// # Errors
    /// Another process writes; the catalogue is lost, and there are segments.
    pub fn create_within(path: &Path, lost_found_bytes_max: u64) -> Result<Self, Error> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Io { path, source }
        };
        files::make_folder(&path.join("segments")).map_err(io(path))?;
        Store::open_locked(path, lock(path)?, lost_found_bytes_max)
    }

    fn open_locked(path: &Path, lock: File, lost_found_bytes_max: u64) -> Result<Self, Error> {
        refuse_lost(path, condition::look_at_file(path)?)?;
        let connection = open_catalogue(path)?;
        refuse_lost(path, condition::look_inside(path, &connection)?)?;
        condition::put_id(path, &connection)?;
        reader::close_to_others(path, &connection)?;
        let store = Store::of(path, connection, Some(lock), lost_found_bytes_max);
        store.settle_adopted()?;
        store.set_strays_aside()?;
        store.tidy_outbox()?;
        Ok(store)
    }

    fn of(path: &Path, connection: Connection, lock: Option<File>, lost_found_bytes_max: u64) -> Self {
        Store {
            path: path.to_owned(),
            connection: Mutex::new(connection),
            lock,
            condemned: Mutex::default(),
            outbox_bytes_max: None,
            lost_found: LostFound::of(path, lost_found_bytes_max),
            incomplete: incomplete::Incomplete::default(),
            attribution: Mutex::default(),
        }
    }

    /// What lies in `lost+found`.
    pub fn lost_found(&self) -> lost_found::Contents {
        self.lost_found.contents()
    }

    /// Copies the catalogue if the last copy is older than an hour: see [`copies`].
    ///
    /// # Errors
    /// As [`copies::take`].
    pub fn copy_catalogue(&self, now_ms: i64) -> Result<(), Error> {
        match self.lock.is_some() && copies::is_due(&self.path, now_ms) {
            true => copies::take(&self.path, now_ms),
            false => Ok(()),
        }
    }

    /// The store's folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The catalogue. A panic elsewhere cannot leave it half changed: changes are transactions.
    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The events' file of a segment.
    pub fn events_path(&self, segment: i64) -> PathBuf {
        self.path.join("segments").join(format!("{segment}.events.parquet"))
    }

    /// The rates' file of a segment.
    pub fn rates_path(&self, segment: i64) -> PathBuf {
        self.path.join("segments").join(format!("{segment}.rates.parquet"))
    }

    /// Segments that may hold events in `[since_ms, until_ms)`, oldest first.
    pub fn segments(&self, since_ms: i64, until_ms: i64) -> Result<Vec<catalogue::Segment>, Error> {
        Ok(catalogue::segments(&self.connection(), since_ms, until_ms)?)
    }

    /// Files in the segments' folder that the catalogue does not name.
    pub fn strays(&self) -> Result<Vec<PathBuf>, Error> {
        let folder = self.path.join("segments");
        let known: rustc_hash::FxHashSet<PathBuf> = self
            .segments(i64::MIN, i64::MAX)?
            .iter()
            .flat_map(|segment| [self.events_path(segment.id), self.rates_path(segment.id)])
            .collect();
        let io = |source| Error::Io {
            path: folder.clone(),
            source,
        };
        let mut strays = Vec::new();
        for entry in fs::read_dir(&folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if !known.contains(&path) {
                strays.push(path);
            }
        }
        Ok(strays)
    }

    /// Whether another process writes: then files that nobody names may be on their way in or out.
    pub fn is_written_elsewhere(&self) -> bool {
        self.lock.is_none()
            && File::open(self.path.join("lock"))
                .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    fn set_strays_aside(&self) -> Result<(), Error> {
        self.set_aside_files(&self.strays()?)
    }

    /// Moves files to `lost+found`.
    pub(super) fn set_aside_files(&self, paths: &[PathBuf]) -> Result<(), Error> {
        let moved = self.lost_found.take(paths);
        moved.map(|_| ()).map_err(|(path, source)| Error::Io { path, source })
    }

    /// Writes a file that is either there whole or not at all, also after a power cut.
    fn write_file(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        files::write_whole(path, bytes).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })
    }

    fn sync_folder(&self) -> Result<(), Error> {
        let path = self.path.join("segments");
        File::open(&path)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| Error::Io { path, source })
    }
}

fn refuse_lost(path: &Path, lost: Option<Lost>) -> Result<(), Error> {
    match lost {
        None => Ok(()),
        Some(lost) => Err(Error::Lost {
            path: path.to_owned(),
            lost,
        }),
    }
}

/// Opens the catalogue; damage that shows at once is told as such.
fn open_catalogue(path: &Path) -> Result<Connection, Error> {
    or_damaged(
        path,
        catalogue::open(&path.join("catalogue.sqlite")).map_err(Error::from),
    )
}

fn or_damaged(path: &Path, opened: Result<Connection, Error>) -> Result<Connection, Error> {
    match opened {
        Err(Error::Catalogue(catalogue::Error::Sqlite(error))) if catalogue::is_damage(&error) => Err(Error::Lost {
            path: path.to_owned(),
            lost: Lost::Damaged(error.to_string()),
        }),
        opened => opened,
    }
}

/// Takes the lock of whoever writes.
fn lock(store: &Path) -> Result<File, Error> {
    let path = store.join("lock");
    let io = |source| Error::Io {
        path: path.clone(),
        source,
    };
    let mut file = files::open_own(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0).map_err(io)?;
            file.rewind().map_err(io)?;
            file.write_all(std::process::id().to_string().as_bytes()).map_err(io)?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = file.read_to_string(&mut pid);
            let pid = if pid.is_empty() { "unknown".to_owned() } else { pid };
            Err(Error::Locked {
                path: store.to_owned(),
                pid,
            })
        }
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

//! The embedded store: Parquet segments in a folder and a catalogue that says which of them count.
//!
//! ```text
//! STORE/catalogue.sqlite        segments, positions, open messages, counters   (catalogue.rs)
//! STORE/segments/N.events.parquet, N.rates.parquet                             (columnar/)
//! STORE/outbox/                 what is to be sent to another store                        (outbox.rs)
//! STORE/key                     key of the pseudonyms
//! STORE/lock                    who writes
//! ```
//!
//! A segment is written whole (temporary name, fsync, rename, fsync of the folder) before the transaction that names
//! it. A crash in between leaves a file that nobody names; the next writer removes it and reads its lines again.

pub mod batch;
pub mod catalogue;
pub mod clickhouse;
pub mod columnar;
pub mod commit;
pub mod hops;
pub mod maintain;
pub mod outbox;
pub mod recall;
pub mod state;

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
}

impl Drop for Store {
    fn drop(&mut self) {
        let condemned = std::mem::take(self.condemned.get_mut().unwrap_or_else(PoisonError::into_inner));
        let ids: Vec<i64> = condemned.into_iter().map(|(_, id)| id).collect();
        self.remove_files(&ids);
    }
}

impl Store {
    /// Opens an existing store for reading.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = path.join("catalogue.sqlite");
        if !file.exists() {
            return Err(Error::Missing(path.to_owned()));
        }
        Ok(Store {
            path: path.to_owned(),
            connection: Mutex::new(catalogue::open(&file)?),
            lock: None,
            condemned: Mutex::default(),
            outbox_bytes_max: None,
        })
    }

    /// Opens a store for writing; makes it when it is not there. Removes what a crash left behind.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Io { path, source }
        };
        fs::create_dir_all(path.join("segments")).map_err(io(path))?;
        let lock = lock(path)?;
        let connection = catalogue::open(&path.join("catalogue.sqlite"))?;
        let store = Store {
            path: path.to_owned(),
            connection: Mutex::new(connection),
            lock: Some(lock),
            condemned: Mutex::default(),
            outbox_bytes_max: None,
        };
        store.remove_strays()?;
        store.tidy_outbox()?;
        Ok(store)
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

    fn remove_strays(&self) -> Result<(), Error> {
        for path in self.strays()? {
            fs::remove_file(&path).map_err(|source| Error::Io { path, source })?;
        }
        Ok(())
    }

    /// Writes a file that is either there whole or not at all, also after a power cut.
    fn write_file(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let temporary = path.with_extension("tmp");
        let write = || -> io::Result<()> {
            let mut file = File::create(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, path)
        };
        write().map_err(|source| {
            // Make room again: a full disk is the likeliest cause.
            let _ = fs::remove_file(&temporary);
            Error::Io {
                path: path.to_owned(),
                source,
            }
        })
    }

    fn sync_folder(&self) -> Result<(), Error> {
        let path = self.path.join("segments");
        File::open(&path)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| Error::Io { path, source })
    }
}

fn lock(store: &Path) -> Result<File, Error> {
    let path = store.join("lock");
    let io = |source| Error::Io {
        path: path.clone(),
        source,
    };
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io)?;
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

//! An open store: it is locked by who writes, and lends the parts that whoever works on it needs.

use super::catalogue::{
    self, AttributionChanges, Catalogue, CatalogueError, ChangedMinutes, Connection, Coverage, ExpectedAttribution,
    OpenMessages, Positions, Samples, Services, Troubles, numbers,
};
use super::condition;
use super::copies;
use super::error::{Lost, StoreError};
use super::outbox::Outbox;
use super::permissions::{close_to_others, refused};
use super::segments::{
    Compared, Incomplete, LOST_FOUND_BYTES_MAX, LostFound, LostFoundContents, SegmentFiles, Segments, StoredEvents,
    segments_folder,
};
use crate::files;
use crate::model::time::UtcMs;
use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// A store on disk. Many may read; one may write.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    catalogue: Catalogue,
    files: SegmentFiles,
    /// Held while this process writes.
    lock: Option<File>,
    /// What is committed is posted to the outbox, up to so many bytes.
    outbox_bytes_max: Option<u64>,
    /// Where files go that nothing refers to.
    lost_found: LostFound,
    /// What readers found to be lacking.
    incomplete: Incomplete,
    /// A change of attribution that the next rows bring.
    attribution: ExpectedAttribution,
}

impl Store {
    /// Opens an existing store for reading: also where this user may not write.
    ///
    /// # Errors
    /// There is none; its catalogue is lost or of another version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let open = || -> Result<Self, StoreError> {
            let file = path.join(catalogue::FILE);
            refuse_lost(path, condition::look_at_file(path)?)?;
            if !file.exists() {
                return Err(StoreError::Missing(path.to_owned()));
            }
            let connection = or_damaged(path, catalogue::open_to_read(&file))?;
            refuse_lost(path, condition::look_inside(path, &connection)?)?;
            Ok(Store::of(path, connection, None, LOST_FOUND_BYTES_MAX))
        };
        open().map_err(refused)
    }

    /// Opens a store for writing; makes it when it is not there. What a crash left behind goes to `lost+found`, of the
    /// default size.
    ///
    /// # Errors
    /// As [`Store::create_within`].
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        Store::create_within(path, LOST_FOUND_BYTES_MAX)
    }

    /// As [`Store::create`], with a limit of `lost+found`, bytes.
    ///
    /// # Errors
    /// Another process writes; the catalogue is lost, and there are segments.
    pub fn create_within(path: &Path, lost_found_bytes_max: u64) -> Result<Self, StoreError> {
        files::make_folder(&segments_folder(path)).map_err(|source| StoreError::Io {
            path: path.to_owned(),
            source,
        })?;
        Store::open_locked(path, take_lock(path)?, lost_found_bytes_max)
    }

    /// Opens a store whose lock was taken.
    pub(super) fn open_locked(path: &Path, lock: File, lost_found_bytes_max: u64) -> Result<Self, StoreError> {
        refuse_lost(path, condition::look_at_file(path)?)?;
        let connection = open_catalogue(path)?;
        refuse_lost(path, condition::look_inside(path, &connection)?)?;
        condition::put_id(path, &connection)?;
        close_to_others(path, &connection)?;
        let store = Store::of(path, connection, Some(lock), lost_found_bytes_max);
        catalogue::settle_adopted(&store.catalogue.connection())?;
        store.move_to_lost_found(&store.segments().orphan_files()?)?;
        store.move_to_lost_found(&store.outbox().orphan_files()?)?;
        Ok(store)
    }

    fn of(path: &Path, connection: Connection, lock: Option<File>, lost_found_bytes_max: u64) -> Self {
        Store {
            path: path.to_owned(),
            catalogue: Catalogue::of(path, connection),
            files: SegmentFiles::of(path),
            lock,
            outbox_bytes_max: None,
            lost_found: LostFound::of(path, lost_found_bytes_max),
            incomplete: Incomplete::default(),
            attribution: ExpectedAttribution::default(),
        }
    }

    /// The store's folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sources, and how far their logs have been read.
    pub fn positions(&self) -> Positions<'_> {
        Positions(&self.catalogue)
    }

    /// Of which time there is anything known.
    pub fn coverage(&self) -> Coverage<'_> {
        Coverage(&self.catalogue)
    }

    /// Messages that are in a queue.
    pub fn messages(&self) -> OpenMessages<'_> {
        OpenMessages(&self.catalogue)
    }

    /// Services that logs made.
    pub fn services(&self) -> Services<'_> {
        Services(&self.catalogue)
    }

    /// Samples of lines that did not parse, or not all.
    pub fn samples(&self) -> Samples<'_> {
        Samples(&self.catalogue)
    }

    /// Troubles that last.
    pub fn troubles(&self) -> Troubles<'_> {
        Troubles(&self.catalogue)
    }

    /// Changes of attribution.
    pub fn attribution(&self) -> AttributionChanges<'_> {
        AttributionChanges(&self.catalogue)
    }

    /// From which minutes on commits changed what is stored.
    pub(crate) fn changed_minutes(&self) -> ChangedMinutes<'_> {
        ChangedMinutes(&self.catalogue)
    }

    /// Which catalogue it is: another one after it was rebuilt, or taken from a copy.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn identity(&self) -> Result<String, CatalogueError> {
        let connection = self.catalogue.connection();
        let [id, rebuilt] = [
            numbers::id_of(&connection)?,
            numbers::get(&connection, numbers::REBUILT)?,
        ];
        Ok(format!("{id:016x}-{rebuilt:x}"))
    }

    /// The segments, to be read.
    pub fn segments(&self) -> Segments<'_> {
        Segments {
            catalogue: &self.catalogue,
            files: &self.files,
            incomplete: &self.incomplete,
        }
    }

    /// What is to be sent.
    pub fn outbox(&self) -> Outbox<'_> {
        Outbox {
            store: &self.path,
            catalogue: &self.catalogue,
            files: &self.files,
            bytes_max: self.outbox_bytes_max,
        }
    }

    /// The stored events that a log is compared with. Everything that was read before must be committed.
    ///
    /// # Errors
    /// The catalogue cannot be opened once more.
    pub(crate) fn stored_events(&self, compared: Compared) -> Result<StoredEvents, CatalogueError> {
        StoredEvents::of(&self.path, &self.catalogue, compared)
    }

    /// What lies in `lost+found`.
    pub fn lost_found(&self) -> LostFoundContents {
        self.lost_found.contents()
    }

    /// From now on what readers find to be lacking is noted there.
    pub fn note_incomplete_in(&mut self, incomplete: &Incomplete) {
        self.incomplete = incomplete.clone();
    }

    /// From now on what is committed is posted, up to so many bytes. The first time, what is there already is posted too.
    /// Nothing is where the catalogue was rebuilt: see [`Outbox::is_undecided`].
    ///
    /// # Errors
    /// Something was committed meanwhile that was not posted; the store cannot be written.
    pub fn start_shipping(&mut self, bytes_max: u64) -> Result<(), StoreError> {
        if self.outbox().is_undecided()? {
            // What is committed meanwhile is compared with what the server has, when that is decided.
            self.outbox_bytes_max = None;
            return Ok(());
        }
        self.outbox_bytes_max = Some(bytes_max);
        self.outbox().start()
    }

    /// Copies the catalogue if the last copy is older than an hour: see [`copies`].
    ///
    /// # Errors
    /// As [`copies::take`].
    pub fn copy_catalogue(&self, now_ms: UtcMs) -> Result<(), StoreError> {
        match self.lock.is_some() && copies::is_due(&self.path, now_ms) {
            true => copies::take(&self.path, now_ms),
            false => Ok(()),
        }
    }

    /// Whether another process writes: then files that nobody names may be on their way in or out.
    pub(crate) fn is_written_elsewhere(&self) -> bool {
        self.lock.is_none()
            && File::open(self.path.join("lock"))
                .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// The process that writes, if another one does: its number, as it wrote it into the lock.
    pub fn writer(&self) -> Option<u32> {
        let pid = || {
            std::fs::read_to_string(self.path.join("lock"))
                .ok()?
                .trim()
                .parse()
                .ok()
        };
        self.is_written_elsewhere().then(pid)?
    }

    pub(super) fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    pub(super) fn files(&self) -> &SegmentFiles {
        &self.files
    }

    pub(super) fn expected_attribution(&self) -> &ExpectedAttribution {
        &self.attribution
    }

    /// Moves files to `lost+found`.
    pub(super) fn move_to_lost_found(&self, paths: &[PathBuf]) -> Result<(), StoreError> {
        let moved = self.lost_found.take(paths);
        moved
            .map(|_| ())
            .map_err(|(path, source)| StoreError::Io { path, source })
    }
}

fn refuse_lost(path: &Path, lost: Option<Lost>) -> Result<(), StoreError> {
    match lost {
        None => Ok(()),
        Some(lost) => Err(StoreError::Lost {
            path: path.to_owned(),
            lost,
        }),
    }
}

/// Opens the catalogue; damage that shows at once is told as such.
pub(super) fn open_catalogue(path: &Path) -> Result<Connection, StoreError> {
    or_damaged(path, catalogue::open(&path.join(catalogue::FILE)))
}

fn or_damaged(path: &Path, opened: Result<Connection, CatalogueError>) -> Result<Connection, StoreError> {
    opened.map_err(|error| match error.damage() {
        Some(words) => StoreError::Lost {
            path: path.to_owned(),
            lost: Lost::Damaged(words),
        },
        None => error.into(),
    })
}

/// Takes the lock of whoever writes.
pub(super) fn take_lock(store: &Path) -> Result<File, StoreError> {
    let path = store.join("lock");
    let io = |source| StoreError::Io {
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
            Err(StoreError::Locked {
                path: store.to_owned(),
                pid,
            })
        }
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

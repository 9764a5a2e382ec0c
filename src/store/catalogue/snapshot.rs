//! A copy of the database as it is at one moment, made beside the readers and the writer.

use super::{CatalogueError, Connection, check, next_segment};
use rusqlite::OpenFlags;
use rusqlite::backup::{Backup, StepResult};
use std::path::Path;
use std::time::Duration;

/// Pages that are copied at once, and the pause after them: the disk is somebody else's as well.
const PAGES: i32 = 256;
const PAUSE: Duration = Duration::from_millis(2);

/// Copies the database as it is now; gives the number of its newest segment.
///
/// # Errors
/// It cannot be read, or the copy cannot be written; it is damaged.
pub fn snapshot(from: &Path, to: &Path) -> Result<i64, CatalogueError> {
    let source = rusqlite::Connection::open_with_flags(
        from,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    source.busy_timeout(Duration::from_secs(20))?;
    // As long as it reads, it reads this moment, whatever is committed beside it: the copy is never begun again.
    source.execute_batch("BEGIN")?;
    let source = Connection::of(source);
    let last_segment = next_segment(&source)? - 1;
    let mut target = rusqlite::Connection::open(to)?;
    target.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")?;
    let backup = Backup::new(source.sqlite(), &mut target)?;
    loop {
        match backup.step(PAGES)? {
            StepResult::Done => break,
            _ => std::thread::sleep(PAUSE),
        }
    }
    drop(backup);
    // One file, without a log beside it.
    target.execute_batch("PRAGMA journal_mode = DELETE")?;
    check(&Connection::of(target)).map_err(CatalogueError::Damaged)?;
    Ok(last_segment)
}

//! A log directory as logrotate leaves it: `daily, compress, delaycompress`, at 06:25 UTC.
//!
//! Every file is written under the name that it has at the end, so nothing is ever renamed.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};

use super::clock::{DAY, ROTATION_OF_DAY};
use super::relay::LineSink;

/// A file of a log, plain or compressed.
pub(super) enum LogFile {
    Nothing,
    Plain(BufWriter<File>),
    Gzip(Box<GzEncoder<BufWriter<File>>>),
}

impl LogFile {
    /// A new file; one that was there is overwritten.
    pub(super) fn create(path: &Path, compressed: bool) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 17, File::create(path)?);
        Ok(match compressed {
            false => LogFile::Plain(file),
            // What gzip(1) writes, but for the name and the time: the bytes depend on the seed alone.
            true => LogFile::Gzip(Box::new(
                GzBuilder::new()
                    .mtime(0)
                    .operating_system(3)
                    .write(file, Compression::new(6)),
            )),
        })
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            LogFile::Nothing => Ok(()),
            LogFile::Plain(writer) => writer.write_all(bytes),
            LogFile::Gzip(encoder) => encoder.write_all(bytes),
        }
    }

    /// Closes the file and gives it a time of modification, since the epoch.
    pub(super) fn close(&mut self, modified: Duration) -> io::Result<()> {
        let writer = match std::mem::replace(self, LogFile::Nothing) {
            LogFile::Nothing => return Ok(()),
            LogFile::Plain(writer) => writer,
            LogFile::Gzip(encoder) => encoder.finish()?,
        };
        let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.set_modified(UNIX_EPOCH + modified)
    }
}

/// The `mainlog*` of one relay.
pub(super) struct Rotated {
    dir: PathBuf,
    /// The end of the log: what is rotated after it is not.
    until: i64,
    /// End of the period of the open file.
    boundary: i64,
    open: LogFile,
    path: PathBuf,
    pub(super) files: Vec<PathBuf>,
}

/// The first rotation after `t`.
fn rotation_after(t: i64) -> i64 {
    let today = t.div_euclid(DAY) * DAY + ROTATION_OF_DAY;
    if t < today { today } else { today + DAY }
}

impl Rotated {
    /// A log in `dir` (made if it is missing) that ends at `until`.
    pub(super) fn create(dir: &Path, until: i64) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let (boundary, open) = (i64::MIN, LogFile::Nothing);
        Ok(Self {
            dir: dir.into(),
            until,
            boundary,
            open,
            path: PathBuf::new(),
            files: Vec::new(),
        })
    }

    /// How often a file whose period ends at `boundary` is rotated until the end.
    fn generation(&self, boundary: i64) -> i64 {
        if boundary > self.until {
            0
        } else {
            (self.until - boundary) / DAY + 1
        }
    }

    /// Opens the file that a line at `t` belongs to.
    fn advance(&mut self, t: i64) -> io::Result<()> {
        self.finish()?;
        self.boundary = rotation_after(t);
        let generation = self.generation(self.boundary);
        self.path = self.dir.join(match generation {
            0 => "mainlog".to_owned(),
            1 => "mainlog.1".to_owned(),
            n => format!("mainlog.{n}.gz"),
        });
        self.open = LogFile::create(&self.path, generation > 1)?;
        self.files.push(self.path.clone());
        Ok(())
    }

    /// Closes the open file and gives it the time of its rotation.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let modified = self.boundary.min(self.until).max(0) as u64;
        self.open.close(Duration::from_secs(modified))
    }
}

impl LineSink for Rotated {
    fn line(&mut self, t: i64, line: &[u8]) -> io::Result<()> {
        if t >= self.boundary {
            self.advance(t)?;
        }
        self.open.put(line)
    }
}

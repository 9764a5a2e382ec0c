//! The files of one log as its rotation leaves them, each with the time of its last line.
//!
//! Formats without a date are dated by a file's time of modification, and compressing keeps that.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::clock::{DAY, ROTATION_OF_DAY};
use super::super::rotate::LogFile;
use super::stamps::Moment;

/// Who rotates a log, and how.
#[derive(Clone, Copy)]
pub(super) enum Rotation {
    /// logrotate with `compress, delaycompress` at 06:25, every so many seconds: `name`, `name.1`, `name.2.gz` …
    Numbered { every: i64 },
    /// log4j at the full hour or day: `name`, `name.2018-06-06-19`; but for the last `plain`, `.gz`.
    Dated { every: i64, plain: i64 },
    /// Python's `RotatingFileHandler`, at so many bytes: `name`, `name.1`, `name.2` …
    Sized(u64),
}

/// The files of one log.
pub(super) struct Files {
    dir: PathBuf,
    name: &'static str,
    rotation: Rotation,
    /// The end of the log, in seconds: what is rotated after it is not.
    until: i64,
    /// End of the open file's period, in seconds.
    boundary: i64,
    /// Bytes in the open file.
    size: u64,
    last_ms: i64,
    open: LogFile,
    paths: Vec<PathBuf>,
}

impl Files {
    /// No file yet, in `dir` (made if it is missing); those of an earlier run are removed.
    pub(super) fn create(dir: &Path, name: &'static str, rotation: Rotation, until: i64) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(name) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self {
            dir: dir.into(),
            name,
            rotation,
            until,
            boundary: i64::MIN,
            size: 0,
            last_ms: 0,
            open: LogFile::Nothing,
            paths: Vec::new(),
        })
    }

    /// Appends a record of the instant `ms`; a record is never torn.
    pub(super) fn put(&mut self, ms: i64, text: &[u8]) -> io::Result<()> {
        let t = ms.div_euclid(1000);
        let is_full = match self.rotation {
            Rotation::Sized(limit) => self.size > 0 && self.size + text.len() as u64 > limit,
            _ => t >= self.boundary,
        };
        if is_full || matches!(self.open, LogFile::Nothing) {
            self.advance(t)?;
        }
        self.size += text.len() as u64;
        self.last_ms = ms;
        self.open.put(text)
    }

    /// Opens the file of the period that holds `t`.
    fn advance(&mut self, t: i64) -> io::Result<()> {
        self.close()?;
        let (name, is_gz) = match self.rotation {
            Rotation::Numbered { every } => {
                self.boundary = (t - ROTATION_OF_DAY).div_euclid(every) * every + every + ROTATION_OF_DAY;
                match self.periods_after(every) {
                    0 => (self.name.to_owned(), false),
                    1 => (format!("{}.1", self.name), false),
                    n => (format!("{}.{n}.gz", self.name), true),
                }
            }
            Rotation::Dated { every, plain } => {
                self.boundary = t.div_euclid(every) * every + every;
                let stamp = Moment::new((self.boundary - every) * 1000).dated(every < DAY);
                match self.periods_after(every) {
                    0 => (self.name.to_owned(), false),
                    n if n <= plain => (format!("{}.{stamp}", self.name), false),
                    _ => (format!("{}.{stamp}.gz", self.name), true),
                }
            }
            Rotation::Sized(_) => {
                self.shift()?;
                (self.name.to_owned(), false)
            }
        };
        let path = self.dir.join(name);
        self.open = LogFile::create(&path, is_gz)?;
        self.size = 0;
        self.paths.push(path);
        Ok(())
    }

    /// How many periods end after that of the open file, until the end of the log; 0: it is the current one.
    fn periods_after(&self, every: i64) -> i64 {
        if self.boundary > self.until {
            0
        } else {
            (self.until - self.boundary) / every + 1
        }
    }

    /// Makes room for a new file: `name` becomes `name.1`, and so on.
    fn shift(&mut self) -> io::Result<()> {
        let count = self.paths.len();
        for (n, path) in self.paths.iter_mut().enumerate() {
            let older = self.dir.join(format!("{}.{}", self.name, count - n));
            fs::rename(&*path, &older)?;
            *path = older;
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        self.open.close(Duration::from_millis(self.last_ms.max(0) as u64))
    }

    /// Closes the open file; returns all, oldest last.
    pub(super) fn finish(&mut self) -> io::Result<Vec<PathBuf>> {
        self.close()?;
        let mut paths = std::mem::take(&mut self.paths);
        paths.reverse();
        Ok(paths)
    }
}

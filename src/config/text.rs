//! The texts of all configuration files in one address space, so that a span anywhere in the merged tree still tells its
//! file: the text of each file begins where that of the one before ends.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::errors::ConfigError;

/// Far beyond any configuration; `/dev/zero` ends here.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Inventories of large sites.
const INVENTORY_BYTES_MAX: u64 = 256 << 20;

/// Folder of further files, beside the main one.
const CONF_D: &str = "conf.d";

/// One file.
pub(super) struct ConfigText {
    path: PathBuf,
    /// What it says.
    pub(super) content: String,
    /// Where it begins in the address space.
    pub(super) base: usize,
}

/// All files, the main one first.
pub(super) struct ConfigTexts {
    /// The files that could be read.
    pub(super) files: Vec<ConfigText>,
    main: PathBuf,
}

impl ConfigTexts {
    /// Reads the main file and `conf.d/*.toml`.
    pub(super) fn read(main: &Path) -> (Self, Vec<ConfigError>) {
        let mut texts = Self {
            files: Vec::new(),
            main: main.to_owned(),
        };
        let mut errors = Vec::new();
        let (further, trouble) = further_files(main);
        errors.extend(trouble);
        let mut base = 0;
        for path in std::iter::once(main.to_owned()).chain(further) {
            let content = read_limited(&path, FILE_BYTES_MAX).and_then(|bytes| {
                String::from_utf8(bytes).map_err(|error| {
                    let at = error.utf8_error().valid_up_to();
                    let line = error.as_bytes()[..at].iter().filter(|&&b| b == b'\n').count() + 1;
                    io::Error::new(io::ErrorKind::InvalidData, format!("line {line} is not UTF-8"))
                })
            });
            match content {
                Ok(content) => {
                    let length = content.len() + 1;
                    texts.files.push(ConfigText { path, content, base });
                    base += length;
                }
                Err(error) => errors.push(unreadable(&path, &error)),
            }
        }
        (texts, errors)
    }

    /// File, line and column of an offset.
    pub(super) fn place(&self, offset: usize) -> (&Path, usize, usize) {
        let Some(text) = self.files.iter().rfind(|text| text.base <= offset) else {
            return (&self.main, 1, 1);
        };
        let within = (offset - text.base).min(text.content.len());
        let before = text.content.get(..within).unwrap_or(&text.content);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (&text.path, line, column)
    }

    /// What is written at a place.
    pub(super) fn source(&self, at: &Range<usize>) -> &str {
        let text = self.files.iter().rfind(|text| text.base <= at.start);
        let source = text.and_then(|text| text.content.get(at.start - text.base..at.end.checked_sub(text.base)?));
        source.unwrap_or_default()
    }

    /// The files read.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|text| text.path.clone()).collect()
    }
}

/// The files of `conf.d`, by name. Hidden files are an editor's.
fn further_files(main: &Path) -> (Vec<PathBuf>, Option<ConfigError>) {
    let folder = main.parent().unwrap_or(Path::new("")).join(CONF_D);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return (Vec::new(), None);
        }
        Err(error) => return (Vec::new(), Some(unreadable(&folder, &error))),
    };
    let mut paths = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => paths.push(entry.path()),
            Err(error) => return (Vec::new(), Some(unreadable(&folder, &error))),
        }
    }
    let hidden = |path: &Path| {
        path.file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
    };
    paths.retain(|path| path.extension().is_some_and(|end| end == "toml") && !hidden(path));
    paths.sort();
    (paths, None)
}

fn unreadable(path: &Path, error: &io::Error) -> ConfigError {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "write one with `mailpulse init`, or name another with `--config`",
        io::ErrorKind::PermissionDenied => "run as a user with read permission, or change its mode",
        io::ErrorKind::InvalidData => "save it as UTF-8",
        _ => "mailpulse reads regular files of TOML",
    };
    ConfigError::of_file(path, format!("cannot be read: {error}"), hint)
}

/// Reads a whole file within a limit.
pub(super) fn read_limited(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("larger than {} MiB", bytes_max >> 20),
        ));
    }
    Ok(bytes)
}

/// Reads an inventory.
pub(super) fn read_inventory(path: &Path) -> io::Result<Vec<u8>> {
    read_limited(path, INVENTORY_BYTES_MAX)
}

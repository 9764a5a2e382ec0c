//! Checksums of the columns of a file, in its footer: a flipped bit is noticed when the column is read, and only what is
//! read is checked. One for each column of each group of rows, over its bytes as they stand in the file: thirty bits of
//! CRC-32 as five characters. Files of older programs have none.

use polars_parquet::read::FileMetadata;
use polars_parquet::write::KeyValue;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Key in the footer.
const KEY: &str = "mailpulse.crc";
const CHARS: usize = 5;
/// 64 characters that stand for six bits each.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Takes what is written to a file, and sums up its columns.
#[derive(Clone, Default)]
pub(super) struct Checked(Arc<Mutex<WrittenFile>>);

#[derive(Default)]
struct WrittenFile {
    file: Vec<u8>,
    /// Where the column in hand begins.
    column: Option<usize>,
    sums: String,
}

impl Checked {
    /// Writes to empty memory.
    pub(super) fn new(file: Vec<u8>) -> Self {
        Checked(Arc::new(Mutex::new(WrittenFile {
            file,
            ..WrittenFile::default()
        })))
    }

    fn written(&self) -> MutexGuard<'_, WrittenFile> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A column begins here, and the one before has ended.
    pub(super) fn begin_column(&self) {
        self.end_column();
        let mut written = self.written();
        written.column = Some(written.file.len());
    }

    /// The column in hand has ended, if it has not yet.
    pub(super) fn end_column(&self) {
        let WrittenFile { file, column, sums } = &mut *self.written();
        if let Some(begin) = column.take() {
            // At once: a column's head is written byte by byte.
            put(crc32fast::hash(&file[begin..]), sums);
        }
    }

    /// What goes into the footer.
    pub(super) fn note(&self) -> KeyValue {
        KeyValue {
            key: KEY.to_owned(),
            value: Some(std::mem::take(&mut self.written().sums)),
        }
    }

    /// What was written.
    pub(super) fn into_file(self) -> Vec<u8> {
        std::mem::take(&mut self.written().file)
    }
}

impl Write for Checked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written().file.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The checksums of a file.
#[derive(Default)]
pub(super) struct Checksums(Option<Vec<u8>>);

impl Checksums {
    /// Those that a footer has.
    pub(super) fn of(metadata: &FileMetadata) -> Self {
        let notes = metadata.key_value_metadata.iter().flatten();
        let own = notes.into_iter().find(|note| note.key == KEY);
        Checksums(own.map(|note| note.value.clone().unwrap_or_default().into_bytes()))
    }

    /// Whether these are the bytes of the column of this number, counted over all groups of rows.
    pub(super) fn agree(&self, column: usize, bytes: &[u8]) -> bool {
        let Some(all) = &self.0 else { return true };
        let mut sum = String::new();
        put(crc32fast::hash(bytes), &mut sum);
        all.get(column * CHARS..(column + 1) * CHARS) == Some(sum.as_bytes())
    }
}

fn put(sum: u32, into: &mut String) {
    for at in 0..CHARS {
        into.push(char::from(ALPHABET[(sum >> (6 * at)) as usize & 63]));
    }
}

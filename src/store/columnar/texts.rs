//! Text columns in memory: by their distinct values, a value a row, or as a page has them.

use hashbrown::HashMap;

/// A text column as its distinct values and a code a row.
#[derive(Debug, Default)]
pub struct TextColumn {
    /// Distinct values.
    pub values: Vec<String>,
    /// Index into `values`, one a row.
    pub codes: Vec<u32>,
    /// Numbers of the values, made on the first change.
    numbers: HashMap<String, u32>,
}

impl TextColumn {
    /// Distinct values, and a code a row.
    pub(super) fn of(values: Vec<String>, codes: Vec<u32>) -> Self {
        TextColumn {
            values,
            codes,
            numbers: HashMap::default(),
        }
    }

    /// A row's value, with its number.
    pub(super) fn at(&self, row: usize) -> (u32, &[u8]) {
        let code = self.codes[row];
        (code, self.values[code as usize].as_bytes())
    }

    /// Number of a value; a new one is added.
    pub fn code(&mut self, value: &str) -> u32 {
        if self.numbers.len() != self.values.len() {
            self.numbers = self.values.iter().cloned().zip(0..).collect();
        }
        if let Some(code) = self.numbers.get(value) {
            return *code;
        }
        let code = self.values.len() as u32;
        self.values.push(value.to_owned());
        self.numbers.insert(value.to_owned(), code);
        code
    }
}

/// Texts end to end, one a row.
#[derive(Debug, Default)]
pub(super) struct Strings {
    bytes: String,
    ends: Vec<usize>,
}

impl Strings {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, row: usize) -> &str {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        self.bytes.get(start..self.ends[row]).unwrap_or_default()
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        (0..self.len()).map(|row| self.get(row))
    }

    /// All of them, end to end.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.as_bytes()
    }

    pub(super) fn lengths(&self) -> impl ExactSizeIterator<Item = usize> + Clone {
        self.iter().map(str::len)
    }
}

impl<'t> Extend<&'t str> for Strings {
    fn extend<I: IntoIterator<Item = &'t str>>(&mut self, texts: I) {
        for text in texts {
            self.bytes.push_str(text);
            self.ends.push(self.bytes.len());
        }
    }
}

impl<'t> FromIterator<&'t str> for Strings {
    fn from_iter<I: IntoIterator<Item = &'t str>>(texts: I) -> Self {
        let mut all = Strings::default();
        all.extend(texts);
        all
    }
}

/// Text as a Parquet dictionary page has it: each value behind its length of four bytes.
#[derive(Debug, Default)]
pub(super) struct PlainValues {
    bytes: Vec<u8>,
    len: usize,
}

impl PlainValues {
    /// None unless the page holds so many values, all of them UTF-8.
    pub(super) fn of(bytes: Vec<u8>, len: usize) -> Option<Self> {
        let values = PlainValues { bytes, len };
        (values.iter().count() == len).then_some(values)
    }

    pub(super) fn from_iter<'v>(values: impl Iterator<Item = &'v [u8]>) -> Self {
        let mut all = PlainValues::default();
        for value in values {
            all.bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
            all.bytes.extend_from_slice(value);
            all.len += 1;
        }
        all
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (len, after) = rest.split_first_chunk::<4>()?;
            let (value, after) = after.split_at_checked(u32::from_le_bytes(*len) as usize)?;
            rest = after;
            std::str::from_utf8(value).ok()
        })
    }
}

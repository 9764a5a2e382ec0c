//! Interned byte strings: every distinct value once, end to end in one buffer, numbered in order of appearance.

use hashbrown::HashTable;
use rustc_hash::FxHasher;
use std::hash::Hasher;

/// Byte strings by number, without the way back from value to number.
#[derive(Debug, Default, Clone)]
pub struct Values {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Values {
    /// The value with this number.
    #[inline]
    pub fn get(&self, code: u32) -> &[u8] {
        let code = code as usize;
        let start = if code == 0 { 0 } else { self.ends[code - 1] as usize };
        &self.bytes[start..self.ends[code] as usize]
    }

    /// All values, by number.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.ends.iter().scan(0u32, |start, &end| {
            let value = &self.bytes[*start as usize..end as usize];
            *start = end;
            Some(value)
        })
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// Interned byte strings, numbered in order of appearance.
#[derive(Debug, Default)]
pub struct Dictionary {
    table: HashTable<u32>,
    values: Values,
}

impl Dictionary {
    /// Number of a value, if it has one.
    #[inline]
    pub fn find(&self, value: &[u8]) -> Option<u32> {
        let values = &self.values;
        self.table.find(hash(value), |&code| values.get(code) == value).copied()
    }

    /// Number of a value; a new one is added.
    #[inline]
    pub fn code(&mut self, value: &[u8]) -> u32 {
        let hash = hash(value);
        let Dictionary { table, values } = self;
        if let Some(&code) = table.find(hash, |&code| values.get(code) == value) {
            return code;
        }
        let code = values.ends.len() as u32;
        values.bytes.extend_from_slice(value);
        values.ends.push(values.bytes.len() as u32);
        table.insert_unique(hash, code, |&code| self::hash(values.get(code)));
        code
    }

    /// All values, by number.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The value with this number.
    pub fn get(&self, code: u32) -> &[u8] {
        self.values.get(code)
    }

    /// Forgets all values.
    pub fn clear(&mut self) {
        self.table.clear();
        self.values.bytes.clear();
        self.values.ends.clear();
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

#[inline]
fn hash(value: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(value);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_number() {
        let mut dictionary = Dictionary::default();
        assert_eq!([b"", &b"a"[..], b"", b"bc"].map(|v| dictionary.code(v)), [0, 1, 0, 2]);
        assert_eq!((dictionary.find(b"bc"), dictionary.find(b"b")), (Some(2), None));
        assert_eq!(dictionary.values().iter().collect::<Vec<_>>(), [b"", &b"a"[..], b"bc"]);
        dictionary.clear();
        assert_eq!(dictionary.code(b"bc"), 0);
    }
}

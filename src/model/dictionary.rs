//! Interned byte strings: every distinct value once, end to end in one buffer, numbered in order of appearance.
//!
//! The values are strangers' text. The hash has a random key, so that nobody can choose values that all fall into one place;
//! the numbers do not depend on it.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::{BuildHasher as _, Hasher as _};

/// Byte strings by number, without the way back from value to number.
#[derive(Debug, Default)]
pub struct DictionaryValues {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl DictionaryValues {
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

    /// Becomes equal to others, in the memory that it has.
    pub(crate) fn copy_from(&mut self, others: &DictionaryValues) {
        self.bytes.clone_from(&others.bytes);
        self.ends.clone_from(&others.ends);
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
    key: DefaultHashBuilder,
    values: DictionaryValues,
    recent: Recent,
}

/// Numbers of values that were asked for lately, each in a place that follows from its ends: a few values are most of a
/// log, and these are found without hashing all of their bytes.
#[derive(Debug)]
struct Recent(Box<[u32; RECENT]>);

/// A power of two: as many as the domains and hosts of most mail.
const RECENT: usize = 1 << RECENT_BITS;
const RECENT_BITS: u32 = 10;

impl Default for Recent {
    fn default() -> Self {
        Recent(Box::new([u32::MAX; RECENT]))
    }
}

impl Recent {
    #[inline]
    fn place(&mut self, value: &[u8]) -> &mut u32 {
        let ends = match (value.first_chunk::<8>(), value.last_chunk::<8>()) {
            (Some(first), Some(last)) => u64::from_le_bytes(*first).rotate_left(29) ^ u64::from_le_bytes(*last),
            _ => value.iter().fold(0, |ends, byte| ends << 8 | u64::from(*byte)),
        };
        let mixed = (ends ^ value.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        &mut self.0[(mixed >> (64 - RECENT_BITS)) as usize]
    }
}

impl Dictionary {
    /// Number of a value, if it has one.
    #[inline]
    pub fn find(&mut self, value: &[u8]) -> Option<u32> {
        let Dictionary {
            table,
            key,
            values,
            recent,
        } = self;
        let place = recent.place(value);
        if (*place as usize) < values.len() && same(values.get(*place), value) {
            return Some(*place);
        }
        let code = *table.find(hash(key, value), |&code| values.get(code) == value)?;
        *place = code;
        Some(code)
    }

    /// Number of a value; a new one is added.
    #[inline]
    pub fn code(&mut self, value: &[u8]) -> u32 {
        if let Some(code) = self.find(value) {
            return code;
        }
        let Dictionary { table, key, values, .. } = self;
        let code = values.ends.len() as u32;
        values.bytes.extend_from_slice(value);
        values.ends.push(values.bytes.len() as u32);
        table.insert_unique(hash(key, value), code, |&code| hash(key, values.get(code)));
        code
    }

    /// All values, by number.
    pub fn values(&self) -> &DictionaryValues {
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

    /// About how many bytes it takes.
    pub fn memory(&self) -> usize {
        // A number and the place where it ends, and a table that is half full.
        self.values.bytes.len() + self.values.len() * (size_of::<u32>() + 2 * (size_of::<u32>() + 1))
    }
}

/// Whether both are equal; names of up to sixteen bytes in two looks.
#[inline]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if a.len() > 16 {
        return a == b;
    }
    match (
        a.first_chunk::<8>(),
        b.first_chunk::<8>(),
        a.last_chunk::<8>(),
        b.last_chunk::<8>(),
    ) {
        (Some(a_first), Some(b_first), Some(a_last), Some(b_last)) => a_first == b_first && a_last == b_last,
        _ => a == b,
    }
}

#[inline]
fn hash(key: &DefaultHashBuilder, value: &[u8]) -> u64 {
    let mut hasher = key.build_hasher();
    hasher.write(value);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_the_same_ends_are_told_apart() {
        let mut dictionary = Dictionary::default();
        let value = |n: u32| format!("beginning-{n:03}-and-an-end").into_bytes();
        for round in 0..3 {
            for n in 0..500 {
                assert_eq!(dictionary.code(&value(n)), n, "{round}");
                assert_eq!(dictionary.find(&value(n)), Some(n));
            }
        }
        assert_eq!((dictionary.find(&value(500)), dictionary.len()), (None, 500));
    }

    #[test]
    fn two_dictionaries_hash_by_keys_of_their_own() {
        let (one, other) = (Dictionary::default(), Dictionary::default());
        let differ = (0..64_u32).any(|n| hash(&one.key, &n.to_le_bytes()) != hash(&other.key, &n.to_le_bytes()));
        assert!(differ, "whoever knows the program could choose values that collide");
    }

    #[test]
    fn same_is_equal() {
        let text = b"0123456789abcdefghij";
        for len in 0..=text.len() {
            for at in 0..=len {
                let mut other = text[..len].to_vec();
                assert!(same(&text[..len], &other));
                other.push(b'x');
                assert!(!same(&text[..len], &other));
                other.pop();
                if let Some(byte) = other.get_mut(at) {
                    *byte = b'x';
                    assert!(!same(&text[..len], &other), "{at} of {len}");
                }
            }
        }
    }

    #[test]
    fn a_value_has_one_number() {
        let mut dictionary = Dictionary::default();
        assert_eq!([b"", &b"a"[..], b"", b"bc"].map(|v| dictionary.code(v)), [0, 1, 0, 2]);
        assert_eq!((dictionary.find(b"bc"), dictionary.find(b"b")), (Some(2), None));
        assert_eq!(dictionary.values().iter().collect::<Vec<_>>(), [b"", &b"a"[..], b"bc"]);
        dictionary.clear();
        assert_eq!(dictionary.find(b"bc"), None);
        assert_eq!(dictionary.code(b"bc"), 0);
    }
}

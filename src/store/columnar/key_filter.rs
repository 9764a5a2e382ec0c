//! By which keys a segment's rows may be found: addresses, and queue IDs that do not hold their time. Message-IDs have no such key: the
//! column that has theirs is looked through as fast as filters of them would be read.
//!
//! A filter is a split block Bloom filter, as Apache Parquet defines it: a block of 256 bits by the upper half of a hash, and of
//! each of its eight words a bit by the lower half. It says "no" for sure, and "yes" to one key of forty that a segment
//! does not have: to read such a segment in vain costs a few milliseconds. Segments whose groups of rows were joined have a filter a part, until they are merged.

use crate::model::queue_id::has_exim_time;
use crate::normalise::redact::message_key;
use std::borrow::Cow;

/// What rows are looked up by, as a hash. It is stored: it may never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookupKey(u64);

/// Kinds of keys differ in these bits.
const OF_QUEUES: u64 = 2 << 60;
const OF_ADDRESSES: u64 = 3 << 60;

impl LookupKey {
    /// Of a queue ID; none of one that holds the time of its mail, by which its segments are found.
    pub fn of_queue_id(id: &[u8]) -> Option<LookupKey> {
        (!has_exim_time(id)).then(|| LookupKey::mixed(OF_QUEUES ^ message_key(id)))
    }

    /// Of a local part and a domain as they are stored; case does not count in a domain.
    pub fn of_address(local: &str, domain: &str) -> LookupKey {
        LookupKey::in_domain(local.as_bytes(), domain_number(domain))
    }

    /// Of a local part and the number of its domain.
    #[inline]
    pub(super) fn in_domain(local: &[u8], domain: u64) -> LookupKey {
        LookupKey::mixed(OF_ADDRESSES ^ message_key(local) ^ domain)
    }

    /// Every bit of a hash is to depend on all bits of what it is of.
    #[inline]
    fn mixed(number: u64) -> LookupKey {
        let product = u128::from(number ^ 0x9e37_79b9_7f4a_7c15) * u128::from(0xe703_7ed1_a0b4_28db_u64);
        LookupKey(product as u64 ^ (product >> 64) as u64)
    }
}

/// The number of a domain, for [`LookupKey::in_domain`].
pub(super) fn domain_number(domain: &str) -> u64 {
    let is_small = !domain.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii());
    let small = match is_small {
        true => Cow::Borrowed(domain),
        false => Cow::Owned(domain.to_lowercase()),
    };
    message_key(small.as_bytes()).rotate_left(7)
}

/// 256 bits.
type FilterBlock = [u32; 8];

/// Odd numbers of the Parquet specification, one a word of a block.
const SALTS: FilterBlock = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

/// Bits a key: one "yes" of forty is wrong.
const BITS_A_KEY: usize = 8;
/// Keys for which [`different`] has a word: four places each.
const PLACES_A_WORD: usize = 16;
/// Bits of a block.
const BLOCK_BITS: usize = 256;
const BLOCK_BYTES: usize = BLOCK_BITS / 8;
/// Bytes before a filter: its blocks, and a CRC-32 of them.
const HEAD: usize = 8;

#[inline]
fn place(hash: u64, blocks: usize) -> usize {
    (((hash >> 32) * blocks as u64) >> 32) as usize
}

#[inline]
fn mask(hash: u64) -> FilterBlock {
    SALTS.map(|salt| 1 << ((hash as u32).wrapping_mul(salt) >> 27))
}

/// Places in which [`SegmentKeys::add`] looks; a power of two.
const RECENT: usize = 1 << 11;

/// The keys of a segment, while it is made.
#[derive(Debug, Default)]
pub(super) struct SegmentKeys {
    keys: Vec<LookupKey>,
    /// Keys that came lately, each where it says: most come again within a few rows.
    recent: Vec<u64>,
    /// Filters that were made before.
    written: Vec<u8>,
}

impl SegmentKeys {
    /// Adds a key; one that came lately is added once.
    #[inline]
    pub(super) fn add(&mut self, key: LookupKey) {
        if self.recent.is_empty() {
            // Numbers that no key of that place is.
            self.recent.extend(1..=RECENT as u64);
        }
        let recent = &mut self.recent[key.0 as usize % RECENT];
        if *recent != key.0 {
            *recent = key.0;
            self.keys.push(key);
        }
    }

    /// Adds the filters of a part as they are.
    pub(super) fn add_written(&mut self, filters: &[u8]) {
        self.written.extend_from_slice(filters);
    }

    /// The filters as bytes.
    pub(super) fn encode(self) -> Vec<u8> {
        let mut out = self.written;
        if self.keys.is_empty() {
            return out;
        }
        let least = (different(&self.keys) * BITS_A_KEY).div_ceil(BLOCK_BITS);
        let mut blocks: Vec<FilterBlock> = vec![[0; 8]; least.max(1)];
        for LookupKey(hash) in self.keys {
            let at = place(hash, blocks.len());
            let words = blocks[at].iter_mut().zip(mask(hash));
            words.for_each(|(word, mask)| *word |= mask);
        }
        let bytes: Vec<u8> = blocks
            .as_flattened()
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        out.extend_from_slice(&(blocks.len() as u32).to_le_bytes());
        out.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        out.extend_from_slice(&bytes);
        out
    }
}

/// About how many keys differ: most addresses come often. Told by how many places stay free where each key takes one.
fn different(keys: &[LookupKey]) -> usize {
    let words = keys.len().div_ceil(PLACES_A_WORD).next_power_of_two();
    let mut taken = vec![0_u64; words];
    for LookupKey(hash) in keys {
        // These bits are the upper half's last ones, by which no block is found.
        taken[(hash >> 32) as usize & (words - 1)] |= 1 << (hash & 63);
    }
    let places = (words * 64) as f64;
    let set: u32 = taken.iter().map(|word| word.count_ones()).sum();
    let free = (places - f64::from(set)).max(1.0);
    ((places * (places / free).ln()).ceil() as usize).min(keys.len())
}

/// Whether a segment with these filters may have a row of one of some keys. Filters that are damaged say nothing.
pub(super) fn may_have(mut filters: &[u8], keys: &[LookupKey]) -> bool {
    while !filters.is_empty() {
        let Some((head, rest)) = filters.split_first_chunk::<HEAD>() else {
            return true;
        };
        let [a, b, c, d, crc @ ..] = *head;
        let blocks = u32::from_le_bytes([a, b, c, d]) as usize;
        let Some((bytes, rest)) = rest.split_at_checked(blocks.saturating_mul(BLOCK_BYTES)) else {
            return true;
        };
        if blocks == 0 || crc32fast::hash(bytes) != u32::from_le_bytes(crc) {
            return true;
        }
        let blocks = bytes.as_chunks::<BLOCK_BYTES>().0;
        let is_in = |LookupKey(hash): &LookupKey| {
            let words = blocks[place(*hash, blocks.len())].as_chunks::<4>().0.iter();
            words
                .zip(mask(*hash))
                .all(|(word, mask)| u32::from_le_bytes(*word) & mask != 0)
        };
        if keys.iter().any(is_in) {
            return true;
        }
        filters = rest;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(keys: impl Iterator<Item = LookupKey>) -> Vec<u8> {
        let mut all = SegmentKeys::default();
        keys.for_each(|key| all.add(key));
        all.encode()
    }

    fn address(number: u64) -> LookupKey {
        LookupKey::of_address(&format!("user{number}"), "example.org")
    }

    #[test]
    fn no_key_is_missed_and_few_others_are_found() {
        let queue_ids = |numbers: std::ops::Range<u64>| {
            numbers.map(|number| LookupKey::of_queue_id(format!("4XyZ{number:08}").as_bytes()).unwrap())
        };
        let all = filters(queue_ids(0..20_000).chain((0..20_000).map(address)));
        let own = queue_ids(0..20_000).chain((0..20_000).map(address));
        own.for_each(|key| assert!(may_have(&all, &[key])));
        let wrong = queue_ids(50_000..60_000).chain((50_000..60_000).map(address));
        let wrong = wrong.filter(|key| may_have(&all, &[*key])).count();
        assert!((200..900).contains(&wrong), "{wrong} of 20000");
    }

    #[test]
    fn keys_that_come_often_take_no_room() {
        let often = filters((0..100_000).map(|number| address(number % 1_000)));
        let once = filters((0..1_000).map(address));
        let ratio = often.len() as f64 / once.len() as f64;
        assert!((0.9..1.1).contains(&ratio), "{} {}", often.len(), once.len());
        assert!((950..=1_080).contains(&once.len()), "8 bits a key: {}", once.len());
        assert!((0..1_000).all(|number| may_have(&often, &[address(number)])));
        assert!(!may_have(&[], &[address(1)]), "a segment without keys");
    }

    #[test]
    fn filters_of_parts_stand_one_behind_the_other_and_damaged_ones_say_nothing() {
        let mut joined = SegmentKeys::default();
        joined.add_written(&filters((0..10).map(address)));
        joined.add_written(&filters((10..20).map(address)));
        let mut joined = joined.encode();
        assert!((0..20).all(|number| may_have(&joined, &[address(number)])));
        let others: Vec<LookupKey> = (100..110).map(address).collect();
        assert!(!may_have(&joined, &others));
        let last = joined.len() - 1;
        joined[last] ^= 1;
        assert!(may_have(&joined, &others));
        assert!(may_have(&joined[..last], &others));
    }

    #[test]
    fn case_counts_in_a_local_part_alone_and_ids_with_their_time_have_no_key() {
        let key = LookupKey::of_address("Root", "Example.ORG");
        assert_eq!(key, LookupKey::of_address("Root", "example.org"));
        assert_ne!(key, LookupKey::of_address("root", "example.org"));
        assert_eq!(LookupKey::of_queue_id(b"1fQdSG-0001Ab-Cd"), None);
        assert!(LookupKey::of_queue_id(b"4XyZ1234abcz").is_some());
    }
}

//! Local parts of addresses are personal data: by default only a keyed hash of them is stored.
//!
//! Pseudonymised, not anonymous: who holds the key and a candidate address can check it.

use crate::model::text::text;
use siphasher::sip::SipHasher24;
use std::borrow::Cow;

/// What to do with local parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LocalParts {
    /// Keep a keyed hash: equal addresses stay equal.
    #[default]
    Hash,
    /// Keep them as they are.
    Keep,
    /// Store an empty local part.
    Drop,
}

/// Length of a pseudonym in bytes: `~` and 8 base64url characters (48 bits).
pub(crate) const PSEUDONYM_LEN: usize = 9;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Turns addresses into what may be stored.
#[derive(Clone)]
pub struct Redactor {
    mode: LocalParts,
    keeps_replies: bool,
    /// A keyed function made for short texts: a third of what BLAKE3 takes for an address, which was a twelfth of the
    /// cost of a line.
    hasher: SipHasher24,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key never reaches a log.
        f.debug_struct("Redactor")
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

impl Redactor {
    /// A redactor with a 256-bit key; the key matters only for [`LocalParts::Hash`].
    pub fn new(mode: LocalParts, key: [u8; 32]) -> Self {
        let derived = blake3::derive_key("mailpulse 2026 pseudonyms", &key);
        let half = std::array::from_fn(|at| derived[at]);
        Redactor {
            mode,
            keeps_replies: false,
            hasher: SipHasher24::new_with_key(&half),
        }
    }

    /// The same, which keeps the words of replies or does not.
    #[must_use]
    pub fn keeping_replies(self, keeps_replies: bool) -> Self {
        Redactor { keeps_replies, ..self }
    }

    /// Whether the words of replies are kept.
    pub fn keeps_replies(&self) -> bool {
        self.keeps_replies
    }

    /// What becomes of local parts.
    pub fn mode(&self) -> LocalParts {
        self.mode
    }

    /// Writes what is stored for an address's local part into `out`, which is cleared first, and gives the domain. The
    /// domain goes into the hash so that `root` at two domains gets two pseudonyms. ASCII case does not matter.
    pub(crate) fn local_part<'a>(&self, address: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let (local, domain) = split_address(address);
        out.clear();
        match self.mode {
            LocalParts::Drop => {}
            _ if local.is_empty() => {}
            LocalParts::Keep => out.extend_from_slice(local),
            LocalParts::Hash => {
                out.extend_from_slice(address);
                if local.len() == address.len() {
                    out.push(b'@');
                }
                out.make_ascii_lowercase();
                let bits = self.hasher.hash(out);
                let mut pseudonym = [b'~'; PSEUDONYM_LEN];
                for (i, letter) in pseudonym[1..].iter_mut().enumerate() {
                    *letter = ALPHABET[(bits >> (6 * i) & 63) as usize];
                }
                out.clear();
                out.extend_from_slice(&pseudonym);
            }
        }
        domain
    }

    /// What is stored for the local part of an address.
    pub fn stored(&self, address: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.local_part(address, &mut out);
        out
    }
}

/// Whether a local part is a pseudonym, as [`LocalParts::Hash`] stores it.
pub fn is_pseudonym(local: &str) -> bool {
    local.len() == PSEUDONYM_LEN
        && local
            .strip_prefix('~')
            .is_some_and(|letters| letters.bytes().all(|letter| ALPHABET.contains(&letter)))
}

/// Splits an address at its last `@` outside quotes; an address without one is all local part.
pub fn split_address(address: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memrchr(b'@', address) {
        Some(at) => (&address[..at], &address[at + 1..]),
        None => (address, b""),
    }
}

/// A key of a Message-ID header that is equal on every hop: 48 bits, so that a billion messages a day collide
/// about once a day and a key costs six bytes.
///
/// It is stored and compared between hosts and releases: the function may never change. It needs no secret and no
/// resistance against chosen collisions, for who wants to collide can copy a Message-ID.
pub fn message_key(message_id: &[u8]) -> u64 {
    let (words, rest) = message_id.as_chunks::<16>();
    let mut state = message_id.len() as u64 ^ KEYS[0];
    for word in words {
        state = fold(half(word, 0) ^ KEYS[1] ^ state, half(word, 8) ^ KEYS[2]);
    }
    // What is left, with zeros behind it: cut out of the last sixteen bytes where there are as many, for what was copied
    // in pieces is not read at once without a wait.
    let last = match (
        message_id.last_chunk::<16>(),
        rest.first_chunk::<8>(),
        rest.last_chunk::<8>(),
    ) {
        (Some(_), ..) if rest.is_empty() => 0,
        (Some(end), ..) => u128::from_le_bytes(*end) >> (8 * (16 - rest.len())),
        // Pseudonyms are that long, and there is one in most rows.
        (None, Some(first), Some(end)) => {
            let beyond = u128::from(u64::from_le_bytes(*end)) >> (8 * (16 - rest.len()));
            u128::from(u64::from_le_bytes(*first)) | beyond << 64
        }
        _ => (0..)
            .zip(rest)
            .fold(0, |last, (at, byte)| last | u128::from(*byte) << (8 * at)),
    };
    let (low, high) = (last as u64, (last >> 64) as u64);
    state = fold(low ^ KEYS[1] ^ state, high ^ KEYS[3]);
    fold(state ^ KEYS[3], KEYS[2]) >> 16
}

/// Digits of pi: numbers with nothing up their sleeve.
const KEYS: [u64; 4] = [
    0x243f_6a88_85a3_08d3,
    0x1319_8a2e_0370_7344,
    0xa409_3822_299f_31d0,
    0x082e_fa98_ec4e_6c89,
];

#[inline]
fn half(word: &[u8; 16], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| word[at + i]))
}

/// Both halves of the product, folded into one.
#[inline]
pub(super) fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// Longest name of a host, a domain or a mailbox that is kept; DNS has no longer ones. What is longer is cut.
pub(crate) const NAME_BYTES_MAX: usize = 255;

/// The beginning of a name, without half a character at its end.
pub fn bounded(name: &[u8]) -> &[u8] {
    if name.len() <= NAME_BYTES_MAX {
        return name;
    }
    let is_inside = |at: &usize| name[*at] & 0xc0 == 0x80;
    // A character has four bytes at most; more of these are no text at all.
    let end = (NAME_BYTES_MAX - 3..=NAME_BYTES_MAX).rev().find(|at| !is_inside(at));
    &name[..end.unwrap_or(NAME_BYTES_MAX)]
}

/// The same for text.
pub(crate) fn bounded_text<'a>(name: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
    let name = name.into();
    if name.len() <= NAME_BYTES_MAX {
        return name;
    }
    let mut name = name.into_owned();
    name.truncate(name.floor_char_boundary(NAME_BYTES_MAX));
    Cow::Owned(name)
}

/// Text from bytes of a log, which nearly always are text already.
pub fn plain_text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| Cow::Owned(text(bytes)), Cow::Borrowed)
}

/// Lower-case text from bytes of a log: names of domains nearly always are plain already.
pub(crate) fn lower_text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(plain) if bytes.is_ascii() && !bytes.iter().any(u8::is_ascii_uppercase) => Cow::Borrowed(plain),
        _ => Cow::Owned(text(bytes).to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redact(mode: LocalParts, address: &str) -> String {
        let out = Redactor::new(mode, [7; 32]).stored(address.as_bytes());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_name_is_cut_between_characters() {
        assert_eq!(bounded(&[b'a'; 255]).len(), 255);
        assert_eq!(bounded(&[b'a'; 256]).len(), 255);
        let wide = "\u{1f4a9}".repeat(100);
        assert_eq!(
            (bounded(wide.as_bytes()).len(), bounded_text(wide.clone()).len()),
            (252, 252)
        );
        // What is no text is cut all the same.
        assert_eq!(bounded(&[0x80; 300]).len(), 255);
        assert_eq!(bounded_text("short".to_owned()), "short");
    }

    #[test]
    fn pseudonyms_are_stable_keyed_and_bound_to_the_domain() {
        let a = redact(LocalParts::Hash, "Root@example.org");
        assert_eq!(a, redact(LocalParts::Hash, "root@EXAMPLE.org"));
        assert_ne!(a, redact(LocalParts::Hash, "root@example.com"));
        assert_eq!(a.len(), PSEUDONYM_LEN);
        let other = Redactor::new(LocalParts::Hash, [8; 32]).stored(b"root@example.org");
        assert_ne!(a.as_bytes(), other);
        assert_eq!(redact(LocalParts::Hash, "root"), redact(LocalParts::Hash, "ROOT@"));
        let long = "x".repeat(400);
        assert_eq!(
            redact(LocalParts::Hash, &format!("{long}@example.org")).len(),
            PSEUDONYM_LEN
        );
    }

    #[test]
    fn message_keys_are_what_they_were() {
        assert_ne!(message_key(b"a@example.org"), message_key(b"b@example.org"));
        let ids = (0..100_000u32).map(|n| format!("{n:x}.{}@mail.example.org", n % 7));
        let keys: std::collections::HashSet<u64> = ids.map(|id| message_key(id.as_bytes())).collect();
        assert_eq!(keys.len(), 100_000);
        assert!(keys.iter().all(|key| *key < 1 << 48));
        assert_eq!(message_key(b"1fOXU8-002aYZ-oS@mx1.example.org"), 0x4669683ba3f6);
        // By every length, as the first release had it.
        let text = b"1fOXU8-002aYZ-oS@mx1.example.org";
        let sum = (0..=text.len()).fold(0, |sum: u64, len| sum.wrapping_mul(31) ^ message_key(&text[..len]));
        assert_eq!(sum, 0x203b8ae2cbc18e28);
    }

    #[test]
    fn keep_and_drop_do_what_they_say() {
        assert_eq!(redact(LocalParts::Keep, "a@b@c"), "a@b");
        assert_eq!(redact(LocalParts::Drop, "a@b"), "");
        assert_eq!(redact(LocalParts::Hash, "@b"), "");
    }

    #[test]
    fn text_shows_what_is_no_utf8() {
        assert_eq!(text(b"ok \xff\xc3\xa9"), "ok \\xFF\u{e9}");
    }
}

//! Local parts of addresses are personal data: by default only a keyed hash of them is stored.
//!
//! Pseudonymised, not anonymous: who holds the key and a candidate address can check it.

use std::fmt::Write as _;

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
pub const PSEUDONYM_LEN: usize = 9;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Turns addresses into what may be stored.
#[derive(Clone)]
pub struct Redactor {
    mode: LocalParts,
    key: [u8; 32],
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
        Redactor { mode, key }
    }

    /// Writes what is stored for a local part into `out`, which is cleared first. The domain goes into the hash
    /// so that `root` at two domains gets two pseudonyms. ASCII case does not matter.
    pub fn local_part(&self, local: &[u8], domain: &[u8], out: &mut Vec<u8>) {
        out.clear();
        match self.mode {
            LocalParts::Drop => {}
            _ if local.is_empty() => {}
            LocalParts::Keep => out.extend_from_slice(local),
            LocalParts::Hash => {
                out.extend_from_slice(local);
                out.push(b'@');
                out.extend_from_slice(domain);
                out.make_ascii_lowercase();
                let hash = blake3::keyed_hash(&self.key, out);
                out.clear();
                let b = hash.as_bytes();
                let bits = u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], 0, 0]);
                out.push(b'~');
                out.extend((0..8).map(|i| ALPHABET[(bits >> (6 * i) & 63) as usize]));
            }
        }
    }
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
pub fn message_key(message_id: &[u8]) -> u64 {
    let hash = blake3::hash(message_id);
    let b = hash.as_bytes();
    u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], 0, 0])
}

/// Text for people from bytes of a log: UTF-8 stays, what is no UTF-8 shows as `\xNN`.
pub fn text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redact(mode: LocalParts, address: &str) -> String {
        let (local, domain) = split_address(address.as_bytes());
        let mut out = Vec::new();
        Redactor::new(mode, [7; 32]).local_part(local, domain, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn pseudonyms_are_stable_keyed_and_bound_to_the_domain() {
        let a = redact(LocalParts::Hash, "Root@example.org");
        assert_eq!(a, redact(LocalParts::Hash, "root@EXAMPLE.org"));
        assert_ne!(a, redact(LocalParts::Hash, "root@example.com"));
        assert_eq!(a.len(), PSEUDONYM_LEN);
        let mut other = Vec::new();
        Redactor::new(LocalParts::Hash, [8; 32]).local_part(b"root", b"example.org", &mut other);
        assert_ne!(a.as_bytes(), other);
        let long = "x".repeat(400);
        assert_eq!(
            redact(LocalParts::Hash, &format!("{long}@example.org")).len(),
            PSEUDONYM_LEN
        );
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

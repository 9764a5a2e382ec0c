//! Message IDs of Exim.

use super::clock::base62;
use super::prng::Rng;

/// A message ID: arrival second, process ID and half-milliseconds in base 62.
#[derive(Clone, Copy, Debug)]
pub(super) struct EximId([u8; 16]);

impl std::fmt::Display for EximId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).unwrap_or_default())
    }
}

impl EximId {
    /// The ID that Exim 4.89 gives to a message received at `t` by process `pid`.
    pub(super) fn new(t: i64, pid: u32, rng: &mut Rng) -> Self {
        let mut id = *b"------------\0\0\0\0";
        base62(t as u64, &mut id[0..6]);
        id[6] = b'-';
        base62(u64::from(pid), &mut id[7..13]);
        id[13] = b'-';
        base62(rng.below(2000), &mut id[14..16]);
        Self(id)
    }
}

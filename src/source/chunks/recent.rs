//! The bytes that a tail marker is made of.

use super::super::identity::{TAIL_BYTES, tail_hash};

/// The last bytes of content that were read, gaps included: the tail marker is made of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct TailBytes {
    bytes: [u8; TAIL_BYTES],
    len: usize,
}

impl Default for TailBytes {
    fn default() -> Self {
        TailBytes {
            bytes: [0; TAIL_BYTES],
            len: 0,
        }
    }
}

impl TailBytes {
    /// These bytes with `more` after them.
    pub(super) fn and(&self, more: &[u8]) -> TailBytes {
        let new = &more[more.len().saturating_sub(TAIL_BYTES)..];
        let old = &self.bytes[..self.len];
        let old = &old[(old.len() + new.len()).saturating_sub(TAIL_BYTES).min(old.len())..];
        let mut bytes = [0; TAIL_BYTES];
        bytes[..old.len()].copy_from_slice(old);
        bytes[old.len()..old.len() + new.len()].copy_from_slice(new);
        TailBytes {
            bytes,
            len: old.len() + new.len(),
        }
    }

    pub(super) fn hash(&self) -> [u8; 16] {
        tail_hash(&self.bytes[..self.len])
    }
}

//! A ladder of marks at fixed offsets of a log: four to every doubling, from 2 KiB up. They tell a shorter copy of
//! what was read from another log with the same head, and another log early while an archive is decoded. A log of
//! 100 MB has 63 of them, whatever chunks it was read in.

/// The first rung; below it the head is the proof.
const FIRST_RUNG: u64 = 2048;
const RUNG_BYTES: usize = 24;

/// A content offset and the hash of the 64 bytes before it.
pub(crate) type Rung = (u64, [u8; 16]);

/// The lowest rung above an offset.
pub(crate) fn next_rung(after: u64) -> u64 {
    if after < FIRST_RUNG {
        return FIRST_RUNG;
    }
    let step = (1 << after.ilog2()) / 4;
    (after / step).saturating_add(1).saturating_mul(step)
}

/// The rungs that a log has reached, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    rungs: Vec<Rung>,
}

impl Marks {
    /// Adds a rung above the last one; any other is ignored.
    pub fn push(&mut self, rung: Rung) {
        if self.rungs.last().is_none_or(|last| last.0 < rung.0) {
            self.rungs.push(rung);
        }
    }

    /// Ascending.
    pub fn iter(&self) -> impl Iterator<Item = Rung> + '_ {
        self.rungs.iter().copied()
    }

    /// The highest rung that lies within the first `len` bytes.
    pub(crate) fn highest_within(&self, len: u64) -> Option<Rung> {
        self.iter().take_while(|rung| rung.0 <= len).last()
    }

    /// For the catalogue: 24 bytes a rung.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.iter()
            .flat_map(|(offset, tail)| offset.to_le_bytes().into_iter().chain(tail))
            .collect()
    }

    /// The reverse of [`Marks::to_bytes`]; what is torn or out of order is left out.
    pub fn from_bytes(bytes: &[u8]) -> Marks {
        let mut marks = Marks::default();
        for rung in bytes.chunks_exact(RUNG_BYTES) {
            let (mut offset, mut tail) = ([0; 8], [0; 16]);
            offset.copy_from_slice(&rung[..8]);
            tail.copy_from_slice(&rung[8..]);
            marks.push((u64::from_le_bytes(offset), tail));
        }
        marks
    }
}

//! The ID that an MTA gives a message in its queue.

use crate::model::time::UtcMs;

/// An MTA's queue ID, inline: Exim's longest (4.97) has 23 bytes. The last byte is the length.
///
/// It is written in the pieces in which it is read: a processor waits for what it reads across two that were just written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueueId([u8; 24]);

/// Where the length stands.
const LEN: usize = 23;

impl std::hash::Hash for QueueId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        for word in self.0.as_chunks().0 {
            state.write_u64(u64::from_le_bytes(*word));
        }
    }
}

impl QueueId {
    /// None for an ID that is empty or longer than any MTA's.
    #[inline]
    pub fn new(id: &[u8]) -> Option<Self> {
        if id.is_empty() || id.len() > LEN {
            return None;
        }
        let mut bytes = [0; 24];
        let (head, tail) = bytes.split_at_mut(16);
        // What an ID has beyond sixteen bytes is cut out of its last eight.
        let mut last = 0;
        match id.first_chunk::<16>() {
            Some(first) => {
                head.copy_from_slice(first);
                if id.len() > 16
                    && let Some(end) = id.last_chunk::<8>()
                {
                    last = u64::from_le_bytes(*end) >> (8 * (24 - id.len()));
                }
            }
            None => head[..id.len()].copy_from_slice(id),
        }
        tail.copy_from_slice(&(last | (id.len() as u64) << 56).to_le_bytes());
        Some(QueueId(bytes))
    }

    /// The ID in three numbers.
    #[inline]
    pub(crate) fn words(&self) -> [u64; 3] {
        let words = self.0.as_chunks().0;
        [words[0], words[1], words[2]].map(u64::from_le_bytes)
    }

    /// The ID as printed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0[..usize::from(self.0[LEN])]
    }
}

/// When a message of Exim arrived: its ID begins with the second, in six digits of base 62 (spec, chapter 3.4).
pub fn exim_time_ms(id: &[u8]) -> Option<UtcMs> {
    let second = exim_second(id)?;
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        b'A'..=b'Z' => byte - b'A' + 10,
        _ => byte - b'a' + 36,
    };
    let seconds = second.iter().fold(0, |sum, byte| sum * 62 + i64::from(digit(*byte)));
    Some(UtcMs::from_seconds(seconds))
}

/// Whether [`exim_time_ms`] finds a time in an ID.
#[inline]
pub(crate) fn has_exim_time(id: &[u8]) -> bool {
    exim_second(id).is_some()
}

/// The digits of the second in an ID of Exim; each is a letter or a digit.
#[inline]
fn exim_second(id: &[u8]) -> Option<&[u8; 6]> {
    let (second, rest) = id.split_first_chunk::<6>()?;
    let is_id = rest.first() == Some(&b'-') && rest.get(1..)?.contains(&b'-');
    (is_id && second.iter().all(u8::is_ascii_alphanumeric)).then_some(second)
}

impl std::fmt::Debug for QueueId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", crate::model::text::text(self.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_ids_of_every_length() {
        let longest = b"1rTQGH-00000005x3P-2b9N";
        let ids: Vec<QueueId> = (1..=LEN).map(|len| QueueId::new(&longest[..len]).unwrap()).collect();
        for (len, id) in (1..).zip(&ids) {
            assert_eq!(id.as_bytes(), &longest[..len]);
            assert_eq!(ids.iter().filter(|other| *other == id).count(), 1, "{len}");
        }
        assert_eq!((QueueId::new(b""), QueueId::new(&[b'x'; 24])), (None, None));
    }
}

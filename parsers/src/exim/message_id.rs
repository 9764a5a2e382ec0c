//! Message IDs: `6-6-2` base-62 characters up to Exim 4.96, `6-11-4` from 4.97 on.

use super::record::MessageId;
use crate::cut::{Alphabet, Cut};

/// The digits of Exim's base 62.
static BASE62: Alphabet = Alphabet::new(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

impl MessageId<'_> {
    /// The arrival's time in seconds since 1970, UTC: the first six characters.
    ///
    /// `None` when these are not base-62, which a parsed ID's are. The clock of the log may be another zone's; this
    /// one never is.
    ///
    /// ```
    /// use mailpulse_parsers::exim::record::MessageId;
    /// assert_eq!(MessageId(b"1fQdLN-0001Ab-Cd").arrival_epoch(), Some(1_528_310_377));
    /// ```
    #[must_use]
    pub fn arrival_epoch(&self) -> Option<i64> {
        let digits = self.0.first_chunk::<6>()?;
        digits.iter().try_fold(0i64, |epoch, &byte| match BASE62.place(byte) {
            Alphabet::NONE => None,
            value => Some(epoch * 62 + i64::from(value)),
        })
    }
}

/// A message ID at the start of `input`, before a space or the end.
#[inline]
pub(super) fn message_id(input: &[u8]) -> Option<(&[u8], MessageId<'_>)> {
    shaped::<16, 13>(input).or_else(|| shaped::<23, 18>(input))
}

/// An ID of so many bytes with its second dash at `DASH`.
#[inline]
fn shaped<const LENGTH: usize, const DASH: usize>(input: &[u8]) -> Option<(&[u8], MessageId<'_>)> {
    let (id, rest) = input.split_first_chunk::<LENGTH>()?;
    if [6, DASH].iter().any(|at| id.get(*at) != Some(&b'-')) || !matches!(rest, [] | [b' ', ..]) {
        return None;
    }
    // Eight bytes at once; the last eight may overlap the others.
    let is_base62 = |from: usize| {
        id.past(from)
            .first_chunk()
            .is_some_and(|word| are_base62(word, [6, DASH], from))
    };
    (is_base62(0) && is_base62(8) && is_base62(LENGTH - 8)).then_some((rest, MessageId(id)))
}

/// Whether all eight bytes are letters or digits, but for dashes at these places of an ID in which they stand at `from`.
#[inline]
fn are_base62(bytes: &[u8; 8], dashes: [usize; 2], from: usize) -> bool {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOP: u64 = 0x80 * ONES;
    // The top bit of each byte that is from `low` to `high`; of bytes below 0x80.
    let within = |word: u64, low: u8, high: u8| {
        let reaches = |limit: u8| word + (0x80 - u64::from(limit)) * ONES;
        reaches(low) & !reaches(high + 1)
    };
    // A dash is read as a digit.
    let digit = |word: u64, dash: usize| match dash.wrapping_sub(from) {
        at @ 0..8 => word ^ (u64::from(b'-' ^ b'0') << (8 * at)),
        _ => word,
    };
    let word = dashes.into_iter().fold(u64::from_le_bytes(*bytes), digit);
    if word & TOP != 0 {
        return false;
    }
    let letters = within(word | (0x20 * ONES), b'a', b'z');
    (letters | within(word, b'0', b'9')) & TOP == TOP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        for text in ["1fOXU8-002aYZ-oS", "1rTQGH-00000005x3P-2b9N"] {
            assert_eq!(
                message_id(text.as_bytes()),
                Some((&b""[..], MessageId(text.as_bytes())))
            );
            let line = format!("{text} <= x");
            assert_eq!(message_id(line.as_bytes()).unwrap().0, b" <= x");
        }
        for text in [
            "1fOXU8-002aYZ-o",
            "1fOXU8-002aYZ-oSS",
            "1fOXU8_002aYZ-oS",
            "1fOXU8-002a.Z-oS",
            "H=mx [1.2.3.4]",
            "",
        ] {
            assert_eq!(message_id(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn each_byte_is_looked_at() {
        for id in [&b"1fOXU8-002aYZ-oS"[..], b"1rTQGH-00000005x3P-2b9N"] {
            for (at, byte) in (0..id.len()).flat_map(|at| (0..=255).map(move |byte| (at, byte))) {
                let mut changed = id.to_vec();
                changed[at] = byte;
                let expected = if id[at] == b'-' {
                    byte == b'-'
                } else {
                    byte.is_ascii_alphanumeric()
                };
                assert_eq!(message_id(&changed).is_some(), expected, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn epoch() {
        assert_eq!(MessageId(b"1fOXU8-002aYZ-oS").arrival_epoch(), Some(1_527_811_200));
        assert_eq!(MessageId(b"1fO").arrival_epoch(), None);
        assert_eq!(MessageId(b"1fO.U8-002aYZ-oS").arrival_epoch(), None);
    }
}

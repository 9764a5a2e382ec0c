//! Message IDs: `6-6-2` base-62 characters up to Exim 4.96, `6-11-4` from 4.97 on.

use super::record::MessageId;

/// Value of a base-62 character in Exim's alphabet `0-9A-Za-z`; 255 for any other byte.
const BASE62: [u8; 256] = {
    let mut table = [255; 256];
    let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut value = 0;
    while value < alphabet.len() {
        table[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    table
};

impl MessageId<'_> {
    /// The arrival's time in seconds since 1970, UTC: the first six characters.
    ///
    /// `None` when these are not base-62, which a parsed ID's are. The clock of the log may be another zone's; this
    /// one never is.
    #[must_use]
    pub fn arrival_epoch(&self) -> Option<i64> {
        let digits = self.0.first_chunk::<6>()?;
        digits
            .iter()
            .try_fold(0i64, |epoch, &byte| match BASE62[usize::from(byte)] {
                255 => None,
                value => Some(epoch * 62 + i64::from(value)),
            })
    }
}

/// A message ID at the start of `input`, before a space or the end.
#[inline]
pub(super) fn message_id(input: &[u8]) -> Option<(&[u8], MessageId<'_>)> {
    let length = if input.len() >= 16 && input[6] == b'-' && input[13] == b'-' && ends(input, 16) {
        16
    } else if input.len() >= 23 && input[6] == b'-' && input[18] == b'-' && ends(input, 23) {
        23
    } else {
        return None;
    };
    let id = &input[..length];
    let second_dash = length - if length == 16 { 3 } else { 5 };
    // One table value has all bits of a bad byte: OR them all and look once.
    let bits = base62_bits(&id[..6]) | base62_bits(&id[7..second_dash]) | base62_bits(&id[second_dash + 1..]);
    (bits < 64).then(|| (&input[length..], MessageId(id)))
}

#[inline]
fn base62_bits(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |bits, &byte| bits | BASE62[usize::from(byte)])
}

#[inline]
fn ends(input: &[u8], at: usize) -> bool {
    matches!(input.get(at), None | Some(b' '))
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
    fn epoch() {
        assert_eq!(MessageId(b"1fOXU8-002aYZ-oS").arrival_epoch(), Some(1_527_811_200));
        assert_eq!(MessageId(b"1fO").arrival_epoch(), None);
        assert_eq!(MessageId(b"1fO.U8-002aYZ-oS").arrival_epoch(), None);
    }
}

//! Why a line was not understood: offset, expected, found; and a picture of it that is safe to print.

use crate::cut::Cut;
use crate::harmless::safe_text;
use crate::prim::{Fault, Parsed};
use std::fmt;

/// A line that is not what its format promises. Three words: cheap enough to build for every line of a foreign file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reject {
    /// Bytes from the start of the line.
    pub offset: usize,
    /// What would have been right at that place.
    pub expected: &'static str,
    /// What stands at that place.
    pub found: Found,
}

/// What stands at the place of a [`Reject`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The line ends there.
    End,
    /// This byte stands there, of whatever character.
    Byte(u8),
}

/// Columns of the line that a picture shows at most.
const WINDOW: usize = 72;

impl Reject {
    /// A reject of `line` at the place of `fault`.
    #[must_use]
    pub(crate) fn new(line: &[u8], fault: Fault) -> Self {
        let offset = line.len().saturating_sub(fault.left);
        let found = line.get(offset).map_or(Found::End, |&byte| Found::Byte(byte));
        Reject {
            offset,
            expected: fault.expected,
            found,
        }
    }

    /// The line with a caret under the place, on three lines, safe for a terminal.
    ///
    /// `line` is the line that was rejected. What could steer a terminal or deceive a reader (control characters, C1,
    /// bidirectional marks, bytes that are not UTF-8) is shown as an escape; a long line is cut around the place.
    ///
    /// ```
    /// let line = b"2018-13-06 18:55:01 \x1b[2J";
    /// let reject = mailpulse_parsers::exim::parse(line).unwrap_err();
    /// assert_eq!(
    ///     reject.picture(line),
    ///     "2018-13-06 18:55:01 \\u{1b}[2J\n     ^\nat byte 5: expected a month (01-12), found `1`"
    /// );
    /// ```
    #[must_use]
    pub fn picture(&self, line: &[u8]) -> String {
        let offset = self.offset.min(line.len());
        let before = safe_text(line.until(offset).past(offset.saturating_sub(4 * WINDOW)));
        let after = safe_text(line.until(offset + 4 * WINDOW).past(offset));
        let skipped = before.chars().count().saturating_sub(WINDOW / 2);
        let cut_front = skipped > 0 || offset > 4 * WINDOW;
        let mut shown: String = if cut_front { "…".into() } else { String::new() };
        shown.extend(before.chars().skip(skipped));
        let column = shown.chars().count();
        let room = WINDOW.saturating_sub(column);
        shown.extend(after.chars().take(room));
        if after.chars().count() > room || line.len() > offset + 4 * WINDOW {
            shown.push('…');
        }
        format!("{shown}\n{:column$}^\n{self}", "")
    }
}

/// The value of a grammar function, or its fault as a place in `line`.
#[inline]
pub(crate) fn finish<T>(line: &[u8], parsed: Parsed<'_, T>) -> Result<T, Reject> {
    match parsed {
        Ok((_, value)) => Ok(value),
        Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => Err(Reject::new(line, fault)),
        Err(nom::Err::Incomplete(_)) => Err(Reject {
            offset: 0,
            expected: "a whole line",
            found: Found::End,
        }),
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "at byte {}: expected {}, found {}",
            self.offset, self.expected, self.found
        )
    }
}

impl std::error::Error for Reject {}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::End => f.write_str("the end of the line"),
            Found::Byte(b' ') => f.write_str("a space"),
            Found::Byte(byte @ b'!'..=b'~') => write!(f, "`{}`", char::from(*byte)),
            Found::Byte(byte) => write!(f, "byte 0x{byte:02x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harmless::deceives;

    #[test]
    fn picture_points_at_the_place() {
        let line = b"2018-13-06 18:55:01 x";
        let reject = Reject {
            offset: 5,
            expected: "a month",
            found: Found::Byte(b'1'),
        };
        assert_eq!(
            reject.picture(line),
            "2018-13-06 18:55:01 x\n     ^\nat byte 5: expected a month, found `1`"
        );
    }

    #[test]
    fn picture_of_hostile_text_is_harmless() {
        let line = "\x1b[2Jred\u{202e}gnp\u{9b}31m".as_bytes();
        let reject = Reject {
            offset: 0,
            expected: "a timestamp",
            found: Found::Byte(0x1b),
        };
        let picture = reject.picture(line);
        assert!(picture.chars().all(|c| c == '\n' || !deceives(c)), "{picture:?}");
        assert!(picture.contains(r"\u{1b}[2Jred\u{202e}gnp\u{9b}31m"), "{picture:?}");
        assert!(
            Reject { offset: 3, ..reject }
                .picture(b"\xff\xfe\x00")
                .starts_with(r"\xff\xfe\u{0}")
        );
    }

    #[test]
    fn picture_of_a_long_line_is_short() {
        let line = vec![b'x'; 10 << 20];
        for offset in [0, 40, 5 << 20, 10 << 20, usize::MAX] {
            let picture = Reject {
                offset,
                expected: "y",
                found: Found::Byte(b'x'),
            }
            .picture(&line);
            assert!(
                picture.lines().next().unwrap().chars().count() <= WINDOW + 2,
                "{picture}"
            );
        }
    }
}

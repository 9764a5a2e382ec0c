//! Cuts and look-ups that cannot panic, for text whose writer is a stranger.
//!
//! The grammars find places by searching and cut there. A wrong place must cost a field, never the process: here a
//! place behind the end counts as the end. That is as cheap as the check of `[..]`, and needs no proof at each use.

/// Cuts of a text by length, as [`Iterator::take`] and [`Iterator::skip`] have them.
pub(crate) trait Cut {
    /// The first `length` bytes; all of them if there are no more.
    fn until(&self, length: usize) -> &Self;

    /// What follows the first `length` bytes; empty, at the end of the text, if nothing does.
    fn past(&self, length: usize) -> &Self;

    /// Both: what stands before a place, and what follows from it on.
    fn cut(&self, at: usize) -> (&Self, &Self);
}

impl<T> Cut for [T] {
    #[inline(always)]
    fn until(&self, length: usize) -> &[T] {
        self.cut(length).0
    }

    #[inline(always)]
    fn past(&self, length: usize) -> &[T] {
        self.cut(length).1
    }

    #[inline(always)]
    fn cut(&self, at: usize) -> (&[T], &[T]) {
        self.split_at(at.min(self.len()))
    }
}

/// The places of characters in an alphabet: the value of a digit, or just whether a byte is one of it.
pub(crate) struct Alphabet([u8; 256]);

impl Alphabet {
    /// Stands for a byte that is not of the alphabet.
    pub(crate) const NONE: u8 = 255;

    /// Of these characters, in their order.
    pub(crate) const fn new(characters: &[u8]) -> Self {
        Alphabet([Alphabet::NONE; 256]).also(characters)
    }

    /// The same values for other characters, as capitals have.
    #[expect(
        clippy::indexing_slicing,
        reason = "the compiler runs it: a wrong place would not compile"
    )]
    pub(crate) const fn also(mut self, characters: &[u8]) -> Self {
        let mut value = 0;
        while value < characters.len() {
            self.0[characters[value] as usize] = value as u8;
            value += 1;
        }
        self
    }

    /// The place of a character, from 0; [`Alphabet::NONE`] for any other byte.
    #[inline(always)]
    #[expect(
        clippy::indexing_slicing,
        reason = "no byte is above 255: the compiler leaves the check out"
    )]
    pub(crate) fn place(&self, byte: u8) -> u8 {
        self.0[usize::from(byte)]
    }

    /// Whether the byte is a character of it.
    #[inline(always)]
    pub(crate) fn has(&self, byte: u8) -> bool {
        self.place(byte) != Alphabet::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_behind_the_end_is_the_end() {
        let text = &b"abc"[..];
        for (at, parts) in [
            (0, ("", "abc")),
            (2, ("ab", "c")),
            (3, ("abc", "")),
            (4, ("abc", "")),
            (usize::MAX, ("abc", "")),
        ] {
            assert_eq!(text.cut(at), (parts.0.as_bytes(), parts.1.as_bytes()), "{at}");
            assert_eq!((text.until(at), text.past(at)), text.cut(at), "{at}");
        }
        // A rest is a suffix of its line: places are counted from the end.
        assert_eq!(text.past(9).as_ptr(), text.as_ptr_range().end);
    }

    #[test]
    fn alphabets() {
        const HEX: Alphabet = Alphabet::new(b"0123456789abcdef").also(b"0123456789ABCDEF");
        for byte in 0..=255 {
            let digit = char::from(byte)
                .to_digit(16)
                .map_or(Alphabet::NONE, |digit| digit as u8);
            assert_eq!((HEX.place(byte), HEX.has(byte)), (digit, digit < 16), "{byte}");
        }
    }
}

//! What was worked out of a text, remembered: whoever is refused comes again, with the same words to the same address.

use crate::model::dictionary::Dictionary;

/// Texts remembered before a memo starts anew, if it does not say otherwise.
const TEXTS_MAX: usize = 1024;
/// A longer text is worked out each time.
const TEXT_BYTES_MAX: usize = 512;

/// Values of texts, as far as they are remembered.
#[derive(Debug)]
pub(super) struct Memo<V, const TEXTS: usize = TEXTS_MAX> {
    texts: Dictionary,
    values: Vec<V>,
    /// The value of a text that is too long.
    long: Option<V>,
}

impl<V, const TEXTS: usize> Default for Memo<V, TEXTS> {
    fn default() -> Self {
        Memo {
            texts: Dictionary::default(),
            values: Vec::new(),
            long: None,
        }
    }
}

impl<V, const TEXTS: usize> Memo<V, TEXTS> {
    /// The value of a text; `make` works it out and must give the same for the same text.
    pub(super) fn get(&mut self, text: &[u8], make: impl FnOnce(&[u8]) -> V) -> &V {
        if text.len() > TEXT_BYTES_MAX {
            return self.long.insert(make(text));
        }
        let known = self.texts.find(text);
        if known.is_none() && self.texts.len() == TEXTS {
            self.texts.clear();
            self.values.clear();
        }
        let at = known.unwrap_or_else(|| {
            self.values.push(make(text));
            self.texts.code(text)
        });
        &self.values[at as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_worked_out_once_and_memory_is_bounded() {
        let mut memo = Memo::<usize>::default();
        let mut made = 0;
        for n in 0..3 * TEXTS_MAX {
            for text in [format!("{n}"), "x".repeat(TEXT_BYTES_MAX + n)] {
                let len = *memo.get(text.as_bytes(), |text| {
                    made += 1;
                    text.len()
                });
                assert_eq!(len, text.len());
            }
            assert_eq!(*memo.get(b"always", <[u8]>::len), 6);
        }
        // Twice each but for the one long text that is not too long.
        assert_eq!(made, 6 * TEXTS_MAX);
        assert!(memo.values.len() <= TEXTS_MAX && memo.values.len() == memo.texts.len());
    }
}

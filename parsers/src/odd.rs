//! Fields whose values are not of their form. Time, ID, flag and address decide what a line is; what is odd beside them
//! is left out, and told: one damaged number must not cost a mail.

/// A field that was left out of its line's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Odd<'a> {
    /// Its name: a key as printed (`S`, `delay`), or what stands there.
    pub field: &'static str,
    /// What stands in the value's place; empty if nothing does.
    pub value: &'a [u8],
}

/// Notes an odd field; the first of a line is kept.
#[cold]
#[inline(never)]
pub(crate) fn note<'a>(into: &mut Option<Odd<'a>>, field: &'static str, value: &'a [u8]) {
    into.get_or_insert(Odd { field, value });
}

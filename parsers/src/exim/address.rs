//! Addresses as Exim's `string_log_address()` prints them: final address, `(parents)`, `<original>`.

use super::field::is_field;
use super::record::Target;
use crate::cut::Cut;
use crate::prim::{Parsed, address_end, angle, colon_space, fail, word};
use memchr::{memchr, memchr_iter, memmem};

/// The address part of a delivery line.
pub(super) struct Address<'a> {
    pub target: Target,
    pub address: &'a [u8],
    pub original: Option<&'a [u8]>,
}

/// The sender of an arrival: a word, `<>` (given as empty), or a quoted local part with spaces in it.
#[inline]
pub(super) fn sender(input: &[u8]) -> Parsed<'_, &[u8]> {
    let end = address_end(input, b' ').unwrap_or(input.len());
    match input.until(end) {
        b"" => fail(input, "the sender's address"),
        b"<>" => Ok((input.past(end), b"")),
        address => Ok((input.past(end), address)),
    }
}

/// The final address with what may follow it. The rest begins with a space, a colon, or is empty.
#[inline]
pub(super) fn address(input: &[u8]) -> Parsed<'_, Address<'_>> {
    let (target, end) = match input {
        [] | [b' ', ..] => return fail(input, "an address"),
        [b':', b'b', ..] if input.starts_with(b":blackhole:") => (Target::Blackhole, b":blackhole:".len()),
        [b'|', ..] => (Target::Pipe, long_end(input)),
        [b'/', ..] => (Target::File, long_end(input)),
        [b'>', ..] => (Target::Autoreply, long_end(input)),
        [b's', b'a', b'v', b'e', b' ', next @ ..] if !follows_address(next) => (Target::File, long_end(input)),
        _ => (Target::Address, short_end(input)),
    };
    let (mut address, mut rest) = input.split_at(end);
    if let Some(bare) = address.strip_suffix(b":")
        && target == Target::Address
        && !bare.is_empty()
    {
        (address, rest) = (bare, input.past(end - 1));
    }
    if let [b' ', b'(', parents @ ..] = rest {
        rest = skip_parents(parents).unwrap_or(rest);
    }
    let mut original = None;
    if let [b' ', tail @ ..] = rest
        && tail.first() == Some(&b'<')
        && let Ok((after, inner)) = angle(tail)
    {
        (original, rest) = (Some(inner), after);
    }
    Ok((
        rest,
        Address {
            target,
            address,
            original,
        },
    ))
}

/// End of an ordinary address: the next space, unless an unquoted local part goes on behind it.
#[inline]
fn short_end(input: &[u8]) -> usize {
    match address_end(input, b' ') {
        None => input.len(),
        Some(end) if follows_address(input.past(end + 1)) => end,
        Some(end) => odd_end(input, end),
    }
}

/// What stands after an address of a delivery: parents, original, a field, or the words of a failure.
#[inline]
fn follows_address(next: &[u8]) -> bool {
    match next {
        [] => true,
        [b'R' | b'T' | b'F' | b'P' | b'Q', b'=', ..] => true,
        [b'<' | b'(' | b':' | b' ', ..] => true,
        _ => {
            is_field(next)
                || ["defer (", "routing ", "mua_wrapper "]
                    .iter()
                    .any(|w| next.starts_with(w.as_bytes()))
        }
    }
}

/// A local part that Exim prints without its quotes may hold spaces: if an `@` comes before anything that can follow an
/// address, the address goes on up to there.
#[cold]
fn odd_end(input: &[u8], first: usize) -> usize {
    if memchr(b'@', input.until(first)).is_some() || input.until(first).ends_with(b":") {
        return first;
    }
    for space in memchr_iter(b' ', input).skip_while(|&at| at <= first) {
        if memchr(b'@', input.until(space).past(first)).is_some() {
            return space;
        }
        if follows_address(input.past(space + 1)) {
            break;
        }
    }
    first
}

/// End of a pipe, file or autoreply, which may hold spaces, quotes and angle brackets: the first place where something
/// that must follow it does.
#[cold]
fn long_end(input: &[u8]) -> usize {
    for space in memchr_iter(b' ', input) {
        let next = input.past(space + 1);
        let ends = match next {
            [b'R' | b'T' | b'F' | b'P' | b'Q', b'=', ..] => true,
            [b'<', ..] => angle(next).is_ok_and(|(rest, _)| match rest {
                [] | [b':', ..] => true,
                [b' ', tail @ ..] => is_field(tail) || tail.starts_with(b"defer (") || tail.starts_with(b"routing "),
                _ => false,
            }),
            [b'(', parents @ ..] => skip_parents(parents).is_some_and(|rest| rest.starts_with(b" <")),
            _ => next.starts_with(b"defer (") || next.starts_with(b"routing "),
        };
        if ends {
            return space;
        }
    }
    // `** |command: text` is how a failure before routing prints.
    colon_space(input).unwrap_or(input.len())
}

/// `a@b, c@d) <original>` after the opening parenthesis: parents always have an original behind them.
fn skip_parents(input: &[u8]) -> Option<&[u8]> {
    match memmem::find(input, b") <") {
        Some(at) => Some(input.past(at + 1)),
        None => memchr(b')', input).map(|at| input.past(at + 1)),
    }
}

/// `blackhole (RCPT ACL discarded recipients): text` and `discarded (system filter)`: not addresses at all. Gives the
/// text after the word.
#[inline]
pub(super) fn discarded(input: &[u8]) -> Option<(&[u8], &[u8])> {
    if !matches!(input.first(), Some(b'b' | b'd')) {
        return None;
    }
    let (rest, name) = word(input).ok()?;
    if !matches!(name, b"blackhole" | b"discarded") {
        return None;
    }
    match rest {
        [b' ', text @ ..] if !is_field(text) && !text.starts_with(b"<") => Some((name, text)),
        _ => None,
    }
}

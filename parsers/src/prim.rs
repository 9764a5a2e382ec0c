//! Grammar shared by the formats: words, numbers, quoted strings, durations, addresses of hosts.
//!
//! Every function is a nom parser over bytes. Input is always a *suffix* of the line: that is how a [`Fault`] can
//! carry its place as one number, and why nothing here parses a copy or an inner slice and lets its fault out.

use crate::cut::{Alphabet, Cut};
use memchr::{memchr, memchr2};
use nom::error::{ErrorKind, ParseError};
use nom::{Err, IResult};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why a grammar function stopped: what it wanted, and how many bytes of the line were left at that place.
///
/// Two words and no allocation, because a parser may build some of these and throw them away on the way to success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Bytes from the place of the fault to the end of the line.
    pub left: usize,
    /// What would have been right here.
    pub expected: &'static str,
}

impl ParseError<&[u8]> for Fault {
    fn from_error_kind(input: &[u8], kind: ErrorKind) -> Self {
        let expected = match kind {
            ErrorKind::Tag => "another word",
            ErrorKind::Eof => "the end of the line",
            _ => "something else",
        };
        Fault {
            left: input.len(),
            expected,
        }
    }

    fn append(_: &[u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// Result of a grammar function: rest of the line and value.
pub(crate) type Parsed<'a, T> = IResult<&'a [u8], T, Fault>;

/// Fails at `input` for want of `expected`.
///
/// # Errors
/// Always.
#[cold]
pub(crate) fn fail<'a, T>(input: &'a [u8], expected: &'static str) -> Parsed<'a, T> {
    Err(Err::Error(Fault {
        left: input.len(),
        expected,
    }))
}

/// Where a byte is that is most likely near, eight bytes at a time: the words of a log are over before a call of memchr
/// would have begun. What is further off than a few words is memchr's.
#[inline]
pub(crate) fn near(byte: u8, input: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const STEPS: usize = 6;
    let (words, _) = input.as_chunks::<8>();
    let words = words.until(STEPS);
    for (step, word) in words.iter().enumerate() {
        // The byte is zero now; the lowest zero is the lowest whose top bit borrows.
        let zeroed = u64::from_le_bytes(*word) ^ (ONES * u64::from(byte));
        let hits = zeroed.wrapping_sub(ONES) & !zeroed & (ONES << 7);
        if hits != 0 {
            return Some(step * 8 + hits.trailing_zeros() as usize / 8);
        }
    }
    let from = 8 * words.len();
    let rest = input.past(from);
    let at = if rest.len() < 8 {
        rest.iter().position(|b| *b == byte)
    } else {
        memchr(byte, rest)
    };
    at.map(|at| from + at)
}

/// Where the first `: ` is, behind which Exim's texts begin. To build a searcher would cost more than the search.
#[inline]
pub(crate) fn colon_space(text: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b':', text).find(|at| text.get(at + 1) == Some(&b' '))
}

/// Bytes up to the next space or the end of the line; may be empty.
///
/// # Errors
/// Never.
#[inline]
pub(crate) fn word(input: &[u8]) -> Parsed<'_, &[u8]> {
    let end = near(b' ', input).unwrap_or(input.len());
    Ok((input.past(end), input.until(end)))
}

/// An unsigned decimal number.
///
/// # Errors
/// No digit, or a number over `u64::MAX`.
#[inline]
pub(crate) fn decimal(input: &[u8]) -> Parsed<'_, u64> {
    let mut value = 0u64;
    let mut rest = input;
    while let [digit @ b'0'..=b'9', after @ ..] = rest {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        rest = after;
    }
    match input.len() - rest.len() {
        0 => fail(input, "a number"),
        // So many digits fit.
        1..=19 => Ok((rest, value)),
        _ => long_decimal(input),
    }
}

/// [`decimal`], for a number that may be too large.
#[cold]
fn long_decimal(input: &[u8]) -> Parsed<'_, u64> {
    let mut value = 0u64;
    let mut rest = input;
    while let [digit @ b'0'..=b'9', after @ ..] = rest {
        let more = value
            .checked_mul(10)
            .and_then(|v| v.checked_add(u64::from(digit - b'0')));
        let Some(more) = more else {
            return fail(input, "a number below 2^64");
        };
        (value, rest) = (more, after);
    }
    Ok((rest, value))
}

/// A number with an optional minus, as in `defer (-46)`.
///
/// # Errors
/// No number, or one that does not fit an `i32`.
pub(crate) fn signed(input: &[u8]) -> Parsed<'_, i32> {
    let (digits, negative) = match input {
        [b'-', digits @ ..] => (digits, true),
        _ => (input, false),
    };
    let (rest, value) = decimal(digits)?;
    match i32::try_from(value) {
        Ok(value) => Ok((rest, if negative { -value } else { value })),
        Err(_) => fail(input, "an error number"),
    }
}

/// A string after its opening `"`, up to the closing one; gives the inside, still escaped.
///
/// Exim escapes `"` and `\` in `C=` and `T=` but prints a `DN=` as the peer sent it: so a closing quote is an unescaped
/// one before a space, a colon or the end of the line, and a quote elsewhere is text.
///
/// # Errors
/// No closing quote.
#[inline]
pub(crate) fn quoted(input: &[u8]) -> Parsed<'_, &[u8]> {
    let mut at = 0;
    while let Some(hit) = memchr2(b'"', b'\\', input.past(at)) {
        at += hit;
        if input.get(at) == Some(&b'\\') {
            at = input.len().min(at + 2);
        } else if matches!(input.get(at + 1), None | Some(b' ' | b':')) {
            return Ok((input.past(at + 1), input.until(at)));
        } else {
            at += 1;
        }
    }
    fail(input, "a closing quote")
}

/// An address's length up to the first byte for which `stop` holds, which a quoted local part may contain.
#[inline]
pub(crate) fn address_end(input: &[u8], stop: u8) -> Option<usize> {
    let from = after_quotes(input);
    near(stop, input.past(from)).map(|at| from + at)
}

/// [`address_end`], for what is longer than most addresses.
#[inline]
pub(crate) fn long_address_end(input: &[u8], stop: u8) -> Option<usize> {
    let from = after_quotes(input);
    memchr(stop, input.past(from)).map(|at| from + at)
}

/// Length of a quoted local part at the start; 0 if there is none. An unbalanced quote is an odd address, not a quoted
/// one.
#[inline]
fn after_quotes(input: &[u8]) -> usize {
    match input.first() {
        Some(b'"') => quoted_local_part(input).unwrap_or(0),
        _ => 0,
    }
}

/// Length of a quoted local part with both quotes, when an `@` follows it.
fn quoted_local_part(input: &[u8]) -> Option<usize> {
    let mut at = 1;
    while let Some(hit) = memchr2(b'"', b'\\', input.get(at..)?) {
        at += hit;
        if input.get(at) == Some(&b'\\') {
            at += 2;
        } else if input.get(at + 1) == Some(&b'@') {
            return Some(at + 1);
        } else {
            at += 1;
        }
    }
    None
}

/// `<address>`; gives the inside, which may be empty. A quoted local part may hold `>`.
///
/// # Errors
/// No `<` here, or no `>` after it.
#[inline]
pub(crate) fn angle(input: &[u8]) -> Parsed<'_, &[u8]> {
    let [b'<', inner @ ..] = input else {
        return fail(input, "`<`");
    };
    match address_end(inner, b'>') {
        Some(end) => Ok((inner.past(end + 1), inner.until(end))),
        None => fail(inner, "`>` after the address"),
    }
}

/// Exim's durations in milliseconds: `3s`, `0.086s`, `2m3s`, `1h2m3s`, `3d4h`, `1w2d`.
///
/// # Errors
/// Not a duration, or one over 2^64 ms.
#[inline]
pub(crate) fn duration_ms(input: &[u8]) -> Parsed<'_, u64> {
    let mut total = 0u64;
    let mut rest = input;
    while let Some(b'0'..=b'9') = rest.first() {
        let (mut after, whole) = decimal(rest)?;
        let mut fraction_ms = 0;
        if let [b'.', digits @ ..] = after {
            let (end, ms) = fraction(digits);
            fraction_ms = ms;
            after = digits.past(end);
        }
        let (unit_ms, behind) = match after {
            [b's', behind @ ..] => (1_000, behind),
            [b'm', behind @ ..] => (60_000, behind),
            [b'h', behind @ ..] => (3_600_000, behind),
            [b'd', behind @ ..] => (86_400_000, behind),
            [b'w', behind @ ..] => (604_800_000, behind),
            _ => return fail(after, "a unit of time (s m h d w)"),
        };
        total = match whole
            .checked_mul(unit_ms)
            .and_then(|ms| total.checked_add(ms)?.checked_add(fraction_ms))
        {
            Some(total) => total,
            None => return fail(rest, "a shorter duration"),
        };
        rest = behind;
    }
    if rest.len() == input.len() {
        fail(input, "a duration")
    } else {
        Ok((rest, total))
    }
}

/// The digits at the start as a fraction of a second: how many there are, and the milliseconds.
#[inline]
pub(crate) fn fraction(input: &[u8]) -> (usize, u64) {
    let used = input.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let digit = |at: usize| match input.get(at) {
        Some(digit) if at < used => u64::from(digit - b'0'),
        _ => 0,
    };
    (used, digit(0) * 100 + digit(1) * 10 + digit(2))
}

/// An IP address as printed in a log: dotted quad, IPv6, or IPv6 with `%scope`, which is dropped.
#[inline]
pub(crate) fn ip_addr(text: &[u8]) -> Option<IpAddr> {
    match ipv4(text) {
        Some(quad) => Some(IpAddr::V4(quad)),
        None => ipv6(text).map(IpAddr::V6),
    }
}

#[inline]
fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    ipv4_prefix(text).filter(|(_, rest)| rest.is_empty()).map(|(ip, _)| ip)
}

/// A dotted quad at the start, and what follows it. std's parser wants a `str` and costs five times as much, on the field
/// that every line has.
#[inline]
pub(crate) fn ipv4_prefix(text: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    // Room for the longest, so that no byte need be asked whether it is there.
    let mut room = [0; 16];
    let bytes = match text.first_chunk::<16>() {
        Some(bytes) => bytes,
        None => {
            room.get_mut(..text.len())?.copy_from_slice(text);
            &room
        }
    };
    let byte = |place: usize| bytes.get(place % 16).copied().unwrap_or(0);
    let mut octets = [0; 4];
    let mut at = 0;
    for (number, octet) in octets.iter_mut().enumerate() {
        if number > 0 {
            if byte(at) != b'.' {
                return None;
            }
            at += 1;
        }
        let digit = |place: usize| u32::from(byte(place).wrapping_sub(b'0'));
        let (a, b, c) = (digit(at), digit(at + 1), digit(at + 2));
        let (value, digits) = match (a < 10, b < 10, c < 10) {
            (false, ..) => return None,
            (_, false, _) => (a, 1),
            (_, _, false) => (a * 10 + b, 2),
            _ => (a * 100 + b * 10 + c, 3),
        };
        *octet = u8::try_from(value).ok()?;
        at += digits;
    }
    Some((Ipv4Addr::from(octets), text.get(at..)?))
}

#[inline]
fn ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    let text = match memchr(b'%', text) {
        Some(scope) => text.until(scope),
        None => text,
    };
    if text.len() > 45 {
        return None;
    }
    // An IPv4 address at the end is rare enough for std.
    match memchr(b'.', text) {
        None => ipv6_groups(text),
        Some(_) => std::str::from_utf8(text).ok()?.parse().ok(),
    }
}

/// Up to eight groups of digits, with one `::` for groups of zeros.
#[inline]
fn ipv6_groups(text: &[u8]) -> Option<Ipv6Addr> {
    let mut groups = [0u16; 8];
    let (mut count, mut gap) = (0, None);
    let mut rest = text;
    if let [b':', b':', after @ ..] = text {
        (gap, rest) = (Some(0), after);
    }
    while gap.is_none() || !rest.is_empty() {
        let (value, digits) = ipv6_group(rest);
        if !(1..=4).contains(&digits) {
            return None;
        }
        *groups.get_mut(count)? = value;
        count += 1;
        rest = match rest.past(digits) {
            [] => break,
            [b':', b':', after @ ..] if gap.is_none() => {
                gap = Some(count);
                after
            }
            [b':', after @ ..] if !after.is_empty() => after,
            _ => return None,
        };
    }
    match gap {
        None => (count == 8).then(|| Ipv6Addr::from(groups)),
        // It stands for one group at least.
        Some(gap) if count < 8 => {
            groups.get_mut(gap..)?.rotate_right(8 - count);
            Some(Ipv6Addr::from(groups))
        }
        Some(_) => None,
    }
}

/// The hexadecimal digits at the start, five at most: their value, and how many there are.
#[inline]
fn ipv6_group(text: &[u8]) -> (u16, usize) {
    let (mut value, mut digits) = (0u32, 0);
    for byte in text.until(5) {
        let nibble = NIBBLE.place(*byte);
        if nibble > 15 {
            break;
        }
        value = value << 4 | u32::from(nibble);
        digits += 1;
    }
    (value as u16, digits)
}

/// Hexadecimal digits.
static NIBBLE: Alphabet = Alphabet::new(b"0123456789abcdef").also(b"0123456789ABCDEF");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_bytes_are_those_of_memchr() {
        for len in 0..80 {
            for at in 0..=len {
                let mut text = vec![b'!'; len];
                text.extend([0xa0, 0x21, 0x1f]);
                if let Some(byte) = text.get_mut(at) {
                    *byte = b' ';
                }
                assert_eq!(near(b' ', &text[..len]), memchr(b' ', &text[..len]), "{at} of {len}");
            }
        }
        assert_eq!(near(0x80, &[0, 0x7f, 0xff, 0x81, 0x80, 0, 0, 0]), Some(4));
    }

    #[test]
    fn durations() {
        for (text, ms) in [
            ("3s", 3_000),
            ("0.086s", 86),
            ("0s", 0),
            ("2m3s", 123_000),
            ("1h2m3s", 3_723_000),
            ("3d4h", 273_600_000),
            ("1w", 604_800_000),
            ("1m0.5s", 60_500),
        ] {
            assert_eq!(duration_ms(text.as_bytes()), Ok((&b""[..], ms)), "{text}");
        }
        for text in [
            "",
            "s",
            "3",
            "3x",
            "3.",
            "99999999999999999999s",
            "18446744073709551615w",
        ] {
            assert!(duration_ms(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_of_hosts() {
        for text in [
            "1.2.3.4",
            "255.255.255.255",
            "::1",
            "2620:0:861:3:208:80:154:81",
            "fe80::1",
            "::ffff:1.2.3.4",
            "::",
            "1::",
            "1:2:3:4:5:6:7::",
            "::2:3:4:5:6:7:8",
            "1:2::7:8",
        ] {
            assert_eq!(ip_addr(text.as_bytes()), text.parse().ok(), "{text}");
            assert!(ip_addr(text.as_bytes()).is_some(), "{text}");
        }
        assert_eq!(ip_addr(b"fe80::1%eth0"), "fe80::1".parse().ok());
        for text in [
            "",
            "1.2.3",
            "1.2.3.256",
            "1.2.3.4.5",
            "1..2.3",
            "1:2:3:4:5:6:7:8:9",
            "12345::",
            "x",
            ":",
            "1.2.3.4 ",
        ] {
            assert_eq!(ip_addr(text.as_bytes()), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn ipv6_is_read_as_std_reads_it(
            groups in proptest::collection::vec("[0-9a-fA-F]{1,4}|[0-9a-f]{0,5}", 1..10),
            cut in 0usize..3,
        ) {
            // Empty groups make `::`, more often where the front or the end is cut off.
            let whole = groups.join(":");
            let text = [&whole[..], "::", ""][cut].to_owned() + [&whole[..], "", ":"][cut];
            for text in [&whole, &text, &format!("{whole}::"), &format!("::{whole}")] {
                proptest::prop_assert_eq!(ip_addr(text.as_bytes()), text.parse().ok().map(IpAddr::V6), "{}", text);
            }
        }
    }

    #[test]
    fn quotes() {
        assert_eq!(quoted(br#"a \" b" x"#), Ok((&b" x"[..], &br#"a \" b"#[..])));
        assert_eq!(quoted(br#"O="x", CN=y" C"#), Ok((&b" C"[..], &br#"O="x", CN=y"#[..])));
        assert!(quoted(br#"abc\""#).is_err());
        assert!(quoted(br"abc\").is_err());
        assert_eq!(angle(br#"<"a > b"@c> x"#), Ok((&b" x"[..], &br#""a > b"@c"#[..])));
        assert_eq!(angle(b"<>"), Ok((&b""[..], &b""[..])));
        assert_eq!(angle(br#"<"odd@x> y"#), Ok((&b" y"[..], &br#""odd@x"#[..])));
    }
}

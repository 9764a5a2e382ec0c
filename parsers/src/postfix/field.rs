//! `key=value` fields between commas: addresses, delays, hosts.

use super::record::PostfixHost;
use crate::cut::{Alphabet, Cut};
use crate::odd::{self, Odd};
use crate::prim::{Parsed, decimal, fail, fraction, ip_addr};
use memchr::memchr;

/// Longest key looked for, with its `=`.
const KEY_MAX: usize = 32;

/// Longest text in a host's brackets: a socket's path is at most 108 bytes. A bound keeps hostile text linear.
const BRACKETS_MAX: usize = 128;

/// `<address>` of `from=`, `to=`, `orig_to=`; gives the inside, which is empty for `<>`.
///
/// A quoted local part may hold `>`. Before Postfix 3.5 the quotes were not printed, so the closing bracket is the
/// first one with something behind it that may follow an address.
///
/// # Errors
/// No `<` here, or no such `>`.
#[inline]
pub(super) fn address(input: &[u8]) -> Parsed<'_, &[u8]> {
    let [b'<', inner @ ..] = input else {
        return fail(input, "`<` and an address");
    };
    let mut from = 0;
    if inner.first() == Some(&b'"')
        && let Ok((rest, _)) = crate::prim::angle(input)
    {
        from = inner.len() - rest.len() - 1;
    }
    while let Some(at) = memchr(b'>', inner.past(from)) {
        let end = from + at;
        if follows(inner.past(end + 1)) {
            return Ok((inner.past(end + 1), inner.until(end)));
        }
        from = end + 1;
    }
    fail(inner, "`>` after the address")
}

/// What stands behind an address: nothing, the next field, or the reason.
#[inline]
fn follows(rest: &[u8]) -> bool {
    match rest {
        [] | [b';', ..] | [b':', b' ', ..] => true,
        [b',', b' ', next @ ..] | [b' ', next @ ..] => key_length(next).is_some(),
        _ => false,
    }
}

/// [`address`], or one without its brackets: up to the next field.
///
/// # Errors
/// Nothing there.
#[inline]
pub(super) fn any_address<'a>(input: &'a [u8], field: &'static str, odd: &mut Option<Odd<'a>>) -> Parsed<'a, &'a [u8]> {
    match address(input) {
        Ok(found) => Ok(found),
        Err(_) => bare_address(input, field, odd),
    }
}

#[cold]
fn bare_address<'a>(input: &'a [u8], field: &'static str, odd: &mut Option<Odd<'a>>) -> Parsed<'a, &'a [u8]> {
    let places = memchr::memchr3_iter(b',', b' ', b';', input);
    let end = places
        .into_iter()
        .find(|at| follows(input.past(*at)))
        .unwrap_or(input.len());
    let (text, rest) = input.split_at(end);
    let bare = text.strip_prefix(b"<").unwrap_or(text);
    let bare = bare.strip_suffix(b">").unwrap_or(bare);
    if bare.is_empty() {
        return fail(input, "`<` and an address");
    }
    if bare.len() < text.len() {
        odd::note(odd, field, text);
    }
    Ok((rest, bare))
}

/// Walks over a field whose value is not of its form, up to the next one, and notes it. What stands there instead of a
/// field is walked over as well.
#[cold]
pub(super) fn leave_out<'a>(token: &'a [u8], into: &mut Option<Odd<'a>>) -> &'a [u8] {
    const NAMES: [&str; 15] = [
        "to",
        "orig_to",
        "relay",
        "conn_use",
        "delay",
        "delays",
        "dsn",
        "size",
        "nrcpt",
        "uid",
        "orig_id",
        "client",
        "orig_client",
        "helo",
        "proto",
    ];
    let key = key_length(token);
    let value = key.map_or(token, |key| token.past(key + 1));
    let name = key.and_then(|key| NAMES.into_iter().find(|name| name.as_bytes() == token.until(key)));
    let rest = next_field(value);
    odd::note(into, name.unwrap_or("other"), value.until(value.len() - rest.len()));
    rest
}

/// The rest from the next `, key=` on; empty if there is none.
pub(super) fn next_field(input: &[u8]) -> &[u8] {
    let next = memchr::memchr_iter(b',', input).find(|at| match input.past(at + 1) {
        [b' ', next @ ..] => key_length(next).is_some(),
        _ => false,
    });
    input.past(next.unwrap_or(input.len()))
}

/// Seconds with an optional fraction, as milliseconds: `0`, `0.35`, `12`, `304112`.
///
/// # Errors
/// No number, or one over 2^64 ms.
#[inline]
pub(super) fn seconds_ms(input: &[u8]) -> Parsed<'_, u64> {
    let (mut rest, whole) = decimal(input)?;
    let mut fraction_ms = 0;
    if let [b'.', digits @ ..] = rest {
        let (used, ms) = fraction(digits);
        if used == 0 {
            return fail(digits, "digits after the point");
        }
        (fraction_ms, rest) = (ms, digits.past(used));
    }
    match whole.checked_mul(1000).and_then(|ms| ms.checked_add(fraction_ms)) {
        Some(ms) => Ok((rest, ms)),
        None => fail(input, "a shorter delay"),
    }
}

/// Length of the key of `key=`: lower-case letters, digits and `_`.
#[inline]
pub(super) fn key_length(input: &[u8]) -> Option<usize> {
    static IN_KEY: Alphabet = Alphabet::new(b"abcdefghijklmnopqrstuvwxyz0123456789_");
    let end = input.until(KEY_MAX).iter().position(|byte| !IN_KEY.has(*byte))?;
    (end > 0 && input.get(end) == Some(&b'=')).then_some(end)
}

/// A value up to the next comma or the end of the line.
#[inline]
pub(super) fn value(input: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr(b',', input).unwrap_or(input.len());
    (input.past(end), input.until(end))
}

/// `name[ip]`, `name[ip]:port`, `[ip]:port`, `name[/socket]`, `unknown[unknown]`, or a bare word.
///
/// # Errors
/// Nothing there, an open bracket, or something in it that is neither an address, a path nor `unknown`.
#[inline]
pub(super) fn host(input: &[u8]) -> Parsed<'_, PostfixHost<'_>> {
    static ENDS: Alphabet = Alphabet::new(b"[ ,;");
    let end = input.iter().position(|byte| ENDS.has(*byte)).unwrap_or(input.len());
    let name = match input.until(end) {
        b"" | b"unknown" => None,
        name => Some(name),
    };
    let mut host = PostfixHost {
        name,
        ..PostfixHost::default()
    };
    let Some((b'[', inner)) = input.past(end).split_first() else {
        return match end {
            0 => fail(input, "a host"),
            _ => Ok((input.past(end), host)),
        };
    };
    let Some(close) = memchr(b']', inner.until(BRACKETS_MAX)) else {
        return fail(input.past(end), "`]` after the address");
    };
    let (text, mut rest) = (inner.until(close), inner.past(close + 1));
    host.ip = ip_addr(text.strip_prefix(b"IPv6:").unwrap_or(text));
    if host.ip.is_none() && text != b"unknown" {
        if memchr(b'/', text).is_none() {
            return fail(inner, "an IP address");
        }
        host.socket = Some(text);
    }
    if let [b':', digits @ ..] = rest
        && let Ok((after, port)) = decimal(digits)
        && let Ok(port) = u16::try_from(port)
    {
        host.port = Some(port);
        rest = after;
    }
    Ok((rest, host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, PostfixHost<'_>) {
        let (rest, host) = host(text.as_bytes()).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
        (crate::harmless::safe_text(rest), host)
    }

    #[test]
    fn hosts() {
        let (rest, host) = read("mx.example.org[192.0.2.1]:25, delay=1");
        assert_eq!((rest.as_str(), host.name), (", delay=1", Some(&b"mx.example.org"[..])));
        assert_eq!((host.ip, host.port), ("192.0.2.1".parse().ok(), Some(25)));
        assert_eq!(read("[2001:db8::1]:4711: x").1.port, Some(4711));
        assert_eq!(read("unknown[unknown]").1, PostfixHost::default());
        assert_eq!(
            read("mail[private/dovecot-lmtp], ").1.socket,
            Some(&b"private/dovecot-lmtp"[..])
        );
        assert_eq!(read("procmail, delay").1.name, Some(&b"procmail"[..]));
        assert_eq!(read("mx[192.0.2.1]: Connection refused").0, ": Connection refused");
        for text in ["", "mx[1.2.3.444]", "mx[1.2.3.4", ", x"] {
            assert!(super::host(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn delays() {
        for (text, ms) in [
            ("0", 0),
            ("0.35", 350),
            ("12", 12_000),
            ("0.01/", 10),
            ("304112", 304_112_000),
        ] {
            assert_eq!(seconds_ms(text.as_bytes()).unwrap().1, ms, "{text}");
        }
        for text in ["", "x", "1.", "-1", "99999999999999999999", "18446744073709551615"] {
            assert!(seconds_ms(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses() {
        for (text, inside, rest) in [
            ("<>, x=", "", ", x="),
            ("<a@b>", "a@b", ""),
            (r#"<"a>, relay=x"@b>, y=z"#, r#""a>, relay=x"@b"#, ", y=z"),
            ("<a> b@c> proto=x", "a> b@c", " proto=x"),
            (r#"<"odd@b>, y=z"#, r#""odd@b"#, ", y=z"),
        ] {
            assert_eq!(
                address(text.as_bytes()),
                Ok((rest.as_bytes(), inside.as_bytes())),
                "{text}"
            );
        }
        assert!(address(b"<a@b").is_err());
        assert!(address(b"a@b").is_err());
    }
}

//! `H=name (helo) [ip]:port*`, and the same thing in the text of a notice.
//!
//! The part in parentheses is the sender's claim and may hold anything, brackets and spaces included. What Exim vouches
//! for is the address after it.

use super::record::EximHost;
use crate::cut::Cut;
use crate::prim::{Parsed, colon_space, fail, ip_addr, ipv4_prefix, near, word};
use memchr::{memchr, memchr_iter, memmem};
use std::net::IpAddr;

/// A host as printed after `H=` or in a text.
///
/// `H=name` alone is a local transport's host and has no address.
#[inline]
pub(super) fn host(input: &[u8]) -> Parsed<'_, EximHost<'_>> {
    let mut host = EximHost::default();
    let (rest, ()) = host_into(input, &mut host)?;
    Ok((rest, host))
}

/// [`host`], into one that is there; if it fails, what is in it is of no use.
#[inline]
pub(super) fn host_into<'a>(input: &'a [u8], host: &mut EximHost<'a>) -> Parsed<'a, ()> {
    *host = EximHost::default();
    match input {
        [b'[', ..] => address(input, host),
        [b'(', ..] => helo(input, host),
        _ => named(input, host),
    }
}

/// What follows a host that cannot be read: behind name, claim and brackets, as far as they can be told. The claim is the
/// sender's: nothing in it may pass for a field.
#[cold]
pub(super) fn after_host(input: &[u8]) -> &[u8] {
    let word_end = |from: usize| memchr(b' ', input.past(from)).map_or(input.len(), |at| from + at);
    let mut end = word_end(0);
    if input.starts_with(b"(") || input.past(end).starts_with(b" (") {
        end = match memmem::find(input, b") [") {
            Some(close) => close + 1,
            None => memmem::find(input, b") ").map_or(end, |close| close + 1),
        };
    }
    if input.past(end).starts_with(b" [") {
        end = word_end(end + 1);
    }
    match input.until(end).strip_suffix(b":") {
        Some(host) if end < input.len() => input.past(host.len()),
        _ => input.past(end),
    }
}

#[inline]
fn named<'a>(input: &'a [u8], host: &mut EximHost<'a>) -> Parsed<'a, ()> {
    let (rest, name) = word(input)?;
    host.name = Some(name);
    match rest {
        [b' ', b'[', ..] => address(rest.past(1), host),
        [b' ', b'(', ..] => helo(rest.past(1), host),
        // +dnssec prints the mark between name and address.
        [b' ', b'D', b'S', b' ', b'[', ..] => address(rest.past(4), host),
        _ => match name.strip_suffix(b":") {
            Some(bare) => {
                host.name = Some(bare);
                Ok((input.past(bare.len()), ()))
            }
            None => {
                host.name = (!name.is_empty()).then_some(name);
                Ok((rest, ()))
            }
        },
    }
}

/// `(helo) [ip]`: the claim ends at a `) [` with an address behind it.
fn helo<'a>(input: &'a [u8], host: &mut EximHost<'a>) -> Parsed<'a, ()> {
    let mut found: Option<(&[u8], EximHost<'_>)> = None;
    for close in memchr_iter(b')', input) {
        if let Some((rest, _)) = &found {
            // A claim such as `(x) [9.9.9.9] y` prints as `(x) [9.9.9.9] y) [1.2.3.4]`. The later address is the true
            // one, if it stands before anything that begins another part of the line.
            let gap = input.until(close).past(input.len() - rest.len());
            if memchr::memchr3(b'=', b'<', b'"', gap).is_some() || colon_space(gap).is_some() {
                break;
            }
        }
        if !input.past(close + 1).starts_with(b" [") {
            continue;
        }
        let mut claimed = EximHost {
            helo: Some(input.until(close).past(1)),
            ..*host
        };
        if let Ok((rest, ())) = address(input.past(close + 2), &mut claimed) {
            found = Some((rest, claimed));
        }
    }
    match found {
        Some((rest, claimed)) => {
            *host = claimed;
            Ok((rest, ()))
        }
        None => fail(input, "`) [address]` after the HELO name"),
    }
}

/// `[ip]`, `[ip]:port`, `[ip]:port*`.
#[inline]
fn address<'a>(input: &'a [u8], host: &mut EximHost<'a>) -> Parsed<'a, ()> {
    let inner = input.past(1);
    let (ip, end) = match ipv4_prefix(inner) {
        Some((ip, rest)) if rest.first() == Some(&b']') => (Some(IpAddr::V4(ip)), inner.len() - rest.len()),
        _ => {
            let Some(end) = near(b']', inner.until(64)) else {
                return fail(input, "`]` after the IP address");
            };
            (ip_addr(inner.until(end)), end)
        }
    };
    if ip.is_none() {
        return fail(inner, "an IP address");
    }
    host.ip = ip;
    let mut rest = inner.past(end + 1);
    if let [b':', digits @ ..] = rest
        && let Some((used, port)) = port(digits)
    {
        host.port = Some(port);
        rest = digits.past(used);
    }
    if let [b'*', after @ ..] = rest {
        host.continued = true;
        rest = after;
    }
    Ok((rest, ()))
}

/// Up to five digits; `None` when there is none, as in `[ip]: text`.
#[inline]
fn port(input: &[u8]) -> Option<(usize, u16)> {
    let mut value = 0u32;
    let mut used = 0;
    while let Some(digit @ b'0'..=b'9') = input.get(used)
        && used < 6
    {
        value = value * 10 + u32::from(digit - b'0');
        used += 1;
    }
    if used == 0 {
        None
    } else {
        u16::try_from(value).ok().map(|port| (used, port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, EximHost<'_>) {
        let (rest, host) = host(text.as_bytes()).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
        (crate::harmless::safe_text(rest), host)
    }

    #[test]
    fn forms() {
        let (rest, host) = read("mx.example.org [192.0.2.1]:25* X=y");
        assert_eq!(
            (rest.as_str(), host.name, host.port, host.continued),
            (" X=y", Some(&b"mx.example.org"[..]), Some(25), true)
        );
        assert_eq!(read("[2001:db8::1]:25: SMTP error").0, ": SMTP error");
        assert_eq!(read("mx [192.0.2.1]* C").1.port, None);
        assert_eq!(read("mx DS [192.0.2.1]").1.ip, "192.0.2.1".parse().ok());
        assert_eq!(read("mx [192.0.2.1]: SMTP").0, ": SMTP");
        let local = read("localhost C=x");
        assert_eq!(
            (local.0.as_str(), local.1.name, local.1.ip),
            (" C=x", Some(&b"localhost"[..]), None)
        );
    }

    #[test]
    fn claims() {
        for (text, claim) in [
            ("(helo.example) [192.0.2.1] P=x", "helo.example"),
            ("([1.2.3.4]) [192.0.2.1] P=x", "[1.2.3.4]"),
            ("([]) [192.0.2.1] P=x", "[]"),
            ("mx.example (my pc at home) [192.0.2.1] P=x", "my pc at home"),
            ("(a) [9.9.9.9] b) [192.0.2.1] P=x", "a) [9.9.9.9] b"),
            ("(a)b) [192.0.2.1] P=x", "a)b"),
        ] {
            let (rest, host) = read(text);
            assert_eq!((rest.as_str(), host.ip), (" P=x", "192.0.2.1".parse().ok()), "{text}");
            assert_eq!(host.helo, Some(claim.as_bytes()), "{text}");
        }
        let (_, host) = read("(h) [192.0.2.1] F=<a@b> rejected RCPT <c>: (x) [9.9.9.9]");
        assert_eq!(host.ip, "192.0.2.1".parse().ok());
        assert!(super::host(b"(h) 1.2.3.4").is_err());
        assert!(super::host(b"mx [1.2.3.456]").is_err());
        assert!(super::host(b"mx [1.2.3.4").is_err());
    }
}

//! Heads of lines other than the two that nearly every syslog file has.
//!
//! ```text
//! rfc5424  = "<" pri ">1 " rfc3339 " " host " " app " " procid " " msgid " " data [" " text]
//! other    = ["<" pri ">"] time " " ["<" priority "> "] [level] [host] [priority] tag ["[" pid "]"] ": " text
//! time     = "Nov 19 13:39:04.123456"                 journalctl -o short-precise
//!          | "Wed 2025-11-19 13:39:04 UTC"            journalctl -o short-full
//!          | "1763559544.123456"                      journalctl -o short-unix
//!          | "2025 Nov 19 13:39:04" | "Nov 19 2025 13:39:04" | "2025-11-19 13:39:04[.123][ +0100]" | rfc3339
//! level    = "INFO    "                               images that log with a level where the host stands
//! priority = "mail.info" | "mail:info"                busybox behind the host, FreeBSD in angles before it, AIX
//! ```
//!
//! Each form is strict: what is not all of it is no head. A tag stands at its place, never further on in the line: a
//! text that only looks like a line of a mail server must not become one.

use super::envelope::{Envelope, after_message_id, pid_of, tag};
use super::priority::{is_level, is_priority};
use crate::cut::Cut;
use crate::prim::{decimal, fraction, word};
use crate::stamp::{Stamp, civil, named_month, numeric_zone, rfc3164, rfc3339, time_of_day};

/// The envelope of a line in one of these forms.
pub(super) fn other(line: &[u8]) -> Option<Envelope<'_>> {
    let start = line.iter().position(|byte| *byte != 0)?;
    let line = line.past(start);
    let rest = after_priority(line);
    if let Some(rest) = rest.strip_prefix(b"1 ") {
        return rfc5424(rest);
    }
    let (rest, stamp) = time(rest)?;
    let rest = rest.strip_prefix(b" ")?;
    headed(rest, stamp)
}

/// What follows `<22>`, if that is there.
fn after_priority(line: &[u8]) -> &[u8] {
    let inner = line.strip_prefix(b"<").and_then(|rest| decimal(rest).ok());
    inner.and_then(|(rest, _)| rest.strip_prefix(b">")).unwrap_or(line)
}

/// RFC 5424 after its version.
fn rfc5424(input: &[u8]) -> Option<Envelope<'_>> {
    let (rest, stamp) = rfc3339(input).ok()?;
    let mut rest = rest.strip_prefix(b" ")?;
    let mut words = [&b""[..]; 4];
    for value in &mut words {
        let (after, found) = word(rest).ok()?;
        if found.is_empty() {
            return None;
        }
        *value = if found == b"-" { b"" } else { found };
        rest = after.strip_prefix(b" ")?;
    }
    let [host, tag, pid, _] = words;
    let rest = structured_data(rest)?;
    let rest = match rest {
        [] => rest,
        [b' ', text @ ..] => text,
        _ => return None,
    };
    Some(Envelope {
        stamp,
        year_known: true,
        host,
        tag,
        pid: pid_of(pid),
        rest: rest.strip_prefix(b"\xef\xbb\xbf").unwrap_or(rest),
    })
}

/// What follows `-`, or `[id name="value" …]` once or more often.
fn structured_data(input: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = input.strip_prefix(b"-") {
        return Some(rest);
    }
    let mut rest = input.strip_prefix(b"[")?;
    loop {
        let mut quoted = false;
        let mut at = 0;
        loop {
            match (*rest.get(at)?, quoted) {
                (b'\\', true) => at += 1,
                (b'"', _) => quoted = !quoted,
                (b']', false) => break,
                _ => {}
            }
            at += 1;
        }
        rest = rest.past(at + 1);
        match rest.strip_prefix(b"[") {
            Some(next) => rest = next,
            None => return Some(rest),
        }
    }
}

/// A time of these forms; the year is 0 where it is not printed.
fn time(input: &[u8]) -> Option<(&[u8], Stamp)> {
    match input.first()? {
        b'0'..=b'9' => rfc3339(input)
            .ok()
            .or_else(|| spaced(input))
            .or_else(|| year_first(input))
            .or_else(|| unix(input)),
        _ => month_first(input).or_else(|| weekday_first(input)),
    }
}

/// Milliseconds of `.123456` or `,123`, if they are there.
fn with_fraction(input: &[u8], stamp: Stamp) -> (&[u8], Stamp) {
    if let [b'.' | b',', digits @ ..] = input {
        let (used, ms) = fraction(digits);
        if used > 0 {
            let millis = ms as u16;
            return (digits.past(used), Stamp { millis, ..stamp });
        }
    }
    (input, stamp)
}

/// `2025-11-19 13:39:04[.123][ +0100]`.
fn spaced(input: &[u8]) -> Option<(&[u8], Stamp)> {
    let (rest, stamp) = civil(input, b' ').ok()?;
    let (rest, stamp) = with_fraction(rest, stamp);
    if let Some(zone) = rest.strip_prefix(b" ")
        && let Some((seconds, used)) = numeric_zone(zone)
        && zone.get(used) == Some(&b' ')
    {
        let offset_seconds = Some(seconds);
        return Some((
            zone.past(used),
            Stamp {
                offset_seconds,
                ..stamp
            },
        ));
    }
    Some((rest, stamp))
}

/// `2025 Nov 19 13:39:04[.123]`.
fn year_first(input: &[u8]) -> Option<(&[u8], Stamp)> {
    let (rest, year) = year(input)?;
    let (rest, stamp) = rfc3164(rest.strip_prefix(b" ")?).ok()?;
    let stamp = stamp.in_year(year)?;
    Some(with_fraction(rest, stamp))
}

fn year(input: &[u8]) -> Option<(&[u8], i16)> {
    let (rest, year) = decimal(input.get(..4)?).ok()?;
    let year = i16::try_from(year).ok().filter(|year| *year >= 1970)?;
    rest.is_empty().then(|| (input.past(4), year))
}

/// `1763559544.123456`.
fn unix(input: &[u8]) -> Option<(&[u8], Stamp)> {
    let (rest, seconds) = decimal(input).ok()?;
    let in_range = (1_000_000_000..10_000_000_000).contains(&seconds);
    let stamp = Stamp::of_epoch(i64::try_from(seconds).ok().filter(|_| in_range)?);
    let (rest, stamp) = with_fraction(rest.starts_with(b".").then_some(rest)?, stamp);
    Some((rest, stamp))
}

/// `Nov 19 13:39:04[.123456]`, `Nov 19 2025 13:39:04[.123456]`.
fn month_first(input: &[u8]) -> Option<(&[u8], Stamp)> {
    if let Ok((rest, stamp)) = rfc3164(input) {
        return Some(with_fraction(rest, stamp));
    }
    let (rest, month, day) = named_month(input)?;
    let (rest, year) = year(rest.strip_prefix(b" ")?)?;
    let (rest, time) = time_of_day(rest.strip_prefix(b" ")?)?;
    let stamp = Stamp { month, day, ..time }.in_year(year)?;
    Some(with_fraction(rest, stamp))
}

/// `Wed 2025-11-19 13:39:04[.123456] UTC`. Of the names of zones only UTC's say the same everywhere: with another one
/// the time is civil, and the source's zone holds.
fn weekday_first(input: &[u8]) -> Option<(&[u8], Stamp)> {
    const DAYS: [&[u8]; 7] = [b"Mon ", b"Tue ", b"Wed ", b"Thu ", b"Fri ", b"Sat ", b"Sun "];
    let rest = DAYS.iter().find_map(|day| input.strip_prefix(*day))?;
    let (rest, stamp) = civil(rest, b' ').ok()?;
    let (rest, stamp) = with_fraction(rest, stamp);
    let (after, zone) = word(rest.strip_prefix(b" ")?).ok()?;
    let offset_seconds = match zone {
        b"UTC" | b"GMT" => Some(0),
        [b'+' | b'-', hours @ ..] if hours.len() == 2 => numeric_zone(&[zone, b"00"].concat()).map(|zone| zone.0),
        [b'+' | b'-', ..] => numeric_zone(zone).map(|zone| zone.0),
        _ if !zone.is_empty() && zone.len() <= 5 && zone.iter().all(u8::is_ascii_uppercase) => None,
        _ => return None,
    };
    Some((
        after,
        Stamp {
            offset_seconds,
            ..stamp
        },
    ))
}

/// What stands between time and text.
fn headed(input: &[u8], stamp: Stamp) -> Option<Envelope<'_>> {
    let mut rest = input;
    // FreeBSD's syslogd -v: `<mail.info> host tag:`.
    if let Some(angled) = rest.strip_prefix(b"<") {
        let (after, name) = word(angled).ok()?;
        is_priority(name.strip_suffix(b">")?).then_some(())?;
        rest = after.strip_prefix(b" ")?;
    }
    let (after, first) = word(rest).ok()?;
    let mut host = first;
    if first.is_empty() {
        return None;
    } else if first.ends_with(b":") {
        host = b"";
    } else if is_level(first) {
        host = b"";
        rest = after.trim_ascii_start();
    } else {
        rest = after.strip_prefix(b" ")?;
    }
    // AIX, Solaris: what another host sent.
    if let Some(forwarded) = rest.strip_prefix(b"Message forwarded from ") {
        let (after, name) = word(forwarded).ok()?;
        host = name.strip_suffix(b":")?;
        rest = after.strip_prefix(b" ")?;
    }
    if let Ok((after, name)) = word(rest)
        && is_priority(name)
    {
        rest = after.strip_prefix(b" ")?;
    }
    let (rest, (tag, pid)) = tag(rest).ok()?;
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    Some(Envelope {
        stamp,
        year_known: stamp.year != 0,
        host,
        tag,
        pid,
        rest: after_message_id(rest),
    })
}

#[cfg(test)]
mod tests {
    use super::super::any_envelope;

    /// Host, tag, process, text and UTC milliseconds.
    fn read(line: &str) -> (String, String, Option<u32>, String, i64) {
        let envelope = any_envelope(line.as_bytes()).unwrap_or_else(|reject| panic!("{line}: {reject}"));
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(envelope.year_known, envelope.stamp.year != 0, "{line}");
        (
            text(envelope.host),
            text(envelope.tag),
            envelope.pid,
            text(envelope.rest),
            envelope.stamp.utc_ms(),
        )
    }

    #[test]
    fn every_form_says_the_same() {
        for (head, host) in [
            ("<22>1 2025-11-19T13:39:04.123456Z mx1 postfix/smtp 77 - - ", "mx1"),
            ("1 2025-11-19T13:39:04Z mx1 postfix/smtp 77 - - \u{feff}", "mx1"),
            (
                r#"<22>1 2025-11-19T13:39:04Z mx1 postfix/smtp 77 ID [a@1 b="]\"c"][d] "#,
                "mx1",
            ),
            ("<22>1 2025-11-19T13:39:04Z - postfix/smtp 77 - - ", ""),
            ("Wed 2025-11-19 13:39:04 UTC mx1 postfix/smtp[77]: ", "mx1"),
            ("Wed 2025-11-19 14:39:04.123456 +01 mx1 postfix/smtp[77]: ", "mx1"),
            ("Wed 2025-11-19 13:39:04 CET mx1 postfix/smtp[77]: ", "mx1"),
            ("2025 Nov 19 13:39:04 mx1 postfix/smtp[77]: ", "mx1"),
            ("Nov 19 2025 13:39:04.5 mx1 postfix/smtp[77]: ", "mx1"),
            ("2025-11-19 13:39:04,123 mx1 postfix/smtp[77]: ", "mx1"),
            ("2025-11-19 14:39:04 +0100 mx1 postfix/smtp[77]: ", "mx1"),
            ("1763559544.123456 mx1 postfix/smtp[77]: ", "mx1"),
            ("2025-11-19T13:39:04Z INFO    postfix/smtp[77]: ", ""),
            ("2025-11-19T13:39:04Z WARNING postfix/smtp[77]: ", "WARNING"),
            ("2025-11-19T13:39:04Z postfix/smtp[77]: ", ""),
            ("2025-11-19T13:39:04Z mx1 mail.info postfix/smtp[77]: ", "mx1"),
            ("2025-11-19T13:39:04Z mx1 mail:info postfix/smtp[77]: ", "mx1"),
            ("2025-11-19T13:39:04Z <mail.info> mx1 postfix/smtp[77]: ", "mx1"),
            (
                "2025-11-19T13:39:04Z hub Message forwarded from mx1: postfix/smtp[77]: ",
                "mx1",
            ),
            (
                "2025-11-19T13:39:04Z mx1 postfix/smtp[77]: [ID 197553 mail.info] ",
                "mx1",
            ),
        ] {
            let (found, tag, pid, text, ms) = read(&format!("{head}3A3D26C44CC: to=<b>"));
            assert_eq!(
                (found.as_str(), tag.as_str(), pid, text.as_str()),
                (host, "postfix/smtp", Some(77), "3A3D26C44CC: to=<b>"),
                "{head}"
            );
            assert_eq!(ms / 1000, 1_763_559_544, "{head}");
        }
        let read = any_envelope(b"Nov 19 13:39:04.123456 mx1 postfix/smtp[77]: x").unwrap();
        assert_eq!(
            (read.stamp.year, read.stamp.millis, read.tag),
            (0, 123, &b"postfix/smtp"[..])
        );
    }

    #[test]
    fn a_tag_is_never_looked_for_further_on() {
        for line in [
            "Nov 19 13:39:04 mx1 and then postfix/smtp[1]: 3A3D26C44CC: to=<b>",
            "Nov 19 13:39:04 mx1 mail.nonsense postfix/smtp[1]: 3A3D26C44CC: to=<b>",
            "Wed 2025-11-19 13:39:04 nowhere mx1 postfix/smtp[1]: x",
            "<22>1 - mx1 postfix/smtp 77 - - x",
            "<22>1 2025-11-19T13:39:04Z mx1 postfix/smtp 77 - [a x",
            "<22>1 2025-11-19T13:39:04Z mx1 postfix/smtp 77 - ",
            "Nov 19 0000 13:39:04 mx1 postfix/smtp[1]: x",
            "Nov 31 2025 13:39:04 mx1 postfix/smtp[1]: x",
            "99999999999.1 mx1 postfix/smtp[1]: x",
            "<mail.info> Nov 19 13:39:04 mx1 postfix/smtp[1]: x",
            "INFO postfix/smtp[1]: x",
        ] {
            assert!(any_envelope(line.as_bytes()).is_err(), "{line}");
        }
        // What a program of another name says is its own.
        for line in [
            "Nov 19 13:39:04 mx1 sshd[1]: Invalid user postfix/smtp[1]: 3A3D26C44CC: to=<b> from 192.0.2.1",
            "<38>1 2025-11-19T13:39:04Z mx1 sshd 1 - - postfix/smtp[1]: 3A3D26C44CC: to=<b>",
        ] {
            assert_eq!(any_envelope(line.as_bytes()).unwrap().tag, b"sshd", "{line}");
        }
    }
}

//! The syslog envelope of a log line, and lines that Exim split to fit into it.
//!
//! ```text
//! envelope = ["<" pri ">"] (rfc3164 | rfc3339) " " [host " "] tag ["[" pid "]"] ": " ["[ID " n " " priority "] "] rest
//! rest     = ["[" n ("/" | "\") m "] "] text
//! ```
//!
//! Those are the two forms that nearly every file has, and [`envelope`] reads them; [`any_envelope`] knows the others
//! (RFC 5424, busybox, `journalctl`'s, level columns): see `syslog/heads.rs`.
//!
//! `write_syslog()` of Exim 4.96 cuts a line of over 870 bytes, and one with newlines in it, into `m` pieces. Only the
//! first piece has Exim's own timestamp. `\` says that a newline stood after this piece, `/` that the text goes on.

mod envelope;
mod heads;
mod priority;

pub use envelope::Envelope;
pub use priority::is_level;

use crate::Reject;
use crate::cut::Cut;
use crate::prim::{Parsed, decimal, fail, word};
use crate::reject::finish;
use crate::stamp::{Stamp, rfc3164, rfc3339};
use envelope::{after_message_id, tag};
use memchr::memchr;
use nom::bytes::complete::take_while;
use nom::combinator::opt;
use nom::sequence::delimited;
use nom::{Parser, character::complete::char as byte_char};

/// Reads the envelope of one line. NUL bytes before it, which a crash leaves behind, are read over.
///
/// ```
/// use mailpulse_parsers::syslog::envelope;
///
/// let read = envelope(b"<22>Jun  6 18:55:01 mx1 exim[4242]: 2018-06-06 18:55:01 Start queue run: pid=9")?;
/// assert_eq!((read.host, read.tag, read.pid), (&b"mx1"[..], &b"exim"[..], Some(4242)));
/// assert_eq!(read.rest, b"2018-06-06 18:55:01 Start queue run: pid=9");
/// // RFC 3164 prints no year: it is the caller's to add.
/// assert!(!read.year_known);
/// assert_eq!(read.stamp.in_year(2018).unwrap().utc_ms(), 1_528_311_301_000);
/// # Ok::<(), mailpulse_parsers::Reject>(())
/// ```
///
/// # Errors
/// No timestamp, host or tag of that shape.
pub fn envelope(line: &[u8]) -> Result<Envelope<'_>, Reject> {
    finish(line, parsed(line))
}

/// [`envelope`], or a head of any other form that is known.
///
/// ```
/// use mailpulse_parsers::syslog::any_envelope;
///
/// for line in [
///     "<22>1 2018-06-06T18:55:01Z mx1 postfix/smtp 77 - - 4F1A23B5C7: removed", // RFC 5424
///     "Wed 2018-06-06 18:55:01 UTC mx1 postfix/smtp[77]: 4F1A23B5C7: removed", // journalctl -o short-full
///     "2018-06-06T18:55:01Z mx1 mail.info postfix/smtp[77]: 4F1A23B5C7: removed", // busybox
/// ] {
///     let read = any_envelope(line.as_bytes())?;
///     assert_eq!((read.tag, read.pid, read.rest), (&b"postfix/smtp"[..], Some(77), &b"4F1A23B5C7: removed"[..]));
/// }
/// # Ok::<(), mailpulse_parsers::Reject>(())
/// ```
///
/// # Errors
/// As [`envelope`].
pub fn any_envelope(line: &[u8]) -> Result<Envelope<'_>, Reject> {
    match envelope(line) {
        Ok(found) if is_split_priority(&found) => Ok(heads::other(line).unwrap_or(found)),
        Ok(found) => Ok(found),
        Err(reject) => heads::other(line).ok_or(reject),
    }
}

/// Whether tag and text are AIX' `mail:info postfix/smtp[1]: …`, cut at the wrong colon.
///
/// ```
/// use mailpulse_parsers::syslog::{any_envelope, envelope, is_split_priority};
///
/// let line = b"Jun  6 18:55:01 mx1 mail:info postfix/smtp[1]: 4F1A23B5C7: removed";
/// assert!(is_split_priority(&envelope(line)?));
/// assert_eq!(any_envelope(line)?.tag, b"postfix/smtp");
/// # Ok::<(), mailpulse_parsers::Reject>(())
/// ```
#[must_use]
pub fn is_split_priority(envelope: &Envelope<'_>) -> bool {
    envelope.pid.is_none() && priority::is_facility(envelope.tag)
}

/// Whether a line is a remark of `journalctl`'s between entries: `-- Boot 8af3… --`, `-- Journal begins at … --`.
pub(crate) fn is_journal_remark(line: &[u8]) -> bool {
    line.starts_with(b"-- ") && (line.ends_with(b" --") || line.starts_with(b"-- cursor: "))
}

/// Tag, process ID and text of `exim[123]: text`, a head without time and host.
pub(crate) fn tagged(text: &[u8]) -> Option<(&[u8], Option<u32>, &[u8])> {
    let (rest, (tag, pid)) = tag(text).ok()?;
    Some((tag, pid, after_message_id(rest.strip_prefix(b" ")?)))
}

fn parsed(line: &[u8]) -> Parsed<'_, Envelope<'_>> {
    let (rest, _) = take_while(|byte| byte == 0).parse(line)?;
    let (rest, _) = opt(delimited(byte_char('<'), decimal, byte_char('>'))).parse(rest)?;
    let (rest, stamp, year_known) = match rest.first() {
        Some(b'0'..=b'9') => rfc3339(rest).map(|(rest, stamp)| (rest, stamp, true))?,
        _ => rfc3164(rest).map(|(rest, stamp)| (rest, stamp, false))?,
    };
    let [b' ', rest @ ..] = rest else {
        return fail(rest, "a space after the timestamp");
    };
    let (after, mut host) = word(rest)?;
    let rest = match host.last() {
        None => return fail(rest, "a host name"),
        // A tag: some template or hand left the host away.
        Some(b':') => {
            host = b"";
            rest
        }
        Some(_) => {
            let [b' ', rest @ ..] = after else {
                return fail(after, "a space after the host name");
            };
            rest
        }
    };
    let (rest, (tag, pid)) = tag(rest)?;
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let rest = match rest {
        [b'[', b'I', ..] => after_message_id(rest),
        _ => rest,
    };
    Ok((
        &[],
        Envelope {
            stamp,
            year_known,
            host,
            tag,
            pid,
            rest,
        },
    ))
}

/// The mark of a split line: piece, number of pieces, whether a newline stood after this piece, and the text.
///
/// ```
/// use mailpulse_parsers::syslog::split_marker;
/// assert_eq!(split_marker(br"[1\3] a text"), Some((1, 3, true, &b"a text"[..])));
/// assert_eq!(split_marker(b"[123] a process ID"), None);
/// ```
#[must_use]
pub fn split_marker(rest: &[u8]) -> Option<(u32, u32, bool, &[u8])> {
    let digits = rest.strip_prefix(b"[")?;
    // `[123] ` of +pid is the usual thing here, so look before reading numbers.
    let close = memchr(b']', digits.until(16))?;
    let (after, piece) = decimal(digits).ok()?;
    let newline = match after.first()? {
        b'/' => false,
        b'\\' => true,
        _ => return None,
    };
    let (after, pieces) = decimal(after.past(1)).ok()?;
    let text = digits.past(close).strip_prefix(b"] ")?;
    if after.len() != digits.len() - close || piece == 0 || piece > pieces || pieces < 2 {
        return None;
    }
    Some((u32::try_from(piece).ok()?, u32::try_from(pieces).ok()?, newline, text))
}

/// A line put together from pieces, or what was there of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assembled<P = ()> {
    /// Host of the envelope.
    pub host: Vec<u8>,
    /// Process of the envelope.
    pub pid: Option<u32>,
    /// Envelope time of the first piece that was seen.
    pub stamp: Stamp,
    /// See [`Envelope::year_known`].
    pub year_known: bool,
    /// The text; inner newlines are newlines again.
    pub text: Vec<u8>,
    /// Whether its beginning was seen.
    pub begins: bool,
    /// Whether no piece is missing.
    pub complete: bool,
    /// What the caller gave with each piece, in order.
    pub pieces: Vec<P>,
}

/// What [`Reassembler::push`] gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed<'a, P = ()> {
    /// The line was never split.
    Whole(&'a [u8]),
    /// It was: lines that are finished now, or given up. Empty while pieces are still to come.
    Lines(Vec<Assembled<P>>),
}

/// A line of which pieces are still to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending<P = ()> {
    /// As far as it has been seen.
    pub line: Assembled<P>,
    /// The piece that comes next, from 1.
    pub next: u32,
    /// How many there are.
    pub pieces: u32,
}

/// What a piece counts for in the size of a line beside its text: pieces may be empty.
const PIECE_BYTES: usize = 64;

/// Puts split lines together again, by host and process. `P` is what the caller wants back of each piece.
///
/// Bounded: a line that cannot be finished (a piece missing, too many lines open, too long) comes back as incomplete.
/// Nothing is dropped.
///
/// ```
/// use mailpulse_parsers::syslog::{Pushed, Reassembler, envelope};
///
/// let mut reassembler = Reassembler::default();
/// let first = envelope(b"Jun  6 18:55:01 mx1 exim[7]: [1/2] 2018-06-06 18:55:01 1fQdLN-0001Ab-Cd ")?;
/// assert_eq!(reassembler.push(&first, "line 1"), Pushed::Lines(vec![]));
/// let second = envelope(b"Jun  6 18:55:01 mx1 exim[7]: [2/2] Completed")?;
/// let Pushed::Lines(lines) = reassembler.push(&second, "line 2") else { panic!() };
/// assert_eq!(lines[0].text, b"2018-06-06 18:55:01 1fQdLN-0001Ab-Cd Completed");
/// assert!(lines[0].complete);
/// assert_eq!(lines[0].pieces, ["line 1", "line 2"]);
/// # Ok::<(), mailpulse_parsers::Reject>(())
/// ```
#[derive(Debug)]
pub struct Reassembler<P = ()> {
    pending: Vec<Pending<P>>,
    pending_max: usize,
    bytes_max: usize,
}

impl<P> Default for Reassembler<P> {
    fn default() -> Self {
        Reassembler::new(64, 1 << 20)
    }
}

impl<P> Reassembler<P> {
    /// Keeps at most `pending_max` lines open (at least one), each of at most `bytes_max` bytes.
    #[must_use]
    pub fn new(pending_max: usize, bytes_max: usize) -> Self {
        Reassembler {
            pending: Vec::new(),
            pending_max: pending_max.max(1),
            bytes_max,
        }
    }

    /// Takes one syslog line. `kept` is given back with the line that it is a piece of.
    pub fn push<'a>(&mut self, envelope: &Envelope<'a>, kept: P) -> Pushed<'a, P> {
        let Some((piece, pieces, newline, text)) = split_marker(envelope.rest) else {
            return Pushed::Whole(envelope.rest);
        };
        let mut lines = Vec::new();
        let open = self
            .pending
            .iter()
            .position(|p| p.line.pid == envelope.pid && p.line.host == envelope.host);
        let mut pending = match open.map(|at| self.pending.remove(at)) {
            Some(pending) if pending.next == piece && pending.pieces == pieces => pending,
            other => {
                lines.extend(other.map(|pending| pending.line));
                Pending {
                    line: started(envelope),
                    next: 1,
                    pieces,
                }
            }
        };
        // A piece whose beginning was never seen cannot become a line.
        let headless = pending.next != piece;
        pending.line.begins = !headless;
        pending.next = piece.saturating_add(1);
        pending.line.text.extend_from_slice(text);
        pending.line.pieces.push(kept);
        if newline {
            pending.line.text.push(b'\n');
        }
        pending.line.complete = !headless && piece == pieces;
        let size = pending.line.text.len() + PIECE_BYTES * (pending.line.pieces.len() - 1);
        if headless || piece == pieces || size > self.bytes_max {
            lines.push(pending.line);
        } else {
            lines.extend(self.reopen(pending));
        }
        Pushed::Lines(lines)
    }

    /// Puts back a line that was open in an earlier life; gives up the oldest one if there are too many.
    pub fn reopen(&mut self, pending: Pending<P>) -> Option<Assembled<P>> {
        let oldest = (self.pending.len() >= self.pending_max).then(|| self.pending.remove(0).line);
        self.pending.push(pending);
        oldest
    }

    /// Lines that are open, oldest first.
    #[must_use]
    pub fn pending(&self) -> &[Pending<P>] {
        &self.pending
    }

    /// Whether no line is open: every piece that was pushed has come back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Gives up the open lines for which `is_lost` holds: they come back as incomplete, oldest first.
    pub fn give_up(&mut self, is_lost: impl Fn(&Assembled<P>) -> bool) -> Vec<Assembled<P>> {
        self.pending
            .extract_if(.., |pending| is_lost(&pending.line))
            .map(|pending| pending.line)
            .collect()
    }

    /// Gives back what is still open, oldest first, as incomplete.
    pub fn finish(&mut self) -> Vec<Assembled<P>> {
        self.give_up(|_| true)
    }
}

fn started<P>(envelope: &Envelope<'_>) -> Assembled<P> {
    Assembled {
        host: envelope.host.to_vec(),
        pid: envelope.pid,
        stamp: envelope.stamp,
        year_known: envelope.year_known,
        text: Vec::new(),
        begins: false,
        complete: false,
        pieces: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let read = envelope(b"Jun  6 18:55:01 mx1 exim[123]: 2018-06-06 18:55:01 x").unwrap();
        assert_eq!(
            (read.host, read.tag, read.pid, read.year_known),
            (&b"mx1"[..], &b"exim"[..], Some(123), false)
        );
        assert_eq!(read.rest, b"2018-06-06 18:55:01 x");
        let read = envelope(b"\0\0<22>2018-06-06T18:55:01.123456+00:00 mx1 exim: text").unwrap();
        assert_eq!(
            (read.stamp.millis, read.pid, read.year_known, read.rest),
            (123, None, true, &b"text"[..])
        );
        for line in [
            "",
            "<22>",
            "Jun  6 18:55:01",
            "Jun  6 18:55:01 mx1 exim",
            "Jun  6 18:55:01 mx1 exim[x]: y",
            "2018",
        ] {
            assert!(envelope(line.as_bytes()).is_err(), "{line}");
        }
    }

    #[test]
    fn markers() {
        assert_eq!(split_marker(b"[1/2] ab"), Some((1, 2, false, &b"ab"[..])));
        assert_eq!(split_marker(br"[2\3] ab"), Some((2, 3, true, &b"ab"[..])));
        for text in [
            "[123] ab", "[0/2] a", "[3/2] a", "[1/1] a", "[1/2]a", "[1/2", "1/2] a", "[1/x] a", "[1/2x] a",
        ] {
            assert_eq!(split_marker(text.as_bytes()), None, "{text}");
        }
    }

    fn push(reassembler: &mut Reassembler, pid: u32, rest: &str) -> Vec<(String, bool)> {
        let line = format!("Jun  6 18:55:01 mx1 exim[{pid}]: {rest}");
        match reassembler.push(&envelope(line.as_bytes()).unwrap(), ()) {
            Pushed::Whole(text) => vec![(crate::harmless::safe_text(text), true)],
            Pushed::Lines(lines) => shown(lines),
        }
    }

    fn shown(lines: Vec<Assembled>) -> Vec<(String, bool)> {
        lines
            .into_iter()
            .map(|l| (String::from_utf8(l.text).unwrap(), l.complete))
            .collect()
    }

    fn line(text: &str, complete: bool) -> Vec<(String, bool)> {
        vec![(text.into(), complete)]
    }

    #[test]
    fn pieces_of_two_processes() {
        let mut r = Reassembler::default();
        assert_eq!(push(&mut r, 1, "whole"), line("whole", true));
        assert_eq!(push(&mut r, 1, "[1/3] ab"), []);
        assert_eq!(push(&mut r, 2, r"[1\2] AB"), []);
        assert_eq!(push(&mut r, 1, "[2/3] cd"), []);
        assert_eq!(push(&mut r, 2, "[2/2] CD"), line("AB\nCD", true));
        assert_eq!(push(&mut r, 1, "[3/3] ef"), line("abcdef", true));
        assert_eq!(r.finish(), []);
    }

    #[test]
    fn nothing_is_lost() {
        let mut r = Reassembler::new(2, 8);
        assert_eq!(push(&mut r, 1, "[2/3] tail"), line("tail", false));
        assert_eq!(push(&mut r, 1, "[1/3] a"), []);
        assert_eq!(push(&mut r, 1, "[1/3] b"), line("a", false));
        assert_eq!(push(&mut r, 1, "[3/3] c"), [("b".into(), false), ("c".into(), false)]);
        assert_eq!(push(&mut r, 1, "[1/3] 1"), []);
        assert_eq!(push(&mut r, 2, "[1/3] 2"), []);
        assert_eq!(push(&mut r, 3, "[1/3] 3"), line("1", false));
        assert_eq!(push(&mut r, 4, "[1/3] 123456789"), line("123456789", false));
        assert_eq!(shown(r.finish()), [("2".into(), false), ("3".into(), false)]);
    }

    #[test]
    fn an_open_line_goes_on_in_another_life() {
        let mut r = Reassembler::default();
        assert_eq!(push(&mut r, 1, "[1/3] ab"), []);
        let mut next = Reassembler::default();
        for pending in r.pending() {
            assert_eq!(next.reopen(pending.clone()), None);
        }
        assert_eq!(push(&mut next, 1, "[2/3] cd"), []);
        assert_eq!(push(&mut next, 1, "[3/3] ef"), line("abcdef", true));
        assert!(next.is_empty());
    }

    #[test]
    fn empty_pieces_without_end_are_bounded() {
        let mut r = Reassembler::new(2, 640);
        let mut given_up = 0;
        for piece in 1..100 {
            given_up += push(&mut r, 1, &format!("[{piece}/1000000] ")).len();
        }
        assert!(given_up > 5 && r.pending().len() <= 1, "{given_up}");
    }
}

//! Takes a mail server's line out of what stands around it: wrappers of container runtimes, heads within heads. Only
//! lines come here that do not show at once whose they are; how a log is wrapped is known by then (see `recognise`).

use super::form::LineHead;
use crate::ingest::spec::Spec;
use mailpulse_parsers::Stamp;
use mailpulse_parsers::exim::{Foreground, foreground};
use mailpulse_parsers::layers::{Mta, Outer, Peeled};
use mailpulse_parsers::syslog::{Envelope, is_split_priority};
use mailpulse_parsers::wrap::{DEPTH_MAX, Runtime, unwrap};
use std::borrow::Cow;

/// Lines that runtimes cut and that wait for their ends, at most; of each so many bytes are kept.
const PIECES_MAX: usize = 16;
const LINE_BYTES_MAX: usize = 64 << 10;

/// What a line holds.
#[derive(Debug, PartialEq, Eq)]
pub enum LineContent<'a> {
    /// A line of the program.
    Own(Envelope<'a>),
    /// A line of an Exim in the foreground, and the time that stands around it.
    Foreground(&'a [u8], Option<Stamp>),
    /// A whole line of the program, under a tag that nobody vouches for.
    Untrusted(&'a [u8]),
    /// Another program's.
    Foreign(Envelope<'a>),
    /// Nothing; why.
    Nothing(&'static str),
    /// This text, in no head that is known.
    Unknown(&'a [u8]),
}

/// Whose words count: the configuration's, and the log's own.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'t> {
    /// What the log is.
    pub spec: &'t Spec,
    /// What stands before its lines.
    pub head: &'t LineHead,
}

impl Trust<'_> {
    fn vouches(&self, tag: &[u8]) -> bool {
        self.head.tag.as_deref() == Some(tag) || self.spec.tags.iter().any(|known| known.as_bytes() == tag)
    }
}

/// Takes lines apart, and keeps the beginnings of those that a runtime has cut.
#[derive(Debug, Default)]
pub struct Peeler {
    pieces: Vec<CutLine>,
}

#[derive(Debug)]
struct CutLine {
    runtime: Runtime,
    name: Vec<u8>,
    text: Vec<u8>,
}

impl Peeler {
    /// Takes a line apart; `with` takes what it holds.
    pub fn line<T>(&mut self, mta: Mta, line: &[u8], trust: Trust<'_>, with: impl FnOnce(LineContent<'_>) -> T) -> T {
        let mut text = Cow::Borrowed(line);
        let (mut stamp, mut name) = (None, None);
        for _ in 0..DEPTH_MAX {
            let Some(wrapped) = unwrap(&text) else { break };
            stamp = wrapped.stamp.or(stamp);
            let (runtime, of, inner) = (wrapped.runtime, wrapped.name.into_owned(), wrapped.text.into_owned());
            let Some(whole) = self.join(runtime, &of, inner, wrapped.goes_on) else {
                return with(LineContent::Nothing(
                    "a piece of a line that the container's runtime cut",
                ));
            };
            if runtime == Runtime::Compose {
                name = Some(of);
            }
            text = Cow::Owned(whole);
        }
        let outer = Outer {
            stamp,
            name: name.as_deref(),
        };
        with(found(mta, &text, &outer, trust))
    }

    /// Takes an envelope apart that is no mail server's own.
    pub fn envelope<'a>(mta: Mta, line: &'a [u8], envelope: &Envelope<'a>, trust: Trust<'_>) -> LineContent<'a> {
        let peeled = if is_split_priority(envelope) {
            mta.peel(line, &Outer::default(), &|tag| trust.vouches(tag))
        } else {
            mta.message(envelope, &|tag| trust.vouches(tag))
        };
        of_peeled(mta, peeled, line, trust)
    }

    /// The whole line that a piece ends; none if it goes on.
    fn join(&mut self, runtime: Runtime, name: &[u8], mut text: Vec<u8>, goes_on: bool) -> Option<Vec<u8>> {
        let at = self
            .pieces
            .iter()
            .position(|piece| piece.runtime == runtime && piece.name == name);
        if let Some(at) = at {
            let mut begun = self.pieces.remove(at).text;
            let room = LINE_BYTES_MAX.saturating_sub(begun.len());
            begun.extend_from_slice(&text[..text.len().min(room)]);
            text = begun;
        }
        if !goes_on {
            return Some(text);
        }
        if self.pieces.len() >= PIECES_MAX {
            self.pieces.remove(0);
        }
        self.pieces.push(CutLine {
            runtime,
            name: name.to_vec(),
            text,
        });
        None
    }
}

fn found<'a>(mta: Mta, text: &'a [u8], outer: &Outer<'a>, trust: Trust<'_>) -> LineContent<'a> {
    let talks = mta == Mta::Exim && trust.head.foreground;
    if talks && foreground(text) != Foreground::Other {
        return LineContent::Foreground(text, outer.stamp);
    }
    let peeled = mta.peel(text, outer, &|tag| trust.vouches(tag));
    match of_peeled(mta, peeled, text, trust) {
        LineContent::Unknown(_) if talks => LineContent::Nothing("debug output of Exim"),
        found => found,
    }
}

fn of_peeled<'a>(mta: Mta, peeled: Peeled<'a>, text: &'a [u8], trust: Trust<'_>) -> LineContent<'a> {
    match peeled {
        Peeled::Own(envelope)
            if mta == Mta::Exim && trust.head.foreground && foreground(envelope.rest) != Foreground::Other =>
        {
            LineContent::Foreground(envelope.rest, Some(envelope.stamp))
        }
        Peeled::Own(envelope) => LineContent::Own(envelope),
        Peeled::Untrusted(tag) => LineContent::Untrusted(tag),
        Peeled::Foreign(envelope) => LineContent::Foreign(envelope),
        Peeled::Nothing => LineContent::Nothing("empty, or a remark of the journal"),
        Peeled::Unknown => LineContent::Unknown(text),
    }
}

/// Why a line under a tag that nobody vouches for is not read, and the hint.
pub fn untrusted(mta: Mta, tag: &[u8]) -> String {
    let tag = mailpulse_parsers::harmless::safe_text(&tag[..tag.len().min(100)]);
    format!(
        "a line of {} under the tag `{tag}`, which is not its own; if it is {0}'s, give the source `syslog_tag = \
         [\"{tag}\"]`",
        mta.as_str()
    )
}

/// Why a line of an Exim in the foreground is not read where nothing around it has a time.
pub const TIMELESS: &str = "what an Exim in the foreground prints (`exim -bd -v`: `LOG: MAIN` and an indented \
    text) has no times. Read what `docker logs --timestamps` or the runtime's own log says, or let Exim write a log \
    (`log_file_path`)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::spec::Grammar;

    fn peel(peeler: &mut Peeler, mta: Mta, line: &[u8], foreground: bool) -> String {
        let spec = Spec::of(Grammar::Exim, jiff::tz::TimeZone::UTC);
        let head = LineHead { tag: None, foreground };
        let trust = Trust {
            spec: &spec,
            head: &head,
        };
        peeler.line(mta, line, trust, |found| match found {
            LineContent::Own(envelope) => format!("own {}", envelope.rest.escape_ascii()),
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn lines_that_a_runtime_cut_are_whole_again() {
        let mut peeler = Peeler::default();
        let mut read = |line: &str| peel(&mut peeler, Mta::Postfix, line.as_bytes(), false);
        assert!(
            read("2025-11-19T13:39:04.1Z stdout P Nov 19 13:39:04 mx1 postfix/smtp[1]: 3A3D26C44CC: to")
                .contains("piece")
        );
        assert!(read("2025-11-19T13:39:04.1Z stderr P Nov 19 13:39:04 mx1 postfix/smtp[2]: ").contains("piece"));
        assert!(read("2025-11-19T13:39:04.1Z stdout P =<b>, ").contains("piece"));
        assert_eq!(
            read("2025-11-19T13:39:04.1Z stdout F status=sent"),
            "own 3A3D26C44CC: to=<b>, status=sent"
        );
        assert_eq!(read("2025-11-19T13:39:04.1Z stderr F x"), "own x");
    }

    #[test]
    fn pieces_are_bounded() {
        let mut peeler = Peeler::default();
        for _ in 0..20 {
            peel(
                &mut peeler,
                Mta::Exim,
                &[b"2025-11-19T13:39:04.1Z stdout P ", &[b'x'; 30_000][..]].concat(),
                false,
            );
        }
        assert!(peeler.pieces.iter().all(|piece| piece.text.len() <= LINE_BYTES_MAX));
        assert_eq!(peeler.pieces.len(), 1);
    }

    #[test]
    fn wrappers_in_wrappers_have_an_end() {
        let mut line = "Nov 19 13:39:04 mx1 postfix/smtp[1]: x".to_owned();
        let mut peeler = Peeler::default();
        for depth in 0..=DEPTH_MAX + 1 {
            let found = peel(&mut peeler, Mta::Postfix, line.as_bytes(), false);
            assert_eq!(found == "own x", depth <= DEPTH_MAX, "{depth}: {found}");
            line = serde_json::json!({"log": format!("{line}\n"), "stream": "stdout", "time": "2025-11-19T13:39:04Z"})
                .to_string();
        }
    }

    #[test]
    fn the_foreground_needs_a_time_from_around_it() {
        let mut peeler = Peeler::default();
        let mut read = |line: &str| peel(&mut peeler, Mta::Exim, line.as_bytes(), true);
        assert!(read("    9   <= a@b").ends_with(", None)"));
        assert!(read("2025-11-19T13:39:04.123456789Z     9   <= a@b").contains("year: 2025"));
        assert!(read("Nov 19 13:39:04 mx1 exim[1]:     9   <= a@b").contains("month: 11"));
        assert!(read("    9 Connecting to mx").contains("debug output"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            let mut peeler = Peeler::default();
            for before in [
                &b""[..],
                b"{\"log\":\"",
                b"2025-11-19T13:39:04.123456789Z stdout P ",
                b"mail-1  | ",
                b"<22>1 2025-11-19T13:39:04Z mx1 exim 1 - [a b=\"",
                b"Nov 19 13:39:04 host docker[1]: Nov 19 13:39:04 mx1 exim[1]: ",
                b"Wed 2025-11-19 13:39:04 UTC mx1 ",
                b"    9   ",
            ] {
                let line = [before, &bytes].concat();
                for mta in [Mta::Exim, Mta::Postfix] {
                    peel(&mut peeler, mta, &line, true);
                    peel(&mut peeler, mta, &line, false);
                }
            }
        }
    }
}

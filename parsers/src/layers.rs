//! Whose line is it? A head may stand in front of another one: a container's log in its host's syslog, a host's in a
//! log server's. And a program may log under a name that is not its own: a container's ID, Exim's `syslog_processname`.
//!
//! A line is a mail server's when it is the **whole message** of a known head and its tag is the program's own, or one
//! that somebody vouches for: the configuration, or the log, if the same tag stands on each of its lines. Under any
//! other tag it is [`Peeled::Untrusted`]: what looks like a line of a mail server in another program's text (a user
//! name in sshd's log) is that program's text.

use crate::exim::{
    self, Foreground,
    record::{EximBody, EximNoticeKind, EximRecord},
};
use crate::postfix::{self, record::PostfixBody};
use crate::stamp::Stamp;
use crate::syslog::{Envelope, any_envelope, is_journal_remark, tagged};

/// Heads within heads that are looked through.
const DEPTH_MAX: usize = 3;

/// A mail server whose lines are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mta {
    /// Exim: tags that begin with `exim`.
    Exim,
    /// Postfix: tags such as `postfix/smtp`, see [`postfix::is_postfix`].
    Postfix,
}

/// What is known of a line before it is looked at: what its wrapper says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outer<'a> {
    /// The wrapper's time; it dates a line without one of its own.
    pub stamp: Option<Stamp>,
    /// The name that the wrapper gives the program, if any: it must be vouched for as a tag is.
    pub name: Option<&'a [u8]>,
}

/// Whose a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peeled<'a> {
    /// The program's: its innermost envelope. Of a line without a syslog head the tag is made up.
    Own(Envelope<'a>),
    /// A whole line of the program, under a tag that nobody vouches for.
    Untrusted(&'a [u8]),
    /// Another program's.
    Foreign(Envelope<'a>),
    /// It says nothing: empty, or a remark of the journal's.
    Nothing,
    /// None of the known heads.
    Unknown,
}

impl Mta {
    /// The name for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Mta::Exim => "Exim",
            Mta::Postfix => "Postfix",
        }
    }

    /// Whether a tag is the program's own.
    ///
    /// ```
    /// use mailpulse_parsers::layers::Mta;
    /// assert!(Mta::Exim.owns(b"exim4") && !Mta::Exim.owns(b"postfix/smtp"));
    /// ```
    #[inline]
    #[must_use]
    pub fn owns(self, tag: &[u8]) -> bool {
        match self {
            Mta::Exim => tag.starts_with(b"exim"),
            Mta::Postfix => postfix::is_postfix(tag) || postfix::is_mailscanner(tag),
        }
    }

    /// The tag of lines that have none.
    fn tag(self) -> &'static [u8] {
        match self {
            Mta::Exim => b"exim",
            Mta::Postfix => b"postfix",
        }
    }

    /// Whether a text can only be a line of this program, whatever tag stands before it.
    pub(crate) fn is_line(self, text: &[u8]) -> bool {
        match self {
            Mta::Exim => {
                exim::parse(text).is_ok_and(|record| is_sure(&record))
                    || exim::is_flagged(text)
                    || matches!(exim::foreground(text), Foreground::Mark { main: true, .. })
            }
            Mta::Postfix => postfix::parse(b"postfix/qmgr", text).is_ok_and(|record| {
                let mail = matches!(record.body, PostfixBody::Delivery(_) | PostfixBody::QueueActive(_));
                record.queue_id.is_some() && mail
            }),
        }
    }

    /// Whose a line is that [`crate::syslog::envelope`] does not show to be the program's at once. `vouched` says
    /// whether a foreign tag stands for the program.
    ///
    /// ```
    /// use mailpulse_parsers::layers::{Mta, Outer, Peeled};
    ///
    /// let line = b"Jun  6 18:55:03 host1 docker[3]: Jun  6 18:55:01 mail postfix/smtp[77]: 4F1A23B5C7: removed";
    /// let peel = |trusted: &[u8]| Mta::Postfix.peel(line, &Outer::default(), &|tag| tag == trusted);
    /// assert_eq!(peel(b""), Peeled::Untrusted(b"docker"));
    /// let Peeled::Own(inner) = peel(b"docker") else { panic!() };
    /// assert_eq!((inner.host, inner.rest), (&b"mail"[..], &b"4F1A23B5C7: removed"[..]));
    ///
    /// // What a user gave to another program is that program's text.
    /// let line = b"Jun  6 18:55:03 host1 sshd[9]: Invalid user postfix/smtp[77]: 4F1A23B5C7: removed";
    /// assert!(matches!(Mta::Postfix.peel(line, &Outer::default(), &|_| false), Peeled::Foreign(_)));
    /// ```
    #[must_use]
    pub fn peel<'a>(self, text: &'a [u8], outer: &Outer<'a>, vouched: &dyn Fn(&[u8]) -> bool) -> Peeled<'a> {
        let found = self.unnamed(text, outer, vouched);
        match (found, outer.name) {
            (Peeled::Own(_), Some(name)) if !vouched(name) && !self.is_named(name) => Peeled::Untrusted(name),
            _ => found,
        }
    }

    /// Whose a message of an envelope is, for envelopes that come from elsewhere than a line (the journal).
    #[must_use]
    pub fn message<'a>(self, envelope: &Envelope<'a>, vouched: &dyn Fn(&[u8]) -> bool) -> Peeled<'a> {
        let tag = envelope.tag;
        let trusted = self.owns(tag) || vouched(tag);
        match self.inside(envelope) {
            Some(inner) if trusted => Peeled::Own(inner),
            None if trusted => Peeled::Own(*envelope),
            Some(_) => Peeled::Untrusted(tag),
            None if self.is_line(envelope.rest) => Peeled::Untrusted(tag),
            None => Peeled::Foreign(*envelope),
        }
    }

    fn unnamed<'a>(self, text: &'a [u8], outer: &Outer<'a>, vouched: &dyn Fn(&[u8]) -> bool) -> Peeled<'a> {
        if text.is_empty() || is_journal_remark(text) {
            return Peeled::Nothing;
        }
        let main = match self {
            Mta::Exim => exim::parse(text).ok(),
            Mta::Postfix => None,
        };
        let own = || self.made_up(text, outer);
        if main.as_ref().is_some_and(|record| record.id.is_some()) {
            return Peeled::Own(own());
        }
        match any_envelope(text) {
            Ok(envelope) => {
                let dated = dated(envelope, outer.stamp.as_ref());
                match self.message(&dated, vouched) {
                    // `2018-06-06 18:55:01 Warning: …` has the shape of a head without a host.
                    Peeled::Foreign(_) if main.is_some() && envelope.pid.is_none() => Peeled::Own(own()),
                    found => found,
                }
            }
            Err(_) if main.is_some() => Peeled::Own(own()),
            Err(_) => match (outer.stamp, tagged(text)) {
                (Some(_), Some((tag, pid, rest))) => {
                    let envelope = Envelope {
                        tag,
                        pid,
                        rest,
                        ..own()
                    };
                    self.message(&envelope, vouched)
                }
                _ => Peeled::Unknown,
            },
        }
    }

    /// The envelope of a line that has none.
    fn made_up<'a>(self, text: &'a [u8], outer: &Outer<'a>) -> Envelope<'a> {
        let stamp = outer.stamp.unwrap_or_default();
        Envelope {
            stamp,
            year_known: stamp.year != 0,
            host: b"",
            tag: self.tag(),
            pid: None,
            rest: text,
        }
    }

    /// The program's innermost envelope in a message, which must be the whole of it.
    fn inside<'a>(self, outer: &Envelope<'a>) -> Option<Envelope<'a>> {
        let mut found: Option<Envelope<'a>> = None;
        for _ in 0..DEPTH_MAX {
            let around = found.as_ref().unwrap_or(outer);
            let Some(inner) = self.next_inside(around) else { break };
            found = Some(inner);
        }
        found
    }

    fn next_inside<'a>(self, around: &Envelope<'a>) -> Option<Envelope<'a>> {
        let text = around.rest;
        // Most messages begin with neither a time nor a tag: told by a look at one word.
        if let Some((tag, pid, rest)) = tagged(text).filter(|(tag, ..)| self.owns(tag)) {
            return Some(Envelope {
                tag,
                pid,
                rest,
                ..*around
            });
        }
        if !begins_like_a_head(text) {
            return None;
        }
        let inner = any_envelope(text).ok().filter(|inner| self.owns(inner.tag))?;
        Some(dated(inner, Some(&around.stamp)))
    }

    /// Whether a container is called after the program.
    fn is_named(self, name: &[u8]) -> bool {
        memchr::memmem::find(name, self.tag()).is_some()
    }
}

fn begins_like_a_head(text: &[u8]) -> bool {
    matches!(
        text,
        [
            b'0'..=b'9' | b'<' | b'J' | b'F' | b'M' | b'A' | b'S' | b'O' | b'N' | b'D' | b'T' | b'W',
            ..
        ]
    )
}

fn dated<'a>(envelope: Envelope<'a>, outer: Option<&Stamp>) -> Envelope<'a> {
    let Some(outer) = outer else { return envelope };
    let stamp = envelope.stamp.dated_by(outer);
    Envelope {
        stamp,
        year_known: stamp.year != 0,
        ..envelope
    }
}

/// Whether an Exim main log is the only thing that such a line can come from: a date and any text are not enough.
///
/// ```
/// use mailpulse_parsers::{exim, layers::is_sure};
/// assert!(is_sure(&exim::parse(b"2018-06-06 18:55:01 Start queue run: pid=9")?));
/// assert!(!is_sure(&exim::parse(b"2018-06-06 18:55:01 [main] ready")?));
/// # Ok::<(), mailpulse_parsers::Reject>(())
/// ```
#[must_use]
pub fn is_sure(record: &EximRecord<'_>) -> bool {
    let chatter = matches!(&record.body, EximBody::Notice(notice) if notice.kind == EximNoticeKind::Chatter);
    record.id.is_some() || !chatter
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXIM: &str = "2025-11-19 13:39:04 1vLh1s-00000001AbC-2DeF <= a@example.org H=h [10.0.0.5] P=esmtp S=900";
    const POSTFIX: &str = "3A3D26C44CC: from=<a@example.org>, size=500, nrcpt=1 (queue active)";

    fn peel(mta: Mta, line: &str, vouched: &str) -> String {
        let peeled = mta.peel(line.as_bytes(), &Outer::default(), &|tag| tag == vouched.as_bytes());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        match peeled {
            Peeled::Own(envelope) => format!("own {}", text(envelope.rest)),
            Peeled::Untrusted(tag) => format!("untrusted {}", text(tag)),
            Peeled::Foreign(envelope) => format!("foreign {}", text(envelope.tag)),
            Peeled::Nothing => "nothing".to_owned(),
            Peeled::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn a_tag_that_is_not_the_programs_needs_somebody_who_vouches() {
        let line = format!("Nov 19 13:39:04 mx1 mailer[12]: {EXIM}");
        assert_eq!(peel(Mta::Exim, &line, ""), "untrusted mailer");
        assert_eq!(peel(Mta::Exim, &line, "mailer"), format!("own {EXIM}"));
        assert_eq!(
            peel(Mta::Exim, &line.replace("mailer", "exim4"), ""),
            format!("own {EXIM}")
        );
        // Without a timestamp of its own, as with `syslog_timestamp = no`.
        let short = format!("Nov 19 13:39:04 mx1 mailer[12]: {}", &EXIM[20..]);
        assert_eq!(peel(Mta::Exim, &short, ""), "untrusted mailer");
        let bare = format!("Nov 19 13:39:04 mx1 3f2e1d0c9b8a[12]: {POSTFIX}");
        assert_eq!(peel(Mta::Postfix, &bare, ""), "untrusted 3f2e1d0c9b8a");
        assert_eq!(peel(Mta::Postfix, &bare, "3f2e1d0c9b8a"), format!("own {POSTFIX}"));
    }

    #[test]
    fn heads_within_heads() {
        let inner = format!("Nov 19 13:39:04 mail postfix/qmgr[1]: {POSTFIX}");
        for outer in [
            "Nov 19 14:39:04 host1 docker[3]: ",
            "2025-11-19T13:39:04Z host1 docker: ",
        ] {
            let line = format!("{outer}{inner}");
            assert_eq!(peel(Mta::Postfix, &line, ""), "untrusted docker");
            assert_eq!(peel(Mta::Postfix, &line, "docker"), format!("own {POSTFIX}"));
        }
        // A container that is called like the program, and a log server that all come through.
        let line = format!("Nov 19 14:39:04 host1 postfix[3]: {inner}");
        assert_eq!(peel(Mta::Postfix, &line, ""), format!("own {POSTFIX}"));
        let line = format!("Nov 19 14:39:04 host1 docker[3]: postfix/qmgr[1]: {POSTFIX}");
        assert_eq!(peel(Mta::Postfix, &line, "docker"), format!("own {POSTFIX}"));
        let line = format!("Nov 19 14:39:04 host1 exim[3]: Nov 19 13:39:04 mail exim[4]: {EXIM}");
        assert_eq!(peel(Mta::Exim, &line, ""), format!("own {EXIM}"));
    }

    #[test]
    fn what_another_program_says_is_its_own() {
        for text in [EXIM, POSTFIX, "postfix/smtp[1]: 3A3D26C44CC: to=<b@c>", "exim[1]: x"] {
            for words in ["Invalid user ", "Failed password for invalid user "] {
                let line = format!("Nov 19 13:39:04 mx1 sshd[99]: {words}{text} from 192.0.2.1 port 22");
                assert_eq!(peel(Mta::Exim, &line, "mailer"), "foreign sshd");
                assert_eq!(peel(Mta::Postfix, &line, "mailer"), "foreign sshd");
            }
            // A program that prints nothing but what a user gave it.
            let line = format!("Nov 19 13:39:04 mx1 app[99]: {text}");
            for mta in [Mta::Exim, Mta::Postfix] {
                let found = peel(mta, &line, "");
                assert!(["untrusted app", "foreign app"].contains(&found.as_str()), "{found}");
            }
        }
    }

    #[test]
    fn exims_own_lines_are_not_heads() {
        for text in [
            EXIM,
            "2025-11-19 13:39:04 exim 4.96 daemon started: pid=1, -q15m",
            "2025-11-19 13:39:04 Warning: purging the environment.",
            "2025-11-19 13:39:04 SIGHUP received: re-exec daemon",
            "2025-11-19 13:39:04 SMTP connection from [192.0.2.1]:3 closed by QUIT",
        ] {
            assert_eq!(peel(Mta::Exim, text, ""), format!("own {text}"));
        }
        let line = format!("2025-11-19 13:39:04 mx1 exim[3]: {EXIM}");
        assert_eq!(peel(Mta::Exim, &line, ""), format!("own {EXIM}"));
        assert_eq!(
            peel(Mta::Exim, "2025-11-19 13:39:04 mx1 sshd[3]: x", ""),
            "foreign sshd"
        );
        // The words of a notice behind such a head are no notice.
        let reject = "2025-11-19 13:39:04 H=x [192.0.2.1] F=<a@b> rejected RCPT <c@d>: Unrouteable address";
        let line = format!("2025-11-19 13:39:04 mx1 exim[3]: {reject}");
        assert_eq!(peel(Mta::Exim, &line, ""), format!("own {reject}"));
        assert_eq!(peel(Mta::Exim, reject, ""), format!("own {reject}"));
    }

    #[test]
    fn remarks_and_nothing() {
        for line in [
            "",
            "-- Boot 8af3c1d2 --",
            "-- Reboot --",
            "-- Journal begins at Mon 2025-11-17, ends at x. --",
        ] {
            assert_eq!(peel(Mta::Postfix, line, ""), "nothing");
        }
        assert_eq!(peel(Mta::Postfix, "-- no end", ""), "unknown");
    }
}

//! What the text of a deferral, bounce or reject says: SMTP code, enhanced code, the provider's own code, and a reason out
//! of a bounded set.
//!
//! The reason is found in this order, the surest witness first:
//!
//! 1. How Exim's and Postfix' own texts begin.
//! 2. An enhanced status code with one meaning.
//! 3. A provider's own code that its pages explain.
//! 4. The strongest phrase. Names of hosts, addresses, links and quoted commands are no words of the reply.
//! 5. An enhanced code that says what it is about, an errno, a bare SMTP code.
//!
//! A fault is this host's (`local_error`) in the words of this host, and the other side's (`remote_error`) in a reply.

mod codes;
mod enhanced;
mod own;
mod phrases;
mod provider;
mod reason;
mod words;

use crate::cut::Cut;
use memchr::{memchr, memchr_iter, memchr3, memmem};
use words::Words;

pub use enhanced::Enhanced;
pub(crate) use enhanced::enhanced_at;
pub use provider::ProviderCode;
pub use reason::{RENAMED, Reason, today};

/// What a text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// The SMTP code, 200 to 599.
    pub smtp_code: Option<u16>,
    /// The enhanced status code behind it (RFC 3463).
    pub enhanced: Option<Enhanced>,
    /// The provider's own code: `S3140`, `TSS04`.
    pub provider_code: Option<ProviderCode>,
    /// Why, as one of a few; [`Reason::Other`] if the text does not say.
    pub reason: Reason,
}

/// Classifies a text. Never fails: what says nothing is [`Reason::Other`].
///
/// ```
/// use mailpulse_parsers::reply::{Reason, classify};
///
/// let reply = classify(b"SMTP error from remote mail server after RCPT TO:<ann@example.org>: 550 5.1.1 User unknown");
/// assert_eq!((reply.smtp_code, reply.reason), (Some(550), Reason::NoSuchUser));
/// assert_eq!(reply.enhanced.map(|code| (code.class, code.subject, code.detail)), Some((5, 1, 1)));
/// assert_eq!(classify(b"451 Greylisted, please come back later").reason.as_str(), "greylisted");
/// ```
#[must_use]
pub fn classify(text: &[u8]) -> Reply {
    classify_with_errno(text, None)
}

/// The reply of a server in a text, from its SMTP code on: `classify` says the same of it as of the text, whatever address or
/// host stands in front. None where no server replied.
///
/// ```
/// use mailpulse_parsers::reply::{classify, reply_in};
/// let text = b"SMTP error from remote mail server after RCPT TO:<ann@example.org>: 451 4.7.1 Greylisted";
/// assert_eq!(reply_in(text), Some(&b"451 4.7.1 Greylisted"[..]));
/// assert_eq!(classify(&text[..]), classify(reply_in(text).unwrap()));
/// assert_eq!(reply_in(b"Connection refused"), None);
/// ```
#[must_use]
pub fn reply_in(text: &[u8]) -> Option<&[u8]> {
    smtp_code(text).map(|(_, at)| text.past(at))
}

/// Classifies a text that came with the number of `defer (…)`: a system's errno, or negative for Exim's own.
///
/// ```
/// use mailpulse_parsers::reply::{Reason, classify_with_errno};
/// assert_eq!(classify_with_errno(b"", Some(110)).reason, Reason::Timeout);
/// assert_eq!(classify_with_errno(b"Connection refused", Some(110)).reason, Reason::ConnectionRefused);
/// ```
#[must_use]
pub fn classify_with_errno(text: &[u8], errno: Option<i32>) -> Reply {
    classified(
        text,
        Beside {
            errno,
            ..Beside::default()
        },
    )
}

/// Classifies a text of Postfix, which prints its own verdict as an enhanced code beside it (`dsn=`).
///
/// That code speaks where the text has none of its own: `dsn=4.4.3 … (Host not found)`, `5.7.1 message content rejected`.
///
/// ```
/// use mailpulse_parsers::reply::{Enhanced, Reason, classify_with_dsn};
/// let dsn = Enhanced { class: 4, subject: 4, detail: 3 };
/// assert_eq!(classify_with_dsn(b"try again", Some(dsn)).reason, Reason::Dns);
/// ```
#[must_use]
pub fn classify_with_dsn(text: &[u8], dsn: Option<Enhanced>) -> Reply {
    let is_ours = own::is_local_server(text);
    let mut reply = classified(
        text,
        Beside {
            dsn,
            is_ours,
            ..Beside::default()
        },
    );
    reply.enhanced = reply.enhanced.or(dsn);
    reply
}

/// Classifies what this host's mail server answered a client: a fault in it is this host's.
///
/// ```
/// use mailpulse_parsers::reply::{Reason, classify, classify_own};
/// let text = b"452 4.3.1 Insufficient system storage";
/// assert_eq!((classify_own(text, None).reason, classify(text).reason), (Reason::LocalError, Reason::RemoteError));
/// ```
#[must_use]
pub fn classify_own(text: &[u8], dsn: Option<Enhanced>) -> Reply {
    let mut reply = classified(
        text,
        Beside {
            dsn,
            is_ours: true,
            ..Beside::default()
        },
    );
    reply.enhanced = reply.enhanced.or(dsn);
    reply
}

/// What stands beside a text in the log.
#[derive(Default, Clone, Copy)]
struct Beside {
    errno: Option<i32>,
    dsn: Option<Enhanced>,
    /// A server of this host said it, SMTP code or not.
    is_ours: bool,
}

fn classified(text: &[u8], beside: Beside) -> Reply {
    // Postfix quotes the command that was answered.
    let text = match text
        .ends_with(b"command)")
        .then(|| memmem::rfind(text, b" (in reply to "))
    {
        Some(Some(at)) => text.until(at),
        _ => text,
    };
    let Some((code, at)) = smtp_code(text) else {
        let (reason, provider_code) = without_code(text, beside);
        return Reply {
            smtp_code: None,
            enhanced: None,
            provider_code,
            reason,
        };
    };
    let reply = text.past(at);
    let enhanced = enhanced_in(reply, code);
    // Where the code says it all, words are only read for a provider's code.
    let is_sure = enhanced.is_some_and(|enhanced| codes::sure(enhanced).is_some());
    let words = match is_sure && memchr3(b'(', b'[', b'#', reply).is_none() && memchr(b'=', reply).is_none() {
        true => Words::default(),
        false => words::read(words_of(reply)),
    };
    let is_of_gmail = reply.ends_with(b" - gsmtp");
    let own_enhanced = enhanced.and_then(|enhanced| provider::of_enhanced(enhanced, is_of_gmail));
    // Outlook's `AS(1430)` is the number of a filter: the code in front of it says more.
    let provider_code = match (words.code, own_enhanced) {
        (Some(code), Some(own)) if code.as_str().starts_with("AS") => Some(own),
        (code, own) => code.or(own),
    };
    let reason = quoted(code, enhanced, &words).unwrap_or(Reason::Other);
    Reply {
        smtp_code: Some(code),
        enhanced,
        provider_code,
        reason: whose(reason, beside.is_ours),
    }
}

/// The reason of a reply.
fn quoted(code: u16, enhanced: Option<Enhanced>, words: &Words) -> Option<Reason> {
    use Reason as R;
    if let Some(reason) = enhanced.and_then(codes::sure) {
        return Some(reason);
    }
    if let Some(reason) = words.code.as_ref().and_then(provider::reason) {
        return Some(reason);
    }
    let subject = enhanced.map(|enhanced| (enhanced.subject, enhanced.detail));
    let is_for_good = code >= 500;
    let strong = words.strong.filter(|strong| match (strong, subject) {
        // A disabled mailbox is what the code says; but Gmail also has it for one that is written to too often.
        (R::RateLimited | R::Greylisted, Some((2, 1))) => true,
        (_, Some((2, 1))) => false,
        // `554 5.7.1 Service unavailable` is how Postfix begins any refusal.
        (R::RemoteError, Some((7, _))) => !is_for_good,
        _ => true,
    });
    // Another host's connections are its own affair.
    let strong = strong.map(|strong| match strong {
        R::ConnectionRefused => R::RemoteError,
        strong => strong,
    });
    if let Some(reason) = strong.or_else(|| codes::login(code)) {
        return Some(reason);
    }
    if words.later && !is_for_good {
        match subject {
            Some((7 | 2, _)) => return Some(R::Greylisted),
            None if code == 450 => return Some(R::Greylisted),
            _ => {}
        }
    }
    let likely = enhanced.and_then(codes::likely);
    // What is only "refused" may still be better told than by a code of security.
    let likely = likely.map(|likely| words.weak.filter(|_| likely == R::Policy).unwrap_or(likely));
    likely.or(words.weak).or_else(|| codes::of_smtp(code))
}

/// The reason of a text without a reply in it, and the provider's code in it.
fn without_code(text: &[u8], beside: Beside) -> (Reason, Option<ProviderCode>) {
    if let Some(reason) = own::reason(text) {
        return (reason, None);
    }
    if let Some(reason) = beside.dsn.and_then(codes::sure) {
        return (reason, None);
    }
    let words = words::read(text);
    let reason = words
        .strong
        .map(|strong| whose(strong, true))
        .or_else(|| beside.dsn.and_then(codes::of_postfix))
        .or_else(|| beside.errno.and_then(codes::of_errno))
        .or(words.weak.map(|weak| whose(weak, true)))
        .unwrap_or(Reason::Other);
    (reason, words.code)
}

/// A fault is whose words tell of it; a limit that another host sets for us is one of rate.
fn whose(reason: Reason, is_ours: bool) -> Reason {
    match reason {
        Reason::RemoteError if is_ours => Reason::LocalError,
        Reason::LocalError if !is_ours => Reason::RemoteError,
        Reason::SenderQuota if !is_ours => Reason::RateLimited,
        reason => reason,
    }
}

/// A reply without the codes in front.
fn words_of(reply: &[u8]) -> &[u8] {
    let words = reply
        .past(3)
        .strip_prefix(b"-")
        .unwrap_or(reply.past(3))
        .trim_ascii_start();
    match enhanced_at(words) {
        Some(_) => words
            .past(words.iter().position(|byte| *byte == b' ').unwrap_or(words.len()))
            .trim_ascii_start(),
        None => words,
    }
}

/// The code and its offset: at the start, or after a `: ` that is not inside the address of `RCPT TO:<…>`.
fn smtp_code(text: &[u8]) -> Option<(u16, usize)> {
    if let Some(code) = code_at(text) {
        return Some((code, 0));
    }
    // The address is the remote side's to choose, and a quoted one may hold `: 550 `.
    let from = match memmem::find(text, b":<") {
        Some(at) => crate::prim::angle(text.past(at + 1)).map_or(0, |(rest, _)| text.len() - rest.len()),
        None => 0,
    };
    memchr_iter(b':', text.past(from))
        .map(|at| from + at)
        .find_map(|at| match text.get(at + 1) {
            Some(b' ') => code_at(text.past(at + 2)).map(|code| (code, at + 2)),
            _ => None,
        })
}

/// Three digits, 2xx to 5xx, before a space, a dash or the end.
fn code_at(text: &[u8]) -> Option<u16> {
    let [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = text else {
        return None;
    };
    let value = |digit: &u8| u16::from(digit - b'0');
    matches!(rest.first(), None | Some(b' ' | b'-' | b'\\')).then(|| value(a) * 100 + value(b) * 10 + value(c))
}

/// The enhanced code of the reply's first line that has one; Exim prints inner newlines as `\n`. qmail has its code behind
/// the words: `(#5.1.1)`.
fn enhanced_in(reply: &[u8], code: u16) -> Option<Enhanced> {
    if let Some(first) = enhanced_at(reply.get(4..)?) {
        return Some(first);
    }
    let folded = memchr_iter(b'\\', reply).take(8).map(|at| reply.past(at + 1));
    let mut lines = folded
        .filter_map(|rest| rest.strip_prefix(b"n"))
        .filter(|line| code_at(line) == Some(code));
    lines.find_map(|line| enhanced_at(line.get(4..)?)).or_else(|| {
        let mark = memchr(b'#', reply).filter(|at| reply.until(*at).ends_with(b"("))?;
        enhanced_at(reply.past(mark))
    })
}

#[cfg(test)]
mod tests;

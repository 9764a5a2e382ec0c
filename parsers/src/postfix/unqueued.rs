//! Mail that never got into the queue: what `sendmail` and `postdrop` say as they end, and cleanup of a file that grows too
//! big. No other line names that mail.

use super::program::Program;
use super::record::{Severity, Unqueued};
use crate::cut::Cut;
use crate::prim::decimal;
use memchr::memmem;

/// Ends of `sendmail` in another of its roles, without a mail: `mailq`, `newaliases`, a wrong option.
const NO_MAIL: [&[u8]; 6] = [
    b"usage: ",
    b"Queue report unavailable",
    b"unsupported: ",
    b"the Postfix mail system is ",
    b"-q",
    b"Flush service",
];

/// A problem that cost a mail, if it is one.
pub(super) fn unqueued(program: Program, severity: Severity, text: &[u8]) -> Option<Unqueued<'_>> {
    let is_end = matches!(severity, Severity::Fatal | Severity::Panic);
    match program {
        Program::Sendmail if is_end && !NO_MAIL.iter().any(|words| text.starts_with(words)) => Some(by_sendmail(text)),
        Program::Postdrop => {
            let (uid, reason) = match text.strip_prefix(b"uid=").and_then(|rest| decimal(rest).ok()) {
                Some((rest, uid)) => (Some(uid), rest.strip_prefix(b": ").unwrap_or(rest)),
                None => (None, text),
            };
            (is_end || is_too_big(reason)).then_some(Unqueued {
                uid,
                sender: None,
                reason,
            })
        }
        Program::Cleanup if is_too_big(text) => Some(Unqueued {
            uid: None,
            sender: None,
            reason: text,
        }),
        _ => None,
    }
}

fn is_too_big(text: &[u8]) -> bool {
    let words = [&b"too big"[..], b"File too large", b"queue file size limit exceeded"];
    words.iter().any(|words| memmem::find(text, words).is_some())
}

/// `ann(1000): message file too big`: the sender that was given or the user's name, and the user's ID.
fn by_sendmail(text: &[u8]) -> Unqueued<'_> {
    let whole = Unqueued {
        uid: None,
        sender: None,
        reason: text,
    };
    let Some(colon) = memmem::find(text.until(400), b"): ") else {
        return whole;
    };
    let Some(open) = memchr::memrchr(b'(', text.until(colon)) else {
        return whole;
    };
    match decimal(text.past(open + 1)) {
        Ok((rest, uid)) if rest.starts_with(b"): ") => Unqueued {
            uid: Some(uid),
            sender: Some(text.until(open)).filter(|sender| sender.contains(&b'@')),
            reason: text.past(colon + 3),
        },
        _ => whole,
    }
}

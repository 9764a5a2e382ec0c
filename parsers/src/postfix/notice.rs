//! Lines without fields: connections, failed hosts, the mail system's own doings, warnings.

use super::field::host;
use super::program::Program;
use super::queue_id::leading;
use super::record::{
    Daemon, DaemonKind, Notification, NotificationKind, PostfixBody, PostfixHost, PostfixNotice, PostfixNoticeKind,
    Problem, Severity,
};
use super::unqueued::unqueued;
use crate::cut::Cut;
use crate::prim::{Parsed, fail};
use memchr::memmem;

/// `warning: text` and the worse levels: which, and the text.
#[inline]
pub(super) fn severity(text: &[u8]) -> Option<(Severity, &[u8])> {
    match text.first()? {
        b'w' => Some((Severity::Warning, text.strip_prefix(b"warning: ")?)),
        b'e' => Some((Severity::Error, text.strip_prefix(b"error: ")?)),
        b'f' => Some((Severity::Fatal, text.strip_prefix(b"fatal: ")?)),
        b'p' => Some((Severity::Panic, text.strip_prefix(b"panic: ")?)),
        _ => None,
    }
}

/// The body of a problem.
pub(super) fn problem(program: Program, severity: Severity, text: &[u8]) -> Parsed<'_, PostfixBody<'_>> {
    let body = match unqueued(program, severity, text) {
        Some(unqueued) => PostfixBody::Unqueued(unqueued),
        None => PostfixBody::Problem(Problem { severity, text }),
    };
    Ok((&[], body))
}

/// `sender non-delivery notification: ID`; `None` if it is something else.
pub(super) fn notification(text: &[u8]) -> Option<Parsed<'_, PostfixBody<'_>>> {
    use NotificationKind as K;
    const MARK: &[u8] = b" notification: ";
    if !text.starts_with(b"sender ") && !text.starts_with(b"postmaster ") {
        return None;
    }
    let at = memmem::find(text.until(80), MARK)?;
    let kind = match text.until(at) {
        b"sender non-delivery" => K::SenderNonDelivery,
        b"sender delay" => K::SenderDelay,
        b"sender delivery status" => K::SenderDeliveryStatus,
        b"postmaster non-delivery" => K::PostmasterNonDelivery,
        b"postmaster delay" => K::PostmasterDelay,
        _ => K::Other,
    };
    let id = text.past(at + MARK.len());
    Some(match leading(id) {
        Some(notification_id) => Ok((&[], PostfixBody::Notification(Notification { kind, notification_id }))),
        None => fail(id, "the notification's queue ID"),
    })
}

/// Anything else.
pub(super) fn notice(text: &[u8], program: Program, has_id: bool) -> Parsed<'_, PostfixBody<'_>> {
    if !has_id && let Some(kind) = daemon(text, program) {
        return Ok((&[], PostfixBody::Daemon(Daemon { kind, text })));
    }
    let (kind, host_at) = kind(text, program, has_id);
    let mut notice = PostfixNotice {
        kind,
        host: PostfixHost::default(),
        text,
        reason: b"",
    };
    if let Some(at) = host_at
        && let Ok((rest, host)) = host(text.past(at))
        && (host.ip.is_some() || text.past(at).contains(&b'['))
    {
        notice.host = host;
        notice.reason = rest.strip_prefix(b":").unwrap_or(rest).trim_ascii_start();
    }
    Ok((&[], PostfixBody::Notice(notice)))
}

fn daemon(text: &[u8], program: Program) -> Option<DaemonKind> {
    use DaemonKind as K;
    let table: &[(&str, K)] = match program {
        Program::Master => &[
            ("daemon started -- ", K::Started),
            ("reload -- ", K::Reloaded),
            ("terminating on signal ", K::Terminated),
        ],
        Program::PostfixScript | Program::Postlog => &[
            ("starting the Postfix mail system", K::Starting),
            ("refreshing the Postfix mail system", K::Reloaded),
            ("stopping the Postfix mail system", K::Stopping),
            ("aborting the Postfix mail system", K::Stopping),
            ("waiting for the Postfix mail system to terminate", K::Stopping),
        ],
        _ => return None,
    };
    let found = table.iter().find(|(words, _)| text.starts_with(words.as_bytes()));
    found.map(|(_, kind)| *kind)
}

/// The kind, and the place of the host that the line names.
fn kind(text: &[u8], program: Program, has_id: bool) -> (PostfixNoticeKind, Option<usize>) {
    use PostfixNoticeKind as K;
    let starts = |words: &str| text.starts_with(words.as_bytes());
    let after = |words: &str| starts(words).then_some(words.len());
    let behind = |words: &str| memmem::find(text, words.as_bytes()).map(|at| at + words.len());
    match program {
        Program::Postscreen | Program::Dnsblog | Program::Tlsproxy => {
            return (K::Screening, behind(" from ").or_else(|| behind(" for ")));
        }
        Program::Anvil | Program::Scache if starts("statistics: ") => return (K::Statistics, None),
        Program::Verify => return (K::Verify, None),
        Program::Postsuper if has_id => return (K::Administered, None),
        _ => {}
    }
    let kind = match text.first() {
        Some(b'c') if starts("connect from ") => K::Connected,
        Some(b'c') if starts("connect to ") => K::ConnectionFailed,
        Some(b'c') if starts("conversation with ") => K::RemoteError,
        Some(b'd') if starts("disconnect from ") => K::Disconnected,
        Some(b'l') if starts("lost connection with ") => K::RemoteError,
        Some(b'l') if starts("lost connection ") => K::ClientLost,
        Some(b't') if starts("timeout after ") || starts("too many errors after ") => K::ClientLost,
        Some(b'h') if starts("host ") => K::RemoteError,
        Some(b's') if starts("skipped, ") => K::Skipped,
        _ if is_tls(text) => K::Tls,
        _ => K::Chatter,
    };
    let host_at = match kind {
        K::Connected | K::Disconnected | K::ClientLost => behind(" from "),
        K::ConnectionFailed => after("connect to "),
        K::RemoteError => ["host ", "lost connection with ", "conversation with "]
            .iter()
            .find_map(|words| after(words)),
        K::Tls => behind(" from ").or_else(|| behind(" to ")).or_else(|| behind(" for ")),
        _ => None,
    };
    (kind, host_at)
}

fn is_tls(text: &[u8]) -> bool {
    const BEGINNINGS: [&str; 12] = [
        "Anonymous TLS ",
        "Untrusted TLS ",
        "Trusted TLS ",
        "Verified TLS ",
        "SSL_",
        "setting up TLS ",
        "certificate ",
        "Cannot start TLS",
        "initializing the ",
        "Host offered STARTTLS",
        "TLS ",
        "server certificate ",
    ];
    BEGINNINGS.iter().any(|words| text.starts_with(words.as_bytes()))
}

//! What the codes of a reply mean: enhanced status codes (RFC 3463, the IANA registry, and what large providers add to
//! it), SMTP codes, errnos.

use super::enhanced::Enhanced;
use super::reason::Reason::{self, *};

/// Codes that mean one thing wherever they are used: no words say it better.
pub(super) fn sure(code: Enhanced) -> Option<Reason> {
    Some(match (code.class, code.subject, code.detail) {
        (2, ..) => return None,
        // `4.1.1` is also an address that is being verified.
        (5, 1, 1) | (_, 1, 3 | 4 | 6 | 10) => NoSuchUser,
        (_, 1, 2) => Dns,
        (_, 2, 2) => MailboxFull,
        (_, 2, 3) | (_, 3, 4) | (_, 7, 16) => MessageTooBig,
        (_, 4, 7) => RetryTimeout,
        (_, 5, 3) | (_, 7, 28) => RateLimited,
        (_, 5, 6) | (_, 7, 8 | 12 | 13) => SmtpAuth,
        (_, 7, 10 | 11) => Tls,
        (_, 7, 17 | 18) => NoSuchUser,
        (_, 7, 20..=27) => Authentication,
        _ => return of_a_provider(code),
    })
}

/// Details above those of the registry: Exchange's, Outlook's, and Gmail's.
fn of_a_provider(code: Enhanced) -> Option<Reason> {
    Some(match (code.subject, code.detail) {
        (1, 90) | (2, 120..=122) => RateLimited,
        (4, 300 | 316) => RetryTimeout,
        (4, 310 | 312 | 313) => Dns,
        (7, 32 | 40 | 509 | 515) => Authentication,
        (7, 54 | 64) => RelayDenied,
        (7, 57 | 139) => SmtpAuth,
        (7, 60 | 124..=136 | 506 | 507 | 508 | 512 | 520 | 750) => Policy,
        (7, 500 | 650 | 651 | 705) => RateLimited,
        (7, 501) => Content,
        (7, 502 | 503 | 511 | 513 | 606..=649) => Blocklist,
        (7, 703 | 708) => Reputation,
        _ => return None,
    })
}

/// What a code means where the words say nothing strong.
pub(super) fn likely(code: Enhanced) -> Option<Reason> {
    Some(match (code.class, code.subject, code.detail) {
        (2, ..) => return None,
        (_, 1, 1) | (5, 1, 0) => NoSuchUser,
        (_, 1, 7) => Policy,
        (_, 1, 8) => Authentication,
        (_, 2, 1) => MailboxDisabled,
        (_, 4, 2) => ConnectionLost,
        (_, 4, 4) => Dns,
        (_, 2, 4) | (_, 3, _) | (_, 4, 1 | 3 | 5 | 6) => RemoteError,
        (_, 6, 7) | (_, 5, 1 | 2 | 4 | 5) => Policy,
        (_, 6, _) => Content,
        (_, 7, 29) => Authentication,
        (_, 7, 30) => Tls,
        (_, 7, _) => Policy,
        _ => return None,
    })
}

/// What Postfix means by a code of its own; another host's may mean anything.
pub(super) fn of_postfix(dsn: Enhanced) -> Option<Reason> {
    Some(match (dsn.class, dsn.subject, dsn.detail) {
        (2, ..) => return None,
        (_, 4, 1) => ConnectionRefused,
        (_, 4, 2) => ConnectionLost,
        (_, 4, 3 | 4) => Dns,
        (_, 4, 6) | (_, 3, _) => LocalError,
        (_, 7, 4 | 5) => Tls,
        (_, 7, _) => Policy,
        (_, 1, 1) => NoSuchUser,
        (_, 6, 7) => RemoteError,
        _ => return None,
    })
}

/// SMTP codes that are about a login, whatever the enhanced code beside them.
pub(super) fn login(code: u16) -> Option<Reason> {
    matches!(code, 432 | 530 | 534 | 535 | 538).then_some(SmtpAuth)
}

/// SMTP codes that say enough when nothing else does.
pub(super) fn of_smtp(code: u16) -> Option<Reason> {
    match code {
        421 | 451 | 452 | 454 => Some(RemoteError),
        552 => Some(MailboxFull),
        523 => Some(MessageTooBig),
        551 | 553 | 556 => Some(NoSuchUser),
        500..=504 | 521 | 554 | 555 | 571 => Some(Policy),
        _ => None,
    }
}

/// Linux errnos and Exim's own (`macros.h` of 4.96; the retry numbers were one lower before 4.95).
pub(super) fn of_errno(errno: i32) -> Option<Reason> {
    match errno {
        101 | 111 | 112 | 113 | 146 => Some(ConnectionRefused),
        32 | 103 | 104 | -18 => Some(ConnectionLost),
        110 | -43 => Some(Timeout),
        122 | -22 => Some(MailboxFull),
        2 | 12 | 13 | 28 | -9..=-2 | -34..=-33 | -31..=-26 | -40..=-39 | -51 => Some(LocalError),
        -32 | -36 => Some(Dns),
        -37 | -38 => Some(Tls),
        -42 | -48 => Some(SmtpAuth),
        -54..=-52 | -57 => Some(RetryTimeout),
        _ => None,
    }
}

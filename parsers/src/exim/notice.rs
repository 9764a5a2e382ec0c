//! Lines without a flag: rejects, frozen messages, failed connections, the daemon's own doings.
//!
//! What cannot be told apart is [`EximNoticeKind::Chatter`]; but a text that looks like a flag line with a head that this
//! parser does not know is refused, so that a new form of message ID can never make mail vanish in silence.

use super::field::{bracketed, is_bare, key_length, leave_out, skip_token};
use super::host::host;
use super::message_id::message_id;
use super::record::{EximBody, EximHost, EximNotice, EximNoticeKind};
use crate::cut::Cut;
use crate::odd::Odd;
use crate::prim::{Parsed, angle, colon_space, fail, word};
use memchr::{memchr, memmem};

/// The text after the header, into `body`.
pub(super) fn notice<'a>(text: &'a [u8], body: &mut EximBody<'a>, odd: &mut Option<Odd<'a>>) -> Parsed<'a, ()> {
    *body = EximBody::Notice(EximNotice {
        kind: EximNoticeKind::Chatter,
        host: EximHost::default(),
        sender: None,
        recipient: None,
        text,
        reason: b"",
    });
    let EximBody::Notice(notice) = body else {
        unreachable!("it was put there")
    };
    let first = text.first().copied().unwrap_or(b' ');
    let rest = match first {
        b'H' | b'U' | b'F' | b'D' | b' ' => fields(text, notice, odd),
        _ => text,
    };
    if rest.len() < text.len() {
        after_fields(rest, notice, odd);
    } else {
        if looks_flagged(text) {
            return fail(text, "a message ID before the flag");
        }
        plain(text, notice, odd);
    }
    if notice.kind == EximNoticeKind::Chatter {
        // Nothing was lost.
        *odd = None;
    }
    Ok((&[], ()))
}

/// A flag behind something like a message ID: a long word without punctuation at the start, or an ID behind something
/// that no header has (an offset from UTC that is none).
fn looks_flagged(text: &[u8]) -> bool {
    let Some(space) = memchr(b' ', text) else { return false };
    let is_like_id = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'[' | b']' | b'_');
    if space >= ID_MIN && begins_with_flag(text.past(space + 1)) && text.until(space).iter().all(is_like_id) {
        return true;
    }
    memchr::memchr_iter(b' ', text).take(WORDS_BEFORE_ID).any(|space| {
        message_id(text.past(space + 1)).is_some_and(|(rest, _)| {
            let rest = rest.strip_prefix(b" ").unwrap_or(rest);
            begins_with_flag(rest) || rest.starts_with(b"Completed")
        })
    })
}

fn begins_with_flag(text: &[u8]) -> bool {
    text.first_chunk::<3>().is_some_and(|flag| {
        matches!(
            flag,
            b"<= " | b"(= " | b"=> " | b"-> " | b">> " | b"*> " | b"** " | b"== "
        )
    })
}

/// Words that are looked at for an ID behind them.
const WORDS_BEFORE_ID: usize = 2;

/// Shorter words before a flag are some ACL's `logwrite`, not a message ID of any Exim.
const ID_MIN: usize = 12;

/// The leading `H=… I=… U=… X=… F=<…>`; the rest begins with the words.
fn fields<'a>(text: &'a [u8], notice: &mut EximNotice<'a>, odd: &mut Option<Odd<'a>>) -> &'a [u8] {
    let mut rest = text;
    loop {
        let token = rest.strip_prefix(b" ").unwrap_or(rest);
        let after = match token {
            [b'H', b'=', value @ ..] => match host(value) {
                Ok((after, host)) => {
                    notice.host = host;
                    after
                }
                Err(_) => leave_out(token, odd),
            },
            [b'F', b'=', value @ ..] => match bracketed(value) {
                Ok((after, sender)) => {
                    notice.sender = Some(sender);
                    after
                }
                Err(_) => leave_out(token, odd),
            },
            _ if let Some((after, address)) = cut_through_recipient(token) => {
                notice.recipient = Some(address);
                after
            }
            _ if key_length(token).is_some() || word(token).is_ok_and(|(_, w)| is_bare(w)) => match skip_token(token) {
                // `I=[ip]:port: text`: the colon before the text is no part of the field.
                Ok((after, ())) => match token.until(token.len() - after.len()) {
                    [field @ .., b':'] => return token.past(field.len()),
                    _ => after,
                },
                Err(_) => return rest,
            },
            _ => return rest,
        };
        rest = match after {
            [] | [b' ' | b':', ..] => after,
            _ => leave_out(token, odd),
        };
        // A host ends in `: text` or in a space; a field of another kind in a space.
        if !matches!(rest.first(), Some(b' ')) {
            return rest;
        }
    }
}

/// A cut-through delivery refused after DATA names its recipient between the host and the sender:
/// `H=host [ip] ann@example.com F=<…> rejected after DATA`.
fn cut_through_recipient(token: &[u8]) -> Option<(&[u8], &[u8])> {
    if key_length(token).is_some() {
        return None;
    }
    let (after, address) = word(token).ok()?;
    (after.starts_with(b" F=") && memchr(b'@', address).is_some()).then_some((after, address))
}

/// Words after `H=…`: a reject, a failed connection, or talk.
fn after_fields<'a>(rest: &'a [u8], notice: &mut EximNotice<'a>, odd: &mut Option<Odd<'a>>) {
    let words = match rest {
        [b':', b' ', words @ ..] | [b' ', words @ ..] => words,
        _ => rest,
    };
    let bare = words.strip_prefix(b"temporarily ").unwrap_or(words);
    if let Some(what) = bare.strip_prefix(b"rejected ") {
        rejected(what, notice, odd);
        return;
    }
    if [&b"SMTP error from remote"[..], b"SMTP timeout", b"Remote host "]
        .iter()
        .any(|w| words.starts_with(w))
    {
        notice.kind = EximNoticeKind::RemoteError;
    } else if words.starts_with(b"TLS ") || words.starts_with(b"a TLS session is required") {
        notice.kind = EximNoticeKind::TlsError;
    } else if connection_failed(words) {
        notice.kind = EximNoticeKind::ConnectionFailed;
        notice.reason = words;
        return;
    } else if words.starts_with(b"refused: ") || words.starts_with(b"dropped: ") {
        notice.kind = EximNoticeKind::RejectedConnection;
    } else if let Some(kind) = by_prefix(words) {
        notice.kind = kind;
    }
    notice.reason = match rest {
        [b':', b' ', reason @ ..] => reason,
        _ => after_colon(words),
    };
}

/// What `strerror` says when a connection could not be made, as `smtp.c` prints it after the host.
fn connection_failed(words: &[u8]) -> bool {
    const TEXTS: [&[u8]; 9] = [
        b"Connection refused",
        b"Connection timed out",
        b"Connection reset by peer",
        b"No route to host",
        b"Network is unreachable",
        b"Host is unreachable",
        b"Network is down",
        b"Operation timed out",
        b"Cannot assign requested address",
    ];
    TEXTS.iter().any(|text| words.starts_with(text))
}

/// What follows `rejected `: the command or the stage, and `: reason`.
fn rejected<'a>(what: &'a [u8], notice: &mut EximNotice<'a>, odd: &mut Option<Odd<'a>>) {
    let mut reason_in = what;
    notice.kind = if let Some(place) = what.strip_prefix(b"RCPT") {
        reason_in = recipient(place, notice);
        EximNoticeKind::RejectedRcpt
    } else if let Some(from) = what.strip_prefix(b"from ") {
        if let Ok((after, sender)) = angle(from) {
            notice.sender = Some(sender);
            reason_in = fields(after, notice, odd);
        }
        EximNoticeKind::RejectedMessage
    } else if refuses_connection(what) {
        if let Some(at) = memmem::find(what, b" from H=") {
            reason_in = fields(what.past(at + 6), notice, odd);
        } else if let Some(at) = memmem::find(what, b" from ")
            && let Ok((after, host)) = host(what.past(at + 6))
            && host.ip.is_some()
        {
            notice.host = host;
            reason_in = after;
        }
        EximNoticeKind::RejectedConnection
    } else {
        if let Some(from) = what.strip_prefix(b"MAIL from ") {
            reason_in = fields(from, notice, odd);
        } else if let Some(place @ [b'<', ..]) = what.strip_prefix(b"MAIL FROM:").or(what.strip_prefix(b"MAIL "))
            && let Ok((after, sender)) = angle(place)
        {
            notice.sender = notice.sender.or(Some(sender));
            reason_in = fields(after, notice, odd);
        }
        EximNoticeKind::RejectedMessage
    };
    notice.reason = after_colon(reason_in);
}

/// Stages at which no mail has been offered yet.
fn refuses_connection(what: &[u8]) -> bool {
    const STAGES: [&[u8]; 9] = [
        b"EHLO",
        b"HELO",
        b"VRFY",
        b"EXPN",
        b"ETRN",
        b"AUTH",
        b"STARTTLS",
        b"connection",
        b"\"",
    ];
    STAGES.iter().any(|stage| what.starts_with(stage))
}

/// ` <address>: reason` or, when its syntax was wrong, ` address: reason`.
fn recipient<'a>(place: &'a [u8], notice: &mut EximNotice<'a>) -> &'a [u8] {
    let Some(place) = place.strip_prefix(b" ") else {
        return place;
    };
    if let Ok((after, address)) = angle(place) {
        notice.recipient = Some(address);
        return after;
    }
    let end = colon_space(place).unwrap_or(place.len());
    notice.recipient = Some(place.until(end)).filter(|address| !address.is_empty());
    place.past(end)
}

#[inline]
fn after_colon(words: &[u8]) -> &[u8] {
    colon_space(words).map_or(&b""[..], |at| words.past(at + 2))
}

/// Lines that do not begin with fields.
fn plain<'a>(text: &'a [u8], notice: &mut EximNotice<'a>, odd: &mut Option<Odd<'a>>) {
    let bare = text.strip_prefix(b"temporarily ").unwrap_or(text);
    if let Some(what) = bare.strip_prefix(b"rejected ") {
        rejected(what, notice, odd);
        return;
    }
    if text.starts_with(b"SMTP protocol synchronization error")
        && let Some(at) = memmem::find(text, b": rejected ")
    {
        rejected(text.past(at + 11), notice, odd);
        notice.reason = text.until(at);
        return;
    }
    notice.reason = after_colon(text);
    if let Some(kind) = by_prefix(text) {
        notice.kind = kind;
    } else if memmem::find(text, b" daemon started: ").is_some() && text.starts_with(b"exim ") {
        notice.kind = EximNoticeKind::DaemonStarted;
    } else if memmem::find(text, b"retry timeout exceeded").is_some() {
        notice.kind = EximNoticeKind::RetryNotReached;
    } else if let Some(at) = memmem::find(text, b" refused: ") {
        notice.kind = EximNoticeKind::RejectedConnection;
        notice.reason = text.past(at + 10);
    } else if let Some(at) = memmem::find(text, b" rejected by ") {
        notice.kind = EximNoticeKind::RejectedMessage;
        notice.reason = after_colon(text.past(at));
    }
    if let Some((after, host)) = host_in_words(text) {
        notice.host = host;
        if notice.kind == EximNoticeKind::Chatter {
            let words = after.strip_prefix(b":").unwrap_or(after);
            let words = words.strip_prefix(b" ").unwrap_or(words);
            if connection_failed(words) {
                (notice.kind, notice.reason) = (EximNoticeKind::ConnectionFailed, words);
            }
        }
    }
}

/// Kinds told by how the text begins.
fn by_prefix(text: &[u8]) -> Option<EximNoticeKind> {
    use EximNoticeKind as K;
    const TABLE: [(&[u8], EximNoticeKind); 40] = [
        (b"Message is frozen", K::Frozen),
        (b"Frozen", K::Frozen),
        (b"frozen by ", K::Frozen),
        (b"*** Frozen", K::Frozen),
        (b"Unfrozen by ", K::Unfrozen),
        (b"unfrozen by ", K::Unfrozen),
        (b"*** Unfrozen", K::Unfrozen),
        (b"cancelled by ", K::Removed),
        (b"removed by ", K::Removed),
        (b"Message removed because ", K::Removed),
        (b"Message abandoned: ", K::RejectedMessage),
        // The panic log's: nothing was taken.
        (b"Failed to create spool file ", K::RejectedMessage),
        (b"Failed to open spool file ", K::RejectedMessage),
        (b"retry time not reached ", K::RetryNotReached),
        (b"SMTP error from remote ", K::RemoteError),
        (b"SMTP timeout ", K::RemoteError),
        (b"Remote host ", K::RemoteError),
        (b"Start queue run: ", K::QueueRunStarted),
        (b"Start '", K::QueueRunStarted),
        (b"End queue run: ", K::QueueRunEnded),
        (b"End '", K::QueueRunEnded),
        (b"Abandon queue run: ", K::QueueRunEnded),
        (b"no immediate delivery: ", K::NotImmediate),
        (b"Spool file is locked", K::SpoolLocked),
        (b"Spool file for ", K::SpoolLocked),
        (b"TLS error ", K::TlsError),
        (b"TLS session ", K::TlsError),
        (b"TLS session: ", K::TlsError),
        (b"TLS client ", K::TlsError),
        (b"too many recipients: ", K::RejectedMessage),
        (b"message too big", K::RejectedMessage),
        (b"refused connection from ", K::RejectedConnection),
        (b"refused: ", K::RejectedConnection),
        (b"Connection from ", K::Chatter),
        (b"SMTP call from ", K::RejectedConnection),
        (b"SMTP connection from ", K::Chatter),
        (b"SMTP command timeout ", K::Chatter),
        (b"SMTP data timeout ", K::Chatter),
        (b"no host name found ", K::Chatter),
        (b"unexpected disconnection ", K::Chatter),
    ];
    let first = text.first()?;
    let kind = TABLE
        .iter()
        .find(|(prefix, _)| prefix.first() == Some(first) && text.starts_with(prefix))
        .map(|(_, kind)| *kind)?;
    match kind {
        // `Connection from [ip] refused: too many connections`
        K::Chatter if memmem::find(text, b" refused: ").is_some() => None,
        kind => Some(kind),
    }
}

/// `… from H=host`, `… from host [ip]`, `… host name [ip]`, ` H=host [ip]` within the words.
fn host_in_words(text: &[u8]) -> Option<(&[u8], EximHost<'_>)> {
    let bracket = memchr(b'[', text)?;
    let before = text.until(bracket);
    for lead in [&b" H="[..], b" from ", b" host ", b" to ", b" on "] {
        if let Some(at) = memmem::find(before, lead)
            && let Ok((after, host)) = host(text.past(at + lead.len()))
            && host.ip.is_some()
        {
            return Some((after, host));
        }
    }
    // `mx.example.org [192.0.2.1] Connection refused` of older releases.
    host(text).ok().filter(|(_, host)| host.ip.is_some())
}

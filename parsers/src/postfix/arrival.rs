//! A message's way into the queue: smtpd's `client=`, pickup's `uid=`, cleanup's `message-id=`, qmgr's `from=`.

use super::field::{any_address, host, key_length, leave_out, next_field, value};
use super::record::{Cleanup, Client, Expired, Pickup, PostfixBody, PostfixHost, QueueActive};
use crate::cut::Cut;
use crate::odd::{self, Odd};
use crate::prim::{Parsed, decimal, fail, word};
use memchr::memmem;

/// After `client=`.
pub(super) fn client<'a>(input: &'a [u8], odd: &mut Option<Odd<'a>>) -> Parsed<'a, PostfixBody<'a>> {
    let (mut rest, host) = any_host(input, "client", odd);
    let mut client = Client {
        host,
        ..Client::default()
    };
    while !rest.is_empty() {
        let (token, key) = match rest {
            [b',', b' ', token @ ..] if let Some(key) = key_length(token) => (token, key),
            _ => {
                // At least a byte further, or it would be the same place again.
                odd::note(odd, "client", rest);
                rest = next_field(rest.past(1));
                continue;
            }
        };
        let text = token.past(key + 1);
        if token.until(key) == b"orig_client" {
            let (after, host) = any_host(text, "orig_client", odd);
            (client.orig_client, rest) = (Some(host), after);
            continue;
        }
        let (after, text) = client_value(text);
        rest = after;
        match token.until(key) {
            b"sasl_method" => client.sasl_method = Some(text),
            b"sasl_username" => client.sasl_username = Some(text),
            b"sasl_sender" => client.sasl_sender = Some(text),
            b"orig_queue_id" => client.orig_queue_id = Some(text),
            _ => {}
        }
    }
    Ok((rest, PostfixBody::Client(client)))
}

/// A host, or what cannot be read as one, up to the next field.
fn any_host<'a>(input: &'a [u8], field: &'static str, odd: &mut Option<Odd<'a>>) -> (&'a [u8], PostfixHost<'a>) {
    if let Ok((rest @ ([] | [b',', ..]), host)) = host(input) {
        return (rest, host);
    }
    let rest = next_field(input);
    odd::note(odd, field, input.until(input.len() - rest.len()));
    (rest, PostfixHost::default())
}

/// A value up to the next `, sasl_…=` or `, orig_…=`: a user name may hold a comma.
fn client_value(input: &[u8]) -> (&[u8], &[u8]) {
    let end = memmem::find_iter(input, b", ")
        .find(|at| {
            let next = input.past(at + 2);
            (next.starts_with(b"sasl_") || next.starts_with(b"orig_")) && key_length(next).is_some()
        })
        .unwrap_or(input.len());
    (input.past(end), input.until(end))
}

/// After `uid=`.
pub(super) fn pickup<'a>(input: &'a [u8], odd: &mut Option<Odd<'a>>) -> Parsed<'a, PostfixBody<'a>> {
    let (rest, uid) = match decimal(input) {
        Ok((rest @ [b' ', ..], uid)) => (rest, Some(uid)),
        _ => {
            let (rest, text) = word(input)?;
            odd::note(odd, "uid", text);
            (rest, None)
        }
    };
    let Some(from) = rest.strip_prefix(b" from=") else {
        return fail(rest, "` from=`");
    };
    let (rest, sender) = any_address(from, "from", odd)?;
    let orig_id = match rest.strip_prefix(b" orig_id=") {
        Some(id) => Some(word(id)?.1),
        None => {
            if !rest.is_empty() {
                odd::note(odd, "orig_id", rest);
            }
            None
        }
    };
    Ok((&[], PostfixBody::Pickup(Pickup { uid, sender, orig_id })))
}

/// After `message-id=`. A header is the client's text: without angle brackets it stays as it is, and may be empty.
#[inline]
pub(super) fn message_id(input: &[u8], resent: bool) -> Parsed<'_, PostfixBody<'_>> {
    let bare = input.strip_prefix(b"<").and_then(|id| id.strip_suffix(b">"));
    let message_id = bare.unwrap_or(input);
    Ok((&[], PostfixBody::Cleanup(Cleanup { message_id, resent })))
}

/// After `from=`: qmgr's word that a message is active, or has expired.
#[inline]
pub(super) fn from<'a>(input: &'a [u8], odd: &mut Option<Odd<'a>>) -> Parsed<'a, PostfixBody<'a>> {
    let (rest, sender) = any_address(input, "from", odd)?;
    if let Some(status) = rest.strip_prefix(b", status=") {
        return expired(status, sender, odd);
    }
    if !rest.starts_with(b", size=") && !rest.starts_with(b", nrcpt=") {
        return fail(rest, "`, size=` or `, status=`");
    }
    let mut active = QueueActive {
        sender,
        size: None,
        nrcpt: None,
    };
    let mut rest = rest;
    while let [b',', b' ', token @ ..] = rest {
        let read = match token {
            [b's', b'i', b'z', b'e', b'=', text @ ..] => decimal(text).map(|(rest, size)| {
                active.size = Some(size);
                rest
            }),
            [b'n', b'r', b'c', b'p', b't', b'=', text @ ..] => decimal(text).map(|(rest, nrcpt)| {
                active.nrcpt = Some(nrcpt);
                rest
            }),
            _ => fail::<()>(token, "a field").map(|(rest, ())| rest),
        };
        rest = match read {
            Ok(after @ ([] | [b',', b' ', ..])) => after,
            Ok(after @ b" (queue active)") => after,
            _ => leave_out(token, odd),
        };
    }
    if rest != b" (queue active)" && odd.is_none() {
        odd::note(odd, "other", rest);
    }
    Ok((&[], PostfixBody::QueueActive(active)))
}

fn expired<'a>(input: &'a [u8], sender: &'a [u8], odd: &mut Option<Odd<'a>>) -> Parsed<'a, PostfixBody<'a>> {
    let (rest, status) = value(input);
    let forced = match status {
        b"expired" => false,
        b"force-expired" => true,
        _ => return fail(input, "`expired` or `force-expired`"),
    };
    if !matches!(rest, b"" | b", returned to sender") {
        odd::note(odd, "other", rest);
    }
    Ok((&[], PostfixBody::Expired(Expired { sender, forced })))
}

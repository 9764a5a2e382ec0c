//! A message's way into the queue: smtpd's `client=`, pickup's `uid=`, cleanup's `message-id=`, qmgr's `from=`.

use super::field::{address, host, key_length, value};
use super::record::{Body, Cleanup, Client, Expired, Pickup, QueueActive};
use crate::prim::{Parsed, decimal, fail, word};
use memchr::memmem;

/// After `client=`.
pub(super) fn client(input: &[u8]) -> Parsed<'_, Body<'_>> {
    let (mut rest, host) = self::host(input)?;
    let mut client = Client {
        host,
        ..Client::default()
    };
    while !rest.is_empty() {
        let [b',', b' ', token @ ..] = rest else {
            return fail(rest, "`, ` and the next field");
        };
        let Some(key) = key_length(token) else {
            return fail(token, "a field (key=value)");
        };
        let text = &token[key + 1..];
        if &token[..key] == b"orig_client" {
            let (after, host) = self::host(text)?;
            (client.orig_client, rest) = (Some(host), after);
            continue;
        }
        let (after, text) = client_value(text);
        rest = after;
        match &token[..key] {
            b"sasl_method" => client.sasl_method = Some(text),
            b"sasl_username" => client.sasl_username = Some(text),
            b"sasl_sender" => client.sasl_sender = Some(text),
            b"orig_queue_id" => client.orig_queue_id = Some(text),
            _ => {}
        }
    }
    Ok((rest, Body::Client(client)))
}

/// A value up to the next `, sasl_…=` or `, orig_…=`: a user name may hold a comma.
fn client_value(input: &[u8]) -> (&[u8], &[u8]) {
    let end = memmem::find_iter(input, b", ")
        .find(|at| {
            let next = &input[at + 2..];
            (next.starts_with(b"sasl_") || next.starts_with(b"orig_")) && key_length(next).is_some()
        })
        .unwrap_or(input.len());
    (&input[end..], &input[..end])
}

/// After `uid=`.
pub(super) fn pickup(input: &[u8]) -> Parsed<'_, Body<'_>> {
    let (rest, uid) = decimal(input)?;
    let Some(from) = rest.strip_prefix(b" from=") else {
        return fail(rest, "` from=`");
    };
    let (rest, sender) = address(from)?;
    let orig_id = match rest {
        [] => None,
        _ => match rest.strip_prefix(b" orig_id=") {
            Some(id) => Some(word(id)?.1),
            None => return fail(rest, "` orig_id=` or the end of the line"),
        },
    };
    Ok((&[], Body::Pickup(Pickup { uid, sender, orig_id })))
}

/// After `message-id=`. A header is the client's text: without angle brackets it stays as it is, and may be empty.
#[inline]
pub(super) fn message_id(input: &[u8], resent: bool) -> Parsed<'_, Body<'_>> {
    let bare = input.strip_prefix(b"<").and_then(|id| id.strip_suffix(b">"));
    let message_id = bare.unwrap_or(input);
    Ok((&[], Body::Cleanup(Cleanup { message_id, resent })))
}

/// After `from=`: qmgr's word that a message is active, or has expired.
#[inline]
pub(super) fn from(input: &[u8]) -> Parsed<'_, Body<'_>> {
    let (rest, sender) = address(input)?;
    if let Some(status) = rest.strip_prefix(b", status=") {
        return expired(status, sender);
    }
    let Some(size) = rest.strip_prefix(b", size=") else {
        return fail(rest, "`, size=` or `, status=`");
    };
    let (rest, size) = decimal(size)?;
    let Some(nrcpt) = rest.strip_prefix(b", nrcpt=") else {
        return fail(rest, "`, nrcpt=`");
    };
    let (rest, nrcpt) = decimal(nrcpt)?;
    match rest {
        b" (queue active)" => Ok((&[], Body::QueueActive(QueueActive { sender, size, nrcpt }))),
        _ => fail(rest, "` (queue active)`"),
    }
}

fn expired<'a>(input: &'a [u8], sender: &'a [u8]) -> Parsed<'a, Body<'a>> {
    let (rest, status) = value(input);
    let forced = match status {
        b"expired" => false,
        b"force-expired" => true,
        _ => return fail(input, "`expired` or `force-expired`"),
    };
    match rest {
        b"" | b", returned to sender" => Ok((&[], Body::Expired(Expired { sender, forced }))),
        _ => fail(rest, "`, returned to sender`"),
    }
}

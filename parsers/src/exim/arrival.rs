//! `<=` and `(=`: what `receive.c` prints when a message has arrived.

use super::address::sender;
use super::field::{bracketed, keep, key_length, leave_out, size, skip_token, skip_word, text_value, usual};
use super::host::host_into;
use super::message_id::message_id;
use super::record::{Arrival, EximBody, EximHost};
use crate::cut::Cut;
use crate::odd::Odd;
use crate::prim::{Parsed, duration_ms, fail, long_address_end, word};
use memchr::memchr;

/// Everything after the flag, into `body`.
pub(super) fn arrival<'a>(
    input: &'a [u8],
    fakereject: bool,
    body: &mut EximBody<'a>,
    odd: &mut Option<Odd<'a>>,
) -> Parsed<'a, ()> {
    let [b' ', input @ ..] = input else {
        return fail(input, "a space and the sender's address");
    };
    let (mut rest, sender) = sender(input)?;
    *body = EximBody::Arrival(Arrival {
        fakereject,
        sender,
        ..Arrival::default()
    });
    let EximBody::Arrival(arrival) = body else {
        unreachable!("it was put there")
    };
    rest = usual_fields(rest, arrival);
    let mut left_out = |token| {
        let after = leave_out(token, odd);
        after.strip_prefix(b":").unwrap_or(after)
    };
    let mut last = None;
    loop {
        rest = match (rest, last.take()) {
            ([b' ', token @ ..], _) => match field(token, arrival) {
                Ok((after, ())) => {
                    last = Some(token);
                    after
                }
                Err(_) => {
                    if token.starts_with(b"H=") {
                        arrival.host = EximHost::default();
                    }
                    left_out(token)
                }
            },
            // Something touches the field.
            ([_, ..], Some(token)) => left_out(token),
            _ => return Ok((rest, ())),
        };
    }
}

/// The fields of most arrivals, in the order of `receive.c`.
#[inline]
fn usual_fields<'a>(rest: &'a [u8], arrival: &mut Arrival<'a>) -> &'a [u8] {
    let rest = usual(rest, b" H=", |text| host_into(text, &mut arrival.host));
    let rest = usual(rest, b" I=", skip_word);
    let rest = usual(rest, b" U=", |text| Ok(keep(word(text)?, &mut arrival.user)));
    let rest = usual(rest, b" P=", |text| Ok(keep(word(text)?, &mut arrival.protocol)));
    let rest = usual(rest, b" X=", |text| Ok(keep(word(text)?, &mut arrival.tls)));
    let rest = usual(rest, b" CV=", skip_word);
    let rest = usual(rest, b" S=", |text| Ok(keep(size(text)?, &mut arrival.size)));
    usual(rest, b" id=", |text| keep_message_id(text, arrival))
}

/// One field, bare word or tail; the rest begins with a space or is empty.
#[inline]
fn field<'a>(token: &'a [u8], arrival: &mut Arrival<'a>) -> Parsed<'a, ()> {
    match token {
        [b'H', b'=', value @ ..] => host_into(value, &mut arrival.host),
        [b'P', b'=', value @ ..] => Ok(keep(word(value)?, &mut arrival.protocol)),
        [b'X', b'=', value @ ..] => Ok(keep(word(value)?, &mut arrival.tls)),
        [b'U', b'=', value @ ..] => Ok(keep(word(value)?, &mut arrival.user)),
        [b'S', b'=', value @ ..] => Ok(keep(size(value)?, &mut arrival.size)),
        [b'i', b'd', b'=', value @ ..] | [b'i', b'd', b'*', b'=', value @ ..] => keep_message_id(value, arrival),
        [b'R', b'=', value @ ..] => match message_id(value) {
            Some((rest, id)) => {
                arrival.bounced = Some(id);
                Ok((rest, ()))
            }
            None => fail(value, "the ID of the bounced message"),
        },
        [b'T', b'=', value @ ..] => Ok(keep(text_value(value)?, &mut arrival.subject)),
        [b'R', b'T', b'=', value @ ..] => Ok(keep(duration_ms(value)?, &mut arrival.receive_ms)),
        [b'A', b'=', value @ ..] => authenticated(value, arrival),
        [b'f', b'r', b'o', b'm', b' ', address @ ..] if address.first() == Some(&b'<') => {
            Ok(keep(bracketed(address)?, &mut arrival.original_sender))
        }
        [b'f', b'o', b'r', b' ', recipients @ ..] => {
            arrival.recipients = Some(recipients);
            Ok((&[], ()))
        }
        _ => skip_token(token),
    }
}

/// `id=` of the header: a quoted part of it may hold a space.
#[inline]
fn keep_message_id<'a>(input: &'a [u8], arrival: &mut Arrival<'a>) -> Parsed<'a, ()> {
    let end = long_address_end(input, b' ').unwrap_or(input.len());
    arrival.message_id = Some(input.until(end));
    Ok((input.past(end), ()))
}

/// `A=authenticator[:id[:sender]]`. The id is the client's and may hold a colon or a space: the part after its last
/// colon is a sender only if it looks like an address, and words that are no field still belong to it.
fn authenticated<'a>(input: &'a [u8], arrival: &mut Arrival<'a>) -> Parsed<'a, ()> {
    let (mut rest, _) = word(input)?;
    while let [b' ', next @ ..] = rest
        && !next.is_empty()
        && key_length(next).is_none()
        && !super::field::is_bare(word(next)?.1)
        && !next.starts_with(b"from <")
        && !next.starts_with(b"for ")
    {
        rest = word(next)?.0;
    }
    let value = input.until(input.len() - rest.len());
    let Some(colon) = memchr(b':', value) else {
        arrival.authenticator = Some(value);
        return Ok((rest, ()));
    };
    let (name, mut id) = (value.until(colon), value.past(colon + 1));
    if let Some(last) = memchr::memrchr(b':', id)
        && (memchr(b'@', id.past(last + 1)).is_some() || id.past(last + 1) == b"<>")
    {
        id = id.until(last);
    }
    arrival.authenticator = Some(name);
    arrival.authenticated_id = Some(id);
    Ok((rest, ()))
}

//! `to=<>, relay=, delay=, delays=, dsn=, status= (text)`: what `log_adhoc()` prints for every attempt.

use super::field::{address, any_address, host, key_length, leave_out, next_field, seconds_ms, value};
use super::program::Program;
use super::queue_id::leading;
use super::record::{Destination, PostfixBody, PostfixDelivery, PostfixHost, Status};
use crate::cut::Cut;
use crate::odd::{self, Odd};
use crate::prim::{Parsed, decimal, fail};
use crate::reply::Enhanced;
use memchr::{memchr, memmem};

/// After `to=`. Recipient and status decide; what is odd among the others is left out.
#[inline]
pub(super) fn delivery<'a>(
    input: &'a [u8],
    program: Program,
    odd: &mut Option<Odd<'a>>,
) -> Parsed<'a, PostfixBody<'a>> {
    let (mut rest, recipient) = any_address(input, "to", odd)?;
    let mut delivery = blank(recipient);
    loop {
        let token = match rest {
            [b',', b' ', token @ ..] => token,
            _ => match next_field(rest) {
                [_, _, token @ ..] => {
                    odd::note(odd, "other", rest.until(rest.len() - token.len() - 2));
                    token
                }
                _ => return fail(rest, "`, ` and the next field"),
            },
        };
        if let [b's', b't', b'a', b't', b'u', b's', b'=', text @ ..] = token {
            status(text, program, &mut delivery, odd)?;
            return Ok((&[], PostfixBody::Delivery(delivery)));
        }
        rest = match field(token, &mut delivery) {
            Ok((after @ ([] | [b',', b' ', ..]), ())) => after,
            _ => leave_out(token, odd),
        };
    }
}

/// One field before the status.
#[inline(always)]
fn field<'a>(token: &'a [u8], delivery: &mut PostfixDelivery<'a>) -> Parsed<'a, ()> {
    match token {
        [b'd', b'e', b'l', b'a', b'y', b's', b'=', text @ ..] => delays(text, delivery),
        [b'd', b'e', b'l', b'a', b'y', b'=', text @ ..] => {
            let (after, ms) = seconds_ms(text)?;
            delivery.delay_ms = Some(ms);
            Ok((after, ()))
        }
        [b'd', b's', b'n', b'=', text @ ..] => {
            let (after, dsn) = enhanced(text)?;
            delivery.dsn = Some(dsn);
            Ok((after, ()))
        }
        [b'r', b'e', b'l', b'a', b'y', b'=', text @ ..] => {
            let (after, host) = host(text)?;
            if host.name != Some(b"none") {
                delivery.relay = host;
            }
            Ok((after, ()))
        }
        [b'o', b'r', b'i', b'g', b'_', b't', b'o', b'=', text @ ..] => {
            let (after, orig) = address(text)?;
            delivery.orig_to = Some(orig);
            Ok((after, ()))
        }
        [b'c', b'o', b'n', b'n', b'_', b'u', b's', b'e', b'=', text @ ..] => {
            let (after, uses) = decimal(text)?;
            delivery.conn_use = Some(uses);
            Ok((after, ()))
        }
        // A field of a later release is walked over.
        _ => match key_length(token) {
            Some(key) => Ok((value(token.past(key)).0, ())),
            None => fail(token, "a field (key=value)"),
        },
    }
}

#[inline]
fn blank(recipient: &[u8]) -> PostfixDelivery<'_> {
    PostfixDelivery {
        recipient,
        orig_to: None,
        relay: PostfixHost::default(),
        conn_use: None,
        delay_ms: None,
        delays_ms: None,
        dsn: None,
        status: Status::Sent,
        destination: Destination::None,
        text: b"",
        next_queue_id: None,
    }
}

/// `a/b/c/d` in seconds.
#[inline]
fn delays<'a>(input: &'a [u8], delivery: &mut PostfixDelivery<'a>) -> Parsed<'a, ()> {
    let mut rest = input;
    let mut delays_ms = [0; 4];
    for (at, slot) in delays_ms.iter_mut().enumerate() {
        if at > 0 {
            let [b'/', next @ ..] = rest else {
                return fail(rest, "`/` and the next delay");
            };
            rest = next;
        }
        (rest, *slot) = seconds_ms(rest)?;
    }
    delivery.delays_ms = Some(delays_ms);
    Ok((rest, ()))
}

/// `2.0.0`.
#[inline]
fn enhanced(input: &[u8]) -> Parsed<'_, Enhanced> {
    let [class @ b'0'..=b'9', b'.', rest @ ..] = input else {
        return fail(input, "an enhanced status code");
    };
    let (rest, subject) = decimal(rest)?;
    let Some(rest) = rest.strip_prefix(b".") else {
        return fail(rest, "`.` and the detail");
    };
    let (rest, detail) = decimal(rest)?;
    if subject > 999 || detail > 999 {
        return fail(input, "an enhanced status code");
    }
    Ok((
        rest,
        Enhanced {
            class: class - b'0',
            subject: subject as u16,
            detail: detail as u16,
        },
    ))
}

/// After `status=`: the word, and the text in parentheses up to the end. A line that was cut has no closing one.
#[inline]
fn status<'a>(
    input: &'a [u8],
    program: Program,
    delivery: &mut PostfixDelivery<'a>,
    odd: &mut Option<Odd<'a>>,
) -> Parsed<'a, ()> {
    let end = memchr(b' ', input).unwrap_or(input.len());
    delivery.status = match input.until(end) {
        b"sent" => Status::Sent,
        b"deferred" => Status::Deferred,
        b"bounced" => Status::Bounced,
        b"SOFTBOUNCE" => Status::SoftBounce,
        b"expired" => Status::Expired,
        b"deliverable" | b"deliverable-but-not-cached" => Status::Deliverable,
        b"undeliverable" | b"undeliverable-but-not-cached" => Status::Undeliverable,
        _ => return fail(input, "a status (sent, deferred, bounced, …)"),
    };
    delivery.text = match input.past(end) {
        [b' ', b'(', text @ ..] => text.strip_suffix(b")").unwrap_or(text),
        text => {
            odd::note(odd, "text", text);
            text.trim_ascii()
        }
    };
    delivery.destination = destination(program, delivery.status, delivery.text);
    if delivery.status == Status::Sent {
        delivery.next_queue_id = next_queue_id(delivery.text, delivery.destination);
    }
    Ok((&[], ()))
}

/// The words of `local/` and `virtual/`: they print them only for what they did themselves.
#[inline]
fn destination(program: Program, status: Status, text: &[u8]) -> Destination {
    match program {
        Program::Smtp => Destination::Remote,
        Program::Lmtp => Destination::Lmtp,
        Program::Pipe => Destination::Pipe,
        Program::Discard if status == Status::Sent => Destination::Discarded,
        Program::Local | Program::Virtual => {
            let what = text.strip_prefix(b"delivered to ").unwrap_or(b"");
            if what.starts_with(b"command") {
                Destination::Command
            } else if what.starts_with(b"file") {
                Destination::File
            } else if what.starts_with(b"maildir") {
                Destination::Maildir
            } else if text.starts_with(b"forwarded as ") {
                Destination::Forwarded
            } else {
                Destination::Mailbox
            }
        }
        _ => Destination::None,
    }
}

/// `queued as ID` of Postfix, `250 OK id=ID` of Exim, `forwarded as ID` of local.
#[inline]
fn next_queue_id(text: &[u8], destination: Destination) -> Option<&[u8]> {
    match destination {
        Destination::Forwarded => leading(text.past(b"forwarded as ".len())),
        Destination::Remote | Destination::Lmtp => {
            // The last one: a content filter's reply quotes that of the server behind it.
            let at = match memmem::rfind(text, b"queued as ") {
                Some(at) => at + b"queued as ".len(),
                None => memmem::find(text, b" OK id=")? + b" OK id=".len(),
            };
            leading(text.past(at))
        }
        _ => None,
    }
}

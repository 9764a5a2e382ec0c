//! `to=<>, relay=, delay=, delays=, dsn=, status= (text)`: what `log_adhoc()` prints for every attempt.

use super::field::{address, host, key_length, seconds_ms, value};
use super::program::Program;
use super::queue_id::leading;
use super::record::{Body, Delivery, Destination, Host, Status};
use crate::prim::{Parsed, decimal, fail};
use crate::reply::Enhanced;
use memchr::{memchr, memmem};

/// After `to=`.
#[inline]
pub(super) fn delivery(input: &[u8], program: Program) -> Parsed<'_, Body<'_>> {
    let (mut rest, recipient) = address(input)?;
    let mut delivery = blank(recipient);
    let (mut relay, mut delay) = (false, false);
    loop {
        let [b',', b' ', token @ ..] = rest else {
            return fail(rest, "`, ` and the next field");
        };
        rest = match token {
            [b's', b't', b'a', b't', b'u', b's', b'=', text @ ..] => {
                if !relay || !delay {
                    return fail(
                        token,
                        if relay {
                            "`delay=` before the status"
                        } else {
                            "`relay=` before the status"
                        },
                    );
                }
                status(text, program, &mut delivery)?;
                return Ok((&[], Body::Delivery(delivery)));
            }
            [b'd', b'e', b'l', b'a', b'y', b's', b'=', text @ ..] => delays(text, &mut delivery)?.0,
            [b'd', b'e', b'l', b'a', b'y', b'=', text @ ..] => {
                let (after, ms) = seconds_ms(text)?;
                (delivery.delay_ms, delay) = (ms, true);
                after
            }
            [b'd', b's', b'n', b'=', text @ ..] => {
                let (after, dsn) = enhanced(text)?;
                delivery.dsn = Some(dsn);
                after
            }
            [b'r', b'e', b'l', b'a', b'y', b'=', text @ ..] => {
                let (after, host) = host(text)?;
                delivery.relay = if host.name == Some(b"none") {
                    Host::default()
                } else {
                    host
                };
                relay = true;
                after
            }
            [b'o', b'r', b'i', b'g', b'_', b't', b'o', b'=', text @ ..] => {
                let (after, orig) = address(text)?;
                delivery.orig_to = Some(orig);
                after
            }
            [b'c', b'o', b'n', b'n', b'_', b'u', b's', b'e', b'=', text @ ..] => {
                let (after, uses) = decimal(text)?;
                delivery.conn_use = Some(uses);
                after
            }
            // A field of a later release is walked over.
            _ => match key_length(token) {
                Some(key) => value(&token[key..]).0,
                None => return fail(token, "a field (key=value)"),
            },
        };
    }
}

#[inline]
fn blank(recipient: &[u8]) -> Delivery<'_> {
    Delivery {
        recipient,
        orig_to: None,
        relay: Host::default(),
        conn_use: None,
        delay_ms: 0,
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
fn delays<'a>(input: &'a [u8], delivery: &mut Delivery<'a>) -> Parsed<'a, ()> {
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
fn status<'a>(input: &'a [u8], program: Program, delivery: &mut Delivery<'a>) -> Parsed<'a, ()> {
    let end = memchr(b' ', input).unwrap_or(input.len());
    delivery.status = match &input[..end] {
        b"sent" => Status::Sent,
        b"deferred" => Status::Deferred,
        b"bounced" => Status::Bounced,
        b"SOFTBOUNCE" => Status::SoftBounce,
        b"expired" => Status::Expired,
        b"deliverable" => Status::Deliverable,
        b"undeliverable" => Status::Undeliverable,
        _ => return fail(input, "a status (sent, deferred, bounced, …)"),
    };
    let [b' ', b'(', text @ ..] = &input[end..] else {
        return fail(&input[end..], "` (` and the text");
    };
    delivery.text = text.strip_suffix(b")").unwrap_or(text);
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
        Destination::Forwarded => leading(&text[b"forwarded as ".len()..]),
        Destination::Remote | Destination::Lmtp => {
            // The last one: a content filter's reply quotes that of the server behind it.
            let at = match memmem::rfind(text, b"queued as ") {
                Some(at) => at + b"queued as ".len(),
                None => memmem::find(text, b" OK id=")? + b" OK id=".len(),
            };
            leading(&text[at..])
        }
        _ => None,
    }
}

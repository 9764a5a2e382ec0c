//! `=>`, `->`, `>>`, `*>`, `**`, `==`: what `delivery_log()`, `failure_log()` and `deferral_log()` of `deliver.c` print.

use super::address::{Address, address, discarded};
use super::field::{
    bracketed, is_bare, is_field, keep, leave_out, size, skip_token, skip_value, skip_word, text_value, usual, value,
};
use super::host::{host, host_into};
use super::record::{EximBody, EximDelivery, EximHost, Flag, Target};
use crate::cut::Cut;
use crate::odd::{self, Odd};
use crate::prim::{Parsed, colon_space, duration_ms, fail, signed, word};
use memchr::{memmem, memrchr};
use nom::bytes::complete::tag;
use nom::combinator::opt;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

/// Everything after the flag, into `body`.
pub(super) fn delivery<'a>(
    input: &'a [u8],
    flag: Flag,
    body: &mut EximBody<'a>,
    odd: &mut Option<Odd<'a>>,
) -> Parsed<'a, ()> {
    let [b' ', after @ ..] = input else {
        return fail(input, "a space and the address");
    };
    let mut input = after;
    // `->` is printed with one space or two.
    while let [b' ', more @ ..] = input {
        input = more;
    }
    *body = EximBody::Delivery(blank(flag));
    let EximBody::Delivery(delivery) = body else {
        unreachable!("it was put there")
    };
    if let Some((name, text)) = discarded(input) {
        delivery.target = Target::Blackhole;
        delivery.address = name;
        delivery.text = Some(text);
        return Ok((&[], ()));
    }
    let (
        rest,
        Address {
            target,
            address,
            original,
        },
    ) = address(input)?;
    delivery.target = target;
    delivery.address = address;
    delivery.original = original;
    // An original address without its end, or something that touches the address.
    let rest = match rest {
        [] | [b':', ..] => rest,
        [b' ', tail @ ..] if tail.first() == Some(&b'<') => leave_out(tail, odd),
        [b' ', ..] => rest,
        _ => leave_out(rest, odd),
    };
    let rest = fields(usual_fields(rest, delivery), delivery, odd);
    match flag {
        Flag::Deferred => deferral(rest, delivery, odd),
        _ => text(rest, delivery, odd),
    }
    Ok((&[], ()))
}

#[inline]
fn blank<'a>(flag: Flag) -> EximDelivery<'a> {
    EximDelivery {
        flag,
        target: Target::Address,
        address: b"",
        original: None,
        sender: None,
        return_path: None,
        router: None,
        transport: None,
        host: EximHost::default(),
        size: None,
        confirmation: None,
        queue_ms: None,
        delivery_ms: None,
        tls: None,
        errno: None,
        text: None,
    }
}

/// The fields of most deliveries, in the order of `delivery_log()`.
#[inline]
fn usual_fields<'a>(rest: &'a [u8], delivery: &mut EximDelivery<'a>) -> &'a [u8] {
    if matches!(delivery.flag, Flag::Failed | Flag::Deferred) {
        return rest;
    }
    let rest = usual(rest, b" R=", |text| Ok(keep(value(text)?, &mut delivery.router)));
    let rest = usual(rest, b" T=", |text| Ok(keep(value(text)?, &mut delivery.transport)));
    let rest = usual(rest, b" S=", |text| Ok(keep(size(text)?, &mut delivery.size)));
    let rest = usual(rest, b" H=", |text| host_into(text, &mut delivery.host));
    let rest = usual(rest, b" X=", |text| Ok(keep(value(text)?, &mut delivery.tls)));
    let rest = usual(rest, b" CV=", skip_word);
    let rest = usual(rest, b" DN=", skip_value);
    let rest = usual(rest, b" C=", |text| {
        Ok(keep(text_value(text)?, &mut delivery.confirmation))
    });
    let rest = usual(rest, b" QT=", |text| {
        Ok(keep(duration_ms(text)?, &mut delivery.queue_ms))
    });
    usual(rest, b" DT=", |text| {
        Ok(keep(duration_ms(text)?, &mut delivery.delivery_ms))
    })
}

/// Fields up to the text: stops before `:`, before the words of a failure or deferral, and at the end.
#[inline]
fn fields<'a>(mut rest: &'a [u8], delivery: &mut EximDelivery<'a>, odd: &mut Option<Odd<'a>>) -> &'a [u8] {
    let mut last = rest;
    loop {
        match rest {
            [b' ', token @ ..] => {
                let begins_text = match token {
                    [b':', b' ', ..] => true,
                    [b'd', b'e', b'f', b'e', b'r', b' ', b'(', ..] => delivery.flag == Flag::Deferred,
                    _ => false,
                };
                if begins_text {
                    return token;
                }
                last = token;
                rest = match field(token, delivery) {
                    Ok((after, true)) => after,
                    Ok((_, false)) => return token,
                    Err(_) => {
                        if token.starts_with(b"H=") {
                            delivery.host = EximHost::default();
                        }
                        leave_out(token, odd)
                    }
                };
            }
            [] | [b':', ..] => return rest,
            // Something touches the field.
            _ => {
                let after = leave_out(last, odd);
                let ([] | [b' ' | b':', ..]) = after else { return after };
                rest = after;
            }
        }
    }
}

/// One field; `false` if what stands here is the text of a failure or deferral. A line has nine: a call of each is
/// a quarter of its cost.
#[inline(always)]
fn field<'a>(token: &'a [u8], delivery: &mut EximDelivery<'a>) -> Parsed<'a, bool> {
    let (rest, ()) = match token {
        [b'R', b'=', text @ ..] => keep(value(text)?, &mut delivery.router),
        [b'T', b'=', text @ ..] => keep(value(text)?, &mut delivery.transport),
        [b'X', b'=', text @ ..] => keep(value(text)?, &mut delivery.tls),
        [b'C', b'=', text @ ..] => keep(text_value(text)?, &mut delivery.confirmation),
        [b'F', b'=', text @ ..] if text.first() == Some(&b'<') => keep(bracketed(text)?, &mut delivery.sender),
        [b'P', b'=', text @ ..] if text.first() == Some(&b'<') => keep(bracketed(text)?, &mut delivery.return_path),
        [b'H', b'=', text @ ..] => host_into(text, &mut delivery.host)?,
        [b'S', b'=', text @ ..] => keep(size(text)?, &mut delivery.size),
        [b'D', b'T', b'=', text @ ..] => keep(duration_ms(text)?, &mut delivery.delivery_ms),
        [b'Q', b'T', b'=', text @ ..] => keep(duration_ms(text)?, &mut delivery.queue_ms),
        [b'S', b'T', b'=', text @ ..] => shadow(text),
        _ if delivery.flag == Flag::Failed || delivery.flag == Flag::Deferred => {
            if !is_field(token) && !is_bare(word(token)?.1) {
                return Ok((token, false));
            }
            before_colon(token, skip_token(token)?.0)
        }
        _ => skip_token(token)?,
    };
    Ok((rest, true))
}

/// A field that nobody keeps may still be the last one before `: text`.
#[inline]
fn before_colon<'a>(token: &'a [u8], rest: &'a [u8]) -> (&'a [u8], ()) {
    match token.until(token.len() - rest.len()) {
        [field @ .., b':'] if !rest.is_empty() => (token.past(field.len()), ()),
        _ => (rest, ()),
    }
}

/// `ST=name` or `ST=name (what went wrong)`: the shadow transport.
fn shadow(input: &[u8]) -> (&[u8], ()) {
    let name_end = memchr::memchr(b' ', input).unwrap_or(input.len());
    if let [b' ', b'(', trouble @ ..] = input.past(name_end)
        && let Some(close) = memchr::memchr(b')', trouble)
    {
        return (trouble.past(close + 1), ());
    }
    (input.past(name_end), ())
}

/// The text of a failure, after `: `, ` : ` or a bare space; a delivery may have one too (a note of the transport).
fn text<'a>(rest: &'a [u8], delivery: &mut EximDelivery<'a>, odd: &mut Option<Odd<'a>>) {
    let text = match rest {
        [] | [b':'] => return,
        [b':', b' ', text @ ..] => text,
        [first, ..] if delivery.flag == Flag::Failed && !b"\"<>)]:".contains(first) => rest,
        _ => {
            odd::note(odd, "text", rest);
            rest.strip_prefix(b":").unwrap_or(rest)
        }
    };
    let text = cut_delivery_time(text, delivery);
    delivery.text = Some(text);
    host_in_text(text, delivery);
}

/// `failure_log()` prints ` DT=` *behind* the text.
fn cut_delivery_time<'a>(text: &'a [u8], delivery: &mut EximDelivery<'a>) -> &'a [u8] {
    let tail = text.len().saturating_sub(32);
    if let Some(space) = memrchr(b' ', text.past(tail))
        && let Some(time) = text.past(tail + space + 1).strip_prefix(b"DT=")
        && let Ok(([], ms)) = duration_ms(time)
    {
        delivery.delivery_ms = Some(ms);
        return text.until(tail + space);
    }
    text
}

/// `defer (errno)[: strerror][ H=host [ip]:port][ DT=time][: text]`, or words before it (`routing`).
fn deferral<'a>(rest: &'a [u8], delivery: &mut EximDelivery<'a>, odd: &mut Option<Odd<'a>>) {
    // Exim puts it directly after the fields; anything between is read over, as eximstats does.
    let later = || memmem::find(rest, b" defer (").and_then(|at| defer_clause(rest.past(at + 1)).ok());
    let rest = match defer_clause(rest).ok().or_else(later) {
        Some((rest, errno)) => {
            delivery.errno = Some(errno);
            rest
        }
        None => {
            odd::note(odd, "defer", rest);
            after_odd_clause(rest)
        }
    };
    let (rest, strerror) = match rest {
        [b':', b' ', text @ ..] => split_before_host(text),
        _ => (rest, None),
    };
    let rest = fields_after_defer(rest, delivery);
    let message = match rest {
        [b':', b' ', message @ ..] => Some(message),
        [] | [b' '] => None,
        [b' ', message @ ..] => Some(message),
        message => Some(message),
    };
    delivery.text = message.filter(|text| !text.is_empty()).or(strerror);
    if let Some(text) = delivery.text {
        host_in_text(text, delivery);
    }
}

/// What follows a clause that says no number, or the text where there is none.
#[cold]
fn after_odd_clause(rest: &[u8]) -> &[u8] {
    let clause = rest.strip_prefix(b"routing ").unwrap_or(rest);
    match memchr::memchr(b')', clause) {
        Some(close) if clause.starts_with(b"defer (") => clause.past(close + 1),
        _ => rest,
    }
}

/// `[routing ]defer (-46)`.
fn defer_clause(input: &[u8]) -> IResult<&[u8], i32, crate::prim::Fault> {
    let mut clause = preceded(
        opt(tag::<_, _, crate::prim::Fault>(&b"routing "[..])),
        delimited(tag(&b"defer ("[..]), signed, tag(&b")"[..])),
    );
    match clause.parse(input) {
        Ok(found) => Ok(found),
        Err(nom::Err::Error(fault)) if fault.left < input.len() => {
            fail(input.past(input.len() - fault.left), "defer (errno)")
        }
        Err(_) => fail(input, "defer (errno)"),
    }
}

/// The text of an errno ends where ` H=host [ip]` or ` DT=` begins; without these it is all of the text.
fn split_before_host(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let limit = colon_space(text).unwrap_or(text.len());
    for at in memchr::memchr_iter(b'=', text.until(limit)) {
        let key = match text.until(at) {
            [.., b' ', b'H'] => 1,
            [.., b' ', b'D', b'T'] => 2,
            _ => continue,
        };
        let start = at - key;
        let found = match key {
            1 => host(text.past(at + 1)).is_ok_and(|(_, host)| host.ip.is_some()),
            _ => duration_ms(text.past(at + 1)).is_ok(),
        };
        if found {
            return (text.past(start - 1), Some(text.until(start - 1)));
        }
    }
    (b"", Some(text))
}

/// Fields between `defer (…)` and the text; a word that is none begins the text.
fn fields_after_defer<'a>(mut rest: &'a [u8], delivery: &mut EximDelivery<'a>) -> &'a [u8] {
    while let [b' ', token @ ..] = rest
        && !token.starts_with(b": ")
    {
        let host = delivery.host;
        match field(token, delivery) {
            Ok((after, true)) => rest = after,
            _ => {
                // What is no host may look like the beginning of one.
                delivery.host = host;
                return rest;
            }
        }
    }
    rest.strip_prefix(b" ")
        .filter(|rest| rest.starts_with(b": "))
        .unwrap_or(rest)
}

/// Up to Exim 4.8x the host stood in the text: `… after RCPT TO:<x>: host mx.example [192.0.2.1]: 550 …`.
fn host_in_text<'a>(text: &'a [u8], delivery: &mut EximDelivery<'a>) {
    if delivery.host.ip.is_some() || delivery.host.name.is_some() {
        return;
    }
    if let Some(at) = memmem::find(text, b": host ")
        && let Ok((rest, host)) = host(text.past(at + 7))
        && host.ip.is_some()
        && matches!(rest, [] | [b':', ..])
    {
        delivery.host = host;
    }
}

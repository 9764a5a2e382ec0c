//! `reject: RCPT from name[ip]: text; from=<> to=<> proto= helo=<>`: what `log_whatsup()` of smtpd, postscreen, the
//! milters and cleanup's header checks print.

use super::field::{address, host, key_length};
use super::program::Program;
use super::record::{Action, PostfixBody, PostfixHost, Rejection};
use crate::cut::Cut;
use crate::odd::{self, Odd};
use crate::prim::{Parsed, angle, colon_space, fail, word};
use memchr::{memchr, memmem};

/// Words before `: ` that are a decision, and what it means.
const ACTIONS: [(&[u8], Action); 24] = [
    (b"reject", Action::Reject),
    (b"reject_warning", Action::RejectWarning),
    (b"milter-reject", Action::MilterReject),
    (b"proxy-reject", Action::ProxyReject),
    (b"discard", Action::Discard),
    (b"milter-discard", Action::Discard),
    (b"hold", Action::Hold),
    (b"milter-hold", Action::Hold),
    (b"milter-quarantine", Action::Hold),
    (b"quarantine", Action::Hold),
    (b"filter", Action::Pass),
    (b"redirect", Action::Pass),
    (b"warn", Action::Pass),
    (b"warning", Action::Pass),
    (b"info", Action::Pass),
    (b"prepend", Action::Pass),
    (b"replace", Action::Pass),
    (b"strip", Action::Pass),
    (b"bcc", Action::Pass),
    (b"delay", Action::Pass),
    (b"pass", Action::Pass),
    (b"permit", Action::Pass),
    (b"proxy-accept", Action::Pass),
    (b"milter-accept", Action::Pass),
];

/// A text that begins with a decision's word; `None` if it does not. `warning: ` is one only before `header` or `body`.
#[inline]
pub(super) fn rejection<'a>(
    text: &'a [u8],
    program: Program,
    odd: &mut Option<Odd<'a>>,
) -> Option<Parsed<'a, PostfixBody<'a>>> {
    let colon = memchr(b':', text.until(20))?;
    let [b':', b' ', rest @ ..] = text.past(colon) else {
        return None;
    };
    let word = text.until(colon);
    let (_, action) = ACTIONS.iter().find(|(name, _)| *name == word)?;
    let checks = is_content_class(rest);
    if !checks && matches!(word, b"warning" | b"info" | b"pass") && !is_stage(rest) {
        return None;
    }
    let rejection = Rejection {
        action: *action,
        word,
        stage: b"",
        content: None,
        host: PostfixHost::default(),
        text: b"",
        sender: None,
        recipient: None,
        protocol: None,
        helo: None,
        sasl_username: None,
    };
    Some(if checks {
        of_content(rest, program, rejection, odd)
    } else {
        of_stage(rest, rejection, odd)
    })
}

/// `header Subject: …`, `body …`: the classes of header_checks, body_checks and their kin.
fn is_content_class(text: &[u8]) -> bool {
    ["header ", "body ", "mime-header ", "nested-header ", "content "]
        .iter()
        .any(|class| text.starts_with(class.as_bytes()))
}

/// An SMTP stage: a word of capitals before ` from ` or `: `.
fn is_stage(text: &[u8]) -> bool {
    let end = text
        .iter()
        .position(|byte| !matches!(byte, b'A'..=b'Z' | b'-'))
        .unwrap_or(text.len());
    end > 2 && (text.past(end).starts_with(b" from ") || text.past(end).starts_with(b": "))
}

/// smtpd, postscreen, milters: `STAGE from host: text; attributes`. A before-queue filter's has no host.
fn of_stage<'a>(
    input: &'a [u8],
    mut rejection: Rejection<'a>,
    odd: &mut Option<Odd<'a>>,
) -> Parsed<'a, PostfixBody<'a>> {
    let end = input
        .iter()
        .position(|byte| matches!(byte, b' ' | b':'))
        .unwrap_or(input.len());
    if end == 0 {
        return fail(input, "an SMTP stage");
    }
    let mut rest = input.past(end);
    rejection.stage = input.until(end);
    if let Some(from) = rest.strip_prefix(b" from ") {
        match host(from) {
            Ok((after @ ([] | [b':', ..]), host)) => (rest, rejection.host) = (after, host),
            _ => {
                rest = from.past(colon_space(from).unwrap_or(from.len()));
                odd::note(odd, "client", from.until(from.len() - rest.len()));
            }
        }
    }
    let text = match rest {
        [b':', b' ', text @ ..] => text,
        _ => {
            odd::note(odd, "text", rest);
            rest
        }
    };
    let end = attributes_at(text);
    rejection.text = text.until(end);
    if attributes(text.past(end), &mut rejection).is_err() {
        odd::note(odd, "attributes", text.past(end));
    }
    Ok((&[], PostfixBody::Rejection(rejection)))
}

/// cleanup: `header TEXT from host; attributes: reason`. The delivery agents' checks have neither client nor attributes.
fn of_content<'a>(
    input: &'a [u8],
    program: Program,
    mut rejection: Rejection<'a>,
    odd: &mut Option<Odd<'a>>,
) -> Parsed<'a, PostfixBody<'a>> {
    let (rest, class) = word(input)?;
    rejection.stage = class;
    let content = rest.past(1);
    let Some((at, after, host)) = client_behind(content) else {
        if program == Program::Cleanup {
            odd::note(odd, "client", content);
        }
        rejection.content = Some(content);
        return Ok((&[], PostfixBody::Rejection(rejection)));
    };
    rejection.content = Some(content.until(at));
    rejection.host = host;
    match attributes(after, &mut rejection) {
        Ok((rest, ())) => rejection.text = rest.strip_prefix(b": ").unwrap_or(rest),
        Err(_) => odd::note(odd, "attributes", after),
    }
    Ok((&[], PostfixBody::Rejection(rejection)))
}

/// The last ` from client;` of the text: the header is a stranger's and may hold the same words; what follows it is
/// ours, but for addresses. Gives its place, the text from the semicolon on, and the host.
fn client_behind(content: &[u8]) -> Option<(usize, &[u8], PostfixHost<'_>)> {
    memmem::rfind_iter(content, b" from ").find_map(|at| {
        let from = content.past(at + b" from ".len());
        let (rest, host) = host(from).ok()?;
        rest.starts_with(b";").then_some((at, rest, host))
    })
}

/// Where the reason ends: before `; from=`, `; to=`, `; proto=`, `; helo=`, or a `;` at the end.
fn attributes_at(text: &[u8]) -> usize {
    // `554 5.7.1 <address>: …` repeats a stranger's address, which may hold anything.
    let mut from = 0;
    if let Some(open) = memchr(b'<', text.until(20))
        && matches!(text.until(open), [] | [.., b' '])
        && let Ok((rest, _)) = angle(text.past(open))
    {
        from = text.len() - rest.len();
    }
    let place = memmem::find_iter(text.past(from), b"; ").find(|at| is_attribute(text.past(from + at + 2)));
    match place {
        Some(at) => from + at,
        None if text.ends_with(b";") => text.len() - 1,
        None => text.len(),
    }
}

fn is_attribute(text: &[u8]) -> bool {
    ["from=<", "to=<", "proto=", "helo=<", "sasl_username="]
        .iter()
        .any(|key| text.starts_with(key.as_bytes()))
}

/// `; from=<> to=<> proto=ESMTP helo=<>`; postscreen puts commas between. Nothing is taken twice, and nothing but a
/// user name after the HELO name, which may hold anything. The rest is empty or begins with `: `.
fn attributes<'a>(input: &'a [u8], rejection: &mut Rejection<'a>) -> Parsed<'a, ()> {
    let mut rest = input.strip_prefix(b";").unwrap_or(input);
    loop {
        let token = match rest {
            [b',', b' ', token @ ..] | [b' ', token @ ..] => token,
            [] | [b':', b' ', ..] => return Ok((rest, ())),
            _ => return fail(rest, "a space and the next attribute"),
        };
        let after_helo = rejection.helo.is_some();
        let Some(key) = key_length(token) else {
            if after_helo {
                // The rest of a HELO name with a bracket in it.
                return Ok((memmem::find(token, b">: ").map_or(b"", |at| token.past(at + 1)), ()));
            }
            return fail(token, "an attribute (key=value)");
        };
        let text = token.past(key + 1);
        let (after, slot) = match token.until(key) {
            b"from" if !after_helo => (address(text)?, &mut rejection.sender),
            b"to" if !after_helo => (address(text)?, &mut rejection.recipient),
            b"helo" if !after_helo => (address(text)?, &mut rejection.helo),
            b"proto" if !after_helo => (bare(text), &mut rejection.protocol),
            b"sasl_username" => (bare(text), &mut rejection.sasl_username),
            _ => {
                rest = bare(text).0;
                continue;
            }
        };
        rest = after.0;
        slot.get_or_insert(after.1);
    }
}

/// A value up to a space, a comma or a colon with a space.
fn bare(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input
        .iter()
        .enumerate()
        .position(|(at, byte)| match byte {
            b' ' | b',' => true,
            b':' => input.get(at + 1) == Some(&b' '),
            _ => false,
        })
        .unwrap_or(input.len());
    (input.past(end), input.until(end))
}

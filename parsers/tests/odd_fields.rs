//! One damaged value must not cost a mail: whatever stands in the place of an optional field, the line is the same event.
//! Time, ID, flag (or status) and address decide; nothing else does.

use mailpulse_parsers::exim::record::{EximBody, EximNoticeKind, Target};
use mailpulse_parsers::postfix::record::PostfixBody;
use mailpulse_parsers::{exim, postfix};
use std::path::Path;

/// What a damaged value may look like, beside variants of its own.
const DAMAGE: [&str; 16] = [
    "x",
    "-1",
    "12x",
    "1e9",
    "99999999999999999999999",
    "\"",
    "\"x",
    "<",
    "<x",
    "(",
    "(x",
    "[",
    "[x]",
    "[1.2.3.444]",
    "=",
    ":x",
];

fn variants(value: &str) -> Vec<String> {
    let mut all: Vec<String> = DAMAGE.iter().map(|damage| (*damage).to_owned()).collect();
    all.extend([String::new(), format!("{value}x"), format!("x{value}")]);
    let mut chars = value.chars();
    if chars.next_back().is_some() {
        all.push(chars.as_str().to_owned());
    }
    all
}

/// Lines of the corpus whose names begin so.
fn lines(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(folder);
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "log") {
            let text = std::fs::read_to_string(path).unwrap();
            lines.extend(text.lines().map(str::to_owned));
        }
    }
    lines
}

/// What decides what an Exim line is; none for lines that are no events.
fn exim_essence(line: &str) -> Option<String> {
    let record = exim::parse(line.as_bytes()).ok()?;
    let head = format!("{:?} {:?}", record.stamp, record.id);
    Some(match record.body {
        EximBody::Arrival(arrival) => format!("{head} {} {:?}", arrival.fakereject, arrival.sender),
        // A command may hold anything, original addresses included.
        EximBody::Delivery(delivery) if delivery.target == Target::Address => {
            format!("{head} {:?} {:?}", delivery.flag, delivery.address)
        }
        EximBody::Delivery(delivery) => format!("{head} {:?} {:?}", delivery.flag, delivery.target),
        EximBody::Completed { .. } => format!("{head} completed"),
        EximBody::Notice(notice) => match notice.kind {
            EximNoticeKind::RejectedRcpt | EximNoticeKind::RejectedMessage | EximNoticeKind::RejectedConnection => {
                format!("{head} {:?} {:?}", notice.kind, notice.recipient)
            }
            _ => return None,
        },
    })
}

/// Places of the tokens behind flag and address, up to the text; of a reject, of its fields' values before the word.
fn exim_tokens(line: &str) -> Vec<(usize, usize)> {
    let record = exim::parse(line.as_bytes()).unwrap();
    let at = |part: &[u8]| part.as_ptr().addr() - line.as_ptr().addr() + part.len();
    let (from, to) = match &record.body {
        EximBody::Arrival(arrival) if arrival.sender.is_empty() => (line.find("= <>").unwrap() + 4, line.len()),
        EximBody::Arrival(arrival) => (at(arrival.sender), line.len()),
        EximBody::Delivery(delivery) => {
            let from = at(delivery.address);
            // Only what stands before the text is fields.
            let to = delivery.text.map_or(line.len(), |text| at(text) - text.len());
            (from, to.max(from))
        }
        EximBody::Completed { .. } => (line.find("Completed").unwrap() + 9, line.len()),
        EximBody::Notice(notice) => {
            let from = at(notice.text) - notice.text.len();
            let words = notice.text.len() - line[from..].find("rejected ").map_or(0, |at| notice.text.len() - at);
            (from, from + words)
        }
    };
    let mut tokens = Vec::new();
    let mut start = from;
    for part in line[from..to].split_inclusive(' ') {
        let token = part.trim_end_matches(' ');
        // A colon ends the fields, also where it touches the last one.
        if !token.is_empty() && !token.starts_with(':') {
            tokens.push((start, start + token.len()));
        }
        start += part.len();
    }
    if matches!(record.body, EximBody::Notice(_)) {
        // Only whole values: a quoted address may hold spaces.
        tokens.retain(|(from, to)| line[*from..*to].contains('=') && !line[*from..*to].contains('"'));
    }
    tokens
}

#[test]
fn a_damaged_value_does_not_cost_an_event_of_exim() {
    let (mut damaged, mut odd) = (0, 0);
    for line in lines("exim") {
        let Some(essence) = exim_essence(&line) else { continue };
        for (from, to) in exim_tokens(&line) {
            let token = &line[from..to];
            // The key stays, and what opens an address; what has none is replaced as a whole.
            let opens = usize::from(token.starts_with(['<', '(', '[']));
            let value = token.find('=').filter(|_| opens == 0).map_or(opens, |at| at + 1);
            for variant in variants(&token[value..]) {
                let changed = format!("{}{variant}{}", &line[..from + value], &line[to..]);
                let now = exim_essence(&changed);
                assert_eq!(now.as_ref(), Some(&essence), "\n{line}\n{changed}");
                damaged += 1;
                odd += usize::from(exim::parse(changed.as_bytes()).unwrap().odd.is_some());
            }
        }
    }
    assert!(damaged > 50_000 && odd > damaged / 20, "{damaged} {odd}");
}

#[test]
fn no_line_of_the_corpus_has_an_odd_field() {
    for line in lines("exim") {
        if let Ok(record) = exim::parse(line.as_bytes()) {
            assert_eq!(record.odd, None, "{line}");
        }
    }
    for line in lines("postfix") {
        if let Ok((_, record)) = postfix::parse_line(line.as_bytes()) {
            assert_eq!(record.odd, None, "{line}");
        }
    }
}

#[test]
fn a_header_that_is_damaged_is_read_or_rejected_and_never_talk() {
    for (line, read) in [
        ("2018-06-06 18:55:01 [12x] 1fQdLN-0001Ab-Cd <= a@b P=local", true),
        ("2018-06-06 18:55:01 [] 1fQdLN-0001Ab-Cd Completed", true),
        ("2018-06-06 18:55:01 +0x00 1fQdLN-0001Ab-Cd <= a@b P=local", false),
        ("2018-06-06 18:55:01 +0x00 [12] 1fQdLN-0001Ab-Cd => a@b R=r T=t", false),
        ("2018-06-06 18:55:01 +0x00 1fQdLN-0001Ab-Cd Completed", false),
        ("2018-06-06 18:55:01 1fQdLN-0001Ab_Cd <= a@b P=local", false),
    ] {
        match exim::parse(line.as_bytes()) {
            Ok(record) => {
                assert!(read, "{line}: {record:?}");
                assert_eq!(record.odd.unwrap().field, "pid");
                assert!(!matches!(record.body, EximBody::Notice(_)), "{line}");
            }
            Err(reject) => assert!(!read, "{line}: {reject}"),
        }
    }
}

/// What decides what a Postfix line is; none for lines that say nothing about a mail.
fn postfix_essence(line: &str) -> Option<String> {
    let (_, record) = postfix::parse_line(line.as_bytes()).ok()?;
    let head = format!("{:?}", record.queue_id);
    Some(match record.body {
        PostfixBody::Client(_) => format!("{head} client"),
        PostfixBody::Pickup(pickup) => format!("{head} pickup {:?}", pickup.sender),
        PostfixBody::QueueActive(active) => format!("{head} active {:?}", active.sender),
        PostfixBody::Expired(expired) => format!("{head} expired {:?}", expired.sender),
        PostfixBody::Delivery(delivery) => format!("{head} {:?} {:?}", delivery.status, delivery.recipient),
        PostfixBody::Rejection(rejection) => format!("{head} {:?} {:?}", rejection.action, rejection.stage),
        _ => return None,
    })
}

/// Places of the values that do not decide.
fn postfix_values(line: &str) -> Vec<(usize, usize)> {
    let (envelope, record) = postfix::parse_line(line.as_bytes()).unwrap();
    let begin = envelope.rest.as_ptr().addr() - line.as_ptr().addr();
    let (to, skip): (usize, &[&str]) = match &record.body {
        PostfixBody::Delivery(_) => (line.rfind(", status=").unwrap(), &["to"]),
        PostfixBody::Client(_) => (line.len(), &[]),
        PostfixBody::Pickup(_) | PostfixBody::QueueActive(_) => (line.len(), &["from"]),
        PostfixBody::Rejection(_) => (line.len(), &["never"]),
        _ => return Vec::new(),
    };
    let mut values = Vec::new();
    for (at, _) in line[begin..to].match_indices('=') {
        let at = begin + at;
        let key_from = line[..at].rfind([' ', ',']).map_or(0, |at| at + 1);
        if skip.contains(&&line[key_from..at]) || key_from < begin {
            continue;
        }
        let end = line[at..to].find(", ").map_or(to, |end| at + end);
        let end = line[at..end].find(" (queue").map_or(end, |end| at + end);
        let end = line[at..end].find(" from=").map_or(end, |end| at + end);
        values.push((at + 1, end));
    }
    if let PostfixBody::Rejection(_) = &record.body
        && let Some(from) = line.find(" from ")
        && let Some(end) = line[from..].find(": ")
    {
        values.push((from + 6, from + end));
    }
    values
}

#[test]
fn a_damaged_value_does_not_cost_an_event_of_postfix() {
    let (mut damaged, mut odd) = (0, 0);
    for line in lines("postfix") {
        // What a client wrote may hold all of it.
        if line.contains("header ") || line.contains(['\0', '"']) {
            continue;
        }
        let Some(essence) = postfix_essence(&line) else {
            continue;
        };
        for (from, to) in postfix_values(&line) {
            for variant in variants(&line[from..to]) {
                let changed = format!("{}{variant}{}", &line[..from], &line[to..]);
                assert_eq!(
                    postfix_essence(&changed).as_ref(),
                    Some(&essence),
                    "\n{line}\n{changed}"
                );
                damaged += 1;
                odd += usize::from(postfix::parse_line(changed.as_bytes()).unwrap().1.odd.is_some());
            }
        }
    }
    assert!(damaged > 10_000 && odd > damaged / 4, "{damaged} {odd}");
}

#[test]
fn forms_that_postfix_prints_seldom() {
    let body = |tag: &str, text: &str| format!("{:?}", postfix::parse(tag.as_bytes(), text.as_bytes()).unwrap());
    let bare = body(
        "postfix/smtp",
        "4F1A23B5C7: to=user@host.example, relay=none, delay=1, status=deferred (x)",
    );
    let bracketed = body(
        "postfix/smtp",
        "4F1A23B5C7: to=<user@host.example>, relay=none, delay=1, status=deferred (x)",
    );
    assert_eq!(bare, bracketed);
    let probe = body(
        "postfix/smtp",
        "4F1A23B5C7: to=<a@b>, relay=none, delay=1, status=undeliverable-but-not-cached (x)",
    );
    assert!(probe.contains("status: Undeliverable"), "{probe}");
    let accept = body(
        "postfix/smtpd",
        "proxy-accept: END-OF-MESSAGE: 250 ok; from=<a@b> to=<c@d>",
    );
    assert!(accept.contains("action: Pass"), "{accept}");
    let reject = body(
        "postfix/smtpd",
        "proxy-reject: END-OF-MESSAGE: 451 no; from=<a@b> to=<c@d>",
    );
    assert!(reject.contains("action: ProxyReject"), "{reject}");
}

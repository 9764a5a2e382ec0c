//! Reasons and providers' codes of the replies in `corpus/replies`. One half was used for tuning; the other shows how well
//! a reply is told that was not.

mod reply_corpus;

use mailpulse_parsers::exim::record::{EximBody, Flag};
use mailpulse_parsers::postfix::record::{PostfixBody, Status};
use mailpulse_parsers::reply::{Reason, classify, classify_own, classify_with_dsn, classify_with_errno, reply_in};
use mailpulse_parsers::{exim, postfix};
use reply_corpus::{entries, matrix};

/// Of each class in a half, at least so many percent are told.
#[track_caller]
fn each_class_is_told(half: &str, percent: usize) {
    let entries = entries(half);
    let wrong = |class: &str| -> Vec<String> {
        let of_class = entries.iter().filter(|entry| entry.expected == class);
        let read = of_class.map(|entry| (entry.read().reason.as_str(), &entry.text));
        read.filter(|(read, _)| *read != class)
            .map(|(read, text)| format!("{read}: {text}"))
            .collect()
    };
    for row in matrix(&entries) {
        let is_enough = 100 * row.right >= percent * row.lines;
        let others = &row.wrong;
        let lines = wrong(row.class).join("\n");
        assert!(
            is_enough,
            "{}: {} of {}, {others:?}\n{lines}",
            row.class, row.right, row.lines
        );
    }
}

#[test]
fn each_class_is_told_in_the_half_that_was_used_for_tuning() {
    each_class_is_told("tuning.tsv", 90);
}

#[test]
fn nine_of_ten_are_told_in_each_class_of_the_half_that_was_not_used() {
    each_class_is_told("held-out.tsv", 90);
}

#[test]
fn each_half_has_every_class_and_no_line_of_the_other() {
    let (tuning, held_out) = (entries("tuning.tsv"), entries("held-out.tsv"));
    assert!(tuning.len() <= held_out.len());
    assert_eq!(matrix(&tuning).len(), Reason::ALL.len());
    assert_eq!(matrix(&held_out).len(), Reason::ALL.len());
    let known: Vec<_> = tuning.iter().map(|entry| (&entry.speaker, &entry.text)).collect();
    assert!(
        held_out
            .iter()
            .all(|entry| !known.contains(&(&entry.speaker, &entry.text)))
    );
    let told = |entry: &reply_corpus::Entry| Reason::ALL.iter().any(|reason| reason.as_str() == entry.expected);
    assert!(tuning.iter().chain(&held_out).all(told));
}

#[test]
fn providers_own_codes_are_told() {
    let mut seen = 0;
    for entry in entries("tuning.tsv").into_iter().chain(entries("held-out.tsv")) {
        if entry.provider_code.is_empty() {
            continue;
        }
        let read = entry.read().provider_code;
        let read = read.as_ref().map_or("", |code| code.as_str());
        assert_eq!(read, entry.provider_code, "{}", entry.text);
        seen += 1;
    }
    assert!(seen >= 40, "{seen}");
}

/// The reason of a line of Exim that says that mail failed.
fn exim_reason(line: &[u8]) -> Option<Reason> {
    match exim::parse(line).ok()?.body {
        EximBody::Delivery(delivery) if matches!(delivery.flag, Flag::Failed | Flag::Deferred) => {
            Some(classify_with_errno(delivery.text.unwrap_or_default(), delivery.errno).reason)
        }
        EximBody::Notice(notice) if notice.kind.is_refusal() => Some(classify_own(notice.reason, None).reason),
        _ => None,
    }
}

/// The same of Postfix.
fn postfix_reason(line: &[u8]) -> Option<Reason> {
    match postfix::parse_line(line).ok()?.1.body {
        PostfixBody::Delivery(delivery) if !matches!(delivery.status, Status::Sent | Status::Deliverable) => {
            Some(classify_with_dsn(delivery.text, delivery.dsn).reason)
        }
        PostfixBody::Rejection(rejection) if rejection.word.ends_with(b"reject") => {
            Some(classify_own(rejection.text, rejection.enhanced()).reason)
        }
        PostfixBody::Unqueued(unqueued) => Some(unqueued.reply().reason),
        _ => None,
    }
}

#[test]
fn of_the_failures_in_real_logs_no_more_than_one_in_twenty_is_unknown() {
    type Told = fn(&[u8]) -> Option<Reason>;
    let logs: [(&str, Told); 4] = [
        ("exim/real-all.log", exim_reason),
        ("exim/real-wikimedia.log", exim_reason),
        ("postfix/real-long.log", postfix_reason),
        ("postfix/real-short.log", postfix_reason),
    ];
    for (name, told) in logs {
        let path = format!("{}/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
        let log = std::fs::read(path).unwrap();
        let reasons: Vec<Reason> = log.split(|byte| *byte == b'\n').filter_map(told).collect();
        let unknown = reasons.iter().filter(|reason| **reason == Reason::Other).count();
        assert!(reasons.len() > 50, "{name}: {}", reasons.len());
        assert!(20 * unknown <= reasons.len(), "{name}: {unknown} of {}", reasons.len());
    }
}

/// Who reads many lines may remember what a reply says, whatever address or host stands in front of it.
#[test]
fn a_reply_says_the_same_wherever_it_stands() {
    let mut replies = 0;
    for entry in entries("tuning.tsv").iter().chain(&entries("held-out.tsv")) {
        let text = entry.text.as_bytes();
        let Some(reply) = reply_in(text) else { continue };
        replies += 1;
        assert_eq!(classify(text), classify(reply), "{}", entry.text);
        let behind = [
            b"SMTP error from remote mail server after RCPT TO:<a@example.org>: ",
            reply,
        ]
        .concat();
        assert_eq!(
            classify_with_errno(&behind, Some(-44)),
            classify(reply),
            "{}",
            entry.text
        );
    }
    assert!(replies > 500, "{replies}");
}

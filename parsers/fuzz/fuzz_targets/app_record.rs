//! Any bytes as a record of every application's log: no panic, located rejects, a bounded reason, and a header that
//! the lines below cannot change.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailpulse_parsers::app::json::{Condition, JsonDescription, Mapping};
use mailpulse_parsers::app::pattern::{self, Outcome, Patterns, Template};
use mailpulse_parsers::app::{Format, AppRecord};
use mailpulse_parsers::{reply, sniff};
use std::sync::LazyLock;

static FORMATS: LazyLock<Vec<Format>> = LazyLock::new(|| {
    let mapping = Mapping::new(&JsonDescription {
        time: Some("t".into()),
        recipient: Some("m.to".into()),
        reason: Some("m.why".into()),
        failed_when: vec![vec![Condition::pattern("l", "E*")]],
        submitted_when: vec![vec![Condition::pattern("m.id", "?*")]],
        ..JsonDescription::default()
    });
    let template = |text: &str, outcome| Template {
        text: text.to_owned(),
        outcome,
        retried: false,
    };
    let patterns = Patterns::new(&pattern::PatternDescription {
        templates: vec![
            template(
                "{time:%b %e %H:%M:%S} {level:word} {_:lines}smtp{_}: {reason:rest}",
                Outcome::Failed,
            ),
            template(
                "{time:%b %e %H:%M:%S} sent {recipients:int} to {recipient}",
                Outcome::Submitted,
            ),
        ],
        ..pattern::PatternDescription::default()
    });
    let described = [Format::from(mapping.unwrap()), Format::from(patterns.unwrap())];
    Format::BUILT_IN.into_iter().chain(described).collect()
});

/// Heads that take the input past each format's header.
const HEADS: [&[u8]; 9] = [
    b"",
    b"[2018-06-06 19:02:11,123] [x] ERROR a : Cannot email x\n",
    b"[06-Jun-2018 19:02:11 UTC] [2018-06-06 19:02:11] EXCEPTION: (phpmailerException) ",
    b"[06/Jun/2018 19:02:11 +0000] views ERROR Failed to send mail ",
    b"2018-06-06 19:02:11,123  WARN A:1 - ACTION[x] EM007: \n",
    b"05:40:47 [ERROR] sentry.mail: ",
    b"{\"method\":\"Mailer::x\",\"level\":\"ERROR\",\"message\":",
    b"MAIL SEND FAILED!\n",
    b"Jun  6 19:02:11 ",
];

fn check(format: &Format, record: &[u8]) {
    let starts = format.starts(record);
    match format.parse(record) {
        Ok(parsed) => {
            if let Some(mail) = parsed.mail() {
                assert!(mail.reason.len() <= 2000);
                let _ = reply::classify(&mail.reason);
            }
            if starts && !matches!(format, Format::Slimapp | Format::Json(_)) {
                let more = [record, b"\n  at x"].concat();
                same_header(&parsed, &format.parse(&more).expect("a line more"));
            }
        }
        Err(reject) => {
            assert!(reject.offset <= record.len());
            assert_eq!(reject.picture(record).lines().count(), 3);
        }
    }
}

fn same_header(one: &AppRecord<'_>, other: &AppRecord<'_>) {
    assert_eq!((one.time, &one.host), (other.time, &other.host));
}

fuzz_target!(|data: &[u8]| {
    for head in HEADS {
        let record = [head, data].concat();
        for format in FORMATS.iter() {
            check(format, &record);
        }
    }
    let _ = sniff::sniff(data);
});

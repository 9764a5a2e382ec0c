//! Bytes a second by kind of line: `cargo bench -p mailpulse-parsers`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mailpulse_parsers::app::Format;
use mailpulse_parsers::{exim, postfix, reply};
use std::hint::black_box;

const LINES: [(&str, &str); 6] = [
    (
        "arrival",
        "2018-06-01 00:00:00 1fOXU8-002aYZ-oS <= gerrit@wikimedia.org H=cobalt.wikimedia.org [2620:0:861:3:208:80:154:81]:14783 I=[208.80.154.76]:25 P=esmtps X=TLS1.2:ECDHE_RSA_AES_256_GCM_SHA384:256 CV=no S=4214 id=gerrit.1528311001.1527811200.100780963@cobalt.wikimedia.org",
    ),
    (
        "delivery",
        "2018-06-01 00:00:01 1fOXU8-002aYZ-oS => user51093@example221.org R=dnslookup T=remote_smtp S=4526 H=aspmx.l.google.com [74.125.141.27]:25 X=TLS1.2:ECDHE_RSA_AES_128_GCM_SHA256:128 CV=yes DN=\"C=US,ST=California,L=Mountain View,O=Google LLC,CN=mx.google.com\" C=\"250 2.0.0 OK 1527811200 v98si35333qtg.89 - gsmtp\" DT=1s",
    ),
    (
        "deferral",
        "2018-06-01 00:00:01 1fOXU8-002aYZ-oS == u@example.org R=dnslookup T=remote_smtp defer (-46) H=mx.example.org [74.125.141.27]:25: SMTP error from remote mail server after RCPT TO:<u@example.org>: 451 4.7.1 Greylisting in action, please come back later",
    ),
    (
        "bounce",
        "2018-06-01 00:00:01 1fOXU8-002aYZ-oS ** u@example.org R=dnslookup T=remote_smtp H=mx.example.org [74.125.141.27]:25 X=TLS1.2:ECDHE_RSA_AES_128_GCM_SHA256:128 CV=yes DN=\"C=US,O=Google LLC,CN=mx.google.com\": SMTP error from remote mail server after RCPT TO:<u@example.org>: 550-5.1.1 The email account that you tried to reach does not exist.\\n550 5.1.1 https://support.google.com/mail/?p=NoSuchUser v12si41 - gsmtp",
    ),
    ("completed", "2018-06-01 00:00:01 1fOXU8-002aYZ-oS Completed"),
    (
        "reject",
        "2018-06-01 00:00:00 H=([206.2.3.4]) [59.2.3.4]:39765 I=[208.80.154.76]:25 F=<foo@bar.com> rejected RCPT <wikidata-l@wikipedia.org>: refusing mail from 1.2.3.4 - address is blocklisted by zen.spamhaus.org",
    ),
];

const POSTFIX_LINES: [(&str, &str); 9] = [
    (
        "connect",
        "Jun  6 18:55:01 mx1 postfix/smtpd[4242]: connect from gerrit1001.wikimedia.example[10.64.32.5]",
    ),
    (
        "client",
        "Jun  6 18:55:01 mx1 postfix/smtpd[4242]: 4F1A23B5C7: client=gerrit1001.wikimedia.example[10.64.32.5]",
    ),
    (
        "message-id",
        "Jun  6 18:55:01 mx1 postfix/cleanup[4242]: 4F1A23B5C7: message-id=<gerrit.1528311001.1527811200.100780963@cobalt.wikimedia.example>",
    ),
    (
        "active",
        "Jun  6 18:55:01 mx1 postfix/qmgr[4242]: 4F1A23B5C7: from=<gerrit@wikimedia.example>, size=4214, nrcpt=3 (queue active)",
    ),
    (
        "sent",
        "Jun  6 18:55:01 mx1 postfix/smtp[4242]: 4F1A23B5C7: to=<user51093@example.com>, relay=aspmx.l.google.com[192.0.2.27]:25, delay=0.35, delays=0.01/0.02/0.12/0.2, dsn=2.0.0, status=sent (250 2.0.0 OK 1527811200 v98si35333qtg.89 - gsmtp)",
    ),
    (
        "deferred",
        "2018-06-06T18:55:01.123456+00:00 mx1 postfix/smtp[4242]: 4WkVnc6sMSz9rtKh: to=<u@example.org>, relay=mx.example.org[192.0.2.25]:25, delay=1.1, delays=0/0/0.5/0.6, dsn=4.7.1, status=deferred (host mx.example.org[192.0.2.25] said: 451 4.7.1 <u@example.org>: greylisted, try again later (in reply to RCPT TO command))",
    ),
    (
        "reject",
        "Jun  6 18:55:01 mx1 postfix/smtpd[4242]: NOQUEUE: reject: RCPT from unknown[192.0.2.9]: 554 5.7.1 <x@example.net>: Relay access denied; from=<hue@example.org> to=<x@example.net> proto=ESMTP helo=<an-tool1009>",
    ),
    ("removed", "Jun  6 18:55:01 mx1 postfix/qmgr[4242]: 4F1A23B5C7: removed"),
    (
        "disconnect",
        "Jun  6 18:55:01 mx1 postfix/smtpd[4242]: disconnect from gerrit1001.wikimedia.example[10.64.32.5] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5",
    ),
];

/// Each line alone, then all of them.
fn each(criterion: &mut Criterion, format: &str, lines: &[(&str, &str)], parse: fn(&[u8]) -> bool) {
    let mut group = criterion.benchmark_group(format);
    for (kind, line) in lines {
        group.throughput(Throughput::Bytes(line.len() as u64));
        group.bench_function(*kind, |bencher| bencher.iter(|| parse(black_box(line.as_bytes()))));
    }
    group.throughput(Throughput::Bytes(lines.iter().map(|(_, line)| line.len() as u64).sum()));
    group.bench_function("mixed", |bencher| {
        bencher.iter(|| {
            lines
                .iter()
                .filter(|(_, line)| parse(black_box(line.as_bytes())))
                .count()
        })
    });
    group.finish();
}

fn lines(criterion: &mut Criterion) {
    each(criterion, "exim", &LINES, |line| black_box(exim::parse(line)).is_ok());
    each(criterion, "postfix", &POSTFIX_LINES, |line| {
        black_box(postfix::parse_line(line)).is_ok()
    });
    let mut group = criterion.benchmark_group("reply");
    for (kind, line) in &LINES[2..4] {
        let text = &line[line.find("SMTP error").unwrap_or(0)..];
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(*kind, |bencher| {
            bencher.iter(|| reply::classify(black_box(text.as_bytes())))
        });
    }
    group.finish();
}

/// Each application's corpus, which is mostly failures, the dearest records.
fn applications(criterion: &mut Criterion) {
    let logs: [(&str, &[u8]); 8] = [
        ("gerrit", include_bytes!("../corpus/app/gerrit/error_log.log")),
        ("gerrit", include_bytes!("../corpus/app/gerrit/error_log.json.log")),
        ("phabricator", include_bytes!("../corpus/app/phabricator/daemons.log")),
        ("hue", include_bytes!("../corpus/app/hue/runcpserver.log")),
        ("oozie", include_bytes!("../corpus/app/oozie/oozie.log")),
        ("sentry", include_bytes!("../corpus/app/sentry/human.log")),
        ("slimapp", include_bytes!("../corpus/app/slimapp/logstash.log")),
        ("dumps", include_bytes!("../corpus/app/dumps/dumps.log")),
    ];
    let mut group = criterion.benchmark_group("app");
    for (at, (kind, log)) in logs.into_iter().enumerate() {
        let format = Format::named(kind).expect("a built-in kind");
        let mut records: Vec<Vec<u8>> = Vec::new();
        for line in log.split(|byte| *byte == b'\n') {
            match records.last_mut() {
                Some(record) if !format.starts(line) => record.extend_from_slice(&[b"\n", line].concat()),
                _ => records.push(line.to_vec()),
            }
        }
        group.throughput(Throughput::Bytes(log.len() as u64));
        group.bench_function(format!("{at}-{kind}"), |bencher| {
            bencher.iter(|| {
                records
                    .iter()
                    .filter(|record| format.parse(black_box(record)).is_ok())
                    .count()
            })
        });
    }
    group.finish();
}

criterion_group!(benches, lines, applications);
criterion_main!(benches);

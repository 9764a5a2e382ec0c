//! Bytes a second by kind of line: `cargo bench -p mailpulse-parsers`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mailpulse_parsers::app::Format;
use mailpulse_parsers::{exim, reply};
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

fn lines(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exim");
    for (kind, line) in LINES {
        group.throughput(Throughput::Bytes(line.len() as u64));
        group.bench_function(kind, |bencher| bencher.iter(|| exim::parse(black_box(line.as_bytes()))));
    }
    group.throughput(Throughput::Bytes(LINES.iter().map(|(_, line)| line.len() as u64).sum()));
    group.bench_function("mixed", |bencher| {
        bencher.iter(|| {
            LINES
                .iter()
                .filter(|(_, line)| exim::parse(black_box(line.as_bytes())).is_ok())
                .count()
        })
    });
    group.finish();
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

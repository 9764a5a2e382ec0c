//! Cuts an application's log into records and parses them, once per round; prints MB/s of CPU time and counts.
//!
//! `cargo run --release -p mailpulse-parsers --example app_throughput -- KIND FILE [ROUNDS]`
//!
//! KIND is a built-in kind, or `json` and `pattern` with a mapping and templates that stand for many. A FILE under
//! 64 MB is repeated up to that size.

// A developer's tool: `println!` may panic when its reader has gone.
#![allow(clippy::disallowed_macros)]

use mailpulse_parsers::app::json::{Condition, JsonDescription, Mapping};
use mailpulse_parsers::app::pattern::{self, Outcome, Patterns, Template};
use mailpulse_parsers::app::{AppBody, Format};

const SIZE_MIN: usize = 64 << 20;

/// Passes of a round: the clock of CPU time ticks every 10 ms.
const PASSES: usize = 8;

fn main() {
    let mut args = std::env::args().skip(1);
    let kind = args.next().expect("usage: app_throughput KIND FILE [ROUNDS]");
    let path = args.next().expect("usage: app_throughput KIND FILE [ROUNDS]");
    let rounds = args.next().and_then(|n| n.parse().ok()).unwrap_or(5);
    let format = format(&kind);
    let log = std::fs::read(&path).expect("a readable file");
    let data = log.repeat(SIZE_MIN.div_ceil(log.len().max(1)).max(1));
    let mut best = f64::MAX;
    for _ in 0..rounds {
        let start = cpu_seconds();
        let counts = (0..PASSES).fold([0; 5], |_, _| round(&format, &data));
        let seconds = (cpu_seconds() - start) / PASSES as f64;
        best = best.min(seconds);
        let [records, submitted, failed, rejects, check] = counts;
        println!(
            "{:.0} MB/s  records {records} submitted {submitted} failed {failed} rejects {rejects} (check {check:x})",
            data.len() as f64 / 1e6 / seconds
        );
    }
    println!("best: {:.0} MB/s of CPU time", data.len() as f64 / 1e6 / best);
}

/// Records are slices of the data: a record's lines stand together.
fn round(format: &Format, data: &[u8]) -> [u64; 5] {
    let mut counts = [0u64; 5];
    let (mut from, mut record) = (0, None);
    for end in memchr::memchr_iter(b'\n', data) {
        if format.starts(&data[from..end])
            && let Some(start) = record.replace(from)
        {
            count(format, &data[start..from - 1], &mut counts);
        }
        from = end + 1;
    }
    if let Some(start) = record {
        count(format, &data[start..], &mut counts);
    }
    counts
}

fn count(format: &Format, record: &[u8], counts: &mut [u64; 5]) {
    counts[0] += 1;
    match format.parse(record) {
        Ok(parsed) => match parsed.body {
            AppBody::Submitted(mail) => {
                counts[1] += 1;
                counts[4] ^= mail.key.map_or(0, |key| key.len() as u64);
            }
            AppBody::SubmitFailed(mail) => {
                counts[2] += 1;
                counts[4] ^= mail.reason.len() as u64;
            }
            AppBody::Other => counts[4] += parsed.level.map_or(0, |level| level.len() as u64),
        },
        Err(reject) => {
            counts[3] += 1;
            counts[4] ^= reject.offset as u64;
        }
    }
}

fn format(kind: &str) -> Format {
    match kind {
        "json" => Mapping::new(&JsonDescription {
            time: Some("@timestamp".into()),
            level: Some("level".into()),
            message: Some("message".into()),
            failed_when: vec![vec![
                Condition::pattern("level", "ERROR"),
                Condition::pattern("message", "*mail*"),
            ]],
            ..JsonDescription::default()
        })
        .expect("a mapping")
        .into(),
        "pattern" => Patterns::new(&pattern::PatternDescription {
            templates: vec![
                Template {
                    text: "[{time:%Y-%m-%d %H:%M:%S,%3f}] [{_}] ERROR {logger} : Cannot email {_}".into(),
                    outcome: Outcome::Failed,
                    retried: false,
                },
                Template {
                    text: "[{time:%Y-%m-%d %H:%M:%S,%3f}] [{_}] INFO  {logger} : Emailed {_}".into(),
                    outcome: Outcome::Submitted,
                    retried: false,
                },
            ],
            ..pattern::PatternDescription::default()
        })
        .expect("templates")
        .into(),
        kind => Format::named(kind).expect("a kind: gerrit phabricator hue oozie sentry slimapp dumps json pattern"),
    }
}

/// User and system time of this process, from Linux's `/proc/self/stat` (in ticks of 10 ms).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

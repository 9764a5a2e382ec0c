//! Parses a main log once per round and prints MB/s, the count of each kind, and the first rejects.
//!
//! `cargo run --release -p mailpulse-parsers --example throughput -- FILE [ROUNDS] [classify] [postfix]`
//!
//! With `classify`, the text of every deferral, bounce and reject goes through `reply` too. With `postfix`, FILE is
//! syslog's file of a Postfix.

// A developer's tool: `println!` may panic when its reader has gone.
#![allow(clippy::disallowed_macros)]

use mailpulse_parsers::exim::{
    self,
    record::{EximBody, EximRecord},
};
use mailpulse_parsers::postfix::{self, record as postfix_record};
use mailpulse_parsers::reply::classify_with_errno;
use mailpulse_parsers::{Reject, reply};
use std::time::Instant;

fn main() {
    let mut args = std::env::args_os().skip(1);
    let path = args.next().expect("usage: throughput FILE [ROUNDS]");
    let rounds = args.next().and_then(|n| n.to_str()?.parse().ok()).unwrap_or(5);
    let data = std::fs::read(&path).expect("a readable file");
    let words: Vec<_> = args.collect();
    let classify = words.iter().any(|word| word == "classify");
    let postfix = words.iter().any(|word| word == "postfix");
    let mut best = f64::MAX;
    for round in 0..rounds {
        let start = Instant::now();
        let (mut counts, mut check) = ([0u64; 5], 0u64);
        let mut from = 0;
        let (mut parser, mut record) = (exim::Parser::default(), EximRecord::default());
        for end in memchr::memchr_iter(b'\n', &data) {
            let line = &data[from..end];
            from = end + 1;
            let kind = if postfix {
                postfix_line(line, classify, &mut check)
            } else {
                parser
                    .parse(line, &mut record)
                    .map(|()| exim_line(&record, classify, &mut check))
            };
            match kind {
                Ok(kind) => counts[kind] += 1,
                Err(reject) => {
                    counts[4] += 1;
                    if round == 0 && counts[4] <= 5 {
                        println!("{}", reject.picture(line));
                    }
                }
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        best = best.min(seconds);
        let [arrivals, deliveries, completed, notices, rejects] = counts;
        println!(
            "{:.0} MB/s  arrivals {arrivals} deliveries {deliveries} completed {completed} notices {notices} \
             rejects {rejects} (check {check:x})",
            data.len() as f64 / 1e6 / seconds
        );
    }
    println!(
        "best: {:.0} MB/s, {:.3} s per 100 MB",
        data.len() as f64 / 1e6 / best,
        best * 100e6 / data.len() as f64
    );
}

fn exim_line(record: &EximRecord<'_>, classify: bool, check: &mut u64) -> usize {
    *check ^= record.stamp.utc_ms() as u64;
    count(&record.body, classify, check)
}

/// As [`count`], for Postfix: `client=` and `uid=` are arrivals, `removed` is completed.
fn postfix_line(line: &[u8], classify: bool, check: &mut u64) -> Result<usize, Reject> {
    use postfix_record::PostfixBody as B;
    let (envelope, record) = postfix::parse_line(line)?;
    *check ^= envelope.stamp.utc_ms() as u64 + record.queue_id.map_or(0, <[u8]>::len) as u64;
    let (kind, reason) = match &record.body {
        B::Client(_) | B::Pickup(_) => (0, None),
        B::Delivery(delivery) => {
            *check ^= delivery.delay_ms.unwrap_or(0) + delivery.recipient.len() as u64;
            (
                1,
                (delivery.status != postfix_record::Status::Sent).then_some(delivery.text),
            )
        }
        B::Removed { .. } => (2, None),
        B::Rejection(rejection) => (3, Some(rejection.text)),
        B::QueueActive(active) => {
            *check ^= active.size.unwrap_or(0);
            (3, None)
        }
        _ => (3, None),
    };
    if let Some(text) = reason.filter(|_| classify) {
        *check ^= reply::classify(text).reason as u64;
    }
    Ok(kind)
}

/// Index of the kind; what the record holds goes into `check`, so that no work can be optimised away.
fn count(body: &EximBody<'_>, classify: bool, check: &mut u64) -> usize {
    match body {
        EximBody::Arrival(arrival) => {
            *check ^= arrival.size.unwrap_or(0) + arrival.sender.len() as u64;
            0
        }
        EximBody::Delivery(delivery) => {
            *check ^= delivery.size.unwrap_or(0) + delivery.text.map_or(0, <[u8]>::len) as u64;
            if let Some(text) = delivery.text.filter(|_| classify) {
                *check ^= classify_with_errno(text, delivery.errno).reason as u64;
            }
            1
        }
        EximBody::Completed { .. } => 2,
        EximBody::Notice(notice) => {
            if classify {
                *check ^= classify_with_errno(notice.reason, None).reason as u64;
            }
            3
        }
    }
}

//! Parses a main log once per round and prints MB/s, the count of each kind, and the first rejects.
//!
//! `cargo run --release -p mailpulse-parsers --example throughput -- FILE [ROUNDS] [classify]`
//!
//! With `classify`, the text of every deferral, bounce and reject goes through `reply` too.

// A developer's tool: `println!` may panic when its reader has gone.
#![allow(clippy::disallowed_macros)]

use mailpulse_parsers::exim::{self, record::Body};
use mailpulse_parsers::reply::classify_with_errno;
use std::time::Instant;

fn main() {
    let mut args = std::env::args_os().skip(1);
    let path = args.next().expect("usage: throughput FILE [ROUNDS]");
    let rounds = args.next().and_then(|n| n.to_str()?.parse().ok()).unwrap_or(5);
    let data = std::fs::read(&path).expect("a readable file");
    let classify = args.next().is_some_and(|arg| arg == "classify");
    let mut best = f64::MAX;
    for round in 0..rounds {
        let start = Instant::now();
        let (mut counts, mut check) = ([0u64; 5], 0u64);
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', &data) {
            let line = &data[from..end];
            from = end + 1;
            match exim::parse(line) {
                Ok(record) => {
                    check ^= record.stamp.utc_ms() as u64;
                    counts[count(&record.body, classify, &mut check)] += 1;
                }
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

/// Index of the kind; what the record holds goes into `check`, so that no work can be optimised away.
fn count(body: &Body<'_>, classify: bool, check: &mut u64) -> usize {
    match body {
        Body::Arrival(arrival) => {
            *check ^= arrival.size.unwrap_or(0) + arrival.sender.len() as u64;
            0
        }
        Body::Delivery(delivery) => {
            *check ^= delivery.size.unwrap_or(0) + delivery.text.map_or(0, <[u8]>::len) as u64;
            if let Some(text) = delivery.text.filter(|_| classify) {
                *check ^= classify_with_errno(text, delivery.errno).reason as u64;
            }
            1
        }
        Body::Completed { .. } => 2,
        Body::Notice(notice) => {
            if classify {
                *check ^= classify_with_errno(notice.reason, None).reason as u64;
            }
            3
        }
    }
}

//! Counts deliveries by the domain of the sender, from an Exim main log on standard input.
//!
//! `cargo run -p mailpulse-parsers --example sender_domains < /var/log/exim4/mainlog`
//!
//! A delivery does not name its sender: the arrival of the same message does, and `Completed` ends it.

use mailpulse_parsers::exim::{
    Parser,
    record::{EximBody, EximRecord, Flag},
};
use mailpulse_parsers::harmless::safe_text;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead, Write};

fn main() -> io::Result<()> {
    let mut senders: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
    let mut deliveries: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    let mut rejects = 0u64;
    let mut parser = Parser::default();
    for line in io::stdin().lock().split(b'\n') {
        let line = line?;
        let mut record = EximRecord::default();
        if parser.parse(&line, &mut record).is_err() {
            rejects += 1;
            continue;
        }
        let Some(id) = record.id else { continue };
        match record.body {
            EximBody::Arrival(arrival) => {
                senders.insert(id.0.to_vec(), domain(arrival.sender).to_vec());
            }
            EximBody::Delivery(delivery) if matches!(delivery.flag, Flag::Delivered | Flag::Additional) => {
                // A message that arrived before the file begins.
                let sender = senders.get(id.0).map_or(&b"(unknown)"[..], Vec::as_slice);
                *deliveries.entry(sender.to_vec()).or_default() += 1;
            }
            EximBody::Completed { .. } => {
                senders.remove(id.0);
            }
            _ => {}
        }
    }
    let mut rows: Vec<(Vec<u8>, u64)> = deliveries.into_iter().collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut out = io::stdout().lock();
    for (domain, count) in rows {
        // Whoever sends chooses the domain: it must not steer the terminal.
        writeln!(out, "{count:>10}  {}", safe_text(&domain))?;
    }
    writeln!(out, "{rejects:>10}  lines that are not of a main log")
}

/// What stands behind the last `@`; bounces have the empty sender.
fn domain(address: &[u8]) -> &[u8] {
    match address {
        b"" => b"(bounces)",
        _ => address.rsplit(|byte| *byte == b'@').next().unwrap_or_default(),
    }
}

//! One big main log, for throughput: the same traffic as the outage's, twenty times as dense, and no outage.

use std::io::{self, Write};

use super::clock::{MIDNIGHT, MINUTE};
use super::letter;
use super::noise::RelayNoise;
use super::relay::{LineSink, RELAYS, Relay};
use super::traffic::Traffic;
use super::truth::Truth;

/// Some four hundred mails a minute at the busiest hour.
const SCALE: f64 = 20.0;

/// A writer that has enough at some size.
struct Limited<'a, W> {
    out: &'a mut W,
    left: u64,
}

impl<W: Write> LineSink for Limited<'_, W> {
    fn line(&mut self, _: i64, line: &[u8]) -> io::Result<()> {
        self.left = self.left.saturating_sub(line.len() as u64);
        self.out.write_all(line)
    }

    fn is_full(&self) -> bool {
        self.left == 0
    }
}

/// Writes an Exim main log of `bytes` (and the rest of a line) to `out`; returns the number of lines. `services`
/// names who takes part (as in `service_names`); empty: all.
pub fn exim_log(out: &mut impl Write, bytes: u64, seed: u64, services: &[&str]) -> io::Result<u64> {
    Ok(exim_log_counted(out, bytes, seed, services)?.lines)
}

/// The same, with what was written.
pub fn exim_log_counted(out: &mut impl Write, bytes: u64, seed: u64, services: &[&str]) -> io::Result<Truth> {
    let from = MIDNIGHT - 7 * 86_400;
    let mut relay = Relay::new(&RELAYS[0], false, Limited { out, left: bytes });
    let mut traffic = Traffic::new(seed, SCALE, false, |name| {
        services.is_empty() || services.contains(&name)
    });
    let mut noise = RelayNoise::new(&relay, seed, 0, 1.3 * SCALE, from);
    let mut minute = from;
    while !relay.sink.is_full() {
        noise.minute(&mut relay, minute);
        for mail in &traffic.minute(minute) {
            letter::plan(&mut relay, mail);
        }
        minute += MINUTE;
        relay.drain(minute)?;
    }
    let mut truth = Truth {
        from,
        until: minute,
        ..Truth::default()
    };
    truth.add(&relay.counter, RELAYS[0].name);
    Ok(truth)
}

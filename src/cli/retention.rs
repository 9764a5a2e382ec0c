//! Retention as commands ask for it: what this machine says of time (the clock, which may be wrong, and for how long it
//! has run, which is not), `store compact`, and what is told of what is held back.

use super::context::Context;
use super::output;
use super::window::now_ms;
use crate::query::time::rfc3339;
use crate::store::retention::{HeldBack, MachineTime, Retention};
use anyhow::Result;
use std::sync::OnceLock;
use std::time::Instant;

/// The machine's time.
pub fn machine_time() -> MachineTime {
    let wall_ms = now_ms();
    let (boot, uptime_ms) = boot().unwrap_or_else(process);
    MachineTime {
        wall_ms,
        boot,
        uptime_ms,
    }
}

/// The configured retention as of now.
pub fn retention(days: u32) -> Retention {
    Retention {
        days,
        machine: machine_time(),
        force: false,
    }
}

/// `mailpulse store compact`.
pub fn compact(context: &Context, force: bool) -> Result<()> {
    let config = context.config()?;
    let store = context.create_store(&config)?;
    let retention = Retention {
        force,
        ..retention(config.store.retain_days)
    };
    let done = store.compact(Some(&retention))?;
    super::backfill::copy_catalogue(&store);
    output::line(&format!(
        "{} segments became {}; {} beyond the retention were removed",
        done.merged, done.into, done.expired
    ))?;
    if let Some(words) = held_back(&store.held_back(&retention)?, retention.days) {
        output::talk(&words);
    }
    Ok(())
}

/// What retention does not remove, why, and what to do; None if there is nothing.
pub fn held_back(held: &HeldBack, days: u32) -> Option<String> {
    let events = held.events();
    if events == 0 {
        return None;
    }
    let first = held.sources.iter().map(|source| source.span_ms.0).min();
    let last = held.sources.iter().map(|source| source.span_ms.1).max();
    let (first, last) = (rfc3339(first.unwrap_or(0)), rfc3339(last.unwrap_or(0)));
    let why = match held.step_ms {
        0 => "they were as old when they were stored, or the clock has made a leap".to_owned(),
        step => format!(
            "the clock and the newest event are {:.1} days ahead of the store's time, and this machine has not run for so \
             long",
            step as f64 / 86_400_000.0
        ),
    };
    Some(format!(
        "held back: {events} events from {first} to {last} are older than {days} days (retain_days) and stay: {why}. If \
         the clock is right and they can go: mailpulse store compact --force"
    ))
}

/// Linux names each boot, and counts the time since, sleep included.
fn boot() -> Option<(i64, i64)> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    Some((number_of(id.trim()), uptime_ms(&uptime)?))
}

fn uptime_ms(text: &str) -> Option<i64> {
    let seconds: f64 = text.split(' ').next()?.parse().ok()?;
    Some((seconds * 1000.0) as i64)
}

fn number_of(id: &str) -> i64 {
    let hash = blake3::hash(id.as_bytes());
    let bytes = hash.as_bytes().first_chunk().copied().unwrap_or_default();
    i64::from_le_bytes(bytes)
}

/// Elsewhere a start of this program counts as one of the machine.
fn process() -> (i64, i64) {
    static START: OnceLock<(Instant, i64)> = OnceLock::new();
    let (begin, name) = START.get_or_init(|| {
        let name = format!("{} {}", std::process::id(), now_ms());
        (Instant::now(), number_of(&name))
    });
    (*name, begin.elapsed().as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_time_goes_on_and_the_boot_keeps_its_name() {
        assert_eq!(uptime_ms("12345.67 99999.00\n"), Some(12_345_670));
        assert_eq!(uptime_ms(""), None);
        let (first, second) = (machine_time(), machine_time());
        assert_eq!(first.boot, second.boot);
        assert!(first.uptime_ms <= second.uptime_ms);
        let (name, _) = process();
        assert_eq!(name, process().0);
    }
}

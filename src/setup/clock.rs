//! What this machine says of time beside its clock, which may be wrong: for how long it has run, which is not.

use crate::clock::now_ms;
use crate::store::retention::{MachineTime, Retention};
use std::sync::OnceLock;
use std::time::Instant;

/// The machine's time.
pub(crate) fn machine_time() -> MachineTime {
    let wall_ms = now_ms();
    let (boot, uptime_ms) = boot().unwrap_or_else(process);
    MachineTime {
        wall_ms,
        boot,
        uptime_ms,
    }
}

/// The configured retention as of now.
pub(crate) fn retention(days: u32) -> Retention {
    Retention {
        days,
        machine: machine_time(),
        force: false,
    }
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
        let name = format!("{} {}", std::process::id(), now_ms().get());
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

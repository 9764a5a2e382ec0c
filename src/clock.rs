//! The machine's clock, in the one place where this program reads it. Everything else takes the time as an argument.
//!
//! A debug build, as tests use it, reads the time from a file instead if `MAILPULSE_CLOCK` names one: milliseconds since
//! 1970, UTC. It stands still until the file says something else. A release build has no such switch.

use crate::model::time::UtcMs;

/// The time.
#[expect(clippy::disallowed_methods, reason = "here, and nowhere else")]
#[must_use]
pub fn now_ms() -> UtcMs {
    #[cfg(debug_assertions)]
    if let Some(at) = from_file() {
        return at;
    }
    UtcMs::from(jiff::Timestamp::now())
}

#[cfg(debug_assertions)]
fn from_file() -> Option<UtcMs> {
    let text = std::fs::read_to_string(std::env::var_os("MAILPULSE_CLOCK")?).ok()?;
    text.trim().parse().ok().map(UtcMs::new)
}

//! What message IDs say of the zones of logs, for people.

use crate::clock::now_ms;
use crate::config::machine_zone;
use crate::normalise::exim::zone::{WrongZone, ZoneVerdict};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::path::Path;

/// This machine's zone, for the cure.
pub(crate) fn here() -> Option<(String, TimeZone)> {
    machine_zone(Path::new("/"), std::env::var("TZ").ok().as_deref(), now()).map(|zone| zone.named())
}

/// The clock.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_millisecond(now_ms().get()).unwrap_or_default()
}

/// What is wrong with a zone and what to do; nothing where it is right, or nobody knows.
pub(crate) fn warning(verdict: ZoneVerdict) -> Option<String> {
    match verdict {
        ZoneVerdict::Wrong(wrong) => Some(words(&wrong)),
        ZoneVerdict::Right | ZoneVerdict::Unknown => None,
    }
}

fn words(wrong: &WrongZone) -> String {
    wrong.words(here().as_ref())
}

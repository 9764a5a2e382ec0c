//! Whose clock and whose holidays a service's mail follows: an office's mail follows the wall clock of its town, and stays
//! away on its holidays.

use super::holidays::Holidays;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A clock on the wall and the days on which less mail is no wonder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rhythm {
    /// Zone of the hours.
    pub zone: TimeZone,
    /// Declared holidays.
    pub holidays: Arc<Holidays>,
}

impl Default for Rhythm {
    fn default() -> Self {
        Rhythm {
            zone: TimeZone::UTC,
            holidays: Arc::default(),
        }
    }
}

/// The rhythms of a fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rhythms {
    /// What holds where nothing else is said.
    pub usual: Rhythm,
    /// By service.
    pub own: BTreeMap<String, Rhythm>,
}

impl Rhythms {
    /// A service's.
    #[must_use]
    pub fn of(&self, service: &str) -> &Rhythm {
        self.own.get(service).unwrap_or(&self.usual)
    }
}

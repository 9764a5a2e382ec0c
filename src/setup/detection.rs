//! The detection's options: the method's constants, the configuration, and what a command says instead.

use crate::analysis::kept::Kept;
use crate::config::Config;
use crate::detect::engine::Options;
use crate::detect::holidays::Holidays;
use crate::detect::tuning::Tuning;
use crate::setup::alerts::kept_path;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// What the detection knows, as `watch` keeps it.
pub(crate) fn kept(config: &Config) -> Kept {
    Kept::new(&kept_path(config))
}

/// The same for who asks often and may not write: what it finds out itself stays in memory.
pub(crate) fn kept_in_memory(config: &Config) -> Kept {
    Kept::with_memory(&kept_path(config))
}

/// What a command says instead of the configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides {
    /// Declared holidays.
    pub holidays: Option<Holidays>,
    /// Zone whose hours the services follow.
    pub zone: Option<TimeZone>,
    /// Days of silence after which a service is taken for retired.
    pub retire_days: Option<u32>,
}

/// The detection's options. Zone and holidays of a command hold for services that have none of their own.
pub(crate) fn options(config: &Config, overrides: &Overrides) -> Options {
    let mut options = Options::default();
    let usual = Tuning::default();
    options.tuning = Tuning {
        retire_d: overrides.retire_days.unwrap_or(usual.retire_d),
        budget: config.detect.false_alarms_per_service_per_90_days.max(1e-6),
        ..usual
    };
    options.declared = Arc::clone(&config.detect.declared);
    options.rhythms = config.detect.rhythms.clone();
    if let Some(zone) = &overrides.zone {
        options.rhythms.usual.zone = zone.clone();
    }
    if let Some(holidays) = &overrides.holidays {
        options.rhythms.usual.holidays = Arc::new(holidays.clone());
    }
    options
}

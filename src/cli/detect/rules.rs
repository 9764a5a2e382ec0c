//! What a command line says to the detection instead of the configuration.

use crate::cli::output;
use crate::config::{RRULE_HINT, parse_timezone, read_holidays};
use crate::detect::holidays::Holidays;
use crate::setup::detection::Overrides;
use anyhow::{Result, anyhow};
use jiff::tz::TimeZone;
use std::path::PathBuf;

/// What is told to the detection.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct RuleArgs {
    /// Declared holidays: one date per line (2018-05-21), or an iCalendar file; less mail on these days raises no alarm
    /// [default: those of [detect] and of the services in the configuration]
    #[arg(long, value_name = "FILE")]
    pub holidays: Option<PathBuf>,
    /// Time zone of the daily rhythm [default: that of [detect] in the configuration, otherwise UTC]
    #[arg(long, value_name = "NAME")]
    pub zone: Option<String>,
    /// Days of silence after which a service counts as retired until its next mail [default: 28]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub retire_days: Option<u32>,
}

impl RuleArgs {
    /// Reads and checks them. Says on stderr what of a calendar is not understood.
    ///
    /// # Errors
    /// There is no such zone; the file of holidays cannot be read.
    pub(crate) fn overrides(&self) -> Result<Overrides> {
        Ok(Overrides {
            zone: zone(self)?,
            holidays: holidays(self)?,
            retire_days: self.retire_days,
        })
    }
}

fn zone(rules: &RuleArgs) -> Result<Option<TimeZone>> {
    let zone = rules
        .zone
        .as_deref()
        .map(|name| parse_timezone(name).map_err(|cure| anyhow!("--zone {name}: no such time zone; {cure}")));
    zone.transpose()
}

fn holidays(rules: &RuleArgs) -> Result<Option<Holidays>> {
    let holidays = rules
        .holidays
        .as_deref()
        .map(|path| read_holidays(path).map_err(|bad| anyhow!("--holidays: {bad}")));
    let holidays = holidays.transpose()?;
    for line in holidays.iter().flat_map(Holidays::once) {
        output::talk(&format!(
            "warning: --holidays: line {line}: this RRULE is not supported, and its event counts once; {RRULE_HINT}"
        ));
    }
    Ok(holidays)
}

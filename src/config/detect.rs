//! `[detect]`, and what each `[[service]]` says of its rhythm.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::at::At;
use super::errors::shown;
use super::raw::{RawDetect, RawService};
use super::report::Report;
use super::text::read_limited;
use super::zone::parse_timezone;
use crate::detect::declared::DeclaredTime;
use crate::detect::holidays::Holidays;
use crate::detect::rhythm::{Rhythm, Rhythms};

/// Far beyond any calendar of holidays.
const HOLIDAYS_BYTES_MAX: u64 = 16 << 20;

/// What to do about a path that leads nowhere.
const HINT: &str = "correct the path: it is relative to the main configuration file";

/// What to do about a repetition that is not understood.
pub(crate) const RRULE_HINT: &str =
    "write the date of each year, or `FREQ=YEARLY` with a date or with `BYMONTH` and `BYDAY` (4TH, -1MO)";

/// Detection of outages.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectConfig {
    /// The budget of false alarms.
    pub false_alarms_per_service_per_90_days: f64,
    /// Clocks and holidays, of all and of each service.
    pub rhythms: Rhythms,
    /// Mail that is promised for set times.
    pub declared: Arc<[DeclaredTime]>,
    /// Whether `watch` sends what is provisional.
    pub send_provisional: bool,
    /// Who watches.
    pub owner: Option<String>,
}

impl Default for DetectConfig {
    fn default() -> Self {
        Self::of(&RawDetect::default(), Rhythms::default())
    }
}

impl DetectConfig {
    fn of(raw: &RawDetect, rhythms: Rhythms) -> Self {
        Self {
            false_alarms_per_service_per_90_days: raw.false_alarms_per_service_per_90_days,
            rhythms,
            declared: Arc::default(),
            send_provisional: raw.send_provisional,
            owner: raw.owner.as_ref().map(|owner| owner.get().clone()),
        }
    }
}

/// Why a calendar is of no use: what is wrong, and the hint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {hint}")]
pub(crate) struct HolidayFile {
    /// What is wrong, with file and line.
    pub what: String,
    /// What to do about it.
    pub hint: &'static str,
}

/// Reads a file of holidays: iCalendar, or one date a line.
///
/// # Errors
/// It cannot be read, or a line of it is neither.
pub(crate) fn read_holidays(path: &Path) -> Result<Holidays, HolidayFile> {
    named(path, &path.to_string_lossy(), "correct the path")
}

fn named(path: &Path, name: &str, hint: &'static str) -> Result<Holidays, HolidayFile> {
    let name = shown(name);
    let text = read_limited(path, HOLIDAYS_BYTES_MAX).and_then(|bytes| {
        String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8"))
    });
    let text = text.map_err(|why| HolidayFile {
        what: format!("holidays `{name}` cannot be read: {why}"),
        hint,
    })?;
    Holidays::parse(&text).map_err(|why| HolidayFile {
        what: format!("holidays `{name}`, {why}"),
        hint: "write one date per line, such as 2026-12-25, or an iCalendar file with all-day events",
    })
}

/// Reads zones and calendars. Each file is read once, however many services name it.
pub(super) fn check(
    raw: RawDetect,
    services: &[At<RawService>],
    folder: &Path,
    report: &mut Report<'_>,
) -> DetectConfig {
    let mut calendars = Calendars {
        folder,
        read: Vec::new(),
    };
    let usual = Rhythm {
        zone: raw.timezone.as_ref().map_or(TimeZone::UTC, |text| zone(text, report)),
        holidays: calendars.all(&raw.holidays, report),
    };
    let mut rhythms = Rhythms {
        usual,
        ..Rhythms::default()
    };
    for service in services.iter().map(At::get) {
        let Some(name) = &service.name else { continue };
        if service.timezone.is_none() && service.holidays.is_none() {
            continue;
        }
        let own = Rhythm {
            zone: match &service.timezone {
                Some(text) => zone(text, report),
                None => rhythms.usual.zone.clone(),
            },
            holidays: match &service.holidays {
                Some(paths) => calendars.all(paths, report),
                None => Arc::clone(&rhythms.usual.holidays),
            },
        };
        rhythms.own.insert(name.get().clone(), own);
    }
    if let Some(owner) = raw.owner.as_ref().filter(|owner| !is_name(owner.get())) {
        report.add(
            &owner.at(),
            format!("`owner = \"{}\"` cannot be part of a file's name", shown(owner.get())),
            "write up to 64 letters, digits, `-`, `.`, and `_`, such as `mail-team`",
        );
    }
    DetectConfig::of(&raw, rhythms)
}

/// Whether a text can be part of a file's name.
fn is_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    (1..=64).contains(&text.len()) && text.chars().all(is_plain)
}

fn zone(text: &At<String>, report: &mut Report<'_>) -> TimeZone {
    parse_timezone(text.get()).unwrap_or_else(|hint| {
        let what = format!("unknown `timezone = \"{}\"`", shown(text.get()));
        report.add(&text.at(), what, hint);
        TimeZone::UTC
    })
}

/// Calendars that have been read.
struct Calendars<'f> {
    folder: &'f Path,
    read: Vec<(PathBuf, Arc<Holidays>)>,
}

impl Calendars<'_> {
    /// The days of all files.
    fn all(&mut self, paths: &[At<String>], report: &mut Report<'_>) -> Arc<Holidays> {
        let mut each: Vec<Arc<Holidays>> = paths.iter().map(|path| self.one(path, report)).collect();
        if each.len() == 1 {
            return each.remove(0);
        }
        let mut sum = Holidays::default();
        each.iter().for_each(|days| sum.extend(days));
        Arc::new(sum)
    }

    fn one(&mut self, path: &At<String>, report: &mut Report<'_>) -> Arc<Holidays> {
        let full = self.folder.join(path.get());
        if let Some((_, known)) = self.read.iter().find(|(read, _)| *read == full) {
            return Arc::clone(known);
        }
        let days = Arc::new(named(&full, path.get(), HINT).unwrap_or_else(|bad| {
            report.add(&path.at(), bad.what, bad.hint);
            Holidays::default()
        }));
        for line in days.once() {
            let what = format!(
                "holidays `{}`, line {line}: this RRULE is not supported, and its event counts once",
                shown(path.get())
            );
            report.warn(&path.at(), what, RRULE_HINT);
        }
        if days.is_empty() && full.exists() {
            let what = format!("holidays `{}` has no day", shown(path.get()));
            let hint = "add dates or all-day events; events with a time of day do not count";
            report.warn(&path.at(), what, hint);
        }
        self.read.push((full, Arc::clone(&days)));
        days
    }
}

//! The detection as bytes, so that a restart goes on where it stood. Numbers keep every bit: a detection that was kept and
//! woken finds what one finds that never stopped.
//!
//! The options are not kept. Who wakes a detection hands them in again, and must see to it that they are the same.

use super::detector::DetectorConfig;
use super::engine::{Engine, Options};
use super::fleet::Id;
use super::rhythm::{Rhythm, Rhythms};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Version of the rules by which the detection finds, and of the form in which it is kept. Raise it with every change of this
/// room after which the same minutes give other findings, or after which a kept detection reads differently: what was kept
/// by another version is not used, and the history is replayed once. `kept_tests` fails where this was forgotten.
pub const RULES: u32 = 9;

/// Why bytes are no detection.
#[derive(Debug)]
pub struct NotKept(String);

impl fmt::Display for NotKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotKept {}

impl From<postcard::Error> for NotKept {
    fn from(why: postcard::Error) -> Self {
        NotKept(why.to_string())
    }
}

/// Relays that have a clock, with its zone; none for the usual one.
type Zones = BTreeMap<Id, Option<TimeZone>>;

/// Whose clock and holidays something follows, by number: 0 is the usual rhythm, the others are services' in the order of
/// their names.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Clocks {
    /// By series: zone and holidays.
    series: Vec<(u32, u32)>,
    /// By relay.
    relays: BTreeMap<Id, Option<u32>>,
}

/// All rhythms of a configuration, by number.
fn numbered(rhythms: &Rhythms) -> Vec<&Rhythm> {
    std::iter::once(&rhythms.usual).chain(rhythms.own.values()).collect()
}

/// The number of the first rhythm of which something is true.
fn number(all: &[&Rhythm], is_it: impl Fn(&Rhythm) -> bool) -> u32 {
    all.iter().position(|rhythm| is_it(rhythm)).unwrap_or(0) as u32
}

impl Clocks {
    fn of(engine: &Engine) -> Clocks {
        let all = numbered(&engine.options.rhythms);
        let zone = |zone: &TimeZone| number(&all, |rhythm| rhythm.zone == *zone);
        let series = engine.volumes.rhythms().map(|one| {
            let holidays = number(&all, |rhythm| {
                Arc::ptr_eq(&rhythm.holidays, &one.holidays) || rhythm.holidays == one.holidays
            });
            (zone(&one.zone), holidays)
        });
        let relays = engine.days.zones().map(|(relay, own)| (relay, own.map(zone)));
        Clocks {
            series: series.collect(),
            relays: relays.collect(),
        }
    }

    /// Clock and holidays of each series, and relays with a clock of their own.
    fn resolve(self, rhythms: &Rhythms) -> Result<(Vec<Rhythm>, Zones), NotKept> {
        let all = numbered(rhythms);
        let find = |number: u32| {
            let found = all.get(number as usize).copied();
            found.ok_or_else(|| NotKept(format!("rhythm {number} of {}", all.len())))
        };
        let series = self.series.iter().map(|(zone, holidays)| {
            Ok(Rhythm {
                zone: find(*zone)?.zone.clone(),
                holidays: Arc::clone(&find(*holidays)?.holidays),
            })
        });
        let relays = self.relays.iter().map(|(relay, zone)| {
            let zone = zone.map(|zone| find(zone).map(|rhythm| rhythm.zone.clone()));
            Ok((*relay, zone.transpose()?))
        });
        Ok((
            series.collect::<Result<_, NotKept>>()?,
            relays.collect::<Result<_, NotKept>>()?,
        ))
    }
}

impl Engine {
    /// The detection as it stands, without its options.
    ///
    /// # Errors
    /// It cannot be encoded.
    pub fn to_bytes(&self) -> Result<Vec<u8>, NotKept> {
        Ok(postcard::to_allocvec(&(self, Clocks::of(self)))?)
    }

    /// The detection that was kept, under the options that it had.
    ///
    /// # Errors
    /// The bytes are none of this version's.
    pub fn from_bytes(bytes: &[u8], options: Options) -> Result<Engine, NotKept> {
        let (mut engine, clocks): (Engine, Clocks) = postcard::from_bytes(bytes)?;
        let (series, relays) = clocks.resolve(&options.rhythms)?;
        engine.days = std::mem::take(&mut engine.days).wake(options.rhythms.clone(), relays);
        let config = Engine::config(&options);
        engine.volumes.wake(config, series).map_err(NotKept)?;
        if engine.declared.len() > options.declared.len() {
            return Err(NotKept(format!(
                "{} declared times of {}",
                engine.declared.len(),
                options.declared.len()
            )));
        }
        engine.options = options;
        Ok(engine)
    }

    /// What the series are told of the options. A mail counts in the series of its service, its hostgroup and its relay: each
    /// has a third of the budget.
    pub(super) fn config(options: &Options) -> DetectorConfig {
        let mut tuning = options.tuning.clone();
        tuning.budget /= 3.0;
        DetectorConfig {
            tuning,
            holidays: Arc::clone(&options.rhythms.usual.holidays),
        }
    }
}

/// Options in words that are equal where the options are.
pub fn options_text(options: &Options) -> String {
    format!("{options:?}")
}

//! The zone that an Exim log is written in, by its own word: the first six characters of a message ID are the arrival's
//! time in UTC, and the line says the same moment in the log's zone.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mailpulse_parsers::exim::parse;
use mailpulse_parsers::exim::record::EximBody;

/// What is read of a log: its end, so that it is the zone of now.
const END_BYTES: u64 = 256 << 10;
/// Fewer arrivals prove nothing.
const PROOF_MIN: usize = 3;
/// Zones are quarters of an hour apart.
const STEP_S: i64 = 900;

/// What a log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LogZone {
    /// Offset of its times from UTC, seconds east.
    pub offset_s: i64,
    /// When that was, seconds since 1970.
    epoch: i64,
    /// Arrivals that agree.
    pub arrivals: usize,
}

impl LogZone {
    /// Whether a zone has this offset at that time.
    pub(super) fn fits(&self, zone: &TimeZone) -> bool {
        let at = Timestamp::from_second(self.epoch).unwrap_or_default();
        i64::from(zone.to_offset(at).seconds()) == self.offset_s
    }

    /// As a configuration has it.
    pub(super) fn text(&self) -> String {
        let sign = if self.offset_s < 0 { '-' } else { '+' };
        let minutes = self.offset_s.abs() / 60;
        format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// What the end of a plain log says; nothing if its lines carry an offset of their own, or too few arrivals agree.
pub(super) fn log_zone(path: &Path) -> Option<LogZone> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END_BYTES))).ok()?;
    let mut bytes = Vec::new();
    file.take(END_BYTES).read_to_end(&mut bytes).ok()?;
    of_lines(bytes.split(|byte| *byte == b'\n'))
}

fn of_lines<'l>(lines: impl Iterator<Item = &'l [u8]>) -> Option<LogZone> {
    let mut found: Vec<LogZone> = Vec::new();
    let mut all = 0;
    for line in lines {
        let Ok(record) = parse(line) else { continue };
        let (EximBody::Arrival(_), Some(id), None) = (&record.body, record.id, record.stamp.offset_seconds) else {
            continue;
        };
        let Some(epoch) = id.arrival_epoch() else { continue };
        let ahead_s = record.stamp.utc_ms() / 1000 - epoch;
        let offset_s = (ahead_s + STEP_S / 2).div_euclid(STEP_S) * STEP_S;
        all += 1;
        // A slow arrival is logged minutes after its ID was made.
        if (ahead_s - offset_s).abs() > 120 || offset_s.abs() > 15 * 3_600 {
            continue;
        }
        match found.iter_mut().find(|zone| zone.offset_s == offset_s) {
            Some(zone) => (zone.epoch, zone.arrivals) = (epoch, zone.arrivals + 1),
            None => found.push(LogZone {
                offset_s,
                epoch,
                arrivals: 1,
            }),
        }
    }
    // A change of the clock in between: the newer counts, if it is sure.
    let newest = found
        .into_iter()
        .filter(|zone| zone.arrivals >= PROOF_MIN)
        .max_by_key(|zone| zone.epoch)?;
    (newest.arrivals * 10 >= all).then_some(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(lines: &[(&str, &str)]) -> Option<LogZone> {
        let text: Vec<String> = lines
            .iter()
            .map(|(time, id)| format!("{time} {id}-0004xF-2W <= a@example.org H=x [192.0.2.1] P=esmtp S=900"))
            .collect();
        of_lines(text.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn message_ids_say_what_the_times_are() {
        // 1fQcj2 is 2018-06-06T18:00:00Z.
        let summer = [("2018-06-06 20:00:00", "1fQcj2"); 4];
        let zone = log(&summer).unwrap();
        assert_eq!((zone.text().as_str(), zone.arrivals), ("+02:00", 4));
        assert!(zone.fits(&TimeZone::get("Europe/Berlin").unwrap()) && !zone.fits(&TimeZone::UTC));
        assert_eq!(log(&summer[..2]), None);
        assert_eq!(log(&[("2018-06-06 18:00:05", "1fQcj2"); 4]).unwrap().text(), "+00:00");
        assert_eq!(log(&[("2018-06-06 12:30:00", "1fQcj2"); 4]).unwrap().text(), "-05:30");
        assert_eq!(log(&[("2018-06-06 20:00:00 +0200", "1fQcj2"); 4]), None);
    }
}

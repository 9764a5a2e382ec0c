//! The zone in which a page writes times: that of the configuration, or the one that a reader has chosen in the address.

use crate::config::parse_timezone;
use crate::model::human;
use crate::model::time::{SECOND_MS, UtcMs, rfc3339};
use crate::query::Window;
use jiff::Zoned;
use jiff::tz::TimeZone;

/// Names of zones are shorter.
const NAME_MAX: usize = 64;

/// A zone with its name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PageZone {
    name: String,
    zone: TimeZone,
}

impl Default for PageZone {
    fn default() -> Self {
        PageZone {
            name: "UTC".to_owned(),
            zone: TimeZone::UTC,
        }
    }
}

impl PageZone {
    /// Of the name that people write.
    ///
    /// # Errors
    /// There is no such zone: what to write.
    pub(super) fn named(text: &str) -> Result<PageZone, String> {
        let text = text.trim();
        if text.len() > NAME_MAX {
            return Err("no zone has so long a name".to_owned());
        }
        let zone =
            parse_timezone(text).map_err(|hint| format!("`{}` is not a time zone; {hint}", text.escape_debug()))?;
        let name = match (zone.iana_name(), zone == TimeZone::UTC) {
            (_, true) => "UTC",
            // As the database spells it.
            (Some(name), false) => name,
            (None, false) => text,
        };
        Ok(PageZone {
            name: name.to_owned(),
            zone,
        })
    }

    /// `Europe/Berlin`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The zone.
    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    fn at(&self, at: UtcMs) -> Option<Zoned> {
        let time = at.timestamp().ok()?;
        Some(time.to_zoned(self.zone.clone()))
    }

    /// `2018-06-06 21:05 CEST`.
    pub(super) fn clock(&self, at: UtcMs) -> String {
        self.at(at)
            .map_or_else(|| rfc3339(at), |time| time.strftime("%F %H:%M %Z").to_string())
    }

    /// `2018-06-06 21:05:31.120`, for tables that say of which zone they are.
    pub(super) fn exact(&self, at: UtcMs) -> String {
        self.at(at).map_or_else(
            || rfc3339(at),
            |time| match at == at.floor_to(SECOND_MS) {
                true => time.strftime("%F %H:%M:%S").to_string(),
                false => time.strftime("%F %H:%M:%S%.3f").to_string(),
            },
        )
    }

    /// `21:05`, with the day where that is another one.
    pub(super) fn clock_near(&self, at: UtcMs, now_ms: UtcMs) -> String {
        match (self.at(at), self.at(now_ms)) {
            (Some(time), Some(now)) if time.date() == now.date() => time.strftime("%H:%M").to_string(),
            (Some(time), Some(_)) => time.strftime("%F %H:%M").to_string(),
            _ => human::ago(now_ms - at),
        }
    }

    /// What the zone is ahead of UTC, milliseconds, if its clocks do not change in a window.
    pub(super) fn steady_offset_ms(&self, window: Window) -> Option<i64> {
        let since = window.since_ms.timestamp().ok()?;
        let until = window.until_ms.timestamp().ok()?;
        let offset = self.zone.to_offset(since);
        let changes = self.zone.following(since).next();
        let is_steady = changes.is_none_or(|change| change.timestamp() >= until || change.offset() == offset);
        is_steady.then(|| i64::from(offset.seconds()) * 1_000)
    }
}

/// The clock of a graph: the zone of its page, or UTC where the clocks of that zone change within the graph. Buckets of a day
/// begin at its midnight.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct GraphClock {
    zone: PageZone,
    /// What it is ahead of UTC, milliseconds.
    offset_ms: i64,
    /// The zone that changes.
    unsteady: Option<String>,
}

impl GraphClock {
    /// Of a graph of a window.
    pub(super) fn of(zone: &PageZone, window: Window) -> GraphClock {
        match zone.steady_offset_ms(window) {
            Some(offset_ms) => GraphClock {
                zone: zone.clone(),
                offset_ms,
                unsteady: None,
            },
            None => GraphClock {
                unsteady: Some(zone.name().to_owned()),
                ..GraphClock::default()
            },
        }
    }

    /// A moment at which a bucket begins.
    pub(super) fn origin_ms(&self) -> UtcMs {
        UtcMs::EPOCH - self.offset_ms
    }

    /// The zone.
    pub(super) fn zone(&self) -> &PageZone {
        &self.zone
    }

    /// What a drawn time is ahead of UTC, milliseconds.
    pub(super) fn offset_ms(&self) -> i64 {
        self.offset_ms
    }

    /// What buckets of a length are, in a sentence or two.
    pub(super) fn words(&self, step_ms: i64) -> String {
        let (step, name) = (human::duration(step_ms), self.zone.name());
        match &self.unsteady {
            None => format!("Buckets of {step}, in {name}."),
            Some(zone) => format!("Buckets of {step}, in {name}: the clocks of {zone} change in this time."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::{DAY_MS, HOUR_MS};

    /// 2018-06-06 19:05 UTC.
    const AT: i64 = 1_528_311_900_000;

    #[test]
    fn times_are_written_in_the_zone_and_name_it() {
        let berlin = PageZone::named("europe/berlin").unwrap();
        assert_eq!(berlin.name(), "Europe/Berlin");
        assert_eq!(berlin.clock(UtcMs::new(AT)), "2018-06-06 21:05 CEST");
        assert_eq!(PageZone::default().clock(UtcMs::new(AT)), "2018-06-06 19:05 UTC");
        assert_eq!(berlin.clock_near(UtcMs::new(AT), UtcMs::new(AT + HOUR_MS)), "21:05");
        assert_eq!(
            berlin.clock_near(UtcMs::new(AT), UtcMs::new(AT + 3 * HOUR_MS)),
            "2018-06-06 21:05",
            "midnight is the zone's"
        );
        assert_eq!(berlin.exact(UtcMs::new(AT + 120)), "2018-06-06 21:05:00.120");
        assert_eq!(
            PageZone::named("+05:30").unwrap().clock(UtcMs::new(AT)),
            "2018-06-07 00:35 +05:30"
        );
        assert_eq!(PageZone::named(" utc ").unwrap(), PageZone::default());
        for bad in ["", "Berlin", "Europe/../etc/passwd", "<script>", &"x".repeat(99)] {
            assert!(PageZone::named(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_offset_is_steady_between_two_changes_of_the_clock() {
        let window = |since_ms: UtcMs, days: i64| Window {
            since_ms,
            until_ms: since_ms + days * DAY_MS,
        };
        let berlin = PageZone::named("Europe/Berlin").unwrap();
        assert_eq!(berlin.steady_offset_ms(window(UtcMs::new(AT), 30)), Some(2 * HOUR_MS));
        // Clocks were put forward on 2018-03-25.
        assert_eq!(berlin.steady_offset_ms(window(UtcMs::new(AT - 90 * DAY_MS), 90)), None);
        assert_eq!(
            PageZone::default().steady_offset_ms(window(UtcMs::new(AT), 400)),
            Some(0)
        );
        let steady = GraphClock::of(&berlin, window(UtcMs::new(AT), 30));
        assert_eq!(
            (steady.origin_ms(), steady.words(DAY_MS).as_str()),
            (UtcMs::new(-2 * HOUR_MS), "Buckets of 24 h, in Europe/Berlin.")
        );
        let changing = GraphClock::of(&berlin, window(UtcMs::new(AT - 90 * DAY_MS), 90));
        assert_eq!((changing.origin_ms(), changing.zone().name()), (UtcMs::EPOCH, "UTC"));
        assert!(changing.words(DAY_MS).contains("Europe/Berlin change"), "{changing:?}");
    }
}

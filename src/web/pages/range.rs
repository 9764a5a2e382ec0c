//! The time that a page is about: in its address, relative or absolute, both ends.

use crate::model::human;
use crate::model::time::{DAY_MS, End, MINUTE_MS, UtcMs};
use crate::query::Window;
use crate::web::failure::Failure;
use crate::web::links::Links;
use crate::web::zone::PageZone;

/// No page is about more.
const DAYS_MAX: i64 = 400;

/// What was asked for, as it stands in the address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PageRange {
    pub from: String,
    pub to: String,
}

/// Lengths that a page offers.
const OFFERED: [(&str, &str); 5] = [
    ("-1h", "1 h"),
    ("-6h", "6 h"),
    ("-24h", "24 h"),
    ("-7d", "7 d"),
    ("-28d", "28 d"),
];

impl PageRange {
    /// Of two parameters; an empty one has its default.
    pub(crate) fn of(from: &str, to: &str, default: &str) -> PageRange {
        let or = |text: &str, default: &str| match text.trim() {
            "" => default.to_owned(),
            text => text.to_owned(),
        };
        PageRange {
            from: or(from, default),
            to: or(to, "now"),
        }
    }

    /// The window. `now` is where time ends, and the minute that has begun is part of it.
    ///
    /// # Errors
    /// A text is no time, the window is empty, or it is too long.
    pub(crate) fn window(&self, end: End) -> Result<Window, Failure> {
        self.window_in(&PageZone::default(), end)
    }

    /// The same, where times without a zone are of this one.
    ///
    /// # Errors
    /// A text is no time, the window is empty, or it is too long.
    pub(crate) fn window_in(&self, zone: &PageZone, end: End) -> Result<Window, Failure> {
        let clock = |at: UtcMs| zone.clock(at);
        let parse = |name: &str, text: &str| match text {
            "now" => Ok(end.at_ms),
            text => end
                .parse_in(zone.zone(), text)
                .map_err(|why| Failure::Parameter(format!("{name}: {why}"))),
        };
        let (since, until) = (parse("from", &self.from)?, parse("to", &self.to)?);
        let window = Window {
            since_ms: since.floor_to(MINUTE_MS),
            until_ms: (until + MINUTE_MS - 1).floor_to(MINUTE_MS),
        };
        let bound_ms = 20_000 * 365 * DAY_MS;
        let years = UtcMs::EPOCH - bound_ms..UtcMs::EPOCH + bound_ms;
        if !years.contains(&since) || !years.contains(&until) {
            return Err(Failure::Parameter("from, to: no such year".to_owned()));
        }
        if since >= until {
            return Err(Failure::Parameter(format!(
                "from ({}) is not before to ({})",
                clock(since),
                clock(until)
            )));
        }
        if window.until_ms - window.since_ms > DAYS_MAX * DAY_MS {
            return Err(Failure::Parameter(format!("from, to: at most {DAYS_MAX} days")));
        }
        Ok(window)
    }

    /// In words.
    pub(crate) fn words(window: Window, zone: &PageZone) -> String {
        let length = human::duration(window.until_ms - window.since_ms);
        let (from, to) = (zone.clock(window.since_ms), zone.clock(window.until_ms));
        format!("{from} to {to} ({length})")
    }

    /// Links to the same page with other times: lengths up to now, a shift to either side, and a zoom.
    pub(crate) fn links(&self, links: &Links, page: &str, name: &str, window: Window) -> Vec<(String, String, bool)> {
        let to = |from: &str, to: &str| links.to(page, &[("name", name), ("from", from), ("to", to)]);
        let at = crate::model::time::rfc3339;
        let length = window.until_ms - window.since_ms;
        let moved = |by: i64| to(&at(window.since_ms + by), &at(window.until_ms + by));
        let mut all: Vec<(String, String, bool)> = OFFERED
            .iter()
            .map(|(from, word)| {
                (
                    to(from, "now"),
                    (*word).to_owned(),
                    self.from == *from && self.to == "now",
                )
            })
            .collect();
        all.push((moved(-length / 2), "earlier".to_owned(), false));
        all.push((moved(length / 2), "later".to_owned(), false));
        let quarter = length / 4;
        if length >= 8 * MINUTE_MS {
            let zoomed = to(&at(window.since_ms + quarter), &at(window.until_ms - quarter));
            all.push((zoomed, "zoom in".to_owned(), false));
        }
        if length <= DAYS_MAX / 2 * DAY_MS {
            let wide = to(&at(window.since_ms - length / 2), &at(window.until_ms + length / 2));
            all.push((wide, "zoom out".to_owned(), false));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: End = End {
        now_ms: UtcMs::new(1_528_311_930_000),
        at_ms: UtcMs::new(1_528_311_930_000), // 2018-06-06 19:05:30
    };

    #[test]
    fn both_ends_are_relative_or_absolute_and_whole_minutes() {
        let window = |from: &str, to: &str| PageRange::of(from, to, "-24h").window(END);
        let length = |window: Window| (window.until_ms - window.since_ms) / MINUTE_MS;
        assert_eq!(
            length(window("", "").unwrap()),
            1_441,
            "the minute that has begun is part of it"
        );
        assert_eq!(length(window("2018-06-06T18:00Z", "2018-06-06 19:00").unwrap()), 60);
        assert_eq!(length(window("-2h", "-1h").unwrap()), 61);
        for (from, to, why) in [
            ("now", "", "not before"),
            ("-1h", "-2h", "not before"),
            ("yesterday", "", "from: "),
            ("", "<script>", "to: "),
            ("-401d", "", "400 days"),
            ("-99999999999999w", "", "from: "),
            ("-2000000w", "", "year"),
        ] {
            let Err(Failure::Parameter(said)) = window(from, to) else {
                panic!("{from} {to}")
            };
            assert!(said.contains(why), "{said}");
        }
    }
}

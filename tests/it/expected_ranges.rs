//! Graphs of weeks are drawn from what was kept of their buckets: as a replay of all of their time draws them.

use crate::logs::passed_on;
use crate::serve::night;
use crate::util::Place;
use mailpulse::analysis::expected::{Picture, draw_from, draw_in};
use mailpulse::analysis::expected_ranges::{BucketGrid, ExpectedRanges};
use mailpulse::analysis::kept::Kept;
use mailpulse::detect::engine::Options;
use mailpulse::model::direction::DirectionView;
use mailpulse::model::time::{HOUR_MS, UtcMs};
use mailpulse::query::Window;
use mailpulse::query::rates::{By, RateQuestion, rates};
use mailpulse::query::series::{GraphMark, SeriesSet};
use mailpulse::store::Store;

/// 2018-06-06 22:10 UTC, in the middle of a bucket.
const END: UtcMs = UtcMs::new(1_528_323_000_000);

struct Drawing {
    store: Store,
    kept: Kept,
    ranges: ExpectedRanges,
}

impl Drawing {
    fn of(place: &Place) -> Drawing {
        Drawing {
            store: place.store(),
            kept: Kept::new(&place.path("store/detection")),
            ranges: ExpectedRanges::default(),
        }
    }

    fn question(by: By, days: i64) -> RateQuestion {
        let window = Window {
            since_ms: (END - days * 24 * HOUR_MS).floor_to(HOUR_MS),
            until_ms: END,
        };
        RateQuestion::accepted(window, HOUR_MS, by, DirectionView::default())
    }

    /// By what was kept, and by a replay.
    fn both(&self, question: &RateQuestion) -> [(SeriesSet, Vec<GraphMark>); 2] {
        let new = || rates(&self.store, question).unwrap();
        let (mut quick, mut whole) = (new(), new());
        let picture = Picture {
            question,
            set: &mut quick,
        };
        let marks = draw_from(
            &self.store,
            (&self.kept, &self.ranges),
            Options::default(),
            picture,
            END,
        )
        .unwrap();
        let picture = Picture {
            question,
            set: &mut whole,
        };
        let all = draw_in(&self.store, &self.kept, Options::default(), &mut [picture], END).unwrap();
        [(quick, marks), (whole, all.concat())]
    }

    #[track_caller]
    fn are_the_same(&self, question: &RateQuestion) {
        let [quick, whole] = self.both(question);
        assert_eq!(format!("{quick:?}"), format!("{whole:?}"));
        let expected = quick.0.series.iter().filter_map(|series| series.expected.as_ref());
        assert!(expected.flatten().flatten().count() > 100, "{question:?}");
        assert!(!quick.1.is_empty(), "the alarm of the night is drawn");
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_graph_of_days_is_drawn_from_what_was_kept_as_a_replay_draws_it_also_after_late_rows() {
    let place = Place::copy_of(night());
    let drawing = Drawing::of(&place);
    let of_services = Drawing::question(By::Service, 4);
    drawing.are_the_same(&of_services);
    // Others are drawn from the same buckets.
    drawing.are_the_same(&Drawing::question(By::Relay, 3));
    let grid = BucketGrid::of(HOUR_MS, UtcMs::EPOCH);
    let at = |time: UtcMs| drawing.ranges.expected(grid, grid.start(time), ("service", "gerrit"));
    let (first, last) = (at(of_services.window.since_ms), at(END - HOUR_MS));
    assert!(first.is_some() && last.is_some());
    assert_eq!(at(END), None, "what is not over is not kept");
    // Three days before the end, 500 mails come late: what was learned from them changes all that follows.
    let from_s = (END - 72 * HOUR_MS).second().get();
    let late = (0..500).map(|n| passed_on(from_s + n, &format!("1fZZ{:02}-{:06}-A1", n / 100, n), "late"));
    place.write("late.log", late.collect::<String>());
    place.backfill_as("mx2001", &[&place.path("late.log")]).ends(0);
    drawing.are_the_same(&of_services);
    assert_eq!(at(of_services.window.since_ms), first, "what was before them stays");
}

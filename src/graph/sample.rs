//! Made-up data for the tests: daily rhythm, an outage of seven hours, a gap; seeded, so always the same.

use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UtcMs};
use crate::query::series::{GraphMark, MarkKind, Series, SeriesSet};

/// 2018-06-07 00:00 UTC: the end of every sample.
const END: UtcMs = UtcMs::new(1_528_329_600_000);
const NAMES: [&str; 8] = [
    "phabricator",
    "gerrit",
    "hue",
    "iegreview",
    "oozie",
    "wikimania_scholarships",
    "sentry",
    "snapshot",
];

/// One series on minutes from 1970 on.
pub(super) fn flat(name: &str, points: &[Option<f64>]) -> SeriesSet {
    let series = vec![Series {
        name: name.to_owned(),
        points: points.to_vec(),
        expected: None,
    }];
    SeriesSet {
        title: "t".to_owned(),
        unit: "u".to_owned(),
        start_ms: UtcMs::new(0),
        step_ms: MINUTE_MS,
        series,
    }
}

/// `services` services over `days` days; in the last day an outage from 11:00 to 18:00 that every third survives, and
/// before it a gap of two hours in all series (and one of six in the second).
pub(super) fn outage(services: usize, days: i64, step_ms: i64) -> (SeriesSet, Vec<GraphMark>) {
    let start_ms = END - days * DAY_MS;
    let mut seed = 42_u64;
    let mut noise = move || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 40) as f64 / f64::from(1 << 24) - 0.5
    };
    let (outage_from, outage_to) = (END - 13 * HOUR_MS, END - 6 * HOUR_MS);
    let gap_from = END - (days * 24 * 3 / 4) * HOUR_MS;
    let mut series = Vec::new();
    let mut marks = Vec::new();
    for service in 0..services {
        let name = NAMES
            .get(service)
            .map_or_else(|| format!("service-{service:02}"), |n| (*n).to_owned());
        let volume = 1_200.0 / (1.0 + service as f64).powf(1.3);
        let hit = service % 3 != 2;
        let (mut points, mut expected) = (Vec::new(), Vec::new());
        for into_ms in (0..END - start_ms).step_by(step_ms as usize) {
            let at = start_ms + into_ms;
            let hour = (at - at.day().start()) as f64 / HOUR_MS as f64;
            let weekend = (at.day().get() + 3) % 7 >= 5;
            let rhythm = 1.0 + 0.6 * ((hour - 9.0) / 24.0 * std::f64::consts::TAU).sin();
            let mean = volume * rhythm * if weekend { 0.45 } else { 1.0 };
            let value = (mean + mean.sqrt() * 2.0 * noise()).max(0.0);
            let out = hit && (outage_from..outage_to).contains(&at);
            let gap = (gap_from..gap_from + if service == 1 { 6 } else { 2 } * HOUR_MS).contains(&at);
            points.push((!gap).then_some(if out { 0.0 } else { value }));
            expected.push(Some((mean * 0.7, mean * 1.3)));
        }
        if hit {
            let (from_ms, to_ms) = (outage_from + HOUR_MS / 4, Some(outage_to));
            marks.push(GraphMark {
                from_ms,
                to_ms,
                label: "dropped".to_owned(),
                series: Some(vec![name.clone()]),
                kind: MarkKind::Alarm,
            });
        }
        let expected = (service % 2 == 0).then_some(expected);
        series.push(Series { name, points, expected });
    }
    let (title, unit) = ("Mail by service".to_owned(), "messages / min".to_owned());
    (
        SeriesSet {
            title,
            unit,
            start_ms,
            step_ms,
            series,
        },
        marks,
    )
}

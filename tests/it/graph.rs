//! Pictures: they are drawn, they show something, and they tell "no mail" from "no data".

use crate::query::OUTAGE;
use crate::util::{Place, Run};
use mailpulse::model::time::UtcMs;
use mailpulse::query::Window;
use mailpulse::query::rates::{By, RateQuestion, rates};
use mailpulse::query::series::SeriesSet;
use std::fs;

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

fn window() -> [String; 4] {
    let (_, truth) = &*OUTAGE;
    let time = |seconds: i64| mailpulse::model::time::rfc3339(UtcMs::new(seconds * 1000));
    [
        "--since".to_owned(),
        time(truth.stopped - 86_400),
        "--until".to_owned(),
        time(truth.until),
    ]
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn every_grouping_is_drawn_as_svg_and_png() {
    let (place, _) = &*OUTAGE;
    let window = window();
    for by in ["service", "relay", "kind", "hostgroup"] {
        for (ending, shape, theme) in [
            ("svg", "multiples", "light"),
            ("png", "stacked", "dark"),
            ("png", "lines", "light"),
        ] {
            let out = place.path(&format!("by-{by}-{shape}.{ending}"));
            let mut args = vec![
                "graph",
                "--by",
                by,
                "--shape",
                shape,
                "--theme",
                theme,
                "--out",
                out.to_str().unwrap(),
            ];
            args.extend(window.iter().map(String::as_str));
            // A replay each time would take most of this test's.
            args.extend((ending == "png").then_some("--plain"));
            place.run(&args).ends(0);
            let bytes = fs::read(&out).unwrap();
            match ending {
                "svg" => is_a_picture_of(by, std::str::from_utf8(&bytes).unwrap()),
                _ => is_not_blank(&bytes),
            }
        }
    }
}

fn is_a_picture_of(by: &str, svg: &str) {
    let name = match by {
        "service" => "phabricator",
        "relay" => "mx1001",
        "kind" => "deferred",
        _ => "phab",
    };
    assert!(
        svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"),
        "{svg:.200}"
    );
    assert!(svg.contains(name), "{by}: {name}");
    assert!(svg.matches("<path").count() > 1, "curves");
    let tree = resvg::usvg::Tree::from_str(svg, &resvg::usvg::Options::default()).expect("valid SVG");
    assert_eq!((tree.size().width(), tree.size().height()), (1200.0, 720.0));
}

fn is_not_blank(png: &[u8]) {
    let picture = resvg::tiny_skia::Pixmap::decode_png(png).expect("a PNG");
    assert_eq!((picture.width(), picture.height()), (1200, 720));
    let background = picture.pixels()[0];
    let drawn = picture.pixels().iter().filter(|pixel| **pixel != background).count();
    let share = drawn as f64 / picture.pixels().len() as f64;
    assert!(share > 0.01, "{share} of the pixels are not background");
}

#[test]
fn the_terminal_gets_a_graph_too() {
    let (place, _) = &*OUTAGE;
    let mut args = vec!["graph", "--by", "relay"];
    let window = window();
    args.extend(window.iter().map(String::as_str));
    let out = place.run(&args).ends(0).out;
    assert!(out.contains("mx1001") && out.contains("mx2001"), "{out}");
    assert!(!out.contains('\u{1b}'), "no colour where there is no terminal");
}

fn hourly(place: &Place, by: By, from_ms: i64, to_ms: i64) -> SeriesSet {
    let question = RateQuestion {
        window: Window {
            since_ms: UtcMs::new(from_ms),
            until_ms: UtcMs::new(to_ms),
        },
        step_ms: HOUR_MS,
        origin_ms: UtcMs::EPOCH,
        by,
        kind: Some("accepted".to_owned()),
        destination: None,
        direction: Default::default(),
        only: Vec::new(),
        service: None,
        measure: "messages",
    };
    rates(&place.store(), &question).expect("rates")
}

/// A log of one day: a mail every ten minutes, but for some hours.
fn day(date: &str, mark: char, silent: std::ops::Range<u32>) -> String {
    let mut log = String::new();
    for hour in (0..24).filter(|hour| !silent.contains(hour)) {
        for ten in 0..6 {
            log += &format!(
                "{date} {hour:02}:{ten}0:01 1fQ{mark}{hour:02}-0000{ten}0-00 <= gerrit@wikimedia.org H=cobalt.wikimedia.org [192.0.2.1] P=esmtp S=700\n"
            );
        }
    }
    log
}

#[test]
fn a_missing_archive_is_a_gap_and_a_silent_relay_is_zero() {
    let place = Place::new();
    // Five days; the archive of the third is missing; on the fourth the relay is silent for five hours.
    place.write("logs/mainlog.4", day("2018-06-01", 'A', 0..0));
    place.write("logs/mainlog.3", day("2018-06-02", 'B', 0..0));
    place.write("logs/mainlog.1", day("2018-06-04", 'D', 8..13));
    place.write("logs/mainlog", day("2018-06-05", 'E', 0..0));
    let folder = place.path("logs");
    place.backfill(&[&folder]).ends(0);
    let start = 1_527_811_200_000; // 2018-06-01
    for by in [By::Service, By::Relay, By::Kind] {
        let set = hourly(&place, by, start, start + 5 * DAY_MS);
        assert_eq!((set.series.len(), set.start_ms.get(), set.step_ms), (1, start, HOUR_MS));
        let points = &set.series[0].points;
        assert_eq!(points.len(), 120);
        for (hour, point) in points.iter().enumerate() {
            let expected = match hour {
                48..72 => None,
                80..85 => Some(0.0),
                _ => Some(0.1),
            };
            assert_eq!(*point, expected, "{by:?}, hour {hour}");
        }
    }
    // The missing one turns up: no gap any more.
    let late = place.write("logs/mainlog.2", day("2018-06-03", 'C', 0..0));
    place.backfill(&[&late]).ends(0);
    let set = hourly(&place, By::Relay, start, start + 5 * DAY_MS);
    assert_eq!(set.series[0].points.iter().filter(|point| point.is_none()).count(), 0);
}

#[test]
fn before_the_first_log_and_after_the_last_there_is_no_data() {
    let place = Place::new();
    let log = place.write("mainlog", day("2018-06-02", 'B', 0..0));
    place.backfill(&[&log]).ends(0);
    let set = hourly(&place, By::Service, 1_527_811_200_000, 1_527_811_200_000 + 3 * DAY_MS);
    let known: Vec<usize> = set.series[0]
        .points
        .iter()
        .enumerate()
        .filter(|(_, p)| p.is_some())
        .map(|(at, _)| at)
        .collect();
    assert_eq!(known, (24..48).collect::<Vec<_>>());
}

#[test]
fn the_stopped_relay_is_silent_and_the_other_is_not() {
    let (place, truth) = &*OUTAGE;
    let from = truth.stopped * 1000 / HOUR_MS * HOUR_MS + HOUR_MS;
    let set = hourly(place, By::Relay, from, truth.restarted * 1000 / HOUR_MS * HOUR_MS);
    let of = |name: &str| {
        set.series
            .iter()
            .find(|series| series.name == name)
            .map(|series| series.volume())
    };
    assert!(of("mx1001").is_none_or(|volume| volume == 0.0), "{set:?}");
    assert!(of("mx2001").unwrap() > 0.0);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn what_was_expected_is_drawn_where_the_detection_knows_it() {
    let (place, _) = &*OUTAGE;
    let window = window();
    let drawn = |more: &[&str]| {
        let mut args = vec!["graph", "--out", "expected.svg"];
        args.extend(window.iter().map(String::as_str));
        args.extend(more);
        place.run(&args).ends(0);
        fs::read_to_string(place.path("expected.svg")).unwrap()
    };
    for by in ["service", "relay", "hostgroup"] {
        assert!(drawn(&["--by", by]).contains("expected range"), "{by}");
    }
    assert!(drawn(&["--by", "kind", "--service", "phabricator"]).contains("expected range"));
    for none in [
        &["--plain"][..],
        &["--by", "kind"],
        &["--kind", "delivered"],
        &["--measure", "bytes"],
    ] {
        assert!(!drawn(none).contains("expected range"), "{none:?}");
    }
    let terminal = |more: &[&str]| {
        let mut args = vec!["graph", "--only", "phabricator,gerrit"];
        args.extend(window.iter().map(String::as_str));
        args.extend(more);
        let output = place.command().args(&args).env("LC_ALL", "C").output();
        Run::of(output.expect("the program starts")).ends(0).out
    };
    let text = terminal(&[]);
    assert!(
        text.contains("% expected") && text.lines().any(|line| line.contains("%%%")),
        "{text}"
    );
    assert!(!terminal(&["--plain"]).contains('%'));
}

/// What a command draws in a terminal, without colours.
fn drawn(place: &Place, more: &[&str]) -> Run {
    let window = window();
    let mut args = vec!["graph"];
    args.extend(window.iter().map(String::as_str));
    args.extend(more);
    let output = place.command().args(&args).env("LC_ALL", "C").output();
    Run::of(output.expect("the program starts")).ends(0)
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_picture_shows_the_marks_of_what_is_in_it() {
    let (place, _) = &*OUTAGE;
    let marks = |more: &[&str]| -> Vec<String> {
        let out = drawn(place, more).out;
        out.lines()
            .filter(|line| line.starts_with("! "))
            .map(str::to_owned)
            .collect()
    };
    let all = marks(&[]);
    assert!(all.iter().any(|mark| mark.starts_with("! mx1001 ")), "{all:?}");
    // Half of the cron jobs' hosts use the other relay; nobody's mail of phabricator does.
    let of_phabricator = marks(&["--only", "phabricator"]);
    assert!(
        of_phabricator.iter().any(|mark| mark.contains("mx1001 ")),
        "{of_phabricator:?}"
    );
    assert_eq!(marks(&["--only", "wiki"]), Vec::<String>::new());
    assert_eq!(marks(&["--by", "relay", "--only", "mx2001"]), Vec::<String>::new());
    assert!(!marks(&["--by", "relay", "--only", "mx1001"]).is_empty());
    assert_eq!(marks(&["--by", "kind", "--service", "wiki"]), Vec::<String>::new());
}

#[test]
fn a_service_that_sent_nothing_is_drawn_as_silent() {
    let (place, truth) = &*OUTAGE;
    let time = |seconds: i64| mailpulse::model::time::rfc3339(UtcMs::new(seconds * 1000));
    let (since, until) = (time(truth.stopped + 600), time(truth.restarted - 600));
    let args = [
        "graph", "--plain", "--only", "gerrit", "--since", &since, "--until", &until,
    ];
    let run = place.run(&args).ends(0).says(&["no mail in this window"]);
    assert!(run.out.contains("gerrit") && run.out.contains("peak 0"), "{}", run.out);
}

#[test]
fn kinds_are_no_parts_of_a_sum() {
    let (place, _) = &*OUTAGE;
    let written = |shape: &str| {
        let args = [
            "graph",
            "--plain",
            "--by",
            "kind",
            "--shape",
            shape,
            "--out",
            "kinds.svg",
        ];
        let run = place.run(&args).ends(0);
        (run.err, fs::read_to_string(place.path("kinds.svg")).unwrap())
    };
    let (said, stacked) = written("stacked");
    assert!(said.contains("events of several kinds"), "{said}");
    assert_eq!(stacked, written("lines").1);
}

#[test]
fn hosts_of_no_group_have_a_title() {
    let (place, _) = &*OUTAGE;
    let out = drawn(place, &["--plain", "--by", "hostgroup"]).out;
    assert!(out.lines().any(|line| line.starts_with("(no hostgroup)")), "{out}");
    assert!(
        place
            .run(&["services", "--hostgroups"])
            .ends(0)
            .out
            .contains("(no hostgroup)")
    );
}

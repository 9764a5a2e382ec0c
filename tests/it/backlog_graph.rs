//! The backlog over time, made of rates: at the end of each bucket it is what `queue --at` says.

use crate::logs::cut;
use crate::query::OUTAGE;
use crate::serve::{Served, night};
use crate::util::Place;
use mailpulse::analysis::backlog::{BACKLOG, BacklogQuestion, Group, QueueBy, Waiting, backlog, queue_levels};
use mailpulse::model::direction::DirectionView;
use mailpulse::model::time::{HOUR_MS, MINUTE_MS, UtcMs, rfc3339};
use mailpulse::query::Window;
use mailpulse::query::rates::{By, RateQuestion};
use mailpulse::query::series::SeriesSet;
use mailpulse::store::Store;
use serde_json::Value;
use std::fs;

fn question(by: By, window: Window, step_ms: i64) -> RateQuestion {
    RateQuestion {
        kind: None,
        measure: BACKLOG,
        ..RateQuestion::accepted(window, step_ms, by, DirectionView::default())
    }
}

/// Mails in the queues by name, as `queue --at` counts them.
fn counted(store: &Store, at_ms: UtcMs, by: QueueBy) -> Vec<(String, f64)> {
    let asked = BacklogQuestion {
        by,
        ..BacklogQuestion::at(at_ms)
    };
    let found = backlog(store, asked).unwrap();
    let name = |group: &Group| format!("{}{}", group.service, group.relay);
    let mails = |waiting: &Waiting| (waiting.messages + waiting.frozen) as f64;
    let groups = found.groups.iter();
    groups
        .map(|(group, waiting)| (name(group), mails(waiting)))
        .filter(|(_, mails)| *mails > 0.0)
        .collect()
}

/// The series at a bucket, without those at zero.
fn drawn(set: &SeriesSet, bucket: usize) -> Vec<(String, f64)> {
    let points = set
        .series
        .iter()
        .map(|series| (series.name.clone(), series.points[bucket]));
    let mut known: Vec<(String, f64)> = points
        .filter_map(|(name, point)| Some((name, point.filter(|mails| *mails > 0.0)?)))
        .collect();
    known.sort_by(|a, b| a.0.cmp(&b.0));
    known
}

/// At the end of each bucket, the graph says what is counted then. Returns the highest level.
#[track_caller]
fn is_what_is_counted(store: &Store, window: Window, step_ms: i64) -> f64 {
    let mut most: f64 = 0.0;
    for (by, queue_by) in [(By::Service, QueueBy::Service), (By::Relay, QueueBy::Relay)] {
        let levels = backlog(store, BacklogQuestion::at(window.until_ms - 1)).unwrap().levels;
        let set = queue_levels(store, &levels, &question(by, window, step_ms)).unwrap();
        for bucket in 0..set.buckets() {
            let end_ms = (set.start_ms + (bucket as i64 + 1) * step_ms).min(window.until_ms);
            let said = counted(store, end_ms - 1, queue_by);
            assert_eq!(
                drawn(&set, bucket),
                said,
                "{by:?} at {}: left: the graph, right: queue --at",
                rfc3339(end_ms)
            );
            most = said.iter().map(|(_, mails)| *mails).fold(most, f64::max);
        }
    }
    most
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn the_graph_of_the_backlog_is_what_queue_says_at_the_end_of_each_bucket() {
    let (place, truth) = &*OUTAGE;
    let stopped = UtcMs::new(truth.stopped * 1000).floor_to(HOUR_MS);
    let window = Window {
        since_ms: stopped - 8 * HOUR_MS,
        until_ms: stopped + 12 * HOUR_MS,
    };
    let most = is_what_is_counted(&place.store(), window, HOUR_MS);
    assert!(most > 3.0, "{most}");
}

#[test]
fn a_backlog_is_the_same_whatever_the_order_of_its_archives_and_with_frozen_mail() {
    // A mail every two minutes, each of which waits up to an hour; one is frozen.
    let start = 1_528_279_200; // 2018-06-06 10:00:00
    let mut lines: Vec<(i64, String)> = Vec::new();
    for mail in 0..90 {
        let (came, id) = (start + 120 * mail, format!("1fQV4W-{mail:06}-Aa"));
        let sender = ["shop", "news", "wiki"][mail as usize % 3];
        lines.push((came, format!("{id} <= {sender}@example.org U={sender} P=local S=500")));
        lines.push((
            came + 1,
            format!("{id} == a{mail}@example.com R=dnslookup T=remote_smtp defer (111): Connection refused"),
        ));
        if mail == 7 {
            lines.push((came + 1, format!("{id} Message is frozen")));
            continue;
        }
        let leaves = came + 60 * (mail * 7 % 60) + 2;
        let sent = format!("{id} => a{mail}@example.com R=dnslookup T=remote_smtp H=mx.example.com [192.0.2.1]");
        lines.extend([(leaves, sent), (leaves, format!("{id} Completed"))]);
    }
    lines.sort_by_key(|(second, _)| *second);
    let text = |(second, line): &(i64, String)| {
        let time = jiff::Timestamp::from_second(*second)
            .unwrap()
            .strftime("%F %T")
            .to_string();
        format!("{time} {line}\n")
    };
    let log: String = lines.iter().map(text).collect();
    let (older, newer) = cut(log.as_bytes(), 0.5);
    let place = Place::new();
    for (name, bytes) in [("mainlog", newer), ("mainlog.1", older)] {
        let path = place.write(name, bytes);
        place.backfill_as("mx1", &[&path]).ends(0);
    }
    let store = place.store();
    let (first, last) = store.coverage().span_until(UtcMs::MAX).unwrap().unwrap();
    let window = Window {
        since_ms: first.floor_to(MINUTE_MS),
        until_ms: last.floor_to(MINUTE_MS) + MINUTE_MS,
    };
    assert!(is_what_is_counted(&store, window, 20 * MINUTE_MS) > 5.0);
}

#[test]
fn the_backlog_is_drawn_by_service_and_by_relay_and_other_words_are_refused() {
    let place = Place::new();
    let path = place.write(
        "mainlog",
        "2018-06-06 10:00:00 1fQV4W-000001-Aa <= shop@example.org U=shop P=local S=500\n\
         2018-06-06 10:00:01 1fQV4W-000001-Aa == a@example.com R=dnslookup T=remote_smtp defer (111): Connection refused\n\
         2018-06-06 12:00:00 1fQV4W-000001-Aa => a@example.com R=dnslookup T=remote_smtp H=mx.example.com [192.0.2.1]\n\
         2018-06-06 12:00:00 1fQV4W-000001-Aa Completed\n\
         2018-06-06 13:00:00 1fQV4X-000002-Bb <= news@example.org U=news P=local S=500\n",
    );
    place.backfill_as("mx1", &[&path]).ends(0);
    let window = ["--since", "2018-06-06T09:00Z", "--until", "2018-06-06T13:30Z"];
    let draw = |more: &[&str]| place.run(&[&["graph", "--measure", "backlog"][..], &window, more].concat());
    for by in ["service", "relay"] {
        let out = place.path("backlog.svg");
        draw(&["--by", by, "--out", out.to_str().unwrap()]).ends(0);
        let svg = fs::read_to_string(&out).unwrap();
        assert!(svg.contains(&format!("mail in the queues by {by}")), "{svg}");
        let name = if by == "service" { "shop" } else { "mx1" };
        assert!(svg.contains(name), "{svg}");
    }
    let text = draw(&["--plain"]).ends(0).out;
    assert!(text.contains("shop") && text.contains("news"), "{text}");
    for (more, why) in [
        (&["--by", "kind"][..], "--by service or --by relay"),
        (&["--by", "hostgroup"], "--by service or --by relay"),
        (&["--kind", "delivered"], "leave out --kind"),
        (&["--direction", "inbound"], "leave out --kind"),
    ] {
        draw(more).ends(2).says(&[why]);
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn pages_show_the_backlog_of_a_service_and_a_relay_in_all_forms() {
    let served = Served::start(night(), &["--at", "2018-06-06T19:35Z"]);
    let asked = "by=relay&measure=backlog&from=2018-06-06T12:00Z&to=now";
    let csv = served.settled(&format!("/graph.csv?{asked}"));
    assert_eq!(csv.status, 200, "{csv:?}");
    let rows: Vec<Vec<&str>> = csv.body.lines().map(|line| line.split(',').collect()).collect();
    let most = rows[1..]
        .iter()
        .filter_map(|row| row[2].parse::<f64>().ok())
        .fold(0.0, f64::max);
    assert!(most >= 1.0, "{}", csv.body);
    let json: Value = serde_json::from_str(&served.settled(&format!("/api/v1/rates?{asked}")).body).unwrap();
    assert_eq!(json["unit"], "messages");
    let relay = json["series"][0]["name"].as_str().unwrap();
    let values = json["series"][0]["values"].as_array().unwrap();
    assert!(
        values
            .iter()
            .any(|value| value.as_f64().is_some_and(|mails| mails >= 1.0)),
        "{json:#}"
    );
    let picture = served.settled(&format!("/graph.svg?{asked}"));
    assert!(
        picture.status == 200 && picture.body.contains("mail in the queues by relay"),
        "{picture:?}"
    );
    let page = served.settled(&format!("/relay?name={relay}&from=2018-06-06T12:00Z"));
    assert!(page.body.contains("Mail in the queues"), "{}", page.body);
    assert!(page.body.contains("measure=backlog"), "its other forms are linked");
    for (wrong, why) in [
        ("by=kind&measure=backlog", "by service and by relay"),
        ("measure=backlog&kind=delivered", "without kind"),
        ("measure=bytes", "not messages or backlog"),
    ] {
        let reply = served.settled(&format!("/graph.csv?{wrong}"));
        assert_eq!(reply.status, 400, "{wrong}: {}", reply.body);
        assert!(reply.body.contains(why), "{wrong}: {}", reply.body);
    }
}

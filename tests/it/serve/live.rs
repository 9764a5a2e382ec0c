//! Streams: what comes is announced, and they end with the process.

use super::Served;
use crate::logs::passed_on;
use crate::util::{Place, now_ms, stop};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

fn stream(served: &Served) -> BufReader<TcpStream> {
    let mut stream = served.connect();
    stream
        .write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    BufReader::new(stream)
}

/// Reads lines until one says so.
#[track_caller]
fn wait_for(lines: &mut BufReader<TcpStream>, words: &str) -> String {
    let mut all = String::new();
    while !all.contains(words) {
        let before = all.len();
        lines.read_line(&mut all).expect("a line in a minute");
        assert!(all.len() > before, "the stream ended: {all}");
    }
    all
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_mail_is_announced_within_seconds_of_its_line() {
    let place = Place::new();
    let minutes = |n: i64| now_ms() / 1_000 - 60 * n;
    place.write("main.log", passed_on(minutes(30), "1fQX01-000001-A1", "shop"));
    place.backfill(&[&place.path("main.log")]).ends(0);
    let served = Served::start(&place, &[]);
    let mut events = stream(&served);
    let head = wait_for(&mut events, "data: overview");
    assert!(
        head.contains("text/event-stream") && head.to_lowercase().contains("x-accel-buffering: no"),
        "{head}"
    );
    assert!(head.contains("event: change"), "{head}");
    let log = std::fs::read_to_string(place.path("main.log")).unwrap();
    place.write("main.log", log + &passed_on(minutes(1), "1fQX01-000002-A1", "shop"));
    place.backfill(&[&place.path("main.log")]).ends(0);
    let begin = Instant::now();
    wait_for(&mut events, "event: change");
    // A slow machine computes the overview for longer than a tick.
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    assert!(served.page("/").contains("data-stream=\"/events\""));
}

#[test]
fn fifty_streams_end_with_the_process_and_one_too_many_is_refused() {
    let place = Place::with(&format!("{}[serve]\nstreams_max = 50\n", crate::util::KEEP));
    let mut served = Served::start(&place, &[]);
    let mut all: Vec<_> = (0..50).map(|_| stream(&served)).collect();
    for events in &mut all {
        wait_for(events, "retry: ");
    }
    let refused = served.get("/events");
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, "2"),
        "{refused:?}"
    );
    drop(all.pop());
    let begin = Instant::now();
    while served.streams_refused() {
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "the place of who has gone is free again"
        );
    }
    let begin = Instant::now();
    stop(&mut served.child);
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}

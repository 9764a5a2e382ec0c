//! Stores that cannot be read for a while: each page says so, and comes back by itself.

use super::Served;
use crate::logs::passed_on;
use crate::util::{Place, now_ms};
use crate::watch::until;
use mailpulse::store::Store;
use rusqlite::Connection;
use std::fs;

/// A path of each kind.
const PATHS: [&str; 10] = [
    "/",
    "/trace?id=1fQX01-000001-A1",
    "/routes",
    "/sources",
    "/service?name=unattributed",
    "/alarms",
    "/incident?from=-1h",
    "/graph.svg",
    "/metrics",
    "/api/v1/now",
];

fn place() -> Place {
    // What no rule names is one service, whose page is asked for.
    let place = Place::with("[store]\nurl = \"store\"\nderive = false\n");
    place.write(
        "main.log",
        passed_on(now_ms() / 1_000 - 600, "1fQX01-000001-A1", "shop"),
    );
    place.backfill(&[&place.path("main.log")]).ends(0);
    place
}

#[track_caller]
fn all_answer(served: &Served) {
    for path in PATHS {
        // What is kept of an answer is looked at again after two seconds.
        until(path, || served.settled(path).status == 200);
    }
}

/// Each path says why there is no answer, without the place of a file, and when to come again.
#[track_caller]
fn all_say(served: &Served, place: &Place, words: &str) {
    for path in PATHS {
        until(path, || served.settled(path).status == 503);
        let reply = served.settled(path);
        assert!(reply.body.contains(words), "{path}: {}", reply.body);
        assert!(
            !reply.body.contains(place.path("").to_str().unwrap()),
            "{path}: {}",
            reply.body
        );
        assert!(reply.header("retry-after").parse::<u64>().is_ok(), "{path}: {reply:?}");
        let is_page = reply.header("content-type").starts_with("text/html");
        assert_eq!(
            is_page,
            reply.body.contains("http-equiv=\"refresh\""),
            "{path}: {}",
            reply.body
        );
    }
    assert_eq!(served.get("/healthz").status, 200);
}

#[test]
fn a_store_that_somebody_writes_to_answers() {
    let place = place();
    let _writer = Store::create(&place.path("store")).expect("nobody else writes");
    place.run(&["store", "compact"]).ends(2);
    let served = Served::start(&place, &[]);
    all_answer(&served);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn pages_of_a_store_that_goes_away_come_back_with_it() {
    let place = place();
    let served = Served::start(&place, &[]);
    all_answer(&served);
    fs::rename(place.path("store"), place.path("elsewhere")).unwrap();
    all_say(&served, &place, "store");
    fs::rename(place.path("elsewhere"), place.path("store")).unwrap();
    all_answer(&served);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn pages_of_a_store_that_a_newer_program_has_migrated_say_so_until_it_is_theirs_again() {
    let place = place();
    let served = Served::start(&place, &[]);
    let version = |version: Option<i64>| -> i64 {
        let catalogue = Connection::open(place.path("store/catalogue.sqlite")).unwrap();
        let known = catalogue
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .unwrap();
        if let Some(version) = version {
            catalogue.pragma_update(None, "user_version", version).unwrap();
        }
        known
    };
    let known = version(Some(9_999));
    all_say(&served, &place, "newer than this program supports");
    version(Some(known));
    all_answer(&served);
}

//! `store forget`: what is read again afterwards is what a store has that was right from the start.

use crate::logs::{cut, simulated, text};
use crate::util::{Place, assert_same_answers, assert_same_rows};
use std::fs;
use std::path::PathBuf;

fn logs(place: &Place) -> [PathBuf; 2] {
    let log = simulated(1_200_000, 91);
    let (older, newer) = cut(&log, 0.5);
    [place.write("mainlog.1", older), place.write("mainlog", newer)]
}

fn read(place: &Place, logs: &[PathBuf; 2], zone: &str) {
    let [older, newer] = logs.each_ref().map(|path| text(path));
    place
        .run(&["backfill", "-q", "--host", "mx1001", "--timezone", zone, older, newer])
        .ends(0);
}

fn same(place: &Place, twin: &Place) {
    assert_same_rows(&place.rows(), &twin.rows());
    for sql in [
        crate::injected::RATES,
        "SELECT * FROM sources ORDER BY ts_ms, host, source",
    ] {
        assert_same_answers(&place.sql(sql), &twin.sql(sql));
    }
    let open = |place: &Place| place.store().positions().sources().unwrap()[0].open_messages;
    assert_eq!(open(place), open(twin));
    place.verify();
}

#[test]
fn a_wrong_zone_is_forgotten_and_read_again() {
    let (place, twin) = (Place::new(), Place::new());
    let own = logs(&place);
    read(&twin, &logs(&twin), "UTC");
    read(&place, &own, "+02:00");
    assert_ne!(
        place.number("SELECT MIN(ts_ms) AS t FROM events"),
        twin.number("SELECT MIN(ts_ms) AS t FROM events")
    );
    let run = place.run(&["store", "forget", "--source", "exim@mx1001"]).ends(0);
    assert!(
        run.out
            .contains("2 logs are there to be read again, 0 with 0 lines are gone"),
        "{}",
        run.out
    );
    assert_eq!(place.events(), 0);
    read(&place, &own, "UTC");
    same(&place, &twin);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn from_a_time_on_and_by_the_path_of_a_log() {
    let (place, twin) = (Place::new(), Place::new());
    let own = logs(&place);
    read(&twin, &logs(&twin), "UTC");
    read(&place, &own, "UTC");
    let middle = place.number("SELECT MAX(ts_ms) AS t FROM events WHERE log_offset < 300000");
    let before = place.number(&format!("SELECT COUNT(*) AS n FROM events WHERE ts_ms < {middle}"));
    let since = jiff::Timestamp::from_millisecond(middle).unwrap().to_string();
    place
        .run(&["store", "forget", "--source", text(&own[1]), "--since", &since])
        .ends(0);
    assert_eq!(place.events(), before);
    read(&place, &own, "UTC");
    same(&place, &twin);
    // Of the last day there is nothing.
    let run = place
        .run(&["store", "forget", "--source", text(&own[1]), "--since", "-1d"])
        .ends(0);
    assert!(run.out.contains(": 0 events are to be taken back"), "{}", run.out);
    assert_eq!(place.events(), twin.events());
    // A second time nothing is added.
    read(&place, &own, "UTC");
    same(&place, &twin);
}

#[test]
fn what_cannot_be_read_again_needs_force() {
    let place = Place::new();
    let own = logs(&place);
    read(&place, &own, "UTC");
    let all = place.events();
    fs::remove_file(&own[0]).unwrap();
    let run = place.run(&["store", "forget", "--source", "exim@mx1001"]).ends(2);
    assert!(
        run.err.contains("lines cannot be read again, because 1 logs are gone"),
        "{}",
        run.err
    );
    assert_eq!(place.events(), all);
    place
        .run(&["store", "forget", "--source", "exim@mx9"])
        .ends(2)
        .says(&["exim@mx1001"]);
    place
        .run(&["store", "forget", "--source", "exim@mx1001", "--force"])
        .ends(0);
    assert_eq!(place.events(), 0);
    place.backfill(&[&own[1]]).ends(0);
    assert!(place.events() > 0 && place.events() < all);
    place.verify();
}

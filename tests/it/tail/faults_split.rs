//! Lines of Exim that syslog split, and open messages that come back from the store: what stands at the border of a
//! round, a batch, a file or a life is neither lost nor made of somebody else.

use super::bench::{Bench, line};
use mailpulse::query::{self, Window};
use mailpulse::store::columnar::Values;

/// A line of Exim in syslog's envelope, cut in two.
fn pieces(number: u64, pid: u32) -> [String; 2] {
    let whole = line(number);
    let (one, two) = whole.trim_end().split_at(90);
    let head = format!(
        "2026-11-01T00:{:02}:{:02}+00:00 mx1 exim[{pid}]:",
        number / 60,
        number % 60
    );
    [format!("{head} [1/2] {one}\n"), format!("{head} [2/2] {two}\n")]
}

fn whole(number: u64) -> String {
    format!("2026-11-01T00:00:00+00:00 mx1 exim[1]: {}", line(number))
}

#[test]
fn a_split_line_over_the_border_of_a_round() {
    let bench = Bench::new();
    let [one, two] = pieces(5, 77);
    bench.write("mainlog", whole(0) + &one);
    bench.life(|life| {
        life.scan();
        life.assert_once([0]);
        // Another process goes on meanwhile.
        bench.append("mainlog", whole(1));
        life.look();
        bench.append("mainlog", two + &whole(2));
        life.look();
        life.assert_once([0, 1, 2, 5]);
    });
    assert_eq!(bench.counts(), [5, 4, 1, 0]);
}

#[test]
fn a_split_line_over_a_kill() {
    let bench = Bench::new();
    let [one, two] = pieces(5, 77);
    let [other_one, other_two] = pieces(6, 78);
    bench.write("mainlog", whole(0) + &one + &other_one);
    bench.life(|life| life.scan());
    bench.append("mainlog", whole(1));
    bench.life(|life| life.scan());
    bench.append("mainlog", two);
    bench.life(|life| life.scan());
    bench.append("mainlog", other_two);
    bench.life(|life| life.scan());
    bench.assert_once([0, 1, 5, 6]);
    assert_eq!(bench.counts(), [6, 4, 2, 0]);
}

#[test]
fn a_split_line_over_a_rotation() {
    let bench = Bench::new();
    let [one, two] = pieces(5, 77);
    bench.write("mainlog", whole(0) + &one);
    bench.life(|life| {
        life.scan();
        bench.rename("mainlog", "mainlog.1");
        bench.write("mainlog", two + &whole(2));
        life.scan();
        life.assert_once([0, 2, 5]);
    });
    assert_eq!(bench.counts(), [4, 3, 1, 0]);
}

#[test]
fn a_split_line_over_the_seal_of_a_batch() {
    let mut bench = Bench::new();
    bench.run.batch_rows = 1;
    bench.run.source.chunk_bytes = 4096;
    let mut log = String::new();
    let count = 200;
    for number in (0..count).step_by(4) {
        let [one, two] = pieces(number, 77);
        let [other_one, other_two] = pieces(number + 1, 78);
        log += &(one + &whole(number + 2) + &other_one + &two + &whole(number + 3) + &other_two);
    }
    bench.write("mainlog", log);
    bench.life(|life| life.scan());
    bench.assert_once(0..count);
    assert_eq!(bench.counts(), [count * 3 / 2, count, count / 2, 0]);
}

#[test]
fn a_split_line_whose_end_never_comes_is_counted_and_keeps_what_it_says() {
    let bench = Bench::new();
    let [one, _] = pieces(5, 77);
    bench.write("mainlog", whole(0) + &one);
    bench.life(|life| {
        life.scan();
        bench.wait_ms(61_000);
        life.look();
        life.assert_once([0, 5]);
    });
    assert_eq!(bench.counts(), [2, 2, 0, 0]);
    // Another one, over which the log goes on for long.
    bench.ahead_ms.set(0);
    let [one, _] = pieces(6, 78);
    let late = whole(1).replacen("T00:00:00", "T00:30:00", 1);
    bench.append("mainlog", one + &late);
    bench.life(|life| life.scan());
    bench.assert_once([0, 1, 5, 6]);
    assert_eq!(bench.counts(), [4, 4, 0, 0]);
}

#[test]
fn a_piece_without_its_beginning_is_unparsed() {
    let bench = Bench::new();
    let [_, two] = pieces(5, 77);
    bench.write("mainlog", whole(0) + &two + &whole(1));
    bench.life(|life| life.scan());
    bench.assert_once([0, 1]);
    assert_eq!(bench.counts(), [3, 2, 0, 1]);
}

/// Five messages of which memory holds one.
fn messages() -> (Bench, String) {
    let mut bench = Bench::new();
    bench.run.open_messages = 2;
    let at = |second: u32| format!("2026-11-01 00:00:{second:02}");
    let mut log = String::new();
    for number in 0..5 {
        log += &format!(
            "{} 1fQdLN-0001A{number}-Cd <= shop{number}@example.org U=shop P=local S=900\n",
            at(number)
        );
    }
    bench.write("mainlog", log);
    bench.life(|life| life.scan());
    let delivery = format!(
        "{} 1fQdLN-0001A0-Cd => x@example.com R=r T=smtp H=mx [192.0.2.1]\n",
        at(9)
    );
    (bench, delivery)
}

fn senders_of_deliveries(bench: &Bench) -> Vec<Option<String>> {
    let store = mailpulse::store::Store::open(&bench.store_path()).unwrap();
    let table = query::select(
        &store,
        "SELECT sender FROM events WHERE kind = 'delivered'",
        Window::ALL,
    )
    .unwrap();
    match &table.columns[0].values {
        Values::Text(senders) => senders.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_open_message_that_cannot_be_read_back_now_is_asked_for_again() {
    let (bench, delivery) = messages();
    bench.append("mainlog", delivery);
    let database = rusqlite::Connection::open(bench.store_path().join("catalogue.sqlite")).unwrap();
    bench.life(|life| {
        // The row cannot be read; it can be written all the same.
        database
            .execute_batch(
                "ALTER TABLE open_message RENAME TO aside;
                 CREATE TABLE open_message (source, queue_id, last_ms, state, PRIMARY KEY (source, queue_id));
                 INSERT INTO open_message SELECT source, queue_id, last_ms, iif(last_ms % 10000 < 4000, x'00', state) FROM aside;",
            )
            .unwrap();
        let round = life.try_scan();
        assert_eq!(round.troubles.len(), 1, "{:?}", round.reports);
        database
            .execute_batch("DROP TABLE open_message; ALTER TABLE aside RENAME TO open_message;")
            .unwrap();
        bench.wait_ms(2_000);
        life.scan();
    });
    assert_eq!(senders_of_deliveries(&bench), [Some("shop0@example.org".to_owned())]);
}

#[test]
fn a_damaged_state_costs_its_own_message() {
    let (bench, delivery) = messages();
    bench.append("mainlog", delivery);
    let database = rusqlite::Connection::open(bench.store_path().join("catalogue.sqlite")).unwrap();
    database
        .execute("UPDATE open_message SET state = '{' || state", [])
        .unwrap();
    bench.life(|life| life.scan());
    assert_eq!(senders_of_deliveries(&bench), [Some(String::new())]);
}

#[test]
fn a_log_whose_position_is_damaged_is_not_read_twice() {
    let (bench, _) = messages();
    let database = rusqlite::Connection::open(bench.store_path().join("catalogue.sqlite")).unwrap();
    database
        .execute("UPDATE log SET position = '{' || position", [])
        .unwrap();
    bench.life(|life| {
        let round = life.try_scan();
        let error = round.troubles[0].error.to_string();
        assert!(error.contains("mainlog") && error.contains("store repair"), "{error}");
    });
    assert_eq!(bench.counts(), [5, 5, 0, 0]);
}

//! Logs that move between two runs: grown, rotated, truncated, and archives that come late.

use crate::logs::{cut, lines, packed, simulated};
use crate::util::{Place, assert_same_answers, assert_same_rows};
use std::fs;
use std::io::Write as _;
use std::sync::LazyLock;

static LOG: LazyLock<Vec<u8>> = LazyLock::new(|| simulated(800_000, 11));

/// Sums that do not depend on how a log was cut into files.
const SUMS: &str = "SELECT service, sender, kind, destination, first_hop, COUNT(*) AS n, SUM(messages) AS m, SUM(recipients) AS r \
    FROM events GROUP BY service, sender, kind, destination, first_hop ORDER BY service, sender, kind, destination, first_hop";

fn whole() -> Place {
    let place = Place::new();
    let log = place.write("mainlog", &*LOG);
    assert_eq!(place.backfill(&[&log]).ends(0).totals().lines, lines(&LOG));
    place
}

fn append(path: &std::path::Path, bytes: &[u8]) {
    fs::File::options()
        .append(true)
        .open(path)
        .unwrap()
        .write_all(bytes)
        .unwrap();
}

#[test]
fn a_grown_log_goes_on_where_it_was_left() {
    let place = Place::new();
    let (a, b) = cut(&LOG, 0.35);
    let log = place.write("mainlog", a);
    assert_eq!(place.backfill(&[&log]).ends(0).totals().lines, lines(a));
    append(&log, b);
    assert_eq!(place.backfill(&[&log]).ends(0).totals().lines, lines(b));
    assert_same_rows(&whole().rows(), &place.rows());
}

#[test]
fn a_line_that_is_still_being_written_is_read_when_it_is_whole() {
    let place = Place::new();
    let (a, _) = cut(&LOG, 0.2);
    let half = &LOG[..a.len() + 40];
    let log = place.write("mainlog", half);
    assert_eq!(place.backfill(&[&log]).ends(0).totals().lines, lines(a));
    append(&log, &LOG[half.len()..]);
    assert_eq!(place.backfill(&[&log]).ends(0).totals().lines, lines(&LOG) - lines(a));
    assert_same_rows(&whole().rows(), &place.rows());
}

#[test]
fn a_log_rotated_while_nobody_looked_loses_and_doubles_nothing() {
    let place = Place::new();
    let (a, rest) = cut(&LOG, 0.3);
    let (b, c) = cut(rest, 0.5);
    let folder = place.path("logs");
    let log = place.write("logs/mainlog", a);
    place.backfill(&[&folder]).ends(0);
    append(&log, b);
    fs::rename(&log, place.path("logs/mainlog.1")).unwrap();
    place.write("logs/mainlog", c);
    assert_eq!(place.backfill(&[&folder]).ends(0).totals().lines, lines(b) + lines(c));
    // Rotated once more, and compressed.
    fs::write(place.path("logs/mainlog.2.gz"), packed("gzip", &[a, b].concat())).unwrap();
    fs::rename(place.path("logs/mainlog"), place.path("logs/mainlog.1")).unwrap();
    place.write("logs/mainlog", "");
    assert_eq!(place.backfill(&[&folder]).ends(0).totals().lines, 0);
    assert_same_answers(&place.sql(SUMS), &whole().sql(SUMS));
}

#[test]
fn copytruncate_is_followed() {
    let place = Place::new();
    let (a, rest) = cut(&LOG, 0.3);
    let (b, c) = cut(rest, 0.5);
    let folder = place.path("logs");
    let log = place.write("logs/mainlog", a);
    place.backfill(&[&folder]).ends(0);
    append(&log, b);
    fs::copy(&log, place.path("logs/mainlog.1")).unwrap();
    // The same inode, from its start.
    fs::File::options()
        .write(true)
        .truncate(true)
        .open(&log)
        .unwrap()
        .write_all(c)
        .unwrap();
    assert_eq!(place.backfill(&[&folder]).ends(0).totals().lines, lines(b) + lines(c));
    assert_eq!(place.backfill(&[&folder]).ends(0).totals().lines, 0);
    assert_same_answers(&place.sql(SUMS), &whole().sql(SUMS));
}

#[test]
fn deliveries_find_their_arrival_in_another_run() {
    let place = Place::new();
    // Cuts every life in the middle: arrivals in one file, their deliveries in the next.
    let (arrivals, rest): (Vec<&[u8]>, Vec<&[u8]>) = LOG
        .split_inclusive(|b| *b == b'\n')
        .partition(|line| line.windows(4).any(|w| w == b" <= "));
    let (arrivals, rest) = (arrivals.concat(), rest.concat());
    let older = place.write("mainlog.1", &arrivals);
    place.backfill(&[&older]).ends(0);
    let newer = place.write("mainlog", &rest);
    place.backfill(&[&newer]).ends(0);
    assert_same_answers(&place.sql(SUMS), &whole().sql(SUMS));
}

#[test]
fn an_older_archive_read_later_names_the_orphans() {
    let (arrivals, rest): (Vec<&[u8]>, Vec<&[u8]>) = LOG
        .split_inclusive(|b| *b == b'\n')
        .partition(|line| line.windows(4).any(|w| w == b" <= "));
    let (arrivals, rest) = (arrivals.concat(), rest.concat());
    let place = Place::new();
    let newer = place.write("mainlog", &rest);
    place.backfill(&[&newer]).ends(0);
    let orphans = "SELECT COUNT(*) AS n FROM events WHERE sender_domain = '' AND kind = 'delivered'";
    assert!(
        place.number(orphans) > 100,
        "deliveries without an arrival are stored all the same"
    );
    let older = place.write("mainlog.1", packed("gzip", &arrivals));
    place.backfill(&[&older]).ends(0);
    // A refusal belongs to no message: its service is what was known when it was read.
    let sums = SUMS.replace("GROUP BY", "WHERE kind <> 'rejected' GROUP BY");
    assert_same_answers(&place.sql(&sums), &whole().sql(&sums));
    let rates = "SELECT service, kind, SUM(messages) AS m, SUM(recipients) AS r FROM rates GROUP BY service, kind ORDER BY service, kind";
    let events = "SELECT service, kind, SUM(messages) AS m, SUM(recipients) AS r FROM events GROUP BY service, kind ORDER BY service, kind";
    assert_same_answers(&place.sql(rates), &place.sql(events));
    place.verify();
}

#[test]
fn two_logs_that_begin_alike_are_two_logs() {
    let place = Place::new();
    let (a, _) = cut(&LOG, 0.1);
    let (head, _) = cut(a, 0.05);
    let (_, c) = cut(&LOG, 0.8);
    assert!(head.len() > 1024, "more than the head that identifies a log");
    let one = place.write("one/mainlog", a);
    let two = place.write("two/mainlog", [head, c].concat());
    let first = place.backfill(&[&one]).ends(0).totals();
    let second = place.backfill(&[&two]).ends(0).totals();
    assert_eq!(first.lines, lines(a));
    assert_eq!(second.lines, lines(&fs::read(&two).unwrap()));
    assert_eq!(place.events() as u64, first.events + second.events);
}

//! A container's log in the wrapper of its runtime.

use super::{ONE_MAIL, input, reads};
use crate::util::{KEEP, Place};
use std::fs;

const CASE: &str = "26-postfix-docker-and-kubernetes-json";

#[test]
#[ignore = "slow: tests/run runs it"]
fn the_wrapper_is_taken_off() {
    // The file of json-file has no `removed`.
    reads(CASE, "input.log", "postfix", "2023", "accepted 1, delivered 1");
    reads(CASE, "cri.log", "postfix", "2025", ONE_MAIL);
    reads(CASE, "compose.log", "postfix", "2025", ONE_MAIL);
}

#[test]
fn the_wrappers_time_gives_the_year() {
    for (file, year) in [("input.log", "2023-07-18T14:40:0"), ("cri.log", "2025-11-19T13:39:0")] {
        let place = Place::new();
        place.backfill(&[&input(CASE, file)]).ends(0);
        let at = place.sql("SELECT ts FROM events");
        assert!(
            at.iter().all(|row| row["ts"].as_str().unwrap().starts_with(year)),
            "{file}: {at:?}"
        );
    }
}

#[test]
fn the_offset_is_that_of_the_line_in_the_file() {
    let place = Place::new();
    place.backfill(&[&input(CASE, "input.log")]).ends(0);
    let log = fs::read_to_string(input(CASE, "input.log")).unwrap();
    let begin = |text: &str| log[..log.find(text).unwrap()].rfind('\n').unwrap() as i64 + 1;
    let rows = place.sql("SELECT log_offset FROM events ORDER BY log_offset");
    let offsets: Vec<i64> = rows.iter().map(|row| row["log_offset"].as_i64().unwrap()).collect();
    assert_eq!(offsets, [begin("queue active"), begin("status=sent")]);
}

#[test]
fn of_several_containers_only_those_that_somebody_vouches_for_are_read() {
    let mail = fs::read_to_string(input(CASE, "compose.log"))
        .unwrap()
        .replace("postfix-mailcow-1", "mail-1");
    let others = (0..5)
        .map(|n| format!("web-1  | Nov 19 13:39:04 3f2e nginx[1]: GET /{n}\n"))
        .collect::<String>();
    for (more, events, unparsed) in [("", 0, 5), ("syslog_tag = [\"mail-1\"]\n", 3, 0)] {
        let place = Place::with(&format!(
            "{KEEP}[[source]]\nkind = \"postfix\"\npaths = [\"compose.log\"]\nhost = \"mx1\"\nyear = 2025\n{more}"
        ));
        place.write("compose.log", format!("{others}{mail}"));
        let totals = place.run(&["backfill"]).ends(0).totals();
        assert_eq!((totals.events, totals.unparsed), (events, unparsed), "{more}");
    }
}

#[test]
fn broken_wrappers_are_unparsed_and_counted() {
    let mut log = fs::read(input(CASE, "input.log")).unwrap();
    let good = log.clone();
    let line = good.split(|byte| *byte == b'\n').nth(1).unwrap();
    for cut in [1, 5, 40, 100, line.len() - 1] {
        log.extend_from_slice(&line[..cut]);
        log.push(b'\n');
    }
    log.extend_from_slice(
        b"{\"log\":\"a\\nb\\u0000c\\n\",\"stream\":\"stdout\",\"time\":\"2023-07-18T14:40:01Z\"}\n\0\0\0\n",
    );
    log.extend_from_slice(
        &[
            b"{\"log\":\"",
            &[b'x'; 100_000][..],
            b"\\n\",\"stream\":\"stdout\",\"time\":\"2023-07-18T14:40:01Z\"}\n",
        ]
        .concat(),
    );
    let place = Place::new();
    let path = place.write("log", &log);
    let totals = place.backfill(&[&path]).ends(0).totals();
    assert_eq!(totals.events, 2);
    assert!(totals.unparsed >= 6, "{totals:?}");
}

#[test]
fn another_kind_is_told_what_wraps_it() {
    let place = Place::new();
    let run = super::backfill(&place, &input(CASE, "cri.log"), Some("gerrit"), "2025").ends(2);
    let said = format!("{}{}", run.out, run.err);
    assert!(said.contains("Kubernetes") && said.contains("kubectl logs"), "{said}");
}

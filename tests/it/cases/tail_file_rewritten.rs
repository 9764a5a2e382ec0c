//! 46: a program writes its whole log anew at each change; an admin keeps the last lines of one.

use super::following::{Following, pause};
use std::fs::{self, File};
use std::io::Write as _;

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_program_that_writes_its_whole_log_anew_at_each_change() {
    let mut tail = Following::start("x.log");
    let mut all = String::new();
    for _ in 0..8 {
        all += &tail.lines(30);
        let mut file = File::create(tail.path("x.log")).unwrap();
        file.write_all(&all.as_bytes()[..all.len() / 3]).unwrap();
        pause(400);
        file.write_all(&all.as_bytes()[all.len() / 3..]).unwrap();
        pause(800);
    }
    // The program that waits for the rest of a file that is being written makes no log of each of its states.
    tail.wait();
    let logs = tail.place.store().positions().sources().unwrap()[0].logs.len();
    assert!(logs <= 3, "{logs} logs");
    tail.ends_with_each_line_once();
}

/// The last lines of a file.
fn last(path: &std::path::Path, count: usize) -> String {
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    lines[lines.len() - count..].concat()
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_log_that_is_cut_at_its_front_keeps_the_identities_of_its_lines() {
    let mut tail = Following::start("x.log");
    let log = tail.path("x.log");
    tail.append("x.log", 400);
    tail.wait();
    let before = tail.ids();
    // In place: `tail -n 100 x.log > t; cat t > x.log`.
    let kept = last(&log, 100);
    fs::write(&log, kept).unwrap();
    pause(2_000);
    tail.append("x.log", 50);
    tail.wait();
    // By another file: `tail -n 60 x.log > t; mv t x.log`.
    fs::write(tail.path("t"), last(&log, 60)).unwrap();
    tail.rename("t", "x.log");
    pause(2_000);
    tail.append("x.log", 50);
    tail.wait();
    let after = tail.ids();
    assert!(
        before.iter().all(|id| after.binary_search(id).is_ok()),
        "a line has another identity"
    );
    tail.ends_with_each_line_once();
}

//! What the detection knows, on disk: whoever starts goes on from it, whoever reads answers the same with it and without, and
//! rows that come late correct what was told.

use crate::logs::passed_on_at;
use crate::util::{KEEP, Place};
use crate::watch::{ONCE, begun};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// 2018-06-01 00:00 UTC.
const BEGIN: i64 = 1_527_811_200;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
/// The logs end here, in the middle of a day.
const END: i64 = BEGIN + 3 * DAY + 11 * HOUR;

/// A relay's log of some hours.
fn log(from: i64, to: i64, service: i64) -> String {
    let mut log = String::new();
    for at in (from..to).step_by(53) {
        log.push_str(&passed_on_at(at + service, &format!("s{service}")));
    }
    log
}

/// Two relays, the first of which has not been read for the last three hours.
fn two_relays() -> Place {
    let place = Place::with(&format!("{KEEP}[[alert]]\nkind = \"stdout\"\n"));
    for (host, service, end) in [("mx1", 1, END - 3 * HOUR), ("mx2", 2, END)] {
        let file = place.write(&format!("{host}.log"), log(BEGIN, end, service));
        place.backfill_as(host, &[&file]).ends(0);
    }
    place
}

/// The rest of the first relay's log, in which nothing is missing.
fn come_late(place: &Place) {
    let rest = log(BEGIN, END, 1);
    let file = place.write("mx1.log", rest);
    place.backfill_as("mx1", &[&file]).ends(0);
}

/// Notices of one round.
fn told(place: &Place) -> Vec<Value> {
    let run = place.run(&ONCE);
    assert!([0, 1].contains(&run.code), "{}", run.err);
    run.out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Snapshots, and what was expected of each hour.
fn kept_files(place: &Place) -> Vec<PathBuf> {
    let files = fs::read_dir(place.path("store/detection")).into_iter().flatten();
    let mut all: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    all.sort();
    all
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn an_alarm_that_late_rows_empty_is_withdrawn_through_its_channel() {
    let place = two_relays();
    let first = told(&place);
    let blind: Vec<&Value> = first
        .iter()
        .filter(|notice| notice["alarm"]["series"]["host"] == "mx1")
        .collect();
    assert_eq!(blind.len(), 1, "{first:?}");
    assert_eq!(
        (&blind[0]["status"], &blind[0]["alarm"]["state"]),
        (&"firing".into(), &"blind".into())
    );
    assert!(kept_files(&place).len() >= 2);
    assert_eq!(told(&place), [] as [Value; 0], "told once");
    come_late(&place);
    let then = told(&place);
    let over: Vec<&Value> = then.iter().filter(|notice| notice["id"] == blind[0]["id"]).collect();
    assert_eq!(over.len(), 1, "{then:?}");
    assert_eq!(
        (&over[0]["status"], &over[0]["alarm"]["end"]),
        (&"resolved".into(), &"withdrawn".into())
    );
    assert!(
        over[0]["summary"].as_str().unwrap().contains("withdrawn"),
        "{}",
        over[0]
    );
    assert_eq!(told(&place), [] as [Value; 0]);
    // What it stands at is what a store says that never lacked them.
    let json = |place: &Place| place.run(&["detect", "--format", "json"]).out;
    let with = json(&place);
    fs::remove_dir_all(place.path("store/detection")).unwrap();
    assert_eq!(with, json(&place));
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn questions_are_answered_the_same_with_what_is_kept_and_without() {
    let place = begun("");
    let window = ["--since", "2018-06-06 12:00", "--until", "2018-06-06 19:40"];
    let questions: Vec<Vec<&str>> = [
        vec!["detect", "--format", "json"],
        vec!["alarms", "--format", "json"],
        vec!["incident", "--format", "json"],
        vec!["incident", "--format", "html"],
        vec!["report", "--format", "json"],
        vec!["report", "--format", "html"],
        vec!["routes", "--format", "json"],
    ]
    .into_iter()
    .flat_map(|question| [question.clone(), [question, window.to_vec()].concat()])
    .chain([vec!["graph", "--since", "2018-06-06 16:00", "--out", "graph.svg"]])
    .collect();
    let ask = || -> Vec<(i32, String)> {
        let answers = questions.iter().map(|question| {
            let run = place.run(question);
            let drawn = match question[0] {
                "graph" => fs::read_to_string(place.path("graph.svg")).unwrap(),
                _ => String::new(),
            };
            (run.code, run.out + &run.err + &drawn)
        });
        answers.collect()
    };
    let without = ask();
    assert!(without.iter().any(|(_, answer)| answer.contains("mx1001")));
    assert_eq!(kept_files(&place), [] as [PathBuf; 0], "who reads writes nothing");
    place.run(&ONCE).ends(1);
    let kept = kept_files(&place);
    assert!(kept.len() >= 2, "{kept:?}");
    for ((question, with), without) in questions.iter().zip(ask()).zip(without) {
        assert_eq!(with, without, "{question:?}");
    }
    assert_eq!(kept_files(&place), kept, "who reads writes nothing");
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn killed_while_it_replays_and_writes_the_next_start_tells_each_alarm_once() {
    let place = begun("");
    let whole = begun("");
    whole.run(&ONCE).ends(1);
    let firing = |place: &Place| -> Value {
        let text = fs::read(place.path("store/alerts.json")).unwrap();
        serde_json::from_slice::<Value>(&text).unwrap()["firing"].clone()
    };
    for delay in [60, 120, 200, 300, 420, 600, 900] {
        let mut command = place.command();
        command
            .args(["watch", "--stale", "0"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    place.run(&ONCE).ends(1);
    assert_eq!(firing(&place), firing(&whole));
    let left: Vec<PathBuf> = kept_files(&place);
    let is_whole = |path: &PathBuf| path.extension().is_some_and(|end| end == "kept" || end == "hours");
    assert!(left.iter().all(is_whole), "{left:?}");
    let json = |place: &Place| place.run(&["detect", "--format", "json"]).out;
    assert_eq!(json(&place), json(&whole));
}

#[test]
fn where_no_file_can_grow_it_watches_on_and_says_so() {
    let place = begun("");
    let watch = |limit: &str| {
        let script = format!(
            "{limit} exec {} --config {} watch --once --stale 0",
            crate::util::PROGRAM,
            crate::logs::text(&place.path("mailpulse.toml"))
        );
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    // Files of so many KiB: room for the alarms and SQLite's index, and not for what the detection knows.
    let (code, err) = watch("ulimit -f 33; trap '' XFSZ;");
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("the state of the detection is not written"), "{err}");
    let few = kept_files(&place).len();
    let (code, err) = watch("");
    assert_eq!(code, Some(1), "{err}");
    assert!(!err.contains("is not written"), "{err}");
    assert!(kept_files(&place).len() > few);
}

#[test]
fn two_owners_keep_apart_and_one_is_alone() {
    let place = two_relays();
    let first = told(&place);
    assert!(!first.is_empty());
    let config = fs::read_to_string(place.path("mailpulse.toml")).unwrap();
    place.write("mailpulse.toml", format!("{config}[detect]\nowner = \"night\"\n"));
    assert_eq!(told(&place), first, "another owner is told everything");
    for file in ["alerts.json", "alerts-night.json", "detection", "detection-night"] {
        assert!(place.path(&format!("store/{file}")).exists(), "{file}");
    }
}

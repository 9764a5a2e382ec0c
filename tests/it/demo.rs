//! The main job on a fresh machine, end to end. The demo is three weeks of two relays: without optimisation it takes a
//! while.

use crate::util::{PROGRAM, Place};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn demo(dir: &Path) -> Output {
    Command::new(PROGRAM).arg("demo").arg(dir).output().expect("the program starts")
}

#[test]
fn the_demo_tells_the_story_and_can_be_told_again() {
    let place = Place::new();
    let dir = place.path("demo");
    for _ in 0..runs() {
        let output = demo(&dir);
        let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(0), "{out}{err}");
        assert!(out.contains("+ 0 unparsed") && !err.contains("error"), "{out}{err}");
        for service in ["phabricator", "gerrit", "hue", "iegreview", "oozie", "wikimania_scholarships", "sentry", "snapshot"] {
            let row = out.lines().find(|line| line.trim_start().starts_with(service)).unwrap_or_else(|| panic!("{service}:\n{out}"));
            let numbers: Vec<f64> = row.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            assert_eq!(numbers.len(), 3, "{row}");
            assert_eq!(numbers[1], 0.0, "nothing in the outage: {row}");
        }
        assert!(out.contains("single point of failure"), "{out}");
        for name in ["services.png", "services.svg", "relays.png", "three-weeks-dark.png"] {
            assert!(fs::metadata(dir.join(name)).unwrap().len() > 5_000, "{name}");
        }
        let store = dir.join("store");
        let verify = Command::new(PROGRAM).arg("--store").arg(&store).args(["store", "verify"]).output().unwrap();
        assert!(String::from_utf8(verify.stdout).unwrap().contains("all good"));
    }
}

/// The second run into the same folder costs as much as the first; MAILPULSE_QUICK leaves it out.
fn runs() -> usize {
    if std::env::var_os("MAILPULSE_QUICK").is_some() { 1 } else { 2 }
}

#[test]
fn a_folder_that_is_somebodys_is_left_alone() {
    let place = Place::new();
    let letter = place.write("home/letter.txt", "dear");
    let output = demo(letter.parent().unwrap());
    assert_eq!(output.status.code(), Some(2));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("not empty") && err.contains("mailpulse demo DIR"), "{err}");
    assert_eq!(fs::read_dir(letter.parent().unwrap()).unwrap().count(), 1, "nothing was written");
}

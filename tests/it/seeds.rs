//! The outage over and over, each time with other mails: how soon, whether the relay is named, whether the impact is
//! right.
//!
//! `MAILPULSE_SEEDS` (default 3) says how often, `MAILPULSE` which program (default: the one under test; an optimised
//! one is some ten times as fast).

use crate::util::{KEEP, Place, Run, number_from};
use mailpulse::simulate::{Fate, Outage2018, RESTARTED, STOPPED, Truth, outage_2018};
use serde_json::Value;

const NIGHT: [&str; 4] = ["--since", "2018-06-06T18:55Z", "--until", "2018-06-07T02:00Z"];

fn run(place: &Place, args: &[&str]) -> Run {
    Run::of(
        place
            .command_of_choice()
            .args(args)
            .output()
            .expect("the program starts"),
    )
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.out).unwrap_or_else(|why| panic!("{why}: {}", run.err))
}

fn seconds(value: &Value) -> i64 {
    value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second()
}

/// What came of one seed.
#[derive(Debug)]
struct Outcome {
    /// Seconds from the stop to the alarm; to its onset; from the recovery to its end.
    late: i64,
    onset: i64,
    ended: i64,
    /// Services whose impact is right, unknown, wrong.
    right: Vec<String>,
    unknown: Vec<String>,
    wrong: Vec<String>,
    /// Alarms beside it.
    others: usize,
}

fn outcome(place: &Place, truth: &Truth) -> Outcome {
    let alarms = json(&run(place, &["detect", "--format", "json"]));
    let alarms = alarms.as_array().unwrap();
    let about =
        |alarm: &&Value| alarm["cause"]["relay"] == "mx1001" && (seconds(&alarm["onset"]) - STOPPED).abs() < 1_800;
    let alarm = alarms
        .iter()
        .find(about)
        .unwrap_or_else(|| panic!("no alarm: {alarms:#?}"));
    let report = json(&run(place, &[&["incident", "--format", "json"], &NIGHT[..]].concat()));
    let mut outcome = Outcome {
        late: seconds(&alarm["detected"]) - STOPPED,
        onset: seconds(&alarm["onset"]) - STOPPED,
        ended: seconds(&alarm["ended"]) - RESTARTED,
        right: Vec::new(),
        unknown: Vec::new(),
        wrong: Vec::new(),
        others: alarms.len() - 1,
    };
    for one in report["services"].as_array().unwrap() {
        let name = one["service"].as_str().unwrap();
        let Some(impact) = truth.impact.get(name) else { continue };
        let right: &[&str] = match impact.fate {
            Fate::Lost => &["lost"],
            Fate::Delayed => &["delayed"],
            Fate::Rerouted => &["rerouted", "none"],
        };
        // One that had nothing to send in those hours lost nothing.
        let idle = impact.tried.is_empty() && matches!(one["impact"].as_str().unwrap(), "none" | "unknown");
        let said = one["impact"].as_str().unwrap();
        let list = match said {
            _ if right.contains(&said) || idle => &mut outcome.right,
            "unknown" => &mut outcome.unknown,
            _ => &mut outcome.wrong,
        };
        list.push(format!("{name} {said}"));
    }
    outcome
}

#[test]
#[ignore = "minutes: MAILPULSE_SEEDS=20 MAILPULSE=target/release/mailpulse cargo test --test it -- --ignored --nocapture seeds"]
fn every_seed_has_its_first_alarm_its_relay_and_its_impact() {
    let seeds = number_from("MAILPULSE_SEEDS", 3);
    for with_apps in [true, false] {
        let mut all = Vec::new();
        for seed in 100..100 + seeds {
            let place = Place::new();
            let truth = outage_2018(&place.path("logs"), &Outage2018::demo(seed)).expect("logs");
            let config = std::fs::read_to_string(place.path("logs/mailpulse.toml")).expect("its configuration");
            let config = config.replace("paths = [\"", "paths = [\"logs/");
            place.write(
                "mailpulse.toml",
                format!("{KEEP}{config}").replace("segment_rows_max = 1000\n", ""),
            );
            let relays = ["backfill", "logs/mx1001", "logs/mx2001"];
            run(&place, if with_apps { &relays[..1] } else { &relays }).ends(0);
            let outcome = outcome(&place, &truth);
            eprintln!(
                "seed {seed}, {}: alarm after {} s, onset {:+} s, end {:+} s; impact right {}, unknown {:?}, wrong {:?}; \
                 other alarms {}",
                if with_apps { "all logs" } else { "relays alone" },
                outcome.late,
                outcome.onset,
                outcome.ended,
                outcome.right.len(),
                outcome.unknown,
                outcome.wrong,
                outcome.others
            );
            all.push(outcome);
        }
        for outcome in &all {
            assert!((0..=300).contains(&outcome.late), "{outcome:?}");
            assert!(outcome.onset.abs() <= 120 && outcome.ended.abs() <= 300, "{outcome:?}");
            assert!(outcome.wrong.is_empty(), "{outcome:?}");
            assert!(!with_apps || outcome.unknown.is_empty(), "{outcome:?}");
        }
        let mut late: Vec<i64> = all.iter().map(|outcome| outcome.late / 60).collect();
        late.sort_unstable();
        let sum = |count: fn(&Outcome) -> usize| all.iter().map(count).sum::<usize>();
        eprintln!(
            "{seeds} seeds, {}: minutes to the alarm {late:?}; impact right {}, unknown {}, wrong {}; other alarms {}",
            if with_apps { "all logs" } else { "relays alone" },
            sum(|outcome| outcome.right.len()),
            sum(|outcome| outcome.unknown.len()),
            sum(|outcome| outcome.wrong.len()),
            sum(|outcome| outcome.others)
        );
    }
}

//! Detection and impact from the simulated outage's logs, compared with what the simulator did.

use crate::query::OUTAGE;
use crate::util::{KEEP, KEEP_ALONE, PROGRAM, Place, Run};
use mailpulse::model::time::UtcMs;
use mailpulse::simulate::{Fate, Outage2018, RESTARTED, STOPPED, Truth, outage_2018};
use serde_json::Value;
use std::process::Command;

const NIGHT: [&str; 4] = ["--since", "2018-06-06T18:55Z", "--until", "2018-06-07T02:00Z"];

fn seconds(value: &Value) -> i64 {
    value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second()
}

fn alarms(place: &Place) -> Vec<Value> {
    serde_json::from_str(&place.run(&["detect", "--format", "json"]).ends(1).out).expect("JSON")
}

fn incident(place: &Place) -> Value {
    let args = [&["incident", "--format", "json"], &NIGHT[..]].concat();
    serde_json::from_str(&place.run(&args).ends(1).out).expect("JSON")
}

/// One alarm, at the relay, within minutes, with its onset, its end and those who hang on it.
#[track_caller]
fn is_the_outage(alarms: &[Value], truth: &Truth) {
    assert_eq!(alarms.len(), 1, "{alarms:#?}");
    let alarm = &alarms[0];
    assert_eq!(
        (&alarm["series"]["relay"], &alarm["state"]),
        (&"mx1001".into(), &"dropped".into()),
        "{alarm:#}"
    );
    assert_eq!(alarm["cause"]["relay"], "mx1001");
    let late = seconds(&alarm["detected"]) - STOPPED;
    assert!((0..=300).contains(&late), "after {late} s");
    assert!((seconds(&alarm["onset"]) - STOPPED).abs() <= 120, "{alarm:#}");
    assert!((seconds(&alarm["ended"]) - RESTARTED).abs() <= 300, "{alarm:#}");
    let members: Vec<&str> = alarm["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["service"].as_str().unwrap())
        .collect();
    for (service, impact) in &truth.impact {
        assert_eq!(
            members.contains(&service.as_str()),
            impact.fate != Fate::Rerouted,
            "{service}: {members:?}"
        );
    }
}

/// Every service's word is the simulator's, and the numbers of those whose own log tells are exact.
#[track_caller]
fn is_the_impact(incident: &Value, truth: &Truth, tells: bool) {
    assert_eq!(incident["cause"]["relay"], "mx1001", "{incident:#}");
    for one in incident["services"].as_array().unwrap() {
        let name = one["service"].as_str().unwrap();
        let Some(impact) = truth.impact.get(name) else { continue };
        let right: &[&str] = match impact.fate {
            Fate::Lost => &["lost"],
            Fate::Delayed => &["delayed"],
            // What never used the stopped relay in the window went on as always.
            Fate::Rerouted => &["rerouted", "none"],
        };
        let is_quiet = one["expected"].as_f64().unwrap() < 6.0;
        if !tells && is_quiet && one["impact"] == "unknown" {
            continue;
        }
        assert!(
            right.contains(&one["impact"].as_str().unwrap()),
            "{name}: {:?} {one:#}",
            impact.fate
        );
        let failed = truth.apps.failed.get(name).map_or(0, |all| {
            all.iter().filter(|at| (STOPPED..RESTARTED).contains(*at)).count()
        });
        if tells {
            assert_eq!(one["submit_failed"], failed, "{name}");
        }
        if impact.fate == Fate::Delayed && tells {
            let late = one["delivered_late"].as_u64().unwrap() as f64 / impact.tried.len() as f64;
            assert!((0.8..1.1).contains(&late), "{name}: {one:#}");
        }
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn the_outage_is_one_alarm_and_its_impact_is_what_happened() {
    let (place, truth) = &*OUTAGE;
    is_the_outage(&alarms(place), truth);
    is_the_impact(&incident(place), truth, true);
}

/// What `serve --at` and `top --at` show at a moment, `detect` finds up to that moment.
#[test]
#[ignore = "slow: tests/run runs it"]
fn a_window_has_the_alarm_that_its_last_minute_raises() {
    let (place, _) = &*OUTAGE;
    let detected = seconds(&alarms(place)[0]["detected"]);
    let found = |from: i64, to: i64| {
        let [from, to] = [from, to].map(|at| jiff::Timestamp::from_second(at).unwrap().to_string());
        let run = place.run(&["detect", "--since", &from, "--until", &to, "--format", "json"]);
        let found: Vec<Value> = serde_json::from_str(&run.out).expect("JSON");
        found.len()
    };
    assert_eq!(found(detected - 60, detected), 1);
    assert_eq!(found(detected - 120, detected - 60), 0);
    assert_eq!(found(detected, detected + 60), 0);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn other_seeds_and_relays_alone_tell_the_same_story() {
    for (seed, with_apps) in [(11, true), (12, false)] {
        let place = Place::new();
        let spec = Outage2018 {
            seed,
            history_days: 4,
            mails_per_day_scale: 0.08,
        };
        let truth = outage_2018(&place.path("logs"), &spec).expect("logs");
        let config = std::fs::read_to_string(place.path("logs/mailpulse.toml")).expect("its configuration");
        let config = config.replace("paths = [\"", "paths = [\"logs/");
        place.write("mailpulse.toml", format!("{KEEP_ALONE}{config}"));
        if with_apps {
            place.run(&["backfill"]).ends(0);
        } else {
            place.run(&["backfill", "logs/mx1001", "logs/mx2001"]).ends(0);
        }
        let found = alarms(&place);
        if with_apps {
            is_the_outage(&found, &truth);
        } else {
            let about = found
                .iter()
                .find(|alarm| alarm["series"]["relay"] == "mx1001")
                .expect("its alarm");
            assert!(about["evidence"].to_string().contains("no witness"), "{about:#}");
        }
        is_the_impact(&incident(&place), &truth, with_apps);
    }
}

/// At 21:00 of that night: what is known then, and nothing of what comes later.
#[test]
fn while_the_outage_lasts_mail_waits_and_nothing_is_told_of_what_comes_after() {
    let (place, truth) = &*OUTAGE;
    let until = "2018-06-06T21:00:00Z";
    let page = |form: &str| {
        let args = ["incident", "--format", form, "--since", "2018-06-01", "--until", until];
        place.run(&args).ends(1).out
    };
    let report: Value = serde_json::from_str(&page("json")).unwrap();
    assert!(report["cause"]["silent_to"].is_null(), "{report:#}");
    let mut waiting = 0;
    for one in report["services"].as_array().unwrap() {
        let name = one["service"].as_str().unwrap();
        let Some(impact) = truth.impact.get(name) else { continue };
        let said = one["impact"].as_str().unwrap();
        assert!(!["lost", "delayed"].contains(&said), "{one:#}");
        if impact.fate == Fate::Delayed {
            assert_eq!(said, "waiting", "{one:#}");
            assert_eq!(one["missing"], one["submit_failed"], "{one:#}");
            waiting += 1;
        }
        assert!(one["recovered"].is_null() && one["drained"].is_null(), "{one:#}");
    }
    assert_eq!(waiting, 1, "phabricator tries again");
    let told = report["timeline"].as_array().unwrap().iter().map(|event| &event["at"]);
    let alarms = report["alarms"].as_array().unwrap().iter();
    let told = told.chain(alarms.flat_map(|alarm| [&alarm["detected"], &alarm["ended"]]));
    for at in told.filter(|at| !at.is_null()) {
        assert!(at.as_str().unwrap() <= until, "{report:#}");
    }
    let markdown = page("markdown");
    for part in [
        "# 2018-06-06: mx1001 took no mail",
        "mx1001 has taken no mail since 2018-06-06T18:5",
        "1 service could not send mail that is still tried or queued: phabricator.",
        "the hour after the recovery has not passed",
    ] {
        assert!(markdown.contains(part), "{part}:\n{markdown}");
    }
    assert!(
        !markdown.contains("goes on") && !markdown.contains("recovery:"),
        "{markdown}"
    );
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn the_page_is_whole_and_harmless() {
    let (place, _) = &*OUTAGE;
    let page = |form: &str| {
        place
            .run(&[&["incident", "--format", form], &NIGHT[..]].concat())
            .ends(1)
            .out
    };
    let markdown = page("markdown");
    for part in [
        "## Summary",
        "## Services",
        "## Timeline",
        "## Conclusions",
        "first alarm",
        "recovery",
        "backlog drained",
    ] {
        assert!(markdown.contains(part), "{part}:\n{markdown}");
    }
    assert!(markdown.contains("gerrit depended on mx1001 alone"), "{markdown}");
    let html = page("html");
    assert!(html.contains("<svg") && html.trim_end().ends_with("</html>"));
    for outside in ["<script", "src=", "href=\"http", "url(http"] {
        assert!(!html.contains(outside), "{outside}");
    }
}

#[test]
fn nothing_found_is_exit_code_zero_and_an_empty_store_an_error() {
    let (place, _) = &*OUTAGE;
    let quiet = ["--since", "2018-06-05T00:00Z", "--until", "2018-06-06T12:00Z"];
    let found = place
        .run(&[&["detect", "--format", "json"], &quiet[..]].concat())
        .ends(0);
    assert_eq!(found.out.trim(), "[]");
    let quiet = place.run(&[&["incident", "--format", "json"], &quiet[..]].concat());
    let report: Value = serde_json::from_str(&quiet.out).expect("JSON");
    assert!(report["cause"].is_null(), "{report:#}");
    for one in report["services"].as_array().unwrap() {
        let all_well = one["submit_failed"] != 0 || one["impact"] == "none" || one["impact"] == "unknown";
        assert!(all_well, "{one:#}");
    }
    Place::new().run(&["detect"]).ends(2);
}

#[test]
fn a_graph_marks_what_would_have_alarmed() {
    let (place, _) = &*OUTAGE;
    let drawn = |more: &[&str]| {
        let args = [
            &[
                "graph",
                "--by",
                "relay",
                "--out",
                "marked.svg",
                "--since",
                "2018-06-06",
                "--until",
                "2018-06-07T06:00Z",
            ],
            more,
        ];
        place.run(&args.concat()).ends(0);
        std::fs::read_to_string(place.path("marked.svg")).unwrap()
    };
    assert!(!drawn(&["--plain"]).contains("mx1001 dropped"));
    assert!(drawn(&[]).contains("mx1001 dropped"));
}

/// The stopped relay's log is not written any more; whether somebody looks at it makes the difference.
#[test]
#[ignore = "slow: tests/run runs it"]
fn a_log_that_is_read_and_stays_empty_is_silence_and_one_that_nobody_reads_is_blindness() {
    let place = Place::with(KEEP);
    let spec = Outage2018 {
        seed: 21,
        history_days: 4,
        mails_per_day_scale: 0.08,
    };
    outage_2018(&place.path("logs"), &spec).expect("logs");
    let until = |name: &str| {
        let text = std::fs::read_to_string(place.path("logs").join(name)).unwrap();
        let lines = text.lines().filter(|line| *line < "2018-06-06 18:55:00");
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let logs = ["mx1001", "mx2001"].map(|host| {
        let folder = place.path("logs").join(host);
        let live = folder.join("mainlog");
        if host == "mx1001" {
            let cut = until("mx1001/mainlog");
            std::fs::write(&live, cut).unwrap();
        }
        (host, folder)
    });
    for (host, folder) in &logs {
        place.backfill_as(host, &[folder]).ends(0);
    }
    let judged = || {
        let args = [
            "detect",
            "--format",
            "json",
            "--since",
            "2018-05-28",
            "--until",
            "2018-06-06T19:40Z",
        ];
        let run = place.run(&args);
        let found: Vec<Value> = serde_json::from_str(&run.out).expect("JSON");
        let of_the_relay = found.into_iter().filter(|alarm| {
            alarm["series"]["relay"] == "mx1001"
                || alarm["series"]["host"] == "mx1001"
                || alarm["cause"]["relay"] == "mx1001"
        });
        of_the_relay
            .map(|alarm| alarm["state"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let blind = judged();
    assert!(
        blind.iter().all(|state| state == "blind") && !blind.is_empty(),
        "{blind:?}"
    );
    let store = place.store();
    let source = store
        .positions()
        .sources()
        .unwrap()
        .into_iter()
        .find(|source| source.host == "mx1001")
        .unwrap()
        .id;
    for minute in 0..50 {
        let beat = mailpulse::store::catalogue::Heartbeat { source, lag_ms: None };
        let now_ms = (STOPPED - 120 + 60 * minute) * 1_000;
        mailpulse::store::commit::put_heartbeats(&store, &[beat], UtcMs::new(now_ms)).unwrap();
    }
    let silent = judged();
    assert!(
        silent.iter().any(|state| state == "dropped") && !silent.contains(&"blind".to_owned()),
        "{silent:?}"
    );
}

#[test]
fn a_services_holidays_and_clock_come_from_the_configuration_and_mistakes_are_told_with_their_place() {
    let (place, _) = &*OUTAGE;
    let config = std::fs::read_to_string(place.path("mailpulse.toml")).unwrap();
    let named = "name = \"phabricator\"\n";
    assert!(config.contains(named));
    let run = |more: &str, args: &[&str]| {
        let text = config.replacen(named, &format!("{named}{more}"), 1);
        let path = place.write(
            "rhythm/other.toml",
            text.replace("url = \"store\"", "url = \"../store\""),
        );
        let output = Command::new(PROGRAM).arg("--config").arg(path).args(args).output();
        Run::of(output.expect("the program starts"))
    };
    place.write("rhythm/days.txt", "2018-06-06 # a holiday\n");
    let night = [&["incident", "--format", "json"], &NIGHT[..]].concat();
    let report = run(
        "timezone = \"America/Los_Angeles\"\nholidays = [\"days.txt\"]\n",
        &night,
    )
    .ends(1);
    let report: Value = serde_json::from_str(&report.out).unwrap();
    let holiday = |service: &str| {
        let all = report["services"].as_array().unwrap();
        let one = all.iter().find(|one| one["service"] == service).unwrap();
        one["evidence"]
            .to_string()
            .contains("of these minutes are a declared holiday")
    };
    // 18:55 to 02:00 UTC is the whole time still that day on the American west coast.
    assert!(holiday("phabricator") && !holiday("gerrit"), "{report:#}");
    assert!(
        report
            .to_string()
            .contains("425 of these minutes are a declared holiday"),
        "{report:#}"
    );

    place.write(
        "rhythm/bad.ics",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20181306\nEND:VEVENT\nEND:VCALENDAR\n",
    );
    let bad = "timezone = \"Europe/Belin\"\nholidays = [\"bad.ics\", \"none.txt\"]\n";
    for args in [&["detect"][..], &["check"], &["watch", "--once"], &["graph"], &night] {
        run(bad, args).ends(2).says(&[
            "other.toml:",
            "unknown `timezone = \"Europe/Belin\"`; did you mean `Europe/Berlin`?",
            "holidays `bad.ics`, line 3: ",
            "holidays `none.txt` cannot be read: ",
            "correct the path",
        ]);
    }
    place
        .run(&["detect", "--zone", "Europe/Belin"])
        .ends(2)
        .says(&["--zone Europe/Belin: no such time zone; did you mean `Europe/Berlin`?"]);
    place.write("bad-days.txt", "2018-06-06\nEaster\n");
    place
        .run(&["detect", "--holidays", "bad-days.txt"])
        .ends(2)
        .says(&["--holidays: holidays `bad-days.txt`, line 2: expected a date like 2026-12-25"]);
}

//! Planned work: silences and marks that an operator declares, and where they are seen.

use crate::util::Place;
use crate::watch::{ONCE, Running, begun, configure, go_on, night_until, recover, until};
use serde_json::Value;
use std::fs;
use std::process::Stdio;

const STDOUT: &str = "[[alert]]\nkind = \"stdout\"\n";
const REASON: &str = "mx1001 gets a new kernel";

fn silence_an_hour(place: &Place) {
    let said = place.run(&[
        "silence",
        "add",
        "--relay",
        "mx1001",
        "--from",
        "2018-06-06T18:55Z",
        "--for",
        "1h",
        "--reason",
        REASON,
    ]);
    assert!(
        said.ends(0)
            .out
            .contains("s1: relay mx1001 is silenced from 2018-06-06T18:55:00Z to 2018-06-06T19:55:00Z")
    );
}

fn notices(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn json(place: &Place, args: &[&str], code: i32) -> Value {
    let out = place.run(args).ends(code).out;
    serde_json::from_str(&out).unwrap()
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn the_night_with_an_hour_of_silence_is_paged_when_the_hour_ends_and_not_when_mail_is_back() {
    let place = night_until("2018-06-06 18:50");
    configure(&place, STDOUT);
    silence_an_hour(&place);
    let mut told = Vec::new();
    // A minute is judged when lines of the next one are there.
    for minute in ["19:10", "19:40", "19:55", "19:56", "19:57"] {
        go_on(&place, &format!("2018-06-06 {minute}"));
        let out = place.run(&ONCE).out;
        told.extend(notices(&out).into_iter().map(|notice| (minute, notice)));
        if minute == "19:40" {
            let status = place.run(&["status"]).ends(0).out;
            let line = status.lines().find(|line| line.starts_with("silenced: ")).unwrap();
            assert!(
                line.contains("relay mx1001: dropped") && line.contains(REASON),
                "{status}"
            );
            let nagios = place
                .run(&["status", "--nagios", "--stale-after", "99999d"])
                .ends(0)
                .out;
            assert!(nagios.contains(REASON), "{nagios}");
        }
    }
    let (at, notice) = &told[0];
    assert_eq!(*at, "19:56", "{told:#?}");
    assert_eq!(
        (&notice["status"], &notice["alarm"]["series"]["relay"]),
        (&"firing".into(), &"mx1001".into())
    );
    assert_eq!(told.len(), 1, "{told:#?}");
    recover(&place);
    let over = notices(&place.run(&ONCE).ends(0).out);
    let over: Vec<&Value> = over.iter().filter(|notice| notice["id"] == told[0].1["id"]).collect();
    assert_eq!(over.len(), 1);
    assert_eq!(over[0]["status"], "resolved");
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_running_watch_heeds_a_silence_that_is_added_and_reports_at_once_when_it_is_ended() {
    let place = night_until("2018-06-06 18:50");
    let out = place.path("told");
    configure(&place, STDOUT);
    let watch = place
        .command()
        .args(["-v", "watch", "--stale", "0", "--interval", "1s"])
        .stdout(fs::File::create(&out).unwrap())
        .stderr(fs::File::create(place.path("said")).unwrap())
        .spawn()
        .unwrap();
    let _watch = Running(watch);
    let said = || fs::read_to_string(place.path("said")).unwrap();
    until("it judges", || said().contains("judged until 2018-06-06T18:4"));
    silence_an_hour(&place);
    go_on(&place, "2018-06-06 19:30");
    until("it is silenced", || said().contains("silenced, not sent: relay mx1001"));
    assert_eq!(fs::read_to_string(&out).unwrap(), "");
    // A file that somebody broke pages nobody: what was read last stays in effect.
    let path = place.path("store/silences.json");
    let kept = fs::read_to_string(&path).unwrap();
    fs::write(&path, "{").unwrap();
    go_on(&place, "2018-06-06 19:40");
    until("it says so", || {
        said().contains("the silences that were read last stay in effect")
    });
    until("it goes on", || said().contains("judged until 2018-06-06T19:3"));
    assert_eq!(fs::read_to_string(&out).unwrap(), "");
    fs::write(&path, kept).unwrap();
    go_on(&place, "2018-06-06 19:57");
    until("it is told", || !fs::read_to_string(&out).unwrap().is_empty());
    let told = notices(&fs::read_to_string(&out).unwrap());
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["alarm"]["series"]["relay"], "mx1001");
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn what_is_silenced_is_found_and_shown_as_such_everywhere() {
    let place = begun(STDOUT);
    silence_an_hour(&place);
    place
        .run(&["mark", "kernel 6.12 on mx1001", "--at", "2018-06-06T18:54Z"])
        .ends(0);
    for command in ["alarms", "detect"] {
        let all = json(&place, &[command, "--format", "json"], 1);
        let alarm = all
            .as_array()
            .unwrap()
            .iter()
            .find(|alarm| alarm["series"]["relay"] == "mx1001");
        let silenced = &alarm.unwrap()["silenced"];
        assert_eq!(silenced["until"], "2018-06-06T19:55:00Z", "{command}");
        assert_eq!((&silenced["reason"], &silenced["by"]), (&REASON.into(), &"s1".into()));
        assert_eq!(silenced["reported"], true);
        let table = place.run(&[command]).ends(1).out;
        assert!(
            table.contains("until 2018-06-06T19:55:00Z: mx1001 gets a new kernel"),
            "{table}"
        );
        let csv = place.run(&[command, "--format", "csv"]).ends(1).out;
        assert!(
            csv.lines().next().unwrap().ends_with(",silenced") && csv.contains(REASON),
            "{csv}"
        );
    }
    let window = ["--since", "2018-06-06T18:00Z", "--until", "2018-06-06T20:00Z"];
    let svg = place.path("g.svg");
    place
        .run(&[
            "graph",
            "--by",
            "relay",
            "--out",
            svg.to_str().unwrap(),
            window[0],
            window[1],
            window[2],
            window[3],
        ])
        .ends(0);
    let svg = fs::read_to_string(svg).unwrap();
    for text in [
        "mx1001 silenced: mx1001 gets a new kernel",
        "kernel 6.12 on mx1001",
        ">alarms silenced<",
        ">mark<",
    ] {
        assert!(svg.contains(text), "{text}");
    }
    let drawn = place
        .run(&["graph", window[0], window[1], window[2], window[3]])
        .ends(0)
        .out;
    assert!(drawn.contains("kernel 6.12 on mx1001: 2018-06-06 18:54 UTC"), "{drawn}");
    let incident = |form: &str| {
        let args = ["incident", "--format", form, window[0], window[1], window[2], window[3]];
        place.run(&args).ends(1).out
    };
    let report: Value = serde_json::from_str(&incident("json")).unwrap();
    assert_eq!(report["silences"][0]["relay"], "mx1001");
    assert_eq!(report["silences"][0]["reason"], REASON);
    assert_eq!(
        (&report["marks"][0]["id"], &report["marks"][0]["at"]),
        (&"m1".into(), &"2018-06-06T18:54:00Z".into())
    );
    for form in ["markdown", "html"] {
        let page = incident(form);
        for text in [
            "2018-06-06T18:54:00Z mark: kernel 6.12 on mx1001",
            "2018-06-06T18:55:00Z silence begins: relay mx1001: mx1001 gets a new kernel",
            "2018-06-06T19:55:00Z silence ends: relay mx1001",
            "dropped (silenced until 2018-06-06T19:55:00Z",
        ] {
            assert!(page.contains(text), "{form}: {text}\n{page}");
        }
    }
}

#[test]
fn silences_are_listed_and_ended_and_mistakes_are_told() {
    let place = begun("[[silence]]\nservice = \"cron*\"\nreason = \"nobody minds\"\n");
    let add = |args: &[&str]| {
        let mut all = vec!["silence", "add", "--reason", "x"];
        all.extend(args);
        place.run(&all)
    };
    add(&["--relay", "mx1002", "--for", "1h"])
        .ends(2)
        .says(&["no relay `mx1002`; there are mx1001"]);
    add(&["--service", "gerit", "--for", "1h"])
        .ends(2)
        .says(&["no service `gerit`; there are gerrit"]);
    add(&["--relay", "mx9*", "--for", "1h"])
        .ends(2)
        .says(&["no relay `mx9*`"]);
    add(&["--relay", "mx1001"]).ends(2).says(&["--for"]);
    add(&["--for", "1h"]).ends(2);
    add(&["--relay", "mx1001", "--service", "gerrit", "--for", "1h"]).ends(2);
    add(&["--relay", "mx1001", "--for", "soon"])
        .ends(2)
        .says(&["is no duration"]);
    add(&["--relay", "mx1001", "--for", "9000d"])
        .ends(2)
        .says(&["366 days at most"]);
    add(&["--relay", "mx1001", "--until", "2018-06-06T18:00Z"])
        .ends(2)
        .says(&["not after its beginning"]);
    let hostile = [
        "silence",
        "add",
        "--relay",
        "mx1001",
        "--for",
        "1h",
        "--reason",
        "a\u{1b}[2Jb",
    ];
    place
        .run(&hostile)
        .ends(2)
        .says(&["--reason contains the control or invisible character \\u{1b}"]);
    assert!(!place.path("store/silences.json").exists());

    add(&["--relay", "mx*", "--for", "2h"]).ends(0);
    add(&["--service", "gerrit", "--from", "2018-06-06T18:00Z", "--for", "1h"])
        .ends(0)
        .says(&["it is over"]);
    let ids = |args: &[&str]| -> Vec<(String, String)> {
        let all = json(&place, args, 0);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        all.as_array()
            .unwrap()
            .iter()
            .map(|one| (text(&one["id"]), text(&one["state"])))
            .collect()
    };
    let list = ["silence", "list", "--format", "json"];
    let shown = ids(&list);
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(
        shown[0].0.contains("mailpulse.toml:") && shown[0].1 == "active",
        "{shown:?}"
    );
    assert_eq!(shown[1], ("s1".to_owned(), "active".to_owned()));
    assert_eq!(ids(&["silence", "list", "--format", "json", "--all"]).len(), 3);
    let configured = shown[0].0.clone();
    place
        .run(&["silence", "end", &configured])
        .ends(2)
        .says(&["remove it there"]);
    place
        .run(&["silence", "end", "s9"])
        .ends(2)
        .says(&["there is no silence s9"]);
    place.run(&["silence", "end", "s1"]).ends(0);
    assert_eq!(ids(&list).len(), 1);
    assert!(place.run(&["silence", "end", "s2"]).ends(0).out.contains("was over at"));
}

#[test]
fn marks_are_bounded_and_can_be_taken_back() {
    let place = begun("");
    place.run(&["mark", "a\nb"]).ends(2).says(&["control or invisible"]);
    place
        .run(&["mark", &"x".repeat(201)])
        .ends(2)
        .says(&["the limit is 200"]);
    place
        .run(&["mark", "x", "--service", "gerit"])
        .ends(2)
        .says(&["there are gerrit"]);
    place.run(&["mark", "x", "--at", "noon"]).ends(2).says(&["--at"]);
    place
        .run(&["mark", "=1+1", "--service", "gerrit", "--at", "2018-06-06T19:00Z"])
        .ends(0);
    place.run(&["mark", "later"]).ends(0);
    let csv = place.run(&["mark", "--list", "--format", "csv"]).ends(0).out;
    assert!(csv.contains("m1,2018-06-06T19:00:00Z,gerrit,'=1+1"), "{csv}");
    place.run(&["mark", "--remove", "m1"]).ends(0);
    place
        .run(&["mark", "--remove", "m1"])
        .ends(2)
        .says(&["there is no mark m1"]);
    assert_eq!(
        json(&place, &["mark", "--list", "--format", "json"], 0)
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

/// A `tail` holds the lock of the store's writer; planned work needs it not.
#[test]
fn planned_work_does_not_wait_for_the_stores_writer() {
    let place = begun("");
    let tail = place
        .command()
        .arg("tail")
        .stdout(Stdio::null())
        .stderr(fs::File::create(place.path("said")).unwrap())
        .spawn()
        .unwrap();
    let _tail = Running(tail);
    until("it follows", || {
        fs::read_to_string(place.path("said")).unwrap().contains("follows")
    });
    place.run(&["store", "compact"]).ends(2);
    place.run(&["mark", "while it is written"]).ends(0);
    silence_an_hour(&place);
}

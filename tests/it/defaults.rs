//! Help and defaults say the same: of time, of names, of what is read.

use crate::query::OUTAGE;
use crate::util::{Place, Run};
use serde_json::Value;
use std::io::Write as _;
use std::process::Stdio;

fn json(run: &Run) -> Vec<Value> {
    serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}", run.out))
}

/// The `--since` of a command's help.
fn since(place: &Place, command: &[&str]) -> String {
    let help = place.run(&[command, &["--help"]].concat()).ends(0).out;
    let words: Vec<&str> = help.split_whitespace().collect();
    let text = words.join(" ");
    let from = text.find("--since").expect("--since");
    text[from..].split("--until <TIME>").next().unwrap().to_owned()
}

#[test]
fn help_names_the_window_that_is_taken() {
    let place = Place::new();
    for (command, default) in [
        (&["graph"][..], "[default: 24 h before --until]"),
        (&["incident"], "[default: 24 h before --until]"),
        (&["query"], "[default: 24 h before --until]"),
        (&["store", "export"], "[default: 24 h before --until]"),
        (&["services"], "[default: 7 days before --until]"),
        (&["services", "discover"], "[default: 7 days before --until]"),
        (&["routes"], "[default: 7 days before --until]"),
        (&["alarms"], "[default: 7 days before --until]"),
        (&["detect"], "[default: the first event]"),
        (&["trace"], "[default: the first event]"),
    ] {
        let help = since(&place, command);
        assert!(help.contains(default), "{command:?}: {help}");
    }
}

/// The store's newest event is years old.
#[test]
#[ignore = "slow: tests/run runs it"]
fn relative_times_count_from_the_newest_event_of_an_old_store() {
    let (place, _) = &*OUTAGE;
    let window = |args: &[&str]| {
        let run = place
            .run(&[&["query", "rate_by_relay", "--format", "json"], args].concat())
            .ends(0);
        run.says(&["newest event: 2018-06-0"])
    };
    let day = json(&window(&["--since", "-24h"]));
    assert!(!day.is_empty());
    assert_eq!(day, json(&window(&[])), "as the default");
    assert_eq!(day, json(&window(&["--param", "since=-24h"])), "as a parameter");
    let before = json(&window(&["--since", "-48h", "--until", "-24h"]));
    let last = |rows: &[Value]| {
        rows.iter()
            .map(|row| row["ts"].as_str().unwrap().to_owned())
            .max()
            .unwrap()
    };
    assert!(!before.is_empty() && last(&before).as_str() < day[0]["ts"].as_str().unwrap());
    for command in [&["graph", "--plain"][..], &["services"], &["routes"], &["incident"]] {
        let run = place.run(&[command, &["--since", "-24h"]].concat());
        assert!(
            run.code < 2 && !run.out.is_empty(),
            "{command:?}: {} {}",
            run.code,
            run.err
        );
    }
}

#[test]
fn names_that_do_not_exist_are_refused_with_those_that_do() {
    let (place, _) = &*OUTAGE;
    for (args, words) in [
        (
            &["query", "rate_by_service", "--param", "kind=nosuch"][..],
            &["`nosuch` is no kind of event; there are accepted, delivered"][..],
        ),
        (&["graph", "--kind", "nosuch"], &["no kind of event", "accepted"]),
        (
            &["graph", "--only", "gerit"],
            &["no service `gerit`; there are gerrit,"],
        ),
        (&["graph", "--only", "gerrit,gerit"], &["no service `gerit`"]),
        (
            &["graph", "--by", "relay", "--only", "mx3001"],
            &["no relay `mx3001`", "mx1001"],
        ),
        (
            &["graph", "--by", "kind", "--only", "acepted"],
            &["no kind `acepted`", "accepted"],
        ),
        (
            &["graph", "--by", "hostgroup", "--only", "phba"],
            &["no hostgroup `phba`", "phab"],
        ),
        (
            &["graph", "--by", "kind", "--service", "x"],
            &["no service `x`", "gerrit"],
        ),
    ] {
        let run = place.run(args).ends(2).says(words);
        assert!(run.out.is_empty(), "{args:?}: {}", run.out);
    }
}

#[test]
fn a_service_that_took_no_mail_has_no_last_minute() {
    let place = Place::new();
    let log = "2018-06-06 18:00:00 H=(evil) [192.0.2.66] F=<x@shop.example> rejected RCPT <a@example.org>: no\n";
    let log = place.write("mainlog", log);
    place.backfill(&[&log]).ends(0);
    let services = json(&place.run(&["services", "--format", "json"]).ends(0));
    assert_eq!(
        (&services[0]["messages"], &services[0]["last_minute"]),
        (&Value::from(0), &Value::Null)
    );
    assert!(!place.run(&["services"]).ends(0).out.contains("1970"));
}

#[test]
fn services_and_check_say_how_long_an_outage_must_last_to_show() {
    let place = Place::new();
    let start: jiff::Timestamp = "2018-05-01T00:00:00Z".parse().unwrap();
    let mut log = String::new();
    for minute in (0..20 * 1_440_i64).step_by(5) {
        let time = start + jiff::SignedDuration::from_mins(minute);
        let time = time.strftime("%Y-%m-%d %H:%M:%S");
        let rare = minute % 480 == 0;
        for from in std::iter::once("often").chain(rare.then_some("rare")) {
            let id = format!("1f{from:0<4.4}-{minute:06}-00");
            log.push_str(&format!(
                "{time} {id} <= {from}@{from}.example H=web1 [192.0.2.1] P=esmtp S=900\n"
            ));
        }
    }
    let log = place.write("mainlog", &log);
    place.backfill(&[&log]).ends(0);
    let window = ["--since", "2018-05-01", "--until", "2018-05-21"];
    let services = json(
        &place
            .run(&[&["services", "--format", "json"], &window[..]].concat())
            .ends(0),
    );
    let of = |part: &str| {
        let one = services
            .iter()
            .find(|one| one["service"].as_str().unwrap().contains(part))
            .unwrap();
        one["shortest_outage_min"].as_i64().unwrap()
    };
    // 288 mails a day, and three: as docs/detection.md has the bound.
    assert!((45..60).contains(&of("often")), "{services:?}");
    assert!((44 * 60..46 * 60).contains(&of("rare")), "{services:?}");
    let table = place.run(&[&["services"], &window[..]].concat()).ends(0).out;
    assert!(table.contains("shortest outage"), "{table}");
    let check = place.run(&["check"]).ends(0).out;
    assert!(check.contains("1 of 2 services send so little"), "{check}");
}

#[test]
fn counts_come_from_standard_input_and_sparse_ones_are_filled() {
    let place = Place::new();
    // A mail now and then, at no distance that divides an hour; zeros are left out.
    let rows: String = (0..2_000).map(|n| format!("a,{},1\n", n * 420)).collect();
    let piped = |more: &[&str]| {
        let mut child = place
            .command()
            .args(["detect", "--csv", "-", "--format", "json"])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        // A program that refuses its input closes it.
        let _ = input.write_all(format!("series,ts,count\n{rows}").as_bytes());
        drop(input);
        Run::of(child.wait_with_output().unwrap())
    };
    piped(&[]).ends(2).says(&["standard input: ", "--missing-is-zero"]);
    let run = piped(&["--missing-is-zero"]);
    assert!(run.code < 2, "{}", run.err);
}

#[test]
fn zone_and_holidays_of_the_configuration_hold_for_counts_too() {
    // Four weeks of sixty an hour; on one day there is a third of it.
    let rows: String = (0..28 * 24)
        .map(|hour| {
            format!(
                "shop,{},{}\n",
                hour * 3_600,
                if hour / 24 == 25 { 20 } else { 55 + hour % 11 }
            )
        })
        .collect();
    let found = |config: &str| {
        let place = Place::with(config);
        place.write("holidays.txt", "1970-01-26\n");
        let counts = place.write("counts.csv", format!("series,ts,count\n{rows}"));
        let run = place.run(&["detect", "--csv", counts.to_str().unwrap(), "--format", "json"]);
        assert!(run.code < 2, "{}", run.err);
        json(&run).len()
    };
    assert_eq!(found("[detect]\n"), 1);
    assert_eq!(found("[detect]\nholidays = [\"holidays.txt\"]\n"), 0);
}

#[test]
fn an_option_that_would_say_nothing_is_refused() {
    let (place, _) = &*OUTAGE;
    let args = ["services", "--since", "-30d", "discover"];
    place.run(&args).ends(2).says(&["after `discover`"]);
    place
        .run(&["graph", "--width", "100000", "--out", "x.svg"])
        .ends(2)
        .says(&["320..=4000"]);
}

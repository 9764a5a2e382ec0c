//! Nobody's address stands in a store in clear: not in rows, not as a service's name, not in what was not understood.

use crate::util::Place;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Names of people and accounts, in every place that a line has for one.
/// Clients are ours.
const OURS: &str = "[ours]\nnetworks = [\"192.0.2.0/24\", \"198.51.100.0/24\"]\n";

const PEOPLE: [&str; 6] = ["jdoe", "Jane.Doe", "bob-tag", "accnt", "unixuser", "vera"];

const EXIM: &str = "\
2018-06-06 12:00:01 1fQ001-0001Ab-Cd <= jdoe@example.org H=mail.example.org [192.0.2.7] P=esmtp S=500
2018-06-06 12:00:02 1fQ001-0001Ab-Cd => Jane.Doe@example.net R=dnslookup T=remote_smtp H=mx.example.net [198.51.100.1] C=\"250 ok\"
2018-06-06 12:00:03 1fQ001-0001Ab-Cd Completed
2018-06-06 12:01:01 1fQ002-0001Ab-Cd <= accnt@example.org H=client.invalid [192.0.2.8] P=esmtpsa A=plain:accnt@example.org S=500
2018-06-06 12:01:02 1fQ002-0001Ab-Cd => vera@example.net R=dnslookup T=remote_smtp H=mx.example.net [198.51.100.1] C=\"250 ok\"
2018-06-06 12:01:03 1fQ002-0001Ab-Cd Completed
2018-06-06 12:02:01 1fQ003-0001Ab-Cd <= unixuser@example.org U=unixuser P=local S=500
2018-06-06 12:02:02 1fQ003-0001Ab-Cd => bob-tag@example.net R=dnslookup T=remote_smtp H=mx.example.net [198.51.100.1] C=\"250 ok\" QT=vera@x
2018-06-06 12:02:03 1fQ003-0001Ab-Cd Completed
2018-06-06 12:03:01 1fQ004-0001Ab-Cd <= shop@example.org H=shop01.example.org [192.0.2.9] P=esmtp S=500
2018-06-06 12:03:02 1fQ004-0001Ab-Cd Completed
2018-06-06 12:04:01 1fQ005-0001Ab-Cd <= 
2018-06-06 12:0x:01 1fQ006-0001Ab-Cd <= vera@example.org H=(x) [192.0.2.9] A=login:accnt U=unixuser
2018-13-06 12:05:01 mail for <Jane.Doe@example.net> and \"bob-tag\"@example.net from jdoe%40example.org
";

const POSTFIX: &str = "\
Jun  6 12:00:01 mx2 postfix/smtpd[100]: 3xKqWz1: client=unknown[192.0.2.8], sasl_method=PLAIN, sasl_username=accnt
Jun  6 12:00:01 mx2 postfix/cleanup[101]: 3xKqWz1: message-id=<1@mx2>
Jun  6 12:00:01 mx2 postfix/qmgr[102]: 3xKqWz1: from=<jdoe@example.org>, size=500, nrcpt=1 (queue active)
Jun  6 12:00:02 mx2 postfix/smtp[103]: 3xKqWz1: to=<Jane.Doe@example.net>, relay=mx.example.net[198.51.100.1]:25, delay=x.1vera@x, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)
Jun  6 12:00:02 mx2 postfix/qmgr[102]: 3xKqWz1: removed
Jun  6 12:00:03 mx2 postfix/qmgr[102]: 3xKqWz1: from=<jdoe@example.org, user=<accnt>
";

/// What stands in the store's files outside columns that are packed, in all answers, and in what is shown.
fn everything(place: &Place) -> String {
    let mut all = String::new();
    let store = place.path("store");
    for name in ["catalogue.sqlite", "catalogue.sqlite-wal"] {
        let bytes = fs::read(store.join(name)).unwrap_or_default();
        all.extend(bytes.iter().map(|byte| char::from(*byte)));
    }
    for args in [
        &["query", "--sql", "SELECT * FROM events", "--format", "json"][..],
        &["query", "--sql", "SELECT * FROM rates", "--format", "json"],
        &["services", "--format", "json"],
        &["status"],
        &["status", "--format", "json"],
        &["detect", "--format", "json"],
        &["routes", "--format", "json"],
        &["graph"],
    ] {
        let run = place.run(args);
        assert!(run.code < 2, "{args:?}: {}", run.err);
        all += &run.out;
        all += &run.err;
    }
    all
}

fn services(place: &Place) -> BTreeSet<String> {
    let rows = place.sql("SELECT DISTINCT service FROM events WHERE kind = 'accepted'");
    rows.iter()
        .map(|row| row["service"].as_str().unwrap().to_owned())
        .collect()
}

fn read(place: &Place) -> Vec<String> {
    let logs = [("mx1", "exim.log", EXIM), ("mx2", "postfix.log", POSTFIX)];
    let read = |(host, name, text): (&str, &str, &str)| {
        let log = place.write(name, text);
        let run = place
            .run(&["backfill", "--host", host, "--year", "2018", log.to_str().unwrap()])
            .ends(0);
        run.out + &run.err
    };
    logs.into_iter().map(read).collect()
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn no_local_part_stands_in_a_store_in_clear() {
    for mode in ["hash", "drop"] {
        let place = Place::with(&format!(
            "{OURS}[store]\nurl = \"store\"\n[privacy]\nlocal_parts = \"{mode}\"\n"
        ));
        let mut all = read(&place).concat();
        assert!(all.contains("unparsed"), "{all}");
        all += &everything(&place);
        for name in PEOPLE {
            let at = all.to_lowercase().find(&name.to_lowercase());
            assert_eq!(
                at.map(|at| all.chars().skip(at.saturating_sub(80)).take(200).collect::<String>()),
                None,
                "{mode} {name}"
            );
        }
        for name in ["authenticated", "example", "shop"] {
            assert!(services(&place).contains(name), "{mode}: {:?}", services(&place));
        }
    }
    // The same where they are kept: or else this test would find nothing anywhere.
    let place = Place::new();
    let mut all = read(&place).concat();
    all += &everything(&place);
    for name in PEOPLE {
        assert!(all.to_lowercase().contains(&name.to_lowercase()), "{name}");
    }
    assert!(services(&place).contains("jdoe"), "{:?}", services(&place));
}

#[test]
fn names_that_a_store_has_stay_when_local_parts_are_kept_no_more() {
    let place = Place::new();
    read(&place);
    let before = services(&place);
    place.write(
        "mailpulse.toml",
        format!("{OURS}[store]\nurl = \"store\"\n[privacy]\nlocal_parts = \"drop\"\n"),
    );
    let more = EXIM.replace("2018-06-06", "2018-06-07").replace("1fQ", "1fR");
    let more = more.replace("H=mail.example.org", "H=web3.example.org")
        + "\
2018-06-07 13:00:01 1fR101-0001Ab-Cd <= newcomer@example.org H=web3.example.org [192.0.2.7] P=esmtp S=500\n";
    let log = place.write("more.log", more);
    let read_again = |log: &Path| place.run(&["backfill", "--host", "mx1", log.to_str().unwrap()]).ends(0);
    read_again(&log);
    let now = services(&place);
    assert!(before.contains("jdoe") && now.is_superset(&before), "{now:?}");
    let added: Vec<&String> = now.difference(&before).collect();
    assert_eq!(added, ["web"]);
    let late = "SELECT service FROM events WHERE kind = 'accepted' AND queue_id = '1fR001-0001Ab-Cd'";
    assert_eq!(place.sql(late)[0]["service"], "jdoe");
    let samples = place.run(&["status"]).out;
    assert!(
        !samples.contains("Jane.Doe@") && !samples.contains("vera@"),
        "{samples}"
    );
}

#[test]
fn the_order_of_runs_gives_no_other_names() {
    let whole = Place::with(&format!("{OURS}[store]\nurl = \"store\"\n"));
    read(&whole);
    let parts = Place::with(&format!("{OURS}[store]\nurl = \"store\"\n"));
    let lines: Vec<&str> = EXIM.lines().collect();
    for upto in 1..=lines.len() {
        let log = parts.write("exim.log", lines[..upto].join("\n") + "\n");
        parts.run(&["backfill", "--host", "mx1", log.to_str().unwrap()]).ends(0);
    }
    let names = |place: &Place| {
        place.sql("SELECT queue_id, service FROM events WHERE host = 'mx1' AND kind = 'accepted' ORDER BY queue_id")
    };
    assert_eq!(names(&whole), names(&parts));
}

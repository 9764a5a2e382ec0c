//! What waits in the queues, as far as the logs tell: against a real Exim's and a real Postfix' own lists.

use crate::lab::{lab, postfix_lab};
use crate::util::{KEEP, Place};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

#[track_caller]
fn queue(place: &Place, at: &str) -> Value {
    let run = place.run(&["queue", "--at", at, "--format", "json"]).ends(0);
    serde_json::from_str(&run.out).expect("JSON")
}

/// The numbers of a row.
#[track_caller]
fn counts(row: &Value) -> [i64; 5] {
    ["messages", "recipients", "frozen", "held", "quiet"].map(|key| row[key].as_i64().expect(key))
}

/// At the end of each part of the scenario, the store says what the MTA listed.
#[track_caller]
fn equals_the_mtas_list(place: &Place, dir: &Path, is_told: impl Fn(&Value) -> bool) {
    let lists = fs::read_to_string(dir.join("queue.jsonl")).unwrap();
    let mut most = 0;
    for line in lists.lines() {
        let said: Value = serde_json::from_str(line).unwrap();
        let at = said["at"].as_i64().unwrap();
        let mut all = said["queue"].as_array().unwrap().clone();
        all.retain(&is_told);
        let (aside, waiting): (Vec<&Value>, Vec<&Value>) = all.iter().partition(|mail| mail[1] == true);
        let recipients: i64 = waiting.iter().map(|mail| mail[2].as_i64().unwrap()).sum();
        most = most.max(waiting.len());
        let at = jiff::Timestamp::from_millisecond(at * 1000 + 999).unwrap().to_string();
        let found = queue(place, &at)["total"].clone();
        let [messages, theirs, frozen, held, quiet] = counts(&found);
        assert_eq!(
            (messages, theirs, frozen + held, quiet),
            (waiting.len() as i64, recipients, aside.len() as i64, 0),
            "at {at}: left: the store, right: {all:?}"
        );
    }
    assert!(most > 2, "{lists}");
}

#[test]
#[ignore = "lab: needs root and exim4"]
fn the_backlog_is_what_exim_lists() {
    for selector in ["default", "all"] {
        let dir = lab(selector);
        let place = Place::new();
        place.backfill_as("mx1001.example.org", &[&dir.join("mainlog")]).ends(0);
        equals_the_mtas_list(&place, &dir, |_| true);
    }
}

#[test]
#[ignore = "lab: needs root and postfix"]
fn the_backlog_is_what_postfix_lists() {
    for ids in ["short", "long"] {
        let dir = postfix_lab(ids);
        let place = Place::new();
        place.backfill_as("mx1.example.org", &[&dir.join("mail.log")]).ends(0);
        // A mail that is held before it has a queue ID has none in the line that says so.
        let log = fs::read_to_string(dir.join("mail.log")).unwrap();
        let is_told = |mail: &Value| mail[1] == false || log.contains(&format!("{}: hold:", mail[0].as_str().unwrap()));
        equals_the_mtas_list(&place, &dir, is_told);
    }
}

/// A store with a log of mx1's Exim.
fn exim(log: &str) -> Place {
    let place = Place::with(KEEP);
    let path = place.write("mainlog", log);
    place.backfill_as("mx1", &[&path]).ends(0);
    place
}

const TRIED: &str = "R=dnslookup T=remote_smtp defer (111): Connection refused";

#[test]
fn what_waits_is_counted_once_whatever_stands_in_other_days_and_archives() {
    // The oldest came three days before; one has two recipients and one of them got it; one came before the log begins, and
    // its ID says when; one's end stands in no log; one is frozen, and one was
    // before the log begins.
    let older = format!(
        "2018-06-03 10:00:00 1fPPwG-000001-Aa <= shop@example.org U=shop P=local S=500\n\
         2018-06-03 10:00:01 1fPPwG-000001-Aa == a@example.com {TRIED}\n\
         2018-06-03 11:00:01 1fPPwG-000002-Bb <= shop@example.org U=shop P=local S=500\n"
    );
    let newer = format!(
        "2018-06-06 09:59:00 1fOm7s-000003-Cc == c@example.com {TRIED}\n\
         2018-06-06 09:59:00 1fOm7s-000009-Gg Message is frozen\n\
         2018-06-06 10:00:00 1fQV4W-000004-Dd <= news@example.org U=news P=local S=500\n\
         2018-06-06 10:00:01 1fQV4W-000004-Dd => d@example.net R=dnslookup T=remote_smtp H=mx.example.net [192.0.2.1]\n\
         2018-06-06 10:00:01 1fQV4W-000004-Dd == e@example.com {TRIED}\n\
         2018-06-06 10:30:00 1fPPwG-000001-Aa == a@example.com {TRIED}\n\
         2018-06-06 11:00:00 1fPPwG-000001-Aa == a@example.com {TRIED}\n\
         2018-06-06 11:00:00 1fQV4W-000004-Dd == e@example.com {TRIED}\n\
         2018-06-06 11:00:02 1fQV4X-000005-Ee <= <> R=1fQV4W-000004-Dd U=Debian-exim P=local S=900\n\
         2018-06-06 11:00:03 1fQV4X-000005-Ee ** gone@example.org R=dnslookup T=remote_smtp: 550 no\n\
         2018-06-06 11:00:03 1fQV4X-000005-Ee Frozen (delivery error message)\n\
         2018-06-06 11:20:00 1fQV4X-000006-Ff <= shop@example.org U=shop P=local S=500\n\
         2018-06-06 11:20:01 1fQV4X-000006-Ff => f@example.net R=dnslookup T=remote_smtp H=mx.example.net [192.0.2.1]\n\
         2018-06-06 11:20:01 1fQV4X-000006-Ff Completed\n"
    );
    let at = "2018-06-06T11:20:30Z";
    let in_order = exim(&format!("{older}{newer}"));
    let said = queue(&in_order, at);
    assert_eq!(counts(&said["total"]), [3, 3, 2, 0, 1], "{said:#}");
    let rows: Vec<(&str, [i64; 5])> = said["queues"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["service"].as_str().unwrap(), counts(row)))
        .collect();
    assert!(rows.contains(&("shop", [1, 1, 0, 0, 1])), "{rows:?}");
    assert!(rows.contains(&("news", [1, 1, 0, 0, 0])), "{rows:?}");
    // Two attempts of each tell the next.
    let shop = said["queues"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["service"] == "shop")
        .unwrap();
    assert_eq!(
        (&shop["next_try"], &shop["oldest_s"], &shop["oldest_is_older"]),
        (&json!("2018-06-06T11:30:00Z"), &json!(3 * 86_400 + 4830), &json!(false))
    );
    // The ID of what came before the log begins says when.
    assert!(
        said["total"]["oldest_s"].as_i64() > shop["oldest_s"].as_i64(),
        "{said:#}"
    );
    // What comes later counts later; a mail that is not tried for a day is not believed. Archives may come in any order: corrected rows count once.
    assert_eq!(
        counts(&queue(&in_order, "2018-06-06T10:00:00Z")["total"]),
        [2, 2, 1, 0, 2]
    );
    let late = exim(&newer);
    assert_eq!(counts(&queue(&late, at)["total"]), [3, 3, 2, 0, 0]);
    late.backfill_as("mx1", &[&late.write("mainlog.1", &older)]).ends(0);
    assert_eq!(queue(&late, at), said);
    // More than the limit is an error that says how to raise it.
    in_order
        .run(&["queue", "--at", at, "--mails-max", "3"])
        .ends(2)
        .says(&["more than 3 mails wait", "--mails-max"]);
}

#[test]
fn what_waits_is_told_apart_by_provider() {
    let refused = "R=dnslookup T=remote_smtp defer (-45) H=gmail-smtp-in.l.google.com [142.250.0.26]: SMTP error from remote mail \
                   server after MAIL FROM:<shop@example.org>: 421 4.7.28 unusual rate";
    let place = exim(&format!(
        "2018-06-06 10:00:00 1fQV4W-000001-Aa <= shop@example.org U=shop P=local S=500\n\
         2018-06-06 10:00:01 1fQV4W-000001-Aa == a@gmail.com {refused}\n\
         2018-06-06 10:00:01 1fQV4W-000001-Aa == b@gmail.com {refused}\n\
         2018-06-06 10:10:00 1fQV4W-000002-Bb <= news@example.org U=news P=local S=500\n\
         2018-06-06 10:10:01 1fQV4W-000002-Bb == c@gmail.com {refused}\n\
         2018-06-06 10:10:01 1fQV4W-000002-Bb == d@example.net R=dnslookup T=remote_smtp defer (-45) H=mx.example.net [192.0.2.7]: \
         SMTP error from remote mail server after initial connection: 451 later\n\
         2018-06-06 10:15:00 1fQV4W-000001-Aa == a@gmail.com R=dnslookup T=remote_smtp defer (-53): retry time not reached for \
         any host\n\
         2018-06-06 10:20:00 1fQV4W-000003-Cc <= news@example.org U=news P=local S=500\n"
    ));
    let by = |by: &str| -> Vec<(String, i64, i64)> {
        let run = place
            .run(&["queue", "--at", "2018-06-06T10:20:30Z", "--format", "json", "--by", by])
            .ends(0);
        let said: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(counts(&said["total"])[..2], [3, 5], "{said:#}");
        let rows = said["queues"].as_array().unwrap().iter();
        rows.map(|row| {
            let [messages, recipients, ..] = counts(row);
            (row[by].as_str().unwrap().to_owned(), messages, recipients)
        })
        .collect()
    };
    let is = |rows: &[(&str, i64, i64)]| -> Vec<(String, i64, i64)> {
        rows.iter()
            .map(|(name, messages, recipients)| ((*name).to_owned(), *messages, *recipients))
            .collect()
    };
    // What was not tried yet has no provider.
    assert_eq!(by("provider"), is(&[("", 1, 1), ("google", 2, 3), ("other", 1, 1)]));
    assert_eq!(by("service"), is(&[("news", 2, 3), ("shop", 1, 2)]));
    assert_eq!(by("relay"), is(&[("mx1", 3, 5)]));
    let asked = [
        "query",
        "providers",
        "--since",
        "2018-06-06",
        "--until",
        "2018-06-07",
        "--format",
        "json",
    ];
    let named: Value = serde_json::from_str(&place.run(&asked).ends(0).out).unwrap();
    let google = json!({ "provider": "google", "relay": "mx1", "attempts": 3, "delivered": 0, "deferred": 3, "deferrals": 3,
        "bounced": 0, "expired": 0 });
    assert_eq!(named[0], google, "{named:#}");
}

#[test]
fn the_end_of_a_drain_is_known_at_half_time() {
    // 600 mails wait for three hours; then five a minute leave, for two hours, while others come and go at once.
    let mut lines: Vec<(i64, String)> = Vec::new();
    let id = |number: i64| format!("1fQV4W-{number:06}-Aa");
    let start = 1_528_279_200; // 2018-06-06 10:00:00
    for mail in 0..600 {
        let came = start + 18 * mail;
        let leaves = start + 3 * 3600 + 12 * mail;
        lines.push((came, format!("{} <= shop@example.org U=shop P=local S=500", id(mail))));
        lines.push((came + 1, format!("{} == a{mail}@example.com {TRIED}", id(mail))));
        lines.push((
            leaves,
            format!(
                "{} => a{mail}@example.com R=dnslookup T=remote_smtp H=mx.example.com [192.0.2.1]",
                id(mail)
            ),
        ));
        lines.push((leaves, format!("{} Completed", id(mail))));
    }
    for mail in 600..1200 {
        let came = start + 30 * (mail - 600);
        lines.push((came, format!("{} <= shop@example.org U=shop P=local S=500", id(mail))));
        lines.push((
            came,
            format!(
                "{} => b@example.net R=dnslookup T=remote_smtp H=mx.example.net [192.0.2.1]",
                id(mail)
            ),
        ));
        lines.push((came, format!("{} Completed", id(mail))));
    }
    lines.sort_by_key(|(second, _)| *second);
    let mut log = String::new();
    for (second, line) in &lines {
        let time = jiff::Timestamp::from_second(*second)
            .unwrap()
            .strftime("%F %T")
            .to_string();
        log.push_str(&format!("{time} {line}\n"));
    }
    let place = exim(&log);
    let said = queue(&place, "2018-06-06T14:00:00Z")["total"].clone();
    assert_eq!(said["messages"], 299, "{said}");
    let gone: jiff::Timestamp = said["gone_at"].as_str().expect("it drains").parse().unwrap();
    let left = gone.as_second() - (start + 4 * 3600);
    assert!((2880..4320).contains(&left), "{left} s instead of an hour: {said}");
    // Its course, an hour at a time; mails that left stay in it.
    let asked = [
        "--since",
        "2018-06-06T10:00:00Z",
        "--bucket",
        "1h",
        "--by",
        "service",
        "--format",
        "csv",
    ];
    let course = place
        .run(&[&["queue", "--at", "2018-06-06T14:00:00Z"][..], &asked].concat())
        .ends(0);
    let rows: Vec<&str> = course.out.lines().collect();
    assert_eq!(
        rows,
        [
            "ts,service,recipients",
            "2018-06-06T11:00:00Z,shop,200",
            "2018-06-06T12:00:00Z,shop,400",
            "2018-06-06T13:00:00Z,shop,600",
            "2018-06-06T14:00:00Z,shop,300",
        ]
    );
    // When all is gone, it is still known what waited.
    let course = place
        .run(&[&["queue", "--at", "2018-06-06T23:00:00Z"][..], &asked].concat())
        .ends(0);
    assert_eq!(course.out.lines().take(5).collect::<Vec<_>>(), rows);
    // While it grows, nothing is promised.
    assert_eq!(queue(&place, "2018-06-06T12:30:00Z")["total"]["gone_at"], Value::Null);
    // All three forms, for people too.
    let run = place
        .run(&["queue", "--at", "2018-06-06T14:00:00Z"])
        .ends(0)
        .says(&["299 messages", "gone at 2018-06-06T1"]);
    assert!(run.out.contains("shop"), "{}", run.out);
    let csv = place
        .run(&["queue", "--at", "2018-06-06T14:00:00Z", "--format", "csv"])
        .ends(0);
    assert!(csv.out.starts_with("service,relay,messages,"), "{}", csv.out);
}

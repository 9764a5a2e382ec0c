//! Rules that change under a store.

use crate::util::Place;
use std::fmt::Write as _;

/// Senders of the relay: host and domain, and a mail every so many minutes.
const SENDERS: [(&str, i64); 3] = [("shop", 2), ("wiki", 3), ("blog", 5)];
/// Monday 2026-03-02 00:00 UTC.
const BEGIN: &str = "2026-03-02T00:00:00Z";

/// A relay's log from one minute after [`BEGIN`] to another; `sends` says whether a sender does.
fn log(from: i64, to: i64, sends: &dyn Fn(&str, i64) -> bool) -> String {
    let begin: jiff::Timestamp = BEGIN.parse().unwrap();
    let mut text = String::new();
    for minute in from..to {
        let time = begin + jiff::SignedDuration::from_mins(minute);
        let time = time.strftime("%Y-%m-%d %H:%M");
        // Somebody writes in every minute, so that the log is never blind.
        writeln!(text, "{time}:00 Start queue run: pid=4711").unwrap();
        for (number, (name, every)) in SENDERS.iter().enumerate() {
            if minute % every != 0 || !sends(name, minute) {
                continue;
            }
            let (a, b) = (minute / 1000, minute % 1000);
            let id = format!("1w{a:03}Q-000{b:03}-{number}C");
            writeln!(
                text,
                "{time}:0{number} {id} <= {name}@{name}.example.org H={name}1.example.org [192.0.2.{number}] P=esmtp S=900"
            )
            .unwrap();
            writeln!(
                text,
                "{time}:1{number} {id} => a@example.net R=dnslookup T=remote_smtp H=mx.example.net [198.51.100.5]"
            )
            .unwrap();
            writeln!(text, "{time}:2{number} {id} Completed").unwrap();
        }
    }
    text
}

const STORE: &str = "[store]\nurl = \"store\"\n";
const SOURCE: &str = "[[source]]\nkind = \"exim\"\npaths = [\"mainlog*\"]\nhost = \"mx1\"\n";
const RULE: &str = "[[service]]\nname = \"commerce\"\nmatch = [{ client = \"shop*\" }]\n";

fn config(derive: Option<bool>, rules: &str) -> String {
    let derive = derive.map_or(String::new(), |derive| format!("derive = {derive}\n"));
    format!("{STORE}{derive}{SOURCE}{rules}")
}

fn services(place: &Place, since: &str) -> Vec<String> {
    let sql = format!("SELECT DISTINCT service FROM events WHERE ts > '{since}' ORDER BY service");
    let rows = place.sql(&sql);
    rows.iter()
        .map(|row| row["service"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn check_says_what_becomes_of_mail_that_no_rule_names() {
    for (derive, rules, words) in [
        (
            None,
            RULE,
            "`unattributed`, because there are rules and [store] does not set `derive`",
        ),
        (
            None,
            "",
            "services derived from senders and clients, because there is no [[service]]",
        ),
        (
            Some(true),
            RULE,
            "a service derived from its sender or client (`derive = true`)",
        ),
        (Some(false), "", "`unattributed` (`derive = false`)"),
    ] {
        let place = Place::with(&config(derive, rules));
        place.write("mainlog", log(0, 10, &|_, _| true));
        let run = place.run(&["check"]).ends(0);
        assert!(run.out.contains(words), "{derive:?}: {}", run.out);
        place.run(&["backfill"]).ends(0);
        let expected: &[&str] = match (derive, rules) {
            (None | Some(false), RULE) => &["commerce", "unattributed"],
            (Some(true), RULE) => &["blog", "commerce", "wiki"],
            (Some(false), _) => &["unattributed"],
            _ => &["blog", "shop", "wiki"],
        };
        assert_eq!(services(&place, "2026-03-02"), expected, "{derive:?}");
    }
}

//! Rules that change under a store: names end without an alarm.

use crate::util::{Place, Run};
use mailpulse::detect::alarm::Alarm;
use mailpulse::detect::engine::{Engine, Options};
use mailpulse::detect::fleet::Names;
use mailpulse::query::Window;
use mailpulse::query::fleet::fleet_after;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Senders of the relay: host and domain, and a mail every so many minutes.
const SENDERS: [(&str, i64); 3] = [("shop", 2), ("wiki", 3), ("blog", 5)];
/// Monday 2026-03-02 00:00 UTC.
const BEGIN: &str = "2026-03-02T00:00:00Z";
const DAY: i64 = 1440;

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

/// When the rule is added: on the eighteenth day, 16:00.
const CHANGE: i64 = 17 * DAY + 16 * 60;

fn alarms(run: &Run) -> Vec<Value> {
    let alarms: Vec<Value> = serde_json::from_str(&run.out).unwrap();
    alarms
}

fn detected(place: &Place) -> Vec<Value> {
    alarms(&place.run(&["detect", "--format", "json"]))
}

/// Services with an alarm that lasts.
fn firing(place: &Place) -> Vec<String> {
    let lasting = detected(place).into_iter().filter(|alarm| alarm["ended"].is_null());
    lasting
        .map(|alarm| alarm["series"]["service"].as_str().unwrap_or("?").to_owned())
        .collect()
}

/// The detection as `watch` has it: it goes on with what is new.
struct Live {
    engine: Engine,
    names: Names,
    next: i64,
}

impl Live {
    fn new() -> Live {
        Live {
            engine: Engine::new(Options::default()),
            names: Names::default(),
            next: 0,
        }
    }

    fn go_on(&mut self, place: &Place) {
        let window = Window {
            since_ms: self.next * 60_000,
            until_ms: i64::MAX,
        };
        let fleet = fleet_after(&place.store(), window, self.names.clone()).unwrap();
        for minute in &fleet.minutes {
            self.engine.step(&fleet.names, minute);
            self.next = minute.at + 1;
        }
        self.names = fleet.names;
    }

    /// What it says now, without the numbers of names.
    fn told(&self) -> Vec<String> {
        let about = |alarm: &Alarm| {
            let (kind, name) = alarm.scope.named(&self.names);
            let (from, found, to) = (alarm.onset, alarm.detected, alarm.ended);
            format!("{kind}/{name} {from} {found} {to:?} {:?}", alarm.end)
        };
        self.engine.groups.told().map(about).collect()
    }
}

fn services(place: &Place, since: &str) -> Vec<String> {
    let sql = format!("SELECT DISTINCT service FROM events WHERE ts > '{since}' ORDER BY service");
    let rows = place.sql(&sql);
    rows.iter()
        .map(|row| row["service"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_first_rule_ends_derived_names_without_an_alarm() {
    for derive in [None, Some(false)] {
        let start = if derive.is_some() { "no" } else { "unset" };
        // Names are derived before the rule comes, whatever holds afterwards.
        let place = Place::with(&config(None, ""));
        let sends = |name: &str, minute: i64| name != "blog" || minute < CHANGE - 360;
        place.write("mainlog", log(0, CHANGE, &sends));
        place.run(&["backfill"]).ends(0);
        assert_eq!(firing(&place), ["blog"], "{start}");
        let mut live = Live::new();
        live.go_on(&place);
        place.run(&["watch", "--once", "--stale", "0"]).ends(1);
        place.write("mailpulse.toml", config(derive, RULE));
        place.write("mainlog", log(0, CHANGE + DAY, &sends));
        place.run(&["backfill"]).ends(0);
        assert_eq!(
            services(&place, "2026-03-19 16:00"),
            ["commerce", "unattributed"],
            "{start}"
        );
        let alarms = detected(&place);
        let [blog] = &alarms[..] else {
            panic!("{start}: {alarms:#?}")
        };
        assert_eq!(blog["ended"], "2026-03-19T16:00:00Z", "{start}: {blog:#?}");
        let why = blog["end"].as_str().unwrap();
        assert!(
            why.starts_with("attribution changed: no mail is given to service blog"),
            "{why}"
        );
        let status = place
            .run(&["status", "--format", "json", "--stale-after", "9999d"])
            .ends(0)
            .out;
        let status: Value = serde_json::from_str(&status).unwrap();
        let change = &status["store"]["attribution_changes"][0];
        assert_eq!(
            (&change["last_minute_before"], &change["reason"], &change["ended"]),
            (
                &json!("2026-03-19T15:59:00Z"),
                &json!("rules"),
                &json!(["blog", "shop", "wiki"])
            ),
            "{start}"
        );
        // What has watched from the beginning agrees with a replay, and so does the page.
        live.go_on(&place);
        let mut replayed = Live::new();
        replayed.go_on(&place);
        assert_eq!(live.told(), replayed.told(), "{start}");
        place.run(&["watch", "--once", "--stale", "0"]).ends(0);
        let told = place
            .run(&["alarms", "--since", "2026-03-19", "--until", "2026-03-20 16:00"])
            .ends(0);
        assert!(told.out.contains("then renamed"), "{}", told.out);
        let window = ["--since", "2026-03-19 18:00", "--until", "2026-03-20 02:00"];
        let page = place
            .run(&[&["incident"][..], &window, &["--format", "json"]].concat())
            .ends(0);
        assert!(!page.out.contains("\"lost\""), "{}", page.out);
    }
}

#[test]
fn with_derive_only_what_the_rule_takes_is_renamed() {
    // The wiki really stops, an hour after the rule came.
    let sends = |name: &str, minute: i64| name != "wiki" || minute < CHANGE + 60;
    let place = Place::with(&config(Some(true), ""));
    place.write("mainlog", log(0, CHANGE, &sends));
    place.run(&["backfill"]).ends(0);
    assert_eq!(firing(&place), [""; 0]);
    place.write("mailpulse.toml", config(Some(true), RULE));
    place.write("mainlog", log(0, CHANGE + DAY, &sends));
    place.run(&["backfill"]).ends(0);
    assert_eq!(services(&place, "2026-03-19 16:00"), ["blog", "commerce", "wiki"]);
    assert_eq!(firing(&place), ["wiki"]);
    let alarms = detected(&place);
    assert!(alarms.iter().all(|alarm| alarm["end"].is_null()), "{alarms:#?}");
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

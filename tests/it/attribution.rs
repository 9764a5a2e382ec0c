//! Rules that change under a store: names that end without an alarm, and stored rows that are attributed anew.

use crate::util::{Place, Run};
use mailpulse::analysis::fleet::fleet_after;
use mailpulse::detect::alarm::Alarm;
use mailpulse::detect::engine::{Engine, Options};
use mailpulse::detect::fleet::Names;
use mailpulse::model::time::UtcMs;
use mailpulse::query::Window;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;

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

const STORE: &str = "[ours]\nnetworks = [\"192.0.2.0/24\"]\n[store]\nurl = \"store\"\n";
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
            since_ms: UtcMs::new(self.next * 60_000),
            until_ms: UtcMs::MAX,
        };
        let fleet = fleet_after(&place.store(), window, self.names.clone()).unwrap();
        for minute in &fleet.minutes {
            self.engine.step(&fleet.names, minute);
            self.next = (minute.at + 1).get();
        }
        self.names = fleet.names;
    }

    /// What it says now, without the numbers of names.
    fn told(&self) -> Vec<String> {
        let about = |alarm: &Alarm| {
            let (kind, name) = alarm.scope.named(&self.names);
            let (from, found, to) = (alarm.onset, alarm.detected, alarm.ended);
            format!("{kind}/{name} {from:?} {found:?} {to:?} {:?}", alarm.end)
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
#[ignore = "slow: tests/run runs it"]
fn the_first_rule_ends_derived_names_without_an_alarm() {
    add_the_first_rule(None);
}

#[test]
#[ignore = "minutes: the same where `derive` says so; tests/run runs it"]
fn the_first_rule_ends_derived_names_without_an_alarm_with_derive_off() {
    add_the_first_rule(Some(false));
}

fn add_the_first_rule(derive: Option<bool>) {
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

/// Makes the store one of a version that did not tell whose mail it is: it lacks the columns, because they have other names.
fn without_origins(place: &Place) {
    for file in fs::read_dir(place.path("store/segments")).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        assert!(renamed(&mut bytes), "{}", path.display());
        // The names stand in the engine's own schema once more, in Base64.
        let schemas: Vec<usize> = memchr::memmem::find_iter(&bytes, b"ARROW:schema").collect();
        for at in schemas {
            // Behind the key: a type, and the length in groups of seven bits.
            let (mut text, mut len, mut shift) = (at + 13, 0, 0);
            loop {
                len |= usize::from(bytes[text] & 0x7f) << shift;
                (shift, text) = (shift + 7, text + 1);
                if bytes[text - 1] < 0x80 {
                    break;
                }
            }
            in_base64(&mut bytes[text..text + len]);
        }
        fs::write(&path, bytes).unwrap();
    }
}

/// Other names of the columns, as long.
fn renamed(bytes: &mut [u8]) -> bool {
    let mut any = false;
    for name in [&b"origin"[..], b"direction", b"provider"] {
        let found: Vec<usize> = memchr::memmem::find_iter(bytes, name).collect();
        for at in found {
            if !bytes[at + name.len()..].starts_with(b"_code") {
                (bytes[at], any) = (b'x', true);
            }
        }
    }
    any
}

fn in_base64(text: &mut [u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |byte: u8| DIGITS.iter().position(|known| *known == byte).unwrap_or(0) as u32;
    let mut bytes: Vec<u8> = text
        .chunks(4)
        .flat_map(|four| {
            let bits = four.iter().fold(0, |bits, byte| bits << 6 | digit(*byte));
            bits.to_be_bytes().into_iter().skip(1)
        })
        .collect();
    renamed(&mut bytes);
    for (four, three) in text.chunks_mut(4).zip(bytes.chunks(3)) {
        let bits = three.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
        for (place, byte) in four.iter_mut().enumerate().filter(|(_, byte)| **byte != b'=') {
            *byte = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
        }
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn an_upgrade_ends_the_services_of_strangers_without_an_alarm() {
    let place = Place::with(&config(None, ""));
    place.write("mainlog", log(0, CHANGE, &|_, _| true));
    place.run(&["backfill"]).ends(0);
    without_origins(&place);
    assert_eq!(
        place.number("SELECT COUNT(*) FROM events WHERE origin = '' AND direction = ''"),
        place.events()
    );
    assert_eq!(firing(&place), [""; 0]);
    place.run(&["watch", "--once", "--stale", "0"]).ends(0);
    // From now on it is told, and the clients are not ours.
    place.write(
        "mailpulse.toml",
        config(None, "").replace(STORE, "[store]\nurl = \"store\"\n"),
    );
    place.write("mainlog", log(0, CHANGE + DAY, &|_, _| true));
    place.run(&["backfill"]).ends(0);
    assert_eq!(services(&place, "2026-03-19 16:00"), ["inbound"]);
    assert_eq!(detected(&place), [Value::Null; 0]);
    place.run(&["watch", "--once", "--stale", "0"]).ends(0);
    // What was there counts as ours.
    let shown = place.run(&["services", "--format", "json"]).ends(0).out;
    assert!(shown.contains("shop") && !shown.contains("inbound"), "{shown}");
}

#[test]
#[ignore = "slow: tests/run runs it"]
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

/// The hosts' logs, each with its name: what web1 sends passes mx1, which has other mail beside it.
fn two_hosts(messages: u32) -> [(&'static str, String); 2] {
    let (mut sender, mut relay) = (String::new(), String::new());
    for number in 0..messages {
        let time = format!("2026-03-02 {:02}:{:02}", number / 60, number % 60);
        let (a, b, c) = (
            format!("1w{number:04}-000001-AA"),
            format!("1w{number:04}-000002-BB"),
            format!("1w{number:04}-000003-CC"),
        );
        write!(
            sender,
            "{time}:00 {a} <= shop@web1.example.org U=shop P=local S=900 id=m{number}@web1.example.org\n\
             {time}:02 {a} => a@example.net R=smarthost T=remote_smtp H=mx1.example.org [192.0.2.1]\n{time}:02 {a} Completed\n"
        )
        .unwrap();
        write!(
            relay,
            "{time}:01 {b} <= shop@web1.example.org H=web1.example.org [192.0.2.10] P=esmtp S=950 \
             id=m{number}@web1.example.org\n\
             {time}:03 {b} => a@example.net R=dnslookup T=remote_smtp H=mx.example.net [198.51.100.5]\n\
             {time}:03 {b} Completed\n\
             {time}:04 {c} <= wiki@wiki.example.org H=wiki1.example.org [192.0.2.3] P=esmtp S=800 id=w{number}@wiki.example.org\n\
             {time}:05 {c} => b@example.net R=dnslookup T=remote_smtp H=mx.example.net [198.51.100.5]\n\
             {time}:05 {c} Completed\n"
        )
        .unwrap();
    }
    [("web1", sender), ("mx1", relay)]
}

/// At the relay by itself, web1's mail would be `relayed`; it is `office`, because it enters at web1.
const NEW_RULES: &str = "[[service]]\nname = \"office\"\nmatch = [{ host = \"web1\" }]\n\
                         [[service]]\nname = \"relayed\"\nmatch = [{ client = \"web1.*\" }]\n\
                         [[service]]\nname = \"pages\"\nmatch = [{ sender = \"wiki@*\" }]\n\
                         [[hostgroup]]\nname = \"mediawiki\"\nhosts = [\"wiki*.example.org\"]\n";

fn of_hosts(logs: &[(&str, String)], rules: &str) -> Place {
    let mut text = STORE.to_owned();
    for (host, _) in logs {
        write!(
            text,
            "[[source]]\nkind = \"exim\"\npaths = [\"{host}/mainlog\"]\nhost = \"{host}\"\n"
        )
        .unwrap();
    }
    let place = Place::with(&format!("{text}{rules}"));
    for (host, log) in logs {
        place.write(&format!("{host}/mainlog"), log);
    }
    place.run(&["backfill"]).ends(0);
    place
}

/// Other rules than those that the store was filled with.
fn set_rules(place: &Place, rules: &str) {
    let before = std::fs::read_to_string(place.path("mailpulse.toml")).unwrap();
    place.write("mailpulse.toml", format!("{before}{rules}"));
}

fn segments(place: &Place) -> Vec<i64> {
    let segments = place.store().segments().all().unwrap();
    segments.iter().map(|segment| segment.id).collect()
}

/// Everything that tells of who sent.
fn attributed(place: &Place) -> [Vec<Value>; 2] {
    let events =
        "SELECT event_id, kind, service, hostgroup, first_hop, destination FROM events ORDER BY event_id, kind";
    let rates = "SELECT service, hostgroup, kind, SUM(messages) AS m, SUM(recipients) AS r, SUM(bytes) AS b FROM rates \
                 GROUP BY service, hostgroup, kind ORDER BY service, hostgroup, kind";
    [place.sql(events), place.sql(rates)]
}

#[test]
fn relabelled_rows_are_those_of_a_fresh_store() {
    let logs = two_hosts(200);
    let place = of_hosts(&logs, "");
    let before = attributed(&place);
    set_rules(&place, NEW_RULES);
    let dry = place
        .run(&["services", "relabel", "--dry-run", "--format", "csv"])
        .ends(0);
    assert_eq!(attributed(&place), before, "a dry run changes nothing");
    let run = place.run(&["services", "relabel", "--format", "csv"]).ends(0);
    assert_eq!(run.out, dry.out);
    assert!(
        run.out.contains("web,office,1200,") && run.out.contains("wiki,pages,600,"),
        "{}",
        run.out
    );
    place.verify();
    let fresh = of_hosts(&logs, NEW_RULES);
    assert_eq!(attributed(&place), attributed(&fresh));
    let written = segments(&place);
    let again = place
        .run(&["services", "relabel"])
        .ends(0)
        .says(&["0 rows of 1800 got another service"]);
    assert_eq!(segments(&place), written, "a second run writes nothing: {}", again.out);
}

#[test]
fn what_is_not_stored_is_not_guessed() {
    let log = [("mx1", two_hosts(10)[1].1.clone())];
    let place = of_hosts(&log, "");
    set_rules(
        &place,
        "[[service]]\nname = \"office\"\nmatch = [{ auth = \"plain:*\" }]\n",
    );
    let run = place.run(&["services", "relabel", "--format", "csv"]).ends(0);
    run.says(&["0 rows of 60 got another service; 60 rows could not be judged and kept their service"]);
    assert_eq!(services(&place, "2026-03-02"), ["web", "wiki"]);
    let told = place.run(&["services", "relabel", "--format", "csv"]).ends(0).out;
    assert!(
        told.contains("web,web,30,who was authenticated is not stored"),
        "{told}"
    );
}

#[test]
fn a_message_in_the_queue_goes_on_under_its_new_name() {
    let arrives =
        "2026-03-02 10:00:00 1wAAAA-000001-AA <= wiki@wiki.example.org H=wiki1.example.org [192.0.2.3] P=esmtp S=800\n";
    let leaves = "2026-03-02 11:00:00 1wAAAA-000001-AA => b@example.net R=dnslookup T=remote_smtp H=mx.example.net [198.51.100.5]\n";
    let place = of_hosts(&[("mx1", arrives.to_owned())], "");
    set_rules(&place, NEW_RULES);
    place.run(&["services", "relabel"]).ends(0);
    place.write("mx1/mainlog", format!("{arrives}{leaves}"));
    place.run(&["backfill"]).ends(0);
    let rows = place.sql("SELECT kind, service, hostgroup FROM events ORDER BY kind");
    let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
    let row = |kind: &str| format!("{{\"kind\":\"{kind}\",\"service\":\"pages\",\"hostgroup\":\"mediawiki\"}}");
    assert_eq!(rows, [row("accepted"), row("delivered")]);
}

/// Whether `status` says that relabelling was broken off.
fn is_half(place: &Place) -> bool {
    let status = place.run(&["status", "--stale-after", "9999d"]).ends(0);
    status.out.contains("was interrupted")
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn relabelling_goes_on_after_a_kill() {
    let mut logs = two_hosts(500);
    // Many days, many segments.
    for (_, log) in &mut logs {
        let day = |day: u32| {
            let of_day = log.replace("2026-03-02", &format!("2026-03-{day:02}"));
            let ids = [
                (" 1w", format!(" 1{day}")),
                ("id=m", format!("id=m{day}-")),
                ("id=w", format!("id=w{day}-")),
            ];
            ids.iter()
                .fold(of_day, |text, (before, after)| text.replace(before, after))
        };
        *log = (2..9).map(day).collect();
    }
    let place = of_hosts(&logs, "");
    set_rules(&place, NEW_RULES);
    let (mut killed, mut half) = (0, 0);
    for _ in 0..4 {
        let newest = segments(&place).into_iter().max();
        let mut child = place.command().args(["services", "relabel"]).spawn().unwrap();
        while segments(&place).into_iter().max() <= newest && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        child.kill().unwrap();
        killed += i32::from(!child.wait().unwrap().success());
        half += i32::from(is_half(&place));
    }
    assert!(
        killed >= 2 && half >= 1,
        "{killed} of 4 were killed, {half} in their midst"
    );
    place.run(&["services", "relabel"]).ends(0);
    assert!(!is_half(&place));
    place.verify();
    assert_eq!(attributed(&place), attributed(&of_hosts(&logs, NEW_RULES)));
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_name_that_got_its_history_is_not_young() {
    // The shop stops an hour after the rule that names it came.
    let sends = |name: &str, minute: i64| name != "shop" || minute < CHANGE + 60;
    let place = Place::with(&config(Some(true), ""));
    place.write("mainlog", log(0, CHANGE, &sends));
    place.run(&["backfill"]).ends(0);
    place.write("mailpulse.toml", config(Some(true), RULE));
    place.write("mainlog", log(0, CHANGE + DAY, &sends));
    place.run(&["backfill"]).ends(0);
    // Nothing is known of the new name; the relay misses its mail.
    assert_eq!(firing(&place), ["?"]);
    place.run(&["services", "relabel"]).ends(0);
    assert_eq!(services(&place, "2026-03-02"), ["blog", "commerce", "wiki"]);
    assert_eq!(firing(&place), ["commerce"]);
    // What is read now is no change any more.
    let changes = |place: &Place| place.store().attribution().changes().unwrap().len();
    let before = changes(&place);
    place.write("mainlog", log(0, CHANGE + DAY + 60, &sends));
    place.run(&["backfill"]).ends(0);
    assert_eq!(changes(&place), before);
}

#[test]
fn part_of_a_store_is_relabelled_and_the_names_end_and_begin_at_its_edges() {
    let logs = two_hosts(200);
    let place = of_hosts(&logs, "");
    set_rules(&place, NEW_RULES);
    let window = ["--since", "2026-03-02 01:00", "--until", "2026-03-02 02:00"];
    place.run(&[&["services", "relabel"][..], &window].concat()).ends(0);
    let of = |when: &str| {
        let rows = place.sql(&format!(
            "SELECT DISTINCT service FROM events WHERE {when} ORDER BY service"
        ));
        rows.iter()
            .map(|row| row["service"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("ts < '2026-03-02 01:00'"), ["web", "wiki"]);
    assert_eq!(
        of("ts >= '2026-03-02 01:00' AND ts < '2026-03-02 02:00'"),
        ["office", "pages"]
    );
    assert_eq!(of("ts >= '2026-03-02 02:00'"), ["web", "wiki"]);
    place.verify();
    let changes = place.store().attribution().changes().unwrap();
    let edges: Vec<(i64, Vec<String>)> = changes
        .into_iter()
        .map(|change| (change.minute.get() % DAY, change.note.services.ended))
        .collect();
    let names = |names: [&str; 2]| names.map(str::to_owned).to_vec();
    assert_eq!(edges[0], (59, names(["web", "wiki"])));
    assert_eq!(edges[1], (119, names(["office", "pages"])));
}

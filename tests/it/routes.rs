//! Senders with an MTA of their own, two relays behind them: who hangs on one?

use crate::query::OUTAGE;
use crate::util::{KEEP, Place, Run};
use mailpulse::simulate::{Fate, RESTARTED, STOPPED};
use serde_json::Value;
use std::fmt::Write as _;

/// The logs of four hosts.
#[derive(Default)]
struct Logs {
    /// app1, app2, mx1001, mx2001.
    text: [String; 4],
    count: u32,
    /// Lines of senders that are still to be written: time, host, lines.
    later: Vec<(i64, usize, String)>,
}

const HOSTS: [&str; 4] = ["app1", "app2", "mx1001", "mx2001"];

impl Logs {
    /// So many mails of a sender at host `app`, by relay `relay`; the relay delivers them unless it is `stuck`.
    fn mails(&mut self, count: u32, sender: &str, [app, relay]: [usize; 2], stuck: bool) {
        for _ in 0..count {
            self.count += 1;
            let n = self.count;
            let at = format!("2018-06-06 {:02}:{:02}:{:02}", 8 + n / 3600, n / 60 % 60, n % 60);
            let (id, relay_id) = (
                format!("1fQX{:02}-{n:06}-A{app}", app),
                format!("1fQY{:02}-{n:06}-B{relay}", relay),
            );
            let (app_name, relay_name) = (HOSTS[app], HOSTS[relay]);
            let _ = write!(
                self.text[app],
                "{at} {id} <= {sender}@example.org U={sender} P=local S=500 id=m{n}@{app_name}.example.org\n\
                 {at} {id} => user{n}@example.com R=smart_route T=remote_smtp H={relay_name}.example.org [10.0.1.{relay}] \
                 C=\"250 OK id={relay_id}\"\n{at} {id} Completed\n"
            );
            let _ = writeln!(
                self.text[relay],
                "{at} {relay_id} <= {sender}@example.org H={app_name}.example.org [10.0.0.{app}] P=esmtp S=600 \
                 id=m{n}@{app_name}.example.org"
            );
            if !stuck {
                let _ = write!(
                    self.text[relay],
                    "{at} {relay_id} => user{n}@example.com R=dnslookup T=remote_smtp H=mx.example.com [203.0.113.1] \
                     C=\"250 ok\"\n{at} {relay_id} Completed\n"
                );
            }
        }
    }

    fn place(&self) -> Place {
        let mut config = KEEP.to_owned();
        for service in ["phab", "web", "cron"] {
            let _ = write!(
                config,
                "[[service]]\nname = \"{service}\"\nmatch = [{{ sender = \"{service}@example.org\" }}]\n"
            );
        }
        for host in HOSTS {
            let _ = write!(
                config,
                "[[source]]\nkind = \"exim\"\npaths = [\"{host}/mainlog\"]\nhost = \"{host}.example.org\"\n"
            );
        }
        let place = Place::with(&config);
        for (host, log) in HOSTS.iter().zip(&self.text) {
            place.write(&format!("{host}/mainlog"), log);
        }
        place.run(&["backfill"]).ends(0);
        place
    }
}

const ALL: [&str; 4] = ["--since", "2018-06-06", "--until", "2018-06-07"];

fn routes(place: &Place, more: &[&str]) -> Run {
    place.run(&[&["routes"], &ALL[..], more].concat())
}

fn json(place: &Place) -> Vec<Value> {
    serde_json::from_str(&routes(place, &["--format", "json"]).ends(0).out).unwrap()
}

fn paths(route: &Value) -> Vec<(String, bool, u64)> {
    let path = |path: &Value| {
        let hops: Vec<&str> = path["hops"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hop| hop.as_str().unwrap())
            .collect();
        let short = hops.join(">").replace(".example.org", "");
        (
            short,
            path["outside"].as_bool().unwrap(),
            path["messages"].as_u64().unwrap(),
        )
    };
    route["paths"].as_array().unwrap().iter().map(path).collect()
}

#[test]
fn the_way_of_each_service_and_who_hangs_on_one_relay() {
    let mut logs = Logs::default();
    logs.mails(60, "phab", [0, 2], false);
    logs.mails(40, "phab", [0, 3], false);
    // Two senders, one relay: their own MTAs are no redundancy.
    logs.mails(30, "web", [0, 2], false);
    logs.mails(20, "web", [1, 2], false);
    logs.mails(10, "cron", [1, 3], false);
    let place = logs.place();
    let all = json(&place);
    assert_eq!(all.len(), 3, "{all:?}");
    let of = |service: &str| all.iter().find(|route| route["service"] == service).unwrap();
    assert_eq!(
        paths(of("phab")),
        [
            ("app1>mx1001".to_owned(), true, 60),
            ("app1>mx2001".to_owned(), true, 40)
        ]
    );
    assert_eq!(
        paths(of("web")),
        [
            ("app1>mx1001".to_owned(), true, 30),
            ("app2>mx1001".to_owned(), true, 20)
        ]
    );
    assert_eq!(of("phab")["single_point_of_failure"], Value::Null);
    assert_eq!(of("phab")["last_hops"][0]["share_percent"], 60.0);
    assert_eq!(of("web")["single_point_of_failure"], "mx1001.example.org");
    assert_eq!(of("cron")["single_point_of_failure"], "mx2001.example.org");
    routes(&place, &["--check"])
        .ends(1)
        .says(&["2 of 3 services depend on a single relay"]);
    let table = routes(&place, &[]).ends(0).out;
    assert_eq!(table.lines().count(), 6, "{table}");
    assert!(
        table.contains("app2.example.org > mx1001.example.org > outside"),
        "{table}"
    );

    // The named query tells the same.
    let query = place
        .run(&[&["query", "relays_per_service", "--format", "json"], &ALL[..]].concat())
        .ends(0);
    let rows: Vec<Value> = serde_json::from_str(&query.out).unwrap();
    let told: usize = all
        .iter()
        .map(|route| route["last_hops"].as_array().unwrap().len())
        .sum();
    assert_eq!(rows.len(), told);
    for row in rows {
        let hops = of(row["service"].as_str().unwrap())["last_hops"].as_array().unwrap();
        let hop = hops.iter().find(|hop| hop["relay"] == row["relay"]).unwrap();
        assert_eq!(
            (&hop["messages"], hop["share_percent"].as_f64()),
            (&row["messages"], row["share_percent"].as_f64())
        );
    }
}

#[test]
fn two_relays_for_everyone_pass_the_check_and_a_queue_is_no_way_out() {
    let mut logs = Logs::default();
    logs.mails(5, "phab", [0, 2], false);
    logs.mails(5, "phab", [0, 3], false);
    let place = logs.place();
    routes(&place, &["--check"]).ends(0);
    logs.mails(7, "web", [1, 2], true);
    logs.mails(3, "web", [1, 3], false);
    let place = logs.place();
    let all = json(&place);
    let web = all.iter().find(|route| route["service"] == "web").unwrap();
    assert_eq!(
        paths(web),
        [
            ("app2>mx1001".to_owned(), false, 7),
            ("app2>mx2001".to_owned(), true, 3)
        ]
    );
    assert_eq!(web["single_point_of_failure"], "mx2001.example.org");
    routes(&place, &["--check"]).ends(1);
}

/// What services should have decides, and not that they hang on one.
#[test]
fn the_check_asks_for_as_many_relays_as_are_configured_and_names_who_has_too_few() {
    let mut logs = Logs::default();
    logs.mails(6, "phab", [0, 2], false);
    logs.mails(4, "phab", [0, 3], false);
    logs.mails(5, "web", [0, 2], false);
    let place = logs.place();
    let config = std::fs::read_to_string(place.path("mailpulse.toml")).unwrap();
    routes(&place, &["--check"])
        .ends(1)
        .says(&["web should have 2 relays and has 1: mx1001.example.org"]);
    place.run(&["check"]).ends(0);

    // A service that may hang on one relay.
    let lenient = config.replace("name = \"web\"\n", "name = \"web\"\nrelays_min = 1\n");
    place.write("mailpulse.toml", &lenient);
    routes(&place, &["--check"]).ends(0);
    let check = place.run(&["check"]).ends(0);
    assert!(!check.err.contains("relays"), "{}", check.err);

    // One that should have three, one that sends nothing, and a default that somebody wrote.
    let strict = config.replace("name = \"phab\"\n", "name = \"phab\"\nrelays_min = 3\n");
    let strict = strict.replace("name = \"cron\"\n", "name = \"cron\"\nrelays_min = 2\n");
    place.write("mailpulse.toml", format!("{strict}[routes]\nrelays_min = 2\n"));
    let too_few = [
        "phab should have 3 relays (",
        "and has 2: mx1001.example.org, mx2001.example.org",
        "web should have 2 relays (",
    ];
    let run = routes(&place, &["--check"]).ends(1).says(&too_few);
    assert!(run.err.contains("cron: no mail in this window"), "{}", run.err);
    place.run(&["check"]).ends(0).says(&too_few);
    let all = json_of(&routes(&place, &["--format", "json"]).ends(0));
    let told: Vec<_> = all
        .iter()
        .map(|one| (one["relays_min"].as_u64(), one["redundant"].as_bool()))
        .collect();
    assert_eq!(told, [(Some(3), Some(false)), (Some(2), Some(false))]);
}

fn json_of(run: &Run) -> Vec<Value> {
    serde_json::from_str(&run.out).unwrap()
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn the_outage_shows_who_moved_to_the_other_relay_and_who_did_not() {
    let (place, truth) = &*OUTAGE;
    let window = ["routes", "--since", "2018-06-06T12:00Z", "--until", "2018-06-07T06:00Z"];
    let all = json_of(&place.run(&[&window[..], &["--format", "json"]].concat()).ends(0));
    for (service, impact) in &truth.impact {
        let route = all.iter().find(|one| one["service"] == service.as_str());
        let route = route.unwrap_or_else(|| panic!("{service}: {all:#?}"));
        let failovers = route["failovers"].as_array().unwrap();
        if impact.fate == Fate::Rerouted && failovers.is_empty() {
            // It never used the relay that stopped.
            continue;
        }
        let [one] = &failovers[..] else {
            panic!("{service}: {failovers:#?}")
        };
        let minutes = |key: &str| {
            one[key]
                .as_str()
                .unwrap()
                .parse::<jiff::Timestamp>()
                .unwrap()
                .as_second()
        };
        assert_eq!(one["relay"], "mx1001");
        assert!((minutes("silent_from") - STOPPED).abs() <= 120, "{one:#}");
        assert!((minutes("silent_to") - RESTARTED).abs() <= 300, "{one:#}");
        let moved = one["moved"].as_bool();
        match impact.fate {
            Fate::Rerouted => {
                assert_eq!(moved, Some(true), "{service}: {one:#}");
                assert_eq!(one["moved_to"][0]["relay"], "mx2001", "{service}: {one:#}");
            }
            // One with a mail a day may have had none.
            Fate::Lost | Fate::Delayed if one["submit_failed"] == 0 => assert_ne!(moved, Some(true), "{one:#}"),
            Fate::Lost | Fate::Delayed => assert_eq!(moved, Some(false), "{service}: {one:#}"),
        }
    }
    let moved = all.iter().flat_map(|one| one["failovers"].as_array().unwrap());
    let moved: Vec<_> = moved.map(|one| one["moved"].as_bool()).collect();
    assert!(moved.contains(&Some(true)) && moved.iter().filter(|one| **one == Some(false)).count() >= 5);

    let run = place.run(&window).ends(0).says(&["failovers: "]);
    assert!(
        run.out.contains("did not move") && run.out.contains("while a relay was silent"),
        "{}",
        run.out
    );
    let csv = place
        .run(&[&window[..], &["--failovers", "--format", "csv"]].concat())
        .ends(0);
    let first = csv.out.lines().next().unwrap();
    assert!(first.starts_with("service,silent_relay,silent_from,silent_to,share_before_percent,failover"));
    assert_eq!(csv.out.lines().count(), moved.len() + 1, "{}", csv.out);
    // Before the outage there is none.
    let quiet = [
        "routes",
        "--since",
        "2018-06-05",
        "--until",
        "2018-06-06T12:00Z",
        "--format",
        "json",
    ];
    let quiet = json_of(&place.run(&quiet).ends(0));
    assert!(
        quiet.iter().all(|one| one["failovers"].as_array().unwrap().is_empty()),
        "{quiet:#?}"
    );
}

/// 2018-06-04 00:00 UTC; the relay is gone on the third day from 10:00 to 12:00.
const BEGIN: i64 = 1_528_070_400;
const GONE: std::ops::Range<i64> = BEGIN + (2 * 24 + 10) * 3600..BEGIN + (2 * 24 + 12) * 3600;

impl Logs {
    /// One mail at a time that goes over the sender's own MTA; the relay has it `waits` seconds later.
    fn mail_at(&mut self, at: i64, sender: &str, [app, relay]: [usize; 2], waits: i64) {
        self.count += 1;
        let n = self.count;
        let stamp = |at: i64| {
            jiff::Timestamp::from_second(at)
                .unwrap()
                .strftime("%Y-%m-%d %H:%M:%S")
                .to_string()
        };
        let (now, then) = (stamp(at), stamp(at + waits));
        let (id, relay_id) = (
            format!("1fQX{app:02}-{n:06}-A{app}"),
            format!("1fQY{app:02}-{n:06}-B{relay}"),
        );
        let (app_name, relay_name) = (HOSTS[app], HOSTS[relay]);
        let mut lines =
            format!("{now} {id} <= {sender}@example.org U={sender} P=local S=500 id=m{n}@{app_name}.example.org\n");
        if waits > 0 {
            let _ = write!(
                lines,
                "{now} {id} H={relay_name}.example.org [10.0.1.{relay}] Connection refused\n\
                 {now} {id} == user{n}@example.com R=smart_route T=remote_smtp defer (111): Connection refused\n"
            );
        }
        self.text[app] += &lines;
        self.later.push((
            at + waits,
            app,
            format!(
                "{then} {id} => user{n}@example.com R=smart_route T=remote_smtp H={relay_name}.example.org [10.0.1.{relay}] \
                 C=\"250 OK id={relay_id}\"\n{then} {id} Completed\n"
            ),
        ));
        let _ = write!(
            self.text[relay],
            "{then} {relay_id} <= {sender}@example.org H={app_name}.example.org [10.0.0.{app}] P=esmtp S=600 \
             id=m{n}@{app_name}.example.org\n\
             {then} {relay_id} => user{n}@example.com R=dnslookup T=remote_smtp H=mx.example.com [203.0.113.1] \
             C=\"250 ok\"\n{then} {relay_id} Completed\n"
        );
    }

    /// Writes what has waited until a time.
    fn catch_up(&mut self, until: i64) {
        for (_, app, lines) in self.later.extract_if(.., |(at, ..)| *at <= until) {
            self.text[app] += &lines;
        }
    }
}

/// Senders with MTAs of their own go on taking mail when a relay is gone: that is no failover.
#[test]
#[ignore = "slow: tests/run runs it"]
fn mail_that_waits_at_the_sender_did_not_move_and_mail_that_the_other_relay_took_did() {
    let mut logs = Logs::default();
    for minute in 0..(2 * 24 + 16) * 60 {
        let at = BEGIN + 60 * minute;
        let gone = GONE.contains(&at);
        let relay = if gone || minute % 2 == 0 { 3 } else { 2 };
        logs.mail_at(at, "phab", [0, relay], 0);
        // It hangs on the first relay, and is handed over when that is back.
        let waits = if gone { GONE.end + 30 - at } else { 0 };
        if waits == 0 || minute % 2 == 0 {
            logs.mail_at(at + 10, "web", [1, 2], waits);
        }
        logs.catch_up(at + 10);
    }
    // A relay's lines stand in the order of time.
    for relay in [2, 3] {
        let mut lines: Vec<&str> = logs.text[relay].lines().collect();
        lines.sort_by_key(|line| &line[..19]);
        logs.text[relay] = lines.join("\n") + "\n";
    }
    let place = logs.place();
    let window = [
        "routes",
        "--since",
        "2018-06-06",
        "--until",
        "2018-06-06T16:00Z",
        "--format",
        "json",
    ];
    let all = json_of(&place.run(&window).ends(0));
    let failover = |service: &str| {
        let route = all.iter().find(|one| one["service"] == service).unwrap();
        let [one] = &route["failovers"].as_array().unwrap()[..] else {
            panic!("{service}: {route:#}")
        };
        one.clone()
    };
    let (phab, web) = (failover("phab"), failover("web"));
    assert_eq!(
        (&phab["relay"], &web["relay"]),
        (&"mx1001.example.org".into(), &"mx1001.example.org".into())
    );
    assert_eq!(
        (&phab["moved"], &phab["impact"]),
        (&true.into(), &"rerouted".into()),
        "{phab:#}"
    );
    assert_eq!(phab["moved_to"][0]["relay"], "mx2001.example.org");
    assert_eq!(
        (&web["moved"], &web["impact"]),
        (&false.into(), &"delayed".into()),
        "{web:#}"
    );
    assert_eq!(web["moved_to"].as_array().unwrap().len(), 0);

    // Exim names the host in a line of its own, and the deferral carries it: nobody was there, as the sender says.
    let named = place.sql("SELECT remote_host, COUNT(*) AS n FROM events WHERE kind = 'deferred' GROUP BY remote_host");
    assert_eq!(named.len(), 1, "{named:?}");
    assert_eq!(
        (&named[0]["remote_host"], &named[0]["n"]),
        (&"mx1001.example.org".into(), &60.into())
    );
    let alarms: Vec<Value> = serde_json::from_str(&place.run(&["detect", "--format", "json"]).ends(1).out).unwrap();
    let [alarm] = &alarms[..] else {
        panic!("one trouble, one alarm: {alarms:#?}")
    };
    assert_eq!(alarm["series"]["relay"], "mx1001.example.org", "{alarm:#}");
    assert!(alarm["evidence"].to_string().contains("found nobody"), "{alarm:#}");
}

#[test]
fn postfix_names_the_host_that_it_did_not_reach_in_its_text() {
    let log = "2018-06-06T10:00:00+00:00 app1 postfix/pickup[1]: 4F1A2B3C4D: uid=0 from=<web@example.org>\n\
               2018-06-06T10:00:00+00:00 app1 postfix/cleanup[2]: 4F1A2B3C4D: message-id=<m1@app1.example.org>\n\
               2018-06-06T10:00:00+00:00 app1 postfix/qmgr[3]: 4F1A2B3C4D: from=<web@example.org>, size=500, nrcpt=1 (queue active)\n\
               2018-06-06T10:00:01+00:00 app1 postfix/smtp[4]: 4F1A2B3C4D: to=<u@example.com>, relay=none, delay=1, \
               delays=0/0/1/0, dsn=4.4.1, status=deferred (connect to mx1001.example.org[10.0.1.2]:25: Connection refused)\n";
    let place = Place::new();
    let path = place.write("mail.log", log);
    place.backfill_as("app1", &[&path]).ends(0);
    let rows = place.sql("SELECT remote_host, remote_ip, reason FROM events WHERE kind = 'deferred'");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(
        (&rows[0]["remote_host"], &rows[0]["remote_ip"], &rows[0]["reason"]),
        (
            &"mx1001.example.org".into(),
            &"10.0.1.2".into(),
            &"connection_refused".into()
        )
    );
}

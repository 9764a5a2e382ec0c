//! One mail, once: logs of several hosts, read in any order, give the same rows.

use crate::lab::{postfix_relay_lab, relay_lab, truth};
use crate::postfix_queue::{T, log};
use crate::util::{KEEP, Place, assert_same_answers};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A host's log: kind, host, text.
type HostLog<'t> = (&'t str, &'t str, String);

fn place(logs: &[HostLog<'_>], more: &str) -> (Place, Vec<PathBuf>) {
    let place = Place::new();
    let mut config = format!("{KEEP}{more}");
    let mut paths = Vec::new();
    for (kind, host, text) in logs {
        paths.push(place.write(&format!("{host}/{kind}.log"), text));
        config += &format!("[[source]]\nkind = \"{kind}\"\nhost = \"{host}\"\npaths = [\"{host}/{kind}.log\"]\n");
    }
    place.write("mailpulse.toml", config);
    (place, paths)
}

/// Every row of the store; segments and runs aside nothing may depend on the order of reading.
fn rows(place: &Place) -> Vec<Value> {
    let rows = place.sql("SELECT * FROM events ORDER BY event_id");
    let mut texts: Vec<(String, Value)> = rows.into_iter().map(|row| (row.to_string(), row)).collect();
    texts.sort_by(|a, b| a.0.cmp(&b.0));
    texts.into_iter().map(|(_, row)| row).collect()
}

/// Reads the logs at once, in order, in reverse, and each order twice: always the same rows. Returns the place where
/// they were read at once.
fn in_every_order(logs: &[HostLog<'_>], more: &str) -> Place {
    let (at_once, _) = place(logs, more);
    let run = at_once.run(&["backfill"]).ends(0);
    assert_eq!(run.totals().unparsed, 0, "{}", run.out);
    let expected = rows(&at_once);
    at_once.run(&["backfill"]).ends(0);
    assert_same_answers(&expected, &rows(&at_once));
    for reverse in [false, true] {
        let (one_by_one, mut paths) = place(logs, more);
        if reverse {
            paths.reverse();
        }
        for path in &paths {
            one_by_one.run(&["backfill", path.to_str().unwrap()]).ends(0);
        }
        assert_same_answers(&expected, &rows(&one_by_one));
        let segments = one_by_one.store().segments().all().unwrap();
        let again = one_by_one.run(&["backfill"]).ends(0);
        assert_eq!(again.totals().lines, 0);
        assert_same_answers(&expected, &rows(&one_by_one));
        let after = one_by_one.store().segments().all().unwrap();
        let ids = |all: &[mailpulse::store::catalogue::Segment]| all.iter().map(|s| s.id).collect::<Vec<_>>();
        assert_eq!(ids(&segments), ids(&after), "a second run rewrites nothing");
        one_by_one.verify();
    }
    at_once
}

fn first_hops(place: &Place) -> i64 {
    place.number("SELECT SUM(messages) AS n FROM events WHERE kind = 'accepted' AND first_hop")
}

fn outbound(place: &Place) -> i64 {
    place.number("SELECT COUNT(*) AS n FROM events WHERE kind = 'delivered' AND destination = 'remote'")
}

/// Both laboratories: what the truth says of both hosts as one mail system.
/// Exim prints no Message-ID of its own bounces, so names alone link them. `unknown` is how many are taken for new by
/// the relay, and for outbound by the sender's host, where a name is missing.
fn one_system(dir: &Path, logs: &[HostLog<'_>], unknown: (i64, i64)) {
    let truth = truth(dir);
    let bounces = logs[0]
        .2
        .lines()
        .filter(|line| line.contains(" <= <> ") && !line.contains(" id="))
        .count() as i64;
    assert_eq!(bounces, 1);
    let (new, sent_out) = unknown;
    assert!(new <= bounces && sent_out <= bounces);
    let place = in_every_order(logs, "");
    let total = |key: &str| truth["totals"][key].as_i64().unwrap();
    assert_eq!(first_hops(&place), total("messages") + new);
    assert_eq!(outbound(&place), total("delivered") + sent_out);
    for (sender, said) in truth["senders"].as_object().unwrap() {
        let sender = sender.replace("<>", "");
        let (new, sent_out) = if sender.is_empty() { unknown } else { (0, 0) };
        let first = format!(
            "SELECT SUM(messages) AS n FROM events WHERE kind = 'accepted' AND first_hop AND sender = '{sender}'"
        );
        assert_eq!(
            place.number(&first),
            said["messages"].as_i64().unwrap() + new,
            "{sender}"
        );
        let sent = format!(
            "SELECT COUNT(*) AS n FROM events WHERE kind = 'delivered' AND destination = 'remote' AND sender = '{sender}'"
        );
        assert_eq!(
            place.number(&sent),
            said["delivered"].as_i64().unwrap() + sent_out,
            "{sender}"
        );
    }
    // One service on both hops of every mail that the truth saw on both.
    for message in truth["messages"].as_array().unwrap() {
        let (Some(sender), Some(relay)) = (message["sender_id"].as_str(), message["relay_id"].as_str()) else {
            continue;
        };
        let services = place.number(&format!(
            "SELECT COUNT(DISTINCT service) AS n FROM events WHERE queue_id IN ('{sender}', '{relay}')"
        ));
        assert_eq!(services, 1, "{message}");
    }
    // One host alone tells of its own.
    for (at, name) in ["sender", "relay"].into_iter().enumerate() {
        let (alone, _) = self::place(&logs[at..=at], "");
        alone.run(&["backfill"]).ends(0);
        assert_eq!(
            first_hops(&alone),
            truth["lab"]["messages_by_host"][name].as_i64().unwrap(),
            "{name}"
        );
    }
}

#[test]
#[ignore = "lab: needs root, exim4 and postfix"]
fn an_exim_that_hands_over_to_a_postfix() {
    let dir = postfix_relay_lab();
    let read = |path: &str| fs::read_to_string(dir.join(path)).unwrap();
    let logs = [
        ("exim", "app1.example.org", read("sender/mainlog")),
        ("postfix", "mx1.example.org", read("relay/mail.rfc3339.log")),
    ];
    one_system(dir, &logs, (1, 1));
    // The same where DNS works: names instead of addresses.
    let named = [
        (
            "exim",
            "app1.example.org",
            logs[0].2.replace("H=127.0.0.1 [", "H=mx1.example.org ["),
        ),
        (
            "postfix",
            "mx1.example.org",
            logs[1]
                .2
                .replace("client=unknown[127.0.0.1]", "client=app1.example.org[127.0.0.1]"),
        ),
    ];
    one_system(dir, &named, (0, 0));
}

#[test]
#[ignore = "lab: needs root and exim4"]
fn an_exim_that_hands_over_to_an_exim() {
    let dir = relay_lab();
    let read = |path: &str| fs::read_to_string(dir.join(path)).unwrap();
    let logs = [
        ("exim", "phab1001.example.org", read("sender/mainlog")),
        ("exim", "mx1001.example.org", read("relay/mainlog")),
    ];
    // The relay's Exim prints what its client says of itself; the sender's does not know the relay's name.
    one_system(dir, &logs, (0, 1));
    let named = [
        (
            logs[0].0,
            logs[0].1,
            logs[0].2.replace("H=127.0.0.1 [", "H=mx1001.example.org ["),
        ),
        (
            logs[1].0,
            logs[1].1,
            logs[1].2.replace("H=(phab1001.example.org)", "H=phab1001.example.org"),
        ),
    ];
    one_system(dir, &named, (0, 0));
}

const OUT: &str = "delay=1, delays=0.1/0/0.2/0.7, dsn=2.0.0, status=sent";

/// A Postfix that hands its mail to an Exim: the lines of both for one mail, taken at `at` and handed over at `later`.
fn to_exim(message_id: Option<&str>, relay: &str, at: u32, later: u32) -> [HostLog<'static>; 2] {
    let id = message_id.map(|id| format!("4A11C0DE1: message-id=<{id}>"));
    let waits = "4A11C0DE1: to=<a@example.com>, relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, status=deferred (connect to mx1.example.org[192.0.2.5]:25: Connection refused)";
    let sent = ["a", "b"].map(|to| {
        format!("4A11C0DE1: to=<{to}@example.com>, relay={relay}[192.0.2.5]:25, {OUT} (250 OK id=1fQdLN-0001Ab-Cd)")
    });
    let empty = "4A11C0DE1: message-id=<>".to_owned();
    let mut lines = vec![
        (at, "smtpd", "4A11C0DE1: client=web7.example.org[192.0.2.77]"),
        (at, "cleanup", id.as_deref().unwrap_or(&empty)),
        (
            at,
            "qmgr",
            "4A11C0DE1: from=<hue@example.org>, size=900, nrcpt=2 (queue active)",
        ),
    ];
    if later - at > 60 {
        lines.push((at + 1, "smtp", waits));
    }
    lines.extend([
        (later, "smtp", &*sent[0]),
        (later, "smtp", &*sent[1]),
        (later, "qmgr", "4A11C0DE1: removed"),
    ]);
    let time = |second: u32| {
        let (day, hour) = (6 + second / 86_400, second / 3600 % 24);
        format!("2018-06-{day:02} {hour:02}:{:02}:{:02}", second / 60 % 60, second % 60)
    };
    let id = message_id.map(|id| format!(" id={id}")).unwrap_or_default();
    let (t, end) = (time(later), time(later + 1));
    let exim = format!(
        "{t} 1fQdLN-0001Ab-Cd <= hue@example.org H=app1.example.org [192.0.2.4] P=esmtps S=1100{id} for a@example.com b@example.com\n\
         {end} 1fQdLN-0001Ab-Cd => a@example.com R=dnslookup T=remote_smtp H=mx.example.com [192.0.2.1] C=\"250 OK\"\n\
         {end} 1fQdLN-0001Ab-Cd -> b@example.com R=dnslookup T=remote_smtp H=mx.example.com [192.0.2.1] C=\"250 OK\"\n\
         {end} 1fQdLN-0001Ab-Cd Completed\n"
    );
    [
        ("postfix", "app1.example.org", log("app1", &lines)),
        ("exim", "mx1.example.org", exim),
    ]
}

fn once(place: &Place) {
    assert_eq!(first_hops(place), 1);
    assert_eq!(outbound(place), 2, "both recipients, at the last hop");
    let inside = "SELECT COUNT(*) AS n FROM events WHERE kind = 'delivered' AND destination = 'relay'";
    assert_eq!(place.number(inside), 2);
    let first = place.sql("SELECT host, service FROM events WHERE kind = 'accepted' AND first_hop");
    assert_eq!(first[0]["host"], "app1.example.org");
    assert_eq!(place.number("SELECT COUNT(DISTINCT service) AS n FROM events"), 1);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_postfix_that_hands_over_to_an_exim() {
    once(&in_every_order(
        &to_exim(Some("1@web7.example.org"), "mx1.example.org", T, T + 1),
        "",
    ));
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_mail_without_message_id_counts_once_by_the_names() {
    once(&in_every_order(&to_exim(None, "mx1.example.org", T, T + 1), ""));
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_relay_with_another_name_in_the_senders_log() {
    once(&in_every_order(
        &to_exim(Some("1@web7.example.org"), "smarthost.example.org", T, T + 1),
        "",
    ));
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_mail_that_waited_over_midnight_for_the_relay() {
    for relay in ["mx1.example.org", "smarthost.example.org"] {
        let place = in_every_order(&to_exim(Some("1@web7.example.org"), relay, T, T + 8 * 3600), "");
        once(&place);
        assert_eq!(
            place.number("SELECT COUNT(*) AS n FROM events WHERE kind = 'deferred'"),
            1
        );
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_service_that_only_the_relays_rule_names_is_both_hops() {
    let rule = "[[service]]\nname = \"big_data\"\nmatch = [{ client = \"app1.example.org\" }]\n";
    let place = in_every_order(&to_exim(Some("1@web7.example.org"), "mx1.example.org", T, T + 1), rule);
    once(&place);
    assert_eq!(
        place.sql("SELECT DISTINCT service FROM events")[0]["service"],
        "big_data"
    );
}

#[test]
fn copies_with_one_message_id_are_counted_each() {
    // A list on lists1 hands in one copy a subscriber, in turn to two relays; one of them goes on by the other.
    let copy = |id: &str, second: u32, to: &str, client: &str, relay: &str| {
        vec![
            (T + second, "smtpd", format!("{id}: client={client}[192.0.2.9]")),
            (
                T + second,
                "cleanup",
                format!("{id}: message-id=<digest@lists1.example.org>"),
            ),
            (
                T + second,
                "qmgr",
                format!(
                    "{id}: from=<list-bounces+{to}=example.com@lists1.example.org>, size=900, nrcpt=1 (queue active)"
                ),
            ),
            (
                T + second,
                "smtp",
                format!("{id}: to=<{to}@example.com>, relay={relay}[192.0.2.5]:25, {OUT} (250 ok)"),
            ),
            (T + second, "qmgr", format!("{id}: removed")),
        ]
    };
    let text = |host: &str, copies: Vec<Vec<(u32, &str, String)>>| {
        let lines = copies.concat();
        let lines: Vec<(u32, &str, &str)> = lines
            .iter()
            .map(|(t, program, text)| (*t, *program, text.as_str()))
            .collect();
        log(host, &lines)
    };
    let mx1 = vec![
        copy("A10C0FFEE", 0, "ann", "lists1.example.org", "mx2.example.org"),
        copy("A20C0FFEE", 0, "ben", "lists1.example.org", "mx2.example.org"),
    ];
    let mx2 = vec![
        copy("B10C0FFEE", 1, "ann", "mx1.example.org", "mx.example.com"),
        copy("B20C0FFEE", 1, "ben", "mx1.example.org", "mx.example.com"),
        copy("B30C0FFEE", 2, "cid", "lists1.example.org", "mx.example.com"),
    ];
    let place = in_every_order(
        &[
            ("postfix", "mx1.example.org", text("mx1", mx1)),
            ("postfix", "mx2.example.org", text("mx2", mx2)),
        ],
        "",
    );
    assert_eq!((first_hops(&place), outbound(&place)), (3, 3));
    let by_host = "SELECT COUNT(*) AS n FROM events WHERE kind = 'accepted' AND first_hop AND host = 'mx1.example.org'";
    assert_eq!(place.number(by_host), 2);
}

/// A mail that leaves the queue of mx1 for a filter or by an alias and comes back as another message, and goes on by
/// mx2, whose log is read too.
fn comes_back(back: &str, handed: &str) -> [HostLog<'static>; 2] {
    let lines = [
        (T, "smtpd", "4A11C0DE1: client=web7.example.org[192.0.2.77]"),
        (T, "cleanup", "4A11C0DE1: message-id=<1@web7.example.org>"),
        (
            T,
            "qmgr",
            "4A11C0DE1: from=<hue@example.org>, size=900, nrcpt=1 (queue active)",
        ),
        (T + 1, "smtpd", back),
        (T + 1, "cleanup", "4B22C0DE2: message-id=<1@web7.example.org>"),
        (
            T + 1,
            "qmgr",
            "4B22C0DE2: from=<hue@example.org>, size=950, nrcpt=1 (queue active)",
        ),
        (
            T + 1,
            if handed.contains("relay=local") {
                "local"
            } else {
                "smtp"
            },
            handed,
        ),
        (T + 1, "qmgr", "4A11C0DE1: removed"),
        (
            T + 2,
            "smtp",
            "4B22C0DE2: to=<a@example.com>, relay=mx2.example.org[192.0.2.5]:25, delay=1, delays=0.1/0/0.2/0.7, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 5C33C0DE3)",
        ),
        (T + 2, "qmgr", "4B22C0DE2: removed"),
    ];
    let lines: Vec<_> = lines.into_iter().filter(|(_, _, text)| !text.is_empty()).collect();
    let second = [
        (T + 2, "smtpd", "5C33C0DE3: client=mx1.example.org[192.0.2.4]"),
        (T + 2, "cleanup", "5C33C0DE3: message-id=<1@web7.example.org>"),
        (
            T + 2,
            "qmgr",
            "5C33C0DE3: from=<hue@example.org>, size=990, nrcpt=1 (queue active)",
        ),
        (
            T + 3,
            "smtp",
            "5C33C0DE3: to=<a@example.com>, relay=mx.example.com[192.0.2.1]:25, delay=1, delays=0.1/0/0.2/0.7, dsn=2.0.0, status=sent (250 ok)",
        ),
        (T + 3, "qmgr", "5C33C0DE3: removed"),
    ];
    [
        ("postfix", "mx1.example.org", log("mx1", &lines)),
        ("postfix", "mx2.example.org", log("mx2", &second)),
    ]
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_message_that_comes_back_under_another_id_counts_once() {
    let sent = "delay=1, delays=0.1/0/0.2/0.7, dsn=2.0.0, status=sent";
    let filter = format!(
        "4A11C0DE1: to=<a@example.com>, relay=127.0.0.1[127.0.0.1]:10024, {sent} (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4B22C0DE2)"
    );
    let alias = format!("4A11C0DE1: to=<team@mx1.example.org>, relay=local, {sent} (forwarded as 4B22C0DE2)");
    for (back, handed) in [
        (
            "4B22C0DE2: client=localhost[127.0.0.1], orig_queue_id=4A11C0DE1, orig_client=web7.example.org[192.0.2.77]",
            &filter,
        ),
        ("4B22C0DE2: client=localhost[127.0.0.1]", &filter),
        ("", &alias),
    ] {
        let logs = comes_back(back, handed);
        let (alone, _) = place(&logs[..1], "");
        alone.run(&["backfill"]).ends(0);
        assert_eq!((first_hops(&alone), outbound(&alone)), (1, 1), "{back} {handed}");
        let both = in_every_order(&logs, "");
        assert_eq!((first_hops(&both), outbound(&both)), (1, 1), "{back} {handed}");
        let last = both.sql("SELECT host FROM events WHERE kind = 'delivered' AND destination = 'remote'");
        assert_eq!(last[0]["host"], "mx2.example.org");
        assert_eq!(
            both.number("SELECT COUNT(DISTINCT service) AS n FROM events"),
            1,
            "{back}"
        );
    }
}

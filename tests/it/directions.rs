//! Outbound means outbound: of a relay that takes mail from everywhere, what is shown by default is ours, and what strangers
//! do is nobody's service.

use crate::logs::{passed_on_at, stamp};
use crate::util::{Place, Run};
use std::collections::BTreeMap;

/// Messages or copies by what a few columns say, as one text each.
fn counted(place: &Place, columns: &str, which: &str) -> BTreeMap<String, i64> {
    let text = format!(
        "SELECT {columns}, SUM(messages) AS messages FROM events WHERE {which} GROUP BY {columns} ORDER BY {columns}"
    );
    let rows = place.sql(&text).into_iter().map(|row| {
        let names = columns.split(", ").map(|name| row[name].as_str().unwrap_or_default());
        (names.collect::<Vec<_>>().join(" "), row["messages"].as_i64().unwrap())
    });
    rows.collect()
}

fn is(rows: &[(&str, i64)]) -> BTreeMap<String, i64> {
    rows.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

const CONFIG: &str = "[store]\nurl = \"store\"\nderive = true\n[privacy]\nlocal_parts = \"keep\"\n[ours]\nnetworks = [\"203.0.113.0/24\"]\noutside = [\"10.9.9.1\"]\n\
                      domains = [\"example.org\"]\n[[service]]\nname = \"shop\"\n\
                      match = [{ sender = \"shop@example.org\" }]\n";

/// Mail of all kinds through one Exim. Names of IDs say what it is.
const EXIM: &str = "\
2018-06-06 10:00:00 1fQaaa-000001-Aa <= shop@example.org H=web1.example.org [10.0.0.7] P=esmtp S=900 id=a1@example.org for ann@example.net
2018-06-06 10:00:01 1fQaaa-000001-Aa => ann@example.net R=dns T=remote_smtp H=mx.example.net [192.0.2.5] C=\"250 OK\"
2018-06-06 10:00:01 1fQaaa-000001-Aa Completed
2018-06-06 10:01:00 1fQaaa-000002-Aa <= shop@example.org H=web9.example.org [203.0.113.9] P=esmtp S=900 id=a2@example.org for ann@example.net bob@example.org
2018-06-06 10:01:01 1fQaaa-000002-Aa => bob@example.org R=hub T=smtp H=imap.example.org [10.0.0.25] C=\"250 OK\"
2018-06-06 10:01:02 1fQaaa-000002-Aa => ann@example.net R=dns T=remote_smtp H=mx.example.net [192.0.2.5] C=\"250 OK\"
2018-06-06 10:01:02 1fQaaa-000002-Aa Completed
2018-06-06 10:02:00 1fQaaa-000003-Aa <= news@spam.example H=mail.spam.example [198.51.100.66] P=esmtp S=900 id=i1@spam.example for bob@example.org
2018-06-06 10:02:01 1fQaaa-000003-Aa => bob <bob@example.org> R=local T=local_delivery
2018-06-06 10:02:01 1fQaaa-000003-Aa Completed
2018-06-06 10:03:00 1fQaaa-000004-Aa <= shop@example.org H=lb.example.org [10.9.9.1] P=esmtp S=900 id=i2@spam.example for bob@example.org
2018-06-06 10:03:01 1fQaaa-000004-Aa => bob@example.org R=hub T=smtp H=imap.example.org [10.0.0.25] C=\"250 OK\"
2018-06-06 10:03:01 1fQaaa-000004-Aa Completed
2018-06-06 10:04:00 1fQaaa-000005-Aa <= ann@example.net H=mx.example.net [192.0.2.5] P=esmtp S=900 id=i3@example.net for list@example.org
2018-06-06 10:04:01 1fQaaa-000005-Aa => carl@example.com <list@example.org> R=dns T=remote_smtp H=mx.example.com [192.0.2.77] C=\"250 OK\"
2018-06-06 10:04:02 1fQaaa-000005-Aa => bob <list@example.org> R=local T=local_delivery
2018-06-06 10:04:02 1fQaaa-000005-Aa Completed
2018-06-06 10:05:00 1fQaaa-000006-Aa <= eve@example.org H=dsl.example.com [198.51.100.9] P=esmtpsa A=plain:eve S=900 id=a3@example.org for ann@example.net
2018-06-06 10:05:01 1fQaaa-000006-Aa => ann@example.net R=dns T=remote_smtp H=mx.example.net [192.0.2.5] C=\"250 OK\"
2018-06-06 10:05:01 1fQaaa-000006-Aa Completed
2018-06-06 10:06:00 1fQaaa-000007-Aa <= <> R=1fQaaa-000003-Aa U=exim P=local S=900 for news@spam.example
2018-06-06 10:06:01 1fQaaa-000007-Aa ** news@spam.example R=dns T=remote_smtp H=mail.spam.example [198.51.100.66]: SMTP error from remote mail server after RCPT TO:<news@spam.example>: 550 5.1.1 unknown user
2018-06-06 10:06:01 1fQaaa-000007-Aa Completed
2018-06-06 10:07:00 1fQaaa-000008-Aa <= root@example.org U=root P=local S=900 id=a4@example.org for bob@example.org
2018-06-06 10:07:01 1fQaaa-000008-Aa => bob@example.org R=lmtp T=dovecot_lmtp H=imap.example.net [192.0.2.25] C=\"250 OK\"
2018-06-06 10:07:01 1fQaaa-000008-Aa Completed
2018-06-06 10:08:00 H=(web1.example.org) [198.51.100.66] F=<shop@example.org> rejected RCPT <x@example.net>: relay not permitted
2018-06-06 10:08:01 H=(web1.example.org) [198.51.100.66] F=<shop@example.org> rejected RCPT <x@example.net>: relay not permitted
2018-06-06 10:08:02 H=(web1.example.org) [198.51.100.66] F=<shop@example.org> rejected RCPT <x@example.net>: relay not permitted
2018-06-06 10:08:03 H=(web1.example.org) [198.51.100.66] F=<shop@example.org> rejected RCPT <x@example.net>: relay not permitted
2018-06-06 10:08:04 H=web1.example.org [10.0.0.7] F=<shop@example.org> rejected RCPT <x@example.net>: relay not permitted
";

#[test]
fn a_mixed_exim_counts_our_mail_alone() {
    let place = Place::with(CONFIG);
    let log = place.write("mainlog", EXIM);
    place.backfill_as("mx1", &[&log]).ends(0);
    let accepted = counted(&place, "service, origin", "kind = 'accepted'");
    // `root` is a derived name's sender without one; the machine's own mail is its host's.
    let expected = [("shop ours", 2), ("inbound outside", 3), ("bounces ours", 1)];
    for (name, count) in expected {
        assert_eq!(accepted.get(name), Some(&count), "{name}: {accepted:?}");
    }
    assert_eq!(accepted.values().sum::<i64>(), 8, "{accepted:?}");
    assert!(accepted.keys().all(|name| !name.contains("spam")), "{accepted:?}");
    let copies = counted(&place, "kind, origin, direction", "direction <> ''");
    let expected = is(&[
        ("bounced ours outbound", 1),
        ("delivered ours internal", 2),
        ("delivered ours outbound", 3),
        ("delivered outside inbound", 3),
        ("delivered outside transit", 1),
    ]);
    assert_eq!(copies, expected);
    assert_eq!(
        place.number("SELECT COUNT(*) FROM events WHERE kind = 'delivered' AND direction = ''"),
        0
    );
    let rejected = counted(&place, "service, origin", "kind = 'rejected'");
    assert_eq!(rejected, is(&[("inbound outside", 4), ("shop ours", 1)]));
}

/// Mail of all kinds through one Postfix.
const POSTFIX: &str = "\
Jun  6 10:00:00 mx1 postfix/smtpd[1]: 3B2C1DAA01: client=web1.example.org[10.0.0.7]
Jun  6 10:00:00 mx1 postfix/cleanup[2]: 3B2C1DAA01: message-id=<a1@example.org>
Jun  6 10:00:00 mx1 postfix/qmgr[3]: 3B2C1DAA01: from=<shop@example.org>, size=900, nrcpt=1 (queue active)
Jun  6 10:00:01 mx1 postfix/smtp[4]: 3B2C1DAA01: to=<ann@example.net>, relay=mx.example.net[192.0.2.5]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 OK)
Jun  6 10:00:01 mx1 postfix/qmgr[3]: 3B2C1DAA01: removed
Jun  6 10:01:00 mx1 postfix/smtpd[1]: 3B2C1DAA02: client=mail.spam.example[198.51.100.66]
Jun  6 10:01:00 mx1 postfix/cleanup[2]: 3B2C1DAA02: message-id=<i1@spam.example>
Jun  6 10:01:00 mx1 postfix/qmgr[3]: 3B2C1DAA02: from=<news@spam.example>, size=900, nrcpt=1 (queue active)
Jun  6 10:01:01 mx1 postfix/lmtp[4]: 3B2C1DAA02: to=<bob@example.org>, relay=imap.example.net[192.0.2.25]:24, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 OK)
Jun  6 10:01:01 mx1 postfix/qmgr[3]: 3B2C1DAA02: removed
Jun  6 10:02:00 mx1 postfix/smtpd[1]: 3B2C1DAA03: client=dsl.example.com[198.51.100.9], sasl_method=PLAIN, sasl_username=eve
Jun  6 10:02:00 mx1 postfix/cleanup[2]: 3B2C1DAA03: message-id=<a3@example.org>
Jun  6 10:02:00 mx1 postfix/qmgr[3]: 3B2C1DAA03: from=<eve@example.org>, size=900, nrcpt=2 (queue active)
Jun  6 10:02:01 mx1 postfix/smtp[4]: 3B2C1DAA03: to=<ann@example.net>, relay=mx.example.net[192.0.2.5]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 OK)
Jun  6 10:02:01 mx1 postfix/local[4]: 3B2C1DAA03: to=<bob@example.org>, relay=local, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (delivered to mailbox)
Jun  6 10:02:01 mx1 postfix/qmgr[3]: 3B2C1DAA03: removed
Jun  6 10:03:00 mx1 postfix/smtpd[1]: 3B2C1DAA04: client=mx.example.net[192.0.2.5]
Jun  6 10:03:00 mx1 postfix/cleanup[2]: 3B2C1DAA04: message-id=<i3@example.net>
Jun  6 10:03:00 mx1 postfix/qmgr[3]: 3B2C1DAA04: from=<ann@example.net>, size=900, nrcpt=1 (queue active)
Jun  6 10:03:01 mx1 postfix/smtp[4]: 3B2C1DAA04: to=<carl@example.com>, orig_to=<list@example.org>, relay=mx.example.com[192.0.2.77]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 OK)
Jun  6 10:03:01 mx1 postfix/qmgr[3]: 3B2C1DAA04: removed
Jun  6 10:04:00 mx1 postfix/smtpd[1]: 3B2C1DAA05: client=mail.spam.example[198.51.100.66]
Jun  6 10:04:00 mx1 postfix/cleanup[2]: 3B2C1DAA05: message-id=<i4@spam.example>
Jun  6 10:04:00 mx1 postfix/qmgr[3]: 3B2C1DAA05: from=<news@spam.example>, size=900, nrcpt=1 (queue active)
Jun  6 10:04:00 mx1 postfix/smtpd[1]: 3B2C1DAA06: client=localhost[127.0.0.1]
Jun  6 10:04:00 mx1 postfix/cleanup[2]: 3B2C1DAA06: message-id=<i4@spam.example>
Jun  6 10:04:00 mx1 postfix/qmgr[3]: 3B2C1DAA06: from=<news@spam.example>, size=999, nrcpt=1 (queue active)
Jun  6 10:04:01 mx1 postfix/smtp[4]: 3B2C1DAA05: to=<bob@example.org>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 3B2C1DAA06)
Jun  6 10:04:01 mx1 postfix/qmgr[3]: 3B2C1DAA05: removed
Jun  6 10:04:02 mx1 postfix/local[4]: 3B2C1DAA06: to=<bob@example.org>, relay=local, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (delivered to mailbox)
Jun  6 10:04:02 mx1 postfix/qmgr[3]: 3B2C1DAA06: removed
Jun  6 10:05:00 mx1 postfix/pickup[5]: 3B2C1DAA07: uid=0 from=<root>
Jun  6 10:05:00 mx1 postfix/cleanup[2]: 3B2C1DAA07: message-id=<a5@example.org>
Jun  6 10:05:00 mx1 postfix/qmgr[3]: 3B2C1DAA07: from=<root@example.org>, size=900, nrcpt=1 (queue active)
Jun  6 10:05:01 mx1 postfix/smtp[4]: 3B2C1DAA07: to=<ann@example.net>, relay=mx.example.net[192.0.2.5]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (host mx.example.net[192.0.2.5] said: 550 5.1.1 unknown user)
Jun  6 10:05:01 mx1 postfix/cleanup[2]: 3B2C1DAA08: message-id=<b1@mx1>
Jun  6 10:05:01 mx1 postfix/bounce[6]: 3B2C1DAA07: sender non-delivery notification: 3B2C1DAA08
Jun  6 10:05:01 mx1 postfix/qmgr[3]: 3B2C1DAA08: from=<>, size=2400, nrcpt=1 (queue active)
Jun  6 10:05:01 mx1 postfix/qmgr[3]: 3B2C1DAA07: removed
Jun  6 10:05:02 mx1 postfix/local[4]: 3B2C1DAA08: to=<root@example.org>, relay=local, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (delivered to mailbox)
Jun  6 10:05:02 mx1 postfix/qmgr[3]: 3B2C1DAA08: removed
Jun  6 10:06:00 mx1 postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[198.51.100.66]: 554 5.7.1 <x@example.net>: Relay access denied; from=<shop@example.org> to=<x@example.net> proto=ESMTP helo=<web1.example.org>
Jun  6 10:06:01 mx1 postfix/smtpd[1]: NOQUEUE: reject: RCPT from web1.example.org[10.0.0.7]: 554 5.7.1 <x@example.net>: Relay access denied; from=<shop@example.org> to=<x@example.net> proto=ESMTP helo=<web1.example.org>
";

#[test]
fn a_mixed_postfix_counts_our_mail_alone() {
    let place = Place::with(CONFIG);
    let log = place.write("mail.log", POSTFIX);
    place
        .run(&["backfill", "--host", "mx1", "--year", "2018", log.to_str().unwrap()])
        .ends(0);
    let accepted = counted(&place, "service, origin", "kind = 'accepted' AND first_hop");
    for (name, count) in [("shop ours", 1), ("inbound outside", 3), ("bounces ours", 1)] {
        assert_eq!(accepted.get(name), Some(&count), "{name}: {accepted:?}");
    }
    assert_eq!(accepted.values().sum::<i64>(), 7, "{accepted:?}");
    let copies = counted(&place, "kind, origin, direction", "direction <> ''");
    let expected = is(&[
        ("bounced ours outbound", 1),
        ("delivered ours internal", 2),
        ("delivered ours outbound", 2),
        ("delivered outside inbound", 3),
        ("delivered outside transit", 1),
    ]);
    assert_eq!(copies, expected);
    // What the filter gave back is the world's still.
    let filtered =
        place.sql("SELECT DISTINCT service, origin FROM events WHERE queue_id IN ('3B2C1DAA05', '3B2C1DAA06')");
    assert_eq!(filtered.len(), 1, "{filtered:?}");
    assert_eq!(filtered[0]["origin"], "outside");
    let rejected = counted(&place, "service, origin", "kind = 'rejected'");
    assert_eq!(rejected, is(&[("inbound outside", 1), ("shop ours", 1)]));
}

/// Names of services that a command shows.
fn services(place: &Place, direction: &[&str]) -> Vec<String> {
    let args = [&["services", "--format", "json"], direction].concat();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&place.run(&args).ends(0).out).unwrap();
    rows.iter()
        .map(|row| row["service"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn views_are_outbound_unless_another_direction_is_asked_for() {
    let place = Place::with(CONFIG);
    let log = place.write("mainlog", EXIM);
    place.backfill_as("mx1", &[&log]).ends(0);
    assert!(!services(&place, &[]).contains(&"inbound".to_owned()));
    assert_eq!(services(&place, &["--direction", "inbound"]), ["inbound"]);
    assert!(services(&place, &["--direction", "all"]).contains(&"inbound".to_owned()));
    place.run(&["services", "--direction", "out"]).ends(2);
    let delivered = |direction: &[&str]| {
        let args = [&["query", "outcome_per_service", "--format", "json"], direction].concat();
        let rows: Vec<serde_json::Value> = serde_json::from_str(&place.run(&args).ends(0).out).unwrap();
        rows.iter().map(|row| row["delivered"].as_i64().unwrap()).sum::<i64>()
    };
    // Of all seven copies that went to another host.
    assert_eq!(delivered(&[]), 3);
    assert_eq!(delivered(&["--param", "direction=transit"]), 1);
    assert_eq!(delivered(&["--direction", "inbound"]), 1);
    assert_eq!(delivered(&["--direction", "internal"]), 2);
    assert_eq!(delivered(&["--direction", "all"]), 7);
    let routes = place.run(&["routes", "--format", "json"]).ends(0).out;
    assert!(routes.contains("shop") && !routes.contains("inbound"), "{routes}");
    let graph = place.run(&["graph", "--plain", "--direction", "inbound"]).ends(0).out;
    assert!(graph.contains("inbound"), "{graph}");
}

#[test]
fn an_older_arrival_that_is_read_later_gives_its_copies_their_direction() {
    let place = Place::with(CONFIG);
    let (arrivals, copies): (Vec<&str>, Vec<&str>) = EXIM
        .lines()
        .filter(|line| !line.contains("rejected"))
        .partition(|line| line.contains(" <= "));
    let arrivals = place.write("mainlog.1", format!("{}\n", arrivals.join("\n")));
    let copies = place.write("mainlog", format!("{}\n", copies.join("\n")));
    place.backfill_as("mx1", &[&copies]).ends(0);
    let orphans = place.number("SELECT COUNT(*) FROM events WHERE origin = ''");
    assert_eq!(orphans, place.number("SELECT COUNT(*) FROM events"));
    place.backfill_as("mx1", &[&arrivals]).ends(0);
    let whole = Place::with(CONFIG);
    let log = whole.write("mainlog", EXIM);
    whole.backfill_as("mx1", &[&log]).ends(0);
    let of = |place: &Place| counted(place, "kind, origin, direction, service", "kind <> 'rejected'");
    let (late, at_once) = (of(&place), of(&whole));
    assert_eq!(late, at_once);
}

/// Alarms about a relay that takes the shop's mail every minute for three days and an hour, and refuses what a client offers
/// in the last hour.
fn alarms_of_rejects(client: &str) -> Vec<String> {
    let place = Place::with(CONFIG);
    let (begin, end) = (1_528_070_400, 1_528_070_400 + (3 * 24 + 1) * 3_600);
    let mut log = String::new();
    for at in (begin..end).step_by(60) {
        log.push_str(&passed_on_at(at, "shop"));
        if (end - 1_800..end - 1_560).contains(&at) {
            let time = stamp(at + 1);
            log +=
                &format!("{time} H={client} F=<shop@example.org> rejected RCPT <x@example.net>: relay not permitted\n");
        }
    }
    let log = place.write("mainlog", log);
    place.backfill_as("mx1", &[&log]).ends(0);
    let alarms: Vec<serde_json::Value> = serde_json::from_str(&place.run(&["detect", "--format", "json"]).out).unwrap();
    let words = alarms.iter().map(|alarm| {
        let name = alarm["series"]["service"].as_str().unwrap_or("?");
        format!("{name} {}", alarm["state"].as_str().unwrap())
    });
    words.collect()
}

#[test]
fn rejects_of_strangers_who_claim_our_sender_alarm_nobody() {
    assert_eq!(alarms_of_rejects("(app.example.org) [198.51.100.66]"), [""; 0]);
    assert_eq!(alarms_of_rejects("app.example.org [10.0.0.1]"), ["shop refused"]);
}

#[test]
fn a_relay_that_takes_mail_of_the_world_lives_though_ours_stops() {
    let place = Place::with(CONFIG);
    let (begin, end) = (1_528_070_400, 1_528_070_400 + 4 * 24 * 3_600);
    let mut log = String::new();
    for at in (begin..end).step_by(60) {
        if at < end - 6 * 3_600 {
            log.push_str(&passed_on_at(at, "shop"));
        }
        let world = passed_on_at(at + 30, "news").replace("H=app.example.org [10.0.0.1]", "[198.51.100.66]");
        log.push_str(&world.replace("news@example.org", "news@spam.example"));
    }
    let log = place.write("mainlog", log);
    place.backfill_as("mx1", &[&log]).ends(0);
    let alarms: Vec<serde_json::Value> = serde_json::from_str(&place.run(&["detect", "--format", "json"]).out).unwrap();
    let series: Vec<&serde_json::Value> = alarms.iter().map(|alarm| &alarm["series"]).collect();
    assert_eq!(series, [&serde_json::json!({ "service": "shop" })]);
}

/// A log of two clients whose mail leaves again, and of a stranger's whose mail stays.
fn with_public_clients() -> String {
    let begin = 1_528_070_400;
    let mut log = String::new();
    for n in 0..200 {
        let mail = passed_on_at(begin + 60 * n, "shop").replace("[10.0.0.1]", &format!("[192.0.2.{}]", 7 + n % 2));
        log += &mail.replace("user@example.com", &format!("user@example{}.com", n % 5));
        let world = passed_on_at(begin + 60 * n + 30, "news").replace("[10.0.0.1]", "[198.51.100.66]");
        log += &world.replace(
            "R=dnslookup T=remote_smtp H=mx.example.com [203.0.113.1] C=\"250 ok\"",
            "R=local T=mbox",
        );
    }
    log
}

#[test]
fn init_proposes_networks_of_the_logs_that_it_finds() {
    let place = Place::new();
    let line =
        "2018-06-04 00:00:01 1f1528-000001-A1 <= news@spam.example H=mx.spam.example [198.51.100.66] P=esmtp S=900\n";
    // More than is read: what stands before it counts for nothing.
    let old = line.repeat(17 * 1024 * 1024 / line.len());
    place.write("root/var/log/exim4/mainlog", old + &with_public_clients());
    place.write("root/var/log/exim4/mainlog.1.gz", "packed");
    let root = place.path("root");
    let root = root.to_str().unwrap();
    let scratch = place.path("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let init = |file: &str| {
        let mut command = place.command();
        command.args(["init", file, "--root", root]).env("TMPDIR", &scratch);
        Run::of(command.output().unwrap())
    };
    let written = init("new.toml").ends(0).says(&["look at them"]);
    assert!(written.out.contains("new.toml written"), "{}", written.out);
    let text = std::fs::read_to_string(place.path("new.toml")).unwrap();
    let proposed = "# 192.0.2.0/24: 200 messages, for example of app.example.org [192.0.2.7], app.example.org [192.0.2.8]\n\
                    # [ours]\n# networks = [\"192.0.2.0/24\"]\n# hosts = ";
    assert!(text.contains(proposed), "{text}");
    // Nothing of it is left, and what is there stays.
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0);
    init("new.toml").ends(2).says(&["exists already"]);
    // A log that is none is no obstacle.
    place.write("root/var/log/exim4/mainlog", "\u{0}\u{1}");
    init("other.toml").ends(0);
    assert!(
        std::fs::read_to_string(place.path("other.toml"))
            .unwrap()
            .contains("# networks = [\"198.51.100.0/24\"]")
    );
}

#[test]
fn networks_are_proposed_for_clients_whose_mail_leaves_again() {
    let place = Place::with("[store]\nurl = \"store\"\n[privacy]\nlocal_parts = \"keep\"\n");
    let log = place.write("mainlog", with_public_clients());
    place.backfill_as("mx1", &[&log]).ends(0);
    place
        .run(&["check"])
        .ends(0)
        .says(&["no [ours]: 400 of 400 messages of the last week came from the outside"]);
    let run = place.run(&["services", "discover"]).ends(0);
    assert!(run.out.contains("[ours]\nnetworks = [\"192.0.2.0/24\"]"), "{}", run.out);
    assert!(
        run.out
            .contains("# 192.0.2.0/24: 200 messages, for example of app.example.org [192.0.2."),
        "{}",
        run.out
    );
    // Taken over, our mail is outbound.
    place.write("conf.d/ours.toml", "[ours]\nnetworks = [\"192.0.2.0/24\"]\n");
    let log = place.write(
        "mainlog.1",
        std::fs::read_to_string(&log)
            .unwrap()
            .replace("2018-06-04", "2018-06-05"),
    );
    place.backfill_as("mx1", &[&log]).ends(0);
    let now = counted(
        &place,
        "origin, direction",
        "kind = 'delivered' AND ts >= '2018-06-05 00:00'",
    );
    assert_eq!(now, is(&[("ours outbound", 200), ("outside inbound", 200)]));
    assert!(!place.run(&["check"]).ends(0).err.contains("no [ours]"));
    let rule = "[[service]]\nname = \"news\"\nmatch = [{ sender = \"news@*\" }]\n";
    place.write("conf.d/rule.toml", rule);
    place
        .run(&["check"])
        .says(&["service news: most mail that its rules match comes from the outside"]);
}

#[test]
fn what_a_scanner_of_exim_hands_back_is_the_mail_that_it_took() {
    let place = Place::with(CONFIG);
    let log = place.write(
        "mainlog",
        "\
2018-06-06 10:00:00 1fQaaa-000001-Aa <= news@spam.example H=mail.spam.example [198.51.100.66] P=esmtp S=900 id=1@spam.example
2018-06-06 10:00:01 1fQaaa-000002-Aa <= news@spam.example H=localhost (amavis) [127.0.0.1] P=esmtp S=999 id=1@spam.example
2018-06-06 10:00:01 1fQaaa-000001-Aa => bob@example.org R=amavis T=amavis H=127.0.0.1 [127.0.0.1]:10024 C=\"250 OK\"
2018-06-06 10:00:01 1fQaaa-000001-Aa Completed
2018-06-06 10:00:02 1fQaaa-000002-Aa => bob <bob@example.org> R=local T=local_delivery
2018-06-06 10:00:02 1fQaaa-000002-Aa Completed
",
    );
    place.backfill_as("mx1", &[&log]).ends(0);
    let arrivals =
        place.sql("SELECT service, origin, client, first_hop FROM events WHERE kind = 'accepted' ORDER BY ts");
    let expected = |first_hop: bool| serde_json::json!({ "service": "inbound", "origin": "outside", "client": "mail.spam.example", "first_hop": first_hop });
    assert_eq!(arrivals, [expected(true), expected(false)]);
    // What only the scanner got is in another queue.
    assert_eq!(
        counted(&place, "destination", "kind = 'delivered'"),
        is(&[("local", 1), ("relay", 1)])
    );
    assert_eq!(
        counted(&place, "direction", "kind = 'delivered'"),
        is(&[("inbound", 2)])
    );
}

/// Arrivals and deliveries: of whose mail, by which client, whether they enter here, and where to.
fn told(place: &Place) -> Vec<String> {
    let rows = place
        .sql("SELECT kind, service, client, first_hop, destination FROM events WHERE kind <> 'completed' ORDER BY ts");
    let told = rows.iter().map(|row| {
        let word = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let enters = if row["first_hop"] == true { "enters" } else { "goes on" };
        format!(
            "{} {} {} {enters} {}",
            word("kind"),
            word("service"),
            word("client"),
            word("destination")
        )
    });
    told.map(|told| told.trim_end().to_owned()).collect()
}

#[test]
fn a_mail_without_a_message_id_is_known_by_the_id_in_the_scanners_reply() {
    let log = "\
2025-11-19 10:03:00 1vLh4s-00000001AbC-2DeF <= shop@example.org H=web1.example.org [10.0.0.9] P=esmtp S=900 for a@example.net
2025-11-19 10:03:01 1vLh4t-00000001AbD-2DeG <= shop@example.org H=localhost (amavis) [127.0.0.1] P=esmtp S=1100 for a@example.net
2025-11-19 10:03:02 1vLh4s-00000001AbC-2DeF => a@example.net R=amavis T=amavis H=127.0.0.1 [127.0.0.1]:10024 C=\"250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 OK id=1vLh4t-00000001AbD-2DeG\"
2025-11-19 10:03:02 1vLh4s-00000001AbC-2DeF Completed
2025-11-19 10:03:03 1vLh4t-00000001AbD-2DeG => a@example.net R=dnslookup T=remote_smtp H=mx.example.net [192.0.2.1] C=\"250 OK\"
2025-11-19 10:03:03 1vLh4t-00000001AbD-2DeG Completed
";
    let expected = [
        "accepted shop web1.example.org enters",
        "accepted shop web1.example.org goes on",
        "delivered shop web1.example.org enters relay",
        "delivered shop web1.example.org goes on remote",
    ];
    let place = Place::with(CONFIG);
    place.backfill_as("mx1", &[&place.write("mainlog", log)]).ends(0);
    assert_eq!(told(&place), expected);
    // Also where the arrival was committed before the reply came.
    let place = Place::with(CONFIG);
    let cut = log.match_indices('\n').nth(1).unwrap().0 + 1;
    for part in [&log[..cut], log] {
        place.backfill_as("mx1", &[&place.write("mainlog", part)]).ends(0);
    }
    assert_eq!(told(&place), expected);
}

#[test]
fn a_command_that_hands_a_mail_back_is_no_sender() {
    let place = Place::with(CONFIG);
    let log = place.write(
        "mainlog",
        "\
2025-11-19 10:00:00 1vLh1s-00000001AbC-2DeF <= shop@example.org H=web1.example.org [10.0.0.9] P=esmtp S=900 id=1@web1.example.org
2025-11-19 10:00:01 1vLh1t-00000001AbD-2DeG <= shop@example.org U=mail P=spam-scanned S=1100 id=1@web1.example.org
2025-11-19 10:00:02 1vLh1s-00000001AbC-2DeF => bob@example.net R=spamcheck_router T=spamcheck
2025-11-19 10:00:02 1vLh1s-00000001AbC-2DeF Completed
2025-11-19 10:00:03 1vLh1t-00000001AbD-2DeG => bob@example.net R=dnslookup T=remote_smtp H=mx.example.net [192.0.2.1] C=\"250 OK\"
2025-11-19 10:00:03 1vLh1t-00000001AbD-2DeG Completed
",
    );
    place.backfill_as("mx1", &[&log]).ends(0);
    let expected = [
        "accepted shop web1.example.org enters",
        "accepted shop web1.example.org goes on",
        "delivered shop web1.example.org enters relay",
        "delivered shop web1.example.org goes on remote",
    ];
    assert_eq!(told(&place), expected);
}

#[test]
fn a_mail_that_mailscanner_requeues_is_the_one_that_its_client_brought() {
    let place = Place::with(
        "[store]\nurl = \"store\"\n[ours]\nnetworks = [\"198.51.100.0/24\"]\n[[service]]\nname = \"shop\"\nmatch = [{ sender = \"shop@*\" }]\n",
    );
    let log = place.write(
        "mail.log",
        "\
2017-11-18T17:34:01+00:00 mx1 postfix/smtpd[31009]: AB3116645BB: client=web1.example.org[198.51.100.172]
2017-11-18T17:34:01+00:00 mx1 postfix/cleanup[31024]: AB3116645BB: hold: header Received: from web1.example.org (web1.example.org [198.51.100.172])??by mail.example.com (Postfix) with ESMTPS id AB3116645BB??for <bob@example.net> from web1.example.org[198.51.100.172]; from=<shop@example.org> to=<bob@example.net> proto=ESMTP helo=<web1.example.org>
2017-11-18T17:34:01+00:00 mx1 postfix/cleanup[31024]: AB3116645BB: message-id=<CAHNH3@example.org>
2017-11-18T17:34:02+00:00 mx1 MailScanner[30654]: New Batch: Scanning 1 messages, 3606 bytes
2017-11-18T17:34:31+00:00 mx1 MailScanner[30654]: Requeue: AB3116645BB.AE4DF to 9E02D664D3C
2017-11-18T17:34:31+00:00 mx1 postfix/qmgr[1234]: 9E02D664D3C: from=<shop@example.org>, size=3900, nrcpt=1 (queue active)
2017-11-18T17:34:32+00:00 mx1 postfix/smtp[31100]: 9E02D664D3C: to=<bob@example.net>, relay=mx.example.net[192.0.2.7]:25, delay=31, delays=30/0.01/0.4/0.6, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 12345ABCDE)
2017-11-18T17:34:32+00:00 mx1 postfix/qmgr[1234]: 9E02D664D3C: removed
",
    );
    let read = place
        .run(&["backfill", "--kind", "postfix", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    assert_eq!(read.totals().unparsed, 0, "{}", read.err);
    assert_eq!(
        told(&place),
        [
            "frozen shop web1.example.org enters",
            "accepted shop web1.example.org enters",
            "delivered shop web1.example.org enters remote",
        ]
    );
    // The ID under which it was held has left.
    let run = place
        .run(&["queue", "--at", "2017-11-18T17:34:40Z", "--format", "json"])
        .ends(0);
    let queue: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(
        (&queue["total"]["messages"], &queue["total"]["held"]),
        (&0.into(), &0.into()),
        "{queue:#}"
    );
}

//! A real Exim, what was really sent through it, and what the store says of it (tests/lab/README.md).

use crate::lab::{lab, program, truth};
use crate::logs::{lines, run};
use crate::util::Place;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

/// Counts by sender and what is counted; what is zero is left out.
type Counts = BTreeMap<(String, String), i64>;

/// The truth in the words of the store. Exim's own mail and clients that named no sender are both the empty sender.
fn expected(truth: &Value) -> Counts {
    let mut counts = Counts::new();
    for (sender, said) in truth["senders"].as_object().expect("senders") {
        let n = |key: &str| said[key].as_i64().unwrap_or_else(|| panic!("{key} in {said}"));
        let sender = if matches!(sender.as_str(), "<>" | "-") {
            ""
        } else {
            sender
        };
        let mut add = |what: &str, count| *counts.entry((sender.to_owned(), what.to_owned())).or_default() += count;
        add("accepted", n("messages") - n("fakereject"));
        add("delivered remote", n("delivered") + n("cutthrough"));
        for place in ["local", "pipe", "file", "autoreply"] {
            add(&format!("delivered {place}"), n(place));
        }
        add("deferred", n("deferred_attempts") + n("retry_not_reached"));
        add("bounced", n("bounced"));
        add("rejected", n("rejected") + n("temp_rejected") + n("fakereject"));
        add("fakereject", n("fakereject"));
        add("blackholed", n("blackholed"));
        add("suppressed", n("suppressed"));
        add("completed", n("completed"));
    }
    counts.retain(|_, count| *count != 0);
    counts
}

const COUNTS: &str = "SELECT sender, kind, destination, queue_id <> '' AS has_id, reason, \
    COUNT(*) AS n, SUM(recipients) AS r FROM events \
    GROUP BY sender, kind, destination, queue_id <> '', reason";

/// The store in the same words.
fn found(place: &Place) -> Counts {
    let mut counts = Counts::new();
    for row in place.sql(COUNTS) {
        let word = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let (n, r) = (row["n"].as_i64().unwrap(), row["r"].as_i64().unwrap());
        let mut add = |what: &str, count| *counts.entry((word("sender"), what.to_owned())).or_default() += count;
        match word("kind").as_str() {
            "delivered" => add(&format!("delivered {}", word("destination")), n),
            "bounced" | "expired" => add("bounced", n),
            "rejected" if row["has_id"] == true => {
                add("rejected", n);
                add("fakereject", n);
            }
            // A second connection of one client is told to come later; the truth does not count that as a rejection.
            "rejected" if word("reason") == "rate_limited" && word("sender").is_empty() => {}
            // Recipients, not messages: `removed by root` throws a message away.
            "discarded" => add("blackholed", r),
            // How often a message was frozen is not by sender: see `frozen_messages`.
            "frozen" => {}
            kind => add(kind, n),
        }
    }
    counts.retain(|_, count| *count != 0);
    counts
}

#[track_caller]
fn backfilled(selector: &str) -> Place {
    let place = Place::new();
    let run = place
        .backfill_as("mx1001.example.org", &[&lab(selector).join("mainlog")])
        .ends(0);
    let log = fs::read(lab(selector).join("mainlog")).unwrap();
    let totals = run.totals();
    assert_eq!(totals.lines, lines(&log));
    assert_eq!(totals.unparsed, 0, "{}", run.out);
    assert_eq!(totals.events as i64, place.events());
    place
}

#[track_caller]
fn counts_as_sent(selector: &str) {
    let place = backfilled(selector);
    let truth = truth(&lab(selector));
    let expected = expected(&truth);
    assert!(expected.len() > 40, "{expected:?}");
    assert_eq!(found(&place), expected, "left: the store; right: what was sent");
    let totals = &truth["totals"];
    let total = |key: &str| totals[key].as_i64().unwrap();
    let messages = "SELECT SUM(messages) AS n FROM events WHERE kind = 'accepted'";
    assert_eq!(place.number(messages), total("messages") - total("fakereject"));
    // One address ran out of its retry time; the others were refused.
    assert_eq!(
        place.number("SELECT COUNT(*) AS n FROM events WHERE kind = 'expired'"),
        1
    );
    // Recipients of deferrals: each address once, however often it was tried.
    let retried = place.number("SELECT SUM(recipients) AS n FROM events WHERE kind = 'deferred'");
    let addresses =
        "SELECT COUNT(*) AS n FROM (SELECT DISTINCT queue_id, recipient FROM events WHERE kind = 'deferred') t";
    assert_eq!(retried, place.number(addresses));
    assert_eq!(
        place.number("SELECT COUNT(*) AS n FROM events WHERE kind = 'discarded' AND recipients = 0"),
        1,
        "-Mrm"
    );
    place.verify();
}

#[test]
#[ignore = "lab: needs root and exim4"]
fn the_store_counts_what_was_sent_default_selector() {
    counts_as_sent("default");
}

#[test]
#[ignore = "lab: needs root and exim4"]
fn the_store_counts_what_was_sent_all_selectors() {
    counts_as_sent("all");
}

#[test]
#[ignore = "lab: needs root and exim4"]
fn the_store_counts_what_was_sent_wikimedia_selectors() {
    counts_as_sent("wikimedia");
}

#[test]
#[ignore = "lab: needs root and exim4"]
fn frozen_messages_are_counted_once_and_each_freeze_is_an_event() {
    let place = backfilled("default");
    let log = fs::read_to_string(lab("default").join("mainlog")).unwrap();
    let still = log.lines().filter(|line| line.ends_with("Message is frozen")).count() as i64;
    let frozen = truth(&lab("default"))["totals"]["frozen"].as_i64().unwrap();
    assert_eq!(
        place.number("SELECT COUNT(*) AS n FROM events WHERE kind = 'frozen'"),
        frozen + still
    );
    // Three bounces could not be delivered.
    assert_eq!(
        place.number("SELECT SUM(messages) AS n FROM events WHERE kind = 'frozen'"),
        3
    );
}

#[test]
#[ignore = "lab: needs root and exim4"]
fn accepted_recipients_are_known_where_the_log_names_them() {
    let place = backfilled("all");
    let truth = truth(&lab("all"));
    for (sender, said) in truth["senders"].as_object().unwrap() {
        let n = |key: &str| said[key].as_i64().unwrap();
        // Not named by the log: the recipients that an ACL discarded. A fakereject is no acceptance; it has one each.
        let expected = n("recipients") - n("discarded") - n("fakereject");
        let name = if matches!(sender.as_str(), "<>" | "-") {
            ""
        } else {
            sender
        };
        if n("messages") > 0 {
            let accepted =
                format!("SELECT SUM(recipients) AS n FROM events WHERE kind = 'accepted' AND sender = '{name}'");
            assert_eq!(place.number(&accepted), expected, "{sender}");
        }
    }
}

#[test]
#[ignore = "lab: needs root and exim4"]
fn every_queue_id_and_client_is_that_of_the_message() {
    let place = backfilled("all");
    let truth = truth(&lab("all"));
    let accepted = "SELECT queue_id, sender, client_ip FROM events WHERE kind = 'accepted' OR queue_id <> '' AND kind = 'rejected'";
    let accepted: BTreeMap<String, (String, String)> = place
        .sql(accepted)
        .iter()
        .map(|row| {
            let word = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            (word("queue_id"), (word("sender"), word("client_ip")))
        })
        .collect();
    let mut compared = 0;
    for message in truth["messages"].as_array().unwrap() {
        let Some(id) = message["queue_id"].as_str() else {
            continue;
        };
        let sender = message["sender"].as_str().unwrap().replace("<>", "");
        let (found, client_ip) = accepted.get(id).unwrap_or_else(|| panic!("no message {id}"));
        assert_eq!(*found, sender, "{message}");
        if message["by"] == "local" {
            assert_eq!(client_ip, "", "{message}");
        } else {
            assert_ne!(client_ip, "", "{message}");
        }
        compared += 1;
    }
    assert!(compared > 50, "{compared}");
}

#[test]
#[ignore = "lab: needs root and exim4"]
fn totals_equal_those_of_eximstats() {
    let log = lab("default").join("mainlog");
    let place = backfilled("default");
    let report = String::from_utf8(run(program("/usr/sbin/eximstats")
        .args(["-nr", "-nt", "-ne", "-h0", "-q0", "-t0"])
        .arg(&log)))
    .unwrap();
    let row = |name: &str| -> Vec<i64> {
        let line = report
            .lines()
            .find(|line| line.trim_start().starts_with(name))
            .expect(name);
        line.split_whitespace()
            .skip(2)
            .filter_map(|word| word.parse().ok())
            .collect()
    };
    // Messages received; a fakereject's `(=` is none to either.
    assert_eq!(
        row("Received")[0],
        place.number("SELECT COUNT(*) AS n FROM events WHERE kind = 'accepted'")
    );
    // Addresses delivered, everywhere but to :blackhole:. It does not know `>>` of cut-through, and calls what an ACL
    // throws away a delivery.
    let delivered = place.number("SELECT COUNT(*) AS n FROM events WHERE kind = 'delivered'");
    let cut = truth(&lab("default"))["totals"]["cutthrough"].as_i64().unwrap();
    let text = fs::read_to_string(&log).unwrap();
    let by_acl = text.lines().filter(|line| line.contains("=> blackhole (")).count() as i64;
    let blackholed = text.lines().filter(|line| line.contains("=> :blackhole:")).count() as i64;
    assert_eq!(row("Delivered")[1], delivered - cut + by_acl + blackholed, "{report}");
}

//! The logs of a real Postfix against what clients and the Internet saw (tests/lab), and against pflogsumm's totals.

use crate::lab::{postfix_lab, truth};
use crate::util::{Place, assert_same_answers};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

const IDS: [&str; 2] = ["short", "long"];

/// The store of a log of the laboratory.
fn read(ids: &str, file: &str) -> Place {
    let place = Place::new();
    let log = postfix_lab(ids).join(file);
    let run = place.backfill_as("mx1.example.org", &[&log]).ends(0);
    let totals = run.totals();
    assert_eq!(totals.unparsed, 0, "{ids}: {}", run.out);
    assert_eq!(place.events() as u64, totals.events);
    assert!(totals.lines > 500, "{}", totals.lines);
    place
}

fn store(ids: &str) -> &'static Place {
    static PLACES: LazyLock<BTreeMap<&str, Place>> =
        LazyLock::new(|| IDS.into_iter().map(|ids| (ids, read(ids, "mail.log"))).collect());
    &PLACES[ids]
}

/// Rows, messages and recipients of a sender's events of a kind, by destination; "" is all of them.
struct Counted(BTreeMap<(String, String, String), [i64; 3]>);

impl Counted {
    fn of(place: &Place) -> Counted {
        let sql = "SELECT sender, kind, destination, COUNT(*) AS n, SUM(messages) AS m, SUM(recipients) AS r \
            FROM events GROUP BY sender, kind, destination";
        let mut counted = BTreeMap::new();
        for row in place.sql(sql) {
            let word = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            let numbers = ["n", "m", "r"].map(|key| row[key].as_i64().unwrap());
            let destination = word("destination");
            for to in [destination.as_str(), ""] {
                let key = (word("sender"), word("kind"), to.to_owned());
                let sum: &mut [i64; 3] = counted.entry(key).or_default();
                sum.iter_mut().zip(numbers).for_each(|(sum, n)| *sum += n);
                if destination.is_empty() {
                    break;
                }
            }
        }
        Counted(counted)
    }

    fn get(&self, sender: &str, kind: &str, to: &str) -> [i64; 3] {
        let key = (sender.to_owned(), kind.to_owned(), to.to_owned());
        self.0.get(&key).copied().unwrap_or_default()
    }
}

/// Messages that no queue manager saw: thrown away at the door.
fn thrown_away<'t>(truth: &'t Value, sender: &str) -> impl Iterator<Item = &'t Value> {
    let sender = sender.to_owned();
    truth["messages"].as_array().unwrap().iter().filter(move |message| {
        message["sender"] == sender.as_str() && matches!(message["case"].as_str(), Some("discardme" | "headerdiscard"))
    })
}

#[test]
#[ignore = "lab: needs root and postfix"]
fn every_sender_has_what_really_became_of_its_mail() {
    for ids in IDS {
        let truth = truth(&postfix_lab(ids));
        let counted = Counted::of(store(ids));
        let senders = truth["senders"].as_object().unwrap();
        assert!(senders.len() > 10);
        for (printed, said) in senders {
            let sender = printed.replace("<>", "");
            let of = |kind: &str, to: &str| counted.get(&sender, kind, to);
            let said = |key: &str| said[key].as_i64().unwrap();
            let what = |key: &str| format!("{ids}: {key} of {printed}");
            // In the queue came what left it again. (The one that is still on hold never came there.)
            let accepted = said("completed") + said("cancelled");
            assert_eq!(of("accepted", "")[..2], [accepted, accepted], "{}", what("accepted"));
            let at_the_door = thrown_away(&truth, &sender).count() as i64;
            let left_on_hold = i64::from(said("held") > 0);
            assert_eq!(
                accepted + at_the_door + left_on_hold,
                said("messages"),
                "{}",
                what("messages")
            );
            for (key, kind, to) in [
                ("delivered", "delivered", "remote"),
                ("local", "delivered", "local"),
                ("pipe", "delivered", "pipe"),
                ("file", "delivered", "file"),
                ("forwarded", "delivered", "relay"),
                ("deferred_attempts", "deferred", ""),
                ("bounced", "bounced", ""),
                ("expired", "expired", ""),
                ("held", "frozen", ""),
                ("completed", "completed", ""),
            ] {
                assert_eq!(of(kind, to)[0], said(key), "{}", what(key));
            }
            let refused = said("rejected") + said("temp_rejected");
            assert_eq!(of("rejected", "")[0], refused, "{}", what("rejected"));
            // One line throws away a message with all its recipients; the operator removes messages.
            let more: i64 = thrown_away(&truth, &sender)
                .map(|message| message["recipients"].as_array().unwrap().len() as i64 - 1)
                .sum();
            let discarded = said("discarded") - more + said("cancelled");
            assert_eq!(of("discarded", "")[0], discarded, "{}", what("discarded"));
        }
        let all: std::collections::BTreeSet<_> = counted.0.keys().map(|(sender, _, _)| sender.clone()).collect();
        assert_eq!(all.len(), senders.len(), "no sender that nobody was: {all:?}");
    }
}

#[test]
#[ignore = "lab: needs root and postfix"]
fn every_message_is_one_of_the_truth() {
    for ids in IDS {
        let truth = truth(&postfix_lab(ids));
        let mut stored: BTreeMap<(String, String), i64> = BTreeMap::new();
        for row in store(ids).sql(
            "SELECT queue_id, sender, SUM(messages) AS n FROM events WHERE kind = 'accepted' GROUP BY queue_id, sender",
        ) {
            let word = |key: &str| row[key].as_str().unwrap().to_owned();
            stored.insert((word("queue_id"), word("sender")), row["n"].as_i64().unwrap());
        }
        let mut said: BTreeMap<(String, String), i64> = BTreeMap::new();
        for message in truth["messages"].as_array().unwrap() {
            let never_active = matches!(message["case"].as_str(), Some("discardme" | "headerdiscard" | "hold"));
            if let (false, Some(id)) = (never_active, message["queue_id"].as_str()) {
                let sender = message["sender"].as_str().unwrap().replace("<>", "");
                *said.entry((id.to_owned(), sender)).or_default() += 1;
            }
        }
        assert!(said.len() > 40, "{}", said.len());
        for (key, n) in &said {
            assert_eq!(stored.get(key), Some(n), "{ids}: {key:?}");
        }
    }
}

#[test]
#[ignore = "lab: needs root and postfix"]
fn refusals_say_whether_they_are_for_good() {
    for ids in IDS {
        let truth = truth(&postfix_lab(ids));
        let refused = |class: &str| {
            store(ids).number(&format!(
                "SELECT COUNT(*) AS n FROM events WHERE kind = 'rejected' AND smtp_code {class}"
            ))
        };
        let said = |key: &str| truth["totals"][key].as_i64().unwrap();
        // Postfix prints no code where a header check refuses.
        let header =
            store(ids).number("SELECT COUNT(*) AS n FROM events WHERE kind = 'rejected' AND smtp_code IS NULL");
        assert!(header <= 1, "{header}");
        assert_eq!(
            (refused(">= 500") + header, refused("< 500")),
            (said("rejected"), said("temp_rejected"))
        );
    }
}

#[test]
#[ignore = "lab: needs root and postfix"]
fn totals_are_pflogsumms() {
    for ids in IDS {
        let path = postfix_lab(ids).join("pflogsumm.json");
        let summary: Value = serde_json::from_slice(&std::fs::read(path).expect("pflogsumm is installed")).unwrap();
        let place = store(ids);
        let count = |what: &str, of: &str| place.number(&format!("SELECT {what} AS n FROM events WHERE {of}"));
        let by_transport = "kind = 'discarded' AND recipient LIKE '%@null.example.net'";
        let totals = truth(&postfix_lab(ids))["totals"].clone();
        for (name, ours) in [
            (
                "delivered",
                count("COUNT(*)", "kind = 'delivered' AND destination <> 'relay'"),
            ),
            (
                "forwarded",
                count("COUNT(*)", "kind = 'delivered' AND destination = 'relay'"),
            ),
            ("deferred", count("SUM(messages)", "kind = 'deferred'")),
            ("deferrals", count("COUNT(*)", "kind = 'deferred'")),
            ("bounced", count("COUNT(*)", "kind = 'bounced'")),
            ("rejected", count("COUNT(*)", "kind = 'rejected'")),
            ("held", count("COUNT(*)", "kind = 'frozen'")),
            (
                "discarded",
                count("COUNT(*)", "kind = 'discarded'")
                    - count("COUNT(*)", by_transport)
                    - totals["cancelled"].as_i64().unwrap(),
            ),
        ] {
            assert_eq!(ours, summary[name].as_i64().unwrap(), "{ids}: {name}");
        }
    }
}

#[test]
#[ignore = "lab: needs root and postfix"]
fn both_headers_give_the_same_events() {
    // Times are those of reading in the one, and of writing in the other.
    let sql = "SELECT host, source, kind, service, hostgroup, relay, first_hop, destination, queue_id, message_key, \
        client, client_ip, sender, recipient, remote_host, remote_ip, bytes, messages, recipients, delivery_ms, \
        smtp_code, enhanced_code, reason FROM events ORDER BY log_offset";
    for ids in IDS {
        let other = read(ids, "mail.rfc3339.log");
        assert_same_answers(&store(ids).sql(sql), &other.sql(sql));
    }
}

#[test]
#[ignore = "lab: needs root and postfix"]
fn events_lie_within_the_run() {
    for ids in IDS {
        let lab = truth(&postfix_lab(ids))["lab"].clone();
        let at = |key: &str| lab[key].as_f64().unwrap();
        for file in ["mail.log", "mail.rfc3339.log"] {
            let place = read(ids, file);
            let out = format!(
                "SELECT COUNT(*) AS n FROM events WHERE ts_ms < {} OR ts_ms > {}",
                (at("started") * 1000.0) as i64 - 1000,
                (at("ended") * 1000.0) as i64 + 1000
            );
            assert_eq!(
                place.number(&out),
                0,
                "{ids} {file}: the year is guessed right, and the zone is UTC"
            );
        }
    }
}

//! One mail over all hosts, found by whatever a user has of it.

use crate::util::{KEEP, Place};
use mailpulse::model::time::UtcMs;
use mailpulse::store::columnar::reclassify;
use mailpulse::store::commit::put_in_place;
use mailpulse::store::segments::SegmentPart;
use serde_json::{Value, json};

/// A mail of app1 over the relay mx1001, that waits there for an hour; one that stays in the relay's queue; one that a second
/// relay took, whose log is not read; and one whose queue ID somebody has again.
const APP: &str = "\
2018-06-06 10:00:00 1fQXAB-000001-Aa <= shop@example.org U=shop P=local S=500 id=m1@app1.example.org
2018-06-06 10:00:01 1fQXAB-000001-Aa => Jane@Example.com R=smart_route T=remote_smtp H=mx1001.example.org [10.0.1.1] C=\"250 OK\"
2018-06-06 10:00:01 1fQXAB-000001-Aa Completed
2018-06-06 10:05:00 1fQXAG-000002-Bb <= shop@example.org U=shop P=local S=500 id=m2@app1.example.org
2018-06-06 10:05:01 1fQXAG-000002-Bb => joe@example.net R=smart_route T=remote_smtp H=mx1001.example.org [10.0.1.1] C=\"250 OK\"
2018-06-06 10:05:01 1fQXAG-000002-Bb Completed
";

const RELAY: &str = "\
2018-06-06 10:00:01 1fQXAC-000011-Cc <= shop@example.org H=app1.example.org [10.0.0.1] P=esmtp S=600 id=m1@app1.example.org
2018-06-06 10:00:03 1fQXAC-000011-Cc == Jane@Example.com R=dnslookup T=remote_smtp defer (-44) H=mx.example.com [203.0.113.1]: \
SMTP error from remote mail server after RCPT TO:<Jane@Example.com>: 451 4.7.1 Greylisted, try again later
2018-06-06 11:00:03 1fQXAC-000011-Cc => Jane@Example.com R=dnslookup T=remote_smtp H=mx.example.com [203.0.113.1] C=\"250 ok\"
2018-06-06 11:00:03 1fQXAC-000011-Cc Completed
2018-06-06 10:05:01 1fQXAH-000012-Dd <= shop@example.org H=app1.example.org [10.0.0.1] P=esmtp S=600 id=m2@app1.example.org
2018-06-06 10:05:03 1fQXAH-000012-Dd == joe@example.net R=dnslookup T=remote_smtp defer (111): Connection refused
";

fn place(privacy: &str) -> Place {
    let place = Place::with(&KEEP.replace("local_parts = \"keep\"", privacy));
    for (host, log) in [("app1", APP), ("mx1001", RELAY)] {
        let path = place.write(&format!("{host}.log"), log);
        place.backfill_as(host, &[&path]).ends(0);
    }
    place
}

fn traced(place: &Place, what: &str) -> Vec<Value> {
    let run = place.run(&["trace", what, "--format", "json"]).ends(0);
    serde_json::from_str(&run.out).expect("JSON")
}

fn story(mail: &Value) -> Vec<(&str, &str)> {
    let events = mail["events"].as_array().expect("events").iter();
    let word = |event: &'_ Value, key: &str| -> &'static str {
        Box::leak(event[key].as_str().expect("a text").to_owned().into_boxed_str())
    };
    events.map(|event| (word(event, "host"), word(event, "kind"))).collect()
}

#[test]
fn a_mail_is_followed_over_its_hops_by_either_queue_id_its_message_id_and_its_addresses() {
    for privacy in ["local_parts = \"keep\"", ""] {
        let place = place(privacy);
        let whole = [
            ("app1", "accepted"),
            ("app1", "delivered"),
            ("app1", "completed"),
            ("mx1001", "accepted"),
            ("mx1001", "deferred"),
            ("mx1001", "delivered"),
            ("mx1001", "completed"),
        ];
        let mut stories = Vec::new();
        for what in [
            "1fQXAB-000001-Aa",
            "1fQXAC-000011-Cc",
            "<m1@app1.example.org>",
            "Jane@Example.com",
        ] {
            let mails = traced(&place, what);
            let [mail] = &mails[..] else {
                panic!("{what}: {mails:#?}")
            };
            let mut kinds = story(mail);
            kinds.sort();
            let mut wanted = whole;
            wanted.sort();
            assert_eq!(kinds, wanted, "{what}");
            assert_eq!(
                (&mail["state"], &mail["next"]),
                (&json!("delivered"), &json!([])),
                "{what}"
            );
            assert_eq!(mail["recipients"], json!({"delivered": 1}), "{what}");
            stories.push(mail.clone());
        }
        assert!(stories.windows(2).all(|pair| pair[0] == pair[1]));
        // The sender has two.
        assert_eq!(traced(&place, "shop@example.org").len(), 2);
        let newest = place.run(&["trace", "shop@example.org", "--limit", "1"]).ends(0);
        let newest = newest.says(&["there are older ones"]);
        for words in [
            ": waiting (recipients: 1 deferred)",
            "next: mx1001 tries again (1fQXAH-000012-Dd)",
        ] {
            assert!(newest.out.contains(words), "{}", newest.out);
        }
    }
}

#[test]
fn what_waits_says_what_comes_next_and_what_is_unknown_what_was_searched() {
    let place = place("");
    let mails = traced(&place, "1fQXAG-000002-Bb");
    assert_eq!(mails[0]["state"], "waiting");
    let next = mails[0]["next"][0].as_str().unwrap();
    assert!(next.contains("at last for connection_refused"), "{next}");
    let run = place.run(&["trace", "1fQXAZ-000099-Zz"]).ends(2);
    run.says(&[
        "searched as queue ID",
        "from 2018-06-06T10:00:00Z to 2018-06-06T11:00:03Z",
    ]);
    let run = place.run(&["trace", "nobody@example.com"]).ends(2);
    run.says(&["Message-ID and address of a sender or recipient"]);
    place
        .run(&["trace", "what is this"])
        .ends(2)
        .says(&["is neither a queue ID"]);
    // A hostile text is a value, never SQL.
    place.run(&["trace", "x'--@example.org"]).ends(2).says(&["is unknown"]);
}

#[test]
fn where_no_local_parts_are_stored_an_address_is_known_to_be_unknowable() {
    let place = place("local_parts = \"drop\"");
    let run = place.run(&["trace", "Jane@Example.com"]).ends(2);
    run.says(&["local_parts = \"drop\" stores none"]);
    assert_eq!(traced(&place, "m1@app1.example.org").len(), 1);
}

/// The queue ID of a second.
fn queue_id(mut second: u64) -> String {
    let mut digits = Vec::new();
    for _ in 0..6 {
        digits.push(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[(second % 62) as usize]);
        second /= 62;
    }
    digits.reverse();
    format!("{}-000001-Aa", String::from_utf8(digits).unwrap())
}

#[test]
fn the_newest_mails_of_an_address_are_found_without_a_look_at_older_segments() {
    let mut log = String::new();
    for day in 1..=25 {
        // From 2018-06-01 on.
        let (date, id) = (
            format!("2018-06-{day:02}"),
            queue_id(1_527_811_200 + 86_400 * (day - 1) + 36_000),
        );
        log += &format!(
            "{date} 10:00:00 {id} <= shop@example.org U=shop P=local S=500 id=m{day}@app1.example.org\n\
             {date} 10:00:01 {id} => jane@example.com R=dnslookup T=remote_smtp H=mx.example.com [203.0.113.1] C=\"250 ok\"\n\
             {date} 10:00:01 {id} Completed\n"
        );
    }
    let place = Place::with(KEEP);
    let path = place.write("mainlog", log);
    place.backfill_as("mx1001", &[&path]).ends(0);
    let of = |limit: &str| place.run(&["trace", "shop@example.org", "--limit", limit, "--format", "json"]);
    let whole = of("25").ends(0);
    assert!(!whole.err.contains("there are older ones"), "{}", whole.err);
    assert_eq!(serde_json::from_str::<Vec<Value>>(&whole.out).unwrap().len(), 25);

    let mut segments = place.store().segments().all().unwrap();
    segments.sort_by_key(|segment| segment.first_ms);
    assert_eq!(segments.len(), 25);
    for segment in &segments[..15] {
        std::fs::write(place.store().segments().events_path(segment.id), "none of ours").unwrap();
    }
    let newest = of("2").ends(0).says(&["there are older ones"]);
    let newest: Vec<Value> = serde_json::from_str(&newest.out).unwrap();
    let begins: Vec<&Value> = newest.iter().map(|mail| &mail["events"][0]["ts"]).collect();
    assert_eq!(begins, ["2018-06-24T10:00:00Z", "2018-06-25T10:00:00Z"]);
    of("25").ends(3);
}

#[test]
fn the_remote_sides_words_are_shown_where_they_are_kept() {
    let words = |place: &Place, what: &str| -> Vec<String> {
        let mails = traced(place, what);
        let events = mails.iter().flat_map(|mail| mail["events"].as_array().unwrap());
        events
            .filter_map(|event| Some(event["reply"].as_str()?.to_owned()))
            .collect()
    };
    // By default a store has no word of it.
    let class = place("");
    assert_eq!(words(&class, "1fQXAC-000011-Cc"), Vec::<String>::new());
    assert_eq!(
        class.sql("SELECT reply FROM events WHERE reply <> ''"),
        Vec::<Value>::new()
    );
    for (privacy, address) in [
        ("replies = \"keep\"", "~"),
        ("local_parts = \"keep\"\nreplies = \"keep\"", "Jane"),
    ] {
        let place = place(privacy);
        let said = words(&place, "1fQXAC-000011-Cc");
        let begin = format!("SMTP error from remote mail server after RCPT TO:<{address}");
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with(&begin), "{said:?}");
        assert!(
            said[0].ends_with("@Example.com>: 451 4.7.1 Greylisted, try again later"),
            "{said:?}"
        );
        let shown = place.run(&["trace", "1fQXAC-000011-Cc"]).ends(0).out;
        assert!(
            shown.contains("451 4.7.1 greylisted: SMTP error from remote mail server after RCPT"),
            "{shown}"
        );
    }
    // A stranger's words: bounded, without anybody's address, and what steers a terminal is escaped.
    let place = place("replies = \"keep\"");
    let long = "\u{e9}".repeat(400);
    let log = place.write(
        "mx1001.log.1",
        format!(
            "2018-06-05 10:00:01 1fQAmr-000011-Cc <= shop@example.org H=app1.example.org [10.0.0.1] P=esmtp S=600\n\
             2018-06-05 10:00:03 1fQAmr-000011-Cc ** Jane@Example.com R=dnslookup T=remote_smtp H=mx.example.com [203.0.113.1]: SMTP \
             error from remote mail server after end of data: 550 5.7.1 \u{1b}[2J\u{202e}Jane@Example.com is no friend {long}\n"
        ),
    );
    place.backfill_as("mx1001", &[&log]).ends(0);
    let said = words(&place, "1fQAmr-000011-Cc").remove(0);
    assert!(
        said.contains("550 5.7.1 ") && said.contains("@Example.com is no friend \u{e9}"),
        "{said}"
    );
    assert!(
        said.len() <= 512 && !said.contains("Jane") && said.ends_with('\u{e9}'),
        "{said}"
    );
    let shown = place.run(&["trace", "1fQAmr-000011-Cc"]).ends(0).out;
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown}");
}

#[test]
fn reasons_are_made_anew_where_the_words_are_kept() {
    let place = place("replies = \"keep\"");
    let reasons = |place: &Place| {
        place.sql("SELECT kind, reason, COUNT(*) AS n FROM events WHERE kind = 'deferred' GROUP BY kind, reason ORDER BY reason")
    };
    let right = reasons(&place);
    assert_eq!(
        right,
        [
            json!({ "kind": "deferred", "reason": "connection_refused", "n": 1 }),
            json!({ "kind": "deferred", "reason": "greylisted", "n": 1 }),
        ]
    );
    // As a table of earlier times had it.
    let store = place.store();
    for segment in store.segments().between(UtcMs::MIN, UtcMs::MAX).unwrap() {
        let judged = store.segments().read_part(&segment, SegmentPart::Events, |path| {
            reclassify(path, UtcMs::MIN..UtcMs::MAX, &|_| Some("content"))
        });
        if let Some(encoded) = judged.unwrap().and_then(|judged| judged.segment) {
            put_in_place(&store, &segment, &encoded, |_| Ok(())).unwrap();
        }
    }
    drop(store);
    assert_eq!(
        reasons(&place),
        [json!({ "kind": "deferred", "reason": "content", "n": 2 })]
    );
    let asked = ["store", "reclassify", "--format", "json"];
    let would = place
        .run(&[&asked[..], &["--dry-run"]].concat())
        .ends(0)
        .says(&["2 rows of 2 whose words are kept would get"]);
    let moved: Value = serde_json::from_str(&would.out).unwrap();
    assert_eq!(
        moved,
        json!([
            { "from": "content", "to": "connection_refused", "rows": 1 },
            { "from": "content", "to": "greylisted", "rows": 1 },
        ])
    );
    assert_eq!(reasons(&place).len(), 1);
    // Rows outside of the window stay.
    let before = ["--until", "2018-06-06T10:04Z"];
    place
        .run(&[&asked[..], &before].concat())
        .ends(0)
        .says(&["1 row of 1 whose words are kept got"]);
    place.run(&asked).ends(0).says(&["1 row of 2 whose words are kept got"]);
    assert_eq!(reasons(&place), right);
    place.run(&asked).ends(0).says(&["0 rows of 2"]);
    assert_eq!(place.verify(), 2);
}

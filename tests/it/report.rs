//! The report of a day: one file that needs nothing else, the same whenever it is made, and right.

use crate::serve::night;
use crate::util::{KEEP, Place};
use serde_json::Value;
use std::fs;

const DAY: [&str; 4] = ["--since", "2018-06-06", "--until", "2018-06-07"];
/// Half a megabyte is too much for a mail.
const BYTES_MAX: usize = 300_000;

fn json(place: &Place, window: &[&str], code: i32) -> Value {
    let run = place
        .run(&[&["report", "--format", "json"], window].concat())
        .ends(code);
    serde_json::from_str(&run.out).expect("JSON")
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn the_night_of_the_outage_is_told_as_the_incident_tells_it() {
    let place = night();
    let report = json(place, &DAY, 1);
    assert_eq!(report["from"], "2018-06-06T00:00:00Z");
    assert_eq!(report["known_at"], "2018-06-07T04:00:00Z");
    let alarms = report["alarms"].as_array().unwrap();
    let relay = alarms
        .iter()
        .find(|alarm| alarm["series"]["relay"] == "mx1001")
        .expect("the relay's alarm");
    let (onset, ended) = (relay["onset"].as_str().unwrap(), relay["ended"].as_str().unwrap());
    assert!(ended.starts_with("2018-06-07T02:0"), "the recovery is known: {ended}");
    let args = ["incident", "--since", onset, "--until", ended, "--format", "json"];
    let incident: Value = serde_json::from_str(&place.run(&args).ends(1).out).unwrap();
    let missing = |services: &Value| -> Vec<(String, u64)> {
        let hurt = ["lost", "delayed", "waiting", "bounced"];
        let services = services.as_array().unwrap().iter();
        let hurt = services.filter(|one| hurt.contains(&one["impact"].as_str().unwrap()));
        hurt.map(|one| {
            (
                one["service"].as_str().unwrap().to_owned(),
                one["missing"].as_u64().unwrap(),
            )
        })
        .collect()
    };
    let told = missing(&relay["hurt"]);
    assert!(told.len() >= 6, "{told:?}");
    assert_eq!(told, missing(&incident["services"]));
    // Sums are those of the store.
    let sum = place.sql(
        "SELECT SUM(messages) AS n FROM rates WHERE kind = 'accepted' AND service = 'gerrit' \
         AND (direction = 'outbound' OR direction = '' AND (origin = 'ours' OR origin = '')) \
         AND ts_ms >= 1528243200000 AND ts_ms < 1528329600000",
    );
    let services = report["services"].as_array().unwrap();
    let gerrit = services.iter().find(|one| one["service"] == "gerrit").unwrap();
    assert_eq!(gerrit["messages"], sum[0]["n"]);
    let whole: u64 = services.iter().map(|one| one["messages"].as_u64().unwrap()).sum();
    assert_eq!(report["messages"], whole);
    // The store has eight days of history: one week before, and not four.
    assert_eq!(gerrit["weeks_before"].as_array().unwrap().len(), 1);
    assert!(
        report["sentence"].as_str().unwrap().contains("on the last Wednesday"),
        "{}",
        report["sentence"]
    );
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_page_needs_nothing_else_and_is_small_and_the_same_each_time() {
    let place = Place::copy_of(night());
    for (window, name) in [(&DAY[..], "day.html"), (&["--days", "7"], "week.html")] {
        let args = |name: &'static str| [&["report", "--out", name], window].concat();
        place.run(&args(name)).ends(1);
        let page = fs::read_to_string(place.path(name)).unwrap();
        assert!(page.len() < BYTES_MAX, "{name}: {} bytes", page.len());
        for word in ["<script", "src=", "href=", "url(http", "@import"] {
            assert!(!page.contains(word), "{name} has {word}");
        }
        let elsewhere = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        assert!(
            !elsewhere.contains("http:") && !elsewhere.contains("https:"),
            "{name} names an address"
        );
        for word in [
            "Mail of 2018-06-06",
            "relay mx1001",
            "gerrit",
            "</svg>",
            "Times without logs",
            "All times are UTC",
        ] {
            assert!(
                page.contains(word) || word.starts_with("Mail of") && name == "week.html",
                "{name}: {word}"
            );
        }
        if name == "week.html" {
            continue;
        }
        place.run(&args("again.html")).ends(1);
        assert_eq!(fs::read_to_string(place.path("again.html")).unwrap(), page, "{name}");
    }
    let markdown = place.run(&[&["report"], &DAY[..]].concat()).ends(1).out;
    assert!(markdown.starts_with("# Mail of 2018-06-06\n"), "{markdown}");
    assert!(
        markdown.contains("\n| relay mx1001 | dropped | 2018-06-06T18:55:00Z |"),
        "{markdown}"
    );
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn what_comes_days_later_changes_nothing_of_a_closed_day() {
    let config = format!("{KEEP}[[source]]\nkind = \"exim\"\npaths = [\"mainlog\"]\nhost = \"mx1\"\n");
    let place = Place::with(&config);
    let mail = |day: u32, minute: u32| {
        format!(
            "2018-06-{day:02} 12:{minute:02}:00 1fQd{day:02}-0001{minute:02}-Cd <= shop@example.org H=web1.example.org \
             [192.0.2.7] P=esmtp S=900\n"
        )
    };
    let day = ["--since", "2018-06-06", "--until", "2018-06-07"];
    let mut log: String = (0..30).map(|minute| mail(6, minute)).collect();
    log += &mail(8, 0);
    place.write("mainlog", &log);
    place.run(&["backfill"]).ends(0);
    let page = |form: &str| {
        place
            .run(&[&["report", "--format", form], &day[..]].concat())
            .ends(0)
            .out
    };
    let before = ["html", "markdown", "json"].map(page);
    assert!(before[1].contains("30 messages of 1 service"), "{}", before[1]);
    place.write("mainlog", log + &mail(9, 0) + &mail(9, 30));
    place.run(&["backfill"]).ends(0);
    assert_eq!(["html", "markdown", "json"].map(page), before);
    // A day without mail, and a store without any.
    let empty = ["report", "--since", "2018-05-01", "--until", "2018-05-02"];
    let said = place.run(&empty).ends(0).out;
    assert!(said.contains("0 messages of 0 services. No alarm."), "{said}");
}

#[test]
fn names_of_strangers_are_text_in_every_form() {
    let config = format!("{KEEP}[[source]]\nkind = \"exim\"\npaths = [\"mainlog\"]\nhost = \"mx1\"\n");
    let place = Place::with(&config);
    let sender = "<img/src=x>|`a`&lt;b@shop.example.org";
    let log: String = (0..40)
        .map(|minute| {
            format!(
                "2018-06-06 12:{minute:02}:00 1fQd01-0001{minute:02}-Cd <= {sender} H=web1.example.org [192.0.2.7] P=esmtp S=900\n"
            )
        })
        .collect();
    place.write("mainlog", log);
    place.run(&["backfill"]).ends(0);
    place
        .run(&[
            "mark",
            "<script>alert(1)</script> | deployed",
            "--at",
            "2018-06-06T12:00Z",
        ])
        .ends(0);
    let page = place
        .run(&[
            "report",
            "--since",
            "2018-06-06",
            "--until",
            "2018-06-07",
            "--format",
            "html",
        ])
        .ends(0)
        .out;
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt; | deployed"),
        "{page}"
    );
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    let page = place
        .run(&["report", "--since", "2018-06-06", "--until", "2018-06-07"])
        .ends(0)
        .out;
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt; \\| deployed"),
        "{page}"
    );
}

#[test]
fn what_cannot_be_written_or_is_too_long_says_so() {
    let place = night();
    place
        .run(&["report", "--out", "report.pdf"])
        .ends(2)
        .says(&["report.pdf", "write .html, .md, or .json"]);
    place
        .run(&["report", "--since", "2017-01-01", "--until", "2018-06-07"])
        .ends(2)
        .says(&["a report is of 100 days at most"]);
    place.run(&["report", "--days", "3", "--since", "-24h"]).ends(2);
}

//! The incident page where no relay is the cause: an application that cannot hand its mail in, while everything else
//! goes on.

use crate::logs::{passed_on, stamp};
use crate::util::{KEEP, Place};
use serde_json::Value;
use std::fmt::Write as _;

/// 2018-06-04 00:00 UTC, a Monday; the trouble is two hours on Thursday.
const BEGIN: i64 = 1_528_070_400;
const FROM: i64 = BEGIN + (3 * 24 + 10) * 3600;
const TO: i64 = FROM + 2 * 3600;
const END: i64 = BEGIN + (3 * 24 + 18) * 3600;

/// A shop that sends every two minutes, and other mail every minute, through one relay each.
fn place() -> Place {
    let config = format!(
        r#"{KEEP}
[[service]]
name = "shop"
match = [{{ sender = "shop@example.org" }}]
[[service]]
name = "lists"
match = [{{ sender = "lists@example.org" }}]
[[source]]
kind = "exim"
paths = ["mx1001/mainlog"]
host = "mx1001"
[[source]]
kind = "pattern"
paths = ["app.log"]
host = "app1"
service = "shop"
[[source.template]]
outcome = "failed"
text = "{{time:%Y-%m-%d %H:%M:%S}} mail to {{recipient}} failed: {{reason}}"
[[source.template]]
outcome = "submitted"
text = "{{time:%Y-%m-%d %H:%M:%S}} mail to {{recipient}}"
"#
    );
    let place = Place::with(&config);
    let (mut relay, mut app) = (String::new(), String::new());
    let mut id = 0;
    let mut taken = |relay: &mut String, at: i64, sender: &str| {
        id += 1;
        let id = format!("1fQX01-{id:06}-A1");
        relay.push_str(&passed_on(at, &id, sender));
    };
    for at in (BEGIN..END).step_by(60) {
        taken(&mut relay, at + 7, "lists");
        if at % 120 != 0 {
            continue;
        }
        if (FROM..TO).contains(&at) {
            let _ = writeln!(
                app,
                "{} mail to u{at}@example.com failed: no credentials",
                stamp(at + 20)
            );
        } else {
            let _ = writeln!(app, "{} mail to u{at}@example.com", stamp(at + 20));
            taken(&mut relay, at + 20, "shop");
        }
    }
    place.write("mx1001/mainlog", relay);
    place.write("app.log", app);
    place.run(&["backfill"]).ends(0);
    place
}

fn seconds(value: &Value) -> i64 {
    value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second()
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn an_alarm_without_a_relay_has_a_page_with_beginning_recovery_and_loss() {
    let place = place();
    let found: Vec<Value> = serde_json::from_str(&place.run(&["detect", "--format", "json"]).ends(1).out).unwrap();
    let [alarm] = &found[..] else {
        panic!("one alarm: {found:#?}")
    };
    assert_eq!(alarm["series"]["service"], "shop", "{alarm:#}");
    assert_eq!(alarm["state"], "refused");
    let id = alarm["id"].to_string();
    let page = |form: &str| place.run(&["incident", "--alarm", &id, "--format", form]).ends(1).out;

    let report: Value = serde_json::from_str(&page("json")).unwrap();
    assert!(report["cause"].is_null(), "{report:#}");
    assert_eq!(report["from"], alarm["onset"], "the alarm's own time is the window");
    let services = report["services"].as_array().unwrap();
    let shop = services.iter().find(|one| one["service"] == "shop").unwrap();
    assert_eq!(
        (&shop["impact"], &shop["submit_failed"]),
        (&"lost".into(), &60.into()),
        "{shop:#}"
    );
    assert_eq!(
        services.iter().find(|one| one["service"] == "lists").unwrap()["impact"],
        "none"
    );
    let timeline = report["timeline"].as_array().unwrap();
    let at = |what: &str| {
        let event = timeline
            .iter()
            .find(|event| event["what"].as_str().unwrap().starts_with(what));
        seconds(&event.unwrap_or_else(|| panic!("{what}: {timeline:#?}"))["at"])
    };
    let (first, alarmed, back) = (
        at("first missing mail: service shop"),
        at("first alarm"),
        at("recovery: service shop"),
    );
    assert!((first - FROM).abs() <= 120, "{timeline:#?}");
    assert!(alarmed > first && alarmed - FROM <= 900, "{timeline:#?}");
    // A burst is over when failures are as rare as usual again.
    assert!((TO - 120..=TO + 3600).contains(&back), "{timeline:#?}");
    assert!(at("first effect that people could see") >= first);

    let markdown = page("markdown");
    for part in [
        "# 2018-06-07: service shop refused",
        "No relay explains what is missing.",
        "1 service lost mail: shop.",
        "after the first missing mail.",
        "first missing mail: service shop refused",
        "recovery: service shop sends again",
    ] {
        assert!(markdown.contains(part), "{part}:\n{markdown}");
    }
    let html = page("html");
    assert!(
        html.contains("recovery: service shop sends again") && html.contains("expected range"),
        "{html}"
    );

    // The same by its window.
    let window = [
        "incident",
        "--since",
        "2018-06-07T10:00Z",
        "--until",
        "2018-06-07T12:00Z",
        "--format",
        "json",
    ];
    let report: Value = serde_json::from_str(&place.run(&window).ends(1).out).unwrap();
    assert_eq!(report["services"][0]["submit_failed"], 60, "{report:#}");
    place
        .run(&["incident", "--alarm", "77"])
        .ends(2)
        .says(&["--alarm 77: there is no such alarm"]);
}

/// Two mails that bounce in the hour, one that does before it, one that is discarded, and one that arrives.
const BOUNCES: &str = "\
2018-06-06 09:10:00 1fQWTc-000001-Aa <= shop@example.org U=shop P=local S=500 id=m1@app1.example.org
2018-06-06 09:10:01 1fQWTc-000001-Aa ** old@example.com R=dnslookup T=remote_smtp H=mx.example.com [203.0.113.1]: SMTP error from remote mail \
server after RCPT TO:<old@example.com>: 550 5.1.1 No such user
2018-06-06 09:10:01 1fQWTc-000001-Aa Completed
2018-06-06 10:10:00 1fQXPg-000002-Bb <= shop@example.org U=shop P=local S=500 id=m2@app1.example.org
2018-06-06 10:10:01 1fQXPg-000002-Bb ** jane@example.com R=dnslookup T=remote_smtp H=mx.example.com [203.0.113.1]: SMTP error from remote mail \
server after RCPT TO:<jane@example.com>: 550 5.1.1 No such user
2018-06-06 10:10:01 1fQXPg-000002-Bb Completed
2018-06-06 10:20:00 1fQXZM-000003-Cc <= shop@example.org U=shop P=local S=500 id=m3@app1.example.org
2018-06-06 10:20:01 1fQXZM-000003-Cc => joe@example.net R=dnslookup T=remote_smtp H=mx.example.net [203.0.113.2] C=\"250 ok\"
2018-06-06 10:20:01 1fQXZM-000003-Cc Completed
2018-06-06 10:30:00 1fQXj2-000004-Dd <= shop@example.org U=shop P=local S=500 id=m4@app1.example.org
2018-06-06 10:30:01 1fQXj2-000004-Dd ** \"=cmd()\"@example.com R=dnslookup T=remote_smtp H=mx.example.com [203.0.113.1]: SMTP error from remote \
mail server after RCPT TO:<x@example.com>: 552 5.2.2 Mailbox full
2018-06-06 10:30:01 1fQXj2-000004-Dd Completed
2018-06-06 14:00:00 1fQayE-000005-Ee <= shop@example.org U=shop P=local S=500 id=m5@app1.example.org
";

#[test]
fn messages_to_send_again_are_those_that_were_given_up_in_the_incident() {
    let place = Place::with(KEEP);
    let path = place.write("mx1.log", BOUNCES);
    place.backfill_as("mx1", &[&path]).ends(0);
    let window = ["--since", "2018-06-06T10:00Z", "--until", "2018-06-06T11:00Z"];
    let listed = |more: &[&str]| place.run(&[&["incident"], &window[..], more].concat());

    let all: Vec<Value> = serde_json::from_str(&listed(&["--messages=json"]).ends(0).out).unwrap();
    let ids: Vec<&str> = all.iter().map(|one| one["queue_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["1fQXPg-000002-Bb", "1fQXj2-000004-Dd"], "{all:#?}");
    assert_eq!(
        (
            &all[0]["kind"],
            &all[0]["recipient"],
            &all[0]["reason"],
            &all[0]["smtp_code"]
        ),
        (
            &"bounced".into(),
            &"jane@example.com".into(),
            &"no_such_user".into(),
            &550.into()
        )
    );

    let first = listed(&["--messages", "--limit", "1"]).ends(0);
    assert!(
        first.out.contains("1fQXPg-000002-Bb") && !first.out.contains("1fQXj2-000004-Dd"),
        "{}",
        first.out
    );
    assert!(
        first.err.contains("only the first 1 rows were looked at"),
        "{}",
        first.err
    );
    let csv = listed(&["--messages=csv"]).ends(0).out;
    assert!(
        csv.starts_with("ts,host,queue_id,service,kind,sender,recipient,smtp_code,reason\n"),
        "{csv}"
    );
    assert_eq!(csv.lines().count(), 3, "{csv}");
    let page = listed(&["--messages=markdown"]).ends(0).out;
    assert!(
        page.contains("| mx1 | 1fQXPg-000002-Bb | ")
            && page.contains(" | bounced | shop@example.org | jane@example.com | 550 no_such_user |"),
        "{page}"
    );
    listed(&["--messages=csv", "--format", "json"]).ends(2);
}

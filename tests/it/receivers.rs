//! Receivers of webhooks, each held to what its maker documents; what is wrong is refused as they do it, and seen.

use crate::logs::{passed_on_at, stamp};
use crate::util::{KEEP, Place, now_ms, stop};
use crate::watch::{ONCE, Running, begun, configure, recover, until};
use crate::webhook::{answering, hook, posted};
use serde_json::{Value, json};
use std::fs;
use std::process::Stdio;

const BASE: &str = "https://mail.example.org/mailpulse";
const RUNBOOK: &str = "https://wiki.example.org/mail?a=1&b=2";
const ROUTING_KEY: &str = "0123456789abcdef0123456789abcdef";

fn body(post: &Value) -> Value {
    serde_json::from_str(post["body"].as_str().unwrap()).unwrap_or(Value::Null)
}

fn length(value: &Value) -> usize {
    value.as_str().map_or(usize::MAX, |text| text.chars().count())
}

/// What a receiver holds a request to.
type Rules = fn(&Value) -> (u16, String);

/// What is wrong, or nothing: the answer's body as well.
fn answer(wrong: &[(&str, bool)], good: u16) -> (u16, String) {
    let wrong: Vec<&str> = wrong
        .iter()
        .filter(|(_, is_so)| *is_so)
        .map(|(what, _)| *what)
        .collect();
    match wrong.is_empty() {
        true => (good, json!({ "status": "success" }).to_string()),
        false => (
            400,
            json!({ "status": "invalid", "message": "invalid event", "errors": wrong }).to_string(),
        ),
    }
}

/// <https://docs.slack.dev/reference/block-kit/blocks>, and what stands between `<` and `>`.
fn slack(post: &Value) -> (u16, String) {
    let body = body(post);
    let blocks = body["blocks"].as_array().cloned().unwrap_or_default();
    let is_good = |block: &Value| match block["type"].as_str() {
        Some("header") => block["text"]["type"] == "plain_text" && length(&block["text"]["text"]) <= 150,
        Some("section") => block["text"]["type"] == "mrkdwn" && length(&block["text"]["text"]) <= 3_000,
        _ => false,
    };
    let markup = |text: &str| {
        let tags = text.split('<').skip(1);
        tags.clone()
            .all(|tag| tag.starts_with("https://") && tag.contains('|') && tag.contains('>'))
    };
    answer(
        &[
            ("no_text", length(&body["text"]) > 40_000 || length(&body["text"]) == 0),
            (
                "invalid_blocks",
                blocks.is_empty() || blocks.len() > 50 || !blocks.iter().all(is_good),
            ),
            ("markup", !markup(body["text"].as_str().unwrap_or("<"))),
            ("content type", post["headers"]["content-type"] != "application/json"),
        ],
        200,
    )
}

/// <https://adaptivecards.io/explorer>, 28 KB at most.
fn teams(post: &Value) -> (u16, String) {
    let body = body(post);
    let attachment = &body["attachments"][0];
    let card = &attachment["content"];
    let all =
        |key: &str, is_good: &dyn Fn(&Value) -> bool| card[key].as_array().is_some_and(|all| all.iter().all(is_good));
    let is_run = |run: &Value| run["type"] == "TextRun" && run["text"].is_string();
    let is_text = |block: &Value| {
        block["type"] == "RichTextBlock" && block["inlines"].as_array().is_some_and(|runs| runs.iter().all(is_run))
    };
    let is_link = |action: &Value| {
        action["type"] == "Action.OpenUrl" && action["url"].as_str().is_some_and(|url| url.starts_with("https://"))
    };
    answer(
        &[
            ("message", body["type"] != "message"),
            (
                "content type",
                attachment["contentType"] != "application/vnd.microsoft.card.adaptive",
            ),
            ("card", card["type"] != "AdaptiveCard" || card["version"] != "1.4"),
            ("body", !all("body", &is_text)),
            ("actions", !all("actions", &is_link)),
            ("size", post["body"].as_str().unwrap().len() > 28_000),
        ],
        202,
    )
}

/// <https://developer.pagerduty.com/docs/send-alert-event>
fn pagerduty(post: &Value) -> (u16, String) {
    let body = body(post);
    let payload = &body["payload"];
    let word = |value: &Value, words: &[&str]| value.as_str().is_some_and(|word| words.contains(&word));
    let is_link = |link: &Value| link["href"].as_str().is_some_and(|url| url.starts_with("https://"));
    let time = payload["timestamp"].as_str().unwrap_or_default();
    answer(
        &[
            ("'routing_key'", body["routing_key"] != ROUTING_KEY),
            (
                "'event_action'",
                !word(&body["event_action"], &["trigger", "acknowledge", "resolve"]),
            ),
            ("'dedup_key'", length(&body["dedup_key"]) > 255),
            ("'payload.summary'", length(&payload["summary"]) > 1_024),
            ("'payload.source'", !payload["source"].is_string()),
            (
                "'payload.severity'",
                !word(&payload["severity"], &["critical", "error", "warning", "info"]),
            ),
            ("'payload.timestamp'", time.parse::<jiff::Timestamp>().is_err()),
            (
                "'links'",
                !body["links"].as_array().is_some_and(|links| links.iter().all(is_link)),
            ),
        ],
        202,
    )
}

/// <https://docs.ntfy.sh/publish>
fn ntfy(post: &Value) -> (u16, String) {
    let headers = post["headers"].as_object().unwrap();
    let text = |name: &str| headers.get(name).and_then(Value::as_str).unwrap_or_default();
    let is_plain = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| text.bytes().all(|b| (0x20..0x7f).contains(&b)))
    };
    answer(
        &[
            ("headers", !headers.values().all(is_plain)),
            ("title", text("title").is_empty()),
            (
                "priority",
                !text("priority")
                    .parse::<u8>()
                    .is_ok_and(|number| (1..=5).contains(&number)),
            ),
            (
                "click",
                !text("click").is_empty() && !text("click").starts_with("https://"),
            ),
            ("authorization", text("authorization") != "Bearer tk_0123456789abc"),
            ("message", post["body"].as_str().unwrap().len() > 4_096),
            ("topic", post["path"] != "/mail-alarms"),
        ],
        200,
    )
}

#[test]
fn each_receiver_takes_the_alarm_and_its_end_with_what_to_do() {
    let place = begun("");
    let receivers: [(&str, Rules); 4] = [
        ("slack", slack),
        ("teams", teams),
        ("pagerduty", pagerduty),
        ("ntfy", ntfy),
    ];
    let mut alerts = format!("[serve]\nurl_base = \"{BASE}/\"\nauth = \"proxy\"\n");
    let mut hooks = Vec::new();
    place.write("pagerduty.key", format!("{ROUTING_KEY}\n"));
    place.write("ntfy.key", "tk_0123456789abc\n");
    for (format, rules) in receivers {
        let (hook, port) = answering(&place.path(format), rules);
        hooks.push(hook);
        alerts += &format!(
            "[[alert]]\nkind = \"webhook\"\nformat = \"{format}\"\nurl = \"http://127.0.0.1:{port}/mail-alarms\"\n\
             runbook_url = \"{RUNBOOK}\"\n"
        );
        if ["pagerduty", "ntfy"].contains(&format) {
            alerts += &format!("key_file = \"{format}.key\"\n");
        }
    }
    configure(&place, &alerts);
    let first = place.run(&ONCE).ends(1);
    assert!(!first.err.contains("not delivered"), "{}", first.err);
    recover(&place);
    let last = place.run(&ONCE).ends(0);
    assert!(!last.err.contains("not delivered"), "{}", last.err);
    for (format, _) in receivers {
        let posts = posted(&place.path(format));
        assert_eq!(posts.len(), 2, "{format}: {posts:#?}");
        let all = |post: &Value| format!("{} {}", post["body"].as_str().unwrap(), post["headers"]);
        let (begin, end) = (all(&posts[0]), all(&posts[1]));
        for text in [
            "relay mx1001",
            "dropped",
            "https://mail.example.org/mailpulse/incident?alarm=relay/mx1001/2018-06-06T",
            "wiki.example.org/mail?a=1",
            "incident --alarm relay/mx1001/",
            "as usual",
            "gerrit",
        ] {
            assert!(begin.contains(text), "{format}: {text}\n{begin}");
        }
        let words = match format {
            "pagerduty" => ["\"trigger\"", "\"resolve\""],
            _ => ["FIRING", "RESOLVED"],
        };
        assert!(begin.contains(words[0]) && end.contains(words[1]), "{format}: {end}");
    }
    let keys: Vec<Value> = posted(&place.path("pagerduty"))
        .iter()
        .map(|post| body(post)["dedup_key"].clone())
        .collect();
    assert_eq!(keys[0], keys[1]);
    // The receivers do refuse.
    assert_eq!(pagerduty(&json!({ "body": "{}", "headers": {} })).0, 400);
    assert_eq!(
        slack(&json!({ "body": "{\"text\":\"<!channel>\"}", "headers": {} })).0,
        400
    );
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_refusals_words_are_told_and_no_secret_with_them() {
    let place = begun("");
    let (_hook, port) = answering(&place.path("posted"), |post| {
        let key = body(post)["routing_key"].clone();
        let said = json!({
            "message": "Event object is invalid",
            "errors": [format!("bad key {key} at {}", post["path"].as_str().unwrap()), "\u{1b}[2Jx"],
        });
        (400, said.to_string())
    });
    place.write("pagerduty.key", ROUTING_KEY);
    configure(
        &place,
        &format!(
            "[[alert]]\nkind = \"webhook\"\nformat = \"pagerduty\"\nkey_file = \"pagerduty.key\"\n\
             url = \"http://127.0.0.1:{port}/hook/T0ken-0123456789\"\n\
             [[heartbeat]]\nurl = \"http://127.0.0.1:{port}/beat/s3cr3t-0123456789\"\n"
        ),
    );
    let watch = place
        .run(&ONCE)
        .ends(1)
        .says(&["answered 400", "Event object is invalid: bad key"]);
    let test = place.run(&["alert", "test"]).ends(2);
    let status = place.run(&["status"]).ends(0);
    let check = place.run(&["check"]);
    for run in [&watch, &test, &status, &check] {
        for secret in [ROUTING_KEY, "T0ken-0123456789", "s3cr3t-0123456789", "\u{1b}"] {
            assert!(
                !run.out.contains(secret) && !run.err.contains(secret),
                "{}{}",
                run.out,
                run.err
            );
        }
    }
    let kept = fs::read_to_string(place.path("store/alerts.json")).unwrap();
    assert!(!kept.contains(ROUTING_KEY) && !kept.contains("T0ken"), "{kept}");
}

#[test]
fn a_test_goes_through_every_channel_and_says_what_became_of_it() {
    let place = begun("");
    let out = place.path("posted");
    let (_hook, port) = hook(&out);
    let channels = |second: &str| {
        format!(
            "[[alert]]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/\"\n\
             [[alert]]\nkind = \"exec\"\ncommand = [\"{second}\"]\n"
        )
    };
    place
        .run(&["alert", "test"])
        .ends(2)
        .says(&["no [[alert]] is configured"]);
    configure(&place, &channels("/bin/true"));
    let told: Value = serde_json::from_str(&place.run(&["alert", "test", "--format", "json"]).ends(0).out).unwrap();
    let results: Vec<&Value> = told.as_array().unwrap().iter().map(|one| &one["result"]).collect();
    assert_eq!(results, ["delivered", "delivered"]);
    place.run(&["alert", "test", "--end"]).ends(0);
    let posts: Vec<Value> = posted(&out).iter().map(body).collect();
    assert_eq!(
        (&posts[0]["status"], &posts[1]["status"]),
        (&"firing".into(), &"resolved".into())
    );
    assert_eq!(posts[0]["id"], posts[1]["id"]);
    assert!(posts[0].get("link").is_none(), "no link is invented");
    configure(&place, &channels("/bin/false"));
    let run = place.run(&["alert", "test"]).ends(2);
    assert!(
        run.out.contains("delivered") && run.out.contains("failed") && run.out.contains("exit status: 1"),
        "{}",
        run.out
    );
}

#[test]
fn what_is_wrong_with_a_channel_is_told_with_its_line() {
    let place = begun(
        "[[alert]]\nkind = \"webhook\"\nformat = \"pagerduty\"\n\
         [[alert]]\nkind = \"webhook\"\nformat = \"slack\"\nurl = \"http://h/\"\nkey_file = \"x\"\n\
         [[alert]]\nkind = \"stdout\"\nformat = \"slack\"\n\
         [[alert]]\nkind = \"webhook\"\nformat = \"discord\"\nurl = \"http://h/\"\n\
         [[heartbeat]]\nevery_s = 1\n",
    );
    place.run(&["check"]).ends(2).says(&[
        "has no `key_file`",
        "`key_file` is of no use with `format = \"slack\"`",
        "`format` is for webhooks",
        "discord",
        "[[heartbeat]] has no `url`",
    ]);
}

/// A switch is not fed by a watch over a history that has ended: it lives, and judges nothing.
#[test]
fn a_heartbeat_comes_from_a_watch_that_judges_and_not_from_one_that_merely_lives() {
    let folder = tempfile::tempdir().unwrap();
    let (idle, live) = (folder.path().join("idle"), folder.path().join("live"));
    let ((_idle_hook, idle_port), (_live_hook, live_port)) = (hook(&idle), hook(&live));
    let watch = |place: &Place| {
        let mut command = place.command();
        command.args(["watch", "--interval", "1s", "--stale", "0"]);
        Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    };
    let over = begun(&format!(
        "[[heartbeat]]\nurl = \"http://127.0.0.1:{idle_port}/\"\nevery_s = 10\n"
    ));
    let _idle = watch(&over);

    let config = KEEP.replace("segment_rows_max = 1000\n", "")
        + "[[source]]\nkind = \"exim\"\npaths = [\"mainlog\"]\nhost = \"mx1\"\n"
        + &format!("[[heartbeat]]\nurl = \"http://127.0.0.1:{live_port}/beat\"\nevery_s = 10\n");
    let place = Place::with(&config);
    let now = now_ms() / 1_000;
    let log: String = (now - 7_200..now).step_by(20).map(|at| passed_on_at(at, "s")).collect();
    place.write("mainlog", format!("{log}{} Start queue run: pid=1\n", stamp(now)));
    let tail = place
        .command()
        .arg("tail")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut tail = Running(tail.unwrap());
    until("it has read", || {
        place.run(&["status", "--format", "json"]).out.contains("\"events\"")
    });
    let _live = watch(&place);
    until("a heartbeat", || !posted(&live).is_empty());
    assert_eq!(posted(&live)[0]["path"], "/beat");
    assert!(posted(&idle).is_empty());
    stop(&mut tail.0);
}

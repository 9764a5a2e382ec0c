//! The JSON API and the metrics.

use super::{Served, night};
use crate::logs::passed_on;
use crate::util::{Place, now_ms};
use serde_json::Value;
use std::collections::BTreeSet;

#[track_caller]
fn json(served: &Served, path: &str) -> Value {
    let reply = served.settled(path);
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, "application/json"),
        "{path}: {}",
        reply.body
    );
    serde_json::from_str(&reply.body).expect("JSON")
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn the_description_holds_for_every_question() {
    let served = Served::start(night(), &["--at", "2018-06-06T22:00Z"]);
    let document = json(&served, "/api/openapi.json");
    assert_eq!(document["openapi"], "3.1.0");
    let id = night().sql("SELECT queue_id FROM events WHERE kind = 'delivered' LIMIT 1")[0]["queue_id"].clone();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 11, "{}", paths.len());
    for (path, item) in paths {
        let query = match path.as_str() {
            "/api/v1/trace" => format!("?id={}", id.as_str().unwrap()),
            "/api/v1/incident" => "?from=2018-06-06T18:55Z".to_owned(),
            _ => String::new(),
        };
        let answer = json(&served, &format!("{path}{query}"));
        let schema = &item["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        let (object, objects) = match schema["type"].as_str() {
            Some("array") => (&schema["items"], answer.as_array().expect("a list").clone()),
            _ => (schema, vec![answer.clone()]),
        };
        assert!(!objects.is_empty(), "{path}: {answer}");
        for one in &objects {
            let keys: BTreeSet<&str> = one.as_object().unwrap().keys().map(String::as_str).collect();
            for key in object["required"].as_array().unwrap() {
                assert!(keys.contains(key.as_str().unwrap()), "{path}: no {key}: {one}");
            }
        }
        let parameters: Vec<&str> = item["get"]["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap())
            .collect();
        if parameters.contains(&"from") {
            let reply = served.settled(&format!("{path}?from=nonsense"));
            let error: Value = serde_json::from_str(&reply.body).unwrap();
            assert_eq!(
                (reply.status, &error["error"]["code"]),
                (400, &Value::from("parameter")),
                "{path}: {error}"
            );
            let twice = served.settled(&format!("{path}?from=-1h&from=-2h"));
            assert_eq!(twice.status, 400, "{path}: {}", twice.body);
        }
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn the_api_says_what_the_commands_say() {
    let place = night();
    let at = "2018-06-06T22:00Z";
    let served = Served::start(place, &["--at", at]);
    let told = |args: &[&str]| -> Value { serde_json::from_str(&place.run(args).out).expect("JSON") };
    let now = json(&served, "/api/v1/now");
    assert_eq!(
        (now["standing"].as_str(), now["relay"].as_str()),
        (Some("trouble"), Some("mx1001")),
        "{now}"
    );
    let incident = json(&served, "/api/v1/incident?from=2018-06-06T18:55Z&to=2018-06-06T22:00Z");
    let command = told(&[
        "incident",
        "--since",
        "2018-06-06T18:55Z",
        "--until",
        at,
        "--format",
        "json",
    ]);
    assert_eq!(incident["services"], command["services"]);
    let rates = json(
        &served,
        "/api/v1/rates?name=phabricator&from=2018-06-06T12:00Z&to=2018-06-06T18:00Z",
    );
    let values = rates["series"][0]["values"].as_array().unwrap();
    let step = rates["step_s"].as_f64().unwrap() / 60.0;
    let sum: f64 = values.iter().filter_map(Value::as_f64).sum::<f64>() * step;
    let args = [
        "query",
        "top_services",
        "--param",
        "since=2018-06-06T12:00Z",
        "--param",
        "until=2018-06-06T18:00Z",
        "--format",
        "json",
    ];
    let services = told(&args);
    let own = services
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["service"] == "phabricator")
        .unwrap();
    assert_eq!(sum.round(), own["messages"].as_f64().unwrap());
    let routes = json(&served, "/api/v1/routes?from=-7d");
    let command = told(&[
        "routes",
        "--since",
        "2018-05-30T22:00Z",
        "--until",
        at,
        "--format",
        "json",
    ]);
    let only = |all: &Value| -> BTreeSet<(String, String)> {
        let of = |one: &Value| (one["service"].to_string(), one["single_point_of_failure"].to_string());
        all.as_array().unwrap().iter().map(of).collect()
    };
    assert_eq!(only(&routes), only(&command));
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn metrics_name_every_configured_service_and_speak_both_forms() {
    let place = night();
    let served = Served::start(place, &["--at", "2018-06-06T22:00Z"]);
    let classic = served.settled("/metrics");
    assert!(
        classic.header("content-type").starts_with("text/plain; version=0.0.4"),
        "{classic:?}"
    );
    let has = |line: &str| classic.body.lines().any(|own| own.starts_with(line));
    for service in ["phabricator", "wikimania_scholarships", "iegreview"] {
        assert!(
            has(&format!(
                "mailpulse_messages_total{{service=\"{service}\",relay=\"\",kind=\"accepted\""
            )),
            "{}",
            classic.body
        );
    }
    for line in [
        "mailpulse_relay_silent{relay=\"mx1001\"} 1",
        "mailpulse_relay_silent{relay=\"mx2001\"} 0",
        "mailpulse_alarm_score{about=\"relay\",name=\"mx1001\",state=\"dropped\"}",
        "mailpulse_source_lines_total{host=\"mx1001\",source=\"exim\"}",
        "mailpulse_label_sets_limit_reached 0",
        "process_cpu_seconds_total",
        "mailpulse_build_info{version=",
    ] {
        assert!(has(line), "{line}\n{}", classic.body);
    }
    // Each metric is described before its samples, once, and each sample is a name, labels, and a number.
    let mut described = BTreeSet::new();
    for line in classic.body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert!(described.insert(rest.split(' ').next().unwrap()), "twice: {line}");
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            assert!(described.contains(name), "{line}");
            assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
        }
    }
    let open = served.get_with("/metrics", &[("Accept", "application/openmetrics-text; version=1.0.0")]);
    assert!(
        open.header("content-type").starts_with("application/openmetrics-text"),
        "{open:?}"
    );
    assert!(open.body.ends_with("# EOF\n") && open.body.contains("# TYPE mailpulse_messages counter"));
}

#[test]
#[ignore = "lab: needs promtool"]
fn promtool_finds_nothing_to_say_of_the_metrics() {
    use std::io::Write as _;
    let served = Served::start(night(), &["--at", "2018-06-06T22:00Z"]);
    let metrics = served.page("/metrics");
    let mut child = crate::lab::program("promtool")
        .args(["check", "metrics"])
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("promtool starts");
    child.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let run = crate::util::Run::of(child.wait_with_output().unwrap());
    assert!(run.code == 0 && run.err.is_empty() && run.out.is_empty(), "{run:?}");
}

#[test]
fn a_hash_finds_what_an_address_and_an_unknown_id_do_not() {
    let place = Place::copy_of(night());
    let served = Served::start(&place, &["--at", "2018-06-06T22:00Z"]);
    for (path, status) in [
        ("/api/v1/trace", 400),
        ("/api/v1/trace?id=1fQXAB-000001-Zz", 404),
        ("/api/v1/nothing", 404),
    ] {
        let reply = served.settled(path);
        let error: Value = serde_json::from_str(&reply.body).expect("JSON");
        assert_eq!(reply.status, status, "{path}: {error}");
        assert!(
            error["error"]["reason"].as_str().is_some_and(|why| why.len() > 10),
            "{error}"
        );
    }
    let reply = served.settled("/api/v1/trace?id=gerrit@wikimedia.org");
    assert_eq!(reply.status, 404, "an address is not looked up: {}", reply.body);
    let place = Place::with("[store]\nurl = \"store\"\n");
    place.write(
        "main.log",
        passed_on(now_ms() / 1_000 - 600, "1fQX01-000001-A1", "shop"),
    );
    place.backfill(&[&place.path("main.log")]).ends(0);
    let rows = place.sql("SELECT sender FROM events WHERE kind = 'accepted'");
    let hash = rows[0]["sender"].as_str().unwrap();
    assert!(hash.starts_with('~') && hash.ends_with("@example.org"), "{hash}");
    let served = Served::start(&place, &[]);
    let found = json(&served, &format!("/api/v1/trace?id={hash}"));
    assert_eq!(found[0]["events"][0]["queue_id"], "1fQX01-000001-A1", "{found}");
    assert!(!found.to_string().contains('~'), "no other address is told: {found}");
    let reply = served.settled("/api/v1/trace?id=shop@example.org");
    assert_eq!(reply.status, 404, "{}", reply.body);
    assert!(served.page(&format!("/trace?id={hash}")).contains("1fQX01-000001-A1"));
}

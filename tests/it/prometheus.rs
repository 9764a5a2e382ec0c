//! The rules for a Prometheus: each is fired by a test and has a runbook, each metric of theirs is one of ours, and a real
//! Prometheus fires them over a real server.

use crate::grafana::prometheus::expressions;
use crate::lab;
use crate::logs::root;
use crate::serve::{Served, night};
use crate::util::{KEEP, Place, Reserved, Run, stop};
use crate::watch::{Running, until};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const HEADINGS: [&str; 4] = ["Meaning", "Impact", "Diagnosis", "Mitigation"];
/// Where the Debian package has the runbooks.
const RUNBOOKS: &str = "file:///usr/share/doc/mailpulse/docs/runbooks/";

fn files(folder: &str, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.to_str().unwrap().ends_with(end));
    found.sort();
    assert!(!found.is_empty(), "{folder}");
    found
}

pub(crate) fn texts(folder: &str, end: &str) -> Vec<String> {
    let paths = files(folder, end);
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// The alerts of the rules, each with the lines that describe it.
fn alerts() -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for text in texts("dist/prometheus/rules", ".yml") {
        for rule in text.split("\n      - ").skip(1) {
            let mut lines = rule.lines().map(|line| line.trim().to_owned());
            if let Some(name) = lines.next().unwrap().strip_prefix("alert: ") {
                let twice = found.insert(name.to_owned(), lines.collect());
                assert!(twice.is_none(), "{name} is twice");
            }
        }
    }
    assert!(found.len() > 20, "{found:?}");
    found
}

/// What the tests of the rules expect, in their order: an alert, and whether it fires.
fn expected() -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for text in texts("dist/prometheus/tests", ".test.yml") {
        for case in text.split("alertname: ").skip(1) {
            let (name, rest) = case.split_once('\n').unwrap();
            let fires = !rest.trim_start().starts_with("exp_alerts: []");
            assert!(
                !fires || rest.trim_start().starts_with("exp_alerts:\n"),
                "{name}: {rest}"
            );
            found.push((name.to_owned(), fires));
        }
    }
    found
}

#[test]
fn every_alert_is_fired_by_a_test_and_ends_or_does_not_fire_in_one() {
    let expected = expected();
    for name in alerts().keys() {
        for fires in [true, false] {
            assert!(expected.contains(&(name.clone(), fires)), "{name}, fires: {fires}");
        }
    }
    let names = alerts();
    let unknown: Vec<_> = expected.iter().filter(|(name, _)| !names.contains_key(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// Those of alerts; the others are those of the states of mailpulse's own alarms.
fn runbooks() -> Vec<PathBuf> {
    let mut all = files("docs/runbooks", ".md");
    all.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with("Mailpulse"));
    all
}

#[test]
fn every_alert_says_what_to_do_in_a_runbook_of_its_own() {
    let alerts = alerts();
    for (name, lines) in &alerts {
        let has = |start: &str| lines.iter().any(|line| line.starts_with(start));
        assert!(
            has("severity: critical") || has("severity: warning"),
            "{name}: {lines:?}"
        );
        assert!(has("summary: ") && has("description: "), "{name}: {lines:?}");
        assert!(has(&format!("runbook_url: {RUNBOOKS}{name}.md")), "{name}: {lines:?}");
    }
    for path in runbooks() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(alerts.contains_key(name), "no alert has the runbook {name}");
        let text = fs::read_to_string(&path).unwrap();
        let headings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, HEADINGS, "{name}");
        assert!(text.starts_with(&format!("# {name}\n")), "{name}");
        for section in text.split("\n## ").skip(1) {
            assert!(section.lines().skip(1).any(|line| line.len() > 20), "{name}: {section}");
        }
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            assert!(path.parent().unwrap().join(target).exists(), "{name}: {target}");
        }
    }
    assert_eq!(runbooks().len(), alerts.len());
}

/// Names of metrics in a text, without those that rules record (these have colons).
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    let is_metric = |word: &&str| word.starts_with("mailpulse_") && !word.contains(':');
    words.filter(is_metric).map(str::to_owned).collect()
}

/// The names of metrics in the source code.
fn exposed(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            exposed(&path, found);
        } else {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let literals = text.split('"').filter(|literal| metrics_in(literal).contains(*literal));
            found.extend(literals.map(str::to_owned));
        }
    }
}

#[test]
fn every_metric_of_the_rules_is_one_of_ours() {
    let mut ours = BTreeSet::new();
    exposed(&root().join("src"), &mut ours);
    let mut used = BTreeSet::new();
    for text in texts("dist/prometheus/rules", ".yml") {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        used.extend(lines.flat_map(metrics_in));
    }
    assert!(used.len() > 20, "{used:?}");
    used.extend(expressions().iter().flat_map(|(_, expr)| metrics_in(expr)));
    for name in used {
        let ends = ["_total", "_bucket", "_sum", "_count"];
        let base = ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
        assert!(ours.contains(base), "nothing exposes {name}");
    }
}

fn scraped(port: u16) -> Option<String> {
    let url = format!("http://127.0.0.1:{port}/metrics");
    ureq::get(&url).call().ok()?.body_mut().read_to_string().ok()
}

/// The value of a sample, by its name and labels.
fn sample(text: &str, name: &str) -> Option<f64> {
    let line = text
        .lines()
        .find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    line?.rsplit(' ').next()?.parse().ok()
}

#[test]
fn metrics_say_whether_logs_are_read_and_the_store_is_written() {
    let free = Reserved::new();
    let port = free.port();
    let place = Place::with(&format!(
        "{KEEP}[[source]]\nkind = \"exim\"\npaths = [\"mainlog\"]\nhost = \"mx1\"\n[tail]\npoll_ms = 200\n\
         [serve]\nlisten = \"127.0.0.1:{port}\"\n"
    ));
    place.write("mainlog", crate::tail::bench::lines(0..10));
    let mut child = place
        .command()
        .arg("run")
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let read = "mailpulse_source_read_timestamp_seconds{host=\"mx1\",source=\"exim\"}";
    let mut text = String::new();
    until("a tail has read the log", || {
        text = scraped(port).unwrap_or_default();
        sample(&text, read).is_some()
    });
    let started = sample(&text, "process_start_time_seconds").unwrap();
    assert!(sample(&text, read).unwrap() > started - 120.0, "{text}");
    assert!(
        sample(&text, "mailpulse_store_written_timestamp_seconds").unwrap() > started - 120.0,
        "{text}"
    );
    assert_eq!(sample(&text, "mailpulse_store_held"), Some(1.0), "{text}");
    let bytes = ["free", "size"].map(|what| sample(&text, &format!("mailpulse_store_disk_{what}_bytes")).unwrap());
    assert!(0.0 < bytes[0] && bytes[0] < bytes[1], "{bytes:?}");
    stop(&mut child);
    let served = Served::start(&place, &[]);
    assert_eq!(sample(&served.page("/metrics"), "mailpulse_store_held"), Some(0.0));
}

#[test]
#[ignore = "lab: needs promtool and amtool"]
fn promtool_and_amtool_find_nothing_to_say_and_every_test_of_the_rules_passes() {
    let folder = root().join("dist/prometheus");
    let ends = |program: &str, arguments: &[&str], paths: &[PathBuf]| {
        let mut command = lab::program(program);
        command.args(arguments).args(paths).current_dir(&folder);
        Run::of(command.output().unwrap()).ends(0).out
    };
    let rules = files("dist/prometheus/rules", ".yml");
    let said = ends("promtool", &["check", "rules"], &rules);
    assert_eq!(said.matches("SUCCESS").count(), rules.len(), "{said}");
    let tests = files("dist/prometheus/tests", ".test.yml");
    let said = ends("promtool", &["test", "rules"], &tests);
    assert_eq!(said.matches("SUCCESS").count(), tests.len(), "{said}");
    ends(
        "promtool",
        &["check", "config"],
        &[folder.join("prometheus.example.yml")],
    );
    let alertmanager = folder.join("alertmanager.example.yml");
    let config = format!("--config.file={}", alertmanager.display());
    ends("amtool", &["check-config"], &[alertmanager]);
    for (labels, receiver) in [
        (["component=mail", "severity=critical"], "pager"),
        (["component=mail", "severity=warning"], "people"),
        (["component=instances", "severity=critical"], "pager"),
        (["alertname=MailpulseAlarm", "kind=relay"], "pager"),
    ] {
        let arguments = ["config", "routes", "test", &config, labels[0], labels[1]];
        assert_eq!(ends("amtool", &arguments, &[]).trim(), receiver, "{labels:?}");
    }
}

/// What a Prometheus answers to an expression.
fn asked(port: u16, expr: &str) -> Value {
    let url = format!("http://127.0.0.1:{port}/api/v1/query");
    let reply = ureq::get(&url)
        .query("query", expr)
        .config()
        .http_status_as_error(false)
        .build()
        .call();
    let body = reply.unwrap().body_mut().read_to_string().unwrap();
    serde_json::from_str(&body).expect("JSON")
}

/// The alerts of a Prometheus that fire, by their names.
fn firing(port: u16, name: &str) -> Vec<Value> {
    let url = format!("http://127.0.0.1:{port}/api/v1/alerts");
    let body = ureq::get(&url)
        .call()
        .ok()
        .and_then(|mut reply| reply.body_mut().read_to_string().ok());
    let body: Value = serde_json::from_str(&body.unwrap_or_default()).unwrap_or_default();
    let all = body["data"]["alerts"].as_array().cloned().unwrap_or_default();
    let is_it = |alert: &Value| alert["state"] == "firing" && alert["labels"]["alertname"] == name;
    all.into_iter().filter(is_it).collect()
}

#[test]
#[ignore = "lab: needs prometheus"]
fn a_prometheus_that_scrapes_twice_fires_the_alert_of_the_night_once() {
    let served = Served::start(night(), &["--at", "2018-06-06T19:05Z"]);
    // It is computed now, so that no scrape has to wait.
    served.page("/metrics");
    let place = Place::new();
    for path in files("dist/prometheus/rules", ".yml") {
        let text = fs::read_to_string(&path)
            .unwrap()
            .replace("interval: 30s", "interval: 1s");
        place.write(&format!("rules/{}", path.file_name().unwrap().to_str().unwrap()), text);
    }
    let example = fs::read_to_string(root().join("dist/prometheus/prometheus.example.yml")).unwrap();
    let (before, _) = example.split_once("alerting:").unwrap();
    let (_, scrapes) = example.split_once("scrape_configs:").unwrap();
    let config = format!("{before}scrape_configs:{scrapes}")
        .replace("interval: 30s", "interval: 1s")
        .replace("scrape_timeout: 25s", "scrape_timeout: 1s")
        .replace(
            "[\"127.0.0.1:8425\"]",
            &format!("[\"127.0.0.1:{0}\", \"localhost:{0}\"]", served.port),
        );
    let at = Reserved::new();
    let port = at.port();
    let child = lab::program("prometheus")
        .arg(format!(
            "--config.file={}",
            place.write("prometheus.yml", config).display()
        ))
        .arg(format!("--storage.tsdb.path={}", place.path("tsdb").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus starts");
    let _prometheus = Running(child);
    until("the alert of the night fires", || {
        !firing(port, "MailpulseRelaySilent").is_empty()
    });
    let found = firing(port, "MailpulseRelaySilent");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["labels"]["relay"], "mx1001");
    assert_eq!(found[0]["annotations"]["summary"], "Relay mx1001 takes no mail");
    assert_eq!(firing(port, "MailpulseRelayTrouble"), [] as [Value; 0]);
    for (title, expr) in expressions() {
        // Nothing was sent, is late, or fails, nobody watched this store, and where time stands still no line comes.
        let is_empty = [
            "Outbox",
            "Troubles",
            "Alert channels that fail",
            "Since the mail was judged",
            "Since each log was read to its end",
            "Age of lines when they are read",
            "Lines that do not parse",
        ];
        let found = asked(port, &expr);
        assert_eq!(found["status"], "success", "{title}: {found}");
        // A rate takes two samples.
        if !is_empty.contains(&&*title) {
            until(&title, || asked(port, &expr)["data"]["result"][0].is_object());
        }
    }
    assert_eq!(firing(port, "MailpulseDown"), [] as [Value; 0]);
    assert_eq!(firing(port, "MailpulseNoData"), [] as [Value; 0]);
}

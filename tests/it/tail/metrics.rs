//! What a tail alone on a host shows to a Prometheus, and to nobody else.

use super::process::{append, place, start};
use crate::lab;
use crate::logs::passed_on;
use crate::util::{Place, Reserved, Run, now_ms, signal, stop};
use crate::watch::{Running, until};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// An answer: its status and all of its text.
fn asked(port: u16, path: &str, headers: &str) -> Option<(String, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.to_owned();
    Some((status, answer))
}

const LOCAL: &str = "Host: localhost\r\n";

/// The metrics, once they are there.
#[track_caller]
fn metrics(port: u16, has: &str) -> String {
    let mut text = String::new();
    until(has, || {
        text = asked(port, "/metrics", LOCAL).map_or_else(String::new, |(_, text)| text);
        text.contains(has)
    });
    text
}

#[track_caller]
fn sample(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} in {text}")).parse().unwrap()
}

fn messages(metric: &str, service: &str) -> String {
    format!("{metric}{{service=\"{service}\",relay=\"mx1\",kind=\"accepted\",direction=\"outbound\"}}")
}

fn tail_with(more: &str) -> (Place, Running, u16) {
    let free = Reserved::new();
    let port = free.port();
    let place = place(&format!(
        "[[service]]\nname = \"shop\"\nmatch = [{{ sender = \"shop@example.org\" }}]\n\
         [[service]]\nname = \"quiet\"\nmatch = [{{ sender = \"quiet@example.org\" }}]\n\
         [metrics]\nlisten = \"127.0.0.1:{port}\"\n{more}"
    ));
    let ago = |minutes: i64| now_ms() / 1_000 - 60 * minutes;
    let late = passed_on(ago(180), "1fQX01-000001-A1", "shop") + &passed_on(ago(170), "1fQX01-000002-A1", "shop");
    place.write("logs/mainlog", late);
    let child = Running(start(&place));
    (place, child, port)
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_tail_alone_counts_what_it_commits_and_late_messages_apart() {
    let (place, mut child, port) = tail_with("");
    let late = messages("mailpulse_late_messages_total", "shop");
    let text = metrics(port, &late);
    assert_eq!(sample(&text, &late), 2.0);
    let quiet = "mailpulse_messages_total{service=\"quiet\",relay=\"\",kind=\"accepted\",direction=\"outbound\"}";
    assert_eq!(
        sample(&text, quiet),
        0.0,
        "a configured service is there from the first scrape on"
    );
    assert!(!text.contains(&messages("mailpulse_messages_total", "shop")), "{text}");
    let ago = |minutes: i64| now_ms() / 1_000 - 60 * minutes;
    let recent = ["3", "4", "5"].map(|n| passed_on(ago(2), &format!("1fQX01-00000{n}-A1"), "shop"));
    append(&place.path("logs/mainlog"), &recent.concat());
    let recent = messages("mailpulse_messages_total", "shop");
    let text = metrics(port, &format!("{recent} 3"));
    assert_eq!(sample(&text, &late), 2.0, "{text}");
    let commits = sample(&text, "mailpulse_commit_duration_seconds_count");
    assert!(commits >= 2.0, "{text}");
    assert_eq!(
        sample(&text, "mailpulse_commit_duration_seconds_bucket{le=\"+Inf\"}"),
        commits
    );
    for name in [
        "mailpulse_source_lines_total{host=\"mx1\",source=\"exim\"}",
        "mailpulse_label_sets_limit_reached",
        "mailpulse_store_held",
        "process_cpu_seconds_total",
    ] {
        // What is known of sources is computed again after some seconds where the machine is busy.
        metrics(port, name);
    }
    // It judges nothing, so that a rule which asks who judges leaves it alone.
    assert!(!text.contains("mailpulse_alarms_firing"), "{text}");
    let begin = Instant::now();
    stop(&mut child.0);
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    assert_eq!(place.number("SELECT COUNT(*) FROM events WHERE kind = 'accepted'"), 5);
}

#[test]
fn metrics_of_a_tail_are_as_safe_as_pages() {
    let token = "0123456789abcdef0123456789abcdef";
    let (place, mut child, port) = tail_with("");
    metrics(port, "mailpulse_build_info");
    let status = |path: &str, headers: &str| asked(port, path, headers).expect("an answer").0;
    assert_eq!(status("/healthz", LOCAL), "200");
    assert_eq!(status("/", LOCAL), "404", "no page");
    assert_eq!(status("/api/v1/now", LOCAL), "404");
    assert_eq!(status("/metrics", "Host: evil.example\r\n"), "421");
    let elsewhere =
        format!("{LOCAL}Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n");
    assert_eq!(status("/metrics", &elsewhere), "403");
    let (_, answer) = asked(port, "/nowhere", LOCAL).unwrap();
    assert!(answer.contains("{\"error\":") && answer.contains("sandbox"), "{answer}");
    // A new configuration asks for a token.
    let path = place.write("metrics.token", token);
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    let config = fs::read_to_string(place.path("mailpulse.toml")).unwrap();
    place.write("mailpulse.toml", config + "token_file = \"metrics.token\"\n");
    signal(&child.0, "-HUP");
    until("a token is asked for", || {
        asked(port, "/metrics", LOCAL).is_some_and(|(status, _)| status == "401")
    });
    assert_eq!(
        status("/metrics", &format!("{LOCAL}Authorization: Bearer {token}\r\n")),
        "200"
    );
    assert_eq!(status("/healthz", LOCAL), "200");
    stop(&mut child.0);
}

#[test]
fn a_port_that_is_taken_is_told_and_logs_are_read_all_the_same() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let place = place(&format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n"));
    place.write(
        "logs/mainlog",
        passed_on(now_ms() / 1_000 - 60, "1fQX01-000001-A1", "shop"),
    );
    let mut child = Running(start(&place));
    super::process::wait_for(&place, 3);
    until("the trouble is noted", || {
        place
            .run(&["status"])
            .out
            .contains("another process listens on this port")
    });
    drop(taken);
    metrics(port, "mailpulse_build_info");
    stop(&mut child.0);
}

#[test]
fn metrics_that_others_can_reach_are_refused_without_a_token_and_a_proxy() {
    for (table, words) in [
        ("listen = \"0.0.0.0:8426\"\n", "no token is required"),
        ("listen = \"0.0.0.0:8426\"\ntoken_file = \"x\"\n", "there is no TLS"),
    ] {
        let place = place(&format!("[metrics]\n{table}"));
        let run = place.run(&["tail"]).ends(2);
        assert!(
            run.err.contains(words) && run.err.contains("mailpulse.toml:"),
            "{table}: {}",
            run.err
        );
    }
    let place = place("[metrics]\ntoken_file = \"x\"\n");
    let said = place.run(&["check"]);
    assert!(
        said.out.contains("has no `listen`") || said.err.contains("has no `listen`"),
        "{said:?}"
    );
}

#[test]
#[ignore = "lab: needs promtool"]
fn promtool_finds_nothing_to_say_of_the_metrics_of_a_tail() {
    let (_place, mut child, port) = tail_with("");
    let text = metrics(port, "mailpulse_late_messages_total");
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    let mut checked = lab::program("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    checked.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let run = Run::of(checked.wait_with_output().unwrap());
    assert!(run.code == 0 && run.err.is_empty() && run.out.is_empty(), "{run:?}");
    stop(&mut child.0);
}

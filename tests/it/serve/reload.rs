//! The process of a `serve` that runs alone: how it begins, and SIGHUP.

use super::Served;
use crate::logs::passed_on;
use crate::util::{KEEP, Place, now_ms, signal, stop};
use crate::watch::until;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Child;
use std::time::Duration;

fn config(path: &str, more: &str) -> String {
    format!("{KEEP}[serve]\nurl_base = \"http://localhost:1/{path}\"\n{more}")
}

#[test]
fn a_serve_alone_takes_a_new_configuration_and_a_mistake_changes_nothing() {
    let place = Place::with(&config("one/", ""));
    let mut served = Served::start(&place, &[]);
    let status = |served: &Served, path: &str| served.get(path).status;
    assert_eq!(status(&served, "/one/healthz"), 200);
    place.write("mailpulse.toml", config("two/", ""));
    signal(&served.child, "-HUP");
    until("the new path is served at the same port", || {
        status(&served, "/two/healthz") == 200
    });
    assert_eq!(status(&served, "/one/healthz"), 404);
    for mistake in [
        "nonsense = 1\n".to_owned(),
        config("three/", "auth = \"token\"\n"),
        config("three/", "token_file = \"missing\"\n"),
        config("three/", "listen = \"192.0.2.1:1\"\n"),
    ] {
        place.write("mailpulse.toml", &mistake);
        signal(&served.child, "-HUP");
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(status(&served, "/two/healthz"), 200, "{mistake}");
    }
    let token = "0123456789abcdef0123456789abcdef";
    let path = place.write("token", token);
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    place.write("mailpulse.toml", config("two/", "token_file = \"token\"\n"));
    signal(&served.child, "-HUP");
    until("a token is asked for", || status(&served, "/two/nowhere") == 401);
    let bearer = format!("Bearer {token}");
    assert_eq!(
        served.get_with("/two/nowhere", &[("Authorization", &bearer)]).status,
        404
    );
    stop(&mut served.child);
}

#[test]
fn streams_of_the_old_configuration_end_and_no_connection_is_refused_meanwhile() {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    let place = Place::with(&config("", ""));
    let served = Served::start(&place, &[]);
    let mut stream = served.connect();
    stream
        .write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut lines = BufReader::new(stream);
    let mut all = String::new();
    while !all.contains("retry: ") {
        assert!(lines.read_line(&mut all).unwrap() > 0, "{all}");
    }
    place.write("mailpulse.toml", config("", "hosts = [\"new.example.org\"]\n"));
    signal(&served.child, "-HUP");
    until("the new host is known", || {
        // Each of these connects: a port that is closed for a moment would fail the test.
        served.get_with("/healthz", &[("Host", "new.example.org")]).status == 200
    });
    let mut rest = String::new();
    lines.read_to_string(&mut rest).expect("the stream ends");
}

/// What the environment of a process says to the allocator.
pub(super) fn purge_delay(child: &Child) -> String {
    let environment = fs::read(format!("/proc/{}/environ", child.id())).unwrap();
    let mut all = environment.split(|byte| *byte == 0);
    let own = all.find_map(|one| one.strip_prefix(b"MIMALLOC_PURGE_DELAY="));
    String::from_utf8(own.unwrap_or_default().to_vec()).unwrap()
}

#[test]
fn memory_goes_back_to_the_kernel_at_once_unless_the_environment_says_otherwise() {
    let place = Place::new();
    let line = passed_on(now_ms() / 1_000 - 60, "1fQX01-000001-A1", "shop");
    place.backfill(&[&place.write("main.log", line)]).ends(0);
    let served = Served::start(&place, &[]);
    assert_eq!(purge_delay(&served.child), "0", "the same process, begun anew");
    let mut command = place.command();
    command.env("MIMALLOC_PURGE_DELAY", "20");
    assert_eq!(purge_delay(&Served::by(command, &[]).child), "20");
}

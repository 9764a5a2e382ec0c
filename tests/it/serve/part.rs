//! The pages as a part of `run`.

use super::reload::purge_delay;
use crate::util::{KEEP, Place, Reserved, signal, stop};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

fn status(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1).map(str::to_owned)
}

#[track_caller]
fn wait_for(port: u16, path: &str, wanted: &str) {
    let begin = Instant::now();
    while status(port, path).as_deref() != Some(wanted) {
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "{path}: {:?}",
            status(port, path)
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn run_serves_pages_takes_a_new_configuration_and_ends_at_once() {
    let free = Reserved::new();
    let port = free.port();
    let config = |base: &str| {
        format!("{KEEP}[serve]\nlisten = \"127.0.0.1:{port}\"\nurl_base = \"http://localhost:{port}/{base}\"\n")
    };
    let place = Place::with(&config("one/"));
    let mut command = place.command();
    let mut child = command
        .args(["run"])
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    wait_for(port, "/one/healthz", "200");
    assert_eq!(purge_delay(&child), "0", "the same process, begun anew");
    place.write("mailpulse.toml", config("two/"));
    signal(&child, "-HUP");
    wait_for(port, "/two/healthz", "200");
    assert_eq!(status(port, "/one/healthz").as_deref(), Some("404"));
    place.write("mailpulse.toml", "nonsense = 1\n");
    signal(&child, "-HUP");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(
        status(port, "/two/healthz").as_deref(),
        Some("200"),
        "a mistake changes nothing"
    );
    let held = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let begin = Instant::now();
    stop(&mut child);
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    drop(held);
}

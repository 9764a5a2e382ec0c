//! Pages over a server that is away, or whose schema is half there: they say so, and come back by themselves.

use super::Lab;
use crate::logs::passed_on;
use crate::serve::Served;
use crate::util::now_ms;
use std::fs;
use std::time::{Duration, Instant};

const PATHS: [&str; 7] = [
    "/",
    "/trace?id=1fQX01-000001-A1",
    "/routes",
    "/sources",
    "/alarms",
    "/graph.svg",
    "/api/v1/now",
];

/// An answer of a server is given again for 15 seconds.
#[track_caller]
fn all_come_to(served: &Served, status: u16) {
    for path in PATHS {
        let begin = Instant::now();
        loop {
            let reply = served.settled(path);
            if reply.status == status {
                assert!(!reply.body.contains("mailpulse@"), "{path}: {}", reply.body);
                let says_when = reply.header("retry-after").parse::<u64>().is_ok();
                assert_eq!(says_when, status == 503, "{path}: {reply:?}");
                break;
            }
            assert!(begin.elapsed() < Duration::from_secs(90), "{path}: {reply:?}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

#[test]
#[ignore = "lab: needs chdb"]
fn pages_come_back_when_the_schema_is_whole_and_when_the_server_is_there_again() {
    let mut lab = Lab::bare();
    let url = lab.server.url();
    let served = Served::by(lab.command(&[]), &["--store", &url]);
    all_come_to(&served, 503);
    // Half migrated.
    fs::write(lab.server.folder.join("faults/cut"), "3").unwrap();
    lab.run(&["store", "migrate"]).ends(2);
    all_come_to(&served, 503);
    let _ = fs::remove_file(lab.server.folder.join("faults/cut"));
    lab.run(&["store", "migrate"]).ends(0);
    lab.place.write(
        "main.log",
        passed_on(now_ms() / 1_000 - 600, "1fQX01-000001-A1", "shop"),
    );
    let log = lab.place.path("main.log");
    lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    lab.ship().ends(0);
    all_come_to(&served, 200);
    lab.server.child.kill().unwrap();
    lab.server.child.wait().unwrap();
    all_come_to(&served, 503);
    lab.server.again();
    all_come_to(&served, 200);
}

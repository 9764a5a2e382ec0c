//! The whole way in real time: a line is written, `tail` commits it, `watch` judges its minute, a webhook is told.
//!
//! What the statistics need is the minute: it is judged when it is over. `MAILPULSE_LATENCIES` (default 1) says how
//! many alarms are measured, one a minute.

use crate::logs::{passed_on_at, stamp};
use crate::util::{KEEP, Place, number_from, stop};
use crate::webhook::{hook, posted};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// More than twice as many as fail, so that no relay is taken for the cause.
const SERVICES: u64 = 13;

#[expect(clippy::disallowed_methods, reason = "what is measured is the time on the clock")]
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn append(path: &Path, text: &str) {
    File::options()
        .append(true)
        .open(path)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}

/// Three days of mail up to now, of services whose own logs tell failures.
fn place(port: u16) -> Place {
    let mut config = KEEP.replace("segment_rows_max = 1000\n", "");
    config += "[[source]]\nkind = \"exim\"\npaths = [\"mainlog\"]\nhost = \"mx1\"\n";
    for service in 0..SERVICES {
        let _ = write!(
            config,
            "[[service]]\nname = \"s{service}\"\nmatch = [{{ sender = \"s{service}@example.org\" }}]\n\
             [[source]]\nkind = \"pattern\"\npaths = [\"s{service}.log\"]\nhost = \"app{service}\"\nservice = \"s{service}\"\n\
             [[source.template]]\noutcome = \"failed\"\n\
             text = \"{{time:%Y-%m-%d %H:%M:%S}} mail to {{recipient}} failed: {{reason}}\"\n"
        );
    }
    let _ = write!(
        config,
        "[[alert]]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/\"\n"
    );
    let place = Place::with(&config);
    let (mut log, end) = (String::new(), now() as i64);
    for at in (end - 3 * 86_400..end).step_by(47) {
        log.push_str(&passed_on_at(at, &format!("s{}", at as u64 % SERVICES)));
    }
    place.write("mainlog", log);
    for service in 0..SERVICES {
        place.write(
            &format!("s{service}.log"),
            format!("{} started: ready\n", stamp(end - 3 * 86_400)),
        );
    }
    place.run(&["backfill"]);
    place
}

#[test]
#[ignore = "minutes: by the real clock; tests/run runs it"]
fn from_a_line_to_its_alarm_it_is_less_than_fifteen_seconds_beyond_its_minute() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("posted");
    let (_hook, port) = hook(&out);
    let place = place(port);
    let start = |name: &str| {
        let mut command = place.command();
        command.arg(name).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let (mut tail, mut watch) = (start("tail"), start("watch"));
    let count = number_from("MAILPULSE_LATENCIES", 1).min(SERVICES / 2);
    let mut ages = Vec::new();
    // The replay at the start is over when a minute has been judged.
    std::thread::sleep(Duration::from_secs(20));
    for service in 0..count {
        let begin = now();
        // Late in its minute, and each time a little later, so that beats and rounds are met at any moment.
        let minute_end = (begin / 60.0).floor() * 60.0 + if begin % 60.0 < 45.0 { 60.0 } else { 120.0 };
        let write_at = minute_end - 12.0 + 1.7 * (service % 6) as f64;
        let mut failed = false;
        let told = loop {
            let at = now();
            let mail = passed_on_at(at as i64, &format!("s{}", at as u64 % SERVICES));
            append(&place.path("mainlog"), &mail);
            if !failed && at >= write_at {
                let lines: String = (0..20)
                    .map(|n| format!("{} mail to u{n}@example.com failed: no credentials\n", stamp(at as i64)))
                    .collect();
                append(&place.path(&format!("s{service}.log")), &lines);
                failed = true;
            }
            let is_it = |post: &Value| -> Option<f64> {
                let body: Value = serde_json::from_str(post["body"].as_str()?).ok()?;
                (body["alarm"]["series"]["service"] == format!("s{service}")).then(|| post["at"].as_f64())?
            };
            if let Some(told) = posted(&out).iter().find_map(is_it) {
                break told;
            }
            assert!(at < minute_end + 60.0, "no alarm of s{service}: {:?}", posted(&out));
            std::thread::sleep(Duration::from_millis(500));
        };
        ages.push((told - write_at, told - minute_end));
    }
    eprintln!("from the line to the alarm, and from the end of its minute to the alarm, seconds: {ages:.1?}");
    stop(&mut tail);
    stop(&mut watch);
    for (_, beyond) in &ages {
        assert!((0.0..15.0).contains(beyond), "{ages:?}");
    }
}

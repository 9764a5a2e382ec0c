//! `doctor` names each fault in its first line, and a machine without faults prints one line.

use crate::lab;
use crate::logs::{passed_on_at, simulated, text};
use crate::util::{KEEP, KEEP_ALONE, Place, Reserved, Run, now_ms, stop};
use crate::watch::{ONCE, begun};
use crate::webhook::hook;
use serde_json::Value;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SOURCE: &str = "[[source]]\nkind = \"exim\"\npaths = [\"logs/mainlog*\"]\nhost = \"mx1\"\n";

/// A mail a minute of the last hour.
fn recent() -> String {
    let end = now_ms() / 1_000;
    (end - 3_600..=end)
        .step_by(60)
        .map(|at| passed_on_at(at, "shop"))
        .collect()
}

/// A place with a configuration and a log of the last hour that was read.
fn read(config: &str) -> Place {
    let place = Place::with(&format!("{KEEP}{SOURCE}{config}"));
    place.write("logs/mainlog", recent());
    place.run(&["backfill"]).ends(0);
    place
}

/// The command, whatever the disk of the machine that tests has left.
const DOCTOR: [&str; 3] = ["doctor", "--free-mib-min", "0"];

/// The first line, which must begin with the area and have these words; and the step after it.
#[track_caller]
fn first_is(place: &Place, args: &[&str], area: &str, words: &[&str]) -> String {
    let run = place.run(&[&DOCTOR[..], args].concat()).ends(1);
    let mut lines = run.out.lines();
    let first = lines.next().unwrap_or_default();
    assert!(first.starts_with(&format!("{area}: ")), "{}", run.out);
    for word in words {
        assert!(first.contains(word), "no `{word}` in the first line of\n{}", run.out);
    }
    let next = lines.next().unwrap_or_default();
    next.strip_prefix("next: ").expect("what to do next").to_owned()
}

/// Whether a fault is among the findings.
#[track_caller]
fn finds(place: &Place, id: &str) -> bool {
    let run = place.run(&[&DOCTOR[..], &["--format", "json"]].concat());
    let answer: Value = serde_json::from_str(&run.out).expect("JSON");
    assert_eq!(answer["ok"], Value::from(run.code == 0), "{answer}");
    let findings = answer["findings"].as_array().expect("an array");
    assert!(
        findings
            .iter()
            .all(|one| one["next"].as_str().is_some_and(|next| !next.is_empty())),
        "{answer}"
    );
    findings.iter().any(|one| one["id"] == id)
}

#[test]
fn a_configuration_that_is_wrong_comes_first() {
    let place = Place::with(&format!("{KEEP}{SOURCE}timezon = \"UTC\"\n"));
    let next = first_is(
        &place,
        &[],
        "configuration",
        &["mailpulse.toml:12:1", "unknown key `timezon`", "`timezone`?"],
    );
    assert!(next.contains("mailpulse check"), "{next}");
    assert!(!place.path("store").exists(), "it looks, and makes nothing");
}

#[test]
fn a_folder_that_is_missing_and_a_path_without_a_file_are_told_apart() {
    let place = Place::with(&format!("{KEEP}{SOURCE}"));
    first_is(
        &place,
        &[],
        "permissions",
        &["mailpulse.toml:8", "logs/mainlog*", "logs does not exist"],
    );
    fs::create_dir(place.path("logs")).unwrap();
    let next = first_is(
        &place,
        &[],
        "permissions",
        &["mailpulse.toml:8", "no file matches", "logs/mainlog*"],
    );
    assert!(next.contains("`paths`"), "{next}");
    assert!(finds(&place, "no_file_matches") && !finds(&place, "folder_missing"));
}

#[test]
fn a_log_that_the_user_of_the_daemons_may_not_read_is_named() {
    let place = read("");
    let log = place.path("logs/mainlog");
    // Who is not root asks for itself.
    let (mode, args): (u32, &[&str]) = match lab::is_root() {
        true => (0o640, &["--user", "nobody"]),
        false => (0o000, &[]),
    };
    fs::set_permissions(place.path(""), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&log, Permissions::from_mode(mode)).unwrap();
    let next = first_is(&place, args, "permissions", &["logs/mainlog", "may not read it"]);
    assert!(next.contains("setfacl") || next.contains("usermod"), "{next}");
    fs::set_permissions(&log, Permissions::from_mode(0o644)).unwrap();
    let run = place.run(&[&DOCTOR[..], args].concat()).ends(1);
    assert!(!run.out.contains("may not read it"), "{}", run.out);
}

/// Somebody who is not in the logs' group, beside a service that is: `paths` are right.
#[test]
fn who_may_not_enter_the_folder_of_the_logs_is_not_sent_to_the_configuration() {
    let place = Place::with(&format!("{KEEP}{SOURCE}"));
    place.write("logs/mainlog", recent());
    fs::set_permissions(place.path(""), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(place.path("logs"), Permissions::from_mode(0o000)).unwrap();
    // The build folder is often below a home of mode 0700.
    let program = place.path("mailpulse");
    fs::copy(crate::util::PROGRAM, &program).unwrap();
    let mut command = Command::new(&program);
    command.args(["--config", "mailpulse.toml"]).args(DOCTOR);
    command.current_dir(place.path(""));
    if lab::is_root() {
        command.uid(65_534).gid(65_534);
    }
    let run = Run::of(command.output().unwrap()).ends(1);
    fs::set_permissions(place.path("logs"), Permissions::from_mode(0o755)).unwrap();
    let next = run.out.lines().nth(1).unwrap_or_default();
    assert!(next.contains("run it as root"), "{}", run.out);
    assert!(!run.out.contains("correct `paths`"), "{}", run.out);
}

#[test]
fn a_log_of_another_kind_and_one_of_another_zone_are_named() {
    let place = Place::with(&format!("{KEEP}{}", SOURCE.replace("exim", "postfix")));
    place.write("logs/mainlog", recent());
    place.run(&["backfill"]);
    let next = first_is(&place, &[], "parsing", &["logs/mainlog"]);
    assert!(next.contains("`kind`"), "{next}");

    let place = Place::with(&format!("{KEEP}{SOURCE}timezone = \"Asia/Tokyo\"\n"));
    place.write("logs/mainlog", simulated(300_000, 3));
    place.run(&["backfill"]);
    let next = first_is(&place, &[], "clocks", &["mailpulse.toml:8", "logs/mainlog"]);
    assert!(next.contains("`timezone`"), "{next}");
}

#[test]
fn a_clock_that_is_off_is_named() {
    let place = Place::with(&format!("{KEEP}{SOURCE}"));
    let ahead = now_ms() / 1_000 + 40 * 86_400;
    let log: String = (0..400).map(|at| passed_on_at(ahead + at * 60, "shop")).collect();
    place.write("logs/mainlog", log);
    place.run(&["backfill"]);
    assert!(finds(&place, "clock_off"), "{}", place.run(&DOCTOR).out);
}

#[test]
fn lines_that_do_not_parse_and_a_log_that_is_old_are_named() {
    let place = Place::with(&format!("{KEEP}{SOURCE}"));
    let odd: String = (0..400)
        .map(|n| format!("2026-99-01 mail number {n} went out\n"))
        .collect();
    place.write("logs/mainlog", recent() + &odd);
    place.run(&["backfill"]);
    assert!(finds(&place, "unparsed") && !finds(&place, "stale"));
    let out = place.run(&DOCTOR).out;
    assert!(
        out.contains("parsing: mx1 (exim)") && out.contains("mail number"),
        "{out}"
    );

    let place = Place::with(&format!("{KEEP}{SOURCE}"));
    let old = now_ms() / 1_000 - 3 * 86_400;
    place.write("logs/mainlog", passed_on_at(old, "shop"));
    place.run(&["backfill"]).ends(0);
    assert!(finds(&place, "stale"));
    let out = place.run(&DOCTOR).out;
    assert!(
        out.contains("1 source without a line for 24 h: mx1 (exim), 3 d ago"),
        "{out}"
    );
    let out = place.run(&[&DOCTOR[..], &["--stale-after", "4d"]].concat()).out;
    assert!(!out.contains("without a line"), "{out}");
}

#[test]
fn who_else_holds_the_store_is_named() {
    let place = read("");
    // A process that waits for its input, and that is no tail.
    let mut other = place.command();
    let mut other = other.args(["parse", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    let lock = File::options().write(true).open(place.path("store/lock")).unwrap();
    lock.lock().unwrap();
    fs::write(place.path("store/lock"), other.id().to_string()).unwrap();
    let named = format!("pid {}: ", other.id());
    let next = first_is(&place, &[], "store", &["locked by another process", &named, "parse -"]);
    assert!(next.contains(&format!("kill {}", other.id())), "{next}");
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn a_segment_that_is_damaged_and_one_that_is_short_are_named() {
    let place = read("");
    let store = place.store();
    let segments = store.segments().all().unwrap();
    let path = store.segments().events_path(segments[0].id);
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    for bytes in [&bad[..], &good[..good.len() - 1]] {
        fs::write(&path, bytes).unwrap();
        let run = place.run(&DOCTOR).ends(1);
        let line = run
            .out
            .lines()
            .find(|line| line.trim_start().starts_with("store: "))
            .expect("a fault of the store");
        assert!(line.contains(text(&path)), "{}", run.out);
        assert!(run.out.contains("store repair"), "{}", run.out);
    }
    fs::write(&path, good).unwrap();
    assert!(!finds(&place, "segment_damaged"));
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_server_that_is_away_and_an_outbox_that_is_full_are_named() {
    let config = format!("{KEEP}{SOURCE}").replace(
        "[store]\n",
        "[store]\nship = \"clickhouse://u@127.0.0.1:1/mail\"\noutbox_mib_max = 1\n",
    );
    let place = Place::with(&config);
    place.write("logs/mainlog", simulated(12_000_000, 7));
    place.run(&["backfill"]);
    assert!(finds(&place, "server_unreachable") && finds(&place, "outbox_full"));
    first_is(&place, &[], "store", &["the outbox is full", "1.0 MB"]);
}

#[test]
fn a_channel_that_fails_is_named_without_its_secret() {
    let nobody = Reserved::new();
    let shown = format!("webhook http://127.0.0.1:{}", nobody.port());
    let place = begun(&format!(
        "[[alert]]\nkind = \"webhook\"\nurl = \"http://bot:pw@127.0.0.1:{}/T0/secret\"\n",
        nobody.port()
    ));
    place.run(&ONCE).ends(1);
    let out = place.run(&DOCTOR).ends(1).out;
    assert!(
        out.contains(&format!("channels: the alert channel {shown} fails, since ")),
        "{out}"
    );
    assert!(!out.contains("secret") && !out.contains("pw"), "{out}");
}

#[test]
fn a_relay_of_the_worlds_mail_without_ours_is_named() {
    let place = Place::with(&format!("{KEEP_ALONE}{SOURCE}"));
    let world: String = (0..400)
        .map(|at| passed_on_at(now_ms() / 1_000 - 3_600 + at, "list").replace("[10.0.0.1]", "[93.184.216.34]"))
        .collect();
    place.write("logs/mainlog", world);
    place.run(&["backfill"]).ends(0);
    let next = first_is(&place, &[], "configuration", &["no [ours]", "came from the outside"]);
    assert!(next.ends_with("services discover"), "{next}");
}

/// Starts a daemon of the place.
fn start(place: &Place, args: &[&str]) -> Child {
    let words = || {
        File::options()
            .append(true)
            .create(true)
            .open(place.path("words"))
            .unwrap()
    };
    let command = &mut place.command();
    command.args(args).stdin(Stdio::null()).stdout(words()).stderr(words());
    command.spawn().unwrap()
}

#[test]
fn a_machine_without_faults_prints_one_line_and_daemons_that_end_are_named() {
    let place = Place::new();
    let (_hook, port) = hook(&place.path("posted"));
    let alert = format!("[[alert]]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/\"\n");
    place.write(
        "mailpulse.toml",
        format!("{KEEP}{SOURCE}{alert}[tail]\npoll_ms = 100\n"),
    );
    place.write("logs/mainlog", recent());
    let mut tail = start(&place, &["tail"]);
    let begin = Instant::now();
    while !place.path("store/catalogue.sqlite").exists() {
        assert!(begin.elapsed() < Duration::from_secs(60), "no store");
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut watch = start(&place, &["watch"]);
    // `nobody` of the machine that tests it may read nothing here; what this user may do is not the matter.
    let doctor = [&DOCTOR[..], &["--user", "root"]].concat();
    let good = loop {
        let run = place.run(&doctor);
        // Nothing is wrong either while the tail has yet to commit what it reads.
        if run.code == 0 && !run.out.contains(" 0 sources") {
            break run.out;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{}", run.out);
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(good.lines().count(), 1, "{good}");
    assert!(good.starts_with("nothing is wrong: 1 source, newest line "), "{good}");
    assert!(good.contains("1 alert channel"), "{good}");

    stop(&mut watch);
    let next = first_is(
        &place,
        &["--user", "root"],
        "channels",
        &["`mailpulse watch` is not running"],
    );
    let config = place.path("mailpulse.toml");
    assert_eq!(next, format!("mailpulse --config {} run", config.display()));
    stop(&mut tail);
    first_is(
        &place,
        &["--user", "root"],
        "freshness",
        &["`mailpulse tail` is not running"],
    );
}

#[test]
fn a_machine_without_a_configuration_is_told_to_make_one() {
    let place = Place::new();
    let run = Command::new(crate::util::PROGRAM)
        .args(["doctor", "--config", text(&place.path("none.toml"))])
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(1));
    let out = String::from_utf8(run.stdout).unwrap();
    assert!(out.starts_with("configuration: ") && out.contains("none.toml"), "{out}");
}

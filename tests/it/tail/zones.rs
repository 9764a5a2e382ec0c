//! A zone that message IDs prove wrong: `tail` and `status` tell it, `check` before anything is read, with the cure.

use crate::util::{KEEP, Place, Run, stop};
use std::fs;
use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const B62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// An Exim ID of a moment.
fn id(mut epoch: i64) -> String {
    let mut digits = Vec::new();
    for _ in 0..6 {
        digits.push(B62[(epoch % 62) as usize]);
        epoch /= 62;
    }
    digits.reverse();
    format!("{}-0004xF-2W", String::from_utf8(digits).unwrap())
}

/// Arrivals a minute apart from 2018-06-06T18:00Z on, as a log in a zone so many hours east has them.
fn lines(minutes: std::ops::Range<i64>, hours: i64) -> String {
    let line = |minute: i64| {
        let epoch = 1_528_308_000 + minute * 60;
        let at = jiff::Timestamp::from_second(epoch + hours * 3_600).unwrap();
        format!(
            "{} {} <= a@example.org H=x [192.0.2.1] P=esmtp S=900\n",
            at.strftime("%F %T"),
            id(epoch)
        )
    };
    minutes.map(line).collect()
}

fn configure(place: &Place, zone: &str) {
    let source = "[[source]]\nkind = \"exim\"\npaths = [\"logs/mainlog*\"]\nhost = \"mx1\"\n";
    place.write(
        "mailpulse.toml",
        format!("{KEEP}{source}timezone = \"{zone}\"\n[tail]\npoll_ms = 100\nrescan_s = 1\n"),
    );
}

fn tail(place: &Place) -> Child {
    let words = fs::File::create(place.path("words")).unwrap();
    let mut command = place.command();
    command.arg("tail").stdout(Stdio::null()).stderr(words).spawn().unwrap()
}

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(30), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn status(place: &Place) -> Run {
    place.run(&["status"])
}

const TOLD: [&str; 3] = [
    "+2 h from the times inside its message IDs",
    "UTC+02:00",
    "set `timezone`",
];

#[test]
fn a_wrong_zone_is_told_by_tail_and_status_until_it_is_right() {
    let place = Place::new();
    configure(&place, "UTC");
    let log = place.write("logs/mainlog", lines(0..4, 2));
    let mut child = tail(&place);
    until("the log is read", || status(&place).out.contains("mx1"));
    assert!(
        !status(&place).out.contains("message IDs"),
        "four arrivals prove nothing"
    );
    let mut file = fs::File::options().append(true).open(&log).unwrap();
    file.write_all(lines(4..9, 2).as_bytes()).unwrap();
    until("status shows it", || status(&place).out.contains("zone mx1 exim"));
    let words = fs::read_to_string(place.path("words")).unwrap();
    for word in TOLD {
        assert!(words.contains(word), "{word}: {words}");
        assert!(status(&place).out.contains(word), "{}", status(&place).out);
    }
    assert_eq!(words.matches("message IDs").count(), 1, "once an hour: {words}");
    let nagios = place.run(&["status", "--nagios"]).ends(1);
    assert!(
        nagios.out.starts_with("MAILPULSE WARNING - trouble: zone mx1 exim"),
        "{}",
        nagios.out
    );
    // Put right, it is gone.
    configure(&place, "Europe/Berlin");
    crate::util::signal(&child, "-HUP");
    file.write_all(lines(9..20, 2).as_bytes()).unwrap();
    until("status shows it no more", || {
        !status(&place).out.contains("zone mx1 exim")
    });
    stop(&mut child);
}

#[test]
fn check_tells_a_wrong_zone_and_this_machines_where_it_fits() {
    let place = Place::new();
    configure(&place, "UTC");
    place.write("logs/mainlog", lines(0..50, 2));
    place.write("logs/mainlog.1", lines(0..50, 2));
    place.run(&["check"]).ends(0).says(&TOLD).says(&[" and 1 other files"]);
    let mut command = place.command();
    command.arg("check").env("TZ", "Europe/Berlin");
    Run::of(command.output().unwrap())
        .ends(0)
        .says(&["`timezone = \"Europe/Berlin\"`, this machine's zone, which fits"]);
    for (zone, hours) in [("Europe/Berlin", 2), ("+02:00", 2), ("UTC", 0)] {
        configure(&place, zone);
        place.write("logs/mainlog", lines(0..50, hours));
        place.write("logs/mainlog.1", lines(0..50, hours));
        assert_eq!(place.run(&["check"]).ends(0).err, "", "{zone}");
    }
}

#[test]
fn init_on_a_host_in_local_time_proposes_its_zone() {
    let place = Place::new();
    place.write("root/var/log/exim4/mainlog", lines(0..9, 2));
    let init = |tz: &str| {
        let mut command = place.command();
        command
            .args(["init", "-", "--root"])
            .arg(place.path("root"))
            .env("TZ", tz);
        Run::of(command.output().unwrap()).ends(0).out
    };
    let text = init("Europe/Berlin");
    assert!(
        text.contains("timezone = \"Europe/Berlin\"") && text.contains("proved"),
        "{text}"
    );
    let text = init("Asia/Tokyo");
    assert!(text.contains("timezone = \"+02:00\""), "{text}");
    // Without message IDs the machine's zone is all there is to know.
    place.write("root/var/log/exim4/mainlog", "");
    let text = init("Asia/Tokyo");
    assert!(
        text.contains("timezone = \"Asia/Tokyo\"") && text.contains("by TZ"),
        "{text}"
    );
}

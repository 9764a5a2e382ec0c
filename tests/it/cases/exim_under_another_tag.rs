//! Exim under another tag of syslog: read where the tag stands on every line or is configured; else told, and never
//! passed over.

use super::{ONE_MAIL, backfill, input, kinds, reads};
use crate::util::{KEEP, Place};
use std::fs;

const CASE: &str = "11-exim-under-another-tag";
const SSHD: &str = "Nov 19 13:39:04 mx1 sshd[99]: ";

#[test]
fn a_tag_on_every_line_is_the_programs() {
    for file in ["mailer.log", "container.log"] {
        reads(CASE, file, "exim", "2025", ONE_MAIL);
    }
}

/// Exim's lines of the case, and others around them.
fn mixed() -> String {
    let mail = fs::read_to_string(input(CASE, "mailer.log")).unwrap();
    let others = (0..30).map(|n| format!("{SSHD}Accepted publickey for user{n} from 192.0.2.1 port 22\n"));
    others.collect::<String>() + &mail
}

fn configured(more: &str) -> Place {
    let source = format!("[[source]]\nkind = \"exim\"\npaths = [\"syslog\"]\nhost = \"mx1\"\nyear = 2025\n{more}");
    Place::with(&format!("{KEEP}{source}"))
}

#[test]
fn among_other_programs_it_is_unparsed_until_it_is_named() {
    let place = configured("");
    place.write("syslog", mixed());
    let totals = place.run(&["backfill"]).ends(0).totals();
    assert_eq!((totals.events, totals.ignored, totals.unparsed), (0, 30, 3));
    place
        .run(&["check"])
        .ends(0)
        .says(&["`mailer`", "syslog_tag = [\"mailer\"]", "not read"]);
    let parsed = place
        .run(&["parse", place.path("syslog").to_str().unwrap()])
        .ends(0)
        .out;
    assert_eq!(parsed.matches("\"status\":\"unparsed\"").count(), 3, "{parsed}");
    let nagios = place.run(&["status", "--nagios"]);
    assert_ne!(nagios.code, 0, "{}", nagios.out);

    let place = configured("syslog_tag = [\"mailer\"]\n");
    place.write("syslog", mixed());
    let totals = place.run(&["backfill"]).ends(0).totals();
    assert_eq!((totals.events, totals.ignored, totals.unparsed), (3, 30, 0));
    assert_eq!(kinds(&place), ONE_MAIL);
    assert_eq!(place.run(&["check"]).ends(0).err, "");
}

#[test]
fn a_user_name_in_sshds_log_is_no_mail() {
    let mail = fs::read_to_string(input(CASE, "mailer.log")).unwrap();
    let line = mail.lines().next().unwrap();
    let exim = &line[line.find("2025-").unwrap()..];
    let postfix =
        "Nov 19 13:39:04 mx1 postfix/qmgr[100]: 3A3D26C44CC: from=<app@example.org>, size=500, nrcpt=1 (queue active)";
    let real = "Nov 19 13:39:04 mx1 exim[7]: 2025-11-19 13:39:04 1vLh1s-00000001AbC-2DeF Completed\n";
    for text in [
        exim,
        &line[line.find("mailer").unwrap()..],
        postfix,
        "exim[1]: 2025-11-19 13:39:04 1vLh1s-00000001AbC-2DeF Completed",
    ] {
        let log = [
            "Invalid user ",
            "Connection closed by invalid user ",
            "Failed none for invalid user ",
        ]
        .map(|words| format!("{SSHD}{words}{text} from 192.0.2.1 port 22\n"))
        .concat();
        // Alone, where its tag stands on every line, and beside Exim's own.
        for (around, events) in [("", 0), (real, 1)] {
            for kind in ["exim", "postfix"] {
                let place = Place::new();
                let path = place.write("syslog", format!("{log}{around}"));
                let run = backfill(&place, &path, Some(kind), "2025");
                let expected = if kind == "exim" { events } else { 0 };
                assert_eq!(run.totals().events, expected, "{kind}: {log}");
                // Exim's log is none of Postfix', which is told.
                assert!(run.code == 0 || kind == "postfix", "{}", run.err);
            }
        }
    }
}

#[test]
fn lines_of_others_alone_are_unreadable() {
    let place = configured("");
    let log: String = (0..40).map(|n| format!("{SSHD}session {n} opened\n")).collect();
    place.write("syslog", log);
    let totals = place.run(&["backfill"]).ends(0).totals();
    assert_eq!((totals.events, totals.ignored, totals.unparsed), (0, 40, 0));
    assert_eq!(place.number("SELECT SUM(foreign_lines) AS n FROM sources"), 40);
    let nagios = place.run(&["status", "--nagios"]).ends(2);
    assert!(nagios.out.contains("unreadable: mx1 (exim)"), "{}", nagios.out);
    let told = place.run(&["status"]).ends(0).out;
    assert!(told.contains("written by other programs"), "{told}");
    place
        .run(&["check"])
        .ends(0)
        .says(&["none of its first 40 lines", "`sshd`", "syslog_tag"]);
}

#[test]
fn a_tag_that_cannot_be_one_is_refused() {
    let place = configured("syslog_tag = [\"exim[1]: \"]\n");
    place.run(&["check"]).ends(2).says(&["is not a syslog tag"]);
    let source = "[[source]]\nkind = \"gerrit\"\npaths = [\"x\"]\nsyslog_tag = [\"a\"]\n";
    Place::with(source)
        .run(&["check"])
        .ends(2)
        .says(&["`syslog_tag`", "exim and postfix"]);
}

#[test]
fn the_detection_says_unreadable_when_the_tag_changes() {
    // Two days of Exim among others, then it logs elsewhere. Another host goes on.
    let place = configured(
        "[[source]]\nkind = \"exim\"\npaths = [\"mainlog\"]\nhost = \"mx2\"\n[detect]\nfalse_alarms_per_service_per_90_days = 1\n",
    );
    let (mut syslog, mut mainlog) = (String::new(), String::new());
    for minute in 0..3000u32 {
        let (day, hour, minute_of) = (10 + minute / 1440, minute / 60 % 24, minute % 60);
        let id = format!("1vLh1s-00000001{:03X}-2DeF", minute);
        for text in [
            format!("{id} <= app@example.org U=app P=local S=900"),
            format!("{id} => b@example.net R=r T=remote_smtp H=mx.example.net [192.0.2.25]"),
            format!("{id} Completed"),
        ] {
            mainlog += &format!("2025-11-{day} {hour:02}:{minute_of:02}:04 {text}\n");
            if minute < 2880 {
                syslog += &format!("Nov {day} {hour:02}:{minute_of:02}:04 mx1 exim[1]: {text}\n");
            }
        }
        syslog += &format!("Nov {day} {hour:02}:{minute_of:02}:05 mx1 sshd[1]: session opened\n");
    }
    place.write("syslog", syslog);
    place.write("mainlog", mainlog);
    place.run(&["backfill"]).ends(0);
    let run = place.run(&["detect", "--format", "json"]);
    let alarms: Vec<serde_json::Value> = serde_json::from_str(&run.out).unwrap();
    let unreadable = |alarm: &&serde_json::Value| alarm["state"] == "unreadable";
    let found = alarms.iter().find(unreadable).unwrap_or_else(|| panic!("{alarms:?}"));
    assert!(
        found["onset"].as_str().unwrap().starts_with("2025-11-12T00:"),
        "{found}"
    );
    let nagios = place.run(&["status", "--nagios"]).ends(2);
    assert!(nagios.out.contains("unreadable: mx1 (exim)"), "{}", nagios.out);
}

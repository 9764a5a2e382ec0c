//! What `check` refuses before it costs an alarm, and what `services discover` proposes it takes.

use crate::util::{KEEP, Place};
use mailpulse::simulate::{Outage2018, outage_2018};

const SOURCE: &str = "[[source]]\nkind = \"exim\"\npaths = [\"mainlog\"]\nhost = \"mx1\"\n";

fn place(more: &str) -> Place {
    let place = Place::with(&format!("{KEEP}{SOURCE}{more}"));
    place.write("mainlog", "");
    place
}

#[test]
fn what_a_channel_needs_is_there_or_check_refuses() {
    for (channel, words) in [
        (
            "[[alert]]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/\"\nkey_file = \"hook.key\"\n",
            &["mailpulse.toml:15: ", "hook.key: No such file", "openssl rand"][..],
        ),
        (
            "[[alert]]\nkind = \"exec\"\ncommand = [\"mailpulse-nosuch-pager\", \"-x\"]\n",
            &["mailpulse.toml:14: `mailpulse-nosuch-pager` is not a program in PATH"],
        ),
        (
            "[[alert]]\nkind = \"exec\"\ncommand = [\"/nowhere/page\"]\n",
            &["mailpulse.toml:14: `/nowhere/page` does not exist"],
        ),
        (
            "[[alert]]\nkind = \"alertmanager\"\nurl = \"http://am.example.org:99999\"\n",
            &[
                "mailpulse.toml:14:7: ",
                "has a port that is not a number from 1 to 65535",
            ],
        ),
        (
            "[clickhouse]\npassword_file = \"ch.password\"\n",
            &["[clickhouse] password_file: ", "ch.password: No such file"],
        ),
    ] {
        place(channel).run(&["check"]).ends(2).says(words);
    }
    let good = place("[[alert]]\nkind = \"exec\"\ncommand = [\"sh\", \"-c\", \"cat\"]\n");
    assert_eq!(good.run(&["check"]).ends(0).err, "");
}

#[test]
fn a_key_of_pseudonyms_that_is_missing_is_told_and_refused_once_rows_were_made_with_it() {
    let place = Place::with(&format!(
        "[store]\nurl = \"store\"\n[privacy]\nkey_file = \"our.key\"\n{SOURCE}"
    ));
    place.write(
        "mainlog",
        "2018-06-06 19:00:00 1fQdLN-0001Ab-Cd <= shop@example.org H=web1.example.org [192.0.2.7] P=esmtp S=900\n",
    );
    place.run(&["check"]).ends(0).says(&[
        "warning: ",
        "our.key: the key file does not exist; the first run creates one",
    ]);
    place.run(&["backfill"]).ends(0);
    assert_eq!(place.run(&["check"]).ends(0).err, "");
    std::fs::remove_file(place.path("our.key")).unwrap();
    place.run(&["check"]).ends(2).says(&[
        "mailpulse.toml:4: ",
        "the store has rows whose pseudonyms were made with it",
    ]);
    place.write("our.key", "junk");
    place
        .run(&["check"])
        .ends(2)
        .says(&["mailpulse.toml:4: ", "its mode is "]);
}

#[test]
fn two_services_with_one_match_are_refused_by_check_and_stop_no_daemon() {
    let rules = "[[service]]\nname = \"a\"\nmatch = [{ client = \"Web1\", sender_domain = \"x.org\" }]\n\
                 [[service]]\nname = \"b\"\nmatch = [{ sender_domain = \"x.org\", client = \"web1\" }]\n\
                 [[service]]\nname = \"c\"\nmatch = [{ client = \"web1\", sender_domain = \"x.org\", user = \"u\" }, \
                 { client = \"web2\" }]\n";
    let place = place(rules);
    let run = place.run(&["check"]).ends(2).says(&[
        "services `a` (",
        "mailpulse.toml:14) and `b` have one match: the first wins",
        "this entry never matches: that of service `a` at ",
    ]);
    assert_eq!(run.err.matches("never matches").count(), 2, "{}", run.err);
    // It was so before the upgrade too.
    place.run(&["backfill"]).ends(0);
}

#[test]
fn a_configuration_without_sources_says_so() {
    let place = Place::with("[store]\nurl = \"store\"\n");
    place
        .run(&["check"])
        .ends(0)
        .says(&["no [[source]] is configured", "mailpulse init"]);
}

#[test]
fn each_path_without_a_file_is_told_once() {
    let place = Place::with(&format!(
        "{KEEP}[[source]]\nkind = \"exim\"\npaths = [\"/nonexistent/mainlog\", \"no*/mainlog\"]\nhost = \"mx1\"\n"
    ));
    let run = place.run(&["check"]).ends(0).says(&[
        "mailpulse.toml:8: \"/nonexistent/mainlog\": no such file or folder",
        "no*/mainlog\": no file matches",
    ]);
    assert_eq!(run.err.lines().count(), 2, "{}", run.err);
}

#[test]
fn an_rrule_that_is_not_understood_is_told() {
    let place = place("[detect]\nholidays = [\"team.ics\"]\n");
    let file = place.write(
        "team.ics",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20180521\nRRULE:FREQ=MONTHLY\nEND:VEVENT\nEND:VCALENDAR\n",
    );
    let words = "line 4: this RRULE is not supported, and its event counts once; write the date of each year";
    place.run(&["check"]).ends(0).says(&["holidays `team.ics`, ", words]);
    let counts = place.write("counts.csv", "series,ts,count\na,2018-05-21T00:00:00Z,1\n");
    let (file, counts) = (file.to_str().unwrap(), counts.to_str().unwrap());
    let run = place
        .run(&["detect", "--csv", counts, "--holidays", file])
        .says(&["--holidays: ", words]);
    assert_ne!(run.code, 2, "{}", run.err);
}

#[test]
fn the_words_of_the_detection_are_explained_where_they_are_printed() {
    let place = Place::new();
    let counts = place.write("counts.csv", "series,ts,count\na,2018-05-21T00:00:00Z,1\n");
    let args = ["detect", "--csv", counts.to_str().unwrap(), "--explain"];
    place.run(&args).says(&[
        "  dropped: far less mail than",
        "  score: ",
        "  blind: the log itself does not arrive",
    ]);
}

#[test]
fn verbose_says_what_a_command_works_with() {
    let place = place("");
    place.run(&["backfill"]).ends(0);
    assert_eq!(place.run(&["status", "--nagios"]).err, "");
    let words = [
        "configuration: ",
        "mailpulse.toml",
        "1 source, services derived from senders",
        "store: ",
        "done in ",
    ];
    place.run(&["-v", "status", "--nagios"]).says(&words);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn rules_are_proposed_for_what_a_new_store_derives_and_name_the_same_mail() {
    let place = Place::new();
    let spec = Outage2018 {
        seed: 7,
        history_days: 1,
        mails_per_day_scale: 0.1,
    };
    outage_2018(&place.path("logs"), &spec).expect("logs");
    let log = place.path("logs/mx1001");
    place.backfill(&[&log]).ends(0);
    let discovered = place
        .run(&["services", "discover", "--since", "2018-01-01"])
        .ends(0)
        .says(&["no [[service]] is configured"]);
    let rules: toml::Table = discovered.out.parse().expect("TOML");
    let mut names: Vec<&str> = rules["service"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["name"].as_str().unwrap())
        .collect();
    let proposed = names.len();
    names.sort_unstable();
    names.dedup();
    assert!(names.len() == proposed && proposed > 5, "{}", discovered.out);

    let pasted = Place::with(&format!("{KEEP}{SOURCE}{}", discovered.out));
    pasted.write("mainlog", "");
    assert_eq!(pasted.run(&["check"]).ends(0).err, "");
    pasted.backfill(&[&log]).ends(0);
    for service in ["gerrit", "phabricator", "sentry"] {
        assert!(names.contains(&service), "{}", discovered.out);
        let sql = format!("SELECT SUM(messages) AS n FROM events WHERE kind = 'accepted' AND service = '{service}'");
        let (derived, ruled) = (place.number(&sql), pasted.number(&sql));
        assert!(
            derived > 0 && derived == ruled,
            "{service}: {derived} derived, {ruled} by rules\n{}",
            discovered.out
        );
    }
}

#[test]
fn services_that_an_applications_log_names_keep_to_the_bound_and_status_says_that_it_is_met() {
    let source = "[[source]]\nkind = \"pattern\"\npaths = [\"app.log\"]\nhost = \"web1\"\n\
                  [[source.template]]\noutcome = \"failed\"\n\
                  text = \"{time:%Y-%m-%d %H:%M:%S} {logger} to {recipient} failed: {reason}\"\n";
    let place = Place::with(&format!(
        "[store]\nurl = \"store\"\nservices_max = 10\n[privacy]\nlocal_parts = \"keep\"\n{source}"
    ));
    let line = |n: usize| format!("2018-06-06 19:00:{:02} app{n} to a@x.org failed: timed out\n", n % 60);
    place.write("app.log", (0..25).map(line).collect::<String>());
    place.run(&["backfill"]).ends(0);
    // The last record may go on: it is not counted yet.
    assert_eq!(place.number("SELECT COUNT(DISTINCT service) AS n FROM events"), 11);
    assert_eq!(
        place.number("SELECT COUNT(*) AS n FROM events WHERE service = 'unattributed'"),
        14
    );
    let status = place.run(&["status"]).ends(0).out;
    assert!(
        status.contains("services: all 10 of store.services_max are in use"),
        "{status}"
    );
    // Names that are known already stay, also in a run of their own.
    let more = (0..25).chain([3, 99, 98]).map(line).collect::<String>();
    place.write("app.log", more);
    place.run(&["backfill"]).ends(0);
    assert_eq!(
        place.number("SELECT COUNT(*) AS n FROM events WHERE service = 'app3'"),
        2
    );
    assert_eq!(
        place.number("SELECT COUNT(*) AS n FROM events WHERE service = 'app99'"),
        0
    );
}

#[test]
fn names_are_cut_at_255_bytes() {
    let place = place("");
    let long = format!("{}.example.org", "\u{e9}".repeat(2_000));
    place.write(
        "mainlog",
        format!(
            "2018-06-06 19:00:00 1fQdLN-0001Ab-Cd <= a@{long} H=web1.example.org [192.0.2.7] P=esmtp S=900\n\
             2018-06-06 19:00:01 1fQdLN-0001Ab-Cd => b@{long} R=r T=remote_smtp H=mx.example.com [192.0.2.8]\n"
        ),
    );
    place.run(&["backfill"]).ends(0);
    let rows = place.sql("SELECT sender_domain, recipient_domain FROM events ORDER BY ts_ms");
    let length = |row: usize, key: &str| rows[row][key].as_str().unwrap().len();
    assert_eq!(
        (length(0, "sender_domain"), length(1, "recipient_domain")),
        (254, 254),
        "{rows:?}"
    );
    // Read once more, it is the same mail.
    place.run(&["backfill"]).ends(0);
    assert_eq!(place.number("SELECT COUNT(*) AS n FROM events"), 2);
}

/// A mail of the backup at a minute of June 2018.
fn backup_at(day: u32, clock: &str) -> String {
    format!(
        "2018-06-{day:02} {clock}:00 1fQd{day:02}-0001Ab-Cd <= backup@example.org H=web1.example.org [192.0.2.7] P=esmtp S=900\n"
    )
}

#[test]
fn check_says_what_a_schedule_would_have_said_of_the_last_two_weeks() {
    let rules = "[[service]]\nname = \"backup\"\nmatch = [{ sender = \"backup@example.org\" }]\n";
    let schedule = |service: &str| {
        format!(
            "{KEEP}{SOURCE}{rules}[[schedule]]\nservice = \"{service}\"\ntime = \"06:10\"\ngrace_minutes = 20\n\
             days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"]\n"
        )
    };
    let place = Place::with(&schedule("backup"));
    // Monday the 4th to Sunday the 17th; on the 13th it is late.
    let mut log = String::new();
    for day in 1..=17 {
        log += &backup_at(day, if day == 13 { "07:00" } else { "06:05" });
    }
    place.write("mainlog", log + &backup_at(18, "00:00"));
    let says = |words: &str| {
        let out = place.run(&["check"]).ends(0).out;
        assert!(out.contains(words), "{words}: {out}");
    };
    says("schedule of backup, 06:10 ± 20 min: nothing is stored yet");
    place.run(&["backfill"]).ends(0);
    says(
        "schedule of backup, 06:10 ± 20 min: the last 14 days: 9 of 10 on time, 1 late or missing (last on 2018-06-13)",
    );
    let alarms = place.run(&["detect", "--format", "json"]).ends(1).out;
    let alarms: serde_json::Value = serde_json::from_str(&alarms).unwrap();
    let alarms = alarms.as_array().unwrap();
    assert_eq!(alarms.len(), 1, "{alarms:#?}");
    assert_eq!(alarms[0]["state"], "overdue");
    assert_eq!(alarms[0]["onset"], "2018-06-13T06:10:00Z");
    assert_eq!(alarms[0]["detected"], "2018-06-13T06:31:00Z");
    assert_eq!(alarms[0]["ended"], "2018-06-13T07:00:00Z");
    assert_eq!(alarms[0]["evidence"][1], "it came 50 min late, at 07:00 UTC");
    place.write("mailpulse.toml", schedule("backups"));
    place
        .run(&["check"])
        .ends(0)
        .says(&["warning: [[schedule]]: ", "no service `backups`; there are backup"]);
}

//! Applications' logs: those of the simulated outage against what the simulator wrote, and records that are cut by a
//! rotation, by a run, or by a clock.

use crate::query::OUTAGE;
use crate::util::{Place, assert_same_answers, assert_same_rows};
use mailpulse::simulate::{Outage2018, Phase, outage_2018};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

const SERVICES: [&str; 8] = [
    "phabricator",
    "gerrit",
    "hue",
    "iegreview",
    "oozie",
    "wikimania_scholarships",
    "sentry",
    "snapshot",
];

#[test]
#[ignore = "slow: tests/run runs it"]
fn every_service_failed_as_often_as_the_simulator_wrote() {
    let (place, truth) = &*OUTAGE;
    // Mails whose first failure is told, failures told, and successes told, by service and phase.
    let mut stored: BTreeMap<(String, Phase), [u64; 3]> = BTreeMap::new();
    for row in place.sql("SELECT service, kind, ts_ms, messages FROM events WHERE kind LIKE 'submit%'") {
        let second = row["ts_ms"].as_i64().unwrap().div_euclid(1000);
        let phase = match second {
            t if t < truth.stopped => Phase::Before,
            t if t < truth.restarted => Phase::Outage,
            _ => Phase::After,
        };
        let service = row["service"].as_str().unwrap().to_owned();
        let sums = stored.entry((service, phase)).or_default();
        if row["kind"] == "submitted" {
            sums[2] += 1;
        } else {
            sums[0] += row["messages"].as_u64().unwrap();
            sums[1] += 1;
        }
    }
    let mut failed_in_outage = BTreeSet::new();
    for ((service, phase), said) in &truth.apps.counts {
        let sums = stored.remove(&(service.clone(), *phase)).unwrap_or_default();
        assert_eq!(
            sums,
            [said.submit_failed, said.failures, said.submitted],
            "{service} {phase:?}: mails, failures, successes"
        );
        if *phase == Phase::Outage && said.failures > 0 {
            failed_in_outage.insert(service.as_str());
        }
    }
    assert!(stored.is_empty(), "nobody else: {stored:?}");
    assert!(failed_in_outage.len() >= 6, "{failed_in_outage:?}");
    assert!(failed_in_outage.iter().all(|service| SERVICES.contains(service)));
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn every_mails_first_failure_is_at_its_second() {
    let (place, truth) = &*OUTAGE;
    for (service, seconds) in &truth.apps.failed {
        let sql = format!(
            "SELECT ts_ms FROM events WHERE kind = 'submit_failed' AND messages = 1 AND service = '{service}' ORDER BY ts_ms"
        );
        let stored: Vec<i64> = place
            .sql(&sql)
            .iter()
            .map(|row| row["ts_ms"].as_i64().unwrap().div_euclid(1000))
            .collect();
        assert_eq!(&stored, seconds, "{service}");
    }
    assert!(truth.apps.failed.values().map(Vec::len).sum::<usize>() > 20);
}

#[test]
fn failures_in_the_outage_say_that_the_connection_was_refused() {
    let (place, truth) = &*OUTAGE;
    let sql = format!(
        "SELECT reason, COUNT(*) AS n FROM events WHERE kind = 'submit_failed' AND ts_ms >= {} AND ts_ms < {} \
         GROUP BY reason ORDER BY n DESC",
        truth.stopped * 1000,
        truth.restarted * 1000
    );
    let reasons = place.sql(&sql);
    assert!(reasons.iter().all(|row| row["reason"] != ""), "{reasons:?}");
    assert_eq!(reasons[0]["reason"], "connection_refused", "{reasons:?}");
}

/// The simulator's Phabricator, whole and cut: a task that is tried again is one mail, whoever read its first line.
#[test]
#[ignore = "slow: tests/run runs it"]
fn a_log_read_in_pieces_gives_the_same_rows() {
    let whole = Place::new();
    let truth = outage_2018(&whole.path("sim"), &Outage2018::small(7)).expect("logs");
    assert!(truth.apps.service("phabricator").failures > truth.apps.service("phabricator").submit_failed);
    let mut compared = 0;
    for (kind, host, file) in [
        ("phabricator", "phab1001", "daemons.log"),
        ("gerrit", "cobalt", "error_log"),
        ("gerrit", "gerrit2001", "error_log.json"),
        ("oozie", "an-coord1001", "oozie.log"),
        ("sentry", "sentry1001", "worker.log"),
        ("dumps", "snapshot1005", "dumps.log"),
    ] {
        let path = largest(&whole.path(&format!("sim/apps/{host}")), file);
        let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        let source = format!(
            "{}[[source]]\nkind = \"{kind}\"\nhost = \"{host}\"\npaths = [\"log/*\"]\n",
            crate::util::KEEP
        );
        let place_of = |pieces: usize| {
            let place = Place::with(&source);
            let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
            let mut so_far = Vec::new();
            for piece in lines.chunks(lines.len().div_ceil(pieces).max(1)) {
                so_far.extend(piece.concat());
                let log = place.write(&format!("log/{file}"), &so_far);
                // Until it is whole it is still being written.
                if so_far.len() == text.len() {
                    set_modified(&log, written);
                }
                let run = place.run(&["backfill"]).ends(0);
                assert_eq!(run.totals().unparsed, 0, "{}", run.out);
            }
            place
        };
        let once = place_of(1);
        // Dumps seldom fail.
        if once.events() > 0 && kind != "sentry" {
            assert_same_rows(&once.rows(), &place_of(5).rows());
            compared += 1;
        }
    }
    assert!(compared >= 3, "{compared}");
}

/// The largest plain file of a log.
fn largest(folder: &Path, name: &str) -> std::path::PathBuf {
    let mut files: Vec<(u64, std::path::PathBuf)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| {
            let file = entry.file_name().into_string().unwrap();
            file.starts_with(name) && !file.ends_with(".gz") && (name.ends_with(".json") || !file.contains(".json"))
        })
        .map(|entry| (entry.metadata().unwrap().len(), entry.path()))
        .collect();
    files.sort();
    files
        .pop()
        .unwrap_or_else(|| panic!("{name} in {}", folder.display()))
        .1
}

fn set_modified(path: &Path, time: SystemTime) {
    fs::File::options()
        .append(true)
        .open(path)
        .unwrap()
        .set_modified(time)
        .unwrap();
}

fn at(path: &Path, time: &str) {
    let time: jiff::Timestamp = time.parse().unwrap();
    set_modified(path, time.into());
}

const FIRST: &str = "[2018-06-06 19:02:11,123] [SendEmail-1] ERROR com.google.gerrit.server.change.EmailReviewComments : Cannot email comments for 437890,3\n";
const TRACE: &str = "com.google.gerrit.common.errors.EmailException: Cannot send outgoing email\n\
    \tat com.google.gerrit.server.mail.send.SmtpEmailSender.open(SmtpEmailSender.java:366)\n\
    Caused by: java.net.ConnectException: Connection refused (Connection refused)\n\
    \t... 12 more\n";
const BEFORE: &str = "[2018-06-06 19:02:10,001] [main] INFO  com.google.gerrit.pgm.Daemon : ready\n";
const AFTER: &str = "[2018-06-06 19:03:11,001] [main] INFO  com.google.gerrit.pgm.Daemon : ready\n";

fn gerrit() -> Place {
    Place::with(&format!(
        "{}[[source]]\nkind = \"gerrit\"\nhost = \"cobalt\"\npaths = [\"log/*\"]\n",
        crate::util::KEEP
    ))
}

/// Exactly one failed mail, with the cause that stands in the trace, and all lines accounted for.
#[track_caller]
fn one_refused(place: &Place, lines: i64) {
    let rows = place.sql("SELECT kind, reason, messages, log_offset, ts FROM events");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["kind"], "submit_failed");
    assert_eq!(rows[0]["reason"], "connection_refused", "{rows:?}");
    assert_eq!(rows[0]["messages"], 1);
    assert_eq!(rows[0]["ts"], "2018-06-06T19:02:11.123Z");
    assert_eq!(place.number("SELECT SUM(lines) AS n FROM sources"), lines);
}

#[test]
fn a_record_that_a_rotation_cuts_is_one_with_its_cause() {
    // Read together, long afterwards.
    let place = gerrit();
    for (name, text) in [
        ("log/error_log.1", format!("{BEFORE}{FIRST}")),
        ("log/error_log", format!("{TRACE}{AFTER}")),
    ] {
        at(&place.write(name, text), "2018-06-06T19:10:00Z");
    }
    place.run(&["backfill"]).ends(0);
    one_refused(&place, 7);
    place.run(&["backfill"]).ends(0);
    one_refused(&place, 7);
    // The first run comes while the first line is the newest of a live log; then it is rotated.
    let place = gerrit();
    place.write("log/error_log", format!("{BEFORE}{FIRST}"));
    place.run(&["backfill"]).ends(0);
    fs::rename(place.path("log/error_log"), place.path("log/error_log.1")).unwrap();
    place.write("log/error_log", format!("{TRACE}{AFTER}"));
    place.run(&["backfill"]).ends(0);
    // The newest record of the live log still waits.
    one_refused(&place, 6);
    at(&place.path("log/error_log"), "2018-06-06T19:10:00Z");
    place.run(&["backfill"]).ends(0);
    one_refused(&place, 7);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_record_that_is_still_being_written_is_read_when_it_is_whole() {
    for cut in [0, 10, TRACE.find('\n').unwrap() + 1, TRACE.len() - 3] {
        let place = gerrit();
        place.write("log/error_log", format!("{BEFORE}{FIRST}{}", &TRACE[..cut]));
        place.run(&["backfill"]).ends(0);
        assert_eq!(place.events(), 0, "cut at {cut}: it waits");
        place.write("log/error_log", format!("{BEFORE}{FIRST}{TRACE}{AFTER}"));
        place.run(&["backfill"]).ends(0);
        // The last record of a live log waits too.
        at(&place.path("log/error_log"), "2018-06-06T19:10:00Z");
        place.run(&["backfill"]).ends(0);
        one_refused(&place, 7);
        let whole = gerrit();
        at(
            &whole.write("log/error_log", format!("{BEFORE}{FIRST}{TRACE}{AFTER}")),
            "2018-06-06T19:10:00Z",
        );
        whole.run(&["backfill"]).ends(0);
        assert_same_rows(&whole.rows(), &place.rows());
    }
}

#[test]
fn times_of_day_get_their_dates_over_midnights_also_packed() {
    let failed = |time: &str, n: u32| {
        format!(
            "{time} [ERROR] celery.worker.job: Task sentry.tasks.email.send_email[5b0e8a1c-1111-2222-3333-4444555566{n:02}] raised unexpected: SMTPServerDisconnected('Connection unexpectedly closed',)\n"
        )
    };
    let times = ["22:10:00", "23:59:59", "00:00:01", "12:00:00", "23:00:00", "01:30:00"];
    let text: String = times.iter().zip(10..).map(|(time, n)| failed(time, n)).collect();
    let expected = [
        "2018-06-05T22:10:00Z",
        "2018-06-05T23:59:59Z",
        "2018-06-06T00:00:01Z",
        "2018-06-06T12:00:00Z",
        "2018-06-06T23:00:00Z",
        "2018-06-07T01:30:00Z",
    ];
    for packed in [false, true] {
        let place = Place::with(&format!(
            "{}[[source]]\nkind = \"sentry\"\nhost = \"sentry1001\"\npaths = [\"log/*\"]\n",
            crate::util::KEEP
        ));
        let log = if packed {
            let bytes = crate::logs::packed("gzip", text.as_bytes());
            place.write("log/worker.log.1.gz", bytes)
        } else {
            place.write("log/worker.log", &text)
        };
        at(&log, "2018-06-07T01:30:02Z");
        let run = place.run(&["backfill"]).ends(0);
        assert_eq!(run.totals().unparsed, 0, "{}", run.out);
        let stored: Vec<String> = place
            .sql("SELECT ts FROM events ORDER BY log_offset")
            .iter()
            .map(|row| row["ts"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(stored, expected, "packed: {packed}");
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_task_that_is_tried_again_is_one_mail_also_over_two_runs() {
    let failure = |minute: u32, task: u32| {
        format!(
            "[06-Jun-2018 19:{minute:02}:11 UTC] [2018-06-06 19:{minute:02}:11] EXCEPTION: (PhutilProxyException) Error while executing Task ID {task}. {{>}} (phpmailerException) SMTP Error: Could not connect to SMTP host. at [<phabricator>/externals/phpmailer/class.phpmailer.php:804]\n\
             [06-Jun-2018 19:{minute:02}:11 UTC]   #0 <#2> PHPMailer::SmtpConnect() called at [x.php:501]\n"
        )
    };
    let records = [(1, 11), (2, 12), (5, 11), (6, 12), (9, 11), (10, 13)].map(|(minute, task)| failure(minute, task));
    for cut in 0..records.len() {
        let place = Place::with(&format!(
            "{}[[source]]\nkind = \"phabricator\"\nhost = \"phab1001\"\npaths = [\"log/*\"]\n",
            crate::util::KEEP
        ));
        if cut > 0 {
            at(
                &place.write("log/daemons.log", records[..cut].concat()),
                "2018-06-06T19:10:00Z",
            );
            place.run(&["backfill"]).ends(0);
        }
        at(
            &place.write("log/daemons.log", records.concat()),
            "2018-06-06T19:20:00Z",
        );
        place.run(&["backfill"]).ends(0);
        let sum = |column: &str| {
            place.number(&format!(
                "SELECT {column} AS n FROM events WHERE kind = 'submit_failed'"
            ))
        };
        assert_eq!((sum("SUM(messages)"), sum("COUNT(*)")), (3, 6), "cut at {cut}");
        assert_eq!(place.number("SELECT COUNT(DISTINCT queue_id) AS n FROM events"), 3);
    }
}

#[test]
fn a_record_in_both_of_hues_files_is_one() {
    let record = |second: u32| {
        format!(
            "[06/Jun/2018 19:02:{second:02} +0000] views        ERROR    Failed to send query completion notification via e-mail: [Errno 111] Connection refused\n"
        )
    };
    let noise = "[06/Jun/2018 19:02:00 +0000] access       INFO     10.64.1.1 ann - \"GET /desktop HTTP/1.1\"\n";
    let (all, errors) = (
        format!("{noise}{}{}", record(11), record(12)),
        format!("{}{}", record(11), record(12)),
    );
    let config = format!(
        "{}[[source]]\nkind = \"hue\"\nhost = \"thorium\"\npaths = [\"log/*.log\"]\n",
        crate::util::KEEP
    );
    let mut answers = Vec::new();
    for order in [["runcpserver", "error"], ["error", "runcpserver"]] {
        let place = Place::with(&config);
        for name in order {
            let text = if name == "error" { &errors } else { &all };
            at(&place.write(&format!("log/{name}.log"), text), "2018-06-06T19:10:00Z");
            place.run(&["backfill"]).ends(0);
        }
        let rows = place.sql("SELECT ts, kind, reason, messages, recipients, service FROM events ORDER BY ts");
        assert_eq!(rows.len(), 2, "{order:?}");
        answers.push(rows);
    }
    assert_same_answers(&answers[0], &answers[1]);
}

#[test]
fn an_undated_record_has_the_time_of_the_line_before_it() {
    let place = Place::with(&format!(
        "{}[[source]]\nkind = \"dumps\"\nhost = \"snapshot1005\"\npaths = [\"log/*\"]\n",
        crate::util::KEEP
    ));
    let text = "2018-06-06 19:02:10: enwiki Checkdir dir /mnt/data/public/enwiki/20180601 ...\n\
        2018-06-06 19:02:11: enwiki Starting dump of enwiki\n\
        MAIL SEND FAILED! GODDAMIT! Was sending this mail:\n\
        Content-Type: text/plain; charset=\"us-ascii\"\n\
        MIME-Version: 1.0\n\
        Content-Transfer-Encoding: 7bit\n\
        Subject: Dump failure for enwiki\n\
        From: root@snapshot1005\n\
        To: ops-dumps@wikimedia.org\n\
        \n\
        2018-06-06 19:02:15: enwiki dump failed\n";
    at(&place.write("log/dumps.log", text), "2018-06-06T20:00:00Z");
    place.run(&["backfill"]).ends(0);
    let rows = place.sql("SELECT ts, kind, service FROM events");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["ts"], "2018-06-06T19:02:11Z");
    assert_eq!(
        (&rows[0]["kind"], &rows[0]["service"]),
        (&"submit_failed".into(), &"snapshot".into())
    );
}

#[test]
fn the_turn_of_the_year_is_no_year_ago() {
    // The daemons' overseer prints whole dates; syslog's have no year: see postfix_queue. Here a time of day at New Year.
    let place = Place::with(&format!(
        "{}[[source]]\nkind = \"sentry\"\nhost = \"sentry1001\"\npaths = [\"log/*\"]\n",
        crate::util::KEEP
    ));
    let line = |time: &str, n: u32| {
        format!(
            "{time} [ERROR] celery.worker.job: Task sentry.tasks.email.send_email[5b0e8a1c-1111-2222-3333-4444555566{n:02}] raised unexpected: SMTPServerDisconnected('x',)\n"
        )
    };
    let log = place.write("log/worker.log", line("23:59:58", 10) + &line("00:00:03", 11));
    at(&log, "2019-01-01T00:00:03Z");
    place.run(&["backfill"]).ends(0);
    let days: Vec<String> = place
        .sql("SELECT ts FROM events ORDER BY ts")
        .iter()
        .map(|row| row["ts"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(days, ["2018-12-31T23:59:58Z", "2019-01-01T00:00:03Z"]);
}

#[test]
fn the_repeated_hour_is_told_apart_over_rounds_and_restarts() {
    // Summer time ends: 02:00 to 03:00 comes twice. Lines arrive one by one, each read by a run of its own.
    let line = |time: &str| {
        format!(
            "[2018-10-28 {time},000] [SendEmail-1] ERROR com.google.gerrit.server.change.EmailReviewComments : Cannot email comments for 4,3\n"
        )
    };
    let times = [
        "01:30:00", "02:10:00", "02:50:00", "02:05:00", "02:20:00", "02:55:00", "03:01:00",
    ];
    let utc = [
        "23:30:00", "00:10:00", "00:50:00", "01:05:00", "01:20:00", "01:55:00", "02:01:00",
    ];
    let expected: Vec<String> = utc
        .iter()
        .enumerate()
        .map(|(at, time)| format!("2018-10-{}T{time}Z", if at == 0 { 27 } else { 28 }))
        .collect();
    for step in [1, 2, 3, times.len()] {
        let place = Place::with(&format!(
            "{}[[source]]\nkind = \"gerrit\"\nhost = \"cobalt\"\ntimezone = \"Europe/Berlin\"\npaths = [\"log/*\"]\n",
            crate::util::KEEP
        ));
        let mut text = String::new();
        for lines in times.chunks(step) {
            text += &lines.iter().map(|time| line(time)).collect::<String>();
            at(&place.write("log/error_log", &text), "2018-10-28T08:00:00Z");
            place.run(&["backfill"]).ends(0);
        }
        let rows = place.sql("SELECT ts FROM events ORDER BY ts");
        let told: Vec<&str> = rows.iter().map(|row| row["ts"].as_str().unwrap()).collect();
        assert_eq!(told, expected, "{step} lines a run");
    }
}

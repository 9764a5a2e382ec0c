use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::UNIX_EPOCH;

use flate2::read::MultiGzDecoder;
use serde_json::Value;
use tempfile::TempDir;

use super::super::clock::{DAY, HOUR, MINUTE, RESTARTED, STOPPED, UNTIL, civil};
use super::super::impact::{Fate, Phase};
use super::super::truth::Truth;
use super::super::{Outage2018, outage_2018};
use super::files::Rotation;
use super::*;

/// The logs of a small outage.
static SMALL: LazyLock<(TempDir, Truth)> = LazyLock::new(|| {
    let dir = TempDir::new().unwrap();
    let truth = outage_2018(dir.path(), &Outage2018::small(11)).unwrap();
    (dir, truth)
});

fn text(path: &Path) -> String {
    let mut text = String::new();
    let mut file = File::open(path).unwrap();
    match path.extension().is_some_and(|e| e == "gz") {
        true => MultiGzDecoder::new(file).read_to_string(&mut text).unwrap(),
        false => file.read_to_string(&mut text).unwrap(),
    };
    text
}

/// Files of a host's log in order of time, by what is on the disk.
fn files(host: &str, name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(SMALL.0.path().join("apps").join(host)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with(name));
    files.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
    files
}

/// A host's whole log.
fn log_of(host: &str, name: &str) -> String {
    files(host, name).iter().map(|path| text(path)).collect()
}

/// The whole logs of a service, one a host; the second file of Hue left out.
fn logs(service: &str) -> Vec<String> {
    let of_service = LOGS
        .iter()
        .filter(|log| log.service == service && log.file != "error.log");
    of_service.map(|log| log_of(log.host, log.file)).collect()
}

/// Lines of a service that say that a mail failed, by the application's own words.
fn failures(service: &str) -> Vec<String> {
    let is_failure = |line: &&str| match service {
        "phabricator" => line.contains("EXCEPTION: ") && line.contains("SMTP Error: "),
        "gerrit" => line.contains("Cannot email ") || line.contains("Cannot send email "),
        "hue" => line.contains("Failed to send query completion notification"),
        "oozie" => line.contains("ErrorCode [EM007]"),
        "sentry" => line.contains("Task sentry.tasks.email.send_email[") && line.contains("] raised unexpected: "),
        "snapshot" => line.starts_with("MAIL SEND FAILED! GODDAMIT! Was sending this mail:"),
        _ => line.contains(r#""method":"Wikimedia\\Slimapp\\Mailer::mail""#),
    };
    logs(service)
        .iter()
        .flat_map(|log| log.lines().filter(is_failure).map(str::to_owned))
        .collect()
}

/// What a task of Phabricator is called in a line.
fn task(line: &str) -> &str {
    line.split("Task ID ").nth(1).unwrap().split('.').next().unwrap()
}

/// Runs of digits become one `9`: what a format fixes, and what it leaves open.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    for c in line.chars() {
        match c {
            '0'..='9' if shape.ends_with('9') => {}
            '0'..='9' => shape.push('9'),
            c => shape.push(c),
        }
    }
    shape
}

/// Seconds since the epoch of `2018-06-06 19:02:11` or the like at the start of a line, behind one bracket at most.
fn dated(line: &str) -> Option<i64> {
    let stamp = line.trim_start_matches('[');
    let n = |range: std::ops::Range<usize>| stamp.get(range)?.parse::<i64>().ok();
    let days = (STOPPED / DAY - 400..STOPPED / DAY + 2)
        .find(|&days| Some(civil(days)) == n(0..4).zip(n(5..7)).zip(n(8..10)).map(|((y, m), d)| (y, m, d)))?;
    Some(days * DAY + n(11..13)? * HOUR + n(14..16)? * MINUTE + n(17..19)?)
}

#[test]
fn truth_is_what_the_files_say() {
    let truth = &SMALL.1.apps;
    let (mut lines, mut bytes) = (BTreeMap::new(), 0);
    for log in &LOGS {
        let text = log_of(log.host, log.file);
        *lines.entry((log.kind, log.host)).or_insert(0) += text.matches('\n').count() as u64;
        bytes += text.len() as u64;
    }
    let mut recorded = BTreeMap::new();
    for ((kind, host, _), n) in &truth.lines {
        *recorded.entry((kind.as_str(), host.as_str())).or_insert(0) += n;
    }
    assert_eq!(recorded, lines);
    assert_eq!((truth.bytes, truth.all_lines()), (bytes, lines.values().sum()));
    for service in services() {
        let (recorded, found) = (truth.service(service), failures(service));
        assert_eq!(recorded.failures, found.len() as u64, "{service}");
        let mails = match service {
            "phabricator" => found.iter().map(|line| task(line)).collect::<BTreeSet<_>>().len(),
            _ => found.len(),
        };
        assert_eq!(recorded.submit_failed, mails as u64, "{service}");
        assert_eq!(truth.failed[service].len(), mails, "{service}");
        if service != "phabricator" {
            // A mail of the very last second may be taken when the logs have ended.
            let (tried, ended) = (recorded.tried, recorded.accepted + recorded.submit_failed);
            assert!((ended..=ended + 1).contains(&tried), "{service}: {recorded:?}");
        }
    }
    let sent = log_of("sentry1001", "worker.log")
        .matches("sentry.mail: mail.sent (")
        .count();
    assert_eq!(truth.service("sentry").submitted, sent as u64);
    assert!(services().all(|service| service == "sentry" || truth.service(service).submitted == 0));
}

#[test]
fn lines_by_phase_are_what_dated_files_say() {
    for (kind, host, name) in [
        ("oozie", "an-coord1001", "oozie.log"),
        ("gerrit", "cobalt", "error_log"),
    ] {
        let (mut phases, mut last) = (BTreeMap::new(), 0);
        for line in log_of(host, name).lines() {
            last = dated(line).unwrap_or(last);
            *phases.entry(Phase::at(last)).or_insert(0) += 1;
        }
        for phase in [Phase::Before, Phase::Outage, Phase::After] {
            let recorded = SMALL.1.apps.lines[&(kind.to_owned(), host.to_owned(), phase)];
            assert_eq!(recorded, phases[&phase], "{kind} {phase:?}");
        }
    }
}

#[test]
fn every_mail_of_the_outage_failed_in_its_applications_log_at_its_time() {
    let truth = &SMALL.1;
    assert_eq!(services().count(), 8);
    for service in services() {
        let impact = &truth.impact[service];
        assert_ne!(impact.fate, Fate::Rerouted);
        let failed = &truth.apps.failed[service];
        let outage: Vec<i64> = failed
            .iter()
            .copied()
            .filter(|t| (STOPPED..RESTARTED).contains(t))
            .collect();
        assert_eq!(outage, impact.tried, "{service}");
        let counts = truth.apps.counts[&(service.to_owned(), Phase::Outage)];
        let n = impact.tried.len() as u64;
        assert_eq!(
            (counts.tried, counts.submit_failed, counts.accepted, counts.submitted),
            (n, n, 0, 0),
            "{service}"
        );
    }
    let gerrit = [log_of("cobalt", "error_log"), log_of("gerrit2001", "error_log.json")].concat();
    let refused = gerrit
        .lines()
        .filter(|line| line.contains("EmailException: Connection refused (Connection refused)"));
    assert_eq!(refused.count(), truth.impact["gerrit"].tried.len());
    let causes = [
        (
            "oozie",
            "\tjava.net.ConnectException: Connection refused (Connection refused)\n",
        ),
        ("hue", "via e-mail: [Errno 111] Connection refused\n"),
        (
            "sentry",
            "raised unexpected: ConnectionRefusedError(111, 'Connection refused') (data={",
        ),
    ];
    for (service, cause) in causes {
        let found = logs(service).concat().matches(cause).count();
        assert_eq!(found, truth.impact[service].tried.len(), "{service}");
    }
}

#[test]
fn the_relays_took_what_the_applications_handed_in() {
    let truth = &SMALL.1;
    for service in services() {
        for phase in [Phase::Before, Phase::Outage, Phase::After] {
            let tally = truth.phases.get(&(service.to_owned(), "mx1001".to_owned(), phase));
            let counts = truth.apps.counts[&(service.to_owned(), phase)];
            assert_eq!(
                counts.accepted,
                tally.map_or(0, |tally| tally.accepted),
                "{service} {phase:?}"
            );
        }
    }
    let relay: String = truth.files.iter().map(|path| text(path)).collect();
    let arrived: BTreeSet<&str> = relay
        .lines()
        .filter(|line| line.contains(" <= sentry@wikimedia.org "))
        .filter_map(|line| line.split(" id=").nth(1))
        .collect();
    let log = log_of("sentry1001", "worker.log");
    let sent: BTreeSet<&str> = log
        .lines()
        .filter(|line| line.contains("mail.sent ("))
        .map(|line| line.split("message_id='<").nth(1).unwrap().split(">'").next().unwrap())
        .collect();
    assert!(sent.len() > 200);
    assert_eq!(sent, arrived, "each success has its arrival under the same Message-ID");
}

#[test]
fn a_delayed_mail_is_retried_until_the_relay_is_back() {
    let mut attempts: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for line in failures("phabricator") {
        let t = dated(&line[27..]).unwrap();
        attempts.entry(task(&line).to_owned()).or_default().push(t);
    }
    let in_outage: Vec<&Vec<i64>> = attempts
        .values()
        .filter(|at| (STOPPED..RESTARTED).contains(&at[0]))
        .collect();
    assert!(in_outage.len() > 20);
    for at in &in_outage {
        assert!(at.iter().all(|t| (STOPPED..RESTARTED).contains(t)), "{at:?}");
        for (n, pair) in at.windows(2).enumerate() {
            assert!(pair[1] - pair[0] >= 15 * (n as i64 + 1) - 1, "wait {n} of {at:?}");
        }
    }
    assert!(in_outage.iter().any(|at| at.len() > 30), "lines grow with the retries");
}

#[test]
fn retries_end_where_the_relay_takes_the_mail() {
    use super::phabricator::failures;
    assert_eq!(failures(0, 45), [0, 15]);
    assert_eq!(failures(0, 20), [0]);
    assert_eq!(failures(RESTARTED - 2, RESTARTED + 5), [RESTARTED - 2]);
    for first in (STOPPED..RESTARTED).step_by(97) {
        for late in [3, 17, 100, 800] {
            let at = failures(first, RESTARTED + late);
            assert!(
                at[0] == first && at.is_sorted() && at.iter().all(|&t| t < RESTARTED),
                "{at:?}"
            );
        }
    }
}

#[test]
fn lines_have_the_shape_of_real_ones() {
    let like = |service: &str, real: &str| {
        let real = shape(real);
        assert!(
            logs(service)
                .iter()
                .any(|log| log.lines().any(|line| shape(line) == real)),
            "{service}: {real}"
        );
    };
    like(
        "gerrit",
        "[2018-06-06 19:02:11,123] [SendEmail-1] ERROR com.google.gerrit.server.change.EmailReviewComments : \
         Cannot email comments for 437890,3",
    );
    like(
        "gerrit",
        "com.google.gerrit.common.errors.EmailException: Connection refused (Connection refused)",
    );
    like(
        "gerrit",
        "\tat com.google.gerrit.server.mail.send.SmtpEmailSender.open(SmtpEmailSender.java:366)",
    );
    like(
        "phabricator",
        "[06-Jun-2018 19:02:11 UTC] [2018-06-06 19:02:11] EXCEPTION: (PhutilProxyException) Error while executing \
         Task ID 7654321. {>} (phpmailerException) SMTP Error: Could not connect to SMTP host. at \
         [<phabricator>/externals/phpmailer/class.phpmailer.php:804]",
    );
    like(
        "phabricator",
        "[06-Jun-2018 19:02:11 UTC]   #0 <#2> PHPMailer::SmtpConnect() called at \
         [<phabricator>/externals/phpmailer/class.phpmailer-lite.php:501]",
    );
    like(
        "hue",
        "[06/Jun/2018 19:02:11 +0000] views        ERROR    Failed to send query completion notification via e-mail: \
         [Errno 111] Connection refused",
    );
    like(
        "sentry",
        "05:40:47 [INFO] sentry.buffer: process_pending.done (batch_size=34 duration=0.8771)",
    );
    let oozie = log_of("an-coord1001", "oozie.log");
    let warn = oozie.lines().find(|line| line.contains("EM007]")).unwrap();
    let (head, tail) = warn.split_once("USER[").unwrap();
    assert_eq!(
        shape(head),
        shape("2018-06-06 19:02:11,123  WARN ActionStartXCommand:523 - ")
    );
    assert!(
        tail.contains("@send_error_email] Error starting action [send_error_email]. ErrorType [ERROR], ErrorCode ")
    );
    assert!(
        tail.ends_with("[EM007], Message [EM007: Encountered an error while sending the email message over SMTP.]")
    );
    let log = log_of("sentry1001", "worker.log");
    let task = log.lines().find(|line| line.contains("send_email[")).unwrap();
    assert_eq!(shape(&task[..8]), "9:9:9");
    assert!(
        task[8..].starts_with(" [ERROR] celery.app.trace: Task sentry.tasks.email.send_email["),
        "{task}"
    );
}

#[test]
fn json_has_the_fields_of_real_ones() {
    let keys = |line: &str| -> Vec<String> {
        let Value::Object(object) = serde_json::from_str(line).unwrap() else {
            panic!("an object: {line}")
        };
        object.into_iter().map(|(key, _)| key).collect()
    };
    let real = r#"{"@timestamp":"2018-06-06T19:02:11.123456+00:00","@version":1,"host":"krypton","message":"SMTP connect() failed. https://github.com/PHPMailer/PHPMailer/wiki/Troubleshooting","type":"iegreview","channel":"iegreview","level":"ERROR","process_id":123,"url":"/account/recover","method":"Wikimedia\\Slimapp\\Mailer::mail","exception":{}}"#;
    for line in [failures("iegreview"), failures("wikimania_scholarships")].concat() {
        assert_eq!(keys(&line), keys(real), "{line}");
        assert_eq!(shape(&line[..47]), shape(&real[..47]));
    }
    for line in log_of("krypton", "iegreview.log").lines() {
        assert!(keys(real).starts_with(&keys(line)), "{line}");
    }
    for line in log_of("gerrit2001", "error_log.json").lines() {
        let object: Value = serde_json::from_str(line).unwrap();
        assert!(object["@timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
        if object["message"].as_str().unwrap().contains("mail comments") {
            let exception = &object["exception"];
            assert_eq!(exception["exception_class"], gerrit::EMAIL_EXCEPTION);
            assert!(
                exception["stacktrace"]
                    .as_str()
                    .unwrap()
                    .contains("\n\tat com.google.gerrit"),
                "{line}"
            );
        }
    }
}

#[test]
fn hue_writes_the_same_error_into_two_files() {
    let errors = |name: &str| -> Vec<String> {
        let log = log_of("thorium", name);
        log.lines()
            .filter(|line| line.contains(" ERROR "))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(errors("runcpserver.log"), errors("error.log"));
    assert!(!failures("hue").is_empty());
}

#[test]
fn a_mail_of_the_dumps_stands_between_dated_lines() {
    for log in logs("snapshot") {
        let lines: Vec<&str> = log.lines().collect();
        for at in (0..lines.len()).filter(|&at| lines[at].starts_with("MAIL SEND FAILED!")) {
            let t = dated(lines[at - 1]).unwrap();
            let from = format!("From nobody {}", stamps::Moment::new(t * 1000).asctime());
            assert_eq!(lines[at + 1], from);
            assert!(
                lines[at + 4..at + 6]
                    .iter()
                    .any(|line| line.starts_with("Subject: Dump failure for "))
            );
        }
    }
    assert!(failures("snapshot").len() >= SMALL.1.impact["snapshot"].tried.len());
}

#[test]
fn a_files_time_is_its_last_lines() {
    for (host, name) in [
        ("sentry1001", "worker.log"),
        ("an-coord1001", "oozie.log"),
        ("cobalt", "error_log"),
    ] {
        let files = files(host, name);
        assert!(
            files.iter().any(|path| path.extension().is_some_and(|e| e == "gz")),
            "{name}: archives"
        );
        for path in files {
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            let modified = modified.duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
            let (all, is_sentry) = (text(&path), host == "sentry1001");
            let times: Vec<i64> = match is_sentry {
                true => all
                    .lines()
                    .filter_map(|line| dated(&format!("2018-06-06 {line}")))
                    .collect(),
                false => all.lines().filter_map(dated).collect(),
            };
            let last = *times.last().unwrap();
            match is_sentry {
                true => assert_eq!(last.rem_euclid(DAY), modified.rem_euclid(DAY), "{}", path.display()),
                false => assert_eq!(last, modified, "{}", path.display()),
            }
            let steps_back = times.windows(2).filter(|pair| pair[0] > pair[1]).count();
            assert!(
                steps_back <= usize::from(is_sentry),
                "midnight alone: {}",
                path.display()
            );
        }
    }
}

#[test]
fn a_log_that_rotates_by_size_counts_its_files_from_the_newest() {
    let dir = TempDir::new().unwrap();
    let mut files = files::Files::create(dir.path(), "x.log", Rotation::Sized(11), UNTIL).unwrap();
    for (t, line) in ["one\n", "two\n", "three\n", "four\n", "a longer one than fits\n"]
        .iter()
        .enumerate()
    {
        files.put(t as i64 * 1000, line.as_bytes()).unwrap();
    }
    let paths = files.finish().unwrap();
    let recorded: Vec<(&str, String)> = paths
        .iter()
        .map(|path| (path.file_name().unwrap().to_str().unwrap(), text(path)))
        .collect();
    let expected = [
        ("x.log", "a longer one than fits\n"),
        ("x.log.1", "three\nfour\n"),
        ("x.log.2", "one\ntwo\n"),
    ];
    assert_eq!(recorded, expected.map(|(name, text)| (name, text.to_owned())));
    let modified = fs::metadata(&paths[1]).unwrap().modified().unwrap();
    assert_eq!(modified.duration_since(UNIX_EPOCH).unwrap().as_secs(), 3);
}

#[test]
fn stamps_as_applications_write_them() {
    let noon = stamps::Moment::new((STOPPED + 7 * MINUTE + 11) * 1000 + 123);
    assert_eq!(noon.log4j(), "2018-06-06 19:02:11,123");
    assert_eq!(noon.rfc3339(), "2018-06-06T19:02:11.123Z");
    assert_eq!(noon.php_micros(456), "2018-06-06T19:02:11.123456+00:00");
    assert_eq!(noon.php(), "06-Jun-2018 19:02:11 UTC");
    assert_eq!(noon.twelve_hours(), "2018-06-06 7:02:11 PM");
    assert_eq!(noon.hue(), "06/Jun/2018 19:02:11 +0000");
    assert_eq!(noon.asctime(), "Wed Jun  6 19:02:11 2018");
    assert_eq!(noon.dated(true), "2018-06-06-19");
    let midnight = stamps::Moment::new((STOPPED.div_euclid(DAY) * DAY + 61) * 1000);
    assert_eq!(midnight.twelve_hours(), "2018-06-06 12:01:01 AM");
}

#[test]
fn the_configuration_names_every_file_once() {
    let (dir, truth) = &*SMALL;
    let toml = fs::read_to_string(dir.path().join("mailpulse.toml")).unwrap();
    let globs: Vec<&str> = toml
        .lines()
        .filter_map(|line| line.strip_prefix("paths = [\"apps/")?.strip_suffix("\"]"))
        .collect();
    for path in &truth.apps.files {
        let name = path.strip_prefix(dir.path().join("apps")).unwrap().to_str().unwrap();
        let hits = globs.iter().filter(|glob| {
            let parts: Vec<&str> = glob.split('*').collect();
            name.starts_with(parts[0]) && name[parts[0].len()..].contains(parts[1])
        });
        assert_eq!(hits.count(), 1, "{name}");
    }
    assert_eq!(globs.len(), LOGS.len() - 1, "the two files of Hue are one source");
    let on_disk: usize = LOGS.iter().map(|log| files(log.host, log.file).len()).sum();
    assert_eq!(truth.apps.files.len(), on_disk);
}

#[test]
fn same_seed_same_bytes_and_a_rerun_leaves_no_old_files() {
    let dir = TempDir::new().unwrap();
    let spec = Outage2018::small(11);
    let longer = Outage2018 {
        history_days: 16,
        ..spec.clone()
    };
    let long = write(&dir.path().join("apps"), &longer, UNTIL - 16 * DAY).unwrap();
    let again = write(&dir.path().join("apps"), &spec, SMALL.1.from).unwrap();
    assert!(long.files.len() > again.files.len());
    for path in &again.files {
        let twin = SMALL.0.path().join(path.strip_prefix(dir.path()).unwrap());
        assert_eq!(fs::read(path).unwrap(), fs::read(twin).unwrap(), "{}", path.display());
    }
    assert_eq!(
        (&again.counts, &again.lines),
        (&SMALL.1.apps.counts, &SMALL.1.apps.lines)
    );
    let hosts = fs::read_dir(dir.path().join("apps")).unwrap();
    let on_disk: usize = hosts
        .map(|host| fs::read_dir(host.unwrap().path()).unwrap().count())
        .sum();
    assert_eq!(on_disk, again.files.len());
}

#[test]
fn there_are_not_too_many_lines() {
    let small = SMALL.1.lines + SMALL.1.apps.all_lines();
    assert!(small < 60_000, "{small}");
    let dir = TempDir::new().unwrap();
    let demo = Outage2018::demo(20180606);
    let from = super::super::clock::MIDNIGHT - i64::from(demo.history_days) * DAY;
    let apps = write(dir.path(), &demo, from).unwrap();
    assert!((100_000..150_000).contains(&apps.all_lines()), "{}", apps.all_lines());
    for service in services() {
        let before = apps.counts[&(service.to_owned(), Phase::Before)];
        assert!(before.submit_failed > 0, "{service} fails on ordinary days too");
        assert!(before.submit_failed * 5 < before.tried, "{service}, but rarely");
    }
    let daemons: String = apps
        .files
        .iter()
        .filter(|path| path.starts_with(dir.path().join("phab1001")))
        .map(|path| text(path))
        .collect();
    let end = daemons
        .lines()
        .find(|line| line.ends_with("\" encountered a permanent failure and was cancelled."));
    assert_eq!(
        shape(&end.unwrap()[..36]),
        shape("[06-Jun-2018 19:02:11 UTC] Task \"7654")
    );
}

//! What must hold for any bytes and for any record of an application's log.

mod app_records;

use mailpulse_parsers::app::{AppBody, Format};
use mailpulse_parsers::{reply, sniff};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

/// Every log of the corpus with its format.
fn corpus() -> Vec<(Format, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/app");
    let logs = |folder: &str| {
        let entries = std::fs::read_dir(root.join(folder)).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|ext| ext == "log"));
        paths.sort();
        paths
    };
    let mut all = Vec::new();
    for format in Format::BUILT_IN {
        for path in logs(format.as_str()) {
            all.push((format.clone(), std::fs::read(path).unwrap()));
        }
    }
    for path in logs("examples") {
        all.push((app_records::example(&path), std::fs::read(path).unwrap()));
    }
    assert!(all.len() > 12);
    all
}

fn check(format: &Format, record: &[u8]) {
    let _ = format.starts(record);
    match format.parse(record) {
        Ok(parsed) => {
            if let Some(mail) = parsed.mail() {
                assert!(mail.reason.len() <= 2000);
                let _ = reply::classify(&mail.reason);
            }
        }
        Err(reject) => {
            assert!(reject.offset <= record.len(), "{reject}");
            assert_eq!(reject.picture(record).lines().count(), 3);
        }
    }
}

#[test]
fn every_prefix_of_a_record_is_survived() {
    for (format, log) in corpus() {
        for (_, _, record) in app_records::records(&format, &log) {
            for end in 0..=record.len() {
                check(&format, &record[..end]);
            }
        }
    }
}

#[test]
fn a_line_that_parses_begins_a_record() {
    let logs = corpus();
    for (format, _) in &logs {
        // Undated talk and stack frames are understood on their own, but belong to what stands above them.
        if matches!(format, Format::Dumps | Format::Phabricator) {
            continue;
        }
        for line in logs.iter().flat_map(|(_, log)| log.split(|byte| *byte == b'\n')) {
            assert!(
                format.parse(line).is_err() || format.starts(line),
                "{}: {}",
                format.as_str(),
                line.escape_ascii()
            );
        }
    }
}

#[test]
fn lines_below_do_not_change_the_header() {
    for (format, log) in corpus() {
        if matches!(format, Format::Slimapp | Format::Json(_)) {
            continue;
        }
        for line in log.split(|byte| *byte == b'\n').filter(|line| format.starts(line)) {
            let Ok(alone) = format.parse(line) else { continue };
            let more = [line, b"\n  wrapped\n\tat a.B(C.java:1)"].concat();
            let with = format.parse(&more).unwrap();
            assert_eq!(
                (alone.time, alone.level, alone.logger),
                (with.time, with.level, with.logger)
            );
        }
    }
}

#[test]
fn nul_bytes_of_a_crash_are_read_over() {
    for (format, log) in corpus() {
        for line in log.split(|byte| *byte == b'\n') {
            let after_crash = [&[0; 300], line].concat();
            assert_eq!(format.starts(line), format.starts(&after_crash));
            match (format.parse(line), format.parse(&after_crash)) {
                (Ok(a), Ok(b)) => assert_eq!(a, b),
                (Err(a), Err(b)) => assert_eq!(a.offset + 300, b.offset),
                (a, b) => panic!("{a:?} {b:?}"),
            }
        }
    }
}

#[test]
fn a_broken_json_line_is_rejected_alone() {
    let good = br#"{"@timestamp":"2018-06-06T19:02:11Z","level":"ERROR","message":"SMTP Error: data not accepted.","method":"A\\\\Mailer::mail"}"#;
    let log = [&good[..], &good[..60], good, b"PHP Notice: x", b"", good].join(&b'\n');
    let records = app_records::records(&Format::Slimapp, &log);
    let fates: Vec<bool> = records
        .iter()
        .map(|(_, _, record)| Format::Slimapp.parse(record).is_ok())
        .collect();
    assert_eq!(fates, [true, false, true, false, true]);
    assert_eq!(Format::Slimapp.parse(&records[1].2).unwrap_err().offset, 60);
}

#[test]
fn long_hostile_lines_take_linear_time() {
    let fill = |unit: &str| unit.repeat((64 << 10) / unit.len());
    let formats: Vec<Format> = corpus().into_iter().map(|(format, _)| format).collect();
    let heads = [
        "[2018-06-06 19:02:11,123] [x] ERROR a : Cannot email x\n",
        "[06-Jun-2018 19:02:11 UTC] [2018-06-06 19:02:11] EXCEPTION: (phpmailerException) ",
        "[06/Jun/2018 19:02:11 +0000] views ERROR Failed to send mail ",
        "2018-06-06 19:02:11,123  WARN A:1 - EM007: \n",
        "05:40:47 [ERROR] sentry.mail: ",
        "05:40:47 [ERROR] x: y\nTraceback (most recent call last):\n",
        "MAIL SEND FAILED!\n",
        "ERROR 2018-06-06 19:02:11,123 log 1 2 Internal Server Error: ",
        "Jun 06 19:02:09 2018 (1) ",
        "",
    ];
    let units = [
        "SMTP",
        "(",
        "(550, ",
        "@",
        "a@",
        "] ",
        "\n",
        "Caused by: ",
        "\nTo: x",
        "\n ",
        "{\"a\":",
        "\\ud800",
        "Task ID ",
        ": ",
        "{>} (",
    ];
    // 64 kB each: unoptimised, a linear parser needs some milliseconds, a quadratic one many seconds.
    for head in heads {
        for unit in units {
            let record = format!("{head}{}", fill(unit));
            for format in &formats {
                let begin = std::time::Instant::now();
                check(format, record.as_bytes());
                let took = begin.elapsed();
                assert!(
                    took.as_millis() < 2_000,
                    "{took:?} for {}: {head}{unit}…",
                    format.as_str()
                );
            }
        }
    }
}

#[test]
fn sniffing_agrees_with_the_corpus() {
    for (format, log) in corpus() {
        let kind = sniff::sniff(&log);
        let said = kind.map(|kind| format!("{kind:?}").to_lowercase());
        match format {
            Format::Json(_) => assert_eq!(kind, Some(sniff::Kind::Json)),
            // Logs that only a configuration knows must be taken for none of those that are known.
            Format::Pattern(_) => assert!(matches!(kind, None | Some(sniff::Kind::OtherLog)), "{kind:?}"),
            built_in => assert_eq!(said.as_deref(), Some(built_in.as_str())),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for format in Format::BUILT_IN {
            check(&format, &bytes);
        }
    }

    #[test]
    fn a_mutated_record_is_survived(at in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        thread_local!(static RECORDS: Vec<(Format, Vec<u8>)> = corpus()
            .into_iter()
            .flat_map(|(format, log)| {
                let records = app_records::records(&format, &log);
                records.into_iter().map(move |(_, _, record)| (format.clone(), record))
            })
            .collect());
        RECORDS.with(|records| {
            let (format, record) = at.get(records);
            let mut record = record.clone();
            let place = cut.index(record.len());
            record[place] = byte;
            check(format, &record);
            record.insert(place, b'\n');
            check(format, &record);
        });
    }

    #[test]
    fn what_json_writes_is_what_we_read(message in ".*", host in ".*") {
        let line = serde_json::json!({
            "@timestamp": "2018-06-06T19:02:11Z", "host": host, "level": "ERROR", "message": format!("x{message}x"), "method": r"A\Mailer::mail", "more": [message, {"a": host}],
        }).to_string();
        let record = Format::Slimapp.parse(line.as_bytes()).unwrap();
        prop_assert_eq!(record.host.as_deref().unwrap_or_default(), host.as_bytes());
        let AppBody::SubmitFailed(mail) = record.body else { panic!() };
        let want = format!("x{message}x");
        prop_assert_eq!(&*mail.reason, want.as_bytes());
    }
}

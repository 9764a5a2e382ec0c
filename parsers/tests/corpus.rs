//! Every line of `corpus/*/*.log` is classified, and says what the `*.expected` file beside it says.
//!
//! `UPDATE_CORPUS=1 cargo test -p mailpulse-parsers --test corpus` writes the expected files anew.

mod app_records;

use mailpulse_parsers::app::Format;
use mailpulse_parsers::exim::record::EximRecord;
use mailpulse_parsers::{Reject, exim, postfix};
use std::fmt::Write;
use std::path::Path;

/// A line in readable words.
type Parse = fn(&[u8]) -> Result<String, Reject>;

fn exim_line(line: &[u8]) -> Result<String, Reject> {
    match exim::parse(line) {
        Ok(record) => Ok(readable(&format!("{record:?}"))),
        Err(_) if exim::is_continuation(line) => Ok("continuation".into()),
        Err(reject) => Err(reject),
    }
}

fn postfix_line(line: &[u8]) -> Result<String, Reject> {
    let (envelope, record) = postfix::parse_line(line)?;
    // Host and text of the envelope are the same on every line; its time and process are not.
    let (stamp, pid) = (envelope.stamp, envelope.pid);
    Ok(readable(&format!("{stamp:?} {pid:?} {record:?}")))
}

/// One block a line: its number, then the record's fields that are set, from the record's own `Debug`.
fn expected(log: &[u8], parse: Parse) -> (String, Vec<String>) {
    let (mut text, mut rejects) = (String::new(), Vec::new());
    for (at, line) in log.split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        match parse(line) {
            Ok(words) => writeln!(text, "{} {words}", at + 1).unwrap(),
            Err(reject) => rejects.push(format!("line {}\n{}", at + 1, reject.picture(line))),
        }
    }
    (text, rejects)
}

/// `Debug` prints bytes as numbers: turns `[97, 98]` into `"ab"`, and drops fields that are not set.
fn readable(debug: &str) -> String {
    let mut out = String::new();
    let mut rest = debug;
    while let Some(open) = rest.find('[') {
        out.push_str(&rest[..open]);
        let close = open + rest[open..].find(']').unwrap();
        let numbers: Vec<&str> = rest[open + 1..close].split(", ").collect();
        // Numbers over 255 are no bytes, nor are the four delays of a delivery.
        let bytes: Option<Vec<u8>> = numbers.iter().map(|n| n.parse().ok()).collect();
        match bytes {
            _ if out.ends_with("delays_ms: Some(") => out.push_str(&rest[open..=close]),
            Some(bytes) => write!(out, "\"{}\"", bytes.escape_ascii()).unwrap(),
            None if close == open + 1 => out.push_str("\"\""),
            None => out.push_str(&rest[open..=close]),
        }
        rest = &rest[close + 1..];
    }
    out.push_str(rest);
    for unset in [
        "name", "helo", "ip", "port", "socket", "user", "tls", "pid", "id", "protocol", "host", "size", "errno", "odd",
    ] {
        out = out.replace(&format!(" {unset}: None,"), "");
    }
    out
}

#[test]
fn every_record_of_the_applications_is_classified_as_before() {
    for format in Format::BUILT_IN {
        check(&format!("app/{}", format.as_str()), |_, log| {
            app_records::shown(&format, log)
        });
    }
    check("app/examples", |path, log| {
        app_records::shown(&app_records::example(path), log)
    });
}

#[track_caller]
fn classified_as_before(folder: &str, parse: Parse) {
    check(folder, |_, log| expected(log, parse));
}

/// Compares every `*.log` of a folder of the corpus with its expected text.
#[track_caller]
fn check(folder: &str, expected: impl Fn(&Path, &[u8]) -> (String, Vec<String>)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(folder);
    let update = std::env::var_os("UPDATE_CORPUS").is_some();
    let mut logs: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    logs.retain(|path| path.extension().is_some_and(|ext| ext == "log"));
    logs.sort();
    assert!(!logs.is_empty());
    let mut wrong = Vec::new();
    for path in logs {
        let (now, rejects) = expected(&path, &std::fs::read(&path).unwrap());
        wrong.extend(
            rejects
                .into_iter()
                .map(|reject| format!("{}: {reject}", path.display())),
        );
        let beside = path.with_extension("expected");
        if update {
            std::fs::write(&beside, now).unwrap();
            continue;
        }
        let before = std::fs::read_to_string(&beside).unwrap_or_default();
        for (old, new) in before.lines().zip(now.lines()).filter(|(old, new)| old != new).take(3) {
            wrong.push(format!("{}\n- {old}\n+ {new}", path.display()));
        }
        if before.lines().count() != now.lines().count() {
            wrong.push(format!("{}: other number of lines; UPDATE_CORPUS=1?", beside.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_line_of_the_exim_corpus_is_classified_as_before() {
    check("exim", |_, log| {
        // Read one after the other into one record, as a log is read, and broken ones between them.
        let (mut parser, mut record) = (exim::Parser::default(), EximRecord::default());
        let lines = log.split(|byte| *byte == b'\n');
        for line in lines.flat_map(|line| [&line[..line.len() / 2], line]) {
            let in_turn = parser.parse(line, &mut record);
            match exim::parse(line) {
                Ok(alone) => assert_eq!((in_turn, &record), (Ok(()), &alone)),
                Err(reject) => assert_eq!(in_turn, Err(reject)),
            }
        }
        expected(log, exim_line)
    });
}

#[test]
fn every_line_of_the_postfix_corpus_is_classified_as_before() {
    classified_as_before("postfix", postfix_line);
}

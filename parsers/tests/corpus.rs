//! Every line of `corpus/*/*.log` is classified, and says what the `*.expected` file beside it says.
//!
//! `UPDATE_CORPUS=1 cargo test -p mailpulse-parsers --test corpus` writes the expected files anew.

mod app_records;

use mailpulse_parsers::app::Format;
use mailpulse_parsers::exim;
use std::fmt::Write;
use std::path::Path;

/// One block a line: its number, then the record's fields that are set, from the record's own `Debug`.
fn expected(log: &[u8]) -> (String, Vec<String>) {
    let (mut text, mut rejects) = (String::new(), Vec::new());
    for (at, line) in log.split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        match exim::parse(line) {
            Ok(record) => writeln!(text, "{} {}", at + 1, readable(&format!("{record:?}"))).unwrap(),
            Err(_) if exim::is_continuation(line) => writeln!(text, "{} continuation", at + 1).unwrap(),
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
        let bytes: Vec<u8> = rest[open + 1..close]
            .split(", ")
            .filter_map(|n| n.parse().ok())
            .collect();
        let _ = write!(out, "\"{}\"", bytes.escape_ascii());
        rest = &rest[close + 1..];
    }
    out.push_str(rest);
    for unset in [
        "name", "helo", "ip", "port", "user", "tls", "pid", "id", "protocol", "host", "size", "errno",
    ] {
        out = out.replace(&format!(" {unset}: None,"), "");
    }
    out
}

#[test]
fn every_line_of_the_corpus_is_classified_as_before() {
    check("exim", |_, log| expected(log));
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

/// Compares every `*.log` of a folder of the corpus with its expected text.
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

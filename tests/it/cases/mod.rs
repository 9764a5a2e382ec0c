//! Cases from public bug reports of other tools. `tests/cases/NN-name/` holds the inputs and `expect.md`: where the
//! report is, what went wrong there, and what is right. A module here is named after its folder.

mod app_jenkins_twelve_hour_clock;
mod app_json_time_field_renamed;
mod app_mailman3_smtp_log;
mod app_sidekiq_text;
mod exim_cpanel_mainlog;
mod exim_noise_of_attackers;
mod exim_two_line_warnings;
mod postfix_bad_utf8;
mod postfix_filter_action_and_reinjection;
mod postfix_milter_discard;
mod postfix_one_recipient_at_a_time;
mod postfix_pipe_with_escapes;
mod postfix_shared_mail_log;

use crate::logs::{lines, root};
use crate::util::{KEEP, Place};
use std::path::PathBuf;

/// A file of a case.
pub fn input(case: &str, file: &str) -> PathBuf {
    let path = root().join("tests/cases").join(case).join(file);
    assert!(path.exists(), "{} is missing", path.display());
    path
}

/// A case's log of an MTA, read as its `expect.md` says. Events, ignored and unparsed lines must be so many.
#[track_caller]
fn read(case: &str, kind: &str, year: &str, expected: [u64; 3]) -> Place {
    let place = Place::new();
    let log = input(case, "input.log");
    let log = log.to_str().unwrap();
    let run = place.run(&["backfill", "--kind", kind, "--host", "mx1", "--year", year, log]);
    counted(&place, case, &run.ends(0), expected);
    place
}

/// A case's log of an application, read with this configuration, whose path is `input.log`.
#[track_caller]
fn read_with(case: &str, config: &str, expected: [u64; 3]) -> Place {
    // The store is where tests look for it, and addresses are kept.
    let source = &config[config.find("[[source]]").expect("a source")..];
    let place = Place::with(&format!("{KEEP}{source}"));
    place.write("input.log", std::fs::read(input(case, "input.log")).unwrap());
    // At rest, so that its last record is finished.
    let file = std::fs::File::options()
        .append(true)
        .open(place.path("input.log"))
        .unwrap();
    let mtime = file.metadata().unwrap().modified().unwrap();
    file.set_modified(mtime - std::time::Duration::from_secs(3600)).unwrap();
    let run = place.run(&["backfill"]).ends(0);
    counted(&place, case, &run, expected);
    place
}

#[track_caller]
fn counted(place: &Place, case: &str, run: &crate::util::Run, expected: [u64; 3]) {
    let totals = run.totals();
    let log = std::fs::read(input(case, "input.log")).unwrap();
    assert_eq!(totals.lines, lines(&log), "every line is counted");
    assert_eq!(
        [totals.events, totals.ignored, totals.unparsed],
        expected,
        "{}",
        run.out
    );
    assert_eq!(place.events(), totals.events as i64);
}

/// Rows of the events as text, in the order of time: the named columns, with a space between.
#[track_caller]
fn told(place: &Place, columns: &str) -> Vec<String> {
    let rows = place.sql(&format!("SELECT {columns} FROM events ORDER BY ts, event_id"));
    let names: Vec<&str> = columns.split(", ").collect();
    let word = |value: &serde_json::Value| value.as_str().map_or(value.to_string(), str::to_owned);
    rows.iter()
        .map(|row| names.iter().map(|name| word(&row[*name])).collect::<Vec<_>>().join(" "))
        .collect()
}

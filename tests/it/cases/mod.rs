//! Cases from public bug reports of other tools. `tests/cases/NN-name/` holds the inputs and `expect.md`: where the
//! report is, what went wrong there, and what is right. A module here is named after its folder.

mod alertmanager_answers;
mod app_jenkins_twelve_hour_clock;
mod app_json_time_field_renamed;
mod app_mailman3_smtp_log;
mod app_sidekiq_text;
mod detect_no_mail_but_the_log_goes_on;
mod detect_quiet_weekends;
mod exim_container_stdout;
mod exim_cpanel_mainlog;
mod exim_hosting_limits;
mod exim_noise_of_attackers;
mod exim_same_recipient_twice;
mod exim_two_line_warnings;
mod exim_under_another_tag;
pub(crate) mod following;
mod journal_entry_repeated;
mod own_failure_in_words_of_a_refusal;
mod postfix_bad_utf8;
mod postfix_before_queue_filter;
mod postfix_docker_and_kubernetes_json;
mod postfix_docker_level_column;
mod postfix_envelope_within_an_envelope;
mod postfix_filter_action_and_reinjection;
mod postfix_milter_discard;
mod postfix_names_and_commands_in_the_reason;
mod postfix_no_host_in_the_head;
mod postfix_one_recipient_at_a_time;
mod postfix_pipe_with_escapes;
mod postfix_shared_mail_log;
mod syslog_rfc5424_and_journalctl_forms;
mod tail_compressed_at_once;
mod tail_file_rewritten;
mod tail_kubelet_rotation;
mod tail_log4j_rollover;
mod the_same_line_twice;

use crate::logs::{lines, root};
use crate::util::{KEEP, Place, Run};
use std::fs;
use std::path::PathBuf;

/// A file of a case.
pub(crate) fn input(case: &str, file: &str) -> PathBuf {
    let path = root().join("tests/cases").join(case).join(file);
    assert!(path.exists(), "{} is missing", path.display());
    path
}

/// Reads a file of a case as it is proposed there; with a kind, or recognised by its content.
pub(crate) fn backfill(place: &Place, path: &std::path::Path, kind: Option<&str>, year: &str) -> Run {
    let mut args = vec!["backfill", "--host", "mx1", "--year", year];
    args.extend(kind.iter().flat_map(|kind| ["--kind", kind]));
    args.push(path.to_str().unwrap());
    place.run(&args)
}

/// Events by kind, in order of their kinds' names: `accepted 1, delivered 1`.
pub(crate) fn kinds(place: &Place) -> String {
    let rows = place.sql("SELECT kind, COUNT(*) AS n FROM events GROUP BY kind ORDER BY kind");
    let words: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {}", row["kind"].as_str().unwrap(), row["n"]))
        .collect();
    words.join(", ")
}

/// What a message of Postfix or Exim gives that is delivered at once.
pub(crate) const ONE_MAIL: &str = "accepted 1, completed 1, delivered 1";

/// The file reads as this mail: by kind and by content, in `parse`, in `check`, and whole in `tail`'s way, line by line.
#[track_caller]
pub(crate) fn reads(case: &str, file: &str, kind: &str, year: &str, expected: &str) {
    for kind in [Some(kind), None] {
        let place = Place::new();
        let totals = backfill(&place, &input(case, file), kind, year).ends(0).totals();
        assert_eq!(
            (kinds(&place).as_str(), totals.unparsed),
            (expected, 0),
            "{file} {kind:?}"
        );
    }
    let lines = fs::read_to_string(input(case, file)).unwrap();
    let events: usize = expected
        .split([' ', ','])
        .filter_map(|word| word.parse::<usize>().ok())
        .sum();
    let place = Place::with(&format!(
        "{}[[source]]\nkind = \"{kind}\"\npaths = [\"the.log\"]\nhost = \"mx1\"\nyear = {year}\n",
        crate::util::KEEP
    ));
    let log = place.write("the.log", &lines);
    let parsed = place.run(&["parse", log.to_str().unwrap()]).ends(0).out;
    let count = |status: &str| parsed.matches(&format!("\"status\":\"{status}\"")).count();
    assert_eq!((count("event"), count("unparsed")), (events, 0), "{file}: {parsed}");
    assert_eq!(parsed.lines().count(), lines.lines().count(), "{file}");
    let check = place.run(&["check"]).ends(0);
    assert_eq!(check.err, "", "{file}");
    // As it grows: each line in a run of its own.
    let grown = place.write("the.log", "");
    for end in lines.match_indices('\n').map(|(at, _)| at + 1) {
        fs::write(&grown, &lines[..end]).unwrap();
        place.run(&["backfill", "-q"]).ends(0);
    }
    assert_eq!(kinds(&place), expected, "{file}, line by line");
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

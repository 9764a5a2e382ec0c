//! Cases from public bug reports of other tools. `tests/cases/NN-name/` holds the inputs and `expect.md`: where the
//! report is, what went wrong there, and what is right. A module here is named after its folder.

use crate::logs::root;
use std::path::PathBuf;

/// A file of a case.
pub fn input(case: &str, file: &str) -> PathBuf {
    let path = root().join("tests/cases").join(case).join(file);
    assert!(path.exists(), "{} is missing", path.display());
    path
}

mod exim_container_stdout;
mod exim_under_another_tag;
mod postfix_docker_and_kubernetes_json;
mod postfix_docker_level_column;
mod postfix_envelope_within_an_envelope;
mod postfix_no_host_in_the_head;
mod syslog_rfc5424_and_journalctl_forms;

use crate::util::{Place, Run};
use std::fs;

/// Reads a file of a case as it is proposed there; with a kind, or recognised by its content.
pub fn backfill(place: &Place, path: &std::path::Path, kind: Option<&str>, year: &str) -> Run {
    let mut args = vec!["backfill", "--host", "mx1", "--year", year];
    args.extend(kind.iter().flat_map(|kind| ["--kind", kind]));
    args.push(path.to_str().unwrap());
    place.run(&args)
}

/// Events by kind, in order of their kinds' names: `accepted 1, delivered 1`.
pub fn kinds(place: &Place) -> String {
    let rows = place.sql("SELECT kind, COUNT(*) AS n FROM events GROUP BY kind ORDER BY kind");
    let words: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {}", row["kind"].as_str().unwrap(), row["n"]))
        .collect();
    words.join(", ")
}

/// What a message of Postfix or Exim gives that is delivered at once.
pub const ONE_MAIL: &str = "accepted 1, completed 1, delivered 1";

/// The file reads as this mail: by kind and by content, in `parse`, in `check`, and whole in `tail`'s way, line by line.
#[track_caller]
pub fn reads(case: &str, file: &str, kind: &str, year: &str, expected: &str) {
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
mod exim_same_recipient_twice;
pub mod following;
mod journal_entry_repeated;
mod tail_compressed_at_once;
mod tail_file_rewritten;
mod tail_kubelet_rotation;
mod tail_log4j_rollover;
mod the_same_line_twice;

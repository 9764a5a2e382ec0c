//! `backfill -`: a log from a pipe is the log.

use crate::logs::{packed, root, simulated};
use crate::util::{Place, Run, assert_same_rows};
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

fn piped(place: &Place, bytes: &[u8]) -> Run {
    let mut child = place
        .command()
        .args(["backfill", "--host", "mx1001", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn same_as_the_file(log: &[u8]) {
    let file = Place::new();
    let path = file.write("some.log", log);
    // At rest: else its last line, which has no newline, is waited for.
    let opened = fs::File::options().append(true).open(&path).unwrap();
    let mtime = opened.metadata().unwrap().modified().unwrap();
    opened
        .set_modified(mtime - std::time::Duration::from_secs(3600))
        .unwrap();
    let totals = file.backfill(&[&path]).ends(0).totals();
    let place = Place::new();
    let run = piped(&place, &packed("gzip", log)).ends(0);
    assert_eq!(run.totals(), totals);
    assert_same_rows(&file.rows(), &place.rows());
    // Once more, unpacked: nothing new, nothing left behind.
    assert_eq!(piped(&place, log).ends(0).totals().lines, 0);
    assert_eq!(fs::read_dir(place.path("store/spool")).unwrap().count(), 0);
}

#[test]
fn exim_from_a_pipe_is_exim_from_a_file() {
    let log = simulated(300_000, 41);
    // The last line without its newline is a line: nothing more comes.
    same_as_the_file(&log[..log.len() - 1]);
}

#[test]
fn postfix_from_a_pipe_is_postfix_from_a_file() {
    same_as_the_file(&fs::read(root().join("parsers/corpus/postfix/real-long.log")).unwrap());
}

#[test]
fn what_is_no_log_is_refused_by_name() {
    let place = Place::new();
    let run = piped(&place, b"hello\nworld\n");
    assert_eq!(run.code, 2, "{}", run.err);
    assert!(run.err.contains("not a log of kind"), "{}", run.err);
    assert_eq!(fs::read_dir(place.path("store/spool")).unwrap().count(), 0);
}

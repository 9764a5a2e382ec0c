//! The commands of docs/backup.md, while a log is written and rotated and a tail reads it.

use super::bench::assert_once;
use super::process::{place, start, stored, wait_for, write_and_rotate};
use crate::docs::blocks::{Block, blocks};
use crate::logs::root;
use crate::util::{PROGRAM, Place, Run, stop};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Runs the block of the page that is for a test, on the store of a place.
pub(crate) fn run(place: &Place, test: &str) -> Run {
    Run::of(shell(place, test).output().expect("bash starts"))
}

/// The same, not started yet.
pub(crate) fn shell(place: &Place, test: &str) -> Command {
    let blocks: Vec<Block> = blocks(&root().join("docs/backup.md"));
    let mut meant = blocks.iter().filter(|block| block.value("test") == Some(test));
    let block = meant
        .next()
        .unwrap_or_else(|| panic!("docs/backup.md has no block for {test}"));
    let name = |file: &str| place.path(file).display().to_string();
    let script = block
        .text
        .replace("/var/lib/mailpulse", &name("store"))
        .replace("/var/backups", &name("backups"));
    assert!(!script.contains("/var/"), "{script}");
    let program = format!("#!/bin/sh\nexec {PROGRAM} --config {} \"$@\"\n", name("mailpulse.toml"));
    let program = place.write("bin/mailpulse", program);
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", name("bin"), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    shell.args(["-c", &script]).env("PATH", path);
    shell
}

/// A store is lost some time after it was copied; the copy has been taken in the middle of commits.
#[test]
#[ignore = "slow: tests/run runs it"]
fn a_store_that_was_copied_while_it_grew_has_each_line_once_after_the_restore() {
    let place = place("");
    fs::create_dir(place.path("backups")).unwrap();
    let (end, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let in_copy = std::thread::scope(|scope| {
        scope.spawn(|| write_and_rotate(&place, &end, &written));
        let mut child = start(&place);
        let begin = Instant::now();
        while written.load(Ordering::Relaxed) < 1_000 && begin.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(10));
        }
        run(&place, "backup").ends(0);
        let in_copy = written.load(Ordering::Relaxed);
        std::thread::sleep(Duration::from_secs(1));
        child.kill().unwrap();
        child.wait().unwrap();
        end.store(true, Ordering::Relaxed);
        in_copy
    });
    let all = written.load(Ordering::Relaxed);
    assert!(in_copy < all, "the log went on after the copy");
    assert!(!place.path("store.frozen").exists());
    fs::rename(place.path("store"), place.path("store.lost")).unwrap();
    let restored = run(&place, "restore").ends(0);
    assert!(
        restored.out.contains("rebuilt from") && restored.out.contains("all good"),
        "{restored:?}"
    );
    let events = place.events();
    assert!(
        (1..all as i64).contains(&events),
        "{events} of {all} lines are in the copy"
    );
    let mut child = start(&place);
    wait_for(&place, all as i64);
    stop(&mut child);
    assert_once(&stored(&place), 0..all);
    place.verify();
}

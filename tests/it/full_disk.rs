//! A full disk: nothing of the batch in hand is committed, the message says what to do, and the next run goes on.

use crate::lab;
use crate::logs::{lines, run, simulated, text};
use crate::util::{Place, assert_same_rows};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder on a file system of so many KiB, unmounted at the end.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(path: PathBuf, kib: u32) -> Tmpfs {
        lab::as_root();
        fs::create_dir_all(&path).unwrap();
        let size = format!("size={kib}k");
        run(lab::program("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(&path));
        Tmpfs(path)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = lab::program("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
#[ignore = "lab: needs root"]
fn a_full_disk_loses_nothing_and_the_next_run_goes_on() {
    let place = Place::new();
    let log = place.write("mainlog", simulated(9_000_000, 23));
    let _disk = Tmpfs::mount(place.path("store"), 900);
    let full = place.backfill(&[&log]).ends(2);
    assert!(full.err.contains("free space and run again"), "{}", full.err);
    run(lab::program("mount")
        .args(["-o", "remount,size=200m"])
        .arg(place.path("store")));
    goes_on(&place, &log);
}

#[test]
#[ignore = "lab: needs root"]
fn a_disk_that_is_nearly_full_is_what_doctor_names_first() {
    let place = Place::new();
    let _disk = Tmpfs::mount(place.path("store"), 65_536);
    let log = place.write("mainlog", simulated(300_000, 23));
    place.backfill(&[&log]).ends(0);
    let out = place.run(&["doctor"]).ends(1).out;
    assert!(!out.contains("nearly full"), "{out}");
    place.write("store/filler", vec![0; 64_500_000]);
    let out = place.run(&["doctor"]).ends(1).out;
    assert!(
        out.lines()
            .any(|line| line.contains("store: the disk of") && line.contains("is nearly full")),
        "{out}"
    );
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_limit_on_the_size_of_files_loses_nothing_and_the_next_run_goes_on() {
    let place = Place::new();
    let log = place.write("mainlog", simulated(9_000_000, 23));
    let script = format!(
        "ulimit -f 60; trap '' XFSZ; exec {} --config {} backfill --host mx1001 {}",
        crate::util::PROGRAM,
        text(&place.path("mailpulse.toml")),
        text(&log)
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(2),
        "{}",
        String::from_utf8(output.stderr).unwrap()
    );
    goes_on(&place, &log);
}

fn goes_on(place: &Place, log: &Path) {
    place.backfill(&[log]).ends(0);
    assert_eq!(
        place.number("SELECT SUM(lines) AS n FROM sources") as u64,
        lines(&fs::read(log).unwrap())
    );
    place.verify();
    let calm = Place::new();
    let copy = calm.write("mainlog", fs::read(log).unwrap());
    calm.backfill(&[&copy]).ends(0);
    assert_same_rows(&calm.rows(), &place.rows());
}

//! Faults 1 to 8, 19 to 22, 32 and 33: what happens to files under a tail.

use super::bench::{Bench, line, lines, told};
use mailpulse::source::watch::{FolderWatch, folders_of};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
fn fault_01_rename_rotation_while_running() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..10));
    bench.life(|life| {
        life.scan();
        bench.append("mainlog", lines(10..20));
        bench.rename("mainlog", "mainlog.1");
        bench.write("mainlog", lines(100..105));
        // The program has not opened its log anew yet.
        bench.append("mainlog.1", lines(20..25));
        life.look();
        life.assert_once(0..25);
        life.scan();
        bench.append("mainlog.1", lines(25..27));
        bench.append("mainlog", lines(105..107));
        life.look();
    });
    bench.assert_once((0..27).chain(100..107));
}

#[test]
fn fault_01_a_log_renamed_to_where_no_pattern_leads_is_read_to_its_end() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..10));
    bench.life(|life| {
        life.scan();
        bench.append("mainlog", lines(10..20));
        bench.rename("mainlog", "old");
        bench.write("mainlog", lines(100..105));
        bench.append("old", lines(20..25));
        life.scan();
        bench.append("old", lines(25..30));
        life.look();
    });
    bench.assert_once((0..30).chain(100..105));
}

#[test]
fn fault_02_rotation_while_stopped() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..10));
    bench.life(|life| life.scan());
    bench.append("mainlog", lines(10..20));
    bench.rename("mainlog", "mainlog.1");
    bench.write("mainlog", lines(100..110));
    bench.rename("mainlog.1", "mainlog.2");
    bench.rename("mainlog", "mainlog.1");
    bench.write("mainlog", lines(200..210));
    bench.life(|life| life.scan());
    bench.assert_once((0..20).chain(100..110).chain(200..210));
}

#[test]
fn fault_03_two_rotations_between_two_scans() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..10));
    bench.life(|life| {
        life.scan();
        bench.append("mainlog", lines(10..20));
        bench.rename("mainlog", "mainlog.1");
        bench.write("mainlog", lines(100..110));
        bench.rename("mainlog.1", "mainlog.2");
        bench.rename("mainlog", "mainlog.1");
        bench.write("mainlog", lines(200..210));
        life.scan();
    });
    bench.assert_once((0..20).chain(100..110).chain(200..210));
}

#[test]
fn fault_04_copytruncate() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..30));
    bench.life(|life| {
        life.scan();
        bench.append("mainlog", lines(30..40));
        fs::copy(bench.path("mainlog"), bench.path("mainlog.1")).unwrap();
        // Between copy and truncation a scan sees two files that begin alike.
        life.scan();
        life.assert_once(0..40);
        fs::File::options()
            .write(true)
            .truncate(true)
            .open(bench.path("mainlog"))
            .unwrap();
        bench.append("mainlog", lines(100..103));
        life.look();
        life.assert_once((0..40).chain(100..103));
    });
}

#[test]
fn fault_04_copytruncate_between_two_looks() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..30));
    bench.life(|life| {
        life.scan();
        // Not read before it is gone from the log: it stands in the copy alone.
        bench.append("mainlog", lines(30..40));
        fs::copy(bench.path("mainlog"), bench.path("mainlog.1")).unwrap();
        fs::File::options()
            .write(true)
            .truncate(true)
            .open(bench.path("mainlog"))
            .unwrap();
        bench.append("mainlog", lines(100..103));
        life.look();
    });
    bench.assert_once((0..40).chain(100..103));
}

#[test]
fn fault_05_truncated_and_regrown_past_the_offset() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..10));
    bench.life(|life| {
        life.scan();
        // In place: same device, same inode, more bytes than were read, and none of them known.
        let grown = lines(100..140);
        let file = fs::File::options()
            .write(true)
            .truncate(true)
            .open(bench.path("mainlog"))
            .unwrap();
        std::io::Write::write_all(&mut &file, grown.as_bytes()).unwrap();
        let round = life.look();
        assert_eq!(round.lines(), 40);
        // The same beginning does not deceive it either.
        let grown = lines(100..120) + &lines(200..260);
        let file = fs::File::options()
            .write(true)
            .truncate(true)
            .open(bench.path("mainlog"))
            .unwrap();
        std::io::Write::write_all(&mut &file, grown.as_bytes()).unwrap();
        let round = life.look();
        assert!(
            told(&round).contains("truncated or rewritten"),
            "{} {round:?}",
            told(&round)
        );
    });
    let stored = bench.stored();
    assert!(
        (0..10)
            .chain(100..140)
            .chain(200..260)
            .all(|number| stored.contains_key(&number)),
        "{stored:?}"
    );
}

#[test]
fn fault_06_inode_reuse() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..10));
    bench.life(|life| life.scan());
    let inode = fs::metadata(bench.path("mainlog")).unwrap().ino();
    bench.remove("mainlog");
    // The file system gives a free inode to one of the next files.
    let reused = (0..2_000).find(|at| {
        let name = format!("try{at}");
        bench.write(&name, lines(100..115));
        fs::metadata(bench.path(&name)).unwrap().ino() == inode
    });
    match reused {
        Some(at) => bench.rename(&format!("try{at}"), "mainlog"),
        None => {
            eprintln!("this file system does not use inodes again; a file with another inode is tested instead");
            bench.write("mainlog", lines(100..115));
        }
    }
    bench.life(|life| life.scan());
    bench.assert_once((0..10).chain(100..115));
}

#[test]
fn fault_07_two_files_with_the_same_first_line() {
    let bench = Bench::new();
    let head = "2026-11-01 00:00:00 exim 4.96 daemon started: pid=1, no queue runs, listening for SMTP on port 25\n";
    bench.write("mainlog-a", head.to_owned() + &lines(0..20));
    bench.write("mainlog-b", head.to_owned() + &lines(100..120));
    bench.life(|life| {
        life.scan();
        bench.append("mainlog-a", lines(20..30));
        bench.append("mainlog-b", lines(120..130));
        life.look();
    });
    bench.append("mainlog-a", lines(30..35));
    bench.append("mainlog-b", lines(130..135));
    bench.life(|life| life.scan());
    bench.assert_once((0..35).chain(100..135));
}

#[test]
fn fault_08_a_file_shorter_than_the_fingerprint() {
    let bench = Bench::new();
    bench.write("mainlog", "");
    bench.life(|life| {
        life.scan();
        bench.append("mainlog", line(0));
        life.look();
        life.assert_once(0..1);
        // Growing past the 1 024 bytes of the fingerprint, it stays the log that it was.
        for number in 1..30 {
            bench.append("mainlog", line(number));
            life.look();
        }
    });
    bench.life(|life| life.scan());
    bench.assert_once(0..30);
}

#[test]
fn fault_19_what_no_event_tells_is_found_by_looking() {
    let bench = Bench::new();
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let folders = folders_of(&bench.path("mainlog*"));
    assert_eq!(
        folders,
        [bench.path("")].map(|path| path.components().collect::<std::path::PathBuf>())
    );
    let watch = FolderWatch::new(&folders, move |_| _ = count.fetch_add(1, Ordering::Relaxed)).unwrap();
    assert!(watch.unwatched.is_empty(), "{:?}", watch.unwatched);
    bench.write("mainlog", lines(0..5));
    let begin = Instant::now();
    while told.load(Ordering::Relaxed) == 0 {
        assert!(begin.elapsed() < Duration::from_secs(10), "no event");
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(watch);
    // No watch at all, as after an overflow or at the limit: growth, a new name and a rename are found all the same.
    bench.life(|life| {
        life.scan();
        bench.append("mainlog", lines(5..10));
        bench.rename("mainlog", "mainlog.1");
        bench.write("mainlog", lines(100..105));
        life.scan();
    });
    bench.assert_once((0..10).chain(100..105));
    let missing = FolderWatch::new(&[bench.path("not-there")], |_| ()).unwrap();
    assert_eq!(missing.unwatched.len(), 1);
}

#[test]
fn fault_20_hard_links_and_symbolic_links_to_one_file() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..10));
    fs::hard_link(bench.path("mainlog"), bench.path("mainlog-hard")).unwrap();
    std::os::unix::fs::symlink(bench.path("mainlog"), bench.path("mainlog-soft")).unwrap();
    bench.life(|life| {
        life.scan();
        bench.append("mainlog", lines(10..20));
        life.look();
        life.scan();
        assert_eq!(life.open_files(), 1);
    });
    bench.assert_once(0..20);
}

#[test]
fn fault_21_pipes_and_folders_in_the_pattern_are_never_opened() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..10));
    fs::create_dir(bench.path("mainlog.d")).unwrap();
    let pipe = bench.path("mainlog.pipe");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    // Opening the pipe for reading would wait for ever.
    bench.life(|life| {
        life.scan();
        life.scan();
        assert_eq!(life.open_files(), 1);
    });
    bench.assert_once(0..10);
}

#[test]
fn fault_22_a_deleted_file_is_read_to_its_end_and_let_go_after_a_while() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..10));
    bench.life(|life| {
        life.scan();
        let mut writer = fs::File::options().append(true).open(bench.path("mainlog")).unwrap();
        bench.remove("mainlog");
        let mut write = |numbers| std::io::Write::write_all(&mut writer, lines(numbers).as_bytes()).unwrap();
        write(10..20);
        life.scan();
        write(20..25);
        life.look();
        life.assert_once(0..25);
        assert_eq!(life.open_files(), 1);
        // Nobody writes any more: let go after a minute.
        bench.wait_ms(bench.limits.deleted_wait_ms + 1_000);
        life.scan();
        life.scan();
        assert_eq!(life.open_files(), 0);
    });
}

#[test]
fn fault_22_a_deleted_file_that_is_written_to_for_ever_is_given_up_and_said() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..10));
    bench.life(|life| {
        life.scan();
        let mut writer = fs::File::options().append(true).open(bench.path("mainlog")).unwrap();
        bench.remove("mainlog");
        let mut given_up = Vec::new();
        for last in 10..40 {
            std::io::Write::write_all(&mut writer, lines(last..last + 1).as_bytes()).unwrap();
            bench.wait_ms(bench.limits.deleted_wait_ms / 2);
            given_up.extend(life.scan().given_up);
        }
        assert_eq!(given_up, [bench.path("mainlog")]);
        assert_eq!(life.open_files(), 0);
    });
    let stored = bench.stored();
    assert!(
        stored.len() >= 25 && stored.values().all(|count| *count == 1),
        "{stored:?}"
    );
}

#[test]
fn fault_32_unreadable_now_and_readable_later() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..10));
    // A link that leads to itself: no right and no user can open it, not even root.
    std::os::unix::fs::symlink(bench.path("mainlog.1"), bench.path("mainlog.1")).unwrap();
    bench.life(|life| {
        life.scan();
        life.assert_once(0..10);
        bench.append("mainlog", lines(10..12));
        life.scan();
        bench.remove("mainlog.1");
        bench.write("mainlog.1", lines(100..110));
        life.scan();
    });
    bench.assert_once((0..12).chain(100..110));
}

#[test]
fn fault_32_a_folder_that_goes_and_comes_back() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..10));
    bench.life(|life| {
        life.scan();
        let jobs = bench.jobs();
        bench.append("mainlog", lines(10..15));
        // As if the file system with the logs were not mounted: no name is found, the open file is.
        life.round_over(Vec::new());
        life.assert_once(0..15);
        life.round_over(jobs);
        bench.append("mainlog", lines(15..20));
        life.scan();
    });
    bench.assert_once(0..20);
}

#[test]
fn fault_33_a_file_name_that_is_no_utf_8() {
    let bench = Bench::new();
    let name = bench.path("x").with_file_name(OsStr::from_bytes(b"mainlog-\xff\xfe"));
    fs::write(&name, lines(0..10)).unwrap();
    bench.life(|life| {
        life.scan();
        let mut file = fs::File::options().append(true).open(&name).unwrap();
        std::io::Write::write_all(&mut file, lines(10..20).as_bytes()).unwrap();
        life.look();
    });
    bench.life(|life| life.scan());
    bench.assert_once(0..20);
}

#[test]
fn a_log_that_is_cut_at_its_front_gives_only_what_is_new() {
    // These lines name no message: that they stood in this file before is what tells them.
    let bench = Bench::new();
    bench.write("mainlog", lines(0..100));
    bench.life(|life| {
        life.scan();
        bench.write("mainlog", lines(60..100));
        life.scan();
        bench.append("mainlog", lines(100..110));
        life.look();
        // By another file of that name, and while nobody looks.
        bench.write("other", lines(80..110) + &lines(110..115));
        bench.rename("other", "mainlog");
        life.scan();
    });
    bench.append("mainlog", lines(115..120));
    bench.life(|life| life.scan());
    bench.assert_once(0..120);
}

#[test]
fn a_log_that_is_being_written_anew_is_waited_for() {
    let bench = Bench::new();
    bench.write("mainlog", lines(0..100));
    bench.life(|life| {
        life.scan();
        for part in [3, 20, 60] {
            bench.write("mainlog", lines(0..part));
            life.look();
        }
        bench.append("mainlog", lines(60..120));
        life.look();
        life.assert_once(0..120);
        // It reads on: none of that is another log.
        assert_eq!(life.store().positions().sources().unwrap()[0].logs.len(), 1);
        // It stays as short as it is.
        bench.write("mainlog", lines(0..60) + &lines(200..210));
        life.look();
        bench.wait_ms(61_000);
        life.look();
        life.assert_once((0..120).chain(200..210));
    });
    bench.assert_once((0..120).chain(200..210));
}

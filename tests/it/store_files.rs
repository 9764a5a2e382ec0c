//! Files of the store and beside it: links that somebody put there are not followed, and an export is there once.

use crate::logs::simulated;
use crate::util::{KEEP, Place, Run, stop};
use std::fs;
use std::os::unix::fs::symlink;

fn filled() -> Place {
    let place = Place::new();
    let log = place.write("mainlog", simulated(1_000_000, 320));
    place.backfill(&[&log]).ends(0);
    place
}

#[test]
fn the_lock_follows_no_link_and_overwrites_nothing() {
    let place = Place::new();
    let precious = place.write("precious", "keep me");
    let log = place.write("mainlog", simulated(100_000, 321));
    fs::create_dir_all(place.path("store")).unwrap();
    symlink(&precious, place.path("store/lock")).unwrap();
    let run = place.backfill(&[&log]).ends(2).says(&["symbolic link", "store/lock"]);
    assert_eq!(run.err.matches("symbolic link").count(), 1, "{}", run.err);
    fs::remove_file(place.path("store/lock")).unwrap();
    fs::hard_link(&precious, place.path("store/lock")).unwrap();
    place.backfill(&[&log]).ends(2).says(&["hard link", "store/lock"]);
    assert_eq!(fs::read_to_string(&precious).unwrap(), "keep me");
    fs::remove_file(place.path("store/lock")).unwrap();
    // Temporary files of the store have names that can be guessed.
    fs::create_dir_all(place.path("store/segments")).unwrap();
    fs::create_dir_all(place.path("store/copies")).unwrap();
    for name in [
        "segments/1.events.tmp",
        "segments/1.rates.tmp",
        "catalogue.tmp",
        "copies/copy.zst.tmp",
        "copies/copy.sqlite.tmp",
        "alerts.json.tmp",
        "alerts.tmp",
    ] {
        symlink(&precious, place.path("store").join(name)).unwrap();
    }
    place.backfill(&[&log]).ends(0);
    place.run(&["watch", "--once"]);
    assert_eq!(fs::read_to_string(&precious).unwrap(), "keep me");
    let left = place.path("store/copies/copy.zst.tmp");
    assert!(fs::symlink_metadata(left).is_err());
}

fn names(place: &Place, folder: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(place.path(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn export(place: &Place, folder: &str) -> Run {
    place.run(&[
        "store",
        "export",
        folder,
        "--since",
        "2000-01-01",
        "--until",
        "2100-01-01",
    ])
}

/// Rows of all files of events in a folder.
fn exported_rows(place: &Place, folder: &str) -> u64 {
    let events = names(place, folder)
        .into_iter()
        .filter(|name| name.ends_with(".events.parquet"));
    events
        .map(|name| mailpulse::store::columnar::verify(&place.path(folder).join(name)).unwrap())
        .sum()
}

#[test]
fn a_second_export_takes_the_place_of_the_first() {
    let place = filled();
    for seed in 0..3 {
        let log = place.write(&format!("more{seed}"), simulated(100_000, 330 + seed));
        place.backfill(&[&log]).ends(0);
    }
    let events = place.events() as u64;
    export(&place, "out").ends(0);
    assert_eq!(exported_rows(&place, "out"), events);
    let before = names(&place, "out").len();
    place.run(&["store", "compact"]).ends(0);
    export(&place, "out").ends(0);
    assert_eq!(
        exported_rows(&place, "out"),
        events,
        "merged segments have other names and the same rows"
    );
    assert!(names(&place, "out").len() < before);
    export(&place, "out").ends(0);
    assert_eq!(exported_rows(&place, "out"), events);
    assert!(names(&place, "out").iter().all(|name| !name.ends_with(".tmp")));
}

#[test]
fn an_export_goes_into_no_folder_of_somebody_else() {
    let place = filled();
    place.write("home/thesis.tex", "years of work");
    export(&place, "home")
        .ends(2)
        .says(&["not empty", "name an empty folder"]);
    assert_eq!(names(&place, "home"), ["thesis.tex"]);
    let other = filled();
    export(&other, "out").ends(0);
    let folder = other.path("out");
    export(&place, folder.to_str().unwrap())
        .ends(2)
        .says(&["another store"]);
    fs::write(folder.join("mailpulse-export.json"), "{").unwrap();
    export(&other, "out").ends(2).says(&["damaged", "name an empty folder"]);
    // A list that names other files removes none of them.
    place.write("victim", "here to stay");
    export(&place, "mine").ends(0);
    let list = fs::read_to_string(place.path("mine/mailpulse-export.json")).unwrap();
    let list = list.replacen("\"files\": [", "\"files\": [\"../victim\", ", 1);
    place.write("mine/mailpulse-export.json", list);
    export(&place, "mine").ends(0);
    assert!(place.path("victim").exists());
}

#[test]
fn an_export_names_a_segment_that_is_not_what_was_committed() {
    let place = filled();
    let path = place
        .store()
        .segments()
        .all()
        .map(|all| place.store().segments().events_path(all[0].id));
    let path = path.unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, bytes).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    export(&place, "out").ends(3).says(&["missing: ", &name]);
    assert!(!names(&place, "out").contains(&name));
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn verify_and_export_beside_a_tail_that_merges_find_no_fault() {
    let place = Place::with(&format!(
        "{KEEP}[tail]\npoll_ms = 50\n[[source]]\nkind = \"exim\"\npaths = [\"mainlog\"]\nhost = \"mx1\"\n"
    ));
    let log = simulated(1_500_000, 322);
    let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
    let mut parts = lines.chunks(lines.len() / 80 + 1).map(<[&[u8]]>::concat);
    let path = place.write("mainlog", parts.next().unwrap());
    // Ends right after it merged, again and again: what it replaced goes with it.
    for part in parts.by_ref().take(40) {
        let mut file = fs::File::options().append(true).open(&path).unwrap();
        std::io::Write::write_all(&mut file, &part).unwrap();
        place.run(&["backfill", "-q"]).ends(0);
    }
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut tail = place.command().arg("tail").spawn().unwrap();
            for part in parts.by_ref() {
                let mut file = fs::File::options().append(true).open(&path).unwrap();
                std::io::Write::write_all(&mut file, &part).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(60));
            }
            stop(&mut tail);
            for _ in 0..3 {
                place.run(&["store", "compact"]).ends(0);
            }
        });
        while !writer.is_finished() {
            let run = place.run(&["store", "verify"]).ends(0);
            assert!(run.out.contains("all good"), "{}", run.out);
            export(&place, "out").ends(0);
        }
        writer.join().unwrap();
    });
    export(&place, "out").ends(0);
    assert_eq!(exported_rows(&place, "out"), place.events() as u64);
}

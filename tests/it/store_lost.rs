//! A catalogue that is lost: nothing is started afresh, nothing is deleted, and after `store repair` and reading the logs
//! again the store has the rows and sums of one that nothing happened to.

use crate::logs::simulated;
use crate::util::{KEEP, Place, assert_same_answers, assert_same_rows};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

const HOSTS: [&str; 4] = ["mx1001", "mx1002", "mx2001", "mx2002"];
const SUMS: &str = "SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, SUM(messages) AS m, \
     SUM(recipients) AS r, SUM(attempts) AS a, SUM(bytes) AS b FROM rates GROUP BY ts_ms, service, hostgroup, relay, kind, \
     destination, first_hop ORDER BY ts_ms, service, hostgroup, relay, kind, destination, first_hop";
const LINES: &str = "SELECT ts_ms, host, source, lines, events, ignored, unparsed, bytes FROM sources WHERE lines > 0 \
     ORDER BY ts_ms, host, source";

/// A store with logs of several hosts, read one after the other: the copy of the catalogue is of the first.
struct Fleet {
    place: Place,
    /// A folder for each host.
    logs: Vec<PathBuf>,
}

/// Made once: tests change copies of it.
static UNINJURED: LazyLock<Fleet> = LazyLock::new(|| Fleet::with(KEEP));

impl Fleet {
    /// A copy of [`UNINJURED`].
    fn new() -> Fleet {
        let place = Place::copy_of(&UNINJURED.place);
        let logs = HOSTS.map(|host| place.path(&format!("logs/{host}"))).to_vec();
        Fleet { place, logs }
    }

    fn with(config: &str) -> Fleet {
        let place = Place::with(config);
        let logs = (0..).zip(HOSTS).map(|(seed, host)| {
            let log = over_days(&simulated(160_000, 300 + seed));
            let (older, newer) = crate::logs::cut(&log, 0.5);
            place.write(&format!("logs/{host}/mainlog.1"), older);
            place.write(&format!("logs/{host}/mainlog"), newer);
            place.path(&format!("logs/{host}"))
        });
        let logs = logs.collect();
        let fleet = Fleet { place, logs };
        fleet.read();
        fleet
    }

    fn read(&self) {
        for at in 0..HOSTS.len() {
            self.read_one(at).ends(0);
        }
    }

    fn read_one(&self, at: usize) -> crate::util::Run {
        self.place.backfill_as(HOSTS[at], &[&self.logs[at]])
    }

    fn store(&self) -> PathBuf {
        self.place.path("store")
    }

    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(self.store().join("segments"))
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read(entry.path()).unwrap())
            })
            .collect();
        files.sort();
        files
    }

    /// Same rows, rates and counted lines.
    #[track_caller]
    fn assert_like(&self, twin: &Fleet) {
        assert_same_rows(&self.place.rows(), &twin.place.rows());
        for sql in [SUMS, LINES] {
            assert_same_answers(&self.place.sql(sql), &twin.place.sql(sql));
        }
        self.place.verify();
    }
}

/// Days of each log: a segment has rows of one day.
const DAYS: usize = 12;

/// The lines of a log, over [`DAYS`].
fn over_days(log: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
    let dated = lines.iter().enumerate().map(|(at, line)| {
        let day = 1 + at * DAYS / lines.len();
        [format!("2018-06-{day:02}").as_bytes(), &line[10..]].concat()
    });
    dated.collect::<Vec<_>>().concat()
}

fn remove_catalogue(store: &Path) {
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(store.join(format!("catalogue.sqlite{end}")));
    }
}

const PUT_BACK: &str = "put back from a copy of a week ago";

/// Ways to lose a catalogue, and a word of what is told.
type Way = (&'static str, fn(&Path), &'static str);

const WAYS: [Way; 6] = [
    ("deleted", |store| remove_catalogue(store), "gone"),
    (
        "empty",
        |store| {
            remove_catalogue(store);
            fs::write(store.join("catalogue.sqlite"), "").unwrap();
        },
        "empty",
    ),
    (
        "started afresh",
        |store| {
            let elsewhere = store.join("elsewhere");
            drop(mailpulse::store::Store::create(&elsewhere).unwrap());
            remove_catalogue(store);
            fs::rename(elsewhere.join("catalogue.sqlite"), store.join("catalogue.sqlite")).unwrap();
            fs::remove_dir_all(elsewhere).unwrap();
        },
        "",
    ),
    (
        "another file",
        |store| {
            remove_catalogue(store);
            fs::write(store.join("catalogue.sqlite"), "a note to myself\n".repeat(100)).unwrap();
        },
        "not an SQLite database",
    ),
    (
        "cut off",
        |store| {
            let path = store.join("catalogue.sqlite");
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..100]).unwrap();
        },
        "",
    ),
    (
        PUT_BACK,
        |store| {
            let copy = mailpulse::store::copies::list(store).remove(0);
            let old = store.join("old.sqlite");
            copy.unpack(&old).unwrap();
            mailpulse::store::copies::take(store, copy.taken_ms + 3_600_000).unwrap();
            remove_catalogue(store);
            fs::rename(old, store.join("catalogue.sqlite")).unwrap();
        },
        "older than its own copy",
    ),
];

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_lost_catalogue_deletes_nothing_and_repair_gives_the_rows_of_an_uninjured_twin() {
    let twin = &*UNINJURED;
    for (name, lose, word) in WAYS {
        let fleet = Fleet::new();
        let before = fleet.files();
        // Events and rates of each host and day.
        assert!(before.len() >= 2 * HOSTS.len() * DAYS, "{name}: {} files", before.len());
        lose(&fleet.store());
        for args in [
            &["query", "--sql", "SELECT COUNT(*) AS n FROM events"][..],
            &["store", "compact"],
            &["store", "verify"],
            &["status"],
        ] {
            fleet.place.run(args).ends(2).says(&["mailpulse store repair", word]);
        }
        fleet.read_one(1).ends(2).says(&["mailpulse store repair", word]);
        assert_eq!(fleet.files(), before, "{name}");
        let run = fleet.place.run(&["store", "repair"]).ends(0);
        // The newest copy may be as new as the store.
        let is_lost = run.out.contains("coverage lost: mx1002 (exim)");
        assert_eq!(is_lost, name != PUT_BACK, "{name}: {}", run.out);
        // No event is lost meanwhile, whatever else is to come.
        assert_eq!(fleet.place.events(), twin.place.events(), "{name}");
        fleet.read();
        fleet.assert_like(twin);
        let again = fleet.place.run(&["store", "repair"]).ends(0);
        assert!(again.out.contains("the catalogue is good"), "{name}: {}", again.out);
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_position_that_nobody_can_read_comes_back_from_the_copy() {
    let fleet = Fleet::new();
    let catalogue = rusqlite::Connection::open(fleet.store().join("catalogue.sqlite")).unwrap();
    // As one flipped bit leaves it: a text, and JSON, and nothing that SQLite would find.
    let flip = "UPDATE log SET position = replace(position, '\"offset\"', '\"offsdt\"')";
    assert!(catalogue.execute(flip, []).unwrap() > 0);
    drop(catalogue);
    fleet.read_one(0).ends(2).says(&["position", "mailpulse store repair"]);
    let run = fleet.place.run(&["store", "repair"]).ends(0);
    assert!(!run.out.contains("the catalogue is good"), "{}", run.out);
    fleet.read();
    fleet.assert_like(&UNINJURED);
    let again = fleet.place.run(&["store", "repair"]).ends(0);
    assert!(again.out.contains("the catalogue is good"), "{}", again.out);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn without_any_copy_the_segments_alone_make_a_catalogue() {
    let twin = &*UNINJURED;
    let fleet = Fleet::new();
    fs::remove_dir_all(fleet.store().join("copies")).unwrap();
    remove_catalogue(&fleet.store());
    fleet.read_one(0).ends(2);
    let run = fleet.place.run(&["store", "repair"]).ends(0);
    assert!(run.out.contains("no good copy"), "{}", run.out);
    for host in HOSTS {
        assert!(
            run.out.contains(&format!("coverage lost: {host} (exim)")),
            "{}",
            run.out
        );
    }
    assert_eq!(fleet.place.events(), twin.place.events());
    fleet.read();
    fleet.assert_like(twin);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn what_was_merged_since_the_copy_is_not_counted_twice() {
    let twin = Fleet::new();
    let fleet = Fleet::new();
    // What the copy names is merged into other files, and these into others; the last are not removed yet.
    fleet.place.run(&["store", "compact"]).ends(0);
    let merged = fleet.files();
    let more = fleet
        .place
        .write("logs/mx1001/mainlog.more", over_days(&simulated(80_000, 399)));
    fleet.place.backfill(&[&more]).ends(0);
    twin.place.backfill(&[&more]).ends(0);
    fleet.place.run(&["store", "compact"]).ends(0);
    for (name, bytes) in merged {
        fs::write(fleet.store().join("segments").join(name), bytes).unwrap();
    }
    remove_catalogue(&fleet.store());
    fleet.place.run(&["store", "repair"]).ends(0);
    assert_eq!(fleet.place.events(), twin.place.events());
    fleet.read();
    fleet.place.backfill(&[&more]).ends(0);
    fleet.assert_like(&twin);
    let kept = fs::read_dir(fleet.store().join("lost+found")).unwrap().count();
    assert!(kept > 0, "what was replaced is set aside");
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_copy_that_is_damaged_is_passed_over_for_the_older() {
    let twin = &*UNINJURED;
    let fleet = Fleet::new();
    let first = mailpulse::store::copies::list(&fleet.store()).remove(0);
    mailpulse::store::copies::take(&fleet.store(), first.taken_ms + 3_600_000).unwrap();
    let newest = mailpulse::store::copies::list(&fleet.store()).remove(0);
    let mut bytes = fs::read(&newest.path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&newest.path, bytes).unwrap();
    remove_catalogue(&fleet.store());
    let run = fleet.place.run(&["store", "repair"]).ends(0);
    assert!(run.out.contains("hash mismatch"), "{}", run.out);
    fleet.read();
    fleet.assert_like(twin);
}

#[test]
fn a_stray_of_a_crash_and_a_file_of_somebody_else_are_kept_in_lost_found() {
    let fleet = Fleet::new();
    let segments = fleet.store().join("segments");
    let (name, bytes) = fleet.files().remove(0);
    fs::write(segments.join("900.events.parquet"), &bytes).unwrap();
    fs::write(segments.join("notes.txt"), "mine").unwrap();
    let before = fleet.place.events();
    fleet.place.run(&["store", "compact"]).ends(0);
    assert_eq!(fleet.place.events(), before, "{name}");
    let kept: Vec<Vec<u8>> = fs::read_dir(fleet.store().join("lost+found"))
        .unwrap()
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect();
    assert!(kept.contains(&bytes) && kept.contains(&b"mine".to_vec()));
    for args in [&["status"][..], &["store", "verify"]] {
        let run = fleet.place.run(args).ends(0);
        assert!(run.out.contains("lost+found: 2 files"), "{}", run.out);
    }
    let limits = fleet.place.run(&["status", "--limits"]).ends(0);
    assert!(limits.out.contains("store.lost_found_mib_max"), "{}", limits.out);
}

#[test]
fn a_tail_copies_the_catalogue_beside_its_rounds() {
    let place = Place::with(&format!(
        "{KEEP}[tail]\npoll_ms = 50\n[[source]]\nkind = \"exim\"\npaths = [\"mainlog*\"]\nhost = \"mx1\"\n"
    ));
    place.write("mainlog", simulated(300_000, 310));
    let mut tail = place.command().arg("tail").spawn().unwrap();
    let begin = std::time::Instant::now();
    while mailpulse::store::copies::list(&place.path("store")).is_empty() {
        assert!(begin.elapsed() < std::time::Duration::from_secs(30), "no copy");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    crate::util::stop(&mut tail);
    let copies = mailpulse::store::copies::list(&place.path("store"));
    assert!(copies.len() == 1 && copies[0].is_whole().unwrap());
}

#[test]
fn a_rebuilt_store_sends_nothing_before_somebody_decides() {
    let config = |ship: &str| format!("[store]\nurl = \"store\"\n{ship}segment_rows_max = 1000\n");
    // Nobody listens there.
    let ship = "ship = \"clickhouse://mailpulse@127.0.0.1:1/mail\"\n";
    let fleet = Fleet::with(&config(ship));
    let waiting = || fleet.place.store().outbox().waiting().unwrap();
    assert!(waiting().is_some_and(|waiting| waiting.payloads > 0));
    remove_catalogue(&fleet.store());
    let run = fleet.place.run(&["store", "repair"]).ends(0);
    assert!(
        run.out.contains("--keep-sent") && run.out.contains("--anew"),
        "{}",
        run.out
    );
    fleet
        .place
        .run(&["store", "ship", "--once"])
        .ends(2)
        .says(&["--keep-sent", "--anew", "nothing is sent"]);
    fleet.read_one(0).ends(0).says(&["--keep-sent", "--anew"]);
    assert_eq!(waiting(), None, "nothing is posted either");
    let status = fleet.place.run(&["status"]).ends(0);
    assert!(status.out.contains("--keep-sent"), "{}", status.out);
    let nagios = fleet.place.run(&["status", "--nagios"]).ends(1);
    assert!(nagios.out.contains("nothing is sent"), "{}", nagios.out);
    fleet.place.run(&["store", "ship", "--once", "--anew"]).ends(2);
    assert!(
        waiting().is_some_and(|waiting| waiting.payloads > 0),
        "decided: all is posted anew"
    );
}

/// Rows of a log that was read after the copy do not make up for a segment of the copy that is gone.
#[test]
fn a_segment_of_the_copy_that_is_gone_is_not_taken_for_merged() {
    let place = Place::with("[store]\nurl = \"store\"\n[privacy]\nlocal_parts = \"keep\"\n");
    let log = simulated(400_000, 41);
    let (older, newer) = crate::logs::cut(&log, 0.4);
    let older = place.write("mainlog.1", older);
    place.backfill(&[&older]).ends(0);
    let newer = place.write("mainlog", newer);
    place.backfill(&[&older, &newer]).ends(0);
    let before = place.rows();
    let store = place.path("store");
    assert_eq!(
        mailpulse::store::copies::list(&store).len(),
        1,
        "made after the first run"
    );
    remove_catalogue(&store);
    fs::remove_file(store.join("segments/1.events.parquet")).unwrap();
    place.run(&["store", "repair"]).ends(0);
    place.backfill(&[&older, &newer]).ends(0);
    assert_same_rows(&before, &place.rows());
    place.verify();
}

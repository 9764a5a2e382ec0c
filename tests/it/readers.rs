//! Reading needs no write permission: another user, a folder that may not be written, a snapshot. As root these tests ask as
//! `nobody` with the store's group; otherwise write permission is taken away from this user.

use crate::lab::{as_root, is_root};
use crate::util::{KEEP, PROGRAM, Place, Run};
use mailpulse::store::Store;
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const NOBODY: u32 = 65_534;
/// A group that the readers are in, and the store belongs to.
const GROUP: u32 = 54_321;

/// Where somebody asks who may not write: the program, if he cannot reach it where it is built.
struct Reader {
    home: TempDir,
    program: PathBuf,
}

impl Reader {
    fn new() -> Reader {
        let home = tempfile::tempdir().unwrap();
        let mut program = PathBuf::from(PROGRAM);
        if is_root() {
            program = home.path().join("mailpulse");
            fs::hard_link(PROGRAM, &program)
                .or_else(|_| fs::copy(PROGRAM, &program).map(|_| ()))
                .unwrap();
            chown(home.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        Reader { home, program }
    }

    fn asks(&self, place: &Place, store: &str, args: &[&str]) -> Run {
        self.asks_in_group(place, store, args, GROUP)
    }

    fn asks_in_group(&self, place: &Place, store: &str, args: &[&str], group: u32) -> Run {
        let mut command = Command::new(&self.program);
        command
            .arg("--config")
            .arg(place.path("mailpulse.toml"))
            .arg("--store")
            .arg(place.path(store))
            .args(args)
            .env("TMPDIR", self.home.path())
            .current_dir(self.home.path());
        if is_root() {
            command.uid(NOBODY).gid(group);
        }
        Run::of(command.output().expect("the program starts"))
    }

    /// What was left in the folder of temporary files.
    fn left(&self) -> Vec<String> {
        let names = fs::read_dir(self.home.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("mailpulse-")).collect()
    }
}

/// Two days of mail, with an hour without any.
fn log() -> String {
    let mut log = String::new();
    for minute in (0..2 * 1440).filter(|minute| minute / 60 != 30) {
        let (day, hour, minute) = (6 + minute / 1440, minute / 60 % 24, minute % 60);
        let time = format!("2018-06-{day:02} {hour:02}:{minute:02}");
        let id = format!("1fQ{day:01}{hour:02}-00{minute:02}Ab-Cd");
        log += &format!(
            "{time}:01 {id} <= root@shop.example.org H=shop1.example.org [192.0.2.7] P=esmtp S=500\n\
             {time}:02 {id} => x@example.net R=dns T=smtp H=mx.example.net [198.51.100.1] C=\"250 ok\"\n\
             {time}:03 {id} Completed\n"
        );
    }
    log
}

/// A store that the reader's group may read, and nobody else; folders may be entered.
fn place() -> Place {
    let place = Place::with(&KEEP.replace("keep", "hash"));
    let log = place.write("mainlog", log());
    place.backfill(&[&log]).ends(0);
    fs::set_permissions(place.path(""), Permissions::from_mode(0o755)).unwrap();
    place
}

/// Gives a store to the readers' group, or takes the right to write.
fn close(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => close(&path),
            false if is_root() => chown(&path, None, Some(GROUP)).unwrap(),
            false => fs::set_permissions(&path, Permissions::from_mode(0o440)).unwrap(),
        }
    }
    match is_root() {
        true => chown(folder, None, Some(GROUP)).unwrap(),
        false => fs::set_permissions(folder, Permissions::from_mode(0o550)).unwrap(),
    }
}

/// So that a temporary folder can be removed.
fn reopen(folder: &Path) {
    fs::set_permissions(folder, Permissions::from_mode(0o750)).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            reopen(&path);
        }
    }
}

/// Everything that asks, with an answer that does not depend on the time of asking.
const QUESTIONS: [&[&str]; 13] = [
    &[
        "query",
        "--sql",
        "SELECT service, COUNT(*) AS n FROM events GROUP BY service",
    ],
    &["query", "--sql", "SELECT SUM(lines) AS n FROM sources"],
    &["query", "top_services"],
    &["services", "--format", "json"],
    &["services", "discover"],
    &["routes", "--check"],
    &["graph"],
    &["graph", "--plain", "--by", "kind"],
    &["detect", "--format", "json"],
    &["incident", "--since", "2018-06-07 05:00", "--until", "2018-06-07 08:00"],
    &[
        "incident",
        "--since",
        "2018-06-07 05:00",
        "--until",
        "2018-06-07 08:00",
        "--format",
        "html",
    ],
    &["report", "--format", "html"],
    &["store", "verify"],
];

#[track_caller]
fn answers_alike(reader: &Reader, place: &Place, store: &str, expected: &[(i32, String)]) {
    for (args, (code, out)) in QUESTIONS.iter().zip(expected) {
        let run = reader.asks(place, store, args);
        assert_eq!((run.code, &run.out), (*code, out), "{args:?}: {}", run.err);
    }
    let status = reader.asks(place, store, &["status", "--format", "csv"]).ends(0);
    assert!(status.out.contains("mx1001,exim"), "{}", status.out);
    let nagios = reader.asks(place, store, &["status", "--nagios"]);
    assert!(nagios.out.contains("8460 lines"), "{} {}", nagios.out, nagios.err);
    assert!(nagios.err.is_empty(), "{}", nagios.err);
    let to = reader.home.path().join("export");
    let run = reader
        .asks(place, store, &["store", "export", to.to_str().unwrap()])
        .ends(0);
    assert!(run.out.contains("segments in"), "{}", run.out);
    fs::remove_dir_all(to).unwrap();
    assert_eq!(reader.left(), [""; 0]);
}

fn expected(place: &Place) -> Vec<(i32, String)> {
    let ask = |args: &&[&str]| {
        let run = place.run(args);
        assert!(run.code < 2, "{args:?}: {}", run.err);
        (run.code, run.out)
    };
    QUESTIONS.iter().map(ask).collect()
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn who_may_not_write_can_ask_everything_of_a_store_at_rest() {
    let place = place();
    let expected = expected(&place);
    close(&place.path("store"));
    assert!(!place.path("store/catalogue.sqlite-wal").exists());
    let reader = Reader::new();
    answers_alike(&reader, &place, "store", &expected);
    assert!(!place.path("store/catalogue.sqlite-wal").exists());
    reopen(&place.path("store"));
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn who_may_not_write_can_ask_while_somebody_writes() {
    let place = place();
    let expected = expected(&place);
    let writer = Store::create(&place.path("store")).unwrap();
    writer
        .troubles()
        .note("topic", "so that the log holds something")
        .unwrap();
    close(&place.path("store"));
    let wal = fs::metadata(place.path("store/catalogue.sqlite-wal")).unwrap();
    assert!(wal.len() > 0);
    let reader = Reader::new();
    answers_alike(&reader, &place, "store", &expected);
    reopen(&place.path("store"));
}

#[test]
#[ignore = "lab: needs root"]
fn who_may_not_write_sees_at_once_what_is_committed() {
    as_root();
    let place = place();
    let reader = Reader::new();
    let hosts = &[
        "query",
        "--sql",
        "SELECT COUNT(DISTINCT host) AS n FROM sources",
        "--format",
        "csv",
    ];
    let asks = || {
        let _writer = Store::create(&place.path("store")).unwrap();
        close(&place.path("store"));
        reader.asks(&place, "store", hosts).ends(0).out
    };
    assert_eq!(asks(), "n\n1\n");
    let more = place.write("other", log().replace("1fQ", "1fR"));
    place.backfill_as("mx2001", &[&more]).ends(0);
    assert_eq!(asks(), "n\n2\n");
    reopen(&place.path("store"));
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_snapshot_without_the_index_of_its_log_is_read_whole() {
    let place = place();
    // As a snapshot or a copy of files finds it: what was committed last stands in the log alone.
    let expected = expected(&place);
    let writer = Store::create(&place.path("store")).unwrap();
    writer.troubles().note("topic", "only in the log").unwrap();
    let copied = Command::new("cp")
        .args([
            "-a".as_ref(),
            place.path("store").as_os_str(),
            place.path("snapshot").as_os_str(),
        ])
        .status();
    assert!(copied.unwrap().success());
    drop(writer);
    fs::remove_file(place.path("snapshot/catalogue.sqlite-shm")).unwrap();
    let log = place.path("snapshot/catalogue.sqlite-wal");
    assert!(fs::metadata(&log).unwrap().len() > 0);
    // Half a transaction at its end counts for nothing.
    let mut end = fs::File::options().append(true).open(&log).unwrap();
    end.write_all(&[7; 3_000]).unwrap();
    close(&place.path("snapshot"));
    let reader = Reader::new();
    answers_alike(&reader, &place, "snapshot", &expected);
    let status = reader.asks(&place, "snapshot", &["status"]);
    assert!(status.out.contains("only in the log"), "{}", status.out);
    reopen(&place.path("snapshot"));
}

#[test]
#[ignore = "lab: needs root"]
fn who_may_not_read_is_told_who_may() {
    as_root();
    let place = place();
    close(&place.path("store"));
    let reader = Reader::new();
    for args in QUESTIONS {
        let run = reader.asks_in_group(&place, "store", args, NOBODY).ends(2);
        let run = run.says(&["Permission denied", "root", "54321", "usermod -aG"]);
        assert!(!run.err.contains("no store here"), "{}", run.err);
    }
    // Segments alone may be closed: nothing is answered without them, and nothing is mended.
    fs::set_permissions(place.path("store/segments"), Permissions::from_mode(0o700)).unwrap();
    let run = reader.asks(&place, "store", &["query", "top_services"]).ends(2);
    let run = run.says(&["Permission denied", "root"]);
    assert!(!run.err.contains("repair"), "{}", run.err);
    // What has to write says so.
    fs::set_permissions(place.path("store/segments"), Permissions::from_mode(0o750)).unwrap();
    let run = reader.asks(&place, "store", &["store", "compact"]).ends(2);
    run.says(&["run as a user who may write there"]);
}

#[test]
fn files_are_closed_to_others() {
    let place = place();
    place.run(&["store", "compact"]).ends(0);
    place.run(&["watch", "--once"]);
    let mut seen = 0;
    let mut folders = vec![place.path("store")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let mode = fs::metadata(&path).unwrap().mode() & 0o777;
            let wanted = match path.is_dir() {
                true => 0o750,
                false if path.ends_with("key") => 0o600,
                false => 0o640,
            };
            assert_eq!(mode & !wanted, 0, "{} {mode:o}", path.display());
            seen += 1;
            folders.extend(path.is_dir().then_some(path));
        }
    }
    assert!(seen > 8, "{seen}");
    // A store of an earlier version is closed once; what its owner allows afterwards stays.
    let segments = place.path("store/segments");
    fs::set_permissions(&segments, Permissions::from_mode(0o755)).unwrap();
    place.run(&["store", "compact"]).ends(0);
    assert_eq!(fs::metadata(&segments).unwrap().mode() & 0o777, 0o755);
}

#[test]
#[ignore = "lab: needs root"]
fn what_root_makes_in_somebodys_store_its_owner_can_read() {
    as_root();
    let place = place();
    let owner = |name: &str| {
        fs::metadata(place.path(name))
            .map(|found| (found.uid(), found.gid()))
            .unwrap()
    };
    fs::create_dir(place.path("theirs")).unwrap();
    chown(place.path("theirs"), Some(NOBODY), Some(GROUP)).unwrap();
    let log = place.path("mainlog");
    let run = place.run(&["--store", "theirs", "backfill", "--host", "mx1", log.to_str().unwrap()]);
    run.ends(0);
    place.run(&["--store", "theirs", "watch", "--once"]);
    for name in ["catalogue.sqlite", "segments", "lock", "alerts.json", "copies"] {
        assert_eq!(owner(&format!("theirs/{name}")), (NOBODY, GROUP), "{name}");
    }
    for entry in fs::read_dir(place.path("theirs/segments")).unwrap() {
        let found = entry.unwrap().metadata().unwrap();
        assert_eq!((found.uid(), found.gid()), (NOBODY, GROUP));
    }
}

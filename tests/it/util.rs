//! A place for one test: a temporary folder with a configuration and a store, and ways to run the program there and to
//! ask what it stored.

use mailpulse::query::{self, Window};
use mailpulse::store::Store;
use mailpulse::store::columnar::Table;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_mailpulse");

/// What a run of a program left behind.
#[derive(Debug)]
pub(crate) struct Run {
    /// Exit code; -1 if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Run {
    /// The run of a program that has ended.
    pub(crate) fn of(output: Output) -> Run {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Run {
            code: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// The run, which must have ended with this exit code.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Run {
        assert_eq!(
            self.code, code,
            "exit code\n--- stdout\n{}--- stderr\n{}",
            self.out, self.err
        );
        self
    }

    /// The run, whose stderr must hold all these words.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Run {
        for word in words {
            assert!(
                self.err.contains(word),
                "no `{word}` on stderr:\n{}--- stdout\n{}",
                self.err,
                self.out
            );
        }
        self
    }

    /// The numbers of the last line of `backfill`.
    #[track_caller]
    pub(crate) fn totals(&self) -> Totals {
        let line = self
            .out
            .lines()
            .find(|line| line.starts_with("total: "))
            .expect("a line with totals");
        let numbers: Vec<u64> = line
            .split([' ', ';'])
            .filter_map(|word| word.parse().ok())
            .take(4)
            .collect();
        let [lines, events, ignored, unparsed] = numbers[..] else {
            panic!("four numbers in: {line}")
        };
        assert_eq!(lines, events + ignored + unparsed, "{line}");
        Totals {
            lines,
            events,
            ignored,
            unparsed,
        }
    }
}

/// Lines read in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Totals {
    pub lines: u64,
    pub events: u64,
    pub ignored: u64,
    pub unparsed: u64,
}

/// A number from the environment, for tests whose size may be chosen.
pub(crate) fn number_from(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name}={text}: no number"))
    })
}

/// SIGTERM to a daemon: it ends well, within five seconds.
#[track_caller]
pub(crate) fn stop(child: &mut Child) {
    let begin = Instant::now();
    signal(child, "-TERM");
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

/// Sends a signal, as `-HUP`.
#[track_caller]
pub(crate) fn signal(child: &Child, name: &str) {
    let signal = match name {
        "-TERM" => Signal::TERM,
        "-INT" => Signal::INT,
        "-HUP" => Signal::HUP,
        "-STOP" => Signal::STOP,
        "-CONT" => Signal::CONT,
        other => panic!("no signal {other}"),
    };
    kill_process(Pid::from_child(child), signal).expect("the process is there");
}

/// The time on the clock, UTC milliseconds.
#[expect(clippy::disallowed_methods, reason = "the program reads it too")]
pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// A port that nobody else is given, where nobody listens: whoever asks is refused, until a server is told to listen there.
#[derive(Debug)]
pub(crate) struct Reserved(socket2::Socket);

impl Reserved {
    pub(crate) fn new() -> Reserved {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        // A server that sets this as well, as all do, may take a port whose other owner does not listen.
        socket.set_reuse_address(true).expect("an option");
        let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(&any.into()).expect("a port");
        Reserved(socket)
    }

    pub(crate) fn port(&self) -> u16 {
        let address = self.0.local_addr().expect("an address");
        address.as_socket().expect("a port").port()
    }
}

/// A folder with `mailpulse.toml` and a store in `store`.
#[derive(Debug)]
pub(crate) struct Place {
    dir: TempDir,
}

/// Addresses are kept, so that tests can compare senders; batches are small, so that there are many commits. Clients with
/// addresses of examples are ours.
pub(crate) const KEEP: &str = concat!(
    "[ours]\nnetworks = [\"192.0.2.0/24\", \"198.51.100.0/24\", \"203.0.113.0/24\", \"208.80.152.0/22\", \"2620:0:860::/46\"]\n",
    "[store]\nurl = \"store\"\nsegment_rows_max = 1000\n[privacy]\nlocal_parts = \"keep\"\n"
);

/// The same before a configuration that says who is ours.
pub(crate) const KEEP_ALONE: &str =
    "[store]\nurl = \"store\"\nsegment_rows_max = 1000\n[privacy]\nlocal_parts = \"keep\"\n";

/// Copies the files of a folder into another, with their times.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        // Beside a catalogue that another test reads, SQLite's own files come and go.
        let is_fleeting = path
            .to_str()
            .is_some_and(|name| name.ends_with("-wal") || name.ends_with("-shm"));
        let metadata = match entry.metadata() {
            Err(_) if is_fleeting => continue,
            metadata => metadata.expect("its metadata"),
        };
        if metadata.is_dir() {
            copy_folder(&path, &target);
        } else {
            match fs::copy(&path, &target) {
                Err(_) if is_fleeting => continue,
                copied => copied.expect("a copy"),
            };
            let file = fs::File::options().append(true).open(&target).expect("the copy");
            file.set_modified(metadata.modified().expect("its time"))
                .expect("its time");
        }
    }
}

impl Place {
    /// A place with [`KEEP`].
    pub(crate) fn new() -> Place {
        Place::with(KEEP)
    }

    /// A place with this configuration.
    pub(crate) fn with(config: &str) -> Place {
        let place = Place {
            dir: tempfile::tempdir().expect("a temporary folder"),
        };
        place.write("mailpulse.toml", config);
        place
    }

    /// Another place with the same files, which are as old.
    pub(crate) fn copy_of(other: &Place) -> Place {
        let place = Place {
            dir: tempfile::tempdir().expect("a temporary folder"),
        };
        copy_folder(other.dir.path(), place.dir.path());
        place
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file in it; folders are made.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, bytes).expect("a file written");
        path
    }

    /// The program with its configuration, not started yet.
    pub(crate) fn command(&self) -> Command {
        self.command_of(PROGRAM)
    }

    /// The same of the program that `MAILPULSE` names, by default this one: an optimised one is some ten times as fast.
    pub(crate) fn command_of_choice(&self) -> Command {
        self.command_of(&std::env::var("MAILPULSE").unwrap_or_else(|_| PROGRAM.to_owned()))
    }

    fn command_of(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .arg("--config")
            .arg(self.path("mailpulse.toml"))
            .current_dir(self.dir.path());
        command
    }

    /// Runs the program.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        self.keeps_to_its_store(args);
        Run::of(self.command().args(args).output().expect("the program starts"))
    }

    /// What reads logs names its store: the default one is this machine's own.
    #[track_caller]
    fn keeps_to_its_store(&self, args: &[&str]) {
        if args.contains(&"backfill") && !args.contains(&"--store") && !args.contains(&"--help") {
            let config = fs::read_to_string(self.path("mailpulse.toml")).unwrap_or_default();
            assert!(
                config.contains("[store]"),
                "{args:?} would read into the store of this machine:\n{config}"
            );
        }
    }

    /// Reads logs of the host mx1001.
    pub(crate) fn backfill(&self, paths: &[&Path]) -> Run {
        self.backfill_as("mx1001", paths)
    }

    /// Reads logs of a host.
    pub(crate) fn backfill_as(&self, host: &str, paths: &[&Path]) -> Run {
        self.keeps_to_its_store(&["backfill"]);
        let output = self.command().args(["backfill", "--host", host]).args(paths).output();
        Run::of(output.expect("the program starts"))
    }

    /// Answers of `query --sql`, as JSON.
    #[track_caller]
    pub(crate) fn sql(&self, text: &str) -> Vec<Value> {
        let run = self.run(&["query", "--sql", text, "--format", "json"]).ends(0);
        serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error} in:\n{}", run.out))
    }

    /// The one number that a query gives.
    #[track_caller]
    pub(crate) fn number(&self, text: &str) -> i64 {
        let rows = self.sql(text);
        let [Value::Object(row)] = &rows[..] else {
            panic!("one row of {text}: {rows:?}")
        };
        let value = row.values().next().expect("a column");
        // The sum of nothing is null.
        if value.is_null() {
            0
        } else {
            value.as_i64().unwrap_or_else(|| panic!("a number: {value}"))
        }
    }

    /// How many events the store holds.
    #[track_caller]
    pub(crate) fn events(&self) -> i64 {
        self.number("SELECT COUNT(*) AS n FROM events")
    }

    /// The store, for reading.
    pub(crate) fn store(&self) -> Store {
        Store::open(&self.path("store")).expect("a store")
    }

    /// Every row with every column, in the order of their identity.
    pub(crate) fn rows(&self) -> Table {
        let text = "SELECT * FROM events ORDER BY event_id";
        query::select(&self.store(), text, Window::ALL).expect("all rows")
    }

    /// Verifies the store; the number of segments that are good.
    #[track_caller]
    pub(crate) fn verify(&self) -> usize {
        let run = self.run(&["store", "verify"]).ends(0);
        assert!(run.out.contains("all good"), "{}", run.out);
        self.store().segments().all().expect("segments").len()
    }
}

/// The first difference of two sets of rows, for people.
#[track_caller]
pub(crate) fn assert_same_rows(left: &Table, right: &Table) {
    assert_eq!(left.rows(), right.rows(), "number of rows");
    assert!(left.rows() > 0, "two empty stores are equal, and say nothing");
    for (a, b) in left.columns.iter().zip(&right.columns) {
        assert_eq!(a.name, b.name);
        if a.values != b.values {
            let (a_text, b_text) = (format!("{:?}", a.values), format!("{:?}", b.values));
            let at = a_text
                .bytes()
                .zip(b_text.bytes())
                .take_while(|(a, b)| a == b)
                .count()
                .saturating_sub(60);
            let piece = |text: &str| text.chars().skip(at).take(200).collect::<String>();
            panic!("column {} differs: … {}\n… {}", a.name, piece(&a_text), piece(&b_text));
        }
    }
    assert_eq!(left.columns.len(), right.columns.len());
}

/// Two answers that must be equal; tells the rows that only one of them has.
#[track_caller]
pub(crate) fn assert_same_answers(left: &[Value], right: &[Value]) {
    let only = |a: &[Value], b: &[Value]| {
        let rows: Vec<String> = a
            .iter()
            .filter(|row| !b.contains(row))
            .take(10)
            .map(ToString::to_string)
            .collect();
        rows.join("\n")
    };
    assert!(!left.is_empty(), "two empty answers are equal, and say nothing");
    assert!(
        left == right,
        "only left:\n{}\nonly right:\n{}",
        only(left, right),
        only(right, left)
    );
}

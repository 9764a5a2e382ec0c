//! A running tail over Exim's lines, and files that are rotated, cut and rewritten under it.

use crate::util::{KEEP, Place, stop};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A tail over `l/GLOB`, and the lines that were written so far.
pub(crate) struct Following {
    pub place: Place,
    child: Child,
    written: u64,
}

/// An arrival: 20 a second.
fn line(number: u64) -> String {
    let second = number / 20;
    format!(
        "2025-11-19 {:02}:{:02}:{:02} 1vLh1t-{number:011}-0000 <= s{}@example.org U=app P=local S=900 id={number}@web1 \
         for bob@example.net\n",
        10 + second / 3_600,
        second / 60 % 60,
        second % 60,
        number % 5
    )
}

impl Following {
    /// Starts.
    pub(crate) fn start(glob: &str) -> Following {
        let place = Place::with(&format!(
            "{KEEP}[tail]\npoll_ms = 300\nrescan_s = 1\n[[source]]\nkind = \"exim\"\npaths = [\"l/{glob}\"]\nhost = \"mx1\"\n"
        ));
        fs::create_dir(place.path("l")).unwrap();
        let child = place
            .command()
            .arg("tail")
            .stdout(Stdio::null())
            .spawn()
            .expect("tail starts");
        let begin = Instant::now();
        while !place.path("store/catalogue.sqlite").exists() {
            assert!(begin.elapsed() < Duration::from_secs(30), "no store");
            pause(50);
        }
        Following {
            place,
            child,
            written: 0,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.place.path("l").join(name)
    }

    /// The next lines.
    pub(crate) fn lines(&mut self, count: u64) -> String {
        let from = self.written;
        self.written += count;
        (from..self.written).map(line).collect()
    }

    /// Appends the next lines, as a program that opens its log for each batch.
    pub(crate) fn append(&mut self, name: &str, count: u64) {
        let text = self.lines(count);
        let path = self.path(name);
        let mut file = File::options().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// Rows and different identities; a store that is being made has none.
    fn counts(&self) -> (i64, i64) {
        let sql = "SELECT COUNT(*) AS n, COUNT(DISTINCT event_id) AS ids FROM events WHERE kind = 'accepted'";
        let run = self.place.run(&["query", "--sql", sql, "--format", "csv"]);
        let numbers: Vec<i64> = run
            .out
            .lines()
            .nth(1)
            .unwrap_or_default()
            .split(',')
            .filter_map(|n| n.parse().ok())
            .collect();
        match numbers[..] {
            [rows, ids] => (rows, ids),
            _ => (0, 0),
        }
    }

    /// Waits until all that was written is stored, and no more.
    #[track_caller]
    pub(crate) fn wait(&self) {
        let wanted = (self.written as i64, self.written as i64);
        let begin = Instant::now();
        while self.counts() != wanted {
            assert!(
                begin.elapsed() < Duration::from_secs(60),
                "{:?} of {}",
                self.counts(),
                self.written
            );
            pause(100);
        }
    }

    /// Identities of all rows.
    pub(crate) fn ids(&self) -> Vec<String> {
        let rows = self.place.sql("SELECT event_id FROM events ORDER BY event_id");
        rows.iter().map(|row| row["event_id"].to_string()).collect()
    }

    /// Each line stands once in the store: now, some rounds later, and after a backfill of what lies there.
    #[track_caller]
    pub(crate) fn ends_with_each_line_once(mut self) {
        self.wait();
        pause(2_500);
        let wanted = (self.written as i64, self.written as i64);
        assert_eq!(self.counts(), wanted, "after more rounds");
        stop(&mut self.child);
        self.place.run(&["backfill", "-q"]);
        assert_eq!(self.counts(), wanted, "after a backfill");
        self.place.verify();
    }
}

pub(crate) fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

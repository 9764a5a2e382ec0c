//! A folder with logs, a store, and rounds of following at a time that the test says.

use mailpulse::ingest::spec::{Grammar, Spec};
use mailpulse::ingest::{Job, Progress, RunLimits};
use mailpulse::model::time::UtcMs;
use mailpulse::normalise::attribution::Attribution;
use mailpulse::normalise::redact::{LocalParts, Redactor};
use mailpulse::normalise::rules::{HostGroups, ServiceRules};
use mailpulse::query::{self, Window};
use mailpulse::service::follow::{FollowLimits, Follower, Round};
use mailpulse::source::scan::scan;
use mailpulse::store::Store;
use mailpulse::store::columnar::Values;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// Logs and a store.
pub(crate) struct Bench {
    dir: TempDir,
    attribution: Attribution,
    spec: Arc<Spec>,
    pub run: RunLimits,
    pub limits: FollowLimits,
    /// The test's clock is so much ahead of the machine's.
    pub ahead_ms: std::cell::Cell<i64>,
}

/// Nobody looks.
struct Unseen;

impl Progress for Unseen {
    fn content(&self, _: u64) {}
    fn file(&self, _: u64) {}
}

/// One life of a tail: dropping it is as good as a kill.
pub(crate) struct Life<'b> {
    bench: &'b Bench,
    follower: Follower<'b>,
    store: &'b Store,
}

/// A line that gives one event, and says by its sender which line it is.
pub(crate) fn line(number: u64) -> String {
    let (minute, second) = (number / 60 % 60, number % 60);
    format!(
        "2026-11-0{} {:02}:{minute:02}:{second:02} H=relay.example.org [192.0.2.9] F=<line-{number}@example.org> rejected \
         RCPT <someone@example.net>: relay not permitted ({number})\n",
        1 + number / 86_400 % 9,
        number / 3_600 % 24
    )
}

/// Lines from one number up to before another.
pub(crate) fn lines(numbers: std::ops::Range<u64>) -> String {
    numbers.map(line).collect()
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench {
            dir: tempfile::tempdir().expect("a temporary folder"),
            attribution: Attribution {
                services: ServiceRules::default(),
                derive: true,
                hostgroups: HostGroups::default(),
                services_max: 100,
                redactor: Redactor::new(LocalParts::Keep, [0; 32]),
                covered_hosts: Default::default(),
                ours: Default::default(),
                providers: Default::default(),
            },
            spec: Arc::new(Spec::of(Grammar::Exim, jiff::tz::TimeZone::UTC)),
            run: RunLimits::default(),
            limits: FollowLimits::default(),
            ahead_ms: std::cell::Cell::new(0),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The store's folder.
    pub(crate) fn store_path(&self) -> PathBuf {
        self.path("store")
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect("written");
    }

    pub(crate) fn append(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(self.path(name))
            .expect("opened");
        file.write_all(bytes.as_ref()).expect("appended");
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("renamed");
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).expect("removed");
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "files get the machine's time, and whether they are quiet is asked of it"
    )]
    pub(crate) fn now_ms(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        now.as_millis() as i64 + self.ahead_ms.get()
    }

    /// The clock goes on.
    pub(crate) fn wait_ms(&self, ms: i64) {
        self.ahead_ms.set(self.ahead_ms.get() + ms);
    }

    /// What `mainlog*` stands for.
    pub(crate) fn jobs(&self) -> Vec<Job> {
        let found = scan(&[self.path("mainlog*")], &self.run.source);
        let families = found
            .families
            .into_iter()
            .map(|family| (Arc::clone(&self.spec), family))
            .collect();
        vec![Job {
            host: "mx1".to_owned(),
            kind: "exim",
            families,
            journals: Vec::new(),
        }]
    }

    /// A life of the tail.
    pub(crate) fn life<T>(&self, live: impl FnOnce(&mut Life<'_>) -> T) -> T {
        let store = create(&self.store_path());
        let mut life = Life {
            bench: self,
            follower: Follower::new(&store, &self.attribution, &self.run, &self.limits, &Unseen),
            store: &store,
        };
        live(&mut life)
    }

    /// How often each line was stored, by its number.
    pub(crate) fn stored(&self) -> BTreeMap<u64, u64> {
        let store = Store::open(&self.store_path()).expect("a store");
        stored(&store)
    }

    /// All of these lines stand in the store once, and no other.
    #[track_caller]
    pub(crate) fn assert_once(&self, numbers: impl IntoIterator<Item = u64>) {
        assert_once(&self.stored(), numbers);
    }

    /// Sum over the logs: lines, events, ignored, unparsed.
    pub(crate) fn counts(&self) -> [u64; 4] {
        let store = Store::open(&self.store_path()).expect("a store");
        let mut sums = [0; 4];
        for log in store
            .positions()
            .sources()
            .expect("sources")
            .iter()
            .flat_map(|source| &source.logs)
        {
            let c = &log.counts;
            for (sum, count) in sums.iter_mut().zip([c.lines, c.events, c.ignored, c.unparsed]) {
                *sum += count;
            }
        }
        assert_eq!(
            sums[0],
            sums[1] + sums[2] + sums[3],
            "lines = events + ignored + unparsed"
        );
        sums
    }
}

/// A child that another test's thread starts holds the lock of a store that has just been closed, for the moment before
/// it becomes its program.
fn create(path: &Path) -> Store {
    for _ in 0..200 {
        match Store::create(path) {
            Err(mailpulse::store::StoreError::Locked { .. }) => {
                std::thread::sleep(std::time::Duration::from_millis(10))
            }
            other => return other.expect("a store"),
        }
    }
    panic!("{} stays locked", path.display())
}

fn stored(store: &Store) -> BTreeMap<u64, u64> {
    let text = "SELECT sender_local FROM events WHERE kind = 'rejected'";
    let table = query::select(store, text, Window::ALL).expect("an answer");
    let Values::Text(senders) = &table.columns[0].values else {
        panic!("texts")
    };
    let mut counts = BTreeMap::new();
    for sender in senders.iter().flatten() {
        let number = sender.strip_prefix("line-").and_then(|number| number.parse().ok());
        *counts.entry(number.unwrap_or_else(|| panic!("{sender}"))).or_default() += 1;
    }
    counts
}

#[track_caller]
pub(crate) fn assert_once(stored: &BTreeMap<u64, u64>, numbers: impl IntoIterator<Item = u64>) {
    let wanted: std::collections::BTreeSet<u64> = numbers.into_iter().collect();
    let lost: Vec<_> = wanted
        .iter()
        .filter(|number| !stored.contains_key(number))
        .take(10)
        .collect();
    let doubled: Vec<_> = stored.iter().filter(|(_, count)| **count > 1).take(10).collect();
    let foreign: Vec<_> = stored
        .keys()
        .filter(|number| !wanted.contains(number))
        .take(10)
        .collect();
    assert!(
        lost.is_empty() && doubled.is_empty() && foreign.is_empty(),
        "lost {lost:?}, doubled {doubled:?}, not wanted {foreign:?}; stored {} of {}",
        stored.len(),
        wanted.len()
    );
}

impl Life<'_> {
    /// How many sources have been read to their end.
    pub(crate) fn at_end(&self) -> usize {
        self.follower.at_end().count()
    }

    /// A round that looks at names, and the one that it may ask for.
    #[track_caller]
    pub(crate) fn scan(&mut self) -> Round {
        let round = self.try_scan();
        assert!(round.troubles.is_empty(), "{:?}", round.troubles);
        round
    }

    pub(crate) fn try_scan(&mut self) -> Round {
        let stop = AtomicBool::new(false);
        self.follower
            .round(UtcMs::new(self.bench.now_ms()), Some(self.bench.jobs()), &stop)
    }

    /// A round that looks at open files; if it asks for the names, they are looked at.
    #[track_caller]
    pub(crate) fn look(&mut self) -> Round {
        let (round, _) = self.try_look();
        assert!(round.troubles.is_empty(), "{:?}", round.troubles);
        round
    }

    /// The same, with whether the names were looked at.
    pub(crate) fn try_look(&mut self) -> (Round, bool) {
        let stop = AtomicBool::new(false);
        let round = self.follower.round(UtcMs::new(self.bench.now_ms()), None, &stop);
        match round.wants_scan {
            true => (self.try_scan(), true),
            false => (round, false),
        }
    }

    /// A round over the names that can be told to end.
    pub(crate) fn scan_until(&mut self, stop: &AtomicBool) -> Round {
        self.follower
            .round(UtcMs::new(self.bench.now_ms()), Some(self.bench.jobs()), stop)
    }

    /// A round over names that were looked at before.
    pub(crate) fn round_over(&mut self, jobs: Vec<Job>) -> Round {
        self.follower
            .round(UtcMs::new(self.bench.now_ms()), Some(jobs), &AtomicBool::new(false))
    }

    pub(crate) fn open_files(&self) -> usize {
        self.follower.open_files()
    }

    pub(crate) fn store(&self) -> &Store {
        self.store
    }

    #[track_caller]
    pub(crate) fn assert_once(&self, numbers: impl IntoIterator<Item = u64>) {
        assert_once(&stored(self.store), numbers);
    }
}

/// All that a round told of files.
pub(crate) fn told(round: &Round) -> String {
    let problems = round.reports.iter().flat_map(|report| &report.problems);
    problems
        .map(|problem| format!("{}: {}\n", problem.path.display(), problem.what))
        .collect()
}

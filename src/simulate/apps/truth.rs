//! What the applications' logs really hold: counted record by record on its way into the file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::truth::Phase;
use super::Log;
use super::attempts::Plan;

/// What one service handed in, or tried to, in one phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Submissions {
    /// Different mails that were tried for the first time.
    pub tried: u64,
    /// Different mails that a relay took.
    pub accepted: u64,
    /// Different mails whose first failure was logged. One that is retried counts once.
    pub submit_failed: u64,
    /// Failures that were logged, each retry's included; the copy of a record in a second file is not counted.
    pub failures: u64,
    /// Successes that were logged: Sentry alone does that.
    pub submitted: u64,
}

impl Submissions {
    /// Attempts to hand a mail in, retries included.
    pub fn attempts(&self) -> u64 {
        self.accepted + self.failures
    }
}

/// What the applications' logs hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppTruth {
    /// Mails by service and phase.
    pub counts: BTreeMap<(String, Phase), Submissions>,
    /// By service: when each mail failed first, in seconds since the epoch, in order.
    pub failed: BTreeMap<String, Vec<i64>>,
    /// Lines by kind of source, host and phase.
    pub lines: BTreeMap<(String, String, Phase), u64>,
    /// All bytes before compression.
    pub bytes: u64,
    /// The files.
    pub files: Vec<PathBuf>,
}

/// What one log holds.
#[derive(Default)]
pub(super) struct Written {
    /// By phase.
    pub(super) counts: [Submissions; 3],
    /// By phase.
    pub(super) lines: [u64; 3],
    pub(super) failed: Vec<i64>,
    pub(super) bytes: u64,
    pub(super) files: Vec<PathBuf>,
}

const PHASES: [Phase; 3] = [Phase::Before, Phase::Outage, Phase::After];

impl AppTruth {
    /// Lines of all logs.
    pub fn all_lines(&self) -> u64 {
        self.lines.values().sum()
    }

    /// What a service did in all phases.
    pub fn service(&self, service: &str) -> Submissions {
        let mut sum = Submissions::default();
        for phase in PHASES {
            let counts = self.counts.get(&(service.to_owned(), phase));
            sum.add(&counts.copied().unwrap_or_default());
        }
        sum
    }

    pub(super) fn add_plan(&mut self, service: &str, plan: &Plan) {
        for (phase, counts) in PHASES.into_iter().zip(&plan.counts) {
            self.counts.entry((service.to_owned(), phase)).or_default().add(counts);
        }
    }

    pub(super) fn add_journal(&mut self, log: &Log, written: Written) {
        for (n, phase) in PHASES.into_iter().enumerate() {
            let counts = self.counts.entry((log.service.to_owned(), phase)).or_default();
            counts.add(&written.counts[n]);
            let key = (log.kind.to_owned(), log.host.to_owned(), phase);
            *self.lines.entry(key).or_default() += written.lines[n];
        }
        let failed = self.failed.entry(log.service.to_owned()).or_default();
        failed.extend(written.failed);
        failed.sort_unstable();
        self.bytes += written.bytes;
        self.files.extend(written.files);
    }
}

impl Submissions {
    fn add(&mut self, other: &Self) {
        self.tried += other.tried;
        self.accepted += other.accepted;
        self.submit_failed += other.submit_failed;
        self.failures += other.failures;
        self.submitted += other.submitted;
    }
}

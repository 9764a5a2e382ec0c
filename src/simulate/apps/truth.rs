//! What the applications' logs really hold: counted record by record on its way into the file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::impact::Phase;
use super::attempts::AttemptPlan;
use super::log_writer::LogTotals;
use super::logs::Log;
use super::submissions::Submissions;

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

impl AppTruth {
    /// Lines of all logs.
    pub fn all_lines(&self) -> u64 {
        self.lines.values().sum()
    }

    /// What a service did in all phases.
    pub fn service(&self, service: &str) -> Submissions {
        let mut sum = Submissions::default();
        for phase in Phase::ALL {
            let counts = self.counts.get(&(service.to_owned(), phase));
            sum.add(&counts.copied().unwrap_or_default());
        }
        sum
    }

    pub(super) fn add_plan(&mut self, service: &str, plan: &AttemptPlan) {
        for (phase, counts) in Phase::ALL.into_iter().zip(&plan.counts) {
            self.counts.entry((service.to_owned(), phase)).or_default().add(counts);
        }
    }

    pub(super) fn add_journal(&mut self, log: &Log, written: LogTotals) {
        for (n, phase) in Phase::ALL.into_iter().enumerate() {
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

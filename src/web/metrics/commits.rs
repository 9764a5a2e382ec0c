//! What this process commits: how long it takes, and whose messages it adds. Rows of the last quarter of an hour are counted as
//! mail of now; those of archives, and what comes late, apart.

use super::counters::{LabelledTotals, MINUTES, direction_label};
use super::exposition::{Histogram, MetricFamilies};
use crate::model::time::UtcMs;
use crate::store::columnar::message_sums;
use crate::store::commit::Commit;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Bounds of the histogram, seconds: a commit waits for the disk several times, which takes a millisecond or a second.
const BOUNDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Counts commits; shared by whoever commits and whoever shows it.
#[derive(Debug, Default)]
pub(crate) struct CommitMetrics(Mutex<CommitCounters>);

/// What was counted since the process began.
#[derive(Debug, Clone)]
pub(super) struct CommitCounters {
    took: Histogram,
    /// Messages of the last minutes.
    pub recent: LabelledTotals,
    /// Messages of earlier ones.
    pub late: LabelledTotals,
}

impl Default for CommitCounters {
    fn default() -> Self {
        CommitCounters {
            took: Histogram::new(&BOUNDS),
            recent: LabelledTotals::default(),
            late: LabelledTotals::default(),
        }
    }
}

impl CommitMetrics {
    /// Counts a commit that is stored.
    pub(crate) fn committed(&self, commit: &Commit, took: Duration, now_ms: UtcMs) {
        let segments = commit.segments.iter();
        let segments = segments.chain(commit.others.iter().flat_map(|other| &other.segments));
        // Before the lock: whoever scrapes does not wait for it.
        let sums: Vec<_> = segments
            .filter_map(|segment| match message_sums(segment) {
                Ok(sums) => Some(sums),
                Err(error) => {
                    tracing::warn!("messages of a commit are not counted: {error}");
                    None
                }
            })
            .flatten()
            .collect();
        let recent_ms = (now_ms.minute() - MINUTES).start();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.took.observe(took.as_secs_f64());
        for sum in sums {
            let totals = match sum.ts_ms >= recent_ms {
                true => &mut state.recent,
                false => &mut state.late,
            };
            let direction = direction_label(&sum.direction, &sum.origin).to_owned();
            totals.add(&[sum.service, sum.relay, sum.kind, direction], sum.messages);
        }
    }

    /// What was counted.
    pub(super) fn counted(&self) -> CommitCounters {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How long commits took.
pub(super) fn of_commits(counted: &CommitCounters, families: &mut MetricFamilies) {
    families
        .histogram(
            "mailpulse_commit_duration_seconds",
            "Time that a commit took: files, transaction, and waiting for the disk.",
        )
        .observed(&counted.took);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::columnar::EncodedSegment;

    #[test]
    fn a_commit_without_rows_is_timed_and_counts_nothing() {
        let metrics = CommitMetrics::default();
        let commit = Commit {
            source: 1,
            segments: Vec::<EncodedSegment>::new(),
            logs: Vec::new(),
            minutes: Vec::new(),
            changes: Default::default(),
            unparsed: Vec::new(),
            again: None,
            odd_fields: Vec::new(),
            split_lines: None,
            others: Vec::new(),
        };
        metrics.committed(&commit, Duration::from_millis(3), UtcMs::EPOCH);
        metrics.committed(&commit, Duration::from_secs(60), UtcMs::EPOCH);
        let counted = metrics.counted();
        assert!(counted.recent.totals.is_empty() && counted.late.totals.is_empty());
        let mut families = MetricFamilies::default();
        of_commits(&counted, &mut families);
        let text = families.text(false);
        for line in [
            "# TYPE mailpulse_commit_duration_seconds histogram",
            "mailpulse_commit_duration_seconds_bucket{le=\"0.0025\"} 0",
            "mailpulse_commit_duration_seconds_bucket{le=\"0.005\"} 1",
            "mailpulse_commit_duration_seconds_bucket{le=\"10.0\"} 1",
            "mailpulse_commit_duration_seconds_bucket{le=\"+Inf\"} 2",
            "mailpulse_commit_duration_seconds_sum 60.003",
            "mailpulse_commit_duration_seconds_count 2",
        ] {
            assert!(text.lines().any(|own| own == line), "{line}\n{text}");
        }
    }
}

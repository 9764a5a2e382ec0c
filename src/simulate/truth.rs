//! What was really written: counted line by line on its way into the file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::apps::AppTruth;
use super::counter::Counter;
use super::form::LineForm;
use super::impact::{MailTally, OutageImpact, Phase};

/// What the logs hold: the relays' logs, but for `apps`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// Events by service, relay and kind.
    pub counts: BTreeMap<(String, String, String), u64>,
    /// Messages and recipients by service, relay and phase.
    pub phases: BTreeMap<(String, String, Phase), MailTally>,
    /// Lines by form.
    pub forms: BTreeMap<LineForm, u64>,
    /// All lines.
    pub lines: u64,
    /// All bytes before compression.
    pub bytes: u64,
    /// By service: what the outage did.
    pub impact: BTreeMap<String, OutageImpact>,
    /// First instant of the logs, the stop, the restart, the end (seconds since the epoch, UTC).
    pub from: i64,
    /// The clean stop of mx1001.
    pub stopped: i64,
    /// Its start.
    pub restarted: i64,
    /// No line is at or after this instant.
    pub until: i64,
    /// The files, oldest last.
    pub files: Vec<PathBuf>,
    /// The applications' own logs; nothing of them is counted above.
    pub apps: AppTruth,
}

impl Truth {
    /// Adds what one relay wrote.
    pub(super) fn add(&mut self, counter: &Counter, relay: &str) {
        self.lines += counter.lines;
        self.bytes += counter.bytes;
        for (service, phase, form, n) in counter.counts() {
            *self.forms.entry(form).or_default() += n;
            let Some(kind) = form.kind() else { continue };
            *self
                .counts
                .entry((service.into(), relay.into(), kind.into()))
                .or_default() += n;
            let tally = self.phases.entry((service.into(), relay.into(), phase)).or_default();
            match kind {
                "accepted" => tally.accepted += n,
                "delivered" => tally.delivered += n,
                _ => {}
            }
        }
    }
}

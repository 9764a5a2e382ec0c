//! What `mailpulse silence` and `mailpulse mark` keep.

use super::entries::PlannedEntry;
use super::words::{REASON_MAX, TEXT_MAX, checked};
use crate::model::time::UtcMs;
use globset::Glob;
use serde::{Deserialize, Serialize};

/// What is silenced: a name, or a glob of names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SilenceTarget {
    /// A service.
    Service(String),
    /// A relay, with the alarms that it is the cause of, and those about its log.
    Relay(String),
    /// A hostgroup.
    Hostgroup(String),
    /// A provider.
    Provider(String),
}

impl SilenceTarget {
    /// `relay`, and the name.
    #[must_use]
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            SilenceTarget::Service(name) => ("service", name),
            SilenceTarget::Relay(name) => ("relay", name),
            SilenceTarget::Hostgroup(name) => ("hostgroup", name),
            SilenceTarget::Provider(name) => ("provider", name),
        }
    }
}

/// Planned work, as somebody declared it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptSilence {
    /// Its number.
    pub id: u64,
    /// What is silenced.
    pub target: SilenceTarget,
    pub from_ms: UtcMs,
    /// End, exclusive.
    pub until_ms: UtcMs,
    pub reason: String,
}

impl PlannedEntry for KeptSilence {
    const MAX: usize = 1_000;

    fn number(&self) -> u64 {
        self.id
    }

    fn set_number(&mut self, number: u64) {
        self.id = number;
    }

    fn end_ms(&self) -> UtcMs {
        self.until_ms
    }

    fn problem(&self) -> Option<String> {
        let (kind, name) = self.target.parts();
        if self.until_ms <= self.from_ms {
            return Some("its end is not after its beginning".to_owned());
        }
        if let Err(why) = checked(&self.reason, REASON_MAX) {
            return Some(format!("its reason {why}"));
        }
        if let Err(why) = checked(name, REASON_MAX) {
            return Some(format!("its {kind} {why}"));
        }
        if self.from_ms.timestamp().is_err() || self.until_ms.timestamp().is_err() {
            return Some("its time is out of range".to_owned());
        }
        Glob::new(name).err().map(|why| format!("its {kind}: {why}"))
    }
}

/// A deployment or another change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkMark {
    /// Its number.
    pub id: u64,
    pub at_ms: UtcMs,
    pub text: String,
    /// The service that it concerns; `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

impl PlannedEntry for WorkMark {
    const MAX: usize = 5_000;

    fn number(&self) -> u64 {
        self.id
    }

    fn set_number(&mut self, number: u64) {
        self.id = number;
    }

    fn end_ms(&self) -> UtcMs {
        self.at_ms
    }

    fn problem(&self) -> Option<String> {
        let service = self.service.as_deref().map(|name| checked(name, REASON_MAX));
        match (checked(&self.text, TEXT_MAX), service) {
            (Err(why), _) => Some(format!("its text {why}")),
            (_, Some(Err(why))) => Some(format!("its service {why}")),
            _ => None,
        }
    }
}

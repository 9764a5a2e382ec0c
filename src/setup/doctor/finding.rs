//! What an examination asks and gives.

use crate::model::time::UtcMs;

/// Where a fault is. The order is that of the findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FaultArea {
    /// `mailpulse.toml`, and what it names.
    Configuration,
    /// Who may read what.
    Permissions,
    /// Whether logs are read, and recent.
    Freshness,
    /// Whether their lines parse.
    Parsing,
    /// Clocks and zones.
    Clocks,
    /// The store, the disk, and what is sent to a ClickHouse.
    Store,
    /// Who judges, and who is told.
    Channels,
}

impl FaultArea {
    /// The word in answers.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            FaultArea::Configuration => "configuration",
            FaultArea::Permissions => "permissions",
            FaultArea::Freshness => "freshness",
            FaultArea::Parsing => "parsing",
            FaultArea::Clocks => "clocks",
            FaultArea::Store => "store",
            FaultArea::Channels => "channels",
        }
    }
}

/// What to do about a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NextStep {
    /// A command of this program, without its name and the options that all commands have: `check`.
    Command(String),
    /// Start the daemon, as it is started here.
    Start,
    /// Anything else, in words or for a shell.
    Words(String),
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Where it is.
    pub area: FaultArea,
    /// What it is, as a word that stays: `log_unreadable`.
    pub id: &'static str,
    /// What is wrong, for people.
    pub what: String,
    /// What to do next.
    pub next: NextStep,
}

impl Finding {
    pub(super) fn new(area: FaultArea, id: &'static str, what: impl std::fmt::Display, next: NextStep) -> Finding {
        Finding {
            area,
            id,
            what: what.to_string(),
            next,
        }
    }
}

/// How it is looked.
#[derive(Debug, Clone)]
pub(crate) struct DoctorOptions {
    /// The user who is to read logs and write the store, if it is not that of the unit.
    pub user: Option<String>,
    /// Age of the last line from which a source is stale, milliseconds.
    pub stale_ms: i64,
    /// Free bytes below which the store's disk is nearly full, if it is not decided by the disk's size.
    pub free_bytes_min: Option<u64>,
    /// The clock, UTC milliseconds.
    pub now_ms: UtcMs,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Examination {
    /// Faults, the first one first.
    pub findings: Vec<Finding>,
    /// Sources that were read so far.
    pub sources: usize,
    /// The newest line of them, UTC milliseconds.
    pub newest_ms: Option<UtcMs>,
    /// Until when mail has been judged, UTC milliseconds.
    pub judged_ms: Option<UtcMs>,
    /// Channels of alarms.
    pub channels: usize,
}

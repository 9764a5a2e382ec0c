//! How the lines of a log are wrapped, as its first lines tell.

use std::sync::Arc;

/// How the lines of a log are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// As the program writes them to its own file.
    Plain,
    /// In syslog's envelope.
    Syslog,
    /// As `journalctl -o json` prints them.
    Journal,
    /// In the wrapper of a container's runtime.
    Container,
}

/// What stands in front of a log's lines that is not the program's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineHead {
    /// A tag that stands on every line and is not the program's: a container's ID, Exim's `syslog_processname`.
    pub tag: Option<Arc<[u8]>>,
    /// It is what an Exim in the foreground prints.
    pub foreground: bool,
}

/// What was learnt of a log from its first lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappingForm {
    /// How its lines are wrapped.
    pub wrapping: Wrapping,
    /// What stands in front of them.
    pub head: LineHead,
}

impl WrappingForm {
    /// A log without anything unusual.
    pub fn plain(wrapping: Wrapping) -> WrappingForm {
        WrappingForm {
            wrapping,
            head: LineHead::default(),
        }
    }
}

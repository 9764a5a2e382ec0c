//! What the read stage hands to the parse stage.

use crate::ingest::open_log::OpenLog;
use crate::ingest::report::Problem;
use crate::source::Chunk;
use crate::source::identity::Position;
use std::path::Path;

/// In this order for each log: one `Open`, chunks, one `Close`.
#[derive(Debug)]
pub(crate) enum ReadItem {
    /// A log begins or goes on.
    Open(Box<OpenLog>),
    /// Lines, and the log's position behind them.
    Chunk(Chunk, Box<Position>),
    /// The log has been read as far as it goes.
    Close {
        /// All of the file was delivered.
        complete: bool,
        /// Why not.
        damaged: Option<String>,
        /// It is the newest of its family and was written to a moment ago: more may come.
        live: bool,
    },
    /// Nothing new is in this file.
    Known,
    /// Nothing is in this file.
    Empty,
    /// Something to tell.
    Problem(Problem),
}

/// Takes what is read.
pub(super) type ReadSink<'s> = &'s mut dyn FnMut(ReadItem) -> Result<(), Hangup>;

/// The other side is gone: it has its reasons, and tells them.
pub(crate) struct Hangup;

pub(super) fn problem(to: ReadSink<'_>, path: &Path, error: bool, what: String) -> Result<(), Hangup> {
    to(ReadItem::Problem(Problem {
        path: path.to_owned(),
        what,
        error,
    }))
}

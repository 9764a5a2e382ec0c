//! One run over logs: source → parsers → normalise → store, for any number of hosts at once.
//!
//! ```text
//! read stage (thread)    parse stage (thread)         commit stage (thread)
//! read, unpack, cut ──▶  parse, join, attribute  ──▶  encode, fsync, commit
//!            chunks                    pending commits
//! ```
//!
//! What is not packed is read by the parse stage's own thread, a little at a time: bytes that another core has read are far
//! from the one that parses them.
//!
//! Each host's logs go through one such pipeline, in the order of time, because the message join depends on order.
//! Hosts run beside each other, as many as there are cores. Queues are short: memory is bounded by the batch and by
//! the join, whatever the size of the input.
//!
//! From top to bottom, in the order of reading. Stages know each other only by what they hand on (`ReadItem`,
//! `PendingCommit`); no two files use each other:
//!
//! * `run`: all jobs. Beside it `reread`: once more, for rows that the store has lost
//! * `pipeline`: one source's stages, one after the other; `known_logs` and `overlap` say what is known of its logs
//! * [`read_stage`]: files and journals → chunks, with positions
//! * `parse_stage`: chunks → pending commits; [`readers`]: one a format; [`accounting`]: every line is counted
//! * `host_streams`: of a log whose lines name their hosts, a reader a host; `line_hosts`: which name is whose
//! * `commit_stage`: pending commits → the store
//! * [`wrapping`]: what stands around a log's lines; [`spec`]: how a log is read
//! * [`position`], `journal_position`, `open_log`, `stamp_year`, [`report`], `job`: what the stages hand to each other

pub mod accounting;
mod commit_stage;
mod host_streams;
mod job;
mod journal_position;
mod known_logs;
mod line_hosts;
mod open_log;
mod overlap;
mod parse_stage;
mod pipeline;
pub mod position;
pub mod read_stage;
pub mod readers;
pub mod report;
mod reread;
mod run;
pub mod spec;
mod stamp_year;
pub mod wrapping;

pub use job::{Job, Progress, RunLimits};
pub use line_hosts::LineHosts;
pub use pipeline::SourcePipeline;
pub use reread::{Reread, logs_there, reread};
pub use run::{cover, run};
pub use stamp_year::with_year;

//! The read stage: files in order and journals, each from where it was left → chunks of lines, each with the log's position
//! behind it. What a file is (a log that is known, grown, rotated, another host's) is decided here.

mod again;
mod family;
mod first_day;
mod item;
mod journal_entries;
mod other_hosts;
mod reading;

pub(crate) use family::ReadStage;
pub(crate) use item::{Hangup, ReadItem};
pub(super) use journal_entries::JournalReader;
pub(super) use other_hosts::logs_of_others;
pub use reading::{QUIET_MS, Reading};

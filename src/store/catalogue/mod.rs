//! The catalogue: one SQLite database that says which segments count and how far each log has been read.
//!
//! A commit is one transaction: segments in, positions forward, open messages up to date. Before it nothing has
//! happened; after it nothing is read again. Readers take the list of segments from here, never from the folder.
//!
//! All SQL for it stands in this room, and no other names its driver: a file a sort of rows, with functions over a
//! [`Connection`] (a [`Transaction`] is one too), and handles that lend what whoever reads a store asks for
//! ([`Positions`], [`Coverage`], [`ChangedMinutes`], [`OpenMessages`], [`Services`], [`Samples`], [`Troubles`], [`AttributionChanges`]).

mod attribution;
mod changed_minutes;
mod check;
mod clock_doubts;
mod connection;
mod counts;
mod coverage;
mod error;
mod expected_attribution;
#[cfg(test)]
mod fixtures;
mod logs;
mod messages;
mod minutes;
mod missing;
pub mod numbers;
mod orphans;
mod payloads;
mod positions;
mod read_only;
mod samples;
mod schema;
mod segment_logs;
mod segments;
mod services;
mod shared;
mod snapshot;
mod sources;
mod troubles;

pub use attribution::{AttributionChange, AttributionChanges, AttributionNote, Moved, Reason};
pub(crate) use attribution::{
    is_relabelling, note_attribution, note_attribution_at, note_attribution_from, put_attribution_version,
    put_relabelling, settle_attribution_notes,
};
pub(crate) use changed_minutes::{ChangedMinutes, note_changed};
pub(crate) use check::check_file;
pub use check::{check, faults};
pub use clock_doubts::ClockDoubt;
pub use connection::{Connection, Transaction};
pub use counts::Counts;
pub use coverage::{Coverage, Covered};
pub use error::CatalogueError;
pub(crate) use error::REPAIR;
pub(crate) use expected_attribution::ExpectedAttribution;
pub use logs::LogState;
pub(crate) use logs::{
    find_log, forget_log, log_rows, logs_before, offsets_by_log, put_log, remove_log, unbalanced_logs,
};
pub use messages::{OpenMessages, open_message};
pub(crate) use messages::{
    RecallError, Recaller, each_open, expire_open_messages, forget_open_messages, put_message_changes, put_open_message,
};
pub(crate) use minutes::{
    Beats, add_heartbeats, add_minutes, beating_since, counted_minutes, expire_minutes, heartbeats_between,
    minutes_from, remove_minutes,
};
pub use minutes::{Heartbeat, SourceMinute};
pub use missing::{Again, MissingRows, is_quiet, shadow};
pub(crate) use missing::{
    adopt, adopted_segments, expire_missing, forget_missing, none_missing_is_sent, note_missing, note_restored,
    note_sent, put_missing, remove_missing, restored_segments, settle_adopted, take_restored, unlinked_are_loud,
    unread_adopted,
};
pub(crate) use orphans::{forget_orphans, move_orphans, note_orphans, orphans_of, take_orphan};
pub(crate) use payloads::{
    BatchLimits, NewPayload, has_payload, insert_payload, next_batch, next_payload, outbox_state, payload_bytes,
    payload_hash, payload_of_rows, quarantine_batch, release_quarantined, remove_batch, remove_payload,
    remove_payloads,
};
pub use payloads::{OutboxState, Payload, PayloadBatch, PayloadKind, payloads};
pub use positions::{Positions, SourceState};
pub(crate) use read_only::open_to_read;
pub use samples::{OddField, Samples, UnparsedShape};
pub(crate) use samples::{Redaction, add_odd_fields, add_unparsed, forget_samples, put_split_lines, redact_samples};
pub use schema::open;
pub use segment_logs::OffsetSpan;
pub(crate) use segment_logs::{inherit, logs_of_segment, note_logs, note_logs_of_old, segments_with_logs};
pub use segments::{Segment, is_named, segments, span_until};
pub(crate) use segments::{
    count_segments, events_hash, insert_segment, newest_until, next_segment, put_rates, raise_last_segment,
    remove_segment, rows_before, segment_with_hash, segments_from, segments_of_days, source_of_segment,
};
pub use services::Services;
pub(crate) use services::{ended_services, forget_services, keep_accounts, put_services, take_place};
pub(crate) use shared::Catalogue;
pub use shared::FILE;
pub use snapshot::snapshot;
pub use sources::source;
pub(crate) use sources::{source_name, source_names};
pub use troubles::{LastingTrouble, Troubles};

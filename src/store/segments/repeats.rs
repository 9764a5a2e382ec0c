//! Lines of a log that stand in another one too: `mail.log` and `syslog` with the same lines, a file that a program wrote
//! anew or that somebody cut at its front. Such a log reaches back into time that other logs of its source have covered;
//! only then its events are compared with the stored ones. The rows themselves are the index.
//!
//! Rows are counted, not just found: the second log's first so many events of one shape are the known ones, as many as
//! the others gave. Events that cannot be told apart (refusals of one second, copies whose local parts are dropped) stay as
//! many as the fuller log has. An hour of rows is in memory at a time, and a little more.

use super::segment_files::segments_folder;
use crate::model::event::{Event, Message};
use crate::model::queue_id::QueueId;
use crate::model::text::text;
use crate::model::time::{HOUR_MS, UtcMs};
use crate::normalise::repeats::second;
use crate::store::batch::Repeats;
use crate::store::catalogue::{self, Catalogue, CatalogueError, Connection};
use crate::store::columnar::{self, EventRow};
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};

/// Lines of a log are out of order by less.
const HOURS: usize = 3;
/// Events of an hour that are compared; what a busier hour has beyond is taken for new.
const EVENTS_MAX: usize = 4_000_000;

/// Which rows a log is compared with.
#[derive(Debug, Clone)]
pub struct Compared {
    /// Source.
    pub source: i64,
    /// The log in hand, which is not compared with itself; for a journal all of its sequences.
    pub own: Vec<u64>,
    /// Of the log in hand, rows with a queue ID before this offset: an earlier life of the reader has stored them, and
    /// remembers no message.
    pub before: Option<u64>,
    /// Of these, all that name recipient and host: the log is known to have copies. Otherwise arrivals and ends alone, which
    /// come once: attempts are made again within a second, and two aliases lead to one recipient.
    pub has_copies: bool,
    /// The first and the last time that both may have, UTC milliseconds.
    pub span_ms: (UtcMs, UtcMs),
    /// Rows with a queue ID, of any log: the source is an MTA.
    pub by_id: bool,
    /// Other rows, of any log: the lines have an envelope.
    pub without_id: bool,
    /// All rows of these logs: the file in hand held them before, or they were read before it.
    pub all_of: Vec<u64>,
}

/// By key of an event.
type KeyCounts = HashMap<u64, [u32; 2], FxBuildHasher>;

/// The stored events that a log is compared with.
pub(crate) struct StoredEvents {
    compared: Compared,
    connection: Connection,
    segments: PathBuf,
    own: Vec<String>,
    all_of: Vec<String>,
    keys: RandomState,
    /// By hour: how many rows of others have a key, and how many events with it this log has given so far.
    hours: VecDeque<(UtcMs, KeyCounts)>,
    events_max: usize,
}

impl std::fmt::Debug for StoredEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredEvents")
            .field("compared", &self.compared)
            .finish_non_exhaustive()
    }
}

impl Repeats for StoredEvents {
    fn has(&mut self, event: &Event<'_>, message: &Message) -> bool {
        let (from, to) = self.compared.span_ms;
        (from..=to).contains(&event.ts_ms) && self.is_known(event, message)
    }
}

impl StoredEvents {
    /// The stored events that a log is compared with. Everything that was read before must be committed.
    ///
    /// # Errors
    /// The catalogue cannot be opened once more.
    pub(crate) fn of(store: &Path, catalogue: &Catalogue, compared: Compared) -> Result<StoredEvents, CatalogueError> {
        let name = |log_id: &u64| format!("{log_id:016x}");
        Ok(StoredEvents {
            connection: catalogue.connect()?,
            segments: segments_folder(store),
            own: compared.own.iter().map(name).collect(),
            all_of: compared.all_of.iter().map(name).collect(),
            keys: RandomState::new(),
            hours: VecDeque::new(),
            events_max: EVENTS_MAX,
            compared,
        })
    }

    fn is_known(&mut self, event: &Event<'_>, message: &Message) -> bool {
        let id = message.queue_id.as_ref().map(QueueId::as_bytes);
        let ip = event.remote_ip.map(|ip| ip.to_string()).unwrap_or_default();
        let row = EventRow {
            ts_ms: event.ts_ms,
            log: "",
            offset: event.offset,
            kind: event.kind.as_str(),
            queue_id: id
                .filter(|id| id.is_ascii())
                .and_then(|id| std::str::from_utf8(id).ok())
                .unwrap_or_default(),
            recipient_local: &text(event.recipient_local),
            recipient_domain: &text(event.recipient_domain).to_lowercase(),
            remote_host: &text(event.remote_host),
            remote_ip: &ip,
        };
        let key = key(&self.keys, &row);
        let hour = event.ts_ms.floor_to(HOUR_MS);
        if !self.hours.iter().any(|(known, _)| *known == hour) {
            self.load(hour);
        }
        let Some((_, events)) = self.hours.iter_mut().find(|(known, _)| *known == hour) else {
            return false;
        };
        let Some([others, own]) = events.get_mut(&key) else {
            return false;
        };
        *own += 1;
        *own <= *others
    }

    /// Loads the events of an hour, which begins then.
    fn load(&mut self, hour: UtcMs) {
        if self.hours.len() == HOURS {
            self.hours.pop_front();
        }
        let mut events = HashMap::default();
        let (from, to) = (hour, hour + HOUR_MS);
        let segments = catalogue::segments(&self.connection, from, to).unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot look for stored events that a log repeats");
            Vec::new()
        });
        for segment in segments.iter().filter(|segment| segment.source == self.compared.source) {
            let path = self.segments.join(format!("{}.events.parquet", segment.id));
            let read = columnar::events_between(&path, from..to, &mut |row| {
                if self.is_compared(&row) && events.len() < self.events_max {
                    events.entry(key(&self.keys, &row)).or_insert([0, 0])[0] += 1;
                }
            });
            // What is broken is no stored event.
            if let Err(error) = read {
                tracing::warn!(%error, "cannot compare a log with a segment");
            }
        }
        self.hours.push_back((hour, events));
    }

    fn is_compared(&self, row: &EventRow<'_>) -> bool {
        if self.own.iter().any(|log| log == row.log) {
            // What names recipient and host is one event of its message; pipes and files of one recipient are several.
            let names_all = !row.remote_ip.is_empty() && !row.recipient_local.is_empty();
            let is_telling = matches!(row.kind, "accepted" | "completed") || names_all && self.compared.has_copies;
            let before = self.compared.before.is_some_and(|before| row.offset < before);
            return before && is_telling && !row.queue_id.is_empty();
        }
        let by_id = self.compared.by_id && !row.queue_id.is_empty();
        by_id || self.compared.without_id || self.all_of.iter().any(|log| log == row.log)
    }
}

/// What two rows of one event have in common. A hash with a key: addresses are the sender's choice.
fn key(keys: &RandomState, row: &EventRow<'_>) -> u64 {
    keys.hash_one((
        second(row.ts_ms),
        row.kind,
        row.queue_id,
        row.recipient_local,
        row.recipient_domain,
        row.remote_host,
        row.remote_ip,
    ))
}

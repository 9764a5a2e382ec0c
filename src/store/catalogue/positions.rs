//! What an earlier run left behind: sources, how far their logs have been read, and which rows are missing.

use super::clock_doubts::{clock_doubts, put_clock_doubts};
use super::logs::{forgotten_ordinals, log, logs};
use super::missing::{adopted_logs, has_rows, missing_rows};
use super::samples::split_lines;
use super::sources::{hosts, hosts_of, hosts_of_logs, known_source, source, source_in_log, source_names};
use super::{Catalogue, CatalogueError, ClockDoubt, LogState, MissingRows};
use crate::model::time::UtcMs;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// A source and all that is known of it.
#[derive(Debug, Clone)]
pub struct SourceState {
    /// Number.
    pub id: i64,
    /// Host.
    pub host: String,
    /// Kind.
    pub kind: String,
    /// Logs.
    pub logs: Vec<LogState>,
    /// Messages that are in the queue, as far as the logs say.
    pub open_messages: u64,
    /// When something of it was last committed.
    pub read_ms: Option<UtcMs>,
}

/// What an earlier run left behind.
#[derive(Debug, Clone, Copy)]
pub struct Positions<'c>(pub(in crate::store) &'c Catalogue);

impl Positions<'_> {
    /// Number of a source; made when it is new.
    ///
    /// # Errors
    /// The catalogue cannot be written.
    pub fn source(&self, host: &str, kind: &str) -> Result<i64, CatalogueError> {
        source(&self.0.connection(), host, kind)
    }

    /// Number of the source of a host that the lines of a reader's logs name; made when it is new.
    ///
    /// # Errors
    /// The catalogue cannot be written.
    pub(crate) fn source_in_log(&self, host: &str, kind: &str, reader: i64) -> Result<i64, CatalogueError> {
        source_in_log(&self.0.connection(), host, kind, reader)
    }

    /// Hosts that the lines of other sources' logs name.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn hosts_of_logs(&self) -> Result<Vec<String>, CatalogueError> {
        let connection = self.0.connection();
        let mut names = source_names(&connection)?;
        let hosts = hosts_of_logs(&connection)?;
        Ok(hosts
            .iter()
            .filter_map(|host| Some(names.remove(&host.source)?.0))
            .collect())
    }

    /// Number of a source that is known.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub(crate) fn known_source(&self, host: &str, kind: &str) -> Result<Option<i64>, CatalogueError> {
        known_source(&self.0.connection(), host, kind)
    }

    /// Hosts whose logs have been read.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn hosts(&self) -> Result<Vec<String>, CatalogueError> {
        hosts(&self.0.connection())
    }

    /// Sources of a kind, each with its host.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub(crate) fn hosts_of(&self, kind: &str) -> Result<Vec<(i64, String)>, CatalogueError> {
        hosts_of(&self.0.connection(), kind)
    }

    /// Host and kind of each source, by number.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn names(&self) -> Result<BTreeMap<i64, (String, String)>, CatalogueError> {
        source_names(&self.0.connection())
    }

    /// Logs of a source, in the order in which they were first seen.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn logs(&self, source: i64) -> Result<Vec<LogState>, CatalogueError> {
        logs(&self.0.connection(), source)
    }

    /// One log of a source.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn log(&self, source: i64, log_id: u64) -> Result<Option<LogState>, CatalogueError> {
        log(&self.0.connection(), source, log_id)
    }

    /// The highest number of a source's forgotten logs, by their identity without the number.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub(crate) fn forgotten_ordinals(&self, source: i64) -> Result<FxHashMap<u64, u32>, CatalogueError> {
        forgotten_ordinals(&self.0.connection(), source)
    }

    /// Lines of a source of which pieces are still to come, as JSON.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn split_lines(&self, source: i64) -> Result<Option<String>, CatalogueError> {
        split_lines(&self.0.connection(), source)
    }

    /// Notes which logs of a source wait for the clock. A log that is committed again waits no more.
    ///
    /// # Errors
    /// The catalogue cannot be written.
    pub(crate) fn put_clock_doubts(&self, source: i64, doubts: &[ClockDoubt]) -> Result<(), CatalogueError> {
        put_clock_doubts(&self.0.connection(), source, doubts)
    }

    /// Logs of a source that wait for the clock.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn clock_doubts(&self, source: i64) -> Result<Vec<ClockDoubt>, CatalogueError> {
        clock_doubts(&self.0.connection(), source)
    }

    /// Whether there are rows, or were.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn has_rows(&self) -> Result<bool, CatalogueError> {
        has_rows(&self.0.connection())
    }

    /// Rows that are missing, of one source or of all, oldest first.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn missing(&self, source: Option<i64>) -> Result<Vec<MissingRows>, CatalogueError> {
        missing_rows(&self.0.connection(), source)
    }

    /// Logs of a source that segments hold which were taken over, each with the time of the newest row: it
    /// may be newer than what the catalogue knows of the log, if it knows it.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub(crate) fn adopted_logs(&self, source: i64) -> Result<Vec<(u64, UtcMs)>, CatalogueError> {
        adopted_logs(&self.0.connection(), source)
    }

    /// All sources with their logs.
    pub fn sources(&self) -> Result<Vec<SourceState>, CatalogueError> {
        let ids: Vec<(i64, String, String, i64, Option<i64>)> = {
            let connection = self.0.connection();
            let mut statement = connection.prepare(
                "SELECT id, host, kind, (SELECT count(*) FROM open_message WHERE source = source.id),
                        (SELECT max(read_ms) FROM log WHERE log.source = source.id OR log.source =
                            (SELECT reader FROM host_of_log WHERE host_of_log.source = source.id)) FROM source ORDER BY host, kind",
            )?;
            let rows = statement.query_map([], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            })?;
            rows.collect::<Result<_, _>>()?
        };
        ids.into_iter()
            .map(|(id, host, kind, open, read_ms)| {
                Ok(SourceState {
                    id,
                    host,
                    kind,
                    logs: logs(&self.0.connection(), id)?,
                    open_messages: open as u64,
                    read_ms: read_ms.map(UtcMs::new),
                })
            })
            .collect()
    }
}

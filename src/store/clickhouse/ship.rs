//! Sends the outbox to a ClickHouse: oldest first, each batch exactly once.
//!
//! What can pass is tried again, later and later; what cannot is quarantined with its reason, and the rest goes on. The answer
//! to a batch may be lost: then it is sent again under the same token, and the server drops it. A batch is one block of one
//! day, because that is what a server compares.

use super::migrate::{self, MigrationPlan};
use super::settings;
use super::{ClickHouseClient, ClickHouseError, ClientOptions, Endpoint, InsertSettings};
use crate::files;
use crate::store::catalogue::{BatchLimits, PayloadKind, numbers};
use crate::store::error::StoreError;
use crate::store::handle::Store;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

/// What a step did.
#[derive(Debug, PartialEq, Eq)]
pub enum SendStep {
    /// Nothing waits.
    Idle,
    /// A batch has been taken.
    Sent {
        /// Rows of it.
        rows: u64,
    },
    /// A batch will never be taken, and was quarantined.
    Quarantined {
        /// Why.
        why: String,
    },
}

/// From failure to the next try, milliseconds: doubled each time, and some chance in it, so that a fleet that lost its
/// server does not come back all at once.
const RETRY_MS: (u64, u64) = (500, 60_000);

/// Clocks that are further apart are worth a word.
pub const CLOCKS_APART_MS: i64 = 60_000;

/// Says which clock is wrong by how much, and what to do.
pub fn clocks_apart(ahead_ms: i64) -> String {
    let which = if ahead_ms > 0 { "ahead of" } else { "behind" };
    format!(
        "the server's clock is {} s {which} this host's: retention on the server and windows that end now are wrong \
         by as much. Synchronise both clocks with NTP",
        ahead_ms.abs() / 1_000
    )
}

/// Held while a process sends from a store, with its number in it.
fn lock(folder: &Path) -> Result<File, ClickHouseError> {
    let path = folder.join("ship.lock");
    let io = |source| ClickHouseError::Io {
        path: path.clone(),
        source,
    };
    let mut lock = files::open_own(&path).map_err(io)?;
    if lock.try_lock().is_err() {
        let mut text = String::new();
        let _ = (&lock).take(32).read_to_string(&mut text);
        let number: String = text.chars().filter(char::is_ascii_digit).collect();
        let holder = if number.is_empty() {
            "running".to_owned()
        } else {
            format!("process {number}")
        };
        return Err(ClickHouseError::Busy { path, holder });
    }
    let note = lock
        .set_len(0)
        .and_then(|()| lock.rewind())
        .and_then(|()| writeln!(lock, "{}", std::process::id()));
    note.map_err(io)?;
    Ok(lock)
}

/// The sender of one store.
pub struct Shipper {
    store: Store,
    client: ClickHouseClient,
    plan: MigrationPlan,
    /// What inserts are sent with, once the server has been looked at.
    agreed: Option<InsertSettings>,
    failures: u32,
    limits: BatchLimits,
    _lock: File,
}

impl Shipper {
    /// Opens the store's outbox for sending. Two senders would send everything twice: the second is refused.
    ///
    /// # Errors
    /// There is no store; another process sends from it ([`ClickHouseError::Busy`]).
    pub fn open(
        folder: &Path,
        endpoint: &Endpoint,
        options: &ClientOptions,
        retain_days: u32,
    ) -> Result<Shipper, ClickHouseError> {
        let store = Store::open(folder)?;
        let lock = lock(folder)?;
        Ok(Shipper {
            store,
            client: ClickHouseClient::new(endpoint, options)?,
            plan: MigrationPlan {
                cluster: None,
                retain_days,
            },
            agreed: None,
            failures: 0,
            limits: BatchLimits::default(),
            _lock: lock,
        })
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Where to.
    pub fn endpoint(&self) -> &Endpoint {
        self.client.endpoint()
    }

    /// Sends the next batch.
    ///
    /// # Errors
    /// What may pass: wait for [`Shipper::pause_ms`], and step again.
    pub fn step(&mut self) -> Result<SendStep, ClickHouseError> {
        let result = self.try_step();
        match &result {
            Ok(_) => self.failures = 0,
            Err(_) => {
                self.failures += 1;
                // It may be another server by now, or the same after a night of work on it.
                self.agreed = None;
            }
        }
        result
    }

    fn try_step(&mut self) -> Result<SendStep, ClickHouseError> {
        if self.store.outbox().is_undecided()? {
            let path = self.store.path().to_owned();
            return Err(StoreError::ShipUndecided { path }.into());
        }
        let Some(batch) = self.store.outbox().next_batch(&self.limits)? else {
            return Ok(SendStep::Idle);
        };
        let settings = match &self.agreed {
            Some(settings) => settings.clone(),
            None => {
                migrate::check(&self.client, &self.plan)?;
                let settings = settings::agree(&self.client)?;
                self.compare_clocks()?;
                self.agreed.insert(settings).clone()
            }
        };
        let bytes = self.store.outbox().batch_bytes(&batch)?;
        let token = self.store.outbox().token(&batch)?;
        let database = &self.client.endpoint().database;
        let statement = match batch.kind {
            PayloadKind::Rows | PayloadKind::Changes => format!("INSERT INTO {database}.events_log FORMAT Parquet"),
            PayloadKind::Minutes => format!("INSERT INTO {database}.sources_minute FORMAT JSONEachRow"),
        };
        match self.client.insert(&statement, bytes, &token, &settings) {
            Ok(()) => {
                self.store.outbox().sent(&batch)?;
                Ok(SendStep::Sent { rows: batch.rows })
            }
            Err(error) if error.can_pass() => Err(error),
            Err(error) => {
                let why = error.to_string();
                self.store.outbox().quarantine(&batch, &why)?;
                Ok(SendStep::Quarantined { why })
            }
        }
    }

    /// A server whose clock is wrong removes days too early, or too late, and is asked for the wrong hours.
    fn compare_clocks(&self) -> Result<(), ClickHouseError> {
        let before = self.store.outbox().clock_ms()?;
        let there = self.client.clock_ms()?;
        let ahead_ms = there - before - (self.store.outbox().clock_ms()? - before) / 2;
        self.store.outbox().note_clock(ahead_ms)?;
        if ahead_ms.abs() > CLOCKS_APART_MS {
            tracing::warn!(place = %self.endpoint(), "{}", clocks_apart(ahead_ms));
        }
        Ok(())
    }

    /// How long to wait after a failure, milliseconds.
    pub fn pause_ms(&self) -> u64 {
        let whole = (RETRY_MS.0 << self.failures.saturating_sub(1).min(10)).min(RETRY_MS.1);
        let chance = numbers::random() as u64;
        whole / 2 + chance % (whole / 2 + 1)
    }
}

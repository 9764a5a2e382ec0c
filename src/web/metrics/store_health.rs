//! Whether reading and storing go on: what `/metrics` says of mailpulse itself.

use crate::model::time::{DAY_MS, HOUR_MS, UtcMs};
use crate::query::Window;
use crate::query::history::Backend;
use crate::setup::disk::DiskRoom;
use crate::web::answers::Asker;
use anyhow::Result;
use std::collections::BTreeMap;

/// Sources that were last read longer ago have no sample.
const READ_MS: i64 = 2 * HOUR_MS;

/// What it is.
pub(super) struct StoreHealth {
    /// When each source, by host and kind, was last read to its end, UTC milliseconds.
    pub read: BTreeMap<(String, String), UtcMs>,
    /// When something was last stored, UTC milliseconds.
    pub written_ms: Option<UtcMs>,
    /// What is known of a store on this machine.
    pub local: Option<LocalHealth>,
}

/// A store on this machine.
pub(super) struct LocalHealth {
    /// A process holds it to write it.
    pub is_held: bool,
    /// Its disk.
    pub disk: Option<DiskRoom>,
    /// Topics with the time since which they last, UTC milliseconds.
    pub troubles: Vec<(String, UtcMs)>,
}

impl StoreHealth {
    pub(super) fn ask(asker: &Asker<'_>) -> Result<StoreHealth> {
        let window = Window {
            since_ms: asker.now_ms - READ_MS,
            until_ms: asker.now_ms + 1,
        };
        let mut read = BTreeMap::new();
        for minute in asker.store().source_minutes(window)? {
            if minute.heartbeats > 0 {
                let newest = read.entry((minute.host, minute.kind)).or_insert(minute.ts_ms);
                *newest = minute.ts_ms.max(*newest);
            }
        }
        let (written_ms, local) = match asker.backend {
            Backend::Embedded(store) => {
                let committed = store.positions().sources()?;
                let committed = committed.iter().filter_map(|source| source.read_ms).max();
                let beat = asker.store().heartbeat_ms(UtcMs::MIN, asker.now_ms)?;
                let troubles = store.troubles().all()?.into_iter();
                // Whoever notes one ends it, unless it ended first itself.
                let recent = troubles.filter(|one| asker.now_ms - one.last_ms < DAY_MS);
                let local = LocalHealth {
                    is_held: store.writer().is_some(),
                    disk: DiskRoom::of(store.path()),
                    troubles: recent.map(|one| (one.topic, one.since_ms)).collect(),
                };
                (committed.max(beat), Some(local))
            }
            Backend::ClickHouse(_) => (None, None),
        };
        Ok(StoreHealth {
            read,
            written_ms,
            local,
        })
    }
}

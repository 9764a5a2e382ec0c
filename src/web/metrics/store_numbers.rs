//! What only a look at the store tells.

use super::counters::{MINUTES, MessageLabels, direction_label};
use super::store_health::StoreHealth;
use crate::model::time::{Minute, UtcMs, UtcS};
use crate::query::Window;
use crate::query::history::Backend;
use crate::setup::alerts::alert_state;
use crate::web::answers::Asker;
use anyhow::Result;
use std::collections::BTreeMap;

/// Messages of the last minutes, of a store that another process writes.
pub(super) struct RecentMessages {
    pub rows: Vec<(Minute, MessageLabels, u64)>,
    pub minute: Minute,
}

/// What only a look at the store tells.
pub(super) struct StoreNumbers {
    pub bytes: Option<u64>,
    pub outbox: Option<(u64, u64)>,
    pub judged: Option<UtcS>,
    pub channels: Vec<ChannelNumbers>,
    pub health: StoreHealth,
}

/// How a channel of alarms does.
pub(super) struct ChannelNumbers {
    pub name: String,
    pub waiting: usize,
    pub refused: usize,
    pub is_failing: bool,
}

impl RecentMessages {
    pub(super) fn ask(asker: &Asker<'_>) -> Result<RecentMessages> {
        let store = asker.store();
        let minute = asker.now_ms.minute();
        let window = Window {
            since_ms: (minute - MINUTES).start(),
            until_ms: asker.now_ms + 1,
        };
        let table = store.select(
            "SELECT ts_ms, service, relay, kind, direction, origin, SUM(messages) AS total FROM rates WHERE messages > 0 \
         GROUP BY ts_ms, service, relay, kind, direction, origin",
            window,
        )?;
        let mut sums: BTreeMap<(Minute, MessageLabels), u64> = BTreeMap::new();
        for row in 0..table.rows() {
            let [service, relay, kind] = [1, 2, 3].map(|column| table.text(column, row).to_owned());
            let direction = direction_label(table.text(4, row), table.text(5, row)).to_owned();
            let at = UtcMs::new(table.number(0, row).unwrap_or(0)).minute();
            let total = table.number(6, row).and_then(|total| u64::try_from(total).ok());
            *sums.entry((at, [service, relay, kind, direction])).or_default() += total.unwrap_or(0);
        }
        Ok(RecentMessages {
            rows: sums
                .into_iter()
                .map(|((at, labels), total)| (at, labels, total))
                .collect(),
            minute,
        })
    }
}

impl StoreNumbers {
    pub(super) fn ask(asker: &Asker<'_>) -> Result<StoreNumbers> {
        let store = asker.store();
        let (alerts, _) = alert_state(asker.config)?;
        let outbox = match asker.backend {
            Backend::Embedded(store) => store
                .outbox()
                .waiting()?
                .map(|waiting| (waiting.payloads, waiting.bytes)),
            Backend::ClickHouse(_) => None,
        };
        Ok(StoreNumbers {
            bytes: store.bytes()?,
            outbox,
            judged: alerts.judged,
            channels: alerts
                .channels()
                .into_iter()
                .map(|one| ChannelNumbers {
                    is_failing: one.is_failing(),
                    name: one.name,
                    waiting: one.waiting,
                    refused: one.refused,
                })
                .collect(),
            health: StoreHealth::ask(asker)?,
        })
    }
}

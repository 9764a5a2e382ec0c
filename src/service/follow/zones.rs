//! ZoneWarnings that message IDs prove wrong: told at once, and kept for `status` until they are right.

use crate::ingest::report::SourceReport;
use crate::model::time::UtcMs;
use crate::normalise::exim::zone::ZoneVerdict;
use crate::service::log_throttle::LogThrottle;
use crate::setup::zones;
use crate::store::Store;
use std::collections::BTreeMap;

/// What was noted last, by host and kind.
#[derive(Debug, Default)]
pub(crate) struct ZoneWarnings(BTreeMap<(String, &'static str), bool>);

impl ZoneWarnings {
    /// Takes what a round says.
    pub(crate) fn take(&mut self, store: &Store, reports: &[SourceReport], throttle: &mut LogThrottle, now_ms: UtcMs) {
        for report in reports {
            let wrong = match report.zone {
                ZoneVerdict::Unknown => continue,
                ZoneVerdict::Right => None,
                wrong @ ZoneVerdict::Wrong(_) => zones::warning(wrong),
            };
            let key = (report.host.clone(), report.kind);
            if let Some(words) = &wrong {
                let words = format!("{} ({}): {words}", report.host, report.kind);
                if throttle.is_news(&words, now_ms) {
                    tracing::warn!("{}", words);
                }
            }
            if self.0.get(&key) == Some(&wrong.is_some()) {
                continue;
            }
            let topic = format!("zone {} {}", report.host, report.kind);
            let noted = match &wrong {
                Some(words) => store.troubles().note(&topic, words),
                None => store.troubles().end(&topic),
            };
            match noted {
                Ok(()) => _ = self.0.insert(key, wrong.is_some()),
                Err(error) => tracing::warn!("not noted: {}", error),
            }
        }
    }
}

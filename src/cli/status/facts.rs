//! What `status` reads beside the sources: the size of the store, and what `watch` left.

use crate::alert::state::AlertState;
use crate::cli::output;
use crate::config::Config;
use crate::detect::tuning::Tuning;
use crate::model::time::{DAY_MS, rfc3339};
use crate::query::history::MailHistory;
use crate::setup::alerts::alerts_path;
use crate::store::Store;
use anyhow::{Context as _, Result, anyhow};

/// What the segments of a store hold.
pub(super) struct Contents {
    pub(super) events: u64,
    pub(super) segments: usize,
    pub(super) bytes: u64,
}

impl Contents {
    pub(super) fn of(store: &Store) -> Result<Contents> {
        let segments = store.segments().all()?;
        Ok(Contents {
            events: segments.iter().map(|segment| segment.rows).sum(),
            segments: segments.len(),
            bytes: segments
                .iter()
                .map(|segment| segment.events_bytes + segment.rates_bytes)
                .sum(),
        })
    }
}

/// From when on volume alarms are complete.
pub(super) struct Since {
    /// Seconds since 1970.
    pub(super) seconds: i64,
    /// `watch` has not judged this store: by the age of its first event alone.
    pub(super) guessed: bool,
}

impl Since {
    pub(super) fn words(&self) -> String {
        let from = rfc3339(self.seconds.saturating_mul(1_000));
        let by = if self.guessed {
            ", by the age of the first event"
        } else {
            ""
        };
        format!("volume alarms are complete from {from} on (14 days of history{by}); before, they are provisional")
    }
}

/// As `watch` has found, or by the first event; `None` for a store without mail.
pub(super) fn complete(alerts: &AlertState, store: &dyn MailHistory) -> Result<Option<Since>> {
    let first = store.span(i64::MAX)?.map(|(first, _)| first);
    let young_ms = i64::from(Tuning::default().provisional_d) * DAY_MS;
    let guess = first.map(|first| Since {
        seconds: (first.div_euclid(DAY_MS) * DAY_MS + DAY_MS + young_ms) / 1_000,
        guessed: true,
    });
    let found = alerts.complete.map(|seconds| Since {
        seconds,
        guessed: false,
    });
    Ok(found.or(guess))
}

/// What `watch` left. A file that is broken is set aside by the next `watch`; nothing else need wait for that.
pub(super) fn alerts(config: &Config) -> Result<AlertState> {
    let path = alerts_path(config);
    match AlertState::load(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            output::talk(&format!("{}: {error}; `mailpulse watch` sets it aside", path.display()));
            Ok(AlertState::default())
        }
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            let hint = crate::store::readers(&path).unwrap_or_default();
            Err(anyhow!("{}: {error}; {hint}", path.display()))
        }
        loaded => loaded.with_context(|| path.display().to_string()),
    }
}

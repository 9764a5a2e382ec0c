//! `--since` and `--until`, as every command takes them.

use crate::query::Window;
use crate::query::history::{AHEAD_MS, History, present};
use crate::query::time::{parse_time, rfc3339};
use anyhow::{Result, anyhow};
use clap::Args;

const DAY_MS: i64 = 86_400_000;

/// A stretch of time.
#[derive(Debug, Clone, Default, Args)]
pub struct WindowArgs {
    /// First moment: 2018-06-06T18:00Z, "2018-06-06 18:00" (UTC), -24h [default: 24 h before --until]
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    pub since: Option<String>,
    /// First moment that is not counted [default: now; if the newest event is over a day old, just after it]
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    pub until: Option<String>,
}

/// The clock, in the one place where commands read it.
#[expect(clippy::disallowed_methods, reason = "here, and nowhere else in the commands")]
pub fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Everything that has happened: the whole history, up to the present.
pub fn so_far(store: &dyn History) -> Result<Window> {
    Ok(Window {
        until_ms: present(store, now_ms())?.saturating_add(1),
        ..Window::ALL
    })
}

impl WindowArgs {
    /// The window, at least one millisecond long. Says on stderr when it is not the last 24 hours that are shown.
    pub fn resolve(&self, store: &dyn History) -> Result<Window> {
        self.resolve_with(store, DAY_MS)
    }

    /// As [`WindowArgs::resolve`], with another default length.
    pub fn resolve_with(&self, store: &dyn History, length_ms: i64) -> Result<Window> {
        let newest = store.span(present(store, now_ms())?.saturating_add(AHEAD_MS))?;
        self.window(newest.map(|(_, last)| last), length_ms)
    }

    fn window(&self, newest: Option<i64>, length_ms: i64) -> Result<Window> {
        let now = now_ms();
        let parse = |text: &String, flag: &str| parse_time(text, now).map_err(|why| anyhow!("{flag}: {why}"));
        let until_ms = match (&self.until, newest) {
            (Some(text), _) => parse(text, "--until")?,
            (None, Some(newest)) if self.since.is_none() && newest < now - DAY_MS => {
                let until = (newest / 60_000 + 1) * 60_000;
                super::output::talk(&format!(
                    "newest event: {}; showing the time up to it (--since, --until choose another)",
                    rfc3339(newest)
                ));
                until
            }
            (None, Some(newest)) if newest < now - DAY_MS => (newest / 60_000 + 1) * 60_000,
            _ => now,
        };
        let since_ms = match &self.since {
            Some(text) => parse(text, "--since")?,
            None => until_ms - length_ms,
        };
        if since_ms >= until_ms {
            return Err(anyhow!(
                "--since {} is not before --until {}",
                rfc3339(since_ms),
                rfc3339(until_ms)
            ));
        }
        Ok(Window { since_ms, until_ms })
    }
}

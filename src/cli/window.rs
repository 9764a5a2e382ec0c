//! `--since` and `--until`, as every command takes them.
//!
//! One rule for all of them: time has one *end*, the clock, or the minute after the newest event where that is over a day
//! old. `--until` defaults to it, and relative times (`-24h`) count back from it. `now` is the clock. Only `store forget`,
//! which takes rows away, counts from the clock.

use crate::analysis::present::{end, span};
use crate::clock::now_ms;
use crate::model::time::{DAY_MS, End, UtcMs, rfc3339};
use crate::query::Window;
use crate::query::history::MailHistory;
use anyhow::{Result, anyhow};
use clap::Args;

/// `DAYS` of [`WindowArgs`]: without `--since`, all that is stored.
pub(super) const EVERYTHING: u32 = 0;

/// A stretch of time; without `--since` it begins `DAYS` days before its end, or with [`EVERYTHING`] that is stored.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct WindowArgs<const DAYS: u32 = 1> {
    // What is said and what is done are of one constant, so that they cannot disagree.
    #[arg(long, allow_hyphen_values = true, value_name = "TIME", help = since_help(DAYS))]
    pub since: Option<String>,
    /// End, exclusive; relative times count back from the default [default: now or, if the newest event is more than a day
    /// old, the minute after it]
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    pub until: Option<String>,
}

fn since_help(days: u32) -> String {
    let default = match days {
        EVERYTHING => "the first event".to_owned(),
        1 => "24 h before --until".to_owned(),
        days => format!("{days} days before --until"),
    };
    format!("Start: 2018-06-06T18:00Z, \"2018-06-06 18:00\" (UTC), -24h [default: {default}]")
}

impl<const DAYS: u32> WindowArgs<DAYS> {
    /// Whether a time was given.
    pub(super) fn is_given(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// The window, at least one millisecond long. Says on stderr where time ends if that is not the clock, and matters.
    ///
    /// # Errors
    /// A text is no time, or the window is empty.
    pub(super) fn resolve(&self, store: &dyn MailHistory) -> Result<Window> {
        let now_ms = now_ms();
        let span = span(store, now_ms)?;
        let end = end(span.map(|(_, last)| last), now_ms);
        let window = self.window(span, end)?;
        let relative = |text: &Option<String>| text.as_ref().is_some_and(|text| text.trim().starts_with('-'));
        let rests_on_end = self.until.is_none() || relative(&self.since) || relative(&self.until);
        if let Some((_, newest)) = span
            && end.at_ms < end.now_ms
            && rests_on_end
        {
            super::output::talk(&format!(
                "newest event: {}; time is counted up to it (--since, --until choose another)",
                rfc3339(newest)
            ));
        }
        Ok(window)
    }

    fn window(&self, span: Option<(UtcMs, UtcMs)>, end: End) -> Result<Window> {
        let parse = |text: &String, flag: &str| end.parse(text).map_err(|why| anyhow!("{flag}: {why}"));
        let until_ms = self
            .until
            .as_ref()
            .map_or(Ok(end.at_ms), |text| parse(text, "--until"))?;
        let since_ms = match &self.since {
            Some(text) => parse(text, "--since")?,
            None if DAYS == EVERYTHING => span.map_or(until_ms - 1, |(first, _)| first.min(until_ms - 1)),
            None => until_ms - i64::from(DAYS) * DAY_MS,
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

#[cfg(test)]
mod tests {
    use super::*;

    const NEWEST: UtcMs = UtcMs::new(1_528_308_030_000); // 2018-06-06 18:00:30
    const SPAN: Option<(UtcMs, UtcMs)> = Some((UtcMs::new(NEWEST.get() - 30 * DAY_MS), NEWEST));
    use crate::model::time::HOUR_MS;

    fn args<const DAYS: u32>(since: Option<&str>, until: Option<&str>) -> WindowArgs<DAYS> {
        WindowArgs {
            since: since.map(str::to_owned),
            until: until.map(str::to_owned),
        }
    }

    #[test]
    fn relative_times_count_from_where_until_defaults_to() {
        let old = end(Some(NEWEST), NEWEST + 900 * DAY_MS);
        let last = NEWEST + 30_000;
        for (since, until, begins, ends) in [
            (Some("-24h"), None, last - DAY_MS, last),
            (None, None, last - DAY_MS, last),
            (Some("-48h"), Some("-24h"), last - 2 * DAY_MS, last - DAY_MS),
            (Some("-1h"), Some("now"), last - HOUR_MS, NEWEST + 900 * DAY_MS),
        ] {
            let window = args::<1>(since, until).window(SPAN, old).unwrap();
            assert_eq!(
                (window.since_ms, window.until_ms),
                (begins, ends),
                "{since:?} {until:?}"
            );
        }
        // Of a store that is written, the clock is the end.
        let now = NEWEST + HOUR_MS;
        let window = args::<1>(Some("-2h"), None)
            .window(SPAN, end(Some(NEWEST), now))
            .unwrap();
        assert_eq!((window.since_ms, window.until_ms), (now - 2 * HOUR_MS, now));
    }

    #[test]
    fn help_says_the_default_that_is_taken() {
        let now = end(Some(NEWEST), NEWEST);
        let length = |window: Window| window.until_ms - window.since_ms;
        assert_eq!(length(args::<1>(None, None).window(SPAN, now).unwrap()), DAY_MS);
        assert_eq!(length(args::<7>(None, None).window(SPAN, now).unwrap()), 7 * DAY_MS);
        let all = args::<EVERYTHING>(None, None).window(SPAN, now).unwrap();
        assert_eq!(all.since_ms, NEWEST - 30 * DAY_MS);
        assert!(since_help(1).ends_with("[default: 24 h before --until]"));
        assert!(since_help(7).ends_with("[default: 7 days before --until]"));
        assert!(since_help(EVERYTHING).ends_with("[default: the first event]"));
    }
}

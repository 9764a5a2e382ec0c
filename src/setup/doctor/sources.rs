//! What has been read so far: is a tail at work, are the logs recent, do their lines parse, can their times be true?

use super::finding::{DoctorOptions, Examination, FaultArea, Finding, NextStep};
use crate::analysis::health::{UnreadableCause, unparsed_share};
use crate::analysis::severity::UNPARSED_SHARE_MAX;
use crate::analysis::sources::{SourceStatus, SourceVerdict, percent, statuses};
use crate::config::Config;
use crate::model::human::{ago, counted};
use crate::model::time::{MINUTE_MS, UtcMs, rfc3339};
use crate::query::history::Backend;
use crate::setup::Setup;
use crate::setup::plan::Plan;

/// A tail that has read everything says so every minute; one that has not for so long is behind.
const BEHIND_MS: i64 = 15 * MINUTE_MS;
/// Sources that are named for one reason.
const SOURCES_SHOWN: usize = 5;

/// Looks at them. A store that does not open has been reported.
pub(super) fn look(setup: &Setup, config: &Config, plan: &Plan, options: &DoctorOptions, found: &mut Examination) {
    let Ok(store) = setup.engine(config) else { return };
    let Ok(rows) = statuses(store.history(), options.now_ms, options.stale_ms) else {
        return;
    };
    found.sources = rows.len();
    found.newest_ms = rows.iter().filter_map(|row| Some(row.source.span_ms?.1)).max();
    if let Backend::Embedded(local) = &store
        && !config.sources.is_empty()
    {
        let beat = local.coverage().heartbeat_ms(options.now_ms).ok().flatten();
        found
            .findings
            .extend(tail(local.writer().is_some(), beat, options.now_ms));
    }
    let is_followed = |row: &&SourceStatus| {
        let of_it = |host: &str, kind: &str| host == row.source.host && kind == row.source.kind;
        plan.jobs.iter().any(|job| of_it(&job.host, job.kind))
    };
    let stale = rows.iter().filter(|row| row.state == SourceVerdict::Stale);
    found
        .findings
        .extend(stale_logs(stale.filter(is_followed), options.stale_ms));
    for row in &rows {
        found.findings.extend(of_source(row));
    }
}

/// Whether logs are followed: a tail holds the store, and says every minute that it has read everything.
fn tail(is_written: bool, beat_ms: Option<UtcMs>, now_ms: UtcMs) -> Option<Finding> {
    let last = |beat: UtcMs| {
        format!(
            "it last had read everything at {} ({})",
            rfc3339(beat),
            ago(now_ms - beat)
        )
    };
    match (is_written, beat_ms) {
        (false, beat) => Some(Finding::new(
            FaultArea::Freshness,
            "tail_not_running",
            match beat {
                Some(beat) => format!("`mailpulse tail` is not running; {}", last(beat)),
                None => "`mailpulse tail` is not running, and has never run on this store".to_owned(),
            },
            NextStep::Start,
        )),
        (true, Some(beat)) if now_ms - beat > BEHIND_MS => Some(Finding::new(
            FaultArea::Freshness,
            "tail_behind",
            format!("`mailpulse tail` runs and is behind: {}", last(beat)),
            NextStep::Words("journalctl -u mailpulse says what it waits for".to_owned()),
        )),
        _ => None,
    }
}

fn named(row: &SourceStatus) -> String {
    format!("{} ({})", row.source.host, row.source.kind)
}

/// Sources whose newest line is old, in one finding.
fn stale_logs<'r>(stale: impl Iterator<Item = &'r SourceStatus>, stale_ms: i64) -> Option<Finding> {
    let all: Vec<String> = stale
        .map(|row| match row.age_ms {
            Some(age) => format!("{}, {}", named(row), ago(age)),
            None => format!("{}, never", named(row)),
        })
        .collect();
    if all.is_empty() {
        return None;
    }
    let shown: Vec<&str> = all.iter().take(SOURCES_SHOWN).map(String::as_str).collect();
    let more = if all.len() > SOURCES_SHOWN { "; …" } else { "" };
    Some(Finding::new(
        FaultArea::Freshness,
        "stale",
        format!(
            "{} without a line for {}: {}{more}",
            counted(all.len() as u64, "source"),
            crate::model::human::duration(stale_ms),
            shown.join("; ")
        ),
        NextStep::Words("see whether the program still writes to this file, and whether it was renamed".to_owned()),
    ))
}

/// What is wrong with a source whatever its age.
fn of_source(row: &SourceStatus) -> Vec<Finding> {
    let mut findings = Vec::new();
    for doubt in row.clock_doubts() {
        findings.push(Finding::new(
            FaultArea::Clocks,
            "clock_off",
            format!("{}: {doubt}", named(row)),
            NextStep::Words("timedatectl set-ntp true, or correct the clock of the host that writes".to_owned()),
        ));
    }
    let is_foreign = row.health.cause() == UnreadableCause::Foreign;
    let what = row.unreadable_lines().or_else(|| {
        (unparsed_share(&row.source.counts) > UNPARSED_SHARE_MAX).then(|| {
            format!(
                "{:.1} % of {} lines do not parse",
                percent(&row.source.counts),
                row.source.counts.lines
            )
        })
    });
    if let Some(what) = what {
        let sample = row.shapes().first().map(|shape| format!(", as `{}`", shape.sample));
        let next = match is_foreign {
            true => "check",
            false => "status   # the shapes; then: parse --explain FILE",
        };
        findings.push(Finding::new(
            FaultArea::Parsing,
            "unparsed",
            format!("{}: {what}{}", named(row), sample.unwrap_or_default()),
            NextStep::Command(next.to_owned()),
        ));
    }
    for what in row.damaged() {
        let next = NextStep::Words("restore this log from a backup, then `mailpulse backfill`".to_owned());
        let what = format!("{}: {what}", named(row));
        findings.push(Finding::new(FaultArea::Parsing, "log_damaged", what, next));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_that_is_away_and_one_that_is_behind_are_two_faults() {
        let now = 100 * MINUTE_MS;
        let id = |finding: Option<Finding>| finding.map(|finding| finding.id);
        assert_eq!(id(tail(false, None, UtcMs::new(now))), Some("tail_not_running"));
        assert_eq!(
            id(tail(false, Some(UtcMs::new(now)), UtcMs::new(now))),
            Some("tail_not_running")
        );
        assert_eq!(id(tail(true, Some(UtcMs::new(now - BEHIND_MS)), UtcMs::new(now))), None);
        assert_eq!(
            id(tail(true, Some(UtcMs::new(now - BEHIND_MS - 1)), UtcMs::new(now))),
            Some("tail_behind")
        );
        assert_eq!(id(tail(true, None, UtcMs::new(now))), None, "it has just begun");
    }
}

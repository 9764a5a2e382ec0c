//! What each `[[schedule]]` would have said of the last two weeks.

use crate::analysis::present::end_of;
use crate::clock::now_ms;
use crate::config::Config;
use crate::detect::declared::{DeclaredTime, DueMail, DueOutcome, look_back};
use crate::model::direction::DirectionView;
use crate::model::human::counted;
use crate::model::time::{DAY_MS, MINUTE_MS, Minute, UtcMs};
use crate::query::Window;
use crate::query::history::MailHistory;
use crate::query::rates::{By, RateQuestion};
use crate::query::series::SeriesSet;
use crate::setup::{Setup, known_names};
use anyhow::Result;

/// How far back is looked.
const DAYS: i64 = 14;

/// What is said of the past, and of names that no mail bears.
#[derive(Debug, Default)]
pub(crate) struct PastSchedules {
    /// A line each, in the order of the configuration.
    pub lines: Vec<String>,
    /// What is probably not meant.
    pub warnings: Vec<String>,
}

/// Looks back; without a store nothing is known yet.
pub(crate) fn past_schedules(setup: &Setup, config: &Config) -> PastSchedules {
    let times = &config.detect.declared;
    if times.is_empty() {
        return PastSchedules::default();
    }
    let engine = setup.engine(config).ok();
    let found = engine.and_then(|engine| look(engine.history(), config).ok());
    found.unwrap_or_else(|| PastSchedules {
        lines: times.iter().map(|time| said(time, "nothing is stored yet")).collect(),
        warnings: Vec::new(),
    })
}

fn said(time: &DeclaredTime, words: &str) -> String {
    format!("schedule of {}, {}: {words}", time.service, time.promise())
}

fn look(store: &dyn MailHistory, config: &Config) -> Result<PastSchedules> {
    let times = &config.detect.declared;
    let until_ms = end_of(store, now_ms())?.at_ms.floor_to(MINUTE_MS);
    let mut services: Vec<String> = times.iter().map(|time| time.service.clone()).collect();
    services.sort_unstable();
    services.dedup();
    let window = Window {
        since_ms: until_ms - DAYS * DAY_MS,
        until_ms,
    };
    let minutes = store.rates(&RateQuestion {
        only: services.clone(),
        ..RateQuestion::accepted(window, MINUTE_MS, By::Service, DirectionView::default())
    })?;
    let lines = times.iter().map(|time| said(time, &past(time, &minutes, until_ms)));
    let unknown = services.into_iter().filter_map(|service| {
        let known = known_names::check(store, config, By::Service, "[[schedule]]", &[service]);
        known.err().map(|why| why.to_string())
    });
    Ok(PastSchedules {
        lines: lines.collect(),
        warnings: unknown.collect(),
    })
}

/// What became of the mails of a time.
fn past(time: &DeclaredTime, minutes: &SeriesSet, until_ms: UtcMs) -> String {
    let points = minutes.series.iter().find(|series| series.name == time.service);
    let start = minutes.start_ms.minute();
    let count = |at: Minute| {
        let point = usize::try_from(at - start)
            .ok()
            .and_then(|at| points?.points.get(at).copied());
        point.flatten().map(|mails| mails.round() as u32)
    };
    let found = look_back(time, (start, until_ms.minute()), count);
    let of = |wanted: DueOutcome| found.iter().filter(move |(_, outcome)| *outcome == wanted);
    let (on_time, unknown) = (of(DueOutcome::OnTime).count(), of(DueOutcome::Unknown).count());
    let mut words = format!("the last {DAYS} days: {on_time} of {} on time", found.len() - unknown);
    if let Some((last, _)) = of(DueOutcome::Missed).next_back() {
        let missed = of(DueOutcome::Missed).count();
        words += &format!(", {missed} late or missing (last on {})", day(time, last));
    }
    if unknown > 0 {
        words += &format!("; {} without logs", counted(unknown as u64, "time"));
    }
    words
}

fn day(time: &DeclaredTime, mail: &DueMail) -> String {
    let moment = mail.due.start().timestamp().unwrap_or_default();
    moment.to_zoned(time.zone.clone()).date().to_string()
}

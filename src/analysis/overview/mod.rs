//! The overview: how the mail stands, who fires, the boards, and what providers do, as of one moment. The page Now, `/metrics`
//! and `top` show the same one.

mod shortfall;
mod snapshot;

pub(crate) use snapshot::{
    BoardSnapshot, SnapshotAlarm, SnapshotClock, SnapshotProvider, SnapshotQueue, SnapshotRow, SnapshotSource,
    StateClass,
};
#[cfg(test)]
pub(crate) use snapshot::{SnapshotMissing, SnapshotVerdict};

use self::shortfall::tell_since;
use super::board::{BoardQuestion, Boards, MailSince, RowState, boards};
use super::incident::{Asked, Incident, judge};
use super::judgement::DetectionState;
use super::kept::Kept;
use super::live::silent_since;
use super::providers::{Attempts, ProviderOutcome, attempts, provider_attempts};
use super::sources::{SourceStatus, SourceVerdict, statuses};
use super::verdict::{MailVerdict, VerdictFacts, verdict};
use crate::detect::alarm::{Alarm, Scope};
use crate::detect::engine::Options;
use crate::detect::impact::ServiceImpact;
use crate::model::direction::DirectionView;
use crate::model::human;
use crate::model::time::{DAY_MS, MINUTE_MS, Minute, UtcMs};
use crate::query::Window;
use crate::query::history::MailHistory;
use anyhow::Result;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Minutes without an event, a line, or a sign of a tail after which nothing is known of now.
const SILENT_MIN: u32 = 30;
/// Minutes without a judgement after which `watch` does not run.
const WATCH_MIN: i64 = 10;

/// What the overview is made of.
pub(crate) struct Overview {
    /// What the detection says.
    pub judgement: Arc<DetectionState>,
    /// How the mail stands, with times in UTC.
    pub verdict: MailVerdict,
    /// What the verdict is made of beside the judgement.
    pub standing: StandingFacts,
    /// Services, relays, and hostgroups.
    pub boards: Boards,
    /// Providers over all relays, by name.
    pub providers: BTreeMap<String, ProviderSum>,
    /// Logs, and whether they can be relied on; none where the clock stands still, because they are known as of today.
    pub sources: Vec<SourceStatus>,
    /// Where time ends, UTC milliseconds.
    pub end_ms: UtcMs,
}

/// What a verdict is made of, in whichever zone it names times.
pub(crate) struct StandingFacts {
    /// Services that have sent mail of late.
    services: usize,
    incident: Option<Incident>,
    doubts: Vec<String>,
    silent_ms: Option<i64>,
}

impl StandingFacts {
    fn verdict(&self, judgement: &DetectionState, zone: &TimeZone) -> MailVerdict {
        verdict(&VerdictFacts {
            until: judgement.until,
            firing: &judgement.firing(),
            names: &judgement.names,
            services: self.services,
            incident: self.incident.as_ref(),
            doubts: &self.doubts,
            silent_ms: self.silent_ms,
            zone,
        })
    }
}

impl Overview {
    /// How the mail stands, with times of a zone.
    pub(crate) fn verdict_in(&self, zone: &TimeZone) -> MailVerdict {
        self.standing.verdict(&self.judgement, zone)
    }
}

/// A provider over all relays.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProviderSum {
    /// Attempts of the last day.
    pub attempts: Attempts,
    /// Those of the weeks before.
    pub usual: Attempts,
    /// Since when an alarm about it fires, and the attempts since; none without any, or where it is older than a day.
    pub since: Option<(Minute, Attempts)>,
    /// The most frequent reason for what was put off or refused, with how often it came.
    pub reason: Option<(String, i64)>,
}

/// What is asked.
pub(crate) struct OverviewQuestion<'a> {
    /// What the detection says.
    pub judgement: Arc<DetectionState>,
    /// Its snapshots.
    pub kept: &'a Kept,
    /// Its options.
    pub options: Options,
    /// Names that have a row also without any mail: those of the configuration.
    pub configured: [BTreeSet<String>; 3],
    /// Where time ends, UTC milliseconds.
    pub end_ms: UtcMs,
    /// The time on the clock, UTC milliseconds; it may stand still.
    pub now_ms: UtcMs,
    /// Whether `watch` runs on this store.
    pub watched: WatchSeen,
    /// Whether pictures of the day have the range that was expected.
    pub has_day_ranges: bool,
}

/// What is known of a `watch` on a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WatchSeen {
    /// The clock stands still: whether one runs today says nothing.
    NotAsked,
    /// None has judged this store.
    Never,
    /// When it judged last.
    Last(UtcMs),
}

/// The overview.
///
/// # Errors
/// The store does not answer.
pub(crate) fn overview(store: &dyn MailHistory, question: OverviewQuestion<'_>) -> Result<Overview> {
    let OverviewQuestion {
        judgement,
        kept,
        options,
        configured,
        end_ms,
        now_ms,
        watched,
        has_day_ranges,
    } = question;
    let firing = judgement.firing();
    let incident = match trouble(&judgement, &firing) {
        Some(window) => Some(judge(store, kept, options.clone(), Asked::Window(window), now_ms)?),
        None => None,
    };
    let mut boards = boards(
        store,
        BoardQuestion {
            judgement: &judgement,
            kept,
            options: options.clone(),
            configured,
            end_ms,
            has_day_ranges,
        },
    )?;
    if let (Some(incident), Some(until)) = (&incident, judgement.until) {
        tell_services(incident, &mut boards);
        tell_since(store, (kept, options), &mut boards, (until, now_ms))?;
    }
    let silent_ms = silent_since(store, SILENT_MIN, now_ms)?.map(|newest| now_ms - newest);
    let sources = match watched {
        WatchSeen::NotAsked => Vec::new(),
        WatchSeen::Never | WatchSeen::Last(_) => statuses(store, now_ms, DAY_MS)?,
    };
    let sent = boards.services.iter().filter(|row| row.state != RowState::Quiet);
    let standing = StandingFacts {
        services: sent.count().max(1),
        incident,
        doubts: doubts(&sources, watched, now_ms),
        silent_ms,
    };
    let day = Window {
        since_ms: end_ms - DAY_MS,
        until_ms: end_ms,
    };
    let mut providers = summed(provider_attempts(store, day, DirectionView::default())?);
    tell_providers(store, &judgement, &mut providers, day)?;
    Ok(Overview {
        providers,
        verdict: standing.verdict(&judgement, &TimeZone::UTC),
        standing,
        boards,
        sources,
        end_ms,
        judgement,
    })
}

/// The time of the alarms about mail; none without any.
fn trouble(judgement: &DetectionState, firing: &[&Alarm]) -> Option<Window> {
    let about_mail = firing
        .iter()
        .filter(|alarm| !alarm.provisional && alarm.state.is_about_mail());
    let since = |alarm: &&Alarm| {
        alarm
            .cause
            .as_ref()
            .map_or(alarm.onset, |cause| cause.silent_from.min(alarm.onset))
    };
    let since = about_mail.map(since).min()?;
    let until = judgement.until?;
    Some(Window {
        since_ms: since.start(),
        until_ms: until.max(since + 1).start(),
    })
}

/// Tells services in trouble what the incident found.
fn tell_services(incident: &Incident, boards: &mut Boards) {
    let of = |one: &ServiceImpact| {
        let since = MailSince {
            came: one.observed,
            expected: one.expected,
        };
        (incident.names.service(one.service), since)
    };
    let found: BTreeMap<&str, MailSince> = incident.judged.services.iter().map(of).collect();
    for row in boards.services.iter_mut().filter(|row| row.alarm.is_some()) {
        row.since = found.get(row.name.as_str()).copied();
    }
}

/// Tells providers that defer or refuse our mail what they did since then: a day has hours that were good.
fn tell_providers(
    store: &dyn MailHistory,
    judgement: &DetectionState,
    sums: &mut BTreeMap<String, ProviderSum>,
    day: Window,
) -> Result<()> {
    for alarm in judgement.firing() {
        let Scope::Provider(id) = alarm.scope else { continue };
        let Some(sum) = sums.get_mut(judgement.names.provider(id)) else {
            continue;
        };
        if alarm.provisional || alarm.onset.start() < day.since_ms || sum.since.is_some() {
            continue;
        }
        let window = Window {
            since_ms: alarm.onset.start(),
            ..day
        };
        let own = attempts(store, window, DirectionView::default())?.into_iter();
        let own = own.filter(|((provider, _), _)| provider == judgement.names.provider(id));
        let all = own.fold(Attempts::default(), |all, (_, attempts)| all.plus(attempts));
        sum.since = Some((alarm.onset, all));
    }
    Ok(())
}

/// Why no alarm does not mean that all is well.
fn doubts(sources: &[SourceStatus], watched: WatchSeen, now_ms: UtcMs) -> Vec<String> {
    let unreadable = sources.iter().filter(|row| row.state == SourceVerdict::Unreadable);
    let mut doubts: Vec<String> = unreadable
        .map(|row| {
            let (host, kind) = (&row.source.host, &row.source.kind);
            format!("The log of {host} ({kind}) cannot be read as it should: see the sources.")
        })
        .collect();
    doubts.extend(match watched {
        WatchSeen::Never => Some("No `mailpulse watch` runs on this store: nobody is paged.".to_owned()),
        WatchSeen::Last(judged_ms) if now_ms - judged_ms > WATCH_MIN * MINUTE_MS => {
            let ago = human::ago(now_ms - judged_ms);
            Some(format!("`mailpulse watch` judged last {ago}: nobody is paged."))
        }
        WatchSeen::Last(_) | WatchSeen::NotAsked => None,
    });
    doubts
}

fn summed(all: BTreeMap<(String, String), ProviderOutcome>) -> BTreeMap<String, ProviderSum> {
    let mut sums: BTreeMap<String, ProviderSum> = BTreeMap::new();
    for ((provider, _), one) in all {
        let sum = sums.entry(provider).or_default();
        sum.attempts = sum.attempts.plus(one.attempts);
        sum.usual = sum.usual.plus(one.usual);
        let more = |reason: &(String, i64)| sum.reason.as_ref().is_none_or(|(_, times)| reason.1 > *times);
        if let Some(reason) = one.reason.filter(more) {
            sum.reason = Some(reason);
        }
    }
    sums
}

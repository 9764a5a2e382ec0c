//! An overview as it travels: what `top` shows, `top --format json` prints, and `/api/v1/board` answers. Raw numbers, with the unit
//! in their key where it is not a count; times are RFC 3339 in UTC.

use super::Overview;
use crate::analysis::alarms::{notice_id, rounded};
use crate::analysis::backlog::{Group, QueueBacklog, Waiting};
use crate::analysis::board::{BoardRow, RowState};
use crate::analysis::providers::Attempts;
use crate::analysis::sources::{SourceStatus, SourceVerdict};
use crate::analysis::verdict::{MailStanding, MailVerdict};
use crate::detect::alarm::{Alarm, Scope, State};
use crate::detect::fleet::Names;
use crate::model::time::{DAY_MS, MINUTE_MS, Minute, SECOND_MS, UtcMs};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// What a state means for whoever looks: its colour and its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StateClass {
    /// All is well.
    Ok,
    /// Something is wrong.
    Bad,
    /// Nobody can say.
    Unknown,
    /// Nothing happens, and nothing should; or it is not sure.
    Calm,
}

impl StateClass {
    /// Of an alarm's state.
    #[must_use]
    pub(crate) fn of_alarm(state: State, is_provisional: bool) -> StateClass {
        match (state.is_about_mail(), is_provisional) {
            (false, _) => StateClass::Unknown,
            (true, true) => StateClass::Calm,
            (true, false) => StateClass::Bad,
        }
    }

    fn of_row(state: &RowState) -> StateClass {
        match state {
            RowState::Alarm(alarm) => StateClass::of_alarm(*alarm, false),
            RowState::Provisional(alarm) => StateClass::of_alarm(*alarm, true),
            RowState::Ok => StateClass::Ok,
            RowState::Quiet | RowState::New => StateClass::Calm,
        }
    }

    fn of_standing(standing: MailStanding) -> StateClass {
        match standing {
            MailStanding::Flowing => StateClass::Ok,
            MailStanding::Unknown => StateClass::Unknown,
            MailStanding::Trouble => StateClass::Bad,
        }
    }

    fn of_source(state: SourceVerdict) -> StateClass {
        match state {
            SourceVerdict::Ok => StateClass::Ok,
            SourceVerdict::Damaged => StateClass::Bad,
            SourceVerdict::Stale | SourceVerdict::Unreadable => StateClass::Unknown,
        }
    }
}

/// How the clock of an overview runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SnapshotClock {
    /// With the time of day.
    Live,
    /// The newest event is over a day old: it shows the end of that time.
    Ended,
    /// It was stopped at a moment.
    Stopped,
}

impl SnapshotClock {
    /// Of an overview that ends at a time, at another on the clock.
    #[must_use]
    pub(crate) fn of(end_ms: UtcMs, now_ms: UtcMs, is_standing: bool) -> SnapshotClock {
        match is_standing {
            true => SnapshotClock::Stopped,
            // Where time ends is the clock, or over a day before it; an answer that is kept is minutes old.
            false if end_ms < now_ms - DAY_MS / 2 => SnapshotClock::Ended,
            false => SnapshotClock::Live,
        }
    }
}

/// An overview.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct BoardSnapshot {
    /// Where time ends.
    #[serde(with = "time")]
    pub as_of: UtcMs,
    /// The minute up to which was judged.
    #[serde(with = "maybe_time")]
    pub judged_until: Option<UtcMs>,
    /// When this was computed, by the clock of whoever did.
    #[serde(with = "time")]
    pub now: UtcMs,
    /// How that clock runs.
    pub clock: SnapshotClock,
    /// How the mail stands.
    pub verdict: SnapshotVerdict,
    /// What could not be read or computed, a line each.
    pub lacks: Vec<String>,
    /// Alarms that fire.
    pub alarms: Vec<SnapshotAlarm>,
    /// Seconds between the points of a row's day; the last point ends at `as_of`.
    pub step_s: i64,
    /// By what is wrong, and then by how much they send.
    pub services: Vec<SnapshotRow>,
    /// The same of relays.
    pub relays: Vec<SnapshotRow>,
    /// The same of hostgroups.
    pub hostgroups: Vec<SnapshotRow>,
    /// By what is wrong, and then by attempts.
    pub providers: Vec<SnapshotProvider>,
    /// What waits of all, each mail once.
    pub backlog: SnapshotQueue,
    /// What waits, by service and relay; most first.
    pub queues: Vec<SnapshotQueue>,
    /// Logs, and how they do; none where the clock is stopped.
    pub sources: Vec<SnapshotSource>,
}

/// How the mail stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SnapshotVerdict {
    /// In a word.
    pub standing: String,
    /// What the word means.
    pub class: StateClass,
    /// In a sentence.
    pub sentence: String,
    /// What else there is to say.
    pub more: Vec<String>,
    /// What to do next.
    pub next: Option<String>,
    /// The alarm to open.
    pub alarm: Option<String>,
    /// Services whose mail is affected.
    pub affected: Vec<String>,
    /// The relay that is the cause.
    pub relay: Option<String>,
    /// Since when.
    #[serde(with = "maybe_time")]
    pub since: Option<UtcMs>,
    /// What is missing.
    pub missing: SnapshotMissing,
}

/// What is missing, by what became of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SnapshotMissing {
    /// All of it.
    pub all: u64,
    /// Was not sent.
    pub lost: u64,
    /// Came later.
    pub late: u64,
    /// Is still tried or queued.
    pub waiting: u64,
    /// Was sent back.
    pub bounced: u64,
    /// Nothing is decided.
    pub open: u64,
}

/// An alarm that fires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SnapshotAlarm {
    /// Its ID.
    pub id: String,
    /// `service`, `relay`, …
    pub kind: String,
    pub name: String,
    /// Its state.
    pub state: String,
    /// What the state means.
    pub class: StateClass,
    /// It is not sure, and pages nobody.
    pub provisional: bool,
    /// Since when.
    #[serde(with = "time")]
    pub onset: UtcMs,
    /// When it was noticed.
    #[serde(with = "time")]
    pub detected: UtcMs,
    /// Services that it names.
    pub members: Vec<String>,
    pub evidence: Vec<String>,
}

/// A service, relay, or hostgroup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SnapshotRow {
    pub name: String,
    /// `ok`, `quiet`, `learning`, or an alarm's state.
    pub state: String,
    /// What the state means.
    pub class: StateClass,
    /// The alarm is not sure.
    pub provisional: bool,
    /// Its alarm.
    pub alarm: Option<String>,
    /// Since when it fires.
    #[serde(with = "maybe_time")]
    pub onset: Option<UtcMs>,
    /// The minute of its last mail; none where it is over 30 days ago.
    #[serde(with = "maybe_time")]
    pub last: Option<UtcMs>,
    /// Messages of the last hour.
    pub hour: f64,
    /// What was expected of it.
    pub expected_low: Option<f64>,
    /// What was expected of it.
    pub expected_high: Option<f64>,
    /// Messages since the trouble began.
    pub came_since: Option<u64>,
    /// What was expected of that time.
    pub expected_since: Option<f64>,
    /// Messages of the last day, in steps; none where nothing was read.
    pub day: Vec<Option<f64>>,
}

/// A provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SnapshotProvider {
    pub name: String,
    /// `ok`, or an alarm's state.
    pub state: String,
    /// What the state means.
    pub class: StateClass,
    /// The alarm is not sure.
    pub provisional: bool,
    /// Its alarm.
    pub alarm: Option<String>,
    /// Attempts of the last day.
    pub attempts: i64,
    /// Those that were put off.
    pub deferred: i64,
    /// Those that were refused, or given up.
    pub bounced: i64,
    /// Attempts of the weeks before.
    pub usual_attempts: i64,
    /// Those that were put off.
    pub usual_deferred: i64,
    /// Those that were refused, or given up.
    pub usual_bounced: i64,
    /// The most frequent reason.
    pub reason: Option<String>,
}

impl SnapshotProvider {
    /// Attempts of the last day, and of the weeks before.
    #[must_use]
    pub(crate) fn attempts(&self) -> [Attempts; 2] {
        [
            Attempts {
                all: self.attempts,
                deferred: self.deferred,
                bounced: self.bounced,
            },
            Attempts {
                all: self.usual_attempts,
                deferred: self.usual_deferred,
                bounced: self.usual_bounced,
            },
        ]
    }
}

/// What waits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SnapshotQueue {
    /// Whose mail; empty of all.
    pub service: String,
    /// On which host; empty of all.
    pub relay: String,
    /// Mails that will be tried again.
    pub messages: u64,
    /// Their recipients that have not got it.
    pub recipients: u64,
    /// Arrival of the oldest.
    #[serde(with = "maybe_time")]
    pub oldest: Option<UtcMs>,
    /// It came before the store begins.
    pub oldest_is_older: bool,
    /// When one is tried next.
    #[serde(with = "maybe_time")]
    pub next_try: Option<UtcMs>,
    /// Mails that Exim set aside.
    pub frozen: u64,
    /// Mails in Postfix' hold queue.
    pub held: u64,
    /// How fast it drains.
    pub drain_per_minute: Option<f64>,
    /// When nothing is left at that rate.
    #[serde(with = "maybe_time")]
    pub gone_at: Option<UtcMs>,
}

/// A log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SnapshotSource {
    pub host: String,
    /// What wrote it.
    pub source: String,
    /// How it does.
    pub state: String,
    /// What the state means.
    pub class: StateClass,
    /// Its newest line.
    #[serde(with = "maybe_time")]
    pub last: Option<UtcMs>,
    /// How old its last line was when it was read.
    pub lag_s: Option<i64>,
    /// Lines that did not parse.
    pub unparsed: u64,
}

impl BoardSnapshot {
    /// An overview with its backlog, computed at a time on the clock.
    #[must_use]
    pub(crate) fn of(
        overview: &Overview,
        backlog: &QueueBacklog,
        (now, clock): (UtcMs, SnapshotClock),
    ) -> BoardSnapshot {
        let names = &overview.judgement.names;
        let firing = overview.judgement.firing();
        let rows = |rows: &[BoardRow]| {
            let row = |row: &BoardRow| SnapshotRow::of(row, overview.boards.step_ms);
            rows.iter().map(row).collect()
        };
        let mut queues: Vec<SnapshotQueue> = backlog
            .groups
            .iter()
            .map(|(group, waiting)| SnapshotQueue::of(group, waiting))
            .collect();
        queues.sort_by_key(|queue| Reverse(queue.messages));
        BoardSnapshot {
            as_of: overview.end_ms,
            judged_until: overview.judgement.until.map(Minute::start),
            now,
            clock,
            verdict: SnapshotVerdict::of(&overview.verdict),
            lacks: Vec::new(),
            alarms: firing.iter().map(|alarm| SnapshotAlarm::of(alarm, names)).collect(),
            step_s: overview.boards.step_ms / SECOND_MS,
            services: rows(&overview.boards.services),
            relays: rows(&overview.boards.relays),
            hostgroups: rows(&overview.boards.hostgroups),
            providers: providers(overview, &firing),
            backlog: SnapshotQueue::of(&Group::default(), &backlog.total),
            queues,
            sources: overview.sources.iter().map(SnapshotSource::of).collect(),
        }
    }
}

impl SnapshotVerdict {
    fn of(verdict: &MailVerdict) -> SnapshotVerdict {
        let missing = verdict.missing;
        SnapshotVerdict {
            standing: verdict.standing.as_str().to_owned(),
            class: StateClass::of_standing(verdict.standing),
            sentence: verdict.sentence.clone(),
            more: verdict.more.clone(),
            next: verdict.next.clone(),
            alarm: verdict.alarm.clone(),
            affected: verdict.affected.clone(),
            relay: verdict.relay.clone(),
            since: verdict.since.map(Minute::start),
            missing: SnapshotMissing {
                all: missing.all,
                lost: missing.lost,
                late: missing.late,
                waiting: missing.waiting,
                bounced: missing.bounced,
                open: missing.open,
            },
        }
    }
}

impl SnapshotAlarm {
    fn of(alarm: &Alarm, names: &Names) -> SnapshotAlarm {
        let (kind, name) = alarm.scope.named(names);
        let member = |id| names.service(id).to_owned();
        SnapshotAlarm {
            id: notice_id(alarm, names),
            kind: kind.to_owned(),
            name: name.to_owned(),
            state: alarm.state.as_str().to_owned(),
            class: StateClass::of_alarm(alarm.state, alarm.provisional),
            provisional: alarm.provisional,
            onset: alarm.onset.start(),
            detected: alarm.detected.start(),
            members: alarm.members.iter().map(|one| member(one.service)).collect(),
            evidence: alarm.evidence.clone(),
        }
    }
}

impl SnapshotRow {
    fn of(row: &BoardRow, step_ms: i64) -> SnapshotRow {
        let minutes = step_ms as f64 / MINUTE_MS as f64;
        let messages = |rate: &Option<f64>| rate.map(|rate| rounded(rate * minutes));
        SnapshotRow {
            name: row.name.clone(),
            state: row.state.as_str().to_owned(),
            class: StateClass::of_row(&row.state),
            provisional: matches!(row.state, RowState::Provisional(_)),
            alarm: row.alarm.as_ref().map(|(id, _)| id.clone()),
            onset: row.alarm.as_ref().map(|(_, onset)| onset.start()),
            last: row.last_ms,
            hour: row.hour.round(),
            expected_low: row.usual.map(|(low, _)| rounded(low)),
            expected_high: row.usual.map(|(_, high)| rounded(high)),
            came_since: row.since.map(|since| since.came),
            expected_since: row.since.map(|since| rounded(since.expected)),
            day: row.day.points.iter().map(messages).collect(),
        }
    }
}

fn providers(overview: &Overview, firing: &[&Alarm]) -> Vec<SnapshotProvider> {
    let names = &overview.judgement.names;
    let mut all: Vec<SnapshotProvider> = overview
        .providers
        .iter()
        .map(|(name, sum)| {
            let is_of = |alarm: &&&Alarm| matches!(alarm.scope, Scope::Provider(id) if names.provider(id) == name);
            let alarm = firing.iter().find(is_of);
            SnapshotProvider {
                name: name.clone(),
                state: alarm
                    .map_or(RowState::Ok.as_str(), |alarm| alarm.state.as_str())
                    .to_owned(),
                class: alarm.map_or(StateClass::Ok, |alarm| {
                    StateClass::of_alarm(alarm.state, alarm.provisional)
                }),
                provisional: alarm.is_some_and(|alarm| alarm.provisional),
                alarm: alarm.map(|alarm| notice_id(alarm, names)),
                attempts: sum.attempts.all,
                deferred: sum.attempts.deferred,
                bounced: sum.attempts.bounced,
                usual_attempts: sum.usual.all,
                usual_deferred: sum.usual.deferred,
                usual_bounced: sum.usual.bounced,
                reason: sum.reason.as_ref().map(|(reason, _)| reason.clone()),
            }
        })
        .collect();
    all.sort_by_key(|one| (one.alarm.is_none(), -one.attempts));
    all
}

impl SnapshotQueue {
    fn of(group: &Group, waiting: &Waiting) -> SnapshotQueue {
        SnapshotQueue {
            service: group.service.clone(),
            relay: group.relay.clone(),
            messages: waiting.messages,
            recipients: waiting.recipients,
            oldest: waiting.oldest_ms,
            oldest_is_older: waiting.is_older,
            next_try: waiting.next_try_ms,
            frozen: waiting.frozen,
            held: waiting.held,
            drain_per_minute: waiting.drain.map(|drain| rounded(drain.per_minute)),
            gone_at: waiting.drain.map(|drain| drain.gone_ms),
        }
    }
}

impl SnapshotSource {
    fn of(one: &SourceStatus) -> SnapshotSource {
        SnapshotSource {
            host: one.source.host.clone(),
            source: one.source.kind.clone(),
            state: one.state.as_str().to_owned(),
            class: StateClass::of_source(one.state),
            last: one.source.span_ms.map(|(_, last)| last),
            lag_s: one.lag_ms.map(|lag| lag / SECOND_MS),
            unparsed: one.source.counts.unparsed,
        }
    }
}

/// Times as RFC 3339.
mod time {
    use crate::model::time::{UtcMs, rfc3339};
    use jiff::Timestamp;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &UtcMs, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(*at))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UtcMs, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map_err(D::Error::custom)
    }

    pub(super) fn parse(text: &str) -> Result<UtcMs, String> {
        let time: Timestamp = text.parse().map_err(|why: jiff::Error| why.to_string())?;
        Ok(UtcMs::from(time))
    }
}

/// The same, or `null`.
mod maybe_time {
    use crate::model::time::{UtcMs, rfc3339};
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &Option<UtcMs>, serializer: S) -> Result<S::Ok, S::Error> {
        at.map(rfc3339).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UtcMs>, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        text.map(|text| super::time::parse(&text))
            .transpose()
            .map_err(D::Error::custom)
    }
}

//! The boards: each service, relay, and hostgroup with its state, its last mail, its last hour against what was expected of it,
//! and its last day.

use super::expected::{Picture, draw_in};
use super::hostgroup_alarms::explained;
use super::judgement::DetectionState;
use super::kept::Kept;
use crate::detect::alarm::{Alarm, Scope, State};
use crate::detect::engine::Options;
use crate::detect::fleet::Id;
use crate::model::direction::DirectionView;
use crate::model::time::{DAY_MS, HOUR_MIN, HOUR_MS, MINUTE_MS, Minute, UtcMs};
use crate::query::history::MailHistory;
use crate::query::rates::{By, RateQuestion};
use crate::query::series::{Series, SeriesSet};
use crate::query::{QueryError, SumsOf, Window};
use crate::store::columnar::Values;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};

/// Minutes of a point of a day's picture.
const POINT_MIN: usize = 15;
/// The last mail is looked for so far back.
const LAST_DAYS: i64 = 30;
/// Rows of a board.
const ROWS_MAX: usize = 2_000;
/// A service that has sent nothing for a day, and no alarm says that it should have.
const QUIET: &str = "quiet";

/// What a row says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RowState {
    /// Mail as expected.
    Ok,
    /// No mail for a day, and none missing.
    Quiet,
    /// Mail, and too little history to expect any.
    New,
    /// An alarm fires.
    Alarm(State),
    /// One that is not sure.
    Provisional(State),
}

impl RowState {
    /// The word.
    #[must_use]
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            RowState::Ok => "ok",
            RowState::Quiet => QUIET,
            RowState::New => "learning",
            RowState::Alarm(state) | RowState::Provisional(state) => state.as_str(),
        }
    }
}

/// Messages since a trouble began: of a row in trouble they say more than an hour that was good for the most part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct MailSince {
    /// Those that came.
    pub came: u64,
    /// Those that were expected.
    pub expected: f64,
}

/// A row.
#[derive(Debug, Clone)]
pub(crate) struct BoardRow {
    pub name: String,
    /// How it is.
    pub state: RowState,
    /// The alarm, by its ID, and its onset.
    pub alarm: Option<(String, Minute)>,
    /// The minute of its last mail, UTC milliseconds; none where it is too long ago to be looked for.
    pub last_ms: Option<UtcMs>,
    /// Messages of the last hour.
    pub hour: f64,
    /// What was expected of that hour.
    pub usual: Option<(f64, f64)>,
    /// What came since its trouble began; none without any, and where nothing was expected of it.
    pub since: Option<MailSince>,
    /// The last day, messages a minute, with what was expected.
    pub day: Series,
}

/// The boards as of a moment.
#[derive(Debug)]
pub(crate) struct Boards {
    /// Services, by what is wrong and then by how much they send.
    pub services: Vec<BoardRow>,
    pub relays: Vec<BoardRow>,
    pub hostgroups: Vec<BoardRow>,
    /// The day that the rows' pictures show.
    pub day: Window,
    /// Milliseconds between their points.
    pub step_ms: i64,
}

/// What boards are made of.
pub(crate) struct BoardQuestion<'a> {
    /// What the detection says.
    pub judgement: &'a DetectionState,
    /// Its snapshots.
    pub kept: &'a Kept,
    /// Its options.
    pub options: Options,
    /// Names that have a row also without any mail: those of the configuration.
    pub configured: [BTreeSet<String>; 3],
    /// The end of the last hour, UTC milliseconds.
    pub end_ms: UtcMs,
    /// Whether pictures of the day have the range that was expected: the detection is replayed for it.
    pub has_day_ranges: bool,
}

/// The boards.
///
/// # Errors
/// The history cannot be read.
pub(crate) fn boards(store: &dyn MailHistory, question: BoardQuestion<'_>) -> Result<Boards> {
    // The minute that has begun is part of it.
    let end_ms = (question.end_ms + MINUTE_MS - 1).floor_to(MINUTE_MS);
    let day = Window {
        since_ms: end_ms - DAY_MS,
        until_ms: end_ms,
    };
    let BoardQuestion {
        judgement,
        kept,
        options,
        configured,
        has_day_ranges,
        ..
    } = question;
    let mut groups = Vec::new();
    for (by, configured) in [By::Service, By::Relay, By::Hostgroup].into_iter().zip(configured) {
        groups.push(BoardDraft::read(store, judgement, (by, configured), day)?);
    }
    let mut pictures: Vec<Picture<'_>> = Vec::new();
    for rows in &mut groups {
        if has_day_ranges {
            pictures.push(Picture {
                question: &rows.day_question,
                set: &mut rows.day,
            });
        }
        pictures.push(Picture {
            question: &rows.hour_question,
            set: &mut rows.hour,
        });
    }
    draw_in(store, kept, options, &mut pictures, end_ms)?;
    drop(pictures);
    let mut built = groups.into_iter().map(|rows| rows.build(judgement));
    let mut next = || built.next().unwrap_or_default();
    Ok(Boards {
        services: next(),
        relays: next(),
        hostgroups: next(),
        day,
        step_ms: POINT_MIN as i64 * MINUTE_MS,
    })
}

/// The rows of one kind, as they are made.
struct BoardDraft<'j> {
    by: By,
    day_question: RateQuestion,
    day: SeriesSet,
    hour_question: RateQuestion,
    hour: SeriesSet,
    last: BTreeMap<String, UtcMs>,
    /// Alarms of others that explain a row without one of its own.
    explained: BTreeMap<String, &'j Alarm>,
}

impl<'j> BoardDraft<'j> {
    fn read(
        store: &dyn MailHistory,
        judgement: &'j DetectionState,
        (by, configured): (By, BTreeSet<String>),
        day: Window,
    ) -> Result<BoardDraft<'j>, QueryError> {
        let names = &judgement.names;
        let known_since = Window {
            since_ms: day.until_ms - LAST_DAYS * DAY_MS,
            ..day
        };
        let last = last_mail(store, by, known_since)?;
        let explained = match by {
            By::Hostgroup => explained(store, judgement, known_since)?,
            _ => BTreeMap::new(),
        };
        let mut known = configured;
        known.extend(last.keys().cloned());
        match by {
            By::Relay => known.extend(judgement.routes.hosts().map(|host| names.host(host).to_owned())),
            _ => known.extend(alarmed(judgement, by)),
        }
        let known: Vec<String> = known
            .into_iter()
            .filter(|name| !name.is_empty())
            .take(ROWS_MAX)
            .collect();
        let question = RateQuestion {
            only: known.clone(),
            ..RateQuestion::accepted(day, MINUTE_MS, by, DirectionView::default())
        };
        let minutes = match known.is_empty() {
            true => SeriesSet::default(),
            false => store.rates(&question)?,
        };
        let folded = |count: usize, step: usize| folded(&minutes, count, step, day.until_ms);
        let hour_window = Window {
            since_ms: day.until_ms - HOUR_MS,
            ..day
        };
        Ok(BoardDraft {
            by,
            day: folded(24 * 60 / POINT_MIN, POINT_MIN),
            hour: folded(1, HOUR_MIN as usize),
            hour_question: RateQuestion {
                window: hour_window,
                ..question.clone()
            },
            day_question: question,
            last,
            explained,
        })
    }

    fn build(self, judgement: &DetectionState) -> Vec<BoardRow> {
        let mut rows = Vec::new();
        for (day, hour) in self.day.series.into_iter().zip(self.hour.series) {
            let per_hour = |rate: f64| rate * HOUR_MIN as f64;
            let usual = hour
                .expected
                .as_ref()
                .and_then(|expected| expected.first().copied().flatten());
            let alarm = alarm_of(judgement, self.by, &day.name).or_else(|| self.explained.get(&day.name).copied());
            let is_quiet = day.volume() <= 0.0;
            let state = match alarm {
                Some(alarm) if alarm.provisional => RowState::Provisional(alarm.state),
                Some(alarm) => RowState::Alarm(alarm.state),
                None if is_quiet => RowState::Quiet,
                None if usual.is_none() => RowState::New,
                None => RowState::Ok,
            };
            rows.push(BoardRow {
                state,
                alarm: alarm.map(|alarm| (super::alarms::notice_id(alarm, &judgement.names), alarm.onset)),
                last_ms: self.last.get(&day.name).copied(),
                hour: per_hour(hour.volume()),
                usual: usual.map(|(low, high)| (per_hour(low), per_hour(high))),
                since: None,
                name: day.name.clone(),
                day,
            });
        }
        rows.sort_by(|a, b| {
            let volume = |row: &BoardRow| row.day.volume();
            rank(&a.state)
                .cmp(&rank(&b.state))
                .then(volume(b).total_cmp(&volume(a)))
                .then_with(|| a.name.cmp(&b.name))
        });
        rows
    }
}

/// What is wrong comes first.
fn rank(state: &RowState) -> u8 {
    match state {
        RowState::Alarm(_) => 0,
        RowState::Provisional(_) => 1,
        RowState::Ok | RowState::New => 2,
        RowState::Quiet => 3,
    }
}

/// The last `count` points of `step` minutes, up to the end: means of the minutes that are known.
fn folded(minutes: &SeriesSet, count: usize, step: usize, end_ms: UtcMs) -> SeriesSet {
    let series = minutes.series.iter().map(|series| {
        let from = series.points.len().saturating_sub(count * step);
        let points = series.points.get(from..).unwrap_or_default().chunks(step);
        let mean = |chunk: &[Option<f64>]| {
            let known: Vec<f64> = chunk.iter().flatten().copied().collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / step as f64)
        };
        Series {
            name: series.name.clone(),
            points: points.map(mean).collect(),
            expected: None,
        }
    });
    let step_ms = step as i64 * MINUTE_MS;
    SeriesSet {
        title: minutes.title.clone(),
        unit: minutes.unit.clone(),
        start_ms: end_ms - count as i64 * step_ms,
        step_ms,
        series: series.collect(),
    }
}

/// The alarm about a name itself, or that names it as affected.
fn alarm_of<'j>(judgement: &'j DetectionState, by: By, name: &str) -> Option<&'j Alarm> {
    let names = &judgement.names;
    let is_it = |alarm: &&Alarm| {
        let member = |id: Id| names.service(id) == name;
        match (by, alarm.scope) {
            (By::Service, Scope::Service(id)) => member(id) || alarm.members.iter().any(|one| member(one.service)),
            (By::Service, _) => alarm.members.iter().any(|one| member(one.service)),
            (By::Relay, Scope::Relay(id) | Scope::Host(id)) => names.host(id) == name,
            (By::Relay, _) => alarm
                .cause
                .as_ref()
                .is_some_and(|cause| names.host(cause.relay) == name),
            (By::Hostgroup, Scope::Hostgroup(id)) => names.hostgroup(id) == name,
            (By::Hostgroup | By::Kind, _) => false,
        }
    };
    judgement.firing().into_iter().find(is_it)
}

/// Names that alarms are about.
fn alarmed(judgement: &DetectionState, by: By) -> Vec<String> {
    let names = &judgement.names;
    let firing = judgement.firing();
    let of = |alarm: &&Alarm| match (by, alarm.scope) {
        (By::Service, Scope::Service(id)) => vec![names.service(id).to_owned()],
        (By::Service, _) => alarm
            .members
            .iter()
            .map(|member| names.service(member.service).to_owned())
            .collect(),
        (By::Hostgroup, Scope::Hostgroup(id)) => vec![names.hostgroup(id).to_owned()],
        _ => Vec::new(),
    };
    firing.iter().flat_map(of).collect()
}

/// The minute of each name's last mail, UTC milliseconds.
fn last_mail(store: &dyn MailHistory, by: By, window: Window) -> Result<BTreeMap<String, UtcMs>, QueryError> {
    let column = by.column();
    let sql = format!(
        "SELECT {column}, MAX(ts_ms) AS last FROM rates WHERE kind = 'accepted' AND messages > 0 AND {} GROUP BY {column}",
        DirectionView::default().condition()
    );
    let table = store.add_up(&sql, window, SumsOf::RatesAndNewest)?;
    let last = table.columns.get(1).map(|column| &column.values);
    let mut all = BTreeMap::new();
    for row in 0..table.rows() {
        let ms = match last {
            Some(Values::Int(values)) => values.get(row).copied().flatten(),
            _ => None,
        };
        if let Some(ms) = ms {
            all.insert(table.text(0, row).to_owned(), UtcMs::new(ms));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_means_up_to_the_end_and_gaps_stay_gaps() {
        let points = (0..120).map(|n| (n >= 30).then_some(if n >= 60 { 2.0 } else { 1.0 }));
        let minutes = SeriesSet {
            start_ms: UtcMs::EPOCH,
            step_ms: MINUTE_MS,
            series: vec![Series {
                name: "x".to_owned(),
                points: points.collect(),
                expected: None,
            }],
            ..SeriesSet::default()
        };
        let day = folded(&minutes, 8, 15, UtcMs::new(120 * MINUTE_MS));
        assert_eq!(day.start_ms, UtcMs::EPOCH);
        let expected = [
            None,
            None,
            Some(1.0),
            Some(1.0),
            Some(2.0),
            Some(2.0),
            Some(2.0),
            Some(2.0),
        ];
        assert_eq!(day.series[0].points, expected);
        let hour = folded(&minutes, 1, 60, UtcMs::new(120 * MINUTE_MS));
        assert_eq!(
            (hour.start_ms, hour.series[0].points.as_slice()),
            (UtcMs::new(60 * MINUTE_MS), &[Some(2.0)][..])
        );
    }
}

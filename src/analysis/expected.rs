//! What a graph shows beside what came: the range that the detection expected, as known before each minute, and the alarms.

use crate::analysis::expected_ranges::{BucketGrid, ExpectedRanges, STEP_MS_MIN};
use crate::analysis::kept::Kept;
use crate::analysis::present::{Replay, ReplayedHistory, so_far};
use crate::detect::alarm::{Alarm, Scope};
use crate::detect::engine::Options;
use crate::detect::fleet::{FleetMinute, Id, Names};
use crate::detect::forecast::Expected;
use crate::detect::routes::Routes;
use crate::model::time::{DAY_MS, MINUTE_MS, Minute, UtcMs};
use crate::query::Window;
use crate::query::history::MailHistory;
use crate::query::rates::{By, RateQuestion};
use crate::query::series::{GraphMark, MarkKind, SeriesSet};
use anyhow::Result;

/// Rates, and the question that they answer.
#[derive(Debug)]
pub struct Picture<'p> {
    /// The question.
    pub question: &'p RateQuestion,
    /// The answer; it gets the expected ranges.
    pub set: &'p mut SeriesSet,
}

/// One series' expectation by bucket.
struct Target {
    picture: usize,
    series: usize,
    scope: Scope,
    buckets: Vec<Option<Expected>>,
}

/// Draws ranges and alarms into pictures by one replay of the history; the marks of each picture.
pub fn draw_in(
    store: &dyn MailHistory,
    kept: &Kept,
    options: Options,
    pictures: &mut [Picture<'_>],
    now_ms: UtcMs,
) -> Result<Vec<Vec<GraphMark>>> {
    let windows = || pictures.iter().map(|picture| picture.question.window);
    let from = windows().map(|window| window.since_ms).min();
    let until = windows().map(|window| window.until_ms).max();
    let Some(span) = from.zip(until) else {
        return Ok(Vec::new());
    };
    let (targets, history) = expectations(Replay::begin(store, kept, options, span, now_ms)?, pictures)?;
    for target in targets {
        let picture = target.picture;
        target.put(&mut *pictures[picture].set);
    }
    Ok(pictures
        .iter()
        .map(|picture| marks(picture.question, picture.set, &history))
        .collect())
}

/// Buckets of which an expectation is worth a replay of their own beside what is written down.
const REPLAYED_MS_MAX: i64 = 2 * DAY_MS;

/// Draws ranges and alarms into one picture: of weeks from what a watcher has written down, if that reaches.
///
/// # Errors
/// The history cannot be read.
pub fn draw(
    store: &dyn MailHistory,
    kept: &Kept,
    options: Options,
    picture: Picture<'_>,
    now_ms: UtcMs,
) -> Result<Vec<GraphMark>> {
    let ranges = ExpectedRanges::default();
    if let Some(over) = buckets_over(store, &picture, now_ms)? {
        let missing = ranges.missing(store, (kept, &options), over)?;
        // Where nothing is written down, one replay is less than two.
        let is_less = |(from, until): (UtcMs, UtcMs)| from > over.1 && until - from <= REPLAYED_MS_MAX;
        if missing.is_none_or(is_less) {
            return draw_from(store, (kept, &ranges), options, picture, now_ms);
        }
    }
    Ok(draw_in(store, kept, options, &mut [picture], now_ms)?.concat())
}

/// The buckets of a picture that are over: their grid, the beginning of the first, and the end of the last. None of a picture that
/// does not begin with a bucket, and of one with shorter buckets than [`STEP_MS_MIN`].
fn buckets_over(
    store: &dyn MailHistory,
    Picture { question, set }: &Picture<'_>,
    now_ms: UtcMs,
) -> Result<Option<(BucketGrid, UtcMs, UtcMs)>> {
    let start_ms = set.start_ms;
    if set.step_ms < STEP_MS_MIN || question.window.since_ms != start_ms {
        return Ok(None);
    }
    let grid = BucketGrid::of(set.step_ms, start_ms);
    let until_ms = so_far(store, now_ms)?.until_ms.min(question.window.until_ms);
    Ok(Some((grid, start_ms, grid.start(until_ms).max(start_ms))))
}

/// Draws ranges and alarms into a picture. What was expected of buckets that are over comes from `ranges`, and only what they do not
/// reach is replayed. A picture that does not begin with a bucket, and one of shorter buckets than [`STEP_MS_MIN`], are drawn as
/// others are.
///
/// # Errors
/// The history cannot be read.
pub fn draw_from(
    store: &dyn MailHistory,
    (kept, ranges): (&Kept, &ExpectedRanges),
    options: Options,
    picture: Picture<'_>,
    now_ms: UtcMs,
) -> Result<Vec<GraphMark>> {
    let Some((grid, start_ms, over_ms)) = buckets_over(store, &picture, now_ms)? else {
        return Ok(draw_in(store, kept, options, &mut [picture], now_ms)?.concat());
    };
    let Picture { question, set } = picture;
    let until_ms = question.window.until_ms;
    ranges.fill(store, (kept, &options), (grid, start_ms, over_ms), now_ms)?;
    let rest = RateQuestion {
        window: Window {
            since_ms: over_ms,
            until_ms,
        },
        ..question.clone()
    };
    let pictures = [Picture { question: &rest, set }];
    let history = Replay::begin(store, kept, options, (over_ms, until_ms), now_ms)?;
    let (targets, history) = expectations(history, &pictures)?;
    let [Picture { set, .. }] = pictures;
    for mut target in targets {
        let scope = target.scope.named(&history.names);
        let over = grid.starts(start_ms, over_ms);
        for (bucket, start_ms) in target.buckets.iter_mut().zip(over) {
            *bucket = ranges.expected(grid, start_ms, scope);
        }
        target.put(set);
    }
    Ok(marks(question, set, &history))
}

impl Target {
    /// Draws the ranges of its buckets.
    fn put(self, set: &mut SeriesSet) {
        let per_minute = MINUTE_MS as f64 / set.step_ms as f64;
        let range = |sum: &Expected| {
            let (low, high) = sum.range();
            (low * per_minute, high * per_minute)
        };
        if self.buckets.iter().any(Option::is_some) {
            let ranges = self.buckets.iter().map(|bucket| bucket.as_ref().map(range));
            set.series[self.series].expected = Some(ranges.collect());
        }
    }
}

/// The alarms of a picture's time that concern what it shows.
fn marks(question: &RateQuestion, set: &SeriesSet, history: &ReplayedHistory) -> Vec<GraphMark> {
    let (from, to) = (question.window.since_ms.minute(), question.window.until_ms.minute());
    let inside = |alarm: &&Alarm| alarm.onset <= to && alarm.ended.is_none_or(|ended| ended > from);
    let told = history.engine.groups.told().filter(inside);
    let concerned = Concerned {
        question,
        drawn: set.series.iter().map(|series| series.name.as_str()).collect(),
        names: &history.names,
        routes: &history.engine.routes,
    };
    told.filter_map(|alarm| concerned.mark(alarm)).collect()
}

/// A share of its mail from which a service is said to use a relay.
const USED: f64 = 0.1;

/// Which series of a picture an alarm concerns.
struct Concerned<'a> {
    question: &'a RateQuestion,
    /// Names of the series in the picture.
    drawn: Vec<&'a str>,
    names: &'a Names,
    /// Ways of the mail, as of the end of the replay.
    routes: &'a Routes,
}

impl Concerned<'_> {
    /// The alarm as a mark on the series that it concerns; `None` if that is none of the picture's.
    fn mark(&self, alarm: &Alarm) -> Option<GraphMark> {
        let (_, name) = alarm.scope.named(self.names);
        let series = self.series(alarm)?;
        Some(GraphMark {
            from_ms: alarm.onset.start(),
            to_ms: alarm.ended.map(Minute::start),
            label: format!("{name} {}", alarm.state.as_str()),
            series,
            kind: MarkKind::Alarm,
        })
    }

    /// Names of the series; an inner `None` for all, an outer one for none.
    #[expect(clippy::option_option, reason = "a mark has `None` for all")]
    fn series(&self, alarm: &Alarm) -> Option<Option<Vec<String>>> {
        let of_service = self.question.service.as_deref();
        if of_service.is_some_and(|service| !self.concerns(alarm, service)) {
            return None;
        }
        let only = |concerns: &dyn Fn(&str) -> bool| {
            let names: Vec<String> = self
                .drawn
                .iter()
                .filter(|name| concerns(name))
                .map(|name| (*name).to_owned())
                .collect();
            (!names.is_empty()).then_some(Some(names))
        };
        let (kind, scope) = alarm.scope.named(self.names);
        match (self.question.by, kind) {
            (By::Kind, _) => Some(None),
            (By::Service, _) => only(&|name| self.concerns(alarm, name)),
            (By::Relay, "relay" | "host") => only(&|name| name == scope),
            (By::Relay, _) => match &alarm.cause {
                Some(cause) => only(&|name| name == self.names.host(cause.relay)),
                None => of_service.map(|_| None),
            },
            (By::Hostgroup, "hostgroup") => only(&|name| name == scope),
            (By::Hostgroup, "relay" | "host") => Some(None),
            (By::Hostgroup, _) => of_service.map(|_| None),
        }
    }

    /// Whether it is about the service, names it, or is about a relay that carries its mail.
    fn concerns(&self, alarm: &Alarm, service: &str) -> bool {
        let is_member = |id: Id| alarm.members.iter().any(|member| member.service == id);
        let Some(id) = id_of(&self.names.services, service) else {
            return false;
        };
        match alarm.scope {
            Scope::Service(own) => own == id || is_member(id),
            Scope::Fleet | Scope::Hostgroup(_) | Scope::Provider(_) => is_member(id),
            // Who went another way is not what it is about.
            Scope::Relay(_) if !alarm.members.is_empty() => is_member(id),
            Scope::Relay(host) | Scope::Host(host) => is_member(id) || self.routes.share(id, host) >= USED,
        }
    }
}

/// The number of a name of the detection's.
pub(super) fn id_of(all: &[String], name: &str) -> Option<Id> {
    all.iter().position(|one| one == name).map(|id| id as Id)
}

/// What was expected in the time of the pictures, and the history at the end of the replay.
fn expectations(mut history: Replay<'_>, pictures: &[Picture<'_>]) -> Result<(Vec<Target>, ReplayedHistory)> {
    let mut targets = targets(pictures, history.names());
    while let Some(minutes) = history.next_part()? {
        replay(&mut history, &minutes, pictures, &mut targets);
    }
    Ok((targets, history.finish()?))
}

fn replay(history: &mut Replay<'_>, minutes: &[FleetMinute], pictures: &[Picture<'_>], targets: &mut [Target]) {
    for minute in minutes {
        let at_ms = minute.at.start();
        for target in targets.iter_mut() {
            let Picture { question, set } = &pictures[target.picture];
            if at_ms < question.window.since_ms || at_ms >= question.window.until_ms {
                continue;
            }
            let at = (at_ms - set.start_ms).div_euclid(set.step_ms);
            let bucket = usize::try_from(at).ok().and_then(|at| target.buckets.get_mut(at));
            let forecast = history
                .engine
                .forecast(minute.at, target.scope, set.step_ms / MINUTE_MS);
            if let (Some(bucket), Some(forecast)) = (bucket, forecast) {
                bucket.get_or_insert_default().add(forecast);
            }
        }
        history.step(minute);
    }
}

/// The series that the detection has an expectation of: accepted messages of services, hostgroups and relays.
fn targets(pictures: &[Picture<'_>], names: &Names) -> Vec<Target> {
    let mut targets = Vec::new();
    for (at, Picture { question, set }) in pictures.iter().enumerate() {
        if question.measure != "messages" || question.destination.is_some() {
            continue;
        }
        for (series, one) in set.series.iter().enumerate() {
            if let Some(scope) = scope(question, &one.name, names) {
                targets.push(Target {
                    picture: at,
                    series,
                    scope,
                    buckets: vec![None; one.points.len()],
                });
            }
        }
    }
    targets
}

fn scope(question: &RateQuestion, name: &str, names: &Names) -> Option<Scope> {
    let kind = question.kind.as_deref();
    match (question.by, &question.service) {
        (By::Service, _) if kind == Some("accepted") => id_of(&names.services, name).map(Scope::Service),
        (By::Hostgroup, None) if kind == Some("accepted") => id_of(&names.hostgroups, name).map(Scope::Hostgroup),
        (By::Relay, None) if kind == Some("accepted") => id_of(&names.hosts, name).map(Scope::Relay),
        // All kinds of one service's mail: what was accepted of it is what is expected.
        (By::Kind, Some(service)) if name == "accepted" => id_of(&names.services, service).map(Scope::Service),
        _ => None,
    }
}

//! What a graph shows beside what came: the range that the detection expected, as known before each minute, and the alarms.

use super::detect::{self, MINUTE_MS, RuleArgs};
use super::window::so_far;
use crate::config::Config;
use crate::detect::alarm::{Alarm, Scope};
use crate::detect::engine::Engine;
use crate::detect::fleet::{Fleet, Id, Names};
use crate::detect::forecast::Expected;
use crate::query::Window;
use crate::query::fleet::fleet;
use crate::query::history::History;
use crate::query::rates::{By, RateQuestion};
use crate::query::series::{Mark, SeriesSet};
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
pub fn draw_in(store: &dyn History, config: &Config, pictures: &mut [Picture<'_>]) -> Result<Vec<Vec<Mark>>> {
    let until = pictures.iter().map(|picture| picture.question.window.until_ms).max();
    let Some(until_ms) = until else { return Ok(Vec::new()) };
    let so_far = so_far(store)?;
    let fleet = fleet(
        store,
        Window {
            until_ms: until_ms.min(so_far.until_ms),
            ..so_far
        },
    )?;
    let mut engine = Engine::new(detect::options(config, &RuleArgs::default())?);
    let mut targets = targets(pictures, &fleet.names);
    replay(&mut engine, &fleet, pictures, &mut targets);
    for target in targets {
        let set = &mut *pictures[target.picture].set;
        let per_minute = MINUTE_MS as f64 / set.step_ms as f64;
        let range = |sum: &Expected| {
            let (low, high) = sum.range();
            (low * per_minute, high * per_minute)
        };
        if target.buckets.iter().any(Option::is_some) {
            let ranges = target.buckets.iter().map(|bucket| bucket.as_ref().map(range));
            set.series[target.series].expected = Some(ranges.collect());
        }
    }
    let marks = |picture: &Picture<'_>| {
        let window = picture.question.window;
        let (from, to) = (
            window.since_ms.div_euclid(MINUTE_MS),
            window.until_ms.div_euclid(MINUTE_MS),
        );
        let inside = |alarm: &&Alarm| alarm.onset <= to && alarm.ended.is_none_or(|ended| ended > from);
        detect::marks(engine.groups.told().filter(inside), &fleet.names)
    };
    Ok(pictures.iter().map(marks).collect())
}

fn replay(engine: &mut Engine, fleet: &Fleet, pictures: &[Picture<'_>], targets: &mut [Target]) {
    for minute in &fleet.minutes {
        let ms = minute.at * MINUTE_MS;
        for target in targets.iter_mut() {
            let Picture { question, set } = &pictures[target.picture];
            if ms < question.window.since_ms || ms >= question.window.until_ms {
                continue;
            }
            let at = (ms - set.start_ms).div_euclid(set.step_ms);
            let bucket = usize::try_from(at).ok().and_then(|at| target.buckets.get_mut(at));
            let forecast = engine.forecast(minute.at, target.scope, set.step_ms / MINUTE_MS);
            if let (Some(bucket), Some(forecast)) = (bucket, forecast) {
                bucket.get_or_insert_default().add(forecast);
            }
        }
        engine.step(&fleet.names, minute);
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
    let id = |all: &[String], name: &str| all.iter().position(|one| one == name).map(|id| id as Id);
    let kind = question.kind.as_deref();
    match (question.by, &question.service) {
        (By::Service, _) if kind == Some("accepted") => id(&names.services, name).map(Scope::Service),
        (By::Hostgroup, None) if kind == Some("accepted") => id(&names.hostgroups, name).map(Scope::Hostgroup),
        (By::Relay, None) if kind == Some("accepted") => id(&names.hosts, name).map(Scope::Relay),
        // All kinds of one service's mail: what was accepted of it is what is expected.
        (By::Kind, Some(service)) if name == "accepted" => id(&names.services, service).map(Scope::Service),
        _ => None,
    }
}

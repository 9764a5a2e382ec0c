//! What an outage did to each service: lost, delayed, rerouted, or nothing, judged by what was known at its end.

mod by_id;
mod replies;
pub mod report;

use self::replies::{Replies, replies};
use super::completeness::Completeness;
use super::pending::{queued, tellers, tried};
use super::present::{Replay, fleet_until};
use crate::analysis::kept::Kept;
use crate::detect::alarm::{Alarm, Cause, Scope, State};
use crate::detect::engine::{Engine, Options};
use crate::detect::fleet::{Fleet, Id};
use crate::detect::group::Groups;
use crate::detect::impact::{ServiceImpact, assess, telling, watched};
use crate::detect::impact_question::{ImpactQuestion, Masked};
use crate::detect::rhythm::Rhythms;
use crate::detect::routes::Routes;
use crate::model::time::MINUTE_MS;
use crate::query::Window;
use crate::query::history::MailHistory;
use anyhow::Result;
use std::collections::BTreeMap;

/// An outage, judged.
#[derive(Debug)]
pub struct Incident {
    /// What was asked, UTC milliseconds.
    pub window: Window,
    /// What was found.
    pub judged: Judged,
    /// All minutes.
    pub fleet: Fleet,
    /// From when on volume alarms are complete.
    pub complete: Completeness,
}

/// A window, judged.
#[derive(Debug)]
pub struct Judged {
    /// The relay, if it was one.
    pub cause: Option<Cause>,
    /// Alarms that overlap the window.
    pub alarms: Vec<Alarm>,
    /// Services, most missing first.
    pub services: Vec<ServiceImpact>,
    /// Ways of the mail before it.
    pub routes: Routes,
    /// What the remote sides said most often, by what an alarm or an impact is about.
    pub replies: Replies,
}

/// Minutes that are read beyond `--until`: the most that a recovery is watched, to see whether the trouble was over.
const HINDSIGHT: i64 = 240;
/// A trouble that ends so many minutes after `--until` is the one that was meant, and its recovery belongs to it.
const MEANT: i64 = 10;
/// After so many minutes an alarm is no exception any more, and what came meanwhile is learnt.
const ACCEPTED: i64 = 5 * 1440;
/// From this share on what happens to a relay or a hostgroup happens to a service.
const PART: f64 = 0.05;

/// By what an incident is named.
#[derive(Debug, Clone)]
pub enum Asked {
    /// A stretch of time.
    Window(Window),
    /// An alarm's id or number.
    Alarm(String),
}

/// Replays the detection, and judges all services by what was known at the window's end: while the trouble lasts by nothing
/// later; where the window ends with it, with the recovery.
pub fn judge(store: &dyn MailHistory, kept: &Kept, options: Options, asked: Asked, now_ms: i64) -> Result<Incident> {
    let rhythms = options.rhythms.clone();
    let (known_ms, until_ms) = match &asked {
        Asked::Window(window) => (window.until_ms, window.until_ms.saturating_add(HINDSIGHT * MINUTE_MS)),
        Asked::Alarm(_) => (i64::MAX, i64::MAX),
    };
    let history = Replay::begin(store, kept, options, (known_ms, until_ms), now_ms)?;
    let (mut engine, from, names) = history.into_parts();
    let mut fleet = fleet_until(store, until_ms, now_ms, &names)?;
    let (window, groups, complete) = match asked {
        Asked::Window(window) => {
            let (groups, complete) = known(&mut fleet, (engine, from), window);
            (window, groups, complete)
        }
        Asked::Alarm(id) => {
            for minute in fleet.between(from, i64::MAX) {
                engine.step(&fleet.names, minute);
            }
            let complete = Completeness::of(&engine);
            (by_id::of_alarm(&engine.groups, &id, &fleet)?, engine.groups, complete)
        }
    };
    let judged = judge_window(store, &fleet, &groups, &rhythms, window)?;
    Ok(Incident {
        window,
        judged,
        fleet,
        complete,
    })
}

/// The alarms as they were known at a window's end. Of what came later the fleet keeps the recovery, if the window ends
/// with the trouble.
fn known(fleet: &mut Fleet, (mut engine, judged): (Engine, i64), window: Window) -> (Groups, Completeness) {
    let (from, until) = (window.since_ms.div_euclid(MINUTE_MS), ceiling(window.until_ms));
    for minute in fleet.between(judged, until) {
        engine.step(&fleet.names, minute);
    }
    let mut groups = engine.groups.clone();
    let complete = Completeness::of(&engine);
    for minute in fleet.between(until, i64::MAX) {
        engine.step(&fleet.names, minute);
    }
    groups.learn_ends(&engine.groups, until + MEANT);
    let about = about_mail(&groups, from, until);
    let end = match cause_of(&about, from, until) {
        Some(cause) => Some(cause.silent_to),
        None => about
            .iter()
            .map(|alarm| alarm.ended)
            .max_by_key(|ended| ended.unwrap_or(i64::MAX)),
    };
    let is_meant = match end {
        // Without an alarm the window says what is meant.
        None => true,
        Some(end) => end.is_some_and(|end| end >= until - MEANT),
    };
    if !is_meant {
        fleet.end(until);
    }
    (groups, complete)
}

/// Alarms about mail that overlap a window.
fn about_mail(groups: &Groups, from: i64, to: i64) -> Vec<&Alarm> {
    let all = groups.told().filter(|alarm| alarm.overlaps(from, to));
    all.filter(|alarm| alarm.state.is_about_mail()).collect()
}

/// The relay that stood still for most of a window.
fn cause_of(alarms: &[&Alarm], from: i64, to: i64) -> Option<Cause> {
    let shared = |cause: &&Cause| cause.silent_to.unwrap_or(to).min(to) - cause.silent_from.max(from);
    let causes = alarms.iter().filter_map(|alarm| alarm.cause.as_ref());
    causes.max_by_key(shared).cloned()
}

/// Judges all services in a window of a fleet that was replayed.
pub fn judge_window(
    store: &dyn MailHistory,
    fleet: &Fleet,
    groups: &Groups,
    rhythms: &Rhythms,
    window: Window,
) -> Result<Judged> {
    let (from, to) = (window.since_ms.div_euclid(MINUTE_MS), ceiling(window.until_ms));
    let overlaps = |alarm: &&Alarm| alarm.overlaps(from, to);
    let alarms: Vec<Alarm> = groups.told().filter(overlaps).cloned().collect();
    let cause = cause_of(&about_mail(groups, from, to), from, to);
    // Within the window, the time for which the relay was silent is what counts.
    let from = cause.as_ref().map_or(from, |cause| cause.silent_from.max(from));
    let to = cause
        .as_ref()
        .and_then(|cause| cause.silent_to)
        .map_or(to, |end| end.min(to).max(from + 1));
    let mut routes = Routes::default();
    for minute in fleet.between(i64::MIN, from) {
        routes.add(minute.at, &minute.flows);
    }
    let known = fleet.span().1.min(to + watched(from, to)).max(to) * MINUTE_MS;
    let silent = Window {
        since_ms: from * MINUTE_MS,
        until_ms: to * MINUTE_MS,
    };
    let queued = queued(store, silent, known, &fleet.names)?;
    let so_far = Window {
        until_ms: known,
        ..silent
    };
    let question = ImpactQuestion {
        from,
        to,
        relay: cause.as_ref().map(|cause| cause.relay),
        // What fails or is put off is as much as always.
        masked: masked(
            groups
                .told()
                .filter(|alarm| alarm.onset < from && !alarm.state.is_of_outcomes()),
            &routes,
        ),
        queued: queued.late,
        held: queued.held,
        tried: tried(store, so_far, &fleet.names)?,
        tells: heard(store, fleet, &alarms, silent)?,
        alarmed: named(alarms.iter().filter(|alarm| alarm.state.is_about_mail())),
        stuck: named(alarms.iter().filter(|alarm| alarm.state == State::Stuck)),
        failing: named(alarms.iter().filter(|alarm| alarm.state == State::Failing)),
        rhythms: rhythms.clone(),
    };
    let services = assess(fleet, &question);
    let replies = replies(store, fleet, &alarms, &services, silent)?;
    Ok(Judged {
        replies,
        cause,
        alarms,
        services,
        routes,
    })
}

/// By service, the minutes of earlier alarms about its mail, or about a log that tells of it.
fn masked<'a>(alarms: impl Iterator<Item = &'a Alarm>, routes: &Routes) -> BTreeMap<Id, Vec<Masked>> {
    let mut masked: BTreeMap<Id, Vec<Masked>> = BTreeMap::new();
    for alarm in alarms {
        let seen = alarm.state.is_about_mail();
        let ended = alarm.ended.unwrap_or(i64::MAX);
        let span = Masked {
            from: alarm.onset,
            to: if seen { ended.min(alarm.onset + ACCEPTED) } else { ended },
            seen,
        };
        let mut about = named(std::iter::once(alarm));
        match alarm.scope {
            Scope::Relay(host) | Scope::Host(host) => about.extend(routes.through(host, PART)),
            Scope::Hostgroup(group) => {
                let parts = routes.parts_of_group(group).map(|(service, _)| service);
                about.extend(parts.filter(|service| routes.group_share(*service, group) >= PART));
            }
            Scope::Fleet | Scope::Service(_) | Scope::Provider(_) => {}
        }
        about.sort_unstable();
        about.dedup();
        for service in about {
            masked.entry(service).or_default().push(span);
        }
    }
    masked
}

/// Services whose applications' logs were read meanwhile: not on hosts whose logs are known not to have come.
fn heard(store: &dyn MailHistory, fleet: &Fleet, alarms: &[Alarm], window: Window) -> Result<Vec<Id>> {
    let mut tells = telling(fleet);
    let deaf: Vec<Id> = alarms
        .iter()
        .filter(|alarm| !alarm.state.is_about_mail())
        .filter_map(|alarm| match alarm.scope {
            Scope::Host(host) => Some(host),
            _ => None,
        })
        .collect();
    if !deaf.is_empty() {
        let before = Window {
            until_ms: window.until_ms,
            ..Window::ALL
        };
        let hosts = tellers(store, before, &fleet.names)?;
        let is_deaf = |service: &Id| {
            hosts
                .get(service)
                .is_some_and(|on| on.iter().all(|host| deaf.contains(host)))
        };
        tells.retain(|service| !is_deaf(service));
    }
    Ok(tells)
}

/// Services that alarms name.
fn named<'a>(alarms: impl Iterator<Item = &'a Alarm>) -> Vec<Id> {
    let about = alarms.flat_map(|alarm| {
        let own = match alarm.scope {
            Scope::Service(service) => Some(service),
            _ => None,
        };
        own.into_iter().chain(alarm.members.iter().map(|member| member.service))
    });
    about.collect()
}

fn ceiling(ms: i64) -> i64 {
    ms.saturating_add(MINUTE_MS - 1).div_euclid(MINUTE_MS)
}

impl std::ops::Deref for Incident {
    type Target = Judged;

    fn deref(&self) -> &Judged {
        &self.judged
    }
}

impl Judged {
    /// Services that had no way but one relay, with that relay, and whether they were hurt.
    pub fn hanging(&self) -> Vec<(Id, Id)> {
        let services = self.services.iter().map(|one| one.service);
        let only = services.filter_map(|service| {
            let (host, share) = self.routes.of(service).first().copied()?;
            (share >= crate::detect::routes::ONLY).then_some((service, host))
        });
        only.collect()
    }

    /// First alarm, as minutes since 1970.
    pub fn first_alarm(&self) -> Option<i64> {
        self.alarms.iter().map(|alarm| alarm.detected).min()
    }
}

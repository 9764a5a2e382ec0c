//! What an outage did to each service: lost, delayed, rerouted, or nothing, judged by what was known at its end.

mod by_id;
pub(crate) mod messages;
mod replies;
pub(crate) mod report;

pub(crate) use self::replies::reply_until_found;
use self::replies::{Replies, replies};
use super::completeness::Completeness;
use super::pending::{queued, tellers, tried};
use super::present::{Replay, minutes_until};
use crate::analysis::kept::Kept;
use crate::analysis::mail_history::{PastMail, PastWays};
use crate::detect::alarm::{Alarm, Cause, Scope, State};
use crate::detect::engine::Options;
use crate::detect::fleet::{Id, Names};
use crate::detect::group::Groups;
use crate::detect::impact::{Assessment, ServiceImpact, watched};
use crate::detect::impact_question::{ImpactQuestion, Masked};
use crate::detect::rhythm::Rhythms;
use crate::detect::routes::Routes;
use crate::model::time::{MINUTE_MS, Minute, UtcMs};
use crate::planned::Planned;
use crate::query::Window;
use crate::query::history::MailHistory;
use anyhow::Result;
use std::collections::BTreeMap;

/// An outage, judged.
#[derive(Debug)]
pub(crate) struct Incident {
    /// What was asked, UTC milliseconds.
    pub window: Window,
    /// What was found.
    pub judged: Judged,
    /// Names of what was found.
    pub names: Names,
    /// The minute after the last that was looked at.
    pub end: Minute,
    /// From when on volume alarms are complete.
    pub complete: Completeness,
    /// Planned work: the timeline has it.
    pub planned: Planned,
}

/// A window, judged.
#[derive(Debug)]
pub(crate) struct Judged {
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
    /// First minute of the trouble, and the one after its recovery, as far as that was looked at.
    pub span: (Minute, Minute),
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
pub(crate) enum Asked {
    /// A stretch of time.
    Window(Window),
    /// An alarm's id or number.
    Alarm(String),
}

/// Replays the detection, and judges all services by what was known at the window's end: while the trouble lasts by nothing
/// later; where the window ends with it, with the recovery.
pub(crate) fn judge(
    store: &dyn MailHistory,
    kept: &Kept,
    options: Options,
    asked: Asked,
    now_ms: UtcMs,
) -> Result<Incident> {
    let rhythms = options.rhythms.clone();
    let (known_ms, until_ms) = match &asked {
        Asked::Window(window) => (window.until_ms, window.until_ms.saturating_add(HINDSIGHT * MINUTE_MS)),
        Asked::Alarm(_) => (UtcMs::MAX, UtcMs::MAX),
    };
    let mut history = Replay::begin(store, kept, options, (known_ms, until_ms), now_ms)?;
    let (first, end) = minutes_until(store, until_ms, now_ms)?;
    let (window, known) = match asked {
        Asked::Window(window) => (window, known(history, window, end)?),
        Asked::Alarm(id) => {
            while let Some(minutes) = history.next_part()? {
                minutes.iter().for_each(|minute| history.step(minute));
            }
            let window = by_id::of_alarm(&history.engine.groups, &id, history.names(), end)?;
            let known = KnownAtEnd {
                complete: Completeness::of(&history.engine),
                names: history.names().clone(),
                groups: history.engine.groups,
                end,
            };
            (window, known)
        }
    };
    let mut past = PastMail::open(store, known.names, (first, known.end))?;
    let judged = judge_window(&mut past, &known.groups, &rhythms, window)?;
    Ok(Incident {
        window,
        judged,
        names: past.names,
        end: known.end,
        complete: known.complete,
        planned: Planned::default(),
    })
}

/// What was known at a window's end.
struct KnownAtEnd {
    groups: Groups,
    complete: Completeness,
    names: Names,
    /// The minute after the last that is looked at.
    end: Minute,
}

/// The alarms as they were known at a window's end, and the minute after the last of the history's that counts, of which `end` is
/// the end: if the window ends with the trouble, the recovery is looked at as well.
fn known(mut history: Replay<'_>, window: Window, end: Minute) -> Result<KnownAtEnd> {
    let (from, until) = (window.since_ms.minute(), ceiling(window.until_ms));
    let mut at_until = None;
    while let Some(minutes) = history.next_part()? {
        for minute in &minutes {
            if minute.at >= until && at_until.is_none() {
                at_until = Some((history.engine.groups.clone(), Completeness::of(&history.engine)));
            }
            history.step(minute);
        }
    }
    let names = history.names().clone();
    let engine = history.engine;
    let (mut groups, complete) = at_until.unwrap_or_else(|| (engine.groups.clone(), Completeness::of(&engine)));
    groups.learn_ends(&engine.groups, until + MEANT);
    let about = about_mail(&groups, from, until);
    let over = match cause_of(&about, from, until) {
        Some(cause) => Some(cause.silent_to),
        None => about
            .iter()
            .map(|alarm| alarm.ended)
            .max_by_key(|ended| ended.unwrap_or(Minute::MAX)),
    };
    let is_meant = match over {
        // Without an alarm the window says what is meant.
        None => true,
        Some(over) => over.is_some_and(|over| over >= until - MEANT),
    };
    Ok(KnownAtEnd {
        groups,
        complete,
        names,
        end: if is_meant { end } else { end.min(until) },
    })
}

/// Alarms about mail that overlap a window.
fn about_mail(groups: &Groups, from: Minute, to: Minute) -> Vec<&Alarm> {
    let all = groups.told().filter(|alarm| alarm.overlaps(from, to));
    all.filter(|alarm| alarm.state.is_about_mail()).collect()
}

/// The relay that stood still for most of a window.
fn cause_of(alarms: &[&Alarm], from: Minute, to: Minute) -> Option<Cause> {
    let shared = |cause: &&Cause| cause.silent_to.unwrap_or(to).min(to) - cause.silent_from.max(from);
    let causes = alarms.iter().filter_map(|alarm| alarm.cause.as_ref());
    causes.max_by_key(shared).cloned()
}

/// Judges all services in a window of a history that was replayed.
pub(crate) fn judge_window(
    past: &mut PastMail<'_>,
    groups: &Groups,
    rhythms: &Rhythms,
    window: Window,
) -> Result<Judged> {
    let (from, to) = (window.since_ms.minute(), ceiling(window.until_ms));
    let overlaps = |alarm: &&Alarm| alarm.overlaps(from, to);
    let alarms: Vec<Alarm> = groups.told().filter(overlaps).cloned().collect();
    let cause = cause_of(&about_mail(groups, from, to), from, to);
    // Within the window, the time for which the relay was silent is what counts.
    let from = cause.as_ref().map_or(from, |cause| cause.silent_from.max(from));
    let to = cause
        .as_ref()
        .and_then(|cause| cause.silent_to)
        .map_or(to, |end| end.min(to).max(from + 1));
    let PastWays { routes, tells, copies } = past.ways(from)?;
    let known = past.span.1.min(to + watched(from, to)).max(to);
    let silent = Window {
        since_ms: from.start(),
        until_ms: to.start(),
    };
    let queued = queued(past.store, silent, known.start(), &past.names)?;
    let so_far = Window {
        until_ms: known.start(),
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
        tried: tried(past.store, so_far, &past.names)?,
        tells: heard(past, tells, &alarms, silent)?,
        alarmed: named(alarms.iter().filter(|alarm| alarm.state.is_about_mail())),
        stuck: named(alarms.iter().filter(|alarm| alarm.state == State::Stuck)),
        failing: named(alarms.iter().filter(|alarm| alarm.state == State::Failing)),
        rhythms: rhythms.clone(),
    };
    let mut assessment = Assessment::new(past.span.0, &question);
    assessment.take_copies_before(&copies);
    let until = Assessment::end(&question);
    past.show((from, to), until, &mut |names, part| assessment.take(names, part))?;
    let services = assessment.finish(&past.names);
    let replies = replies(past.store, &past.names, &alarms, &services, silent)?;
    Ok(Judged {
        replies,
        cause,
        alarms,
        services,
        routes,
        span: (from, known),
    })
}

/// By service, the minutes of earlier alarms about its mail, or about a log that tells of it.
fn masked<'a>(alarms: impl Iterator<Item = &'a Alarm>, routes: &Routes) -> BTreeMap<Id, Vec<Masked>> {
    let mut masked: BTreeMap<Id, Vec<Masked>> = BTreeMap::new();
    for alarm in alarms {
        let seen = alarm.state.is_about_mail();
        let ended = alarm.ended.unwrap_or(Minute::MAX);
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

/// Of services whose applications' logs tell of mail, those whose logs were read meanwhile: not on hosts whose logs are known not to have come.
fn heard(past: &PastMail<'_>, mut tells: Vec<Id>, alarms: &[Alarm], window: Window) -> Result<Vec<Id>> {
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
        let hosts = tellers(past.store, before, &past.names)?;
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

fn ceiling(at: UtcMs) -> Minute {
    at.saturating_add(MINUTE_MS - 1).minute()
}

impl std::ops::Deref for Incident {
    type Target = Judged;

    fn deref(&self) -> &Judged {
        &self.judged
    }
}

impl Judged {
    /// Services that had no way but one relay, with that relay, and whether they were hurt.
    pub(crate) fn hanging(&self) -> Vec<(Id, Id)> {
        let services = self.services.iter().map(|one| one.service);
        let only = services.filter_map(|service| {
            let (host, share) = self.routes.of(service).first().copied()?;
            (share >= crate::detect::routes::ONLY).then_some((service, host))
        });
        only.collect()
    }

    /// First alarm.
    pub(crate) fn first_alarm(&self) -> Option<Minute> {
        self.alarms.iter().map(|alarm| alarm.detected).min()
    }
}

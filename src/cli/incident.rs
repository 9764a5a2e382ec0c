//! `mailpulse incident`: what an outage did to each service, as data or as an incident page.

use super::context::Context;
use super::detect::{MINUTE_MS, RuleArgs, options};
use super::window::{WindowArgs, so_far};
use super::{incident_html, incident_page, output};
use crate::config::Config;
use crate::detect::alarm::{Alarm, Cause, Scope, State};
use crate::detect::engine::Engine;
use crate::detect::fleet::{Fleet, Id};
use crate::detect::group::Groups;
use crate::detect::impact::{Question, ServiceImpact, assess, telling, watched};
use crate::detect::rhythm::Rhythms;
use crate::detect::routes::Routes;
use crate::query::Window;
use crate::query::fleet::{fleet, late};
use crate::query::history::History;
use anyhow::{Result, anyhow};
use std::process::ExitCode;

/// Arguments of `incident`.
#[derive(Debug, clap::Args)]
pub struct IncidentArgs {
    #[command(flatten)]
    window: WindowArgs,
    /// Instead of a window: the alarm with this number in `detect --format json`
    #[arg(long, value_name = "ID", conflicts_with_all = ["since", "until"])]
    alarm: Option<usize>,
    #[command(flatten)]
    rules: RuleArgs,
    /// Form of the answer
    #[arg(long, value_enum, default_value = "markdown")]
    format: Form,
}

/// Forms of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// Data.
    Json,
    /// An incident page.
    Markdown,
    /// A page with graphs, in one file.
    Html,
}

/// An outage, judged.
#[derive(Debug)]
pub struct Incident {
    /// What was asked, UTC milliseconds.
    pub window: Window,
    /// What was found.
    pub judged: Judged,
    /// All minutes.
    pub fleet: Fleet,
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
}

/// Judges and tells. Exit code 1 if mail was lost or delayed.
pub fn run(context: &Context, args: &IncidentArgs) -> Result<ExitCode> {
    let engine = context.engine()?;
    let store = engine.history();
    let config = context.config()?;
    let asked = match args.alarm {
        Some(id) => Asked::Alarm(id),
        None => Asked::Window(args.window.resolve(store)?),
    };
    let incident = judge(store, &config, &args.rules, asked)?;
    match args.format {
        Form::Json => output::line(&serde_json::to_string_pretty(&incident_page::json(&incident))?)?,
        Form::Markdown => output::line(incident_page::markdown(&incident).trim_end())?,
        Form::Html => output::line(&incident_html::html(&incident, store, &config)?)?,
    }
    let hurt = incident_page::hurt(&incident).count();
    Ok(if hurt > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// By what an incident is named.
#[derive(Debug, Clone, Copy)]
pub enum Asked {
    /// A stretch of time.
    Window(Window),
    /// An alarm's number.
    Alarm(usize),
}

/// Replays the detection up to the end of the recovery, and judges all services.
pub fn judge(store: &dyn History, config: &Config, rules: &RuleArgs, asked: Asked) -> Result<Incident> {
    let fleet = fleet(store, so_far(store)?)?;
    let options = options(config, rules)?;
    let rhythms = options.rhythms.clone();
    let engine = Engine::replay(&fleet, options);
    let window = match asked {
        Asked::Window(window) => window,
        Asked::Alarm(id) => of_alarm(&engine, id, &fleet)?,
    };
    let judged = judge_window(store, &fleet, &engine.groups, &rhythms, window)?;
    Ok(Incident { window, judged, fleet })
}

/// Judges all services in a window of a fleet that was replayed.
pub fn judge_window(
    store: &dyn History,
    fleet: &Fleet,
    groups: &Groups,
    rhythms: &Rhythms,
    window: Window,
) -> Result<Judged> {
    let (from, to) = (window.since_ms.div_euclid(MINUTE_MS), ceiling(window.until_ms));
    let overlaps = |alarm: &&Alarm| alarm.onset < to && alarm.ended.is_none_or(|ended| ended > from);
    let alarms: Vec<Alarm> = groups.told().filter(overlaps).cloned().collect();
    let shared = |cause: &Cause| cause.silent_to.unwrap_or(to).min(to) - cause.silent_from.max(from);
    let cause = alarms.iter().filter(|alarm| alarm.state.is_about_mail());
    let cause = cause.filter_map(|alarm| alarm.cause.clone()).max_by_key(shared);
    // Within the window, the time for which the relay was silent is what counts.
    let from = cause.as_ref().map_or(from, |cause| cause.silent_from.max(from));
    let to = cause
        .as_ref()
        .and_then(|cause| cause.silent_to)
        .map_or(to, |end| end.min(to).max(from + 1));
    let earlier = groups.told().filter(|alarm| alarm.onset < from);
    let masked = earlier
        .map(|alarm| (alarm.onset, alarm.ended.unwrap_or(i64::MAX)))
        .collect();
    let until = (to + watched(from, to)) * MINUTE_MS;
    let silent = Window {
        since_ms: from * MINUTE_MS,
        until_ms: to * MINUTE_MS,
    };
    let question = Question {
        from,
        to,
        relay: cause.as_ref().map(|cause| cause.relay),
        masked,
        queued: late(store, silent, until, &fleet.names)?,
        tells: telling(fleet),
        alarmed: named(alarms.iter().filter(|alarm| alarm.state.is_about_mail())),
        stuck: named(alarms.iter().filter(|alarm| alarm.state == State::Stuck)),
        rhythms: rhythms.clone(),
    };
    let mut routes = Routes::default();
    for minute in fleet.between(i64::MIN, from) {
        routes.add(minute.at, &minute.flows);
    }
    let services = assess(fleet, &question);
    Ok(Judged {
        cause,
        alarms,
        services,
        routes,
    })
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

fn of_alarm(engine: &Engine, id: usize, fleet: &Fleet) -> Result<Window> {
    let alarm = engine
        .groups
        .alarms
        .get(id)
        .ok_or_else(|| anyhow!("--alarm {id}: there is no such alarm"))?;
    let until = alarm.ended.unwrap_or(fleet.span().1);
    Ok(Window {
        since_ms: alarm.onset * MINUTE_MS,
        until_ms: until.max(alarm.onset + 1) * MINUTE_MS,
    })
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

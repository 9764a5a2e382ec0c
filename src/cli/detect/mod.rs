//! `mailpulse detect`: what would have alarmed, and when, over the stored history. Causal: nothing that came later
//! speaks for an alarm.

mod counts;
mod csv;
mod explain;
mod findings;
mod rules;

pub(super) use rules::RuleArgs;

use super::output::{self, Format};
use super::window::{EVERYTHING, WindowArgs};
use crate::analysis::alarm_evidence::AlarmEvidence;
use crate::analysis::alarms::{alarm_json, counted, notice_id, ordered, rounded};
use crate::analysis::completeness::Completeness;
use crate::analysis::planned_work::{held, held_json, held_words};
use crate::analysis::present::{ReplayedHistory, replay, whole};
use crate::cli::direction::DirectionArgs;
use crate::clock::now_ms;
use crate::detect::alarm::Alarm;
use crate::detect::clock_change::ClockRule;
use crate::detect::fleet::Names;
use crate::model::human;
use crate::model::time::{MINUTE_MS, Minute};
use crate::planned::Planned;
use crate::query::viewed::ViewedHistory;
use crate::setup::Setup;
use crate::setup::detection::{kept, options};
use crate::setup::planned::planned;
use crate::store::columnar::{Table, Values};
use anyhow::Result;
use serde_json::Value;
use std::process::ExitCode;

/// Arguments of `detect`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 1 if there is an alarm that is not provisional.")]
pub(super) struct DetectArgs {
    #[command(flatten)]
    window: WindowArgs<EVERYTHING>,
    #[command(flatten)]
    csv: csv::CsvArgs,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    direction: DirectionArgs,
    /// Describe the terms and show the evidence for each alarm below the table
    #[arg(long)]
    explain: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// By which clock a service seems to live, and what to configure.
fn lives(service: &str, rule: ClockRule) -> String {
    let (place, zone) = rule.named();
    match rule {
        ClockRule::None => format!(
            "{service} does not change its clock with its time zone: if it follows none, set `timezone = \"{zone}\"` in its \
             [[service]]"
        ),
        _ => format!(
            "{service} changes its clock with {place}: set `timezone` in its [[service]], such as `timezone = \"{zone}\"`"
        ),
    }
}

/// Replays, and tells what alarmed in the window.
pub(super) fn run(setup: &Setup, args: &DetectArgs) -> Result<ExitCode> {
    let config = setup.config()?;
    if let Some(path) = &args.csv.csv {
        let code = csv::run(&config, path, &args.csv, &args.rules, args.format)?;
        if args.explain {
            explain::print(&[], &Names::default());
        }
        return Ok(code);
    }
    let engine = setup.engine(&config)?;
    let store = &ViewedHistory {
        inner: engine.history(),
        view: args.direction.view,
    };
    whole(store)?;
    let window = args.window.resolve(store)?;
    let options = options(&config, &args.rules.overrides()?);
    let ReplayedHistory { engine, names, span } = replay(store, &kept(&config), options, window.until_ms, now_ms())?;
    // By the minute that raised it: what is known at the end of a window belongs to it.
    let inside = |alarm: &&Alarm| {
        let at_ms = (alarm.detected - 1).start();
        at_ms >= window.since_ms && at_ms < window.until_ms
    };
    let shown = engine.groups.shown().filter(inside);
    let mut evidence = AlarmEvidence::default();
    let shown = shown
        .map(|alarm| evidence.of(store, alarm, &names))
        .collect::<Result<Vec<_>, _>>()?;
    let alarms = ordered(shown.iter().collect());
    print(&alarms, &names, &planned(&config)?, args.format)?;
    said(&alarms, &names, span);
    for alarm in alarms.iter().filter(|alarm| alarm.state.is_of_outcomes()) {
        alarm.evidence.first().into_iter().for_each(|said| output::talk(said));
    }
    output::talk(&Completeness::of(&engine).words());
    for (service, rule) in engine.clock_rules() {
        output::talk(&lives(names.service(service), rule));
    }
    match args.explain {
        true => explain::print(&alarms, &names),
        false if !alarms.is_empty() => output::talk("what the words mean: mailpulse detect --explain"),
        false => {}
    }
    Ok(match alarms.iter().all(|alarm| alarm.provisional) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Prints alarms on stdout.
pub(super) fn print(alarms: &[&Alarm], names: &Names, planned: &Planned, format: Format) -> Result<()> {
    let told = |alarm: &Alarm| {
        let mut json = alarm_json(alarm, names);
        if let Some(held) = held(planned, alarm, names) {
            json["silenced"] = held_json(&held);
        }
        json
    };
    match format {
        Format::Json => {
            let all: Vec<Value> = alarms.iter().map(|alarm| told(alarm)).collect();
            output::json(&Value::Array(all))?;
        }
        Format::Csv => output::table(&table(alarms, names, planned), &["onset", "detected", "ended"], format)?,
        Format::Table => {
            let (young, sure): (Vec<&Alarm>, Vec<&Alarm>) = alarms.iter().partition(|alarm| alarm.provisional);
            output::table(&for_people(&sure, names, planned), &[], format)?;
            if !young.is_empty() {
                output::line("\nprovisional (under 14 days of history; sent to nobody):")?;
                output::table(&for_people(&young, names, planned), &[], format)?;
            }
        }
    }
    Ok(())
}

fn said(alarms: &[&Alarm], names: &Names, (from, to): (Minute, Minute)) {
    let (sure, beside) = counted(alarms);
    output::talk(&format!(
        "{sure}; {} of history replayed, {}{beside}",
        human::counted(((to - from) / 1440) as u64, "day"),
        human::counted(names.services.len() as u64, "service")
    ));
}

/// Services that belong to an alarm.
fn affected(alarm: &Alarm, names: &Names) -> String {
    let services = alarm.members.iter().map(|member| names.service(member.service));
    services.collect::<Vec<_>>().join(", ")
}

/// One line an alarm, most important first: what does not fit into a terminal is left out from the right.
fn for_people(alarms: &[&Alarm], names: &Names, planned: &Planned) -> Table {
    let text = |say: &dyn Fn(&Alarm) -> String| Values::Text(alarms.iter().map(|alarm| Some(say(alarm))).collect());
    let number = |pick: &dyn Fn(&Alarm) -> f64| Values::Float(alarms.iter().map(|alarm| Some(pick(alarm))).collect());
    let minutes = |from: Minute, to: Minute| human::duration((to - from).max(0) * MINUTE_MS);
    let lasted = |alarm: &Alarm| {
        let lasted = alarm
            .ended
            .map_or("lasts".to_owned(), |ended| minutes(alarm.onset, ended));
        match alarm.end {
            // The whole sentence stands in its evidence.
            Some(_) => format!("{lasted}, then renamed"),
            None => lasted,
        }
    };
    let is_known_better = alarms.iter().any(|alarm| alarm.scope != alarm.named.0);
    let about = is_known_better.then(|| ("about", text(&|alarm| about(alarm, names))));
    let id = ("id", text(&|alarm| notice_id(alarm, names)));
    let others = [
        ("state", text(&|alarm| alarm.state.as_str().to_owned())),
        ("lasted", text(&lasted)),
        ("found_after", text(&|alarm| minutes(alarm.onset, alarm.detected))),
        ("affected", text(&|alarm| affected(alarm, names))),
        ("expected", number(&|alarm| rounded(alarm.expected))),
        ("observed", number(&|alarm| rounded(alarm.observed))),
        ("score", number(&|alarm| rounded(alarm.score))),
    ];
    let held: Vec<String> = alarms.iter().map(|alarm| held_back(alarm, names, planned)).collect();
    let is_any_held = held.iter().any(|held| !held.is_empty());
    let silenced = is_any_held.then(|| ("silenced", Values::Text(held.into_iter().map(Some).collect())));
    Table::of([id].into_iter().chain(about).chain(silenced).chain(others))
}

/// Until when an alarm is, or was, held back, and why; empty for one that is not.
fn held_back(alarm: &Alarm, names: &Names, planned: &Planned) -> String {
    held(planned, alarm, names).map_or_else(String::new, |held| held_words(&held))
}

/// What an alarm is about, where its id does not say it.
fn about(alarm: &Alarm, names: &Names) -> String {
    let (kind, name) = alarm.scope.named(names);
    match alarm.scope == alarm.named.0 {
        true => String::new(),
        false => format!("{kind} {name}"),
    }
}

fn table(alarms: &[&Alarm], names: &Names, planned: &Planned) -> Table {
    let text = |say: &dyn Fn(&Alarm) -> String| Values::Text(alarms.iter().map(|alarm| Some(say(alarm))).collect());
    let time = |pick: &dyn Fn(&Alarm) -> Option<Minute>| {
        Values::Int(
            alarms
                .iter()
                .map(|alarm| pick(alarm).map(|at| at.start().get()))
                .collect(),
        )
    };
    let number = |pick: &dyn Fn(&Alarm) -> f64| Values::Float(alarms.iter().map(|alarm| Some(pick(alarm))).collect());
    Table::of([
        ("kind", text(&|alarm| alarm.scope.named(names).0.to_owned())),
        ("series", text(&|alarm| alarm.scope.named(names).1.to_owned())),
        ("state", text(&|alarm| alarm.state.as_str().to_owned())),
        ("onset", time(&|alarm| Some(alarm.onset))),
        ("detected", time(&|alarm| Some(alarm.detected))),
        ("ended", time(&|alarm| alarm.ended)),
        ("expected", number(&|alarm| rounded(alarm.expected))),
        ("observed", number(&|alarm| rounded(alarm.observed))),
        ("score", number(&|alarm| rounded(alarm.score))),
        ("members", text(&|alarm| affected(alarm, names))),
        ("notice_id", text(&|alarm| notice_id(alarm, names))),
        (
            "provisional",
            Values::Bool(alarms.iter().map(|alarm| Some(alarm.provisional)).collect()),
        ),
        ("silenced", text(&|alarm| held_back(alarm, names, planned))),
    ])
}

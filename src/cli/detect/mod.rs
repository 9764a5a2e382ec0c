//! `mailpulse detect`: what would have alarmed, and when, over the stored history. Causal: nothing that came later
//! speaks for an alarm.

mod counts;
mod csv;
mod explain;
mod findings;

use super::complete::Completeness;
use super::context::Context;
use super::output::{self, Format};
use super::window::{EVERYTHING, WindowArgs, fleet_until};
use crate::config::{Config, RRULE_CURE, parse_timezone, read_holidays};
use crate::detect::alarm::{Alarm, Cause, Named};
use crate::detect::engine::{Engine, Options};
use crate::detect::fleet::{Fleet, Names};
use crate::detect::holidays::Holidays;
use crate::detect::rhythm::Rhythms;
use crate::detect::tuning::Tuning;
use crate::query::Window;
use crate::query::history::History;
use crate::query::human;
use crate::query::time::rfc3339;
use crate::store::columnar::{Table, Values};
use anyhow::{Result, anyhow};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Arguments of `detect`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 1 if something would have alarmed; what is provisional alone is no alarm.")]
pub struct DetectArgs {
    #[command(flatten)]
    window: WindowArgs<EVERYTHING>,
    #[command(flatten)]
    csv: csv::CsvArgs,
    #[command(flatten)]
    rules: RuleArgs,
    /// Say below the table what its words mean, and what speaks for each alarm
    #[arg(long)]
    explain: bool,
    /// Form of the answer
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// What is told to the detection.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct RuleArgs {
    /// Declared holidays: one date a line (2018-05-21), or an iCalendar file; less mail on them is no alarm [default: those
    /// of [detect] in the configuration; services may have their own there]
    #[arg(long, value_name = "FILE")]
    pub holidays: Option<PathBuf>,
    /// Time zone whose hours the services follow [default: that of [detect] in the configuration, else UTC]
    #[arg(long, value_name = "NAME")]
    pub zone: Option<String>,
    /// Days of silence after which a service is taken for retired, and watched again from its next mail on [default: 28]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub retire_days: Option<u32>,
}

impl RuleArgs {
    /// The method's constants with what the operator says of them.
    fn tuning(&self) -> Tuning {
        let usual = Tuning::default();
        Tuning {
            retire_d: self.retire_days.unwrap_or(usual.retire_d),
            ..usual
        }
    }
}

/// Replays, and tells what alarmed in the window.
pub fn run(context: &Context, args: &DetectArgs) -> Result<ExitCode> {
    if let Some(path) = &args.csv.csv {
        let code = csv::run(&context.config()?, path, &args.csv, &args.rules, args.format)?;
        if args.explain {
            explain::print(&[], &Names::default());
        }
        return Ok(code);
    }
    let engine = context.engine()?;
    let store = engine.history();
    whole(store)?;
    let window = args.window.resolve(store)?;
    let (engine, fleet) = replayed(store, &context.config()?, &args.rules, window.until_ms)?;
    let inside = |alarm: &&Alarm| {
        let ms = alarm.detected * MINUTE_MS;
        ms >= window.since_ms && ms < window.until_ms
    };
    let alarms = ordered(engine.groups.shown().filter(inside).collect());
    print(&alarms, &fleet.names, args.format)?;
    said(&alarms, &fleet);
    Completeness::of(&engine).talk();
    match args.explain {
        true => explain::print(&alarms, &fleet.names),
        false if !alarms.is_empty() => output::talk("what the words mean: mailpulse detect --explain"),
        false => {}
    }
    Ok(match alarms.iter().all(|alarm| alarm.provisional) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Replays the history up to a moment.
pub fn replayed(store: &dyn History, config: &Config, rules: &RuleArgs, until_ms: i64) -> Result<(Engine, Fleet)> {
    let fleet = fleet_until(store, until_ms)?;
    let engine = Engine::replay(&fleet, options(config, rules)?);
    Ok((engine, fleet))
}

/// Prints alarms on stdout.
pub fn print(alarms: &[&Alarm], names: &Names, format: Format) -> Result<()> {
    match format {
        Format::Json => {
            let all: Vec<Value> = alarms.iter().map(|alarm| alarm_json(alarm, names)).collect();
            output::json(&Value::Array(all))?;
        }
        Format::Csv => output::table(&table(alarms, names), &["onset", "detected", "ended"], format)?,
        Format::Table => {
            let (young, sure): (Vec<&Alarm>, Vec<&Alarm>) = alarms.iter().partition(|alarm| alarm.provisional);
            output::table(&for_people(&sure, names), &[], format)?;
            if !young.is_empty() {
                output::line("\nprovisional (under 14 days of history; sent to nobody):")?;
                output::table(&for_people(&young, names), &[], format)?;
            }
        }
    }
    Ok(())
}

/// The name of an alarm's episode, in notices and for `incident --alarm`: `relay/mx1001/2018-06-06T18:55:00Z`. It stays when
/// the alarm turns out to be about more, or to have begun earlier.
pub fn notice_id(alarm: &Alarm, names: &Names) -> String {
    name_of(alarm.named, names)
}

/// The same of an alarm that another one refers to.
pub fn name_of((scope, onset): Named, names: &Names) -> String {
    let (kind, name) = scope.named(names);
    format!("{kind}/{name}/{}", minute(onset))
}

/// A minute, milliseconds.
pub const MINUTE_MS: i64 = 60_000;

/// All that is stored.
pub fn whole(store: &dyn History) -> Result<Window> {
    let (first, last) = store
        .span(i64::MAX)?
        .ok_or_else(|| anyhow!("the store is empty: `mailpulse backfill` fills it"))?;
    Ok(Window {
        since_ms: first,
        until_ms: last + 1,
    })
}

/// The detection's options, from configuration and command line.
pub fn options(config: &Config, rules: &RuleArgs) -> Result<Options> {
    let mut options = Options {
        tuning: rules.tuning(),
        ..Options::default()
    };
    options.tuning.budget = config.detect.false_alarms_per_service_per_90_days.max(1e-6);
    options.rhythms = rhythms(config, rules)?;
    Ok(options)
}

/// Clocks and holidays as configured; what the command line says holds for services that have none of their own.
fn rhythms(config: &Config, rules: &RuleArgs) -> Result<Rhythms> {
    let mut rhythms = config.detect.rhythms.clone();
    if let Some(zone) = zone(rules)? {
        rhythms.usual.zone = zone;
    }
    if let Some(holidays) = holidays(rules)? {
        rhythms.usual.holidays = Arc::new(holidays);
    }
    Ok(rhythms)
}

fn zone(rules: &RuleArgs) -> Result<Option<TimeZone>> {
    let zone = rules
        .zone
        .as_deref()
        .map(|name| parse_timezone(name).map_err(|cure| anyhow!("--zone {name}: no such time zone; {cure}")));
    zone.transpose()
}

fn holidays(rules: &RuleArgs) -> Result<Option<Holidays>> {
    let holidays = rules
        .holidays
        .as_deref()
        .map(|path| read_holidays(path).map_err(|bad| anyhow!("--holidays: {bad}")));
    let holidays = holidays.transpose()?;
    for line in holidays.iter().flat_map(Holidays::once) {
        output::talk(&format!(
            "warning: --holidays: line {line}: this RRULE is not understood, and its event counts once; {RRULE_CURE}"
        ));
    }
    Ok(holidays)
}

/// Those that are certain first, in the order of time, and then what is provisional.
pub fn ordered(mut alarms: Vec<&Alarm>) -> Vec<&Alarm> {
    alarms.sort_by_key(|alarm| alarm.provisional);
    alarms
}

/// How many alarms there are, and what there is to say of findings beside them that are provisional.
pub fn counted(alarms: &[&Alarm]) -> (String, String) {
    let young = alarms.iter().filter(|alarm| alarm.provisional).count();
    let sure = human::counted((alarms.len() - young) as u64, "alarm");
    let beside = match young {
        0 => String::new(),
        _ => format!(
            "; besides {}, sent to nobody",
            human::counted(young as u64, "provisional finding")
        ),
    };
    (sure, beside)
}

fn said(alarms: &[&Alarm], fleet: &Fleet) {
    let (from, to) = fleet.span();
    let (sure, beside) = counted(alarms);
    output::talk(&format!(
        "{sure}; {} of history replayed, {}{beside}",
        human::counted(((to - from) / 1440) as u64, "day"),
        human::counted(fleet.names.services.len() as u64, "service")
    ));
}

/// Minutes as RFC 3339.
pub fn minute(at: i64) -> String {
    rfc3339(at * MINUTE_MS)
}

/// An alarm as `detect --format json` tells it.
pub fn alarm_json(alarm: &Alarm, names: &Names) -> Value {
    let (kind, name) = alarm.scope.named(names);
    let members: Vec<Value> = alarm
        .members
        .iter()
        .map(|member| {
            json!({
                "service": names.service(member.service),
                "judged": member.judged.map(|(_, state)| state.as_str()),
                "reason": member.reason,
            })
        })
        .collect();
    json!({
        "id": alarm.id,
        "notice_id": notice_id(alarm, names),
        "series": { kind: name },
        "state": alarm.state.as_str(),
        "onset": minute(alarm.onset),
        "detected": minute(alarm.detected),
        "ended": alarm.ended.map(minute),
        "end": alarm.end,
        "expected": rounded(alarm.expected),
        "observed": rounded(alarm.observed),
        "score": rounded(alarm.score),
        "provisional": alarm.provisional,
        "cause": alarm.cause.as_ref().map(|cause| cause_json(cause, names)),
        "members": members,
        "evidence": alarm.evidence,
        "took_in": alarm.took_in.iter().map(|part| name_of(*part, names)).collect::<Vec<_>>(),
        "part_of": alarm.whole.map(|whole| name_of(whole, names)),
    })
}

/// A cause as JSON.
pub fn cause_json(cause: &Cause, names: &Names) -> Value {
    json!({
        "relay": names.host(cause.relay),
        "silent_from": minute(cause.silent_from),
        "silent_to": cause.silent_to.map(minute),
        "evidence": cause.evidence,
    })
}

/// Two decimals: what counts are worth.
pub fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Services that belong to an alarm.
fn affected(alarm: &Alarm, names: &Names) -> String {
    let services = alarm.members.iter().map(|member| names.service(member.service));
    services.collect::<Vec<_>>().join(", ")
}

/// One line an alarm, most important first: what does not fit into a terminal is left out from the right.
fn for_people(alarms: &[&Alarm], names: &Names) -> Table {
    let text = |say: &dyn Fn(&Alarm) -> String| Values::Text(alarms.iter().map(|alarm| Some(say(alarm))).collect());
    let number = |pick: &dyn Fn(&Alarm) -> f64| Values::Float(alarms.iter().map(|alarm| Some(pick(alarm))).collect());
    let minutes = |from: i64, to: i64| human::duration((to - from).max(0) * MINUTE_MS);
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
    Table::of([id].into_iter().chain(about).chain(others))
}

/// What an alarm is about, where its id does not say it.
fn about(alarm: &Alarm, names: &Names) -> String {
    let (kind, name) = alarm.scope.named(names);
    match alarm.scope == alarm.named.0 {
        true => String::new(),
        false => format!("{kind} {name}"),
    }
}

/// An alarm's state, with its mark for people.
pub fn marked(alarm: &Alarm) -> String {
    let state = alarm.state.as_str();
    match alarm.provisional {
        true => format!("{state} (provisional)"),
        false => state.to_owned(),
    }
}

fn table(alarms: &[&Alarm], names: &Names) -> Table {
    let text = |say: &dyn Fn(&Alarm) -> String| Values::Text(alarms.iter().map(|alarm| Some(say(alarm))).collect());
    let time = |pick: &dyn Fn(&Alarm) -> Option<i64>| {
        Values::Int(
            alarms
                .iter()
                .map(|alarm| pick(alarm).map(|at| at * MINUTE_MS))
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
    ])
}

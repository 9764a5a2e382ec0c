//! `mailpulse queue`: what waits in the MTAs' queues, and when it will be gone.

use super::graph::bucket_ms;
use super::output::{self, Format};
use crate::analysis::backlog::{BacklogQuestion, Group, QueueBacklog, QueueBy, WAITING_MAILS_MAX, Waiting, backlog};
use crate::analysis::present::{end_of, span};
use crate::clock::now_ms;
use crate::model::human;
use crate::model::time::{MINUTE_MS, UtcMs, parse_duration_ms, rfc3339};
use crate::query::Window;
use crate::setup::Setup;
use crate::store::columnar::{Table, Values};
use anyhow::{Result, anyhow, bail};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Arguments of `queue`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Mail counts that the logs show as accepted or deferred in the 35 days before, and not as completed. Frozen and held\n\
                  mail, and mail whose log goes on without it for a day, are shown apart."
)]
pub(super) struct QueueArgs {
    /// The moment: 2018-06-06T18:00Z, "2018-06-06 18:00" (UTC), -2h [default: now or, if the newest event is more than a day
    /// old, the minute after it]
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    at: Option<String>,
    /// Show the course of the backlog from this time on: how many recipients waited at the end of each interval
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    since: Option<String>,
    /// With --since: the length of an interval, whole minutes [default: some 300 intervals]
    #[arg(long, value_name = "DURATION", requires = "since")]
    bucket: Option<String>,
    /// One row per service, relay, or provider [default: one per service and relay]
    #[arg(long, value_enum)]
    by: Option<QueueByArg>,
    /// Refuse to answer if more mails wait: each takes memory
    #[arg(long, value_name = "N", default_value_t = WAITING_MAILS_MAX, value_parser = clap::value_parser!(u32).range(1..))]
    mails_max: u32,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// By what the rows are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum QueueByArg {
    /// Whose mail
    Service,
    /// On which MTA
    Relay,
    /// Who runs the receiving side; empty for mail that was not tried yet, or stays
    Provider,
}

impl QueueArgs {
    fn by(&self) -> QueueBy {
        match self.by {
            None => QueueBy::Queue,
            Some(QueueByArg::Service) => QueueBy::Service,
            Some(QueueByArg::Relay) => QueueBy::Relay,
            Some(QueueByArg::Provider) => QueueBy::Provider,
        }
    }

    /// The length of an interval of the course.
    fn step_ms(&self, window: Window) -> Result<i64> {
        let step_ms = match &self.bucket {
            Some(text) => parse_duration_ms(text).map_err(|why| anyhow!("--bucket: {why}"))?,
            None => bucket_ms(window),
        };
        match step_ms >= MINUTE_MS && step_ms % MINUTE_MS == 0 {
            true => Ok(step_ms),
            false => bail!("--bucket: the backlog is known per minute; write a whole number of minutes"),
        }
    }
}

/// Tells.
pub(super) fn run(setup: &Setup, args: &QueueArgs) -> Result<ExitCode> {
    let config = setup.config()?;
    let engine = setup.engine(&config)?;
    let store = engine.history();
    let end = end_of(store, now_ms())?;
    let at_ms = match &args.at {
        Some(text) => end.parse(text).map_err(|why| anyhow!("--at: {why}"))?,
        None => end.at_ms,
    };
    if args.at.is_none()
        && end.at_ms < end.now_ms
        && let Some((_, newest)) = span(store, end.now_ms)?
    {
        output::talk(&format!(
            "newest event: {}; the queues are those of that time (--at chooses another)",
            rfc3339(newest)
        ));
    }
    let since_ms = args
        .since
        .as_ref()
        .map(|text| end.parse(text).map_err(|why| anyhow!("--since: {why}")));
    let since_ms = since_ms.transpose()?;
    let by = args.by();
    let question = BacklogQuestion {
        at_ms,
        since_ms,
        by,
        mails_max: args.mails_max as usize,
    };
    if let Some(since_ms) = since_ms {
        let until_ms = at_ms;
        let window = Window { since_ms, until_ms };
        if since_ms >= until_ms {
            bail!("--since: {} is not before {}", rfc3339(since_ms), rfc3339(until_ms));
        }
        let step_ms = args.step_ms(window)?;
        return show_course(&backlog(store, question)?, (window, step_ms), (by, args.format));
    }
    let found = backlog(store, question)?;
    match args.format {
        Format::Json => output::json(&all_as_json(&found, at_ms, by))?,
        Format::Csv => output::table(&raw(&found, at_ms, by), &TIMES, Format::Csv)?,
        Format::Table => {
            output::table(&for_people(&found, at_ms, by), &[], Format::Table)?;
            output::talk(&summary(&found.total, at_ms));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Recipients that waited at the end of each interval. Intervals without any have no row, but for the last one.
fn show_course(
    found: &QueueBacklog,
    (window, step_ms): (Window, i64),
    (by, format): (QueueBy, Format),
) -> Result<ExitCode> {
    let mut rows: Vec<(UtcMs, &Group, i64)> = Vec::new();
    let last = window.until_ms.minute();
    for (group, course) in &found.course {
        let first = last + 1 - course.len() as i64;
        for (minute, waiting) in first.up_to(last + 1).zip(course) {
            let end_ms = (minute + 1).start();
            let is_end = end_ms == end_ms.floor_to(step_ms) && end_ms > window.since_ms;
            let is_last = minute == last && window.until_ms != window.until_ms.floor_to(step_ms);
            if is_end && *waiting > 0 || is_last {
                rows.push((end_ms.min(window.until_ms), group, *waiting));
            }
        }
    }
    rows.sort_unstable_by_key(|(ts_ms, group, _)| (*ts_ms, *group));
    let names = name_columns(by, &|name| {
        Values::Text(rows.iter().map(|(_, group, _)| Some(name(group).clone())).collect())
    });
    let times = Values::Int(rows.iter().map(|(ts_ms, ..)| Some(ts_ms.get())).collect());
    let waiting = Values::Int(rows.iter().map(|(.., waiting)| Some(*waiting)).collect());
    let columns = std::iter::once(("ts", times))
        .chain(names)
        .chain(std::iter::once(("recipients", waiting)));
    output::table(&Table::of(columns), &["ts"], format)?;
    Ok(ExitCode::SUCCESS)
}

/// The columns that name a row.
fn name_columns(by: QueueBy, values: &dyn Fn(fn(&Group) -> &String) -> Values) -> Vec<(&'static str, Values)> {
    let service: (&str, fn(&Group) -> &String) = ("service", |group| &group.service);
    let relay: (&str, fn(&Group) -> &String) = ("relay", |group| &group.relay);
    let provider: (&str, fn(&Group) -> &String) = ("provider", |group| &group.provider);
    let named = match by {
        QueueBy::Queue => vec![service, relay],
        QueueBy::Service => vec![service],
        QueueBy::Relay => vec![relay],
        QueueBy::Provider => vec![provider],
    };
    named.into_iter().map(|(name, of)| (name, values(of))).collect()
}

const TIMES: [&str; 2] = ["next_try", "gone_at"];

fn age_ms(waiting: &Waiting, at_ms: UtcMs) -> Option<i64> {
    waiting.oldest_ms.map(|oldest| at_ms - oldest)
}

fn summary(total: &Waiting, at_ms: UtcMs) -> String {
    let mut words = format!(
        "at {}: {} for {}",
        rfc3339(at_ms),
        human::counted(total.messages, "message"),
        human::counted(total.recipients, "recipient"),
    );
    for (count, word) in [(total.frozen, "frozen"), (total.held, "held")] {
        if count > 0 {
            words.push_str(&format!(", {} {word}", human::count(count as i64)));
        }
    }
    if total.quiet > 0 {
        words.push_str(&format!(
            "; {} more without a line for a day, though their logs go on: their end was not read",
            human::count(total.quiet as i64)
        ));
    }
    words.push_str(&match total.drain {
        Some(drain) => format!(
            "; drains by {}, gone at {}",
            human::rate(drain.per_minute),
            rfc3339(drain.gone_ms)
        ),
        None if total.messages > 0 => "; it does not drain".to_owned(),
        None => String::new(),
    });
    words
}

fn for_people(found: &QueueBacklog, at_ms: UtcMs, by: QueueBy) -> Table {
    let rows = || found.groups.iter();
    let text = |cell: &dyn Fn(&Group, &Waiting) -> String| {
        Values::Text(rows().map(|(group, waiting)| Some(cell(group, waiting))).collect())
    };
    let count =
        |cell: fn(&Waiting) -> u64| Values::Int(rows().map(|(_, waiting)| Some(cell(waiting) as i64)).collect());
    let until = |at: Option<UtcMs>| {
        at.map(|at| format!("in {}", human::duration(at - at_ms)))
            .unwrap_or_default()
    };
    let oldest = |waiting: &Waiting| {
        let more = if waiting.is_older { "over " } else { "" };
        let age = age_ms(waiting, at_ms).map(|age| format!("{more}{}", human::duration(age)));
        age.unwrap_or_default()
    };
    let names = name_columns(by, &|name| text(&|group, _| name(group).clone()));
    let numbers = [
        ("messages", count(|waiting| waiting.messages)),
        ("recipients", count(|waiting| waiting.recipients)),
        ("oldest", text(&|_, waiting| oldest(waiting))),
        ("next_try", text(&|_, waiting| until(waiting.next_try_ms))),
        ("frozen", count(|waiting| waiting.frozen)),
        ("held", count(|waiting| waiting.held)),
        ("quiet", count(|waiting| waiting.quiet)),
        (
            "drains",
            text(&|_, waiting| {
                waiting
                    .drain
                    .map(|drain| human::rate(drain.per_minute))
                    .unwrap_or_default()
            }),
        ),
        (
            "gone",
            text(&|_, waiting| until(waiting.drain.map(|drain| drain.gone_ms))),
        ),
    ];
    Table::of(names.into_iter().chain(numbers))
}

fn raw(found: &QueueBacklog, at_ms: UtcMs, by: QueueBy) -> Table {
    let rows = || found.groups.iter();
    let number =
        |cell: &dyn Fn(&Waiting) -> Option<i64>| Values::Int(rows().map(|(_, waiting)| cell(waiting)).collect());
    let count = |cell: fn(&Waiting) -> u64| number(&|waiting| Some(cell(waiting) as i64));
    let rate = |waiting: &Waiting| waiting.drain.map(|drain| drain.per_minute);
    let names = name_columns(by, &|name| {
        Values::Text(rows().map(|(group, _)| Some(name(group).clone())).collect())
    });
    let numbers = [
        ("messages", count(|waiting| waiting.messages)),
        ("recipients", count(|waiting| waiting.recipients)),
        (
            "oldest_s",
            number(&|waiting| age_ms(waiting, at_ms).map(|age| age / 1000)),
        ),
        (
            "oldest_is_older",
            Values::Bool(rows().map(|(_, waiting)| Some(waiting.is_older)).collect()),
        ),
        ("next_try", number(&|waiting| waiting.next_try_ms.map(UtcMs::get))),
        ("frozen", count(|waiting| waiting.frozen)),
        ("held", count(|waiting| waiting.held)),
        ("quiet", count(|waiting| waiting.quiet)),
        (
            "drain_per_minute",
            Values::Float(rows().map(|(_, waiting)| rate(waiting)).collect()),
        ),
        (
            "gone_at",
            number(&|waiting| waiting.drain.map(|drain| drain.gone_ms).map(UtcMs::get)),
        ),
    ];
    Table::of(names.into_iter().chain(numbers))
}

fn all_as_json(found: &QueueBacklog, at_ms: UtcMs, by: QueueBy) -> Value {
    let rows = output::json_rows(&raw(found, at_ms, by), &TIMES);
    let total = QueueBacklog {
        groups: [(Group::default(), found.total.clone())].into(),
        ..QueueBacklog::default()
    };
    let mut total = output::json_rows(&raw(&total, at_ms, by), &TIMES).remove(0);
    if let Some(total) = total.as_object_mut() {
        total.retain(|key, _| !["service", "relay", "provider"].contains(&key.as_str()));
    }
    json!({ "at": rfc3339(at_ms), "total": total, "queues": rows })
}

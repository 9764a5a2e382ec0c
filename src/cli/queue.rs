//! `mailpulse queue`: what waits in the MTAs' queues, and when it will be gone.

use super::output::{self, Format};
use crate::analysis::backlog::{Group, QueueBacklog, Waiting, backlog};
use crate::analysis::present::{end_of, span};
use crate::clock::now_ms;
use crate::model::human;
use crate::model::time::rfc3339;
use crate::setup::Setup;
use crate::store::columnar::{Table, Values};
use anyhow::{Result, anyhow};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Arguments of `queue`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Mail counts that the logs show as accepted or deferred in the 35 days before, and not as completed. Frozen and held\n\
                  mail, and mail whose log goes on without it for a day, are shown apart."
)]
pub struct QueueArgs {
    /// The moment: 2018-06-06T18:00Z, "2018-06-06 18:00" (UTC), -2h [default: now or, if the newest event is more than a day
    /// old, the minute after it]
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    at: Option<String>,
    /// Refuse to answer if more mails wait: each takes memory
    #[arg(long, value_name = "N", default_value_t = 500_000, value_parser = clap::value_parser!(u32).range(1..))]
    mails_max: u32,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Tells.
pub fn run(setup: &Setup, args: &QueueArgs) -> Result<ExitCode> {
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
    let found = backlog(store, at_ms, args.mails_max as usize)?;
    match args.format {
        Format::Json => output::json(&all_as_json(&found, at_ms))?,
        Format::Csv => output::table(&raw(&found, at_ms), &TIMES, Format::Csv)?,
        Format::Table => {
            output::table(&for_people(&found, at_ms), &[], Format::Table)?;
            output::talk(&summary(&found.total, at_ms));
        }
    }
    Ok(ExitCode::SUCCESS)
}

const TIMES: [&str; 2] = ["next_try", "gone_at"];

fn age_ms(waiting: &Waiting, at_ms: i64) -> Option<i64> {
    waiting.oldest_ms.map(|oldest| at_ms - oldest)
}

fn summary(total: &Waiting, at_ms: i64) -> String {
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

fn for_people(found: &QueueBacklog, at_ms: i64) -> Table {
    let rows = || found.groups.iter();
    let text = |cell: &dyn Fn(&Group, &Waiting) -> String| {
        Values::Text(rows().map(|(group, waiting)| Some(cell(group, waiting))).collect())
    };
    let count =
        |cell: fn(&Waiting) -> u64| Values::Int(rows().map(|(_, waiting)| Some(cell(waiting) as i64)).collect());
    let until = |ms: Option<i64>| {
        ms.map(|ms| format!("in {}", human::duration(ms - at_ms)))
            .unwrap_or_default()
    };
    let oldest = |waiting: &Waiting| {
        let more = if waiting.is_older { "over " } else { "" };
        let age = age_ms(waiting, at_ms).map(|age| format!("{more}{}", human::duration(age)));
        age.unwrap_or_default()
    };
    Table::of([
        ("service", text(&|group, _| group.service.clone())),
        ("relay", text(&|group, _| group.relay.clone())),
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
    ])
}

fn raw(found: &QueueBacklog, at_ms: i64) -> Table {
    let rows = || found.groups.iter();
    let text = |cell: fn(&Group) -> &String| Values::Text(rows().map(|(group, _)| Some(cell(group).clone())).collect());
    let number =
        |cell: &dyn Fn(&Waiting) -> Option<i64>| Values::Int(rows().map(|(_, waiting)| cell(waiting)).collect());
    let count = |cell: fn(&Waiting) -> u64| number(&|waiting| Some(cell(waiting) as i64));
    let rate = |waiting: &Waiting| waiting.drain.map(|drain| drain.per_minute);
    Table::of([
        ("service", text(|group| &group.service)),
        ("relay", text(|group| &group.relay)),
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
        ("next_try", number(&|waiting| waiting.next_try_ms)),
        ("frozen", count(|waiting| waiting.frozen)),
        ("held", count(|waiting| waiting.held)),
        ("quiet", count(|waiting| waiting.quiet)),
        (
            "drain_per_minute",
            Values::Float(rows().map(|(_, waiting)| rate(waiting)).collect()),
        ),
        ("gone_at", number(&|waiting| waiting.drain.map(|drain| drain.gone_ms))),
    ])
}

fn all_as_json(found: &QueueBacklog, at_ms: i64) -> Value {
    let rows = output::json_rows(&raw(found, at_ms), &TIMES);
    let total = QueueBacklog {
        groups: [(Group::default(), found.total.clone())].into(),
        ..QueueBacklog::default()
    };
    let mut total = output::json_rows(&raw(&total, at_ms), &TIMES).remove(0);
    if let Some(total) = total.as_object_mut() {
        total.retain(|key, _| key != "service" && key != "relay");
    }
    json!({ "at": rfc3339(at_ms), "total": total, "queues": rows })
}

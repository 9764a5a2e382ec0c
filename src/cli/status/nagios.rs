//! `status --nagios`: one line and an exit code.

use super::facts::alerts;
use crate::alert::Notice;
use crate::alert::state::ChannelState;
use crate::analysis::health::unparsed_share;
use crate::analysis::sources::{SourceStatus, SourceVerdict, statuses};
use crate::cli::output;
use crate::model::time::DAY_MS;
use crate::model::time::rfc3339;
use crate::query::history::{Backend, MailHistory};
use crate::setup::Setup;
use crate::store::catalogue::Counts;
use crate::store::catalogue::LastingTrouble;
use anyhow::Result;
use std::process::ExitCode;

/// Unparsed lines of a source above this share are worth a warning.
const UNPARSED_SHARE_MAX: f64 = 0.01;
/// A server that is away for a moment is no trouble yet.
const LASTS_MS: i64 = 600_000;

/// The topics of troubles that have lasted for a while, a few.
fn lasting(troubles: Vec<LastingTrouble>) -> String {
    let lasts = troubles
        .iter()
        .filter(|trouble| trouble.last_ms - trouble.since_ms >= LASTS_MS || trouble.is_proved());
    let topics: Vec<String> = lasts.take(5).map(|trouble| trouble.topic.clone()).collect();
    topics.join(", ").replace(['|', '\n'], "/")
}

/// Says it in one line.
pub(super) fn run(setup: &Setup, now: i64, stale_ms: Option<i64>) -> Result<ExitCode> {
    let read = setup.config().and_then(|config| {
        let store = setup.engine(&config)?;
        let (waiting, undecided, troubles) = match &store {
            Backend::Embedded(store) => (
                store.outbox().waiting()?,
                store.outbox().is_undecided()?,
                store.troubles().all()?,
            ),
            Backend::ClickHouse(_) => (None, false, Vec::new()),
        };
        let rows = statuses(store.history(), now, stale_ms.unwrap_or(i64::MAX))?;
        Ok((
            silent_since(&rows, store.history(), now, stale_ms.unwrap_or(DAY_MS))?,
            rows,
            alerts(&config)?,
            waiting.map_or(0, |waiting| waiting.refused),
            undecided,
            lasting(troubles),
        ))
    });
    let (silent, rows, alerts, refused, undecided, troubles) = match read {
        Ok(read) => read,
        Err(error) => {
            output::line(&format!(
                "MAILPULSE UNKNOWN - {}",
                crate::model::text::safe_error(&error)
            ))?;
            return Ok(ExitCode::from(3));
        }
    };
    let mut sum = Counts::default();
    rows.iter().for_each(|row| sum.add(&row.source.counts));
    let count = |state: SourceVerdict| rows.iter().filter(|row| row.state == state).count();
    let (unreadable, stale) = (count(SourceVerdict::Unreadable), count(SourceVerdict::Stale));
    let damaged: u64 = rows.iter().map(|row| row.damaged().len() as u64).sum();
    let failing = alerts.channels().into_iter().filter(ChannelState::is_failing);
    let failing: Vec<String> = failing.map(|channel| undelivered(&channel)).collect();
    let silenced: Vec<String> = alerts.silenced.iter().map(alarm_words).collect();
    let provisional: Vec<String> = alerts.provisional.iter().map(alarm_words).collect();
    let numbers = format!(
        "{} sources, {} lines, {} unparsed | lines={1}c unparsed={2}c damaged={damaged} unreadable={unreadable} \
         stale={stale} alarms={} silenced={} undelivered={} provisional={}",
        rows.len(),
        sum.lines,
        sum.unparsed,
        alerts.firing.len(),
        silenced.len(),
        failing.len(),
        provisional.len()
    );
    let named = |state: SourceVerdict| {
        let names = rows.iter().filter(|row| row.state == state);
        let names: Vec<String> = names
            .map(|row| {
                let clock = if row.reason() == Some("clock") {
                    ", the clock is in doubt"
                } else {
                    ""
                };
                format!("{} ({}{clock})", row.source.host, row.source.kind)
            })
            .take(5)
            .collect();
        names.join(", ").replace('|', "/")
    };
    let alarms: Vec<String> = alerts.firing.iter().map(alarm_words).collect();
    let stale_words = match silent {
        Some(since) if stale == 0 => format!("no line since {}: no verdict on any mail", rfc3339(since)),
        _ => format!("stale: {}", named(SourceVerdict::Stale)),
    };
    let critical = [
        (!alarms.is_empty(), alarms.join(", ")),
        (
            unreadable > 0,
            format!("unreadable: {}", named(SourceVerdict::Unreadable)),
        ),
    ];
    let warning = [
        (refused > 0, format!("{refused} payloads refused by the ClickHouse")),
        (undecided, "nothing is sent: the catalogue was rebuilt".to_owned()),
        (!troubles.is_empty(), format!("trouble: {troubles}")),
        (
            !failing.is_empty(),
            format!("alarms not delivered: {}", failing.join(", ")),
        ),
        (stale > 0 || silent.is_some(), stale_words),
        (
            unparsed_share(&sum) > UNPARSED_SHARE_MAX,
            "many lines do not parse".to_owned(),
        ),
        (damaged > 0, "a log is damaged".to_owned()),
    ];
    let told = |reasons: &[(bool, String)]| -> Vec<String> {
        let holds = reasons.iter().filter(|(holds, _)| *holds);
        holds.map(|(_, words)| words.clone()).collect()
    };
    let (critical, warning) = (told(&critical), told(&warning));
    // The gravest first; what is less grave is told all the same.
    let (word, code) = match () {
        () if !alarms.is_empty() => ("CRITICAL", 2),
        () if rows.is_empty() => ("UNKNOWN", 3),
        () if !critical.is_empty() => ("CRITICAL", 2),
        () if !warning.is_empty() => ("WARNING", 1),
        () => ("OK", 0),
    };
    let mut why = [critical, warning].concat();
    if rows.is_empty() {
        why.push("nothing has been read yet".to_owned());
    }
    if !silenced.is_empty() {
        why.push(format!("silenced: {}", silenced.join(", ")));
    }
    if !provisional.is_empty() {
        why.push(format!("provisional: {}", provisional.join(", ")));
    }
    why.push(numbers);
    output::line(&format!("MAILPULSE {word} - {}", why.join(", ")))?;
    Ok(ExitCode::from(code))
}

/// An alarm in a few words that do not upset Nagios.
fn alarm_words(alarm: &Notice) -> String {
    let about = alarm.about();
    words(&format!("{} {} {}", about.kind, about.name, about.state))
}

fn undelivered(channel: &ChannelState) -> String {
    let ChannelState {
        name, waiting, refused, ..
    } = channel;
    words(&format!("{name} ({waiting} wait, {refused} refused)"))
}

/// Text on one line, without what begins the numbers.
fn words(text: &str) -> String {
    text.replace(['|', '\n'], "/")
}

/// Since when no source has brought a line and no tail has read, if that is too long.
fn silent_since(rows: &[SourceStatus], store: &dyn MailHistory, now: i64, stale_ms: i64) -> Result<Option<i64>> {
    let last = rows.iter().filter_map(|row| Some(row.source.span_ms?.1)).max();
    let heartbeat = store.heartbeat_ms(now)?;
    Ok(last
        .max(heartbeat)
        .filter(|last| !rows.is_empty() && now - last > stale_ms))
}

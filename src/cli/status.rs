//! `mailpulse status`: what has been read, how old it is, what did not parse, how large the store is.

mod json;
mod limits;
mod nagios;
mod summary;

use super::output::{self, Format};
use crate::alert::state::State as Alerts;
use crate::analysis::health;
use crate::analysis::health::{Cause, Health, Readability, unparsed_share};
use crate::cli::retention::held_back;
use crate::config::Config;
use crate::detect::tuning::Tuning;
use crate::model::human;
use crate::model::time::{parse_duration_ms, rfc3339};
use crate::query::history::{Engine, History, LocalSource, SourceSummary};
use crate::setup::Setup;
use crate::setup::alerts::alerts_path;
use crate::setup::clock::now_ms;
use crate::setup::clock::retention;
use crate::store::clickhouse::ship::{CLOCKS_APART_MS, clocks_apart};
use crate::store::columnar::{Table, Values};
use crate::store::commit::{Counts, OddField, UnparsedShape};
use crate::store::outbox::Waiting;
use crate::store::retention::{HeldBack, HeldSource};
use crate::store::state::ClockDoubt;
use crate::store::trouble::Trouble;
use crate::store::{Error as StoreError, Store};
use anyhow::{Context as _, Result, anyhow};
use std::process::ExitCode;

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// One line and exit codes as Nagios wants them: 0 ok, 1 warning, 2 critical (a source is unreadable), 3 unknown
    #[arg(long)]
    nagios: bool,
    /// A source whose last line is older is `stale` [default: 24h]; with --nagios a warning where this is given, and without
    /// it where no source at all has a line
    #[arg(long, value_name = "TIME")]
    stale_after: Option<String>,
    /// Instead: the limits of the configuration, and how much of each is in use
    #[arg(long, conflicts_with = "nagios")]
    limits: bool,
    /// Form of the answer
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// What lines that were written twice mean, and what to do.
pub const WRITTEN_TWICE: &str = "written twice: a line came again, in the same file or in another one of this source. Each \
     mail counts once. Usual causes: two rules of rsyslog for one file (end the first with `stop`), rules that write mail \
     into two files (leave one of them out of `paths`), or a program that rewrites its log (nothing to do)";

/// Unparsed lines of a source above this share are worth a warning.
const UNPARSED_SHARE_MAX: f64 = 0.01;
/// Odd fields of a source that are named; JSON has all.
const ODD_FIELDS_SHOWN: usize = 5;
/// History that the newest lines are held against.
const HISTORY_MS: i64 = 7 * DAY_MS;
const DAY_MS: i64 = 86_400_000;

/// What is wrong with a source, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Ok,
    Stale,
    Damaged,
    Unreadable,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Stale => "stale",
            State::Damaged => "damaged",
            State::Unreadable => "unreadable",
        }
    }
}

/// One source and how it does.
struct Row {
    source: SourceSummary,
    health: Health,
    state: State,
    age_ms: Option<i64>,
    /// How old its last line was when it was read.
    lag_ms: Option<i64>,
    /// What of it is older than the retention and stays all the same.
    held: Option<HeldSource>,
}

impl Row {
    fn damaged(&self) -> &[String] {
        self.source.local.as_ref().map_or(&[], |local| &local.damaged)
    }

    fn shapes(&self) -> &[UnparsedShape] {
        self.source.local.as_ref().map_or(&[], |local| &local.shapes)
    }

    fn odd_fields(&self) -> &[OddField] {
        self.source.local.as_ref().map_or(&[], |local| &local.odd_fields)
    }

    fn clock_doubts(&self) -> &[ClockDoubt] {
        self.source.local.as_ref().map_or(&[], |local| &local.clock_doubts)
    }

    /// Why it is unreadable.
    fn reason(&self) -> Option<&'static str> {
        match self.state {
            State::Unreadable if self.clock_doubts().is_empty() => Some("format"),
            State::Unreadable => Some("clock"),
            _ => None,
        }
    }

    fn read_ms(&self) -> Option<i64> {
        self.source.local.as_ref().and_then(|local| local.read_ms)
    }
}

/// Tells.
pub fn run(setup: &Setup, args: &StatusArgs) -> Result<ExitCode> {
    let now = now_ms();
    let stale_ms = match &args.stale_after {
        Some(text) => parse_duration_ms(text).map_err(|why| anyhow!("--stale-after: {why}"))?,
        None => DAY_MS,
    };
    if args.nagios {
        return nagios::run(setup, now, args.stale_after.as_ref().map(|_| stale_ms));
    }
    let config = setup.config()?;
    let store = setup.engine(&config)?;
    let mut rows = rows(store.history(), now, stale_ms)?;
    let held = held(&store, &config)?;
    for row in &mut rows {
        let of_it = |one: &&HeldSource| (&one.host, &one.kind) == (&row.source.host, &row.source.kind);
        row.held = held.sources.iter().find(of_it).cloned();
    }
    if args.limits {
        output::table(&limits::table(&store, &config, &rows)?, &[], args.format)?;
        return Ok(ExitCode::SUCCESS);
    }
    match args.format {
        Format::Json => output::json(&json::answer(&store, &config, &rows, now)?)?,
        Format::Csv => output::table(&table(&rows), &["first", "last", "read"], args.format)?,
        Format::Table => {
            let alerts = alerts(&config)?;
            summary::print(setup, &alerts, &rows, now)?;
            output::line("")?;
            output::table(&summary::table(&rows), &[], args.format)?;
            talk(&store, &config, &alerts, &rows)?;
            if let Some(words) = held_back(&held, config.store.retain_days) {
                output::line(&words)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn held(store: &Engine, config: &Config) -> Result<HeldBack> {
    Ok(match store {
        Engine::Embedded(store) => store.held_back(&retention(config.store.retain_days))?,
        Engine::ClickHouse(_) => HeldBack::default(),
    })
}

fn rows(store: &dyn History, now: i64, stale_ms: i64) -> Result<Vec<Row>> {
    let row = |source: SourceSummary| {
        let health = health::assess(&source.minutes);
        let damaged = source.local.as_ref().is_some_and(|local| !local.damaged.is_empty());
        let age_ms = source.span_ms.map(|(_, last)| now - last);
        let state = match () {
            () if health.readability == Readability::Unreadable => State::Unreadable,
            () if source
                .local
                .as_ref()
                .is_some_and(|local| !local.clock_doubts.is_empty()) =>
            {
                State::Unreadable
            }
            () if damaged => State::Damaged,
            () if age_ms.is_none_or(|age| age > stale_ms) => State::Stale,
            () => State::Ok,
        };
        let read_ms = source.local.as_ref().and_then(|local| local.read_ms);
        let lag_ms = read_ms.zip(source.span_ms).map(|(read, (_, last))| read - last);
        Row {
            health,
            state,
            age_ms,
            // The age of an archive is no lag.
            lag_ms: lag_ms.filter(|lag| (0..DAY_MS).contains(lag)),
            held: None,
            source,
        }
    };
    Ok(store.summaries(HISTORY_MS)?.into_iter().map(row).collect())
}

fn percent(counts: &Counts) -> f64 {
    100.0 * unparsed_share(counts)
}

fn table(rows: &[Row]) -> Table {
    let text = |pick: &dyn Fn(&Row) -> String| Values::Text(rows.iter().map(|row| Some(pick(row))).collect());
    let int = |pick: &dyn Fn(&Row) -> u64| Values::Int(rows.iter().map(|row| Some(pick(row) as i64)).collect());
    let maybe = |pick: &dyn Fn(&Row) -> Option<i64>| Values::Int(rows.iter().map(pick).collect());
    let local = |pick: &dyn Fn(&LocalSource) -> u64| {
        let values = rows
            .iter()
            .map(|row| row.source.local.as_ref().map(|local| pick(local) as i64));
        Values::Int(values.collect())
    };
    let share = |pick: &dyn Fn(&Row) -> f64| Values::Float(rows.iter().map(|row| Some(pick(row))).collect());
    let columns = [
        ("host", text(&|row| row.source.host.clone())),
        ("source", text(&|row| row.source.kind.clone())),
        ("state", text(&|row| row.state.as_str().to_owned())),
        ("logs", local(&|local| local.logs)),
        ("first", maybe(&|row| row.source.span_ms.map(|span| span.0))),
        ("last", maybe(&|row| row.source.span_ms.map(|span| span.1))),
        ("age_s", maybe(&|row| row.age_ms.map(|age| age / 1000))),
        ("read", maybe(&Row::read_ms)),
        ("lag_s", maybe(&|row| row.lag_ms.map(|lag| lag / 1000))),
        ("lines", int(&|row| row.source.counts.lines)),
        ("events", int(&|row| row.source.counts.events)),
        ("ignored", int(&|row| row.source.counts.ignored)),
        ("duplicates", local(&|local| local.duplicates)),
        ("unparsed", int(&|row| row.source.counts.unparsed)),
        ("unparsed_percent", share(&|row| percent(&row.source.counts))),
        (
            "odd_fields",
            local(&|local| local.odd_fields.iter().map(|field| field.count).sum()),
        ),
        ("hour_unparsed_percent", share(&|row| percent(&row.health.last_hour))),
        ("damaged_logs", local(&|local| local.damaged.len() as u64)),
        ("open_messages", local(&|local| local.open_messages)),
        ("held_back", int(&|row| row.held.as_ref().map_or(0, |held| held.events))),
    ];
    Table::of(columns)
}

/// What the segments of a store hold.
struct Contents {
    events: u64,
    segments: usize,
    bytes: u64,
}

impl Contents {
    fn of(store: &Store) -> Result<Contents> {
        let segments = store.segments(i64::MIN, i64::MAX)?;
        Ok(Contents {
            events: segments.iter().map(|segment| segment.rows).sum(),
            segments: segments.len(),
            bytes: segments
                .iter()
                .map(|segment| segment.events_bytes + segment.rates_bytes)
                .sum(),
        })
    }
}

fn talk(store: &Engine, config: &Config, alerts: &Alerts, rows: &[Row]) -> Result<()> {
    output::line("")?;
    for line in unsent(alerts) {
        output::line(&line)?;
    }
    match store {
        Engine::Embedded(store) => {
            let contents = Contents::of(store)?;
            output::line(&format!(
                "store {}: {} events in {}, {}",
                store.path().display(),
                human::count(i64::try_from(contents.events).unwrap_or(i64::MAX)),
                human::counted(contents.segments as u64, "segment"),
                human::size(contents.bytes)
            ))?;
        }
        Engine::ClickHouse(client) => output::line(&format!("store {}", client.place()))?,
    }
    if let Some((first, last)) = store.history().span(i64::MAX)? {
        output::line(&format!("events from {} to {}", rfc3339(first), rfc3339(last)))?;
    }
    if let Some(complete) = complete(alerts, store.history())? {
        output::line(&complete.words())?;
    }
    if let Engine::Embedded(store) = store {
        for one in store.missing(None)? {
            output::line(&format!("missing: {}", one.words()))?;
        }
        let (services, services_max) = (store.derived_services_max()?, config.store.services_max as u64);
        if services >= services_max {
            output::line(&format!(
                "services: all {services_max} of store.services_max are taken: mail of further senders is unattributed \
                 until they are used more than the least used of these; write [[service]] rules (`mailpulse services discover`), or raise it"
            ))?;
        }
        if store.is_half_relabelled()? {
            output::line(
                "services: `services relabel` runs, or was broken off half-way, so that names end in the middle of the history: \
                 run it again",
            )?;
        }
        if let Some(waiting) = store.waiting()? {
            output::line(&shipping(&waiting, now_ms()))?;
        }
        aside(store)?;
        for trouble in store.troubles()? {
            output::line(&trouble_line(&trouble))?;
        }
    }
    for row in rows {
        for doubt in row.clock_doubts() {
            output::line(&format!(
                "unreadable: {} ({}): {}",
                row.source.host, row.source.kind, doubt
            ))?;
        }
        if row.state == State::Unreadable && row.health.cause() == Cause::Foreign {
            output::line(&format!(
                "unreadable: {} ({}): all {} lines of its last hour were written by other programs; if {} logs under \
                 another name, give the source `syslog_tag`: `mailpulse check` proposes it",
                row.source.host, row.source.kind, row.health.last_hour.lines, row.source.kind
            ))?;
        } else if row.reason() == Some("format") {
            let Health { recent, history, .. } = &row.health;
            output::line(&format!(
                "unreadable: {} ({}): {:.0} % of the newest {} lines do not parse, {:.1} % of those before; its format \
                 has changed, or it is no log of this kind: `mailpulse parse --explain` shows where a line stops to parse",
                row.source.host,
                row.source.kind,
                percent(recent),
                recent.lines,
                percent(history)
            ))?;
        }
        if let Some(path) = row.source.local.as_ref().and_then(|local| local.twice_in.as_deref()) {
            output::line(&format!(
                "{} ({}): {} of {} lines, most of them in {}: {WRITTEN_TWICE}",
                row.source.host, row.source.kind, row.source.counts.duplicates, row.source.counts.lines, path
            ))?;
        }
        for what in row.damaged() {
            output::line(&format!("damaged: {}", what))?;
        }
        for odd in row.odd_fields().iter().take(ODD_FIELDS_SHOWN) {
            output::line(&format!(
                "odd field on {}: {} x {} is not of its form and was left out, as in `{}` ({})",
                row.source.host, odd.count, odd.field, odd.sample, odd.path
            ))?;
        }
        for shape in row.shapes() {
            output::line(&format!(
                "unparsed on {}: {} x `{}` ({})",
                row.source.host, shape.count, shape.sample, shape.why
            ))?;
        }
    }
    Ok(())
}

/// Alarms that nobody has been told of: those that a silence holds back, and those that a channel does not take.
fn unsent(alerts: &Alerts) -> Vec<String> {
    let silenced = alerts.silenced.iter();
    let mut lines: Vec<String> = silenced.map(|alarm| format!("silenced: {}", alarm.summary)).collect();
    let provisional = alerts.provisional.iter();
    lines.extend(provisional.map(|alarm| format!("provisional, not sent: {}", alarm.summary)));
    let failing = alerts.channels().into_iter();
    lines.extend(failing.filter_map(|channel| {
        Some(format!(
            "not delivered: {} notices wait for {} and {} were refused, since {}: {}",
            channel.waiting,
            channel.name,
            channel.refused,
            rfc3339(channel.since?.saturating_mul(1_000)),
            channel.why?
        ))
    }));
    lines
}

/// From when on volume alarms are complete.
struct Since {
    /// Seconds since 1970.
    seconds: i64,
    /// `watch` has not judged this store: by the age of its first event alone.
    guessed: bool,
}

impl Since {
    fn words(&self) -> String {
        let from = rfc3339(self.seconds.saturating_mul(1_000));
        let by = if self.guessed {
            ", by the age of the first event"
        } else {
            ""
        };
        format!("volume alarms are complete from {from} on (14 days of history{by}); before, they are provisional")
    }
}

/// As `watch` has found, or by the first event; `None` for a store without mail.
fn complete(alerts: &Alerts, store: &dyn History) -> Result<Option<Since>> {
    let first = store.span(i64::MAX)?.map(|(first, _)| first);
    let young_ms = i64::from(Tuning::default().provisional_d) * DAY_MS;
    let guess = first.map(|first| Since {
        seconds: (first.div_euclid(DAY_MS) * DAY_MS + DAY_MS + young_ms) / 1_000,
        guessed: true,
    });
    let found = alerts.complete.map(|seconds| Since {
        seconds,
        guessed: false,
    });
    Ok(found.or(guess))
}

/// What waits for a decision of the operator's.
fn aside(store: &Store) -> Result<()> {
    if store.ship_undecided()? {
        let path = store.path().to_owned();
        output::line(&format!("ship: {}", StoreError::ShipUndecided { path }))?;
    }
    let lost = store.lost_found();
    if lost.files > 0 {
        output::line(&format!(
            "lost+found: {} files that nothing refers to, {}",
            lost.files,
            human::size(lost.bytes)
        ))?;
    }
    Ok(())
}

/// How far the sending has come.
fn shipping(waiting: &Waiting, now_ms: i64) -> String {
    let lag = human::duration(
        waiting
            .oldest_ms
            .map_or(0, |oldest| (now_ms - oldest).max(0) / 1_000 * 1_000),
    );
    let sent = waiting.sent_ms.map_or("never".to_owned(), rfc3339);
    let mut text = format!(
        "ship: {} payloads wait ({}), the oldest for {lag}; last sent: {sent}",
        waiting.payloads,
        human::size(waiting.bytes)
    );
    if waiting.clock_ahead_ms.abs() > CLOCKS_APART_MS {
        text += &format!("\nship: {}", clocks_apart(waiting.clock_ahead_ms));
    }
    if waiting.refused > 0 {
        let why = waiting.why.as_deref().unwrap_or_default();
        text += &format!("\nship: {} payloads were refused and are aside: {why}", waiting.refused);
    }
    text
}

/// A trouble that lasts.
fn trouble_line(trouble: &Trouble) -> String {
    format!(
        "{}: {} (since {}, last seen {}, {} times)",
        trouble.topic,
        trouble.what,
        rfc3339(trouble.since_ms),
        rfc3339(trouble.last_ms),
        trouble.count
    )
}

/// What `watch` left. A file that is broken is set aside by the next `watch`; nothing else need wait for that.
fn alerts(config: &Config) -> Result<Alerts> {
    let path = alerts_path(config);
    match Alerts::load(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            output::talk(&format!("{}: {error}; `mailpulse watch` sets it aside", path.display()));
            Ok(Alerts::default())
        }
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            let hint = crate::store::readers(&path).unwrap_or_default();
            Err(anyhow!("{}: {error}; {hint}", path.display()))
        }
        loaded => loaded.with_context(|| path.display().to_string()),
    }
}

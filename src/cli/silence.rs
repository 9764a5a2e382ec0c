//! `mailpulse silence`: planned work. Alarms are found as always, and not reported for a time.

use super::output::{self, Format};
use crate::cli::next::next_command;
use crate::clock::now_ms;
use crate::config::Config;
use crate::model::human;
use crate::model::time::{DAY_MS, End, MINUTE_MS, UtcMs, parse_duration_ms, rfc3339};
use crate::planned::{AlertSilence, KeptSilence, PlannedList, REASON_MAX, SilenceTarget, checked};
use crate::setup::Setup;
use crate::setup::known_names;
use crate::setup::planned::{change, planned, silences_path};
use crate::store::columnar::{Table, Values};
use anyhow::{Result, anyhow, bail};
use jiff::Timestamp;
use std::io;
use std::process::ExitCode;

/// Longest silence: what lasts longer belongs into the configuration, where people see it.
const DAYS_MAX: i64 = 366;

/// Arguments of `silence`.
#[derive(Debug, clap::Args)]
pub(super) struct SilenceArgs {
    #[command(subcommand)]
    command: SilenceCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SilenceCommand {
    /// Do not report alarms about a relay, service, hostgroup, or provider for a time; what still lasts at its end is
    /// reported then
    Add(Box<AddArgs>),
    /// List silences, including those of the configuration
    List(ListArgs),
    /// End a silence now
    End(EndArgs),
}

/// Arguments of `silence add`.
#[derive(Debug, clap::Args)]
struct AddArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Length: 30m, 2h, 1d
    #[arg(
        long = "for",
        value_name = "DURATION",
        required_unless_present = "until",
        conflicts_with = "until"
    )]
    length: Option<String>,
    /// End: 2018-06-06T18:00Z, "2018-06-06 18:00" (UTC)
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Start [default: now]
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    from: Option<String>,
    /// Why, for those who read `status`, alarms, and graphs
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct TargetArgs {
    /// Relay, or a glob of relays; includes alarms that the relay is the cause of, and alarms about its log
    #[arg(long, value_name = "NAME")]
    relay: Option<String>,
    /// Service, or a glob of services
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Hostgroup, or a glob of hostgroups
    #[arg(long, value_name = "NAME")]
    hostgroup: Option<String>,
    /// Provider, or a glob of providers
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
}

/// Arguments of `silence list`.
#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Include silences that are over
    #[arg(long)]
    all: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Arguments of `silence end`.
#[derive(Debug, clap::Args)]
struct EndArgs {
    /// ID, as `silence list` shows it
    #[arg(value_name = "ID")]
    id: String,
}

/// Adds, lists or ends.
pub(super) fn run(setup: &Setup, args: &SilenceArgs) -> Result<ExitCode> {
    let config = setup.config()?;
    match &args.command {
        SilenceCommand::Add(args) => add(setup, &config, args),
        SilenceCommand::List(args) => list(&config, args),
        SilenceCommand::End(args) => end(&config, args),
    }
}

fn add(setup: &Setup, config: &Config, args: &AddArgs) -> Result<ExitCode> {
    let now = now_ms();
    let reason = checked(&args.reason, REASON_MAX).map_err(|why| anyhow!("--reason {why}"))?;
    let target = args.target.target();
    let (kind, name) = target.parts();
    known_names::check_glob(setup.engine(config)?.history(), config, kind, name)?;
    let (from_ms, until_ms) = span(args, now)?;
    let silence = KeptSilence {
        id: 0,
        target: target.clone(),
        from_ms,
        until_ms,
        reason,
    };
    let id = change(&silences_path(config), |list: &mut PlannedList<KeptSilence>| {
        list.add(silence, now)
    })?;
    output::line(&format!(
        "s{id}: {kind} {name} is silenced from {} to {} ({})",
        rfc3339(from_ms),
        rfc3339(until_ms),
        human::duration(until_ms - from_ms)
    ))?;
    output::talk(&match until_ms <= now {
        true => "it is over: it changes only graphs and reports".to_owned(),
        false => format!(
            "alarms are still found and shown; what lasts at the end is reported then. `{}` ends it earlier",
            next_command(setup, &format!("silence end s{id}"))
        ),
    });
    Ok(ExitCode::SUCCESS)
}

impl TargetArgs {
    fn target(&self) -> SilenceTarget {
        match self {
            TargetArgs { relay: Some(name), .. } => SilenceTarget::Relay(name.clone()),
            TargetArgs {
                service: Some(name), ..
            } => SilenceTarget::Service(name.clone()),
            TargetArgs {
                hostgroup: Some(name), ..
            } => SilenceTarget::Hostgroup(name.clone()),
            TargetArgs { provider, .. } => SilenceTarget::Provider(provider.clone().unwrap_or_default()),
        }
    }
}

/// Beginning and end. It begins with its minute: `watch` may not have judged it yet.
fn span(args: &AddArgs, now_ms: UtcMs) -> Result<(UtcMs, UtcMs)> {
    let clock = End::clock(now_ms);
    let parse = |flag: &str, text: &String| clock.parse(text).map_err(|why| anyhow!("{flag}: {why}"));
    let from_ms = args.from.as_ref().map_or(Ok(now_ms), |text| parse("--from", text))?;
    let from_ms = from_ms.floor_to(MINUTE_MS);
    let until_ms = match (&args.length, &args.until) {
        (Some(text), _) => {
            let length = parse_duration_ms(text).map_err(|why| anyhow!("--for: {why}"))?;
            // From now on, where nothing else is said: not from the minute's beginning.
            args.from.as_ref().map_or(now_ms, |_| from_ms).saturating_add(length)
        }
        (None, Some(text)) => parse("--until", text)?,
        (None, None) => bail!("a silence needs an end: --for 2h, or --until TIME"),
    };
    let until_ms = until_ms.saturating_add(MINUTE_MS - 1).floor_to(MINUTE_MS);
    if until_ms <= from_ms {
        bail!(
            "the silence would end at {}, which is not after its beginning at {}",
            rfc3339(until_ms),
            rfc3339(from_ms)
        );
    }
    if until_ms - from_ms > DAYS_MAX * DAY_MS {
        bail!("a silence lasts {DAYS_MAX} days at most; for a longer one write a [[silence]] into the configuration");
    }
    Ok((from_ms, until_ms))
}

fn end(config: &Config, args: &EndArgs) -> Result<ExitCode> {
    if config.silences.iter().any(|silence| silence.name == args.id) {
        bail!("{}: it is a [[silence]] of the configuration; remove it there", args.id);
    }
    let id = args.id.strip_prefix('s').unwrap_or(&args.id).parse::<u64>().ok();
    let now = now_ms();
    let ended = change(&silences_path(config), |list: &mut PlannedList<KeptSilence>| {
        let Some(at) = list.entries.iter().position(|one| Some(one.id) == id) else {
            let what = format!(
                "there is no silence {}; `mailpulse silence list --all` shows them",
                args.id.escape_debug()
            );
            return Err(io::Error::new(io::ErrorKind::NotFound, what));
        };
        let silence = &mut list.entries[at];
        let minute = now.floor_to(MINUTE_MS);
        if silence.until_ms <= minute {
            return Ok(format!("s{} was over at {}", silence.id, rfc3339(silence.until_ms)));
        }
        if silence.from_ms >= minute {
            let silence = list.entries.remove(at);
            return Ok(format!("s{} is removed: it had not begun", silence.id));
        }
        silence.until_ms = minute;
        Ok(format!("s{} ends now; what still lasts is reported", silence.id))
    })?;
    output::line(&ended)?;
    Ok(ExitCode::SUCCESS)
}

fn list(config: &Config, args: &ListArgs) -> Result<ExitCode> {
    let now = Timestamp::from_millisecond(now_ms().get()).map_err(|why| anyhow!("{why}"))?;
    let planned = planned(config)?;
    let shown: Vec<&AlertSilence> = planned
        .silences
        .iter()
        .filter(|silence| args.all || state(silence, now) != "over")
        .collect();
    let text = |say: &dyn Fn(&AlertSilence) -> Option<String>| Values::Text(shown.iter().map(|one| say(one)).collect());
    let time = |pick: &dyn Fn(&AlertSilence) -> Option<Timestamp>| {
        Values::Int(
            shown
                .iter()
                .map(|one| pick(one).map(Timestamp::as_millisecond))
                .collect(),
        )
    };
    let table = Table::of([
        ("id", text(&|one| Some(one.name.clone()))),
        ("about", text(&|one| Some(one.about()))),
        ("state", text(&|one| Some(state(one, now).to_owned()))),
        ("from", time(&|one| one.from)),
        ("until", time(&|one| one.until)),
        (
            "weekly",
            Values::Bool(shown.iter().map(|one| Some(one.weekly.is_some())).collect()),
        ),
        ("reason", text(&|one| Some(one.reason.clone()))),
    ]);
    output::table(&table, &["from", "until"], args.format)?;
    if shown.is_empty() && args.format == Format::Table {
        output::talk("no silence; --all shows those that are over");
    }
    Ok(ExitCode::SUCCESS)
}

fn state(silence: &AlertSilence, now: Timestamp) -> &'static str {
    match silence {
        _ if silence.until.is_some_and(|until| until <= now) => "over",
        _ if silence.from.is_some_and(|from| from > now) => "planned",
        _ if silence.is_time(now) => "active",
        // Of the week another hour.
        _ => "planned",
    }
}

//! `mailpulse watch`: the detection over the store as it grows; alarms go out as configured.
//!
//! At start the history is replayed, then every round takes the minutes that are new. Rows that arrive for minutes which
//! have been judged already count only after a restart.

use super::complete::Completeness;
use super::context::Context;
use super::detect::{MINUTE_MS, RuleArgs, alarm_json, marked, minute, name_of, notice_id, options};
use super::window::now_ms;
use crate::alert::state::{Seen, State};
use crate::alert::{Alertmanager, Authorities, Channel, Exec, Notice, Stdout, Webhook};
use crate::config::{Alert, Config, Server};
use crate::detect::alarm::Alarm;
use crate::detect::engine::{Engine, Options};
use crate::detect::fleet::Names;
use crate::query::Window;
use crate::query::fleet::fleet_after;
use crate::query::history::{AHEAD_MS, History, present};
use crate::store::attributed::Reason;
use crate::store::incomplete::Incomplete;
use anyhow::{Context as _, Result, anyhow, bail};
use jiff::Timestamp;
use serde_json::json;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Arguments of `watch`.
#[derive(Debug, clap::Args)]
pub struct WatchArgs {
    /// One round, then exit: 1 if something fires
    #[arg(long)]
    once: bool,
    /// Seconds from look to look for a minute that is over
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    interval: u64,
    /// Alarm when the newest event is older than so many minutes; 0: never (for stores that nothing writes to any more)
    #[arg(long, value_name = "MINUTES", default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    stale: u32,
    #[command(flatten)]
    rules: RuleArgs,
}

/// What was not delivered is tried again after so long, and so often is looked whether anything comes in at all.
const CARE: Duration = Duration::from_secs(15);
/// A minute is judged when the store holds events so much newer than its end.
const SETTLES_MS: i64 = 15_000;

fn seconds(text: &str) -> Result<u64, String> {
    let number = text.strip_suffix('s').unwrap_or(text).parse::<u64>();
    number
        .ok()
        .filter(|number| (1..=300).contains(number))
        .ok_or_else(|| "expected seconds from 1 to 300, as 15s".to_owned())
}

/// Watches.
pub fn run(context: &Context, args: &WatchArgs) -> Result<ExitCode> {
    let config = context.config()?;
    let channels = channels(&config)?;
    if channels.is_empty() {
        super::output::talk("no [[alert]] is configured: alarms are only kept for `mailpulse status`");
    }
    let engine = context.engine()?;
    let store = engine.history();
    let path = Context::alerts_path(&config);
    if config.store.remote.is_some() {
        crate::files::make_folder(&config.store.folder).with_context(|| config.store.folder.display().to_string())?;
    }
    let _lock = lock(&path)?;
    let (mut state, broken) = State::load_or_set_aside(&path).with_context(|| path.display().to_string())?;
    if let Some(what) = broken {
        tracing::warn!("{}", what);
    }
    state.serve(&channels);
    let names: Vec<String> = state.channels().into_iter().map(|channel| channel.name).collect();
    tracing::info!("{} channels: {}", names.len(), names.join(", "));
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("signals")?;
    }
    let options = options(&config, &args.rules)?;
    let mut watch = Watch {
        engine: Engine::new(options.clone()),
        options,
        names: Names::default(),
        next: None,
        cared: None,
        relabelled: None,
        said: false,
    };
    let mut lacking = Lacking::default();
    loop {
        let round = round(&mut watch, store, &config, args, &mut state, &channels, &path);
        if args.once {
            round?;
            let fires = !state.firing.is_empty();
            return Ok(if fires { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
        if let Err(error) = round {
            // A segment may have been compacted away between list and reading: the next round sees the new list.
            tracing::warn!("{}", super::safe_error(&error));
        }
        lacking.tell(&context.incomplete);
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(args.interval) {
            if stop.load(Ordering::Relaxed) {
                return Ok(ExitCode::SUCCESS);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// What the history lacks, as it was told last.
#[derive(Default)]
struct Lacking(Vec<String>);

impl Lacking {
    /// Tells what is lacking when that is news. It goes on: what can be judged is judged.
    fn tell(&mut self, incomplete: &Incomplete) {
        let lines = super::incomplete::lines(incomplete).unwrap_or_default();
        incomplete.clear();
        if !lines.is_empty() && lines != self.0 {
            tracing::warn!("{}", lines.join("\n"));
            self.0 = lines;
        }
    }
}

/// Held while this process tells alarms: two would tell each of them twice.
fn lock(path: &Path) -> Result<File> {
    let path = path.with_extension("lock");
    let name = path.display().to_string();
    // A link that somebody put there is not followed, and nothing is truncated.
    let mut options = File::options();
    options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o640)
        .custom_flags(libc::O_NOFOLLOW);
    let file = options.open(&path).with_context(|| name.clone())?;
    if file.try_lock().is_err() {
        bail!("{name}: another `mailpulse watch` runs on this store");
    }
    Ok(file)
}

fn channels(config: &Config) -> Result<Vec<Box<dyn Channel>>> {
    let channel = |alert: &Alert| -> Result<Box<dyn Channel>> {
        Ok(match alert {
            Alert::Alertmanager(server) => Box::new(Alertmanager::new(&server.url, authorities(server)?)),
            Alert::Webhook(server, key) => {
                let key = key.as_ref().map(|key| key_of(&key.value)).transpose()?;
                Box::new(Webhook::new(&server.url, key, authorities(server)?))
            }
            Alert::Exec(command) => Box::new(Exec::new(command.value.clone())),
            Alert::Stdout => Box::new(Stdout),
        })
    };
    config.alerts.iter().map(channel).collect()
}

/// The key that signs a webhook's notices.
pub(super) fn key_of(path: &Path) -> Result<Vec<u8>> {
    let name = path.display().to_string();
    let key = std::fs::read(path).with_context(|| name.clone())?;
    let key = key.trim_ascii().to_vec();
    if key.is_empty() {
        bail!("{name}: the key is empty");
    }
    Ok(key)
}

/// Who vouches for a server, if it is not the machine's authorities.
pub(super) fn authorities(server: &Server) -> Result<Option<Authorities>> {
    let read = |path: &std::path::PathBuf| {
        let name = path.display().to_string();
        let pem = std::fs::read(path).with_context(|| name.clone())?;
        Authorities::parse(&pem)
            .map_err(|why| anyhow!("{name}: {why}; `ca_file` needs the authority's certificate as PEM"))
    };
    server.ca_file.as_ref().map(read).transpose()
}

/// The detection and how far it has come.
struct Watch {
    engine: Engine,
    /// What it was made of.
    options: Options,
    names: Names,
    /// The first minute that was not judged.
    next: Option<i64>,
    /// When deliveries were last tried.
    cared: Option<Instant>,
    /// The note of the last time that stored rows were attributed anew.
    relabelled: Option<i64>,
    /// It was said from when on volume alarms are complete.
    said: bool,
}

impl Watch {
    /// Judges what is new; whether anything was.
    fn step(&mut self, store: &dyn History, now_ms: i64) -> Result<bool> {
        // Nothing is judged before it has happened: neither by a row with a wrong date nor by a clock that is ahead.
        let now = present(store, now_ms)?;
        if self
            .next
            .is_some_and(|next| next * MINUTE_MS > now.saturating_add(AHEAD_MS))
        {
            tracing::warn!("the clock was set back by over a day: what was judged in between is judged anew");
            self.begin_anew();
        }
        // What was learnt is of rows that bear other names now.
        let relabelled = relabelled(store)?;
        if relabelled != self.relabelled && self.next.is_some() {
            tracing::info!("stored rows were attributed anew: the history is judged anew");
            self.begin_anew();
        }
        self.relabelled = relabelled;
        let Some((_, newest)) = store.span(now)? else {
            return Ok(false);
        };
        // A line that is no event says as well as one that its minute has come.
        let newest = newest.max(store.line_ms(now)?.unwrap_or(newest));
        let window = Window {
            since_ms: self.next.map_or(i64::MIN, |next| next * MINUTE_MS),
            // A tail that finds nothing more ends a minute as well as an event of the next one does.
            until_ms: store.heartbeat_ms(now)?.unwrap_or(i64::MIN).max(newest - SETTLES_MS),
        };
        if window.until_ms.div_euclid(MINUTE_MS) <= window.since_ms.div_euclid(MINUTE_MS) {
            return Ok(false);
        }
        // The names stay as they are when reading fails.
        let fleet = fleet_after(store, window, self.names.clone())?;
        for minute in &fleet.minutes {
            self.engine.step(&fleet.names, minute);
            self.next = Some(minute.at + 1);
        }
        self.names = fleet.names;
        Ok(!fleet.minutes.is_empty())
    }

    /// The history is replayed in the next step.
    fn begin_anew(&mut self) {
        (self.engine, self.names, self.next) = (Engine::new(self.options.clone()), Names::default(), None);
    }

    /// Whether it is time for what does not wait for minutes.
    fn cares(&mut self) -> bool {
        let is_due = self.cared.is_none_or(|last| last.elapsed() >= CARE);
        if is_due {
            self.cared = Some(Instant::now());
        }
        is_due
    }
}

/// The note of the last time that stored rows were attributed anew.
fn relabelled(store: &dyn History) -> Result<Option<i64>> {
    let changes = store.attribution_changes()?.into_iter();
    let numbers = changes.filter(|change| change.note.reason == Reason::Relabelled);
    Ok(numbers.map(|change| change.number).max())
}

/// Judges, notes, delivers.
fn round(
    watch: &mut Watch,
    store: &dyn History,
    config: &Config,
    args: &WatchArgs,
    state: &mut State,
    channels: &[Box<dyn Channel>],
    path: &Path,
) -> Result<()> {
    let now = now_ms();
    let judged = watch.step(store, now)?;
    if !watch.cares() && !judged {
        return Ok(());
    }
    if let Some(next) = watch.next {
        let judged = next * 60;
        let at = Timestamp::from_second(judged).map_err(|why| anyhow!("{why}"))?;
        let complete = Completeness::of(&watch.engine);
        if !std::mem::replace(&mut watch.said, true) {
            complete.talk();
        }
        state.complete = complete.seconds();
        // Those that were taken in are over, and their ends say in what.
        let seen = watch.engine.groups.alarms.iter().map(|alarm| {
            let notice = notice(alarm, &watch.names);
            let silenced = config
                .silences
                .iter()
                .any(|silence| silence.holds(&notice.kind, &notice.name, at));
            Seen {
                notice,
                detected: alarm.detected * 60,
                silenced,
                provisional: alarm.provisional && !config.detect.send_provisional,
                is_part: alarm.part_of.is_some(),
            }
        });
        let mut seen: Vec<Seen> = seen.collect();
        seen.extend(stale(store, args.stale, now)?);
        let known = [state.silenced.clone(), state.provisional.clone()];
        state.update(&seen, judged);
        for (word, now, known) in [
            ("silenced", &state.silenced, &known[0]),
            ("provisional", &state.provisional, &known[1]),
        ] {
            let is_new = |one: &&Notice| known.iter().all(|told| told.id != one.id);
            for one in now.iter().filter(is_new) {
                tracing::info!("{word}, not sent: {}", one.summary);
            }
        }
        tracing::info!(
            "judged until {at}: {} alarms fire, {} silenced, {} provisional",
            state.firing.len(),
            state.silenced.len(),
            state.provisional.len()
        );
        // Kept before it is told: a crash in between tells later, not never.
        state.save(path).with_context(|| path.display().to_string())?;
    }
    for why in state.deliver(channels, now / 1_000) {
        tracing::warn!("not delivered, tried again later: {}", why);
    }
    state.save(path).with_context(|| path.display().to_string())
}

fn notice(alarm: &Alarm, names: &Names) -> Notice {
    let (kind, name) = alarm.scope.named(names);
    let state = alarm.state.as_str();
    let marked = marked(alarm);
    let members: Vec<&str> = alarm.members.iter().map(|m| names.service(m.service)).collect();
    let mut summary = format!("{kind} {name}: {marked} since {}", minute(alarm.onset));
    if !members.is_empty() {
        summary = format!("{summary}; affected: {}", members.join(", "));
    }
    if let Some(whole) = alarm.whole {
        summary = format!("{summary}; now part of {}", name_of(whole, names));
    }
    Notice {
        id: notice_id(alarm, names),
        kind: kind.to_owned(),
        name: name.to_owned(),
        state: state.to_owned(),
        relay: alarm.cause.as_ref().map(|cause| names.host(cause.relay).to_owned()),
        summary,
        description: alarm.evidence.join("; "),
        starts: alarm.onset * 60,
        ends: alarm.ended.map(|ended| ended * 60),
        alarm: alarm_json(alarm, names),
        now: None,
    }
}

/// Nothing at all comes in any more: no minute passes, so that no layer can say it.
fn stale(store: &dyn History, minutes: u32, now_ms: i64) -> Result<Option<Seen>> {
    let present = present(store, now_ms)?;
    let Some((_, newest)) = store.span(present)? else {
        return Ok(None);
    };
    let newest = newest
        .max(store.line_ms(present)?.unwrap_or(newest))
        .max(store.heartbeat_ms(present)?.unwrap_or(newest));
    if minutes == 0 || now_ms - newest < i64::from(minutes) * MINUTE_MS {
        return Ok(None);
    }
    let since = minute(newest / MINUTE_MS);
    let summary = format!("no event has come into the store since {since}, and no tail reads: no verdict on any mail");
    Ok(Some(Seen {
        notice: Notice {
            id: format!("store/events/{since}"),
            kind: "store".to_owned(),
            name: "events".to_owned(),
            state: "blind".to_owned(),
            relay: None,
            description: summary.clone(),
            alarm: json!({ "series": { "store": "events" }, "state": "blind", "onset": since, "ended": null }),
            now: None,
            summary,
            starts: newest / 1_000,
            ends: None,
        },
        detected: now_ms / 1_000,
        silenced: false,
        provisional: false,
        is_part: false,
    }))
}

//! Watching: the detection over the store as it grows; alarms go out as configured.

mod heartbeat;
mod notices;

use crate::alert::state::{AlertState, SeenAlarm};
use crate::alert::{AlertChannel, Notice};
use crate::analysis::alarm_evidence::AlarmEvidence;
use crate::analysis::completeness::Completeness;
use crate::analysis::incomplete::lines;
use crate::analysis::kept::Kept;
use crate::analysis::live::{Live, silent_since};
use crate::analysis::planned_work::{held_json, subject};
use crate::clock::now_ms;
use crate::config::Config;
use crate::detect::engine::Options;
use crate::model::text::safe_error;
use crate::model::time::Minute;
use crate::planned::Planned;
use crate::query::history::MailHistory;
use crate::service::orders::Told;
use crate::setup::Setup;
use crate::setup::alerts::{alerts_path, heartbeats, kept_path};
use crate::setup::planned::planned;
use crate::store::segments::Incomplete;
use anyhow::{Context as _, Result, anyhow, bail};
use heartbeat::JudgedLast;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How to watch.
#[derive(Debug)]
pub(crate) struct Watching {
    /// The detection's options.
    pub detection: Options,
    /// One round, then return.
    pub once: bool,
    /// From look to look for a minute that is over.
    pub interval: Duration,
    /// Alarm when nothing has come in for so many minutes; 0: never.
    pub stale: u32,
}

/// What was not delivered is tried again after so long, and so often is looked whether anything comes in at all.
const CARE: Duration = Duration::from_secs(15);

/// Watches until a signal, or for one round. Returns whether something fires.
///
/// # Errors
/// Another process watches this store; it, or the state of alarms, cannot be read or written.
pub(crate) fn run(
    setup: &Setup,
    config: &Config,
    channels: &[Box<dyn AlertChannel>],
    watching: Watching,
) -> Result<bool> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("signals")?;
    }
    let mut control = WatchControl {
        told: &mut || stop.load(Ordering::Relaxed).then_some(Told::Stop),
        is_well: &mut || (),
    };
    controlled(setup, config, channels, watching, &mut control)
}

/// Who tells a watch what to do, and is told how it goes.
pub(crate) struct WatchControl<'c> {
    /// What has been told meanwhile.
    pub told: &'c mut dyn FnMut() -> Option<Told>,
    /// A round went well.
    pub is_well: &'c mut dyn FnMut(),
}

/// The same until it is told to stop, or to take a configuration anew.
///
/// # Errors
/// As [`run`].
pub(crate) fn controlled(
    setup: &Setup,
    config: &Config,
    channels: &[Box<dyn AlertChannel>],
    watching: Watching,
    control: &mut WatchControl<'_>,
) -> Result<bool> {
    let engine = setup.engine(config)?;
    let store = engine.history();
    let path = alerts_path(config);
    if config.store.remote.is_some() {
        crate::files::make_folder(&config.store.folder).with_context(|| config.store.folder.display().to_string())?;
    }
    let _lock = lock(&path)?;
    let (mut state, broken) = AlertState::load_or_set_aside(&path).with_context(|| path.display().to_string())?;
    if let Some(what) = broken {
        tracing::warn!("{}", what);
    }
    state.serve(channels);
    let names: Vec<String> = state.channels().into_iter().map(|channel| channel.name).collect();
    tracing::info!("{} channels: {}", names.len(), names.join(", "));
    let mut watch = Watch {
        config,
        watching: &watching,
        channels,
        path: &path,
        live: Live::keeping(watching.detection.clone(), Kept::new(&kept_path(config))),
        evidence: AlarmEvidence::default(),
        state,
        cared: None,
        said: false,
        planned: Planned::default(),
        planned_fault: None,
    };
    let judged = JudgedLast::default();
    let _beating = match watching.once {
        // One round is no watch.
        true => None,
        false => heartbeat::start(heartbeats(config)?, judged.clone())?,
    };
    let mut lacking = Lacking::default();
    loop {
        let round = watch.round(store);
        if let (Ok(()), Some(next)) = (&round, watch.live.next) {
            judged.note(next.first_second());
        }
        if watching.once {
            round?;
            return Ok(!watch.state.firing.is_empty());
        }
        if round.is_ok() {
            (control.is_well)();
        }
        if let Err(error) = round {
            // A segment may have been compacted away between list and reading: the next round sees the new list.
            tracing::warn!("{}", safe_error(&error));
        }
        lacking.tell(&setup.incomplete);
        let begin = Instant::now();
        while begin.elapsed() < watching.interval {
            if (control.told)().is_some() {
                return Ok(false);
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
        let lines = lines(incomplete).unwrap_or_default();
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
        bail!(
            "{name}: another `mailpulse watch` runs on this store with this state; two need different names, `owner` in [detect]"
        );
    }
    Ok(file)
}

/// The detection, and what was told of it.
struct Watch<'w> {
    config: &'w Config,
    watching: &'w Watching,
    channels: &'w [Box<dyn AlertChannel>],
    /// Where the state of alarms is kept.
    path: &'w Path,
    live: Live,
    evidence: AlarmEvidence,
    state: AlertState,
    /// When deliveries were last tried.
    cared: Option<Instant>,
    /// It was said from when on volume alarms are complete.
    said: bool,
    /// What is silenced, as it was read last.
    planned: Planned,
    /// What is wrong with the files of planned work, as it was said last.
    planned_fault: Option<String>,
}

impl Watch<'_> {
    /// Judges, notes, delivers.
    fn round(&mut self, store: &dyn MailHistory) -> Result<()> {
        let now = now_ms();
        let path = self.path;
        let judged = self.live.step(store, now)?;
        if !self.cares() && !judged {
            return Ok(());
        }
        if let Some(next) = self.live.next {
            let judged = next.first_second();
            let at = judged.timestamp().map_err(|why| anyhow!("{why}"))?;
            let complete = Completeness::of(&self.live.engine);
            if !std::mem::replace(&mut self.said, true) {
                tracing::info!(target: "mailpulse::announce", "{}", complete.words());
            }
            self.state.complete = complete.second();
            self.read_planned();
            let mut seen = self.seen(store, next)?;
            seen.extend(silent_since(store, self.watching.stale, now)?.map(|newest| notices::silent(newest, now)));
            let known = [self.state.silenced.clone(), self.state.provisional.clone()];
            self.state.update(&seen, judged);
            for (word, now, known) in [
                ("silenced", &self.state.silenced, &known[0]),
                ("provisional", &self.state.provisional, &known[1]),
            ] {
                let is_new = |one: &&Notice| known.iter().all(|told| told.id != one.id);
                for one in now.iter().filter(is_new) {
                    tracing::info!("{word}, not sent: {}", one.summary);
                }
            }
            tracing::info!(
                "judged until {at}: {} alarms fire, {} silenced, {} provisional",
                self.state.firing.len(),
                self.state.silenced.len(),
                self.state.provisional.len()
            );
            // Kept before it is told: a crash in between tells later, not never.
            self.state.save(path).with_context(|| path.display().to_string())?;
        }
        for why in self.state.deliver(self.channels, now.second()) {
            tracing::warn!("not delivered, tried again later: {}", why);
        }
        self.state.save(path).with_context(|| path.display().to_string())
    }

    /// The alarms as they stand when all before a minute is judged. Those that were taken in are over, and their ends say in
    /// what.
    fn seen(&mut self, store: &dyn MailHistory, minute: Minute) -> Result<Vec<SeenAlarm>> {
        let names = self.live.names();
        let evidence = &mut self.evidence;
        let alarms = self.live.engine.groups.alarms.iter();
        let seen = alarms.map(|alarm| -> Result<SeenAlarm> {
            let mut notice = notices::notice(&evidence.of(store, alarm, names)?, names);
            let since = if alarm.ended.is_some() { alarm.detected } else { minute };
            let held = self.planned.held(subject(alarm, names), since, alarm.ended);
            // One that outlasted the silence was to be reported, and its end is.
            let held = held.filter(|held| alarm.ended.is_none() || held.is_never_reported);
            if let Some(held) = &held {
                notice.alarm["silenced"] = held_json(held);
            }
            Ok(SeenAlarm {
                notice,
                detected: alarm.detected.first_second(),
                silenced: held.is_some(),
                provisional: alarm.provisional && !self.config.detect.send_provisional,
                is_part: alarm.part_of.is_some(),
            })
        });
        seen.collect()
    }

    /// Reads what is silenced. Where that fails, what was read last holds on: a broken file must not page for planned work.
    fn read_planned(&mut self) {
        match planned(self.config) {
            Ok(read) => (self.planned, self.planned_fault) = (read, None),
            Err(error) => {
                if self.planned_fault.is_none() && self.planned.silences.is_empty() {
                    self.planned.silences.clone_from(&self.config.silences);
                }
                let fault = safe_error(&error);
                if self.planned_fault.as_ref() != Some(&fault) {
                    tracing::warn!("{fault}; the silences that were read last stay in effect");
                }
                self.planned_fault = Some(fault);
            }
        }
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

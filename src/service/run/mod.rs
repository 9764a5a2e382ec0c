//! Several parts in one process: each on a thread of its own and supervised. One that fails is reported, shown as failed, and
//! started again later and later, while the others go on.

mod part;
pub(crate) mod parts;
mod supervised;

pub(crate) use part::RunPart;

use crate::service::orders::{Signals, Told};
use crate::service::stored_trouble::StoredTrouble;
use crate::service::watchdog::{ReadingPulse, Watchdog};
use anyhow::{Context as _, Result, bail};
use sd_notify::NotifyState;
use std::path::{Path, PathBuf};
use std::time::Duration;
use supervised::{PartEvent, PartThread, PartWord};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Everything ends within two seconds of a signal; what takes longer is done again after the next start.
const STOP: Duration = Duration::from_millis(1_800);
/// What a part may take of it.
const PART_STOP: Duration = Duration::from_millis(1_500);
/// So long the next part waits for the one before: what watches needs the store that the tail makes.
const START: Duration = Duration::from_secs(10);

/// Runs parts until a signal; `folder` is that of the store, if there is one of ours.
///
/// # Errors
/// No part has ever been well: why.
pub(crate) fn run(parts: Vec<Box<dyn RunPart>>, folder: Option<&Path>) -> Result<()> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().context("tokio")?;
    runtime.block_on(Supervisor::start(parts, folder)?.serve())
}

/// How a part does.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PartState {
    Starting,
    Well,
    Failed(String),
    Ended,
}

struct Supervised {
    name: &'static str,
    state: PartState,
    /// Whether it has ever been well.
    was_well: bool,
    note: Option<StoredTrouble>,
    thread: PartThread,
}

struct Supervisor {
    parts: Vec<Supervised>,
    waiting: Vec<Box<dyn RunPart>>,
    folder: Option<PathBuf>,
    events: mpsc::UnboundedReceiver<PartEvent>,
    says: mpsc::UnboundedSender<PartEvent>,
    reading: ReadingPulse,
    is_ready: bool,
}

impl Supervisor {
    fn start(parts: Vec<Box<dyn RunPart>>, folder: Option<&Path>) -> Result<Supervisor> {
        if parts.is_empty() {
            bail!("no part is to run");
        }
        let (says, events) = mpsc::unbounded_channel();
        let mut waiting = parts;
        waiting.reverse();
        Ok(Supervisor {
            parts: Vec::new(),
            waiting,
            folder: folder.map(Path::to_owned),
            events,
            says,
            reading: ReadingPulse::default(),
            is_ready: false,
        })
    }

    async fn serve(mut self) -> Result<()> {
        let mut signals = Signals::new()?;
        let mut watchdog = Watchdog::new();
        let mut next_start = Instant::now();
        loop {
            tokio::select! {
                told = signals.next() => match told {
                    Told::Stop => return self.end(&mut signals).await,
                    Told::Reload => self.parts.iter().for_each(|part| part.thread.tell(Told::Reload)),
                },
                Some(event) = self.events.recv() => {
                    self.heard(event)?;
                    if self.parts.last().is_some_and(|part| part.state != PartState::Starting) {
                        next_start = Instant::now();
                    }
                }
                () = tokio::time::sleep_until(next_start), if !self.waiting.is_empty() => {
                    self.start_next()?;
                    next_start = Instant::now() + START;
                }
                () = watchdog.tick() => self.feed(&mut watchdog),
            }
            self.tell_when_ready();
        }
    }

    fn start_next(&mut self) -> Result<()> {
        let Some(part) = self.waiting.pop() else { return Ok(()) };
        let (name, at) = (part.name(), self.parts.len());
        let thread = PartThread::start(part, at, self.says.clone(), (self.reading.clone(), PART_STOP))?;
        self.parts.push(Supervised {
            name,
            state: PartState::Starting,
            was_well: false,
            note: self.folder.clone().map(|folder| StoredTrouble::new(folder, name)),
            thread,
        });
        Ok(())
    }

    fn heard(&mut self, event: PartEvent) -> Result<()> {
        let Some(part) = self.parts.get_mut(event.part) else {
            return Ok(());
        };
        match event.word {
            PartWord::Well if part.state == PartState::Well => return Ok(()),
            PartWord::Well => {
                if matches!(part.state, PartState::Failed(_)) {
                    tracing::info!(target: "mailpulse::announce", "{}: well again", part.name);
                }
                (part.state, part.was_well) = (PartState::Well, true);
                if let Some(note) = &mut part.note {
                    note.end();
                }
            }
            PartWord::Ended => part.state = PartState::Ended,
            PartWord::Failed { why, pause } => {
                let what = format!(
                    "{} has failed ({why}) and is started again; the other parts go on",
                    part.name
                );
                tracing::error!("{what}; next try in {} s", pause.as_secs_f32());
                if let Some(note) = &mut part.note {
                    note.keep_at_once(&what);
                }
                part.state = PartState::Failed(why);
            }
        }
        self.show();
        self.refuse_if_nothing_runs()
    }

    /// systemd shows it with the unit.
    fn show(&self) {
        let words = self.parts.iter().map(|part| match &part.state {
            PartState::Starting => format!("{} starts", part.name),
            PartState::Well => format!("{} runs", part.name),
            PartState::Failed(why) => format!("{} FAILED: {why}", part.name),
            PartState::Ended => format!("{} ended", part.name),
        });
        let words = words.collect::<Vec<_>>().join("; ").replace('\n', " ");
        let _ = sd_notify::notify(&[NotifyState::Status(&words)]);
    }

    /// Where all that was configured fails at the first start, there is a mistake to be told, and nothing to supervise.
    fn refuse_if_nothing_runs(&self) -> Result<()> {
        let why = |part: &Supervised| match &part.state {
            PartState::Failed(why) if !part.was_well => Some(format!("{}: {why}", part.name)),
            _ => None,
        };
        let failed: Vec<String> = self.parts.iter().filter_map(why).collect();
        if self.waiting.is_empty() && failed.len() == self.parts.len() {
            bail!("no part can run\n{}", failed.join("\n"));
        }
        Ok(())
    }

    /// It is ready when each part runs, or has failed once.
    fn tell_when_ready(&mut self) {
        let is_starting = |part: &Supervised| part.state == PartState::Starting;
        if self.is_ready || !self.waiting.is_empty() || self.parts.iter().any(is_starting) {
            return;
        }
        self.is_ready = true;
        let _ = sd_notify::notify(&[NotifyState::Ready]);
    }

    /// The watchdog follows the reading. A reader that has failed waits for its next start; a process without one has nothing
    /// else to be judged by than this loop.
    fn feed(&self, watchdog: &mut Watchdog) {
        let reads = self
            .parts
            .iter()
            .any(|part| part.name == "tail" && part.state == PartState::Well);
        match reads {
            true => watchdog.ping(&self.reading),
            false => watchdog.ping(&ReadingPulse::default()),
        }
    }

    /// All at once; a second signal does not wait.
    async fn end(mut self, signals: &mut Signals) -> Result<()> {
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        let deadline = Instant::now() + STOP;
        self.parts.iter().for_each(|part| part.thread.tell(Told::Stop));
        while self.parts.iter().any(|part| part.state != PartState::Ended) {
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(PartEvent { part, word: PartWord::Ended }) => self.parts[part].state = PartState::Ended,
                    Some(_) => {}
                    None => break,
                },
                told = signals.next() => if told == Told::Stop { return Ok(()) },
                () = tokio::time::sleep_until(deadline) => {
                    let late = self.parts.iter().filter(|part| part.state != PartState::Ended);
                    let late: Vec<&str> = late.map(|part| part.name).collect();
                    tracing::warn!("{} did not end in time; what was not committed is done again", late.join(", "));
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! What happens outside: keys, signals, boards. Each has a thread that sends it; all end with the process.

use super::screen::is_taken;
use super::source::BoardSource;
use super::state::{BoardTimes, TopEvent};
use crate::model::text::safe_error;
use anyhow::{Context as _, Result};
use crossbeam_channel::{Receiver, Sender, select};
use ratatui::crossterm::event::{Event, poll, read};
use rustix::event::{PollFd, PollFlags};
use rustix::time::{ClockId, Timespec, clock_gettime};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::io::stdin;
use std::thread;
use std::time::{Duration, Instant};

/// From look to look at the keys, where none comes: sizes are seen by it.
const KEYS: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 250_000_000,
};
/// From board to board at least, and at most.
const PACE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));
/// The part of a core that boards may take is one of so many.
const PART: u32 = 60;
/// After a signal, the terminal may take so long.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the loop hears.
#[derive(Debug)]
pub(super) enum LoopEvent {
    App(TopEvent),
    /// It is over: told by a signal, or the terminal is gone.
    End,
}

/// Sends keys and sizes, until the terminal is gone.
pub(super) fn watch_keys(events: Sender<LoopEvent>) -> Result<()> {
    let look = move || {
        while let Some(found) = next_keys() {
            for event in found {
                if events.send(LoopEvent::App(event)).is_err() {
                    return;
                }
            }
        }
        let _ = events.send(LoopEvent::End);
    };
    thread::Builder::new()
        .name("keys".to_owned())
        .spawn(look)
        .context("a thread")?;
    Ok(())
}

/// The keys that have come; none if there is no terminal any more. The end of the input would look like a key that never comes,
/// so it is looked for first.
fn next_keys() -> Option<Vec<TopEvent>> {
    let input = stdin();
    let mut looked = [PollFd::new(&input, PollFlags::IN)];
    match rustix::event::poll(&mut looked, Some(&KEYS)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => {}
        Ok(_) => {
            let found = looked[0].revents();
            let is_over = found.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
            if is_over || rustix::io::ioctl_fionread(&input).ok()? == 0 {
                return None;
            }
        }
        Err(_) => return None,
    }
    let mut found = Vec::new();
    // A panic gives the terminal back while this thread still runs.
    if !is_taken() {
        return None;
    }
    while poll(Duration::ZERO).ok()? {
        match read().ok()? {
            Event::Key(key) => found.push(TopEvent::Key(key)),
            Event::Resize(columns, lines) => found.push(TopEvent::Size(columns, lines)),
            _ => {}
        }
    }
    Some(found)
}

/// Sends the end when a signal tells it. A terminal that takes no more output does not keep the process.
pub(super) fn watch_signals(events: Sender<LoopEvent>) -> Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("signals")?;
    let wait = move || {
        if let Some(signal) = signals.forever().next() {
            let _ = events.send(LoopEvent::End);
            thread::sleep(PATIENCE);
            let _ = emulate_default_handler(signal);
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(wait)
        .context("a thread")?;
    Ok(())
}

/// Asks a source for boards, as often as it costs little, and for the reports that are wanted.
pub(super) fn watch_source(
    mut source: Box<dyn BoardSource>,
    wanted: Receiver<String>,
    events: Sender<LoopEvent>,
    start: Instant,
) -> Result<()> {
    let ask = move || {
        let mut is_first = true;
        loop {
            let before = cpu_time();
            let board = source.board().map(Box::new).map_err(|why| safe_error(&why));
            let cost = cpu_time().saturating_sub(before);
            // The first one begins with an empty hand: the others cost less.
            let pace = if is_first {
                PACE.0
            } else {
                (cost * PART).clamp(PACE.0, PACE.1)
            };
            is_first = false;
            let times = BoardTimes {
                at_ms: milliseconds(start.elapsed()),
                next_in_ms: milliseconds(pace),
            };
            if events.send(LoopEvent::App(TopEvent::Board(board, times))).is_err() {
                return;
            }
            let next = Instant::now() + pace;
            loop {
                let due = crossbeam_channel::at(next);
                select! {
                    recv(wanted) -> alarm => {
                        let Ok(alarm) = alarm else { return };
                        let report = source.incident(&alarm).map_err(|why| safe_error(&why));
                        if events.send(LoopEvent::App(TopEvent::Report(alarm, report))).is_err() {
                            return;
                        }
                    }
                    recv(due) -> _ => break,
                }
            }
        }
    };
    thread::Builder::new()
        .name("board".to_owned())
        .spawn(ask)
        .context("a thread")?;
    Ok(())
}

/// What the process has taken of the processors.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// Whole milliseconds.
pub(super) fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

//! `top`: the board in a terminal, live.
//!
//! ```text
//! events (keys, signals, boards of a source) ─▶ update ─▶ state (what is shown) ─▶ view (lines for a size) ─▶ screen
//!                                                 └── pure ──────────────────────────────────────────────┘
//! ```
//!
//! It shows the overview that the pages show, and computes nothing itself. All text of logs passes through `look`, which makes it
//! harmless; states are words with shapes, and colours only say them once more. What is old says so.

mod boards;
mod events;
mod keys;
mod local;
mod plain;
mod remote;
mod screen;
mod source;
mod spark;
mod state;
mod style;
mod table;
mod update;
mod view;
mod words;

#[cfg(test)]
mod tests;

pub(crate) use local::LocalBoard;
pub(crate) use plain::plain;
pub(crate) use remote::{RemoteBoard, TOKEN_VARIABLE, token};
pub(crate) use screen::LogOutput;
pub(crate) use source::BoardSource;
pub(crate) use style::TerminalStyle;

use anyhow::Result;
use crossbeam_channel::{RecvTimeoutError, bounded};
use events::{LoopEvent, milliseconds, watch_keys, watch_signals, watch_source};
use screen::TopScreen;
use state::{TopAction, TopApp};
use std::time::{Duration, Instant};

/// Ages tick once a second.
const TICK: Duration = Duration::from_secs(1);
/// Events that wait to be shown.
const EVENTS_MAX: usize = 64;

/// Shows the boards of a source, until the reader quits, a signal comes, or the terminal is gone. The terminal is given back
/// as it was.
///
/// # Errors
/// The terminal cannot be steered, or a part failed.
pub(crate) fn show(source: Box<dyn BoardSource>, look: TerminalStyle) -> Result<()> {
    let start = Instant::now();
    let (sender, events) = bounded(EVENTS_MAX);
    let (want, wanted) = bounded(1);
    watch_signals(sender.clone())?;
    let mut screen = TopScreen::take()?;
    let mut app = TopApp::new(look, screen.size());
    screen.draw(&app, 0)?;
    watch_keys(sender.clone())?;
    watch_source(source, wanted, sender, start)?;
    loop {
        let mut next = match events.recv_timeout(TICK) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        // What came together is drawn together.
        while let Some(event) = next {
            let LoopEvent::App(event) = event else {
                return Ok(());
            };
            match app.update(event) {
                Some(TopAction::Quit) => return Ok(()),
                Some(TopAction::Redraw) => screen.clear()?,
                // Where one is being judged already, the page says so, and the next key asks again.
                Some(TopAction::AskReport(alarm)) => drop(want.try_send(alarm)),
                None => {}
            }
            next = events.try_recv().ok();
        }
        screen.draw(&app, milliseconds(start.elapsed()))?;
    }
}

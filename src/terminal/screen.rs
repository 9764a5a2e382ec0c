//! The terminal while `top` has it, and as it was before: given back when `top` ends, also by a panic of any thread. What the
//! program says meanwhile is kept, and said afterwards.

use super::state::TopApp;
use super::view::draw;
use anyhow::{Context as _, Result, bail};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use std::io::{self, IsTerminal as _, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

/// Whether `top` has the terminal.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);
/// What was said meanwhile.
static SAID: Mutex<Vec<u8>> = Mutex::new(Vec::new());
/// Bytes of it that are kept.
const SAID_MAX: usize = 16 << 10;

/// The terminal, taken.
pub(super) struct TopScreen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl TopScreen {
    /// Takes it.
    ///
    /// # Errors
    /// It cannot be steered.
    pub(super) fn take() -> Result<TopScreen> {
        give_back_after_a_panic();
        enable_raw_mode().context("the terminal")?;
        IS_TAKEN.store(true, Ordering::SeqCst);
        let taken = execute!(io::stdout(), EnterAlternateScreen)
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        match taken {
            Ok(terminal) => Ok(TopScreen { terminal }),
            Err(why) => {
                give_back();
                Err(why).context("the terminal")
            }
        }
    }

    /// Columns and lines.
    pub(super) fn size(&self) -> (u16, u16) {
        self.terminal.size().map_or((80, 24), |size| (size.width, size.height))
    }

    /// Draws what has changed.
    ///
    /// # Errors
    /// The terminal is gone, or was given back because a thread of ours failed.
    pub(super) fn draw(&mut self, app: &TopApp, at_ms: i64) -> Result<()> {
        // Nobody gives it back while a picture is half drawn.
        let _whole = io::stdout().lock();
        if !is_taken() {
            bail!("a part of top failed");
        }
        self.terminal
            .draw(|frame| draw(app, at_ms, frame))
            .context("the terminal")?;
        Ok(())
    }

    /// Forgets what is on the screen, so that all of it is drawn again.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(super) fn clear(&mut self) -> Result<()> {
        self.terminal.clear().context("the terminal")
    }
}

impl Drop for TopScreen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Whether `top` has the terminal: keys are for it, and not for the shell.
pub(super) fn is_taken() -> bool {
    IS_TAKEN.load(Ordering::SeqCst)
}

/// Gives the terminal back as it was; once, whoever asks. Nobody is told where there is no terminal any more.
pub(super) fn give_back() {
    let mut out = io::stdout().lock();
    if !IS_TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = execute!(out, LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
    let said = std::mem::take(&mut *SAID.lock().unwrap_or_else(PoisonError::into_inner));
    let _ = io::stderr().write_all(&said);
}

/// A panic's words are to be read.
fn give_back_after_a_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            usual(panic);
        }));
    });
}

/// Stderr for the program's log: while `top` has the terminal, what would be written over it is kept.
#[derive(Debug, Default)]
pub(crate) struct LogOutput;

impl Write for LogOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !is_taken() || !io::stderr().is_terminal() {
            io::stderr().write_all(bytes)?;
            return Ok(bytes.len());
        }
        let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() + bytes.len() <= SAID_MAX {
            said.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

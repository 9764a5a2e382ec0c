//! Progress of a backfill: a bar with rate and time left on a terminal, a plain line now and then elsewhere.

use crate::ingest::Progress;
use crate::model::human;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Seconds between two plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// Shows how far a run is. Files on disk are what is known beforehand; the rate is that of their content.
pub(super) struct Display {
    bar: Option<ProgressBar>,
    files_bytes: u64,
    done: AtomicU64,
    content: AtomicU64,
    started: Instant,
    last: Mutex<Instant>,
}

impl Display {
    /// A display for files of so many bytes in all.
    pub(super) fn new(files_bytes: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes}  {msg}  {eta} left");
            ProgressBar::new(files_bytes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        let now = Instant::now();
        Display {
            bar,
            files_bytes,
            done: AtomicU64::new(0),
            content: AtomicU64::new(0),
            started: now,
            last: Mutex::new(now),
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Seconds since the start, and bytes of content so far.
    pub(super) fn totals(&self) -> (f64, u64) {
        (
            self.started.elapsed().as_secs_f64(),
            self.content.load(Ordering::Relaxed),
        )
    }

    /// Bytes of content a second, for people.
    fn rate(&self) -> String {
        let (seconds, content) = self.totals();
        format!("{}/s", human::size((content as f64 / seconds.max(0.001)) as u64))
    }
}

impl Progress for Display {
    fn content(&self, bytes: u64) {
        self.content.fetch_add(bytes, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.set_message(self.rate());
            return;
        }
        let Ok(mut last) = self.last.try_lock() else { return };
        if last.elapsed() >= PLAIN_EVERY {
            *last = Instant::now();
            let done = self.done.load(Ordering::Relaxed);
            let total = self.files_bytes.max(1);
            let elapsed = self.started.elapsed().as_secs_f64();
            let left = if done > 0 {
                let left_ms = 1_000.0 * elapsed * (total - done) as f64 / done as f64;
                format!(", about {} left", human::duration(left_ms as i64))
            } else {
                String::new()
            };
            super::output::talk(&format!(
                "{} of {} of files done, {}{left}",
                human::size(done),
                human::size(total),
                self.rate()
            ));
        }
    }

    fn file(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
    }
}

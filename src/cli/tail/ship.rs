//! Sends the outbox while `tail` reads: on a thread of its own, so that a server that hangs holds up no line.

use super::super::context::Context;
use super::super::safe_lines;
use super::super::window::now_ms;
use super::told::Told;
use crate::config::Config;
use crate::store::clickhouse::ship::{Shipper, Step};
use anyhow::{Context as _, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// From look to look whether it is to end.
const LOOK: Duration = Duration::from_millis(100);

/// Starts sending, if the configuration says where to.
pub(super) fn start(context: &Context, config: &Config, stop: &Arc<AtomicBool>) -> Result<Option<JoinHandle<()>>> {
    let Some(place) = &config.store.ship else {
        return Ok(None);
    };
    let options = context.clickhouse_options(config)?;
    let shipper = Shipper::open(&config.store.folder, place, &options, config.store.retain_days)?;
    let every = Duration::from_millis(config.clickhouse.ship_every_ms);
    let stop = Arc::clone(stop);
    let thread = std::thread::Builder::new().name("ship".to_owned());
    let thread = thread
        .spawn(move || send(shipper, every, &stop))
        .context("a thread for sending")?;
    Ok(Some(thread))
}

fn send(mut shipper: Shipper, every: Duration, stop: &AtomicBool) {
    let mut told = Told::default();
    while !stop.load(Ordering::Relaxed) {
        let wait = match shipper.step() {
            Ok(Step::Sent { .. }) => continue,
            Ok(Step::Idle) => every,
            Ok(Step::SetAside { why }) => {
                tracing::error!(
                    "a batch is refused and set aside, `mailpulse store ship --retry-refused` tries it again: {}",
                    safe_lines(&why)
                );
                continue;
            }
            Err(error) => {
                let why = error.to_string();
                if told.is_news(&why, now_ms()) {
                    tracing::warn!("not sent, tried again until it is: {}", safe_lines(&why));
                }
                Duration::from_millis(shipper.pause_ms())
            }
        };
        let begin = Instant::now();
        while begin.elapsed() < wait && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK.min(wait));
        }
    }
}

//! The thread of a part: runs it, and again when it ends without being told to.

use super::part::{PartControl, RunPart};
use crate::model::text::safe_error;
use crate::service::backoff::{AGAIN, Failures, panic_words};
use crate::service::orders::{Orders, Told};
use crate::service::watchdog::ReadingPulse;
use anyhow::{Context as _, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What a part's thread says.
#[derive(Debug)]
pub(super) enum PartWord {
    /// It does what it is for.
    Well,
    /// It ended without being told to, and is started again after a while.
    Failed { why: String, pause: Duration },
    /// It was told to end, and has.
    Ended,
}

/// Which part says it.
#[derive(Debug)]
pub(super) struct PartEvent {
    pub part: usize,
    pub word: PartWord,
}

/// A part's thread.
pub(super) struct PartThread {
    orders: Arc<Mutex<OrdersTo>>,
}

/// Where orders go: to the part that runs now.
struct OrdersTo {
    part: Option<UnboundedSender<Told>>,
    is_over: bool,
}

impl PartThread {
    pub(super) fn start(
        part: Box<dyn RunPart>,
        at: usize,
        says: UnboundedSender<PartEvent>,
        with: (ReadingPulse, Duration),
    ) -> Result<PartThread> {
        let orders = Arc::new(Mutex::new(OrdersTo {
            part: None,
            is_over: false,
        }));
        let mut life = Life {
            part,
            at,
            says,
            with,
            orders: Arc::clone(&orders),
        };
        let thread = std::thread::Builder::new().name(format!("run {}", life.part.name()));
        thread.spawn(move || life.live(AGAIN)).context("a thread for a part")?;
        Ok(PartThread { orders })
    }

    /// Tells the part. One that waits for its next start takes the configuration anew by itself.
    pub(super) fn tell(&self, told: Told) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.is_over |= told == Told::Stop;
        if let Some(part) = &orders.part {
            let _ = part.send(told);
        }
    }
}

struct Life {
    part: Box<dyn RunPart>,
    at: usize,
    says: UnboundedSender<PartEvent>,
    with: (ReadingPulse, Duration),
    orders: Arc<Mutex<OrdersTo>>,
}

impl Life {
    fn live(&mut self, again: (Duration, Duration)) {
        let mut failures = Failures::default();
        while let Some(orders) = self.listen() {
            let begin = Instant::now();
            let why = match catch_unwind(AssertUnwindSafe(|| self.once(orders))) {
                Ok(Ok(())) => "it ended without an error".to_owned(),
                Ok(Err(error)) => safe_error(&error),
                Err(panic) => format!("it crashed: {}; please report this bug", panic_words(panic.as_ref())),
            };
            if self.is_over() {
                break;
            }
            self.with.0.busy.store(false, std::sync::atomic::Ordering::Relaxed);
            let pause = failures.pause(begin.elapsed(), again);
            self.say(PartWord::Failed { why, pause });
            let begin = Instant::now();
            while begin.elapsed() < pause && !self.is_over() {
                std::thread::sleep(Duration::from_millis(50).min(pause));
            }
        }
        self.say(PartWord::Ended);
    }

    fn once(&mut self, orders: UnboundedReceiver<Told>) -> Result<()> {
        let (says, at) = (self.says.clone(), self.at);
        let is_well = move || {
            let _ = says.send(PartEvent {
                part: at,
                word: PartWord::Well,
            });
        };
        self.part.run(PartControl {
            orders: Orders::Supervisor(orders),
            reading: self.with.0.clone(),
            stop_within: self.with.1,
            is_well: &is_well,
        })
    }

    /// The orders of the next life; none if it is over.
    fn listen(&self) -> Option<UnboundedReceiver<Told>> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if orders.is_over {
            return None;
        }
        let (send, receive) = unbounded_channel();
        orders.part = Some(send);
        Some(receive)
    }

    fn is_over(&self) -> bool {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).is_over
    }

    fn say(&self, word: PartWord) {
        let _ = self.says.send(PartEvent { part: self.at, word });
    }
}

#[cfg(test)]
impl PartThread {
    /// One that is started again at once.
    pub(super) fn start_hasty(part: Box<dyn RunPart>, says: UnboundedSender<PartEvent>) -> PartThread {
        let orders = Arc::new(Mutex::new(OrdersTo {
            part: None,
            is_over: false,
        }));
        let mut life = Life {
            part,
            at: 0,
            says,
            with: (ReadingPulse::default(), Duration::from_secs(1)),
            orders: Arc::clone(&orders),
        };
        std::thread::spawn(move || life.live((Duration::from_millis(5), Duration::from_millis(20))));
        PartThread { orders }
    }
}

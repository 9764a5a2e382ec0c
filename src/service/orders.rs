//! What a part that runs for long is told, by signals or by whoever supervises it.

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, error::TryRecvError};

/// An order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// End: what was read is kept.
    Stop,
    /// Take the configuration anew.
    Reload,
}

/// SIGTERM, SIGINT and SIGHUP.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Listens to them; within a tokio runtime.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn new() -> Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate()).context("signals")?,
            interrupt: signal(SignalKind::interrupt()).context("signals")?,
            hangup: signal(SignalKind::hangup()).context("signals")?,
        })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hangup.recv() => Told::Reload,
        }
    }
}

/// Where orders come from.
#[derive(Debug)]
pub(crate) enum Orders {
    /// The process' signals.
    Signals(Signals),
    /// A supervisor; one that is gone means that it is over.
    Supervisor(UnboundedReceiver<Told>),
}

impl Orders {
    /// The next one.
    pub(crate) async fn next(&mut self) -> Told {
        match self {
            Orders::Signals(signals) => signals.next().await,
            Orders::Supervisor(orders) => orders.recv().await.unwrap_or(Told::Stop),
        }
    }

    /// One that has come already, for those who look in between; of a supervisor alone.
    pub(crate) fn come(&mut self) -> Option<Told> {
        match self {
            Orders::Signals(_) => None,
            Orders::Supervisor(orders) => match orders.try_recv() {
                Ok(told) => Some(told),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => Some(Told::Stop),
            },
        }
    }
}

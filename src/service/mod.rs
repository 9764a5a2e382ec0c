//! What runs for long: following logs, sending, watching, serving pages; and a whole run over archives. Each is started with
//! a setup, and ends when it is told to.

pub(crate) mod backfill;
mod backoff;
pub(crate) mod catalogue_copies;
pub(crate) mod first_look;
pub mod follow;
mod log_throttle;
pub(crate) mod orders;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod ship;
mod stored_trouble;
pub(crate) mod watch;
pub(crate) mod watchdog;

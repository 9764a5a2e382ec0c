//! What runs for long: following logs, sending, watching, serving pages; and a whole run over archives. Each is started with
//! a setup, and ends when it is told to.

pub mod backfill;
mod backoff;
pub mod copies;
pub mod first_look;
pub mod follow;
mod lasting_note;
mod log_throttle;
pub mod orders;
pub mod run;
pub mod serve;
pub mod ship;
pub mod watch;
pub mod watchdog;

//! What runs for long: following logs, sending, watching; and a whole run over archives. Each is started with a setup, and ends
//! when it is told to.

pub mod backfill;
pub mod copies;
pub mod follow;
mod log_throttle;
pub mod ship;
pub mod watch;

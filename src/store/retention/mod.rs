//! Retention: what has been stored for longer than the configuration says is removed, and nothing else. `horizon` says
//! from which moment it counts.

mod expire;
mod horizon;

pub use expire::{HeldBack, HeldSource, Retention, expire, forget_old, held_back, horizon_ms};
pub use horizon::MachineTime;

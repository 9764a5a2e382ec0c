//! From records to events: who sent it, which message it belongs to, what may be stored of it.

pub mod app;
pub mod attribution;
pub mod clock;
pub mod derived;
pub mod exim;
mod handed_back;
pub mod hops;
pub mod hosts;
pub mod join;
pub mod judge;
mod memo;
pub mod messages;
mod next_hops;
pub(crate) mod origins;
pub mod ours;
pub mod postfix;
pub mod provider;
pub mod redact;
pub mod repeats;
pub mod rules;
pub(crate) mod scrub;
pub(crate) mod stored_reply;

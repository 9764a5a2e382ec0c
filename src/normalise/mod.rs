//! From records to events: who sent it, which message it belongs to, what may be stored of it.

pub mod attribution;
pub mod clock;
pub mod dictionary;
pub mod event;
pub mod exim;
pub mod join;
pub mod origins;
pub mod redact;
pub mod rules;

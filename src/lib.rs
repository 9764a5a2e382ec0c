//! mailpulse: analytics for outbound mail volume.
//!
//! ```text
//! source ─▶ (parsers) ─▶ normalise ─▶ store ─▶ query ─▶ graph
//!   bytes     records       events     segments   series
//!                                   ingest drives the first four, tail drives ingest; simulate makes logs; cli calls any of them
//! ```
//!
//! One flow, one way: a module uses only what stands to its left. `tests/it/flow.rs` fails on an arrow to the left.
//! ARCHITECTURE.md says which room holds what.

pub mod alert;
pub mod cli;
pub mod config;
pub mod detect;
pub mod files;
pub mod graph;
pub mod ingest;
pub mod normalise;
pub mod query;
pub mod simulate;
pub mod source;
pub mod store;
pub mod tail;

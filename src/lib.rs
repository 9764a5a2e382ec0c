//! mailpulse: analytics for outbound mail volume.
//!
//! ```text
//! source ─▶ (parsers) ─▶ normalise ─▶ store ─▶ query ─▶ analysis ─▶ graph
//!   bytes     records       events     segments   rows     answers
//!             ingest drives the first four; setup joins them with the configuration; service runs them; cli is the face
//! ```
//!
//! One flow, one way: a module uses only what stands to its left or below. `tests/it/flow/` fails on an arrow that runs back.
//! ARCHITECTURE.md says which room holds what.

// A text that is cut between the bytes of a character is a panic, and log text is hostile.
#![cfg_attr(not(test), warn(clippy::string_slice, clippy::too_many_lines))]

mod alert;
pub mod analysis;
pub mod cli;
pub mod config;
/// A crate of its own, so that the compiler keeps it pure, and so that tests, which replay months, run it optimized.
pub use mailpulse_detect as detect;
mod graph;
/// From bytes to rows: a crate of its own, which compiles once for all that asks it, and runs optimized in tests as well.
pub use mailpulse_pipeline::{clock, files, ingest, model, normalise, query, source, store};
mod planned;
pub mod service;
mod setup;
pub mod simulate;
mod terminal;
mod web;

//! From bytes of mail logs to rows of answers, for `mailpulse`. It knows nothing of detection, configuration files, or pages.
//!
//! ```text
//! source ─▶ (parsers) ─▶ normalise ─▶ store ─▶ query
//!   bytes     records       events     segments   rows
//!             ingest drives the first four
//! ```
//!
//! ARCHITECTURE.md says which room holds what.

// A text that is cut between the bytes of a character is a panic, and log text is hostile.
#![cfg_attr(not(test), warn(clippy::string_slice, clippy::too_many_lines))]

pub mod clock;
pub mod files;
pub mod ingest;
pub mod model;
pub mod normalise;
pub mod query;
pub mod source;
pub mod store;

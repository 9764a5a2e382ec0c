//! Parsers of mail logs: bytes of one line in, a borrowed record out.
//!
//! No files, no clock, no threads: a line is a `&[u8]` without its newline, and what comes back points into it. The
//! grammars are [nom] parsers named after the format's own manual; the hot ones look for separators with [memchr].
//!
//! * [`exim`]: the Exim main log.
//! * [`app`]: logs of applications that hand mail to a mail server.
//! * [`postfix`]: Postfix, whatever its envelope.
//! * [`syslog`]: the envelope of a log that went through syslog, and lines that were split on the way.
//! * [`layers`], [`wrap`]: heads within heads, and the wrappers of container runtimes.
//! * [`reply`]: what a reason says: SMTP code, enhanced code, a bounded reason class.
//! * [`sniff`]: what kind of log a file looks like.
//! * [`stamp`], [`prim`], [`reject`]: timestamps, shared grammar, and why a line was not understood.
//!
//! ```
//! use mailpulse_parsers::exim::{self, record::Body};
//!
//! let line = b"2018-06-06 18:55:01 1fQdLN-0001Ab-Cd <= a@example.org H=mx.example.org [192.0.2.1] P=esmtps S=1234";
//! let record = exim::parse(line).unwrap();
//! assert!(matches!(record.body, Body::Arrival(a) if a.size == Some(1234)));
//! ```

// A stranger's line must never end the process: there is no index and no slice that could panic.
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice))]
#![warn(clippy::missing_errors_doc, clippy::missing_panics_doc)]

pub mod app;
mod cut;
pub mod exim;
pub mod harmless;
pub mod layers;
mod odd;
pub mod postfix;
pub mod prim;
pub mod reject;
pub mod reply;
pub mod sniff;
pub mod stamp;
pub mod syslog;
pub mod wrap;

pub use odd::Odd;
pub use reject::{Found, Reject};
pub use stamp::Stamp;

#![doc = include_str!("../README.md")]
//!
//! # Modules
//!
//! * [`exim`]: the Exim main log.
//! * [`app`]: logs of applications that hand mail to a mail server.
//! * [`postfix`]: Postfix, whatever its envelope.
//! * [`syslog`]: the envelope of a log that went through syslog, and lines that were split on the way.
//! * [`layers`], [`wrap`]: heads within heads, and the wrappers of container runtimes.
//! * [`reply`]: what a reason says: SMTP code, enhanced code, a bounded reason class.
//! * [`sniff`]: what kind of log a file looks like.
//! * [`harmless`]: text of strangers made safe to print.
//!
//! The grammars are nom parsers named after the format's own manual; the hot ones look for separators with memchr. Both
//! are out of sight: what this crate shows are records, [`Stamp`], [`Odd`] and [`Reject`].

// A stranger's line must never end the process: there is no index and no slice that could panic.
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice))]
#![warn(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::too_many_lines,
    unreachable_pub
)]

pub mod app;
mod cut;
pub mod exim;
pub mod harmless;
pub mod layers;
mod odd;
pub mod postfix;
mod prim;
mod reject;
pub mod reply;
pub mod sniff;
mod stamp;
pub mod syslog;
pub mod wrap;

pub use odd::Odd;
pub use reject::{Found, Reject};
pub use stamp::Stamp;

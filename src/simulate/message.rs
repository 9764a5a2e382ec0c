//! A message in the spool, and whom it goes to.

use super::id::EximId;
use super::remote::Mx;

/// A message in the spool.
pub(super) struct Letter {
    pub(super) id: EximId,
    /// Index of its service in counts.
    pub(super) service: usize,
    /// Envelope sender; empty for a bounce.
    pub(super) sender: String,
    pub(super) size: i64,
}

/// One address that a message goes to.
pub(super) struct Recipient {
    /// The final address.
    pub(super) address: String,
    /// The same with its parents and the original: `final (parent) <original>`.
    pub(super) shown: String,
    pub(super) router: &'static str,
    pub(super) mx: &'static Mx,
}

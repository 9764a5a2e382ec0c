//! What the judgement of an outage is told.

use super::fleet::Id;
use super::rhythm::Rhythms;
use mailpulse_time::Minute;
use std::collections::BTreeMap;

/// Minutes of a service that are not usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Masked {
    /// The first.
    pub from: Minute,
    /// The one after the last.
    pub to: Minute,
    /// Whether its mail, had there been any, would have been counted.
    pub seen: bool,
}

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct ImpactQuestion {
    /// First minute of the trouble.
    pub from: Minute,
    /// First minute after it.
    pub to: Minute,
    /// The relay that stood still, if one did.
    pub relay: Option<Id>,
    /// By service: earlier troubles of its mail, which no expectation may be learnt from.
    pub masked: BTreeMap<Id, Vec<Masked>>,
    /// By service, exactly: mails that were taken or put off in the window and left their queue after it.
    pub queued: BTreeMap<Id, u64>,
    /// By service, exactly: mails that were taken in the window and are in their queue still.
    pub held: BTreeMap<Id, u64>,
    /// By service: mails that its application could not hand in so far and still tries to.
    pub tried: BTreeMap<Id, u64>,
    /// Services whose own logs are read, and tell of failures.
    pub tells: Vec<Id>,
    /// Services that an alarm names.
    pub alarmed: Vec<Id>,
    /// Services whose mail was taken and not passed on, as an alarm says.
    pub stuck: Vec<Id>,
    /// Services whose mail fails far more than usual, as an alarm says.
    pub failing: Vec<Id>,
    /// Whose clocks and holidays the services follow.
    pub rhythms: Rhythms,
}

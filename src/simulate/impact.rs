//! What the outage does to mail.

use super::clock::{RESTARTED, STOPPED};

/// Where a line lies relative to the outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Before the stop.
    Before,
    /// From the stop to the restart.
    Outage,
    /// After the restart.
    After,
}

impl Phase {
    /// All of them, in order of time.
    pub(super) const ALL: [Phase; 3] = [Phase::Before, Phase::Outage, Phase::After];

    /// The phase of an instant, in seconds since the epoch.
    pub(super) fn at(t: i64) -> Self {
        match t {
            ..STOPPED => Phase::Before,
            STOPPED..RESTARTED => Phase::Outage,
            RESTARTED.. => Phase::After,
        }
    }
}

/// What the outage does to a service's mail (the words of `incident`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Never written to any log.
    Lost,
    /// Sent after the restart.
    Delayed,
    /// Sent by the other relay.
    Rerouted,
}

/// Mails of one service in the outage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutageImpact {
    /// What happened to those that would have used the stopped relay.
    pub fate: Fate,
    /// When each of those was first tried, in seconds since the epoch, in order.
    pub tried: Vec<i64>,
    /// Mails that went by the other relay all the same, as always.
    pub untouched: u64,
}

/// Messages and recipients of one service, relay and phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailTally {
    /// Arrival lines: messages.
    pub accepted: u64,
    /// Delivery lines, `=>` and `->`: recipients.
    pub delivered: u64,
}

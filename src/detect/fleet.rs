//! What the detection sees of a fleet: per minute, who handed mail to whom, what became of it, and which logs could be
//! read. The same [`FleetMinute`] comes from the store's history and from a live tail, so both are judged by the same code.

use mailpulse_time::Minute;
use serde::{Deserialize, Serialize};

/// Number of a name in [`Names`].
pub type Id = u32;

/// No hostgroup, no host.
pub const NONE: Id = u32::MAX;

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowKind {
    /// Messages that an MTA took, where they enter the mail system.
    Accepted,
    /// Messages that an MTA took from another host whose log is read too.
    Passed,
    /// Recipients' copies that an MTA got rid of, wherever to.
    Delivered,
    /// Attempts that were put off.
    Deferred,
    /// Messages set aside.
    Frozen,
    /// Messages or recipients that a relay would not have.
    Rejected,
    /// Mails that an application handed in.
    Submitted,
    /// Mails that an application could not hand in, each once.
    SubmitFailed,
    /// Further failures of the same mails.
    Retried,
    /// Copies that another host's log says it gave to the flow's host: that host lives.
    HandedTo,
    /// Attempts that another host's log says found nobody at the flow's host.
    RefusedBy,
    /// Messages from the outside that an MTA took: they are nobody's service, and their host lives.
    Foreign,
}

/// Mail of one kind in one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Whose.
    pub service: Id,
    /// From which hosts; [`NONE`] if unknown.
    pub hostgroup: Id,
    /// At which host: the MTA; for the two witnesses the host they speak of.
    pub host: Id,
    /// FlowKind.
    pub what: FlowKind,
    /// How many.
    pub count: u32,
}

/// What became of attempts in one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Whose mail.
    pub service: Id,
    /// At which MTA.
    pub host: Id,
    /// Who runs the receiving side; [`NONE`] where that has no name.
    pub provider: Id,
    /// Copies of which it was decided, delivered or failed; not those that went to another queue whose log is read.
    pub done: u32,
    /// Of those, copies that bounced, expired, or were discarded.
    pub failed: u32,
    /// Messages that were tried: taken, failed, or put off for the first time. Copies of one message count once.
    pub tried: u32,
    /// Of those, messages that were put off. Further attempts of the same message are none.
    pub deferred: u32,
}

/// A host's logs in one minute. A host that is not listed was readable and wrote nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogMinute {
    /// Whose.
    pub host: Id,
    /// Whether a line, had there been one, would have been read.
    pub readable: bool,
    /// Lines.
    pub lines: u32,
    /// Lines that did not parse.
    pub unparsed: u32,
}

/// From the beginning of a minute on, mail bears other names than before: rules were changed, or names gave way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renamed {
    /// Services that no mail bears any more.
    pub ended: Vec<Id>,
    /// Services that other mail bears: what came before says nothing of what is to come.
    pub anew: Vec<Id>,
    /// Hostgroups, the same.
    pub groups_ended: Vec<Id>,
    /// And those.
    pub groups_anew: Vec<Id>,
}

/// One minute of the fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetMinute {
    /// Which.
    pub at: Minute,
    /// Counts, in no order; equal keys add up.
    pub flows: Vec<Flow>,
    /// What became of attempts, in no order; equal ways are given once.
    pub outcomes: Vec<Outcome>,
    /// Logs with lines, and logs that could not be read.
    pub logs: Vec<LogMinute>,
    /// Names that end or begin anew with it.
    pub renamed: Renamed,
}

/// The names behind the numbers; grows while the fleet is watched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Services.
    pub services: Vec<String>,
    /// Hostgroups.
    pub hostgroups: Vec<String>,
    /// Hosts whose logs are read or that others speak of, relays among them.
    pub hosts: Vec<String>,
    /// Providers that have names.
    pub providers: Vec<String>,
    /// The service of mail that no rule names: strangers' rejects say nothing about a service.
    pub unattributed: Option<Id>,
}

/// Minutes without holes, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fleet {
    /// Names.
    pub names: Names,
    /// Minutes.
    pub minutes: Vec<FleetMinute>,
}

impl Names {
    /// A service's name.
    pub fn service(&self, id: Id) -> &str {
        self.services.get(id as usize).map_or("?", String::as_str)
    }

    /// A hostgroup's name.
    pub fn hostgroup(&self, id: Id) -> &str {
        self.hostgroups.get(id as usize).map_or("?", String::as_str)
    }

    /// A provider's name.
    pub fn provider(&self, id: Id) -> &str {
        self.providers.get(id as usize).map_or("?", String::as_str)
    }

    /// A host's name.
    pub fn host(&self, id: Id) -> &str {
        self.hosts.get(id as usize).map_or("?", String::as_str)
    }
}

impl Fleet {
    /// First minute and the one after the last.
    pub fn span(&self) -> (Minute, Minute) {
        let first = self.minutes.first().map_or(Minute::EPOCH, |minute| minute.at);
        (first, first + self.minutes.len() as i64)
    }

    /// Forgets what is not before a minute.
    pub fn end(&mut self, to: Minute) {
        let keep = (to - self.span().0).max(0);
        self.minutes.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
    }

    /// The minutes in `[from, to)`.
    pub fn between(&self, from: Minute, to: Minute) -> &[FleetMinute] {
        let (first, end) = self.span();
        let from = from.clamp(first, end);
        let to = to.clamp(from, end);
        &self.minutes[(from - first) as usize..(to - first) as usize]
    }
}

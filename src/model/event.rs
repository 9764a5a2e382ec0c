//! An event: one thing that happened to mail, at one time, in one log. It crosses every border of the program.
//!
//! An event does not repeat what its message says. Message-level facts (who sent it, through which client,
//! which service) live once in an [`Origin`]; an event names its message by a slot that the sink handed out.
//! That is what keeps a line's cost near a microsecond and lets a late arrival line name its earlier deliveries.

use crate::model::direction::Reach;
use crate::model::queue_id::QueueId;
use crate::model::time::UtcMs;
use mailpulse_parsers::reply::{ProviderCode, Reply};
use std::net::IpAddr;

/// What happened. The names are the contract of `kind` in `events` and `rates`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// An MTA took responsibility for a message.
    Accepted,
    /// A recipient's copy left this MTA, or reached its mailbox.
    Delivered,
    /// An attempt failed for now.
    Deferred,
    /// An attempt failed for good.
    Bounced,
    /// Given up after the retry time ran out.
    Expired,
    /// Refused at the door, or read and refused.
    Rejected,
    /// Taken and thrown away (`:blackhole:`, removed by an operator).
    Discarded,
    /// A delivery that `-N` only pretended.
    Suppressed,
    /// Set aside until somebody looks.
    Frozen,
    /// Gone from the queue.
    Completed,
    /// An application handed mail in.
    Submitted,
    /// An application could not hand mail in.
    SubmitFailed,
}

impl Kind {
    /// All kinds, in the order of their codes.
    pub const ALL: [Kind; 12] = [
        Kind::Accepted,
        Kind::Delivered,
        Kind::Deferred,
        Kind::Bounced,
        Kind::Expired,
        Kind::Rejected,
        Kind::Discarded,
        Kind::Suppressed,
        Kind::Frozen,
        Kind::Completed,
        Kind::Submitted,
        Kind::SubmitFailed,
    ];

    /// The kind with this name in answers.
    ///
    /// # Errors
    /// There is none: the names that there are.
    pub fn named(name: &str) -> Result<Kind, String> {
        let found = Kind::ALL.into_iter().find(|kind| kind.as_str() == name);
        found.ok_or_else(|| {
            let all = Kind::ALL.map(Kind::as_str).join(", ");
            format!("`{}` is no kind of event; there are {all}", name.escape_debug())
        })
    }

    /// Whether such an event comes once at most, for a message, a recipient and a next hop. Attempts may be made again within
    /// a second; a bounce that cannot be delivered is frozen, and tried again.
    pub(crate) const fn is_final(self) -> bool {
        !matches!(self, Kind::Deferred | Kind::Bounced | Kind::Expired | Kind::Frozen)
    }

    /// The name in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Accepted => "accepted",
            Kind::Delivered => "delivered",
            Kind::Deferred => "deferred",
            Kind::Bounced => "bounced",
            Kind::Expired => "expired",
            Kind::Rejected => "rejected",
            Kind::Discarded => "discarded",
            Kind::Suppressed => "suppressed",
            Kind::Frozen => "frozen",
            Kind::Completed => "completed",
            Kind::Submitted => "submitted",
            Kind::SubmitFailed => "submit_failed",
        }
    }

    /// Whether this is the outcome of trying to pass one recipient's copy on.
    pub(crate) fn is_attempt(self) -> bool {
        matches!(self, Kind::Delivered | Kind::Deferred | Kind::Bounced | Kind::Expired)
    }
}

/// Where a recipient's copy goes. Only `Remote` is outbound mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Destination {
    /// Another host, by SMTP or LMTP.
    Remote,
    /// A mailbox here.
    Local,
    /// Nowhere.
    Discard,
    /// A program.
    Pipe,
    /// A file.
    File,
    /// The autoreply transport.
    Autoreply,
    /// Another queue whose log is read too: a hop inside, where the mail is seen again.
    Relay,
}

impl Destination {
    /// All destinations, in the order of their codes.
    pub const ALL: [Destination; 7] = [
        Destination::Remote,
        Destination::Local,
        Destination::Discard,
        Destination::Pipe,
        Destination::File,
        Destination::Autoreply,
        Destination::Relay,
    ];

    /// The name in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Destination::Remote => "remote",
            Destination::Local => "local",
            Destination::Discard => "discard",
            Destination::Pipe => "pipe",
            Destination::File => "file",
            Destination::Autoreply => "autoreply",
            Destination::Relay => "relay",
        }
    }
}

/// What all events of a message share, as it is stored: text is UTF-8, local parts are already pseudonymised.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Origin {
    /// Who sends, by rule or derived; `unattributed` when nobody knows.
    pub service: String,
    /// The sending hosts' group; empty when no group names the host.
    pub hostgroup: String,
    /// Host that handed the message in; empty when unknown.
    pub client: String,
    /// Its address; empty when it was handed in locally.
    pub client_ip: String,
    /// Local part of the envelope sender; empty for the null sender.
    pub sender_local: String,
    /// Domain of the envelope sender.
    pub sender_domain: String,
    /// Whose mail it is, by the names of [`crate::model::direction::MailOrigin`]; empty when nobody knows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub origin: String,
}

/// Number of an [`Origin`] in the table of the log that is being read.
pub(crate) type OriginId = u32;

/// Number of a message in the batch that is being filled.
pub(crate) type Slot = u32;

/// What the sink keeps about a message.
#[derive(Debug, Clone, Copy)]
pub struct Message {
    /// The MTA's queue ID; none where the line had none.
    pub queue_id: Option<QueueId>,
    /// Who sent it.
    pub origin: OriginId,
    /// Whether this is where the message enters the mail system that we see.
    pub first_hop: bool,
    /// Key of the Message-ID header, equal on every hop.
    pub message_key: Option<u64>,
    /// The arrival has not been seen: `origin` is a guess that a later arrival line may correct.
    pub orphan: bool,
}

/// One event. Durations in milliseconds; sizes in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Offset of the line in the log's content.
    pub offset: u64,
    /// When.
    pub ts_ms: UtcMs,
    /// What.
    pub kind: Kind,
    /// Where to; none for what is not about a recipient.
    pub destination: Option<Destination>,
    /// The message.
    pub slot: Slot,
    /// Where the copy goes; none for what is not about a recipient.
    pub reach: Option<Reach>,
    /// 1 when this is the first event of its kind and direction for its message, else 0: its sum counts messages.
    pub messages: u8,
    /// Recipients that this event counts for: a repeated deferral counts 0.
    pub recipients: u32,
    /// Recipient's local part, as stored.
    pub recipient_local: &'a [u8],
    /// Recipient's domain.
    pub recipient_domain: &'a [u8],
    /// Next hop's name.
    pub remote_host: &'a [u8],
    /// Next hop's address.
    pub remote_ip: Option<IpAddr>,
    /// Size of the message.
    pub bytes: Option<u64>,
    /// Time in the queue.
    pub queue_ms: Option<u64>,
    /// Time of the delivery.
    pub delivery_ms: Option<u64>,
    /// SMTP reply code.
    pub smtp_code: Option<u16>,
    /// Enhanced status code, `class << 20 | subject << 10 | detail`.
    pub enhanced_code: Option<u32>,
    /// Bounded reason class; empty when there is none.
    pub reason: &'static str,
    /// The provider's own code in the reply.
    pub provider_code: Option<ProviderCode>,
    /// The reply's words as stored; empty where they are not kept.
    pub reply: &'a [u8],
}

impl Event<'_> {
    /// The event with what a reply says.
    pub(crate) fn with_reply(self, reply: Option<&Reply>) -> Self {
        let Some(reply) = reply else { return self };
        Event {
            smtp_code: reply.smtp_code,
            enhanced_code: reply
                .enhanced
                .map(|e| u32::from(e.class) << 20 | u32::from(e.subject & 0x3ff) << 10 | u32::from(e.detail & 0x3ff)),
            reason: reply.reason.as_str(),
            provider_code: reply.provider_code,
            ..self
        }
    }
}

/// Where events go: the store's batch, or a test's list.
pub(crate) trait EventSink {
    /// Changes when a new batch begins; slots of an older one are void.
    fn batch(&self) -> u32;
    /// Opens a slot for a message.
    fn message(&mut self, message: Message) -> Slot;
    /// Names the sender of a message whose slot was opened before its arrival was seen.
    fn attribute(&mut self, slot: Slot, message: Message);
    /// The line in hand repeats an event that was taken.
    fn repeated(&mut self) {}
    /// Takes an event.
    fn event(&mut self, event: &Event<'_>);
}

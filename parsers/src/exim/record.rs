//! What one Exim main-log line says. Everything borrows from the line; nothing is decoded or allocated.
//!
//! The field names are those of the Exim specification, chapter "Log files". An `EximRecord` keeps the fields
//! that mail analytics need and walks over the rest.

use crate::odd::Odd;
use crate::stamp::Stamp;
use std::net::IpAddr;

/// One line of an Exim main log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EximRecord<'a> {
    /// Wall-clock time as printed; the zone is the caller's unless the line carries one.
    pub stamp: Stamp,
    /// Process ID, with `log_selector = +pid`.
    pub pid: Option<u32>,
    /// The message this line is about.
    pub id: Option<MessageId<'a>>,
    /// A field that is not of its form, and was left out; the first, if there are several.
    pub odd: Option<Odd<'a>>,
    /// What the line reports: an arrival, one attempt, the end of a message, or anything else.
    pub body: EximBody<'a>,
}

/// An Exim message ID as printed: `6-6-2` base-62 characters up to 4.96, `6-11-4` from 4.97 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageId<'a>(pub &'a [u8]);

/// The kinds of line.
///
/// The large ones are not boxed: a record lives for one line, and an allocation a line costs more than the bytes.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)]
pub enum EximBody<'a> {
    /// `<=`, or `(=` when `fakereject`.
    Arrival(Arrival<'a>),
    /// `=>`, `->`, `>>`, `*>`, `**`, `==`.
    Delivery(EximDelivery<'a>),
    /// `Completed`: every recipient has been delivered to or given up.
    Completed {
        /// `QT=` (`+queue_time_overall`): milliseconds from arrival to this line.
        queue_ms: Option<u64>,
    },
    /// A line without a flag.
    Notice(EximNotice<'a>),
}

/// The line that says least.
impl Default for EximBody<'_> {
    fn default() -> Self {
        EximBody::Completed { queue_ms: None }
    }
}

/// The other end of an SMTP conversation: `H=name (helo) [ip]:port*`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EximHost<'a> {
    /// Verified host name, absent in `H=(helo) [ip]` and `H=[ip]`.
    pub name: Option<&'a [u8]>,
    /// HELO/EHLO name in parentheses, without them. The sender's claim.
    pub helo: Option<&'a [u8]>,
    /// The last address in brackets, which is the only one that Exim vouches for.
    pub ip: Option<IpAddr>,
    /// TCP port behind the address (`+incoming_port`, `+outgoing_port`).
    pub port: Option<u16>,
    /// A trailing `*`: the message went down a connection that was already open.
    pub continued: bool,
}

/// A message arrival.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Arrival<'a> {
    /// `(=`: the message was read, dropped, and refused to the sender.
    pub fakereject: bool,
    /// Envelope sender as printed; empty for `<>`.
    pub sender: &'a [u8],
    /// `H=`: the client that handed the message in; empty for local submission.
    pub host: EximHost<'a>,
    /// `U=`: local user, or the ident of the client.
    pub user: Option<&'a [u8]>,
    /// `P=`: protocol (`esmtps`, `local`, …).
    pub protocol: Option<&'a [u8]>,
    /// `A=authenticator:id[:sender]`: the authenticator's name.
    pub authenticator: Option<&'a [u8]>,
    /// `A=…:id`: the authenticated id.
    pub authenticated_id: Option<&'a [u8]>,
    /// `R=`: the message that this bounce is about.
    pub bounced: Option<MessageId<'a>>,
    /// `id=`: Message-ID header without angle brackets, as printed.
    pub message_id: Option<&'a [u8]>,
    /// `S=`: bytes of the message with its headers.
    pub size: Option<u64>,
    /// `RT=`: time to receive the message, milliseconds.
    pub receive_ms: Option<u64>,
    /// `X=` (`+tls_cipher`): protocol, cipher and key bits, as in `TLS1.3:TLS_AES_256_GCM_SHA384:256`.
    pub tls: Option<&'a [u8]>,
    /// `T="…"`: subject, still escaped, without the quotes.
    pub subject: Option<&'a [u8]>,
    /// `from <…>`: the sender before rewriting.
    pub original_sender: Option<&'a [u8]>,
    /// `for a b c`: recipients, space separated as printed.
    pub recipients: Option<&'a [u8]>,
}

/// The flag of a delivery line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flag {
    /// `=>`: delivered; the first address of its delivery.
    Delivered,
    /// `->`: a further address in the same delivery.
    Additional,
    /// `>>`: cut-through delivery; stands before its own `<=`.
    CutThrough,
    /// `*>`: not delivered, because Exim ran with `-N`.
    Suppressed,
    /// `**`: failed for good; a bounce goes to the sender.
    Failed,
    /// `==`: deferred; repeats at every retry.
    Deferred,
}

/// What a delivery line's address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// A mail address, whatever transport takes it.
    Address,
    /// `:blackhole:` or `blackhole (RCPT ACL discarded…)`.
    Blackhole,
    /// `|command`: the input of a program (the pipe transport).
    Pipe,
    /// `/path`, `save /path`: a file or a directory (the appendfile transport).
    File,
    /// `>address`: written by the autoreply transport.
    Autoreply,
}

/// One address's delivery, failure or deferral.
#[derive(Debug, Clone, PartialEq)]
pub struct EximDelivery<'a> {
    /// How the attempt ended.
    pub flag: Flag,
    /// What kind of place the final address is.
    pub target: Target,
    /// The final address as printed, without parents.
    pub address: &'a [u8],
    /// The original address in `<…>`, when one was printed.
    pub original: Option<&'a [u8]>,
    /// `F=<…>` (`+sender_on_delivery`): the envelope sender; empty for `<>`.
    pub sender: Option<&'a [u8]>,
    /// `P=<…>` (`+return_path_on_delivery`): the envelope sender given to the next hop; empty for `<>`.
    pub return_path: Option<&'a [u8]>,
    /// `R=`: the router that accepted the address.
    pub router: Option<&'a [u8]>,
    /// `T=`: the transport that made the attempt.
    pub transport: Option<&'a [u8]>,
    /// `H=`: the remote host of the attempt; empty for a local one.
    pub host: EximHost<'a>,
    /// `S=` (`+delivery_size`): bytes that were delivered.
    pub size: Option<u64>,
    /// `C="…"` (`+smtp_confirmation`): the next hop's reply to the message, without the quotes, still escaped.
    pub confirmation: Option<&'a [u8]>,
    /// `QT=` (`+queue_time`): milliseconds since the message arrived.
    pub queue_ms: Option<u64>,
    /// `DT=` (`+deliver_time`): milliseconds that the attempt took.
    pub delivery_ms: Option<u64>,
    /// `X=` (`+tls_cipher`): protocol, cipher and key bits.
    pub tls: Option<&'a [u8]>,
    /// The number in `defer (…)` or `routing defer (…)`: an errno, or negative for an Exim error.
    pub errno: Option<i32>,
    /// The text after the fields: why it failed or was deferred. Inner newlines are printed as `\n`.
    pub text: Option<&'a [u8]>,
}

/// A line without a flag: what it tells, and its text after the header.
#[derive(Debug, Clone, PartialEq)]
pub struct EximNotice<'a> {
    /// What it is about, by its words.
    pub kind: EximNoticeKind,
    /// The remote end, where the line has an `H=`, `host [ip]` or `from … [ip]`.
    pub host: EximHost<'a>,
    /// `F=<…>`: the envelope sender of a reject.
    pub sender: Option<&'a [u8]>,
    /// The recipient of a `rejected RCPT <…>`.
    pub recipient: Option<&'a [u8]>,
    /// Everything after the header.
    pub text: &'a [u8],
    /// The part that explains: after `: `, where there is one, or the words of `H=host [ip] Connection refused`; else
    /// empty.
    pub reason: &'a [u8],
}

/// What a line without a flag tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EximNoticeKind {
    /// `rejected RCPT <…>`, `temporarily rejected RCPT`.
    RejectedRcpt,
    /// `rejected MAIL`, `rejected after DATA`, `rejected from <…>`, `rejected during MIME ACL checks`, `rejected by
    /// local_scan()`, `message too big`: a reject of a message or its sender.
    RejectedMessage,
    /// `rejected EHLO`, `rejected HELO`, `rejected VRFY`, `rejected connection`, `refused: too many connections`: no mail was offered.
    RejectedConnection,
    /// `Message is frozen`, `Frozen (delivery error message)`, `frozen by …`, `*** Frozen …`.
    Frozen,
    /// `Unfrozen by …`, `Unfrozen by errmsg timer`.
    Unfrozen,
    /// `cancelled by …`, `removed by …`.
    Removed,
    /// `retry time not reached for any host` and `… retry timeout exceeded` without a flag.
    RetryNotReached,
    /// `H=host [ip] Connection refused`, `… Connection timed out`, `… No route to host`, `… Network is unreachable`.
    ConnectionFailed,
    /// `SMTP error from remote mail server …`, `SMTP timeout …`, `Remote host … closed connection` before a later `==`.
    RemoteError,
    /// `exim 4.96 daemon started: pid=…`.
    DaemonStarted,
    /// `Start queue run: pid=`.
    QueueRunStarted,
    /// `End queue run: pid=`.
    QueueRunEnded,
    /// `no immediate delivery: …`.
    NotImmediate,
    /// `Spool file is locked`.
    SpoolLocked,
    /// `TLS error on connection …`, `TLS session failure`.
    TlsError,
    /// `SMTP connection from … closed by QUIT`, `… lost`, `SMTP protocol error`, `SMTP syntax error`, `no host name found for IP`,
    /// `unexpected disconnection`, `Warning: …`, and every other line that says nothing about a mail's fate.
    Chatter,
}

impl EximNoticeKind {
    /// Whether mail, or somebody who might have brought some, was turned away.
    ///
    /// ```
    /// use mailpulse_parsers::exim::{self, record::EximBody};
    ///
    /// let line = b"2018-06-06 18:55:01 H=(pc) [192.0.2.7] F=<x@example.com> rejected RCPT <ann@example.org>: relay not permitted";
    /// let EximBody::Notice(notice) = exim::parse(line)?.body else { panic!() };
    /// assert!(notice.kind.is_refusal());
    /// assert_eq!((notice.recipient, notice.reason), (Some(&b"ann@example.org"[..]), &b"relay not permitted"[..]));
    /// # Ok::<(), mailpulse_parsers::Reject>(())
    /// ```
    #[must_use]
    pub fn is_refusal(self) -> bool {
        matches!(
            self,
            EximNoticeKind::RejectedRcpt | EximNoticeKind::RejectedMessage | EximNoticeKind::RejectedConnection
        )
    }
}

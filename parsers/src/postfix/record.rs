//! What one Postfix line says. Everything borrows from the line; nothing is decoded or allocated.
//!
//! The names are Postfix's own: queue ID, relay, delays, status, notification. A `PostfixRecord` keeps the fields that mail
//! analytics need and walks over the rest.

use super::program::Program;
use crate::odd::Odd;
use crate::reply::{Enhanced, Reason, Reply, classify_own, enhanced_at};
use std::net::IpAddr;

/// One line of a Postfix program, without its syslog envelope.
#[derive(Debug, Clone, PartialEq)]
pub struct PostfixRecord<'a> {
    /// Which program wrote it: the last part of the tag.
    pub program: Program,
    /// The tag before the program: `postfix`, `postfix-out`, `postfix/relay`. Up to its first slash it is the
    /// instance, and queue IDs belong to an instance.
    pub syslog_name: &'a [u8],
    /// Queue ID, short hexadecimal or long base-52; `None` for `NOQUEUE` and for lines about no message.
    pub queue_id: Option<&'a [u8]>,
    /// A field that is not of its form, and was left out; the first, if there are several.
    pub odd: Option<Odd<'a>>,
    /// What the line reports.
    pub body: PostfixBody<'a>,
}

/// The kinds of line.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)]
pub enum PostfixBody<'a> {
    /// `client=`: a message begins to arrive by SMTP. Without a queue ID it goes through a before-queue filter.
    Client(Client<'a>),
    /// `uid= from=<>`: a message arrives by sendmail.
    Pickup(Pickup<'a>),
    /// `message-id=` or `resent-message-id=`.
    Cleanup(Cleanup<'a>),
    /// `from=<>, size=, nrcpt= (queue active)`; repeats at every retry.
    QueueActive(QueueActive<'a>),
    /// `from=<>, status=expired, returned to sender`.
    Expired(Expired<'a>),
    /// `removed`: the message has left the queue and its ID is free again.
    Removed {
        /// By `postsuper -d`, not because it was done.
        by_admin: bool,
    },
    /// MailScanner's `Requeue: ID.x to ID`: a mail that was held goes on under another ID.
    Requeued {
        /// The new ID.
        next: &'a [u8],
    },
    /// `to=<>, relay=, …, status=`: one attempt for one recipient.
    Delivery(PostfixDelivery<'a>),
    /// `sender non-delivery notification: ID` and its kin.
    Notification(Notification<'a>),
    /// `reject:`, `milter-reject:`, `discard:`, `hold:`, …: a decision of an access check, a milter or header checks.
    Rejection(Rejection<'a>),
    /// `warning:`, `error:`, `fatal:`, `panic:`, before or after the queue ID.
    Problem(Problem<'a>),
    /// A problem that kept a mail out of the queue: no other line names it.
    Unqueued(Unqueued<'a>),
    /// The mail system itself starts, reloads or stops.
    Daemon(Daemon<'a>),
    /// Any other line.
    Notice(PostfixNotice<'a>),
}

/// The other end of a connection: `name[ip]:port`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PostfixHost<'a> {
    /// Host name; absent for `unknown`. Of a relay without brackets the word itself: `local`, `virtual`, the name of a
    /// pipe transport; absent for `none`.
    pub name: Option<&'a [u8]>,
    /// IP address; absent for `[unknown]` and sockets.
    pub ip: Option<IpAddr>,
    /// TCP port behind the brackets, which relays have.
    pub port: Option<u16>,
    /// UNIX socket in the brackets, as LMTP has it.
    pub socket: Option<&'a [u8]>,
}

/// smtpd's `client=name[ip]`: who brings a message.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Client<'a> {
    /// Who hands the message in.
    pub host: PostfixHost<'a>,
    /// `sasl_method=`: the mechanism, as in `PLAIN`.
    pub sasl_method: Option<&'a [u8]>,
    /// `sasl_username=`: the name that the client logged in with.
    pub sasl_username: Option<&'a [u8]>,
    /// `sasl_sender=`: the `AUTH=` of its `MAIL FROM`.
    pub sasl_sender: Option<&'a [u8]>,
    /// `orig_queue_id=`: the ID before a content filter handed the message back (XFORWARD).
    pub orig_queue_id: Option<&'a [u8]>,
    /// `orig_client=`: the client before that filter.
    pub orig_client: Option<PostfixHost<'a>>,
}

/// pickup's `uid= from=<>`: a message that `sendmail` left.
#[derive(Debug, Clone, PartialEq)]
pub struct Pickup<'a> {
    /// User ID of the process that called sendmail.
    pub uid: Option<u64>,
    /// Envelope sender; empty for `<>`.
    pub sender: &'a [u8],
    /// `orig_id=`: the message's ID before `postsuper -r`.
    pub orig_id: Option<&'a [u8]>,
}

/// cleanup's `message-id=<>`: the Message-ID header.
#[derive(Debug, Clone, PartialEq)]
pub struct Cleanup<'a> {
    /// The header without angle brackets; as printed when it has none.
    pub message_id: &'a [u8],
    /// The header is `Resent-Message-ID` (`resent-message-id=`).
    pub resent: bool,
}

/// `sendmail: fatal: ann(1000): message file too big` and its kin.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Unqueued<'a> {
    /// User ID of whoever handed the mail in, where the line names it.
    pub uid: Option<u64>,
    /// The envelope sender, where the line names one.
    pub sender: Option<&'a [u8]>,
    /// Why.
    pub reason: &'a [u8],
}

impl Unqueued<'_> {
    /// What the text says, as this host's: it is too big for the queue, or this host's fault.
    #[must_use]
    pub fn reply(&self) -> Reply {
        let mut reply = classify_own(self.reason, None);
        reply.reason = match reply.reason {
            // The file that is too large is the queue's, not a mailbox.
            Reason::MessageTooBig | Reason::MailboxFull => Reason::MessageTooBig,
            _ => Reason::LocalError,
        };
        reply
    }
}

/// `from=<>, size=, nrcpt= (queue active)`.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueActive<'a> {
    /// Envelope sender; empty for `<>`.
    pub sender: &'a [u8],
    /// `size=`: bytes of the message in the queue.
    pub size: Option<u64>,
    /// `nrcpt=`: recipients that are still to be delivered to.
    pub nrcpt: Option<u64>,
}

/// `from=<>, status=expired, returned to sender`.
#[derive(Debug, Clone, PartialEq)]
pub struct Expired<'a> {
    /// Envelope sender; empty for `<>`.
    pub sender: &'a [u8],
    /// `status=force-expired`: by `postsuper -e`.
    pub forced: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// `sent`.
    Sent,
    /// `deferred`; repeats at every retry.
    Deferred,
    /// `bounced`.
    Bounced,
    /// `SOFTBOUNCE`: would have bounced, deferred because of `soft_bounce = yes`.
    SoftBounce,
    /// `expired`.
    Expired,
    /// `deliverable`, `deliverable-but-not-cached`: an address probe; no mail.
    Deliverable,
    /// `undeliverable`, `undeliverable-but-not-cached`: an address probe; no mail.
    Undeliverable,
}

/// Where an attempt went, by program and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Destination {
    /// To another host by SMTP.
    Remote,
    /// To a mail store by LMTP.
    Lmtp,
    /// `delivered to mailbox`, and attempts of local and virtual that say nothing else.
    Mailbox,
    /// `delivered to maildir`.
    Maildir,
    /// `delivered to command: …`.
    Command,
    /// `delivered to file: …`.
    File,
    /// `forwarded as ID`: goes on as a message of its own.
    Forwarded,
    /// Through a pipe transport.
    Pipe,
    /// Thrown away by the discard transport.
    Discarded,
    /// Nowhere: the error and retry transports, and the queue manager's own verdicts.
    None,
}

/// One attempt for one recipient.
#[derive(Debug, Clone, PartialEq)]
pub struct PostfixDelivery<'a> {
    /// `to=`: the recipient after aliases and virtual maps.
    pub recipient: &'a [u8],
    /// `orig_to=`: the recipient before aliases and virtual maps.
    pub orig_to: Option<&'a [u8]>,
    /// `relay=`: the host that was talked to, or the local transport; empty for `relay=none`.
    pub relay: PostfixHost<'a>,
    /// `conn_use=`: how many messages went down this connection, this one included.
    pub conn_use: Option<u64>,
    /// `delay=`: since arrival, milliseconds.
    pub delay_ms: Option<u64>,
    /// `delays=a/b/c/d`: before the queue manager, in the queue, connection setup, transmission; milliseconds.
    pub delays_ms: Option<[u64; 4]>,
    /// `dsn=`: Postfix's own verdict; since Postfix 2.3.
    pub dsn: Option<Enhanced>,
    /// `status=`: how it ended.
    pub status: Status,
    /// Where it went, by program and text.
    pub destination: Destination,
    /// The text in parentheses, without them.
    pub text: &'a [u8],
    /// Queue ID under which the next hop, or this host for `forwarded as`, goes on with the message.
    pub next_queue_id: Option<&'a [u8]>,
}

/// What a message of Postfix's own is about, and to whom it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotificationKind {
    /// `sender non-delivery notification`: a bounce.
    SenderNonDelivery,
    /// `sender delay notification`.
    SenderDelay,
    /// `sender delivery status notification`: asked for by `NOTIFY=SUCCESS`, or by `sendmail -v`.
    SenderDeliveryStatus,
    /// `postmaster non-delivery notification`.
    PostmasterNonDelivery,
    /// `postmaster delay notification`.
    PostmasterDelay,
    /// Any other `sender … notification` or `postmaster … notification`.
    Other,
}

/// A message about the message.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification<'a> {
    /// What it is about.
    pub kind: NotificationKind,
    /// Its own queue ID.
    pub notification_id: &'a [u8],
}

/// What a check decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// `reject`: refused, for good or for now; the reply's code tells.
    Reject,
    /// `reject_warning`: would have been refused (`warn_if_reject`); goes on.
    RejectWarning,
    /// `milter-reject`: refused by a milter.
    MilterReject,
    /// `proxy-reject`: refused by a before-queue filter.
    ProxyReject,
    /// `discard`, `milter-discard`: accepted, and thrown away.
    Discard,
    /// `hold`, `milter-hold`, `quarantine`: accepted, and kept in the hold queue.
    Hold,
    /// `filter`, `redirect`, `warning`, `info`, `prepend`, `replace`, `strip`, `bcc`, `delay`, `pass`, `proxy-accept`, …:
    /// goes on.
    Pass,
}

/// `NOQUEUE: reject: RCPT from name[ip]: 554 5.7.1 <to>: Relay access denied; from=<> to=<> proto=ESMTP helo=<>`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejection<'a> {
    /// What was decided; [`Action::Pass`] refuses nothing.
    pub action: Action,
    /// Its word as printed.
    pub word: &'a [u8],
    /// SMTP stage (`CONNECT`, `RCPT`, `END-OF-MESSAGE`), or `header` and `body` of cleanup's checks.
    pub stage: &'a [u8],
    /// The header or body line that a check matched.
    pub content: Option<&'a [u8]>,
    /// The client that the decision is about; empty where the line names none.
    pub host: PostfixHost<'a>,
    /// Reply or explanation; empty if there is none.
    pub text: &'a [u8],
    /// `from=`: the envelope sender; empty for `<>`.
    pub sender: Option<&'a [u8]>,
    /// `to=`: the envelope recipient, once there is one.
    pub recipient: Option<&'a [u8]>,
    /// `proto=`: `SMTP` or `ESMTP`.
    pub protocol: Option<&'a [u8]>,
    /// `helo=`: the client's name for itself.
    pub helo: Option<&'a [u8]>,
    /// `sasl_username=`: the name that the client logged in with.
    pub sasl_username: Option<&'a [u8]>,
}

impl Rejection<'_> {
    /// The enhanced code of the reply: `554 5.7.1 …`, or `5.7.1 …` as cleanup and milters have it.
    ///
    /// ```
    /// use mailpulse_parsers::postfix::{self, record::PostfixBody};
    ///
    /// let text = b"NOQUEUE: reject: RCPT from pc[192.0.2.7]: 554 5.7.1 <ann@example.com>: Relay access denied; \
    ///              from=<x@example.org> to=<ann@example.com> proto=ESMTP helo=<pc>";
    /// let PostfixBody::Rejection(rejection) = postfix::parse(b"postfix/smtpd", text)?.body else { panic!() };
    /// assert_eq!(rejection.enhanced().map(|code| (code.class, code.subject, code.detail)), Some((5, 7, 1)));
    /// assert!(!rejection.temporary());
    /// assert_eq!((rejection.stage, rejection.helo), (&b"RCPT"[..], Some(&b"pc"[..])));
    /// # Ok::<(), mailpulse_parsers::Reject>(())
    /// ```
    #[must_use]
    pub fn enhanced(&self) -> Option<Enhanced> {
        let after_code = match self.text {
            [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9', b' ', rest @ ..] => rest,
            text => text,
        };
        enhanced_at(after_code)
    }

    /// Whether the client is asked to come again: the reply begins with `4xx` or `4.x.x`.
    #[must_use]
    pub fn temporary(&self) -> bool {
        matches!(
            self.text,
            [b'4', b'0'..=b'9', b'0'..=b'9', ..] | [b'4', b'.', b'0'..=b'9', ..]
        )
    }
}

/// The levels of Postfix's `msg(3)` above information.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// `warning:`.
    Warning,
    /// `error:`.
    Error,
    /// `fatal:`: the process ends.
    Fatal,
    /// `panic:`: a bug; the process ends.
    Panic,
}

/// A line of the msg(3) levels above information.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem<'a> {
    /// How bad it is.
    pub severity: Severity,
    /// The text behind it.
    pub text: &'a [u8],
}

/// What the mail system does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DaemonKind {
    /// `starting the Postfix mail system`.
    Starting,
    /// `daemon started -- version …`.
    Started,
    /// `reload -- version …`, `refreshing the Postfix mail system`.
    Reloaded,
    /// `stopping the Postfix mail system`, `aborting …`, `waiting for … to terminate`.
    Stopping,
    /// `terminating on signal 15`.
    Terminated,
}

/// Start, reload, stop: what tells an intended silence from a broken one.
#[derive(Debug, Clone, PartialEq)]
pub struct Daemon<'a> {
    /// What it does.
    pub kind: DaemonKind,
    /// The whole text, which may name version and folder.
    pub text: &'a [u8],
}

/// A line without one of the forms above.
#[derive(Debug, Clone, PartialEq)]
pub struct PostfixNotice<'a> {
    /// What it is about, by program and words.
    pub kind: PostfixNoticeKind,
    /// The other end, where the line names one.
    pub host: PostfixHost<'a>,
    /// The whole text after the queue ID.
    pub text: &'a [u8],
    /// The part that explains, after the host; else empty.
    pub reason: &'a [u8],
}

/// What a line without a form of its own tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PostfixNoticeKind {
    /// `connect from name[ip]`: a client of smtpd.
    Connected,
    /// `disconnect from name[ip]`, with the count of its commands.
    Disconnected,
    /// `lost connection after … from`, `timeout after … from`, `too many errors after … from`.
    ClientLost,
    /// `connect to name[ip]:25: Connection refused`.
    ConnectionFailed,
    /// `host name[ip] said: 450 …`, `host … refused to talk to me: …`, `lost connection with …`, `conversation with … timed out`:
    /// one host of several failed, and the next one is tried.
    RemoteError,
    /// `… TLS connection established …`, `SSL_accept error …`, `certificate verification failed …`, `setting up TLS …`.
    Tls,
    /// `statistics: …` of anvil and scache.
    Statistics,
    /// postscreen, dnsblog and tlsproxy.
    Screening,
    /// The cache of verify's address probes.
    Verify,
    /// `placed on hold`, `released from hold`, `requeued`, `expired` of postsuper.
    Administered,
    /// `skipped, still being delivered`.
    Skipped,
    /// Every other line that says nothing about a mail's fate.
    Chatter,
}

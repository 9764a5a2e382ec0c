//! The reasons that a text may give.

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        /// Why mail was deferred, bounced or refused: whose fault it is, and what to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[$doc])* $name),* }

        impl Reason {
            /// Every reason, in the order in which they are declared.
            pub const ALL: &[Reason] = &[$(Reason::$name),*];

            /// The name in events and queries.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Reason::$name => $text),* }
            }
        }
    };
}

reasons! {
    // The recipient's.
    /// The address does not exist.
    NoSuchUser = "no_such_user",
    /// The mailbox is full, or over its quota.
    MailboxFull = "mailbox_full",
    /// The mailbox exists and takes no mail: disabled, suspended, inactive.
    MailboxDisabled = "mailbox_disabled",
    /// Not a relay for this.
    RelayDenied = "relay_denied",
    // Ours, as a sender.
    /// What others say of our host or domain: complaints, a bad reputation.
    Reputation = "reputation",
    /// Our host or domain is on a list.
    Blocklist = "blocklist",
    /// SPF, DKIM, DMARC, no reverse name, a sender's domain that does not exist.
    Authentication = "authentication",
    /// Taken for spam, a virus, or an attachment that is not wanted.
    Content = "content",
    /// Too many messages, connections, or recipients.
    RateLimited = "rate_limited",
    /// The message is too big.
    MessageTooBig = "message_too_big",
    /// Refused by a rule that is none of the above.
    Policy = "policy",
    // Ours, as a host.
    /// A fault of this host: disk, permissions, configuration, a program that failed.
    LocalError = "local_error",
    /// A limit that our own mail server or panel sets for the sender.
    SenderQuota = "sender_quota",
    // The way.
    /// No connection: refused, no route, unreachable.
    ConnectionRefused = "connection_refused",
    /// The connection broke.
    ConnectionLost = "connection_lost",
    /// No answer in time.
    Timeout = "timeout",
    /// A name could not be looked up, or does not exist.
    Dns = "dns",
    /// TLS could not be used, or is required.
    Tls = "tls",
    /// A login failed, or is required.
    SmtpAuth = "smtp_auth",
    /// Asked to come back later, as a test.
    Greylisted = "greylisted",
    /// The other side's own fault: its disk, its configuration, its load.
    RemoteError = "remote_error",
    // Neither.
    /// Not tried: the retry time is not there yet, or is over for good.
    RetryTimeout = "retry_timeout",
    /// None of these, or nothing that is known.
    Other = "other",
}

/// Names that earlier versions stored, and the reason that is read in their place.
///
/// `policy` and `local_error` stay: what was stored under them does not tell which of today's reasons it was.
pub const RENAMED: [(&str, Reason); 4] = [
    ("spam", Reason::Content),
    ("size", Reason::MessageTooBig),
    ("auth", Reason::SmtpAuth),
    // Nearly all of it was Exim's `Unrouteable address`.
    ("routing", Reason::NoSuchUser),
];

/// The name by which a stored reason is read today.
///
/// ```
/// use mailpulse_parsers::reply::today;
/// assert_eq!((today("spam"), today("timeout"), today("")), ("content", "timeout", ""));
/// ```
#[must_use]
pub fn today(stored: &str) -> &str {
    let renamed = RENAMED.iter().find(|(old, _)| *old == stored);
    renamed.map_or(stored, |(_, reason)| reason.as_str())
}

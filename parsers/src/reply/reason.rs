//! The reasons that a text may give.

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        /// Why mail was deferred, bounced or refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[$doc])* $name),* }

        impl Reason {
            /// Every reason, in the order in which they are declared.
            pub const ALL: &[Reason] = &[$(Reason::$name),*];

            /// The name in events and queries.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Reason::$name => $text),* }
            }
        }
    };
}

reasons! {
    /// Asked to come back later, as a test.
    Greylisted = "greylisted",
    /// The mailbox is full, or over its quota.
    MailboxFull = "mailbox_full",
    /// The address does not exist or is disabled.
    NoSuchUser = "no_such_user",
    /// Refused by a rule: block lists, SPF, DMARC, administrative prohibition.
    Policy = "policy",
    /// Taken for spam or a virus.
    Spam = "spam",
    /// Too many messages, connections or recipients.
    RateLimited = "rate_limited",
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
    /// Authentication failed or is required.
    Auth = "auth",
    /// The message is too big.
    Size = "size",
    /// Not a relay for this.
    RelayDenied = "relay_denied",
    /// This Exim found no way: unrouteable address, a loop.
    Routing = "routing",
    /// Not tried: the retry time is not there yet, or is over for good.
    RetryTimeout = "retry_timeout",
    /// A fault of this host or its configuration.
    LocalError = "local_error",
    /// None of these, or nothing that is known.
    Other = "other",
}

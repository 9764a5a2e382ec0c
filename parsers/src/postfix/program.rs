//! The programs of Postfix, by the last part of a syslog tag.

use crate::cut::Cut;

macro_rules! programs {
    ($($(#[$doc:meta])* $name:ident = $text:literal $(| $also:literal)*),* $(,)?) => {
        /// A program of Postfix. Its services of other names (`submission/smtpd`) bear its own name in the log.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Program {
            $($(#[$doc])* $name,)*
            /// Anything else that logs under a Postfix name: policy services, scripts.
            Other,
        }

        impl Program {
            /// The program of this name; [`Program::Other`] when Postfix has none.
            ///
            /// ```
            /// use mailpulse_parsers::postfix::Program;
            /// assert_eq!(Program::named(b"nqmgr"), Program::Qmgr);
            /// assert_eq!(Program::named(b"policy-spf"), Program::Other);
            /// ```
            #[must_use]
            #[inline]
            pub fn named(name: &[u8]) -> Program {
                // The text is a literal: compared as one number, not byte by byte.
                $(if name == $text.as_bytes() $(|| name == $also.as_bytes())* { return Program::$name; })*
                Program::Other
            }

            /// The name in the log.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Program::$name => $text,)* Program::Other => "other" }
            }
        }
    };
}

programs! {
    /// SMTP client: deliveries to other hosts.
    Smtp = "smtp",
    /// Queue manager.
    Qmgr = "qmgr" | "oqmgr" | "nqmgr",
    /// SMTP server.
    Smtpd = "smtpd",
    /// Canonicalises and enqueues.
    Cleanup = "cleanup",
    /// Local delivery agent.
    Local = "local",
    /// Delivery to virtual mailboxes.
    Virtual = "virtual",
    /// LMTP client.
    Lmtp = "lmtp",
    /// Delivery to a command.
    Pipe = "pipe",
    /// Fails everything that is routed to it.
    Error = "error",
    /// The error program in its role for deferrals.
    Retry = "retry",
    /// Drops everything that is routed to it.
    Discard = "discard",
    /// Non-delivery and delay notifications.
    Bounce = "bounce" | "defer",
    /// Trace and delivery status notifications.
    Trace = "trace",
    /// Takes in what sendmail left.
    Pickup = "pickup",
    /// Probes of addresses, for `reject_unverified_recipient` and its kin.
    Verify = "verify",
    /// The super-server, which starts all others.
    Master = "master",
    /// Counts connections and rates of clients.
    Anvil = "anvil",
    /// Keeps connections of the SMTP client open for reuse.
    Scache = "scache",
    /// Zombie filter in front of smtpd.
    Postscreen = "postscreen",
    /// Lookups for postscreen.
    Dnsblog = "dnsblog",
    /// TLS for postscreen and for reused connections.
    Tlsproxy = "tlsproxy",
    /// Keeps the caches of TLS sessions.
    Tlsmgr = "tlsmgr",
    /// Address rewriting and routing.
    TrivialRewrite = "trivial-rewrite",
    /// Lookups in tables, for programs in a chroot.
    Proxymap = "proxymap",
    /// `ETRN`: delivery of a site's mail on demand.
    Flush = "flush",
    /// The listing of the queue, for `mailq`.
    Showq = "showq",
    /// QMQP server: mail from qmail's clients.
    Qmqpd = "qmqpd",
    /// Runs a command for each connection.
    Spawn = "spawn",
    /// Log server of `maillog_file`.
    Postlogd = "postlogd",
    /// Logs for scripts.
    Postlog = "postlog",
    /// `postfix start` and `stop`.
    PostfixScript = "postfix-script",
    /// The `postfix` command.
    Postfix = "postfix",
    /// `postsuper(1)`: deletes, holds and requeues messages.
    Postsuper = "postsuper",
    /// `postdrop(1)`: puts a local message into the queue.
    Postdrop = "postdrop",
    /// `sendmail(1)`: takes a local message from a program.
    Sendmail = "sendmail",
    /// `postqueue(1)`: lists and flushes the queue.
    Postqueue = "postqueue",
    /// `postalias(1)`: builds alias tables.
    Postalias = "postalias" | "newaliases",
    /// `postmap(1)`: builds lookup tables.
    Postmap = "postmap",
    /// `postconf(1)`: shows and edits parameters.
    Postconf = "postconf",
    /// `postmulti(1)`: runs several instances.
    Postmulti = "postmulti",
    /// `postfix tls`: sets TLS up.
    PostfixTlsScript = "postfix-tls-script",
}

/// Whether a syslog tag is a Postfix program's: `postfix/smtp`, `postfix-out/smtp`, `postfix/relay/smtp`,
/// `mail-out/smtp`, and the bare `postfix` of its start command.
///
/// ```
/// use mailpulse_parsers::postfix::is_postfix;
/// assert!(is_postfix(b"postfix-out/smtp") && is_postfix(b"mail-out/qmgr"));
/// assert!(!is_postfix(b"dovecot/imap") && !is_postfix(b"smtp"));
/// ```
#[must_use]
pub fn is_postfix(tag: &[u8]) -> bool {
    match split(tag) {
        (b"", name) => name == b"postfix",
        (syslog_name, name) => {
            !name.is_empty() && (syslog_name.starts_with(b"postfix") || Program::named(name) != Program::Other)
        }
    }
}

/// Whether a syslog tag is MailScanner's: no program of Postfix, but it moves mail from the hold queue on under a new ID, and
/// says so.
///
/// ```
/// use mailpulse_parsers::postfix::is_mailscanner;
/// assert!(is_mailscanner(b"MailScanner") && !is_mailscanner(b"postfix/smtp"));
/// ```
#[must_use]
#[inline]
pub fn is_mailscanner(tag: &[u8]) -> bool {
    tag == b"MailScanner"
}

/// Syslog name and program of a tag. A tag without a slash is all program.
#[inline]
pub(super) fn split(tag: &[u8]) -> (&[u8], &[u8]) {
    // A name is over before a call of memrchr would have begun.
    match tag.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (tag.until(slash), tag.past(slash + 1)),
        None => (b"", tag),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        for tag in [
            "postfix/smtp",
            "postfix-out/smtp",
            "postfix/relay/smtp",
            "postfix-10.20.30.40/smtp",
            "postfix/submission/smtpd",
            "mailout/qmgr",
            "postfix/policy-spf",
            "postfix",
        ] {
            assert!(is_postfix(tag.as_bytes()), "{tag}");
        }
        for tag in [
            "smtp",
            "cron",
            "",
            "a/b",
            "postfix/",
            "postfixadmin",
            "postfix-policyd-spf",
            "dovecot/lmtp-x",
        ] {
            assert!(!is_postfix(tag.as_bytes()), "{tag}");
        }
        assert_eq!(split(b"postfix/relay/smtp"), (&b"postfix/relay"[..], &b"smtp"[..]));
        assert_eq!(Program::named(b"oqmgr").as_str(), "qmgr");
    }
}

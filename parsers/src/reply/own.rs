//! What Exim and Postfix say themselves. Behind their words stand names of hosts and files, which may hold any phrase: the
//! beginning decides.

use super::reason::Reason::{self, *};
use super::words;
use crate::cut::Cut;
use memchr::{memchr, memmem};

/// Beginnings that say it all.
const BEGINNINGS: [(&[u8], Reason); 71] = [
    (b"lost connection with ", ConnectionLost),
    (b"Remote host ", ConnectionLost),
    (b"conversation with ", Timeout),
    (b"SMTP timeout ", Timeout),
    (b"LMTP timeout ", Timeout),
    (b"Host or domain name not found", Dns),
    (b"Name service error ", Dns),
    (b"unable to look up host ", Dns),
    (b"host lookup ", Dns),
    (b"lookup of host ", Dns),
    (b"no IP address found for host ", Dns),
    (b"all relevant MX records point", Dns),
    (b"an MX or SRV record indicated", NoSuchUser),
    (b"Unrouteable address", NoSuchUser),
    (b"Unknown user", NoSuchUser),
    (b"unknown user", NoSuchUser),
    (b"user unknown", NoSuchUser),
    (b"User unknown", NoSuchUser),
    (b"retry time not reached", RetryTimeout),
    (b"Retry time not yet reached", RetryTimeout),
    (b"retry timeout exceeded", RetryTimeout),
    (b"all hosts for ", RetryTimeout),
    (b"all hosts have been failing", RetryTimeout),
    (b"mailbox is full", MailboxFull),
    (b"TLS is required", Tls),
    (b"Cannot start TLS", Tls),
    (b"Server certificate ", Tls),
    (b"a TLS session is required", Tls),
    (b"A TLS session is required", Tls),
    (b"TLS session: ", Tls),
    (b"TLS error ", Tls),
    (b"(SSL_", Tls),
    (b"(gnutls_", Tls),
    (b"DANE ", Tls),
    (b"SASL authentication failed", SmtpAuth),
    (b"SMTPUTF8 is required", RemoteError),
    (b"message size ", MessageTooBig),
    (b"mail for ", LocalError),
    (b"mail forwarding loop", LocalError),
    (b"too many hops", LocalError),
    (b"Too many \"Received\"", LocalError),
    (b"lowest numbered MX", LocalError),
    (b"remote host address is the local host", LocalError),
    (b"mail transport unavailable", LocalError),
    (b"unknown mail transport error", LocalError),
    (b"mail system configuration error", LocalError),
    (b"alias database unavailable", LocalError),
    (b"Server configuration ", LocalError),
    (b"local configuration error", LocalError),
    (b"bad address syntax", LocalError),
    (b"local delivery failed", LocalError),
    (b"Tainted ", LocalError),
    (b"error in redirect data", LocalError),
    (b"error in forward file", LocalError),
    (b"DKIM signing failed", LocalError),
    (b"failed to ", LocalError),
    (b"unable to open ", LocalError),
    (b"unable to set ", LocalError),
    (b"unable to bind ", LocalError),
    (b"unable to fork", LocalError),
    (b"unable to create ", LocalError),
    (b"unable to write ", LocalError),
    (b"unable to read ", LocalError),
    (b"unable to lock ", LocalError),
    (b"unable to chdir ", LocalError),
    (b"could not fork", LocalError),
    (b"cannot fork", LocalError),
    (b"lookup of \"", LocalError),
    (b"sendmail: ", LocalError),
    (b"routing yielded ", LocalError),
    (b"sh: ", LocalError),
];

/// Beginnings of a delivery here that failed: the mailbox may be full, or its owner unknown, else it is this host's fault.
const HERE: [&[u8]; 10] = [
    b"Child process of ",
    b"Command died with ",
    b"Command time limit exceeded",
    b"cannot update mailbox ",
    b"create maildir file ",
    b"maildir delivery failed",
    b"mailbox /",
    b"temporary failure. Command output",
    b"service unavailable. Command output",
    b"error writing ",
];

/// What the system says of a connection or a file.
const SYSTEM: [(&[u8], Reason); 18] = [
    (b"Connection refused", ConnectionRefused),
    (b"No route to host", ConnectionRefused),
    (b"Network is unreachable", ConnectionRefused),
    (b"Host is unreachable", ConnectionRefused),
    (b"Host is down", ConnectionRefused),
    (b"Connection timed out", Timeout),
    (b"Operation timed out", Timeout),
    (b"Connection reset by peer", ConnectionLost),
    (b"Broken pipe", ConnectionLost),
    (b"Disk quota exceeded", MailboxFull),
    (b"Disc quota exceeded", MailboxFull),
    (b"File too large", MailboxFull),
    (b"Permission denied", LocalError),
    (b"No space left on device", LocalError),
    (b"No such file or directory", LocalError),
    (b"Cannot assign requested address", LocalError),
    (b"Too many open files", LocalError),
    (b"Resource temporarily unavailable", LocalError),
];

/// The reason of a text that begins as Exim's or Postfix' own do.
pub(super) fn reason(text: &[u8]) -> Option<Reason> {
    // `Connection timed out: retry timeout exceeded` is the end of the retries, not one more of them.
    if text.ends_with(b": retry timeout exceeded") {
        return Some(RetryTimeout);
    }
    let text = text
        .strip_prefix(b"delivery temporarily suspended: ")
        .unwrap_or_else(|| behind_host(text));
    let first = text.first();
    let beginning = |table: &[(&[u8], Reason)]| {
        let mut rows = table.iter();
        rows.find(|(words, _)| words.first() == first && text.starts_with(words))
            .map(|row| row.1)
    };
    if let Some(reason) = beginning(&BEGINNINGS).or_else(|| beginning(&SYSTEM)) {
        return Some(reason);
    }
    if HERE.iter().any(|words| text.starts_with(words)) {
        return Some(here(text));
    }
    if let Some(rest) = text.strip_prefix(b"connect to ") {
        return unreached(rest);
    }
    // A router's or transport's own words stand behind its name: `remote_smtp transport: unable to bind …`.
    let name = memchr(b':', text.until(80)).map(|colon| text.until(colon));
    if name.is_some_and(|name| name.ends_with(b" transport") || name.ends_with(b" router")) {
        return Some(LocalError);
    }
    let (no_mail, loops) = (&b" does not accept mail (nullMX)"[..], &b" loops back to myself"[..]);
    if text.starts_with(b"Domain ") && text.ends_with(no_mail) {
        return Some(NoSuchUser);
    }
    text.ends_with(loops).then_some(LocalError)
}

/// Whether a text of Postfix quotes a server behind a socket of this host: what it says is this host's doing.
pub(super) fn is_local_server(text: &[u8]) -> bool {
    let Some(open) = text
        .strip_prefix(b"host ")
        .and_then(|rest| memchr(b'[', rest.until(260)))
    else {
        return false;
    };
    is_socket(text.past(b"host ".len() + open + 1))
}

fn is_socket(name: &[u8]) -> bool {
    [&b"/"[..], b"private/", b"public/"]
        .iter()
        .any(|place| name.starts_with(place))
}

/// Without `H=name [ip]: ` or `name [ip]:25 ` in front.
fn behind_host(text: &[u8]) -> &[u8] {
    let bracket = memchr(b'[', text.until(260));
    let Some(open) = bracket
        .filter(|open| text.until(*open).ends_with(b" "))
        .map(|open| open - 1)
    else {
        return text;
    };
    let is_one_name = !text.until(open).contains(&b' ');
    let Some(close) = memchr(b']', text.past(open).until(64)).filter(|_| is_one_name) else {
        return text;
    };
    let rest = text.past(open + close + 1);
    let port = rest.strip_prefix(b":").unwrap_or(rest);
    let digits = port.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = port.past(digits);
    rest.strip_prefix(b":").unwrap_or(rest).trim_ascii_start()
}

/// `name[192.0.2.1]:25: Connection refused`; a socket of this host is this host's fault.
fn unreached(rest: &[u8]) -> Option<Reason> {
    let open = memchr(b'[', rest)?;
    let close = open + memchr(b']', rest.past(open))?;
    if is_socket(rest.past(open + 1)) {
        return Some(LocalError);
    }
    let colon = memmem::find(rest.past(close), b": ")?;
    let words = rest.past(close + colon + 2);
    SYSTEM.iter().find(|(says, _)| words.starts_with(says)).map(|row| row.1)
}

/// A local delivery's end. `returned 67` is sysexits' "no such user".
fn here(text: &[u8]) -> Reason {
    let is_full = [
        &b"quota exceeded"[..],
        b"Quota exceeded",
        b"File too large",
        b"over quota",
        b"mailbox is full",
    ];
    if is_full.iter().any(|words| memmem::find(text, words).is_some()) {
        return MailboxFull;
    }
    let output = memmem::find(text, b"Command output: ").map(|at| text.past(at));
    let unknown = memmem::find(text, b" returned 67 ").is_some()
        || memmem::find(text, b"status 67:").is_some()
        || output.is_some_and(|output| words::read(output).strong == Some(NoSuchUser));
    if unknown { NoSuchUser } else { LocalError }
}

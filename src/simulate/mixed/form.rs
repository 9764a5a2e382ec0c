//! A mixed relay's lines, as Exim and as Postfix write them.

use super::super::clock::TimeFormatter;
use super::super::id::EximId;
use super::super::prng::Rng;
use super::parties::{HandIn, Receiver};
use std::fmt::Write as _;

/// Which MTA writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MixedForm {
    Exim,
    Postfix,
}

/// Who hands a mail in.
#[derive(Debug, Clone)]
pub(super) enum Client {
    Ours(HandIn),
    /// Name and address of a foreign host.
    Outside(String, String),
    /// The MTA itself: a bounce of the mail with this ID.
    Itself(String),
}

/// What becomes of a copy.
#[derive(Debug, Clone)]
pub(super) enum CopyFate {
    /// Taken by a host outside.
    Sent(Receiver),
    /// Put into a mailbox here, by LMTP.
    Mailbox,
    /// Given to the list server.
    Piped,
    /// Refused after DATA.
    Bounced(Receiver),
    /// Put off by a host outside.
    Deferred(Receiver),
    /// There is no such address here.
    Unknown,
}

/// A copy's recipient, and where it was sent at first.
#[derive(Debug, Clone)]
pub(super) struct MixedRecipient {
    pub address: String,
    pub forwarded_from: Option<String>,
}

/// A mail as its lines name it.
#[derive(Debug, Clone)]
pub(super) struct MixedMail {
    pub id: String,
    pub sender: String,
    pub size: u64,
    pub recipients: usize,
}

impl MixedForm {
    /// The time as a line's head.
    pub(super) fn head(self, host: &str, at: i64, times: &mut TimeFormatter) -> String {
        let time = std::str::from_utf8(times.of(at)).unwrap_or_default().to_owned();
        match self {
            MixedForm::Exim => format!("{time} "),
            MixedForm::Postfix => format!("{}.000000+00:00 {host} ", time.replace(' ', "T")),
        }
    }

    pub(super) fn id(self, at: i64, number: u64, rng: &mut Rng) -> String {
        match self {
            MixedForm::Exim => EximId::new(at, (number % 1_000_000) as u32 + 100, rng).to_string(),
            MixedForm::Postfix => format!("{:05X}{:07X}", rng.below(0x10_0000), number % 0x1000_0000),
        }
    }

    /// Lines of an arrival.
    pub(super) fn arrival(self, mail: &MixedMail, client: &Client) -> Vec<String> {
        let MixedMail {
            id,
            sender,
            size,
            recipients,
        } = mail;
        let message_id = format!("{}.{size}@mail.example.org", id.to_lowercase());
        if self == MixedForm::Exim {
            let from = match client {
                Client::Ours(HandIn::Local(user)) => format!("U={user} P=local"),
                Client::Ours(HandIn::Host(name, address)) => format!("H={name} [{address}] P=esmtp"),
                Client::Ours(HandIn::Account(name)) => {
                    format!("H=dsl.example.net [203.0.113.200] P=esmtpsa A=plain:{name}")
                }
                Client::Outside(name, address) => format!("H={name} [{address}] P=esmtps"),
                Client::Itself(parent) => format!("R={parent} U=Debian-exim P=local"),
            };
            let sender = if sender.is_empty() { "<>" } else { sender };
            return vec![format!("{id} <= {sender} {from} S={size} id={message_id}")];
        }
        let mut lines = match client {
            Client::Ours(HandIn::Local(_)) => vec![format!("postfix/pickup[911]: {id}: uid=0 from=<{sender}>")],
            Client::Ours(HandIn::Host(name, address)) => {
                vec![format!("postfix/smtpd[912]: {id}: client={name}[{address}]")]
            }
            Client::Ours(HandIn::Account(name)) => vec![format!(
                "postfix/submission/smtpd[913]: {id}: client=dsl.example.net[203.0.113.200], sasl_method=PLAIN, \
                 sasl_username={name}"
            )],
            Client::Outside(name, address) => vec![format!("postfix/smtpd[912]: {id}: client={name}[{address}]")],
            Client::Itself(_) => Vec::new(),
        };
        lines.push(format!("postfix/cleanup[914]: {id}: message-id=<{message_id}>"));
        if let Client::Itself(parent) = client {
            lines.push(format!(
                "postfix/bounce[915]: {parent}: sender non-delivery notification: {id}"
            ));
        }
        lines.push(format!(
            "postfix/qmgr[916]: {id}: from=<{sender}>, size={size}, nrcpt={recipients} (queue active)"
        ));
        lines
    }

    /// The line of a copy.
    pub(super) fn copy(self, id: &str, to: &MixedRecipient, fate: &CopyFate) -> String {
        match self {
            MixedForm::Exim => exim_copy(id, to, fate),
            MixedForm::Postfix => postfix_copy(id, to, fate),
        }
    }

    /// The line of a mail's end.
    pub(super) fn end(self, id: &str) -> String {
        match self {
            MixedForm::Exim => format!("{id} Completed"),
            MixedForm::Postfix => format!("postfix/qmgr[916]: {id}: removed"),
        }
    }

    /// A stranger who claims to be a service of ours, refused.
    pub(super) fn refusal(self, (name, address): (&str, &str), sender: &str, recipient: &str) -> String {
        match self {
            MixedForm::Exim => format!(
                "H={name} [{address}] F=<{sender}> rejected RCPT <{recipient}>: 550 5.7.1 spam is not accepted here"
            ),
            MixedForm::Postfix => format!(
                "postfix/smtpd[912]: NOQUEUE: reject: RCPT from {name}[{address}]: 554 5.7.1 <{recipient}>: MixedRecipient \
                 address rejected: spam is not accepted here; from=<{sender}> to=<{recipient}> proto=ESMTP helo=<{name}>"
            ),
        }
    }
}

/// What a provider that refuses says, and one that puts off.
const REFUSES: &str = "550 5.7.1 Message rejected due to local policy";
const PUTS_OFF: &str = "421 4.7.28 Our system has detected an unusual rate of unsolicited mail";

fn exim_copy(id: &str, to: &MixedRecipient, fate: &CopyFate) -> String {
    let mut address = to.address.clone();
    if let Some(first) = &to.forwarded_from {
        let _ = write!(address, " <{first}>");
    }
    match fate {
        CopyFate::Sent(at) => format!(
            "{id} => {address} R=dnslookup T=remote_smtp H={} [{}] C=\"250 2.0.0 OK\" QT=2s DT=1s",
            at.host, at.address
        ),
        CopyFate::Mailbox => {
            format!("{id} => {address} R=mailboxes T=lmtp H=127.0.0.1 [127.0.0.1] C=\"250 2.1.5 Ok\" QT=1s DT=0s")
        }
        CopyFate::Piped => format!("{id} => |/usr/lib/lists/post talk <{address}> R=lists T=address_pipe QT=1s DT=0s"),
        CopyFate::Bounced(at) => format!(
            "{id} ** {address} R=dnslookup T=remote_smtp H={} [{}]: SMTP error from remote mail server after end of data: \
             {REFUSES}",
            at.host, at.address
        ),
        CopyFate::Deferred(at) => format!(
            "{id} == {address} R=dnslookup T=remote_smtp defer (-46) H={} [{}]: SMTP error from remote mail server after \
             end of data: {PUTS_OFF}",
            at.host, at.address
        ),
        CopyFate::Unknown => format!("{id} ** {address}: Unrouteable address"),
    }
}

fn postfix_copy(id: &str, to: &MixedRecipient, fate: &CopyFate) -> String {
    let first = to.forwarded_from.as_ref();
    let original = first.map_or_else(String::new, |first| format!("orig_to=<{first}>, "));
    let address = &to.address;
    let line = |program: &str, relay: &str, dsn: &str, status: &str| {
        format!(
            "postfix/{program}[917]: {id}: to=<{address}>, {original}relay={relay}, delay=2.1, delays=0.1/0/1/1, dsn={dsn}, \
             status={status}"
        )
    };
    let hop = |at: &Receiver| format!("{}[{}]:25", at.host, at.address);
    match fate {
        CopyFate::Sent(at) => line("smtp", &hop(at), "2.0.0", "sent (250 2.0.0 Ok)"),
        CopyFate::Mailbox => line("lmtp", "mail[private/dovecot-lmtp]", "2.0.0", "sent (250 2.0.0 Saved)"),
        CopyFate::Piped => line("pipe", "lists", "2.0.0", "sent (delivered via lists service)"),
        CopyFate::Bounced(at) => {
            let said = format!(
                "bounced (host {}[{}] said: {REFUSES} (in reply to end of DATA command))",
                at.host, at.address
            );
            line("smtp", &hop(at), "5.7.1", &said)
        }
        CopyFate::Deferred(at) => {
            let said = format!(
                "deferred (host {}[{}] said: {PUTS_OFF} (in reply to end of DATA command))",
                at.host, at.address
            );
            line("smtp", &hop(at), "4.7.28", &said)
        }
        CopyFate::Unknown => line(
            "error",
            "none",
            "5.1.1",
            "bounced (User unknown in virtual mailbox table)",
        ),
    }
}

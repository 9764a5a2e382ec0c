//! What other mail systems answer when they do not take a message. A newline in a reply is `\n` in the log.

use super::prng::Rng;

const GREYLISTED: [&str; 3] = [
    "451 4.7.1 Greylisting in action, please come back later",
    "450 4.2.0 <{to}>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/example.org.html",
    r"451-The recipient is greylisted.\n451 Try again in 10 minutes.",
];
const RATE_LIMITED: [&str; 2] = [
    "421 4.7.0 [TSS04] Messages from {ip} temporarily deferred due to user complaints - 4.16.55.1; \
     see https://help.yahoo.com/kb/postmaster/SLN3434.html",
    "451 4.7.500 Server busy. Please try again later from [{ip}]. (AS77711)",
];
const MAILBOX_FULL: [&str; 2] = [
    "452-4.2.2 The email account that you tried to reach is over quota. Please direct\\n\
     452-4.2.2 the recipient to\\n\
     452 4.2.2 https://support.google.com/mail/?p=OverQuotaTemp e7si812pgn.71 - gsmtp",
    "452 4.2.2 <{to}>: Mailbox full",
];
const NO_SUCH_USER: [&str; 3] = [
    "550-5.1.1 The email account that you tried to reach does not exist. Please try\\n\
     550-5.1.1 double-checking the recipient's email address for typos or\\n\
     550-5.1.1 unnecessary spaces. Learn more at\\n\
     550 5.1.1  https://support.google.com/mail/?p=NoSuchUser v12si4104817pgs.41 - gsmtp",
    "550 5.1.1 <{to}>: Recipient address rejected: User unknown in virtual mailbox table",
    "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302). \
     [DB5EUR03FT021.eop-EUR03.prod.protection.outlook.com]",
];
const POLICY: [&str; 2] = [
    "550 5.7.1 Message rejected as spam by content filtering",
    "554 5.7.9 Message not accepted for policy reasons.  See https://postmaster.example.com/error-codes",
];

/// What a reply is about.
#[derive(Clone, Copy)]
pub(super) enum Topic {
    Greylisted,
    RateLimited,
    MailboxFull,
    NoSuchUser,
    Policy,
}

/// A reply about the recipient `to`, to the relay at `ip`.
pub(super) fn draw(topic: Topic, to: &str, ip: &str, rng: &mut Rng) -> String {
    let replies: &[&str] = match topic {
        Topic::Greylisted => &GREYLISTED,
        Topic::RateLimited => &RATE_LIMITED,
        Topic::MailboxFull => &MAILBOX_FULL,
        Topic::NoSuchUser => &NO_SUCH_USER,
        Topic::Policy => &POLICY,
    };
    rng.pick(replies).replace("{to}", to).replace("{ip}", ip)
}

//! The texts of PHPMailer, which Phabricator and the Slim applications log.

use super::cause::{self, address, count_addresses};
use super::record::Mail;
use crate::cut::Cut;
use memchr::memmem;
use std::borrow::Cow;

/// A failure with this text: `SMTP Error: The following recipients failed: a@example.org, b@example.org`.
pub(super) fn failed(text: &[u8]) -> Mail<'_> {
    let mut mail = Mail::failed(cause::reason(text));
    if let Some(list) = after(text, b"ollowing recipients failed: ") {
        mail.recipient = address(list).map(Cow::Borrowed);
        mail.recipients = count_addresses(list);
    } else if let Some(sender) = after(text, b"ollowing From address failed: ") {
        mail.sender = address(sender).map(Cow::Borrowed);
    }
    mail
}

fn after<'a>(text: &'a [u8], words: &[u8]) -> Option<&'a [u8]> {
    memmem::find(text, words).map(|at| text.past(at + words.len()))
}

/// Whether a text is one of PHPMailer's own.
pub(super) fn is_own(text: &[u8]) -> bool {
    [
        &b"SMTP Error: "[..],
        b"SMTP connect() failed",
        b"The following From address failed",
        b"The following recipients failed",
        b"Could not instantiate mail function",
        b"You must provide at least one recipient email address",
    ]
    .iter()
    .any(|words| memmem::find(text, words).is_some())
}

//! The reason class of a reply whose words are stored, by today's table.

use mailpulse_parsers::reply::{Enhanced, Reason, classify, classify_with_dsn, reply_in};

/// The class of stored words, as the log's format classifies them; none if they do not tell, or if nobody knows the format.
pub(crate) fn reason_of(source: &str, words: &str, enhanced_code: &str) -> Option<&'static str> {
    let text = words.as_bytes();
    let reply = match source {
        "exim" => classify(reply_in(text).unwrap_or(text)),
        "postfix" => classify_with_dsn(text, enhanced(enhanced_code)),
        _ => return None,
    };
    // What stood beside the words, such as an errno, may have told more.
    (reply.reason != Reason::Other).then(|| reply.reason.as_str())
}

/// `5.7.1`.
fn enhanced(text: &str) -> Option<Enhanced> {
    let mut parts = text.splitn(3, '.');
    let [class, subject, detail] = [parts.next()?, parts.next()?, parts.next()?];
    Some(Enhanced {
        class: class.parse().ok()?,
        subject: subject.parse().ok()?,
        detail: detail.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_classified_as_their_log_classifies_them() {
        let exim = "SMTP error from remote mail server after RCPT TO:<~x@example.org>: 550 5.1.1 <~x@example.org>: no such user";
        for (source, words, code, reason) in [
            ("exim", exim, "5.1.1", Some("no_such_user")),
            ("exim", "Connection refused", "", Some("connection_refused")),
            ("exim", "something else", "", None),
            (
                "postfix",
                "host mx.example.org[192.0.2.1] said: 452 4.2.2 The email account that you tried to reach is over quota",
                "4.2.2",
                Some("mailbox_full"),
            ),
            ("phabricator", exim, "5.1.1", None),
        ] {
            assert_eq!(reason_of(source, words, code), reason, "{source}: {words}");
        }
        assert_eq!(enhanced("5.7"), None);
    }
}

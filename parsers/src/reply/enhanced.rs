//! Enhanced status codes (RFC 3463) as they are written.

/// `class.subject.detail` of RFC 3463.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Enhanced {
    /// 2 for success, 4 for a failure that may pass, 5 for one that stays.
    pub class: u8,
    /// What it is about, 0 to 999: 1 the address, 2 the mailbox, 3 the system, 4 the network, 5 the protocol, 6 the
    /// content, 7 security.
    pub subject: u16,
    /// Which of the subject's states, 0 to 999; the IANA registry of enhanced status codes lists them.
    pub detail: u16,
}

/// `5.1.1` or `#5.1.1`.
pub(crate) fn enhanced_at(text: &[u8]) -> Option<Enhanced> {
    let text = text.strip_prefix(b"#").unwrap_or(text);
    let [class @ (b'2' | b'4' | b'5'), b'.', rest @ ..] = text else {
        return None;
    };
    let (rest, subject) = small_number(rest)?;
    let (rest, detail) = small_number(rest.strip_prefix(b".")?)?;
    if matches!(rest.first(), Some(b'.' | b'0'..=b'9')) {
        return None;
    }
    Some(Enhanced {
        class: class - b'0',
        subject,
        detail,
    })
}

fn small_number(text: &[u8]) -> Option<(&[u8], u16)> {
    let (rest, value) = crate::prim::decimal(text).ok()?;
    (value <= 999).then_some((rest, value as u16))
}

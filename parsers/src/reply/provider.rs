//! Codes of the providers' own in a reply: `(S3140)`, `[TSS04]`, `AUP#1260`. Their pages for postmasters explain them.

use super::enhanced::Enhanced;
use super::reason::Reason::{self, *};
use crate::cut::Cut;
use std::fmt;

/// Bytes of a code, at most.
const CODE_MAX: usize = 16;

/// A provider's own code, as it stands in the reply: letters, digits and `#().:_-`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ProviderCode {
    bytes: [u8; CODE_MAX],
    length: u8,
}

impl ProviderCode {
    /// None if it is empty, too long, or has other characters than codes have.
    fn new(text: &[u8]) -> Option<Self> {
        let fits = text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"#().:_-".contains(byte));
        let mut bytes = [0; CODE_MAX];
        bytes
            .get_mut(..text.len())
            .filter(|_| fits && !text.is_empty())?
            .copy_from_slice(text);
        Some(ProviderCode {
            bytes,
            length: text.len() as u8,
        })
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Debug for ProviderCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// The code that begins at a word: `before` is the byte before it, `token` the word with the dots and dashes in it.
pub(super) fn code(before: Option<u8>, text: &[u8], token: &[u8]) -> Option<ProviderCode> {
    if !text.first().is_some_and(u8::is_ascii_uppercase) {
        return of_link(token);
    }
    let letters = count(text, u8::is_ascii_uppercase);
    let (word, rest) = text.cut(letters);
    let digits = count(rest, u8::is_ascii_digit);
    let after = rest.get(digits);
    let whole = letters + digits;
    let length = match (before, word, after) {
        // Outlook: `(S3140)`, `(AS77711)`, `AS(201806281)`, `ATTR5`.
        (Some(b'('), b"S" | b"AS", Some(b')')) if digits >= 3 => whole,
        (_, b"AS", Some(b'(')) if digits == 0 => {
            let inside = count(rest.past(1), u8::is_ascii_digit);
            match (inside > 1, rest.get(1 + inside)) {
                (true, Some(b')')) => letters + inside + 2,
                _ => 0,
            }
        }
        (_, b"ATTR", _) if digits > 0 => whole,
        // Yahoo, iCloud: `[TSS04]`, `[CS01]`.
        (Some(b'['), _, Some(b']')) if (2..=5).contains(&letters) && (2..=4).contains(&digits) => whole,
        // AOL: `(RTR:BB)`.
        (Some(b'('), _, Some(b':')) if letters == 3 && digits == 0 && rest.get(3) == Some(&b')') => letters + 3,
        // Comcast, Cox: `BL000010`, `AUP#1260`, `CXTHRT`.
        (_, b"BL" | b"RL", _) if digits == 6 => whole,
        (_, b"AUP", Some(b'#')) => {
            let inside = count(rest.past(1), |byte| byte.is_ascii_alphanumeric() || *byte == b'-');
            if inside > 0 { letters + 1 + inside } else { 0 }
        }
        (_, [b'C', b'X', ..], None | Some(b' ' | b'.')) if (5..=8).contains(&letters) && digits == 0 => letters,
        // Orange, La Poste: `OFR004_104`, `LPN007_510`.
        (_, b"OFR" | b"LPN", _) => {
            let inside = count(rest, |byte| byte.is_ascii_digit() || *byte == b'_');
            if inside >= 3 { letters + inside } else { 0 }
        }
        // Hotmail's and NetEase's stand right behind the SMTP code: `DY-001`, `DT:SPM`.
        (None, _, Some(b'-')) if letters == 2 && digits == 0 && count(rest.past(1), u8::is_ascii_digit) == 3 => 6,
        (None, _, Some(b':')) if (2..=3).contains(&letters) && digits == 0 => {
            let inside = count(rest.past(1), |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
            match (inside, rest.get(1 + inside)) {
                (2 | 3, None | Some(b' ')) => letters + 1 + inside,
                _ => 0,
            }
        }
        _ => 0,
    };
    ProviderCode::new(text.until(length))
}

/// QQ and GMX have theirs in the link: `…&no=1000726`, `…/error-messages?ip=…&c=bl`.
fn of_link(token: &[u8]) -> Option<ProviderCode> {
    if !token.starts_with(b"http") {
        return None;
    }
    let value = |key: &[u8]| {
        let at = memchr::memmem::find(token, key)?;
        let value = token.past(at + key.len());
        Some(value.until(count(value, u8::is_ascii_alphanumeric)))
    };
    let code = match memchr::memmem::find(token, b"error-messages?") {
        Some(_) => value(b"&c=")?,
        None if value(b"no=100").is_some() => value(b"no=")?,
        // Comcast's page has its codes as places: `…#BL000010`.
        None => value(b"#BL0")
            .and(value(b"#"))
            .or_else(|| value(b"#RL0").and(value(b"#")))?,
    };
    ProviderCode::new(code)
}

fn count(text: &[u8], is_of_it: impl Fn(&u8) -> bool) -> usize {
    text.iter().take_while(|byte| is_of_it(byte)).count()
}

/// An enhanced code that the registry does not have, or that Gmail explains in its own way: it is the provider's.
pub(super) fn of_enhanced(code: Enhanced, is_of_gmail: bool) -> Option<ProviderCode> {
    let registered = match code.subject {
        1 => 10,
        2 => 4,
        3 => 6,
        4 => 7,
        5 => 7,
        6 => 10,
        7 => 30,
        _ => return None,
    };
    let is_own = code.detail > registered || (is_of_gmail && code.subject == 7 && code.detail >= 20);
    let text = format!("{}.{}.{}", code.class, code.subject, code.detail);
    ProviderCode::new(text.as_bytes()).filter(|_| is_own)
}

/// What a code means, where its provider says so.
pub(super) fn reason(code: &ProviderCode) -> Option<Reason> {
    Some(match code.as_str() {
        "S3140" | "S3150" | "SC-001" => Blocklist,
        "DY-001" => Reputation,
        "RP-001" => RateLimited,
        "DT:SPM" => Content,
        "MI:SPF" | "MI:DMC" => Authentication,
        "TSS04" | "TSS05" => RateLimited,
        text => match text.split_at_checked(2)?.0 {
            "GL" => Greylisted,
            "BL" => Blocklist,
            "RL" | "RP" => RateLimited,
            _ => return of_letters(text),
        },
    })
}

fn of_letters(text: &str) -> Option<Reason> {
    Some(match text.split_at_checked(4)?.0 {
        "RTR:" | "HVU:" | "RLY:" | "DYN:" => Reputation,
        "CON:" => RateLimited,
        "DNS:" => Authentication,
        _ => return None,
    })
}

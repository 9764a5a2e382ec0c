//! ntfy: the message is the body, the rest stands in headers, which may have neither line breaks nor anything but ASCII: other
//! titles are written as RFC 2047 says.

use super::super::told::ToldNotice;
use super::request::ReceiverRequest;
use std::fmt::Write as _;

/// Bytes of a message; ntfy makes a file of longer ones.
const MESSAGE_MAX: usize = 4_000;
/// Characters of a title.
const TITLE_MAX: usize = 200;
/// Characters of one encoded word.
const WORD_MAX: usize = 75;

pub(super) fn request(told: &ToldNotice, token: Option<&str>) -> ReceiverRequest {
    let mut message = told.summary.clone();
    for (name, value) in told.facts() {
        let _ = write!(message, "\n{name}: {value}");
    }
    if let Some(url) = &told.runbook_url {
        let _ = write!(message, "\nRunbook: {url}");
    }
    let (priority, tag) = if told.is_over {
        ("3", "white_check_mark")
    } else {
        ("5", "rotating_light")
    };
    let title: String = told.title.chars().take(TITLE_MAX).collect();
    let mut headers = vec![
        ("Title", header(&title)),
        ("Priority", priority.to_owned()),
        ("Tags", tag.to_owned()),
    ];
    headers.extend(told.page.iter().map(|url| ("Click", header(url))));
    headers.extend(token.map(|token| ("Authorization", format!("Bearer {token}"))));
    ReceiverRequest {
        content_type: "text/plain; charset=utf-8",
        headers,
        body: cut(message),
    }
}

fn cut(mut message: String) -> String {
    if message.len() > MESSAGE_MAX {
        message.truncate(message.floor_char_boundary(MESSAGE_MAX - 4));
        message.push('…');
    }
    message
}

/// A value that is one line of ASCII, whatever it was.
fn header(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_graphic() || c == ' ';
    if text.chars().all(is_plain) && !text.contains("=?") {
        return text.to_owned();
    }
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        let mut bytes = [0; 4];
        let encoded: String = match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' => c.into(),
            _ => c
                .encode_utf8(&mut bytes)
                .bytes()
                .map(|byte| format!("={byte:02X}"))
                .collect(),
        };
        if "=?UTF-8?Q??=".len() + word.len() + encoded.len() > WORD_MAX {
            words.push(format!("=?UTF-8?Q?{word}?="));
            word.clear();
        }
        word.push_str(&encoded);
    }
    words.push(format!("=?UTF-8?Q?{word}?="));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::told::tests::{hostile, links};

    #[test]
    fn headers_are_one_line_of_ascii() {
        let request = request(&ToldNotice::of(&hostile(), &links()), Some("tk_secret"));
        for (name, value) in &request.headers {
            assert!(
                value.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
                "{name}: {value}"
            );
        }
        let title = &request.headers[0].1;
        assert!(title.starts_with("=?UTF-8?Q?FIRING=3A=20service"), "{title}");
        assert!(title.split(' ').all(|word| word.len() <= WORD_MAX), "{title}");
        assert!(request.body.len() <= MESSAGE_MAX && request.body.contains("Next: mailpulse incident"));
        assert!(
            request
                .headers
                .contains(&("Authorization", "Bearer tk_secret".to_owned()))
        );
        assert_eq!(header("relay mx1001 dropped"), "relay mx1001 dropped");
        assert_eq!(header("a\r\nX: y"), "=?UTF-8?Q?a=0D=0AX=3A=20y?=");
        assert_eq!(header("=?UTF-8?Q?x?="), "=?UTF-8?Q?=3D=3FUTF=2D8=3FQ=3Fx=3F=3D?=");
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let message = cut("é".repeat(3_000));
        assert!(message.len() <= MESSAGE_MAX && message.ends_with('…'));
    }
}

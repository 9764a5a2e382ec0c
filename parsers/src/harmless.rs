//! Text of strangers made safe to print: what steers a terminal or deceives a reader is written as an escape. Every way
//! out (tables, CSV, JSON, pages, graphs, errors, logs, alarms) rests on [`deceives`].

use std::fmt::Write as _;

/// Whether a character steers or deceives: controls (C0, DEL, C1), line and paragraph separators, bidirectional and other
/// format characters, letters and selectors that nobody sees, characters that are none.
///
/// ```
/// use mailpulse_parsers::harmless::deceives;
/// assert!(['\u{1b}', '\u{9b}', '\n', '\u{202e}', '\u{200b}', '\u{feff}'].into_iter().all(deceives));
/// assert!(!['a', 'é', '日', ' '].into_iter().any(deceives));
/// ```
#[must_use]
pub fn deceives(char: char) -> bool {
    if char.is_ascii() {
        return char.is_ascii_control();
    }
    char.is_control()
        || matches!(char, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}')
        || u32::from(char) & 0xfffe == 0xfffe
        || matches!(char, '\u{e0000}'..='\u{e0fff}')
}

/// Text of a log on one line: what [deceives] is written as `\u{1b}`, a byte that is no UTF-8 as `\xff`.
///
/// ```
/// use mailpulse_parsers::harmless::safe_text;
/// assert_eq!(safe_text(b"a\x1b[31m\xff\n"), r"a\u{1b}[31m\xff\u{a}");
/// ```
#[must_use]
pub fn safe_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            if deceives(char) {
                text.extend(char.escape_unicode());
            } else {
                text.push(char);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// As [`safe_text`], for text of several lines: line feeds stay.
///
/// ```
/// use mailpulse_parsers::harmless::safe_lines;
/// assert_eq!(safe_lines("a\u{9b}2J\r\nb\n"), "a\\u{9b}2J\\u{d}\nb\n");
/// ```
#[must_use]
pub fn safe_lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| safe_text(line.as_bytes())).collect();
    lines.join("\n")
}

/// Written JSON (compact or not) with escapes for what [deceives]: whoever reads it gets the same values.
///
/// ```
/// use mailpulse_parsers::harmless::safe_json;
/// assert_eq!(safe_json("{\"a\":\"\u{9b}2J\u{e0041}\"}"), r#"{"a":"\u009b2J\udb40\udc41"}"#);
/// ```
#[must_use]
pub fn safe_json(written: &str) -> String {
    let mut text = String::with_capacity(written.len());
    for char in written.chars() {
        // A line feed stands between values: inside of them the writer has escaped it.
        if char != '\n' && deceives(char) {
            for unit in char.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(char);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_values_and_loses_what_deceives() {
        let all: String = (0..=0x10_ffff)
            .filter_map(char::from_u32)
            .filter(|c| deceives(*c))
            .collect();
        assert!(all.chars().count() > 4_000);
        for written in [
            serde_json::to_string(&all).unwrap(),
            serde_json::to_string_pretty(&[&all, "a\nb"]).unwrap(),
        ] {
            let safe = safe_json(&written);
            assert!(safe.chars().all(|c| c == '\n' || !deceives(c)));
            let (before, after): (serde_json::Value, serde_json::Value) = (
                serde_json::from_str(&written).unwrap(),
                serde_json::from_str(&safe).unwrap(),
            );
            assert_eq!(before, after);
        }
    }

    #[test]
    fn text_that_is_safe_stays_as_it_is() {
        for text in ["gerrit-café 日本", "a\\u{1b}[31m", "", "e\u{301}"] {
            assert_eq!(safe_text(text.as_bytes()), text);
            assert_eq!(safe_lines(text), text);
        }
        let once = safe_lines("\u{202e}\n\u{7f}");
        assert_eq!(safe_lines(&once), once);
    }
}

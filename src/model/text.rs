//! Bytes of logs as text.

use mailpulse_parsers::harmless::safe_lines;
use std::fmt::Write as _;

/// Text for people from bytes of a log: UTF-8 stays, what is no UTF-8 shows as `\xNN`.
pub fn text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02X}");
        }
    }
    out
}

/// An error and its causes, harmless in a terminal.
pub fn safe_error(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        // Many errors name their cause in their own words.
        if !text.contains(&cause) {
            let colon = if text.is_empty() { "" } else { ": " };
            text = format!("{text}{colon}{cause}");
        }
    }
    safe_lines(&text)
}

//! Words of commands that people copy into a shell.

use mailpulse_parsers::harmless::safe_text;

/// A word for a shell, harmless in a terminal.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._/:@%+=,".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", safe_text(word.replace('\'', r"'\''").as_bytes())),
    }
}

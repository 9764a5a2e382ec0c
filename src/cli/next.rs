//! Commands to type next, as answers propose them.

use crate::setup::Setup;
use mailpulse_parsers::harmless::safe_text;

/// A command to type next: with the configuration and the store of this one, quoted for a shell.
pub fn next_command(setup: &Setup, rest: &str) -> String {
    let mut words = vec!["mailpulse".to_owned()];
    if let Some(config) = &setup.config {
        words.extend(["--config".to_owned(), quoted(&config.display().to_string())]);
    }
    if let Some(store) = &setup.store {
        words.extend(["--store".to_owned(), quoted(store)]);
    }
    words.push(rest.to_owned());
    words.join(" ")
}

/// A word for a shell, harmless in a terminal.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._/:@%+=,".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", safe_text(word.replace('\'', r"'\''").as_bytes())),
    }
}

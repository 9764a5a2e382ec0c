//! What people write about their work: one line, bounded, without what steers a terminal.

use mailpulse_parsers::harmless::deceives;

/// Longest reason, characters.
pub(crate) const REASON_MAX: usize = 300;
/// Longest text of a mark, characters.
pub(crate) const TEXT_MAX: usize = 200;

/// The text as it is kept, or what is wrong with it.
///
/// # Errors
/// It is empty, too long, or has control or invisible characters.
pub(crate) fn checked(text: &str, max: usize) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    let length = text.chars().count();
    if length > max {
        return Err(format!("has {length} characters, and the limit is {max}"));
    }
    match text.chars().find(|c| deceives(*c)) {
        Some(c) => Err(format!(
            "contains the control or invisible character {}",
            c.escape_unicode()
        )),
        None => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_and_what_is_too_long_is_refused() {
        assert_eq!(
            checked("  kernel 6.12, see T1234 ", 300).unwrap(),
            "kernel 6.12, see T1234"
        );
        for bad in ["", " \n", "a\u{1b}[2J", "a\nb", "a\u{202e}b", "a\tb"] {
            assert!(checked(bad, 300).is_err(), "{bad:?}");
        }
        assert!(checked(&"é".repeat(300), 300).is_ok());
        assert!(checked(&"é".repeat(301), 300).is_err());
    }
}

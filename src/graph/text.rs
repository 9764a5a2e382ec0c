//! Text of strangers made harmless: what would steer a terminal or a text layout becomes visible, what is long is cut,
//! what is markup is escaped.

use mailpulse_parsers::harmless::deceives;
use std::fmt::Write as _;
use unicode_width::UnicodeWidthChar;

/// The text with every character that has no width or steers something (controls, line breaks, bidirectional
/// overrides, joiners, combining marks, byte order marks, non-characters) written as `\u{202e}`.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            let _ = write!(out, "{}", c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// As [`visible`], and all that is not ASCII is escaped too.
pub(super) fn visible_ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() && !steers(c) {
            out.push(c);
        } else {
            let _ = write!(out, "{}", c.escape_unicode());
        }
    }
    out
}

/// What deceives anywhere, and what would shift a layout: no width, or one that only the font knows.
fn steers(c: char) -> bool {
    deceives(c) || c.width().unwrap_or(0) == 0 || matches!(c, '\u{e000}'..='\u{f8ff}') || u32::from(c) >= 0xe0000
}

/// XML-escaped, for text and for attributes in either quotes; characters that XML forbids become U+FFFD.
pub(super) fn escape_xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(' '),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out
}

/// Cells that a text takes in a terminal.
pub(super) fn cells(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Text cut to at most `cells_max` terminal cells; `ellipsis` stands for what was cut.
pub(super) fn cut_cells(text: &str, cells_max: usize, ellipsis: &str) -> String {
    cut(text, cells_max as f64, ellipsis, |c| c.width().unwrap_or(0) as f64)
}

/// Text cut to at most about `px_max` pixels in a font of `size` pixels.
pub(super) fn cut_px(text: &str, px_max: f64, size: f64) -> String {
    cut(text, px_max, "…", |c| char_em(c) * size)
}

/// About how wide a text is, pixels, in a sans-serif font of `size` pixels. Rather too wide than too narrow.
pub(super) fn width_px(text: &str, size: f64) -> f64 {
    text.chars().map(char_em).sum::<f64>() * size
}

fn cut(text: &str, max: f64, ellipsis: &str, width: impl Fn(char) -> f64) -> String {
    let all: f64 = text.chars().map(&width).sum();
    if all <= max {
        return text.to_owned();
    }
    let room = max - ellipsis.chars().map(&width).sum::<f64>();
    if room < 0.0 {
        return String::new();
    }
    let mut used = 0.0;
    let kept: String = text
        .chars()
        .take_while(|&c| {
            used += width(c);
            used <= room
        })
        .collect();
    kept + ellipsis
}

/// Advance of a character, in em, of a common sans-serif font.
fn char_em(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | '·' | ' ' => 0.29,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '\\' | '-' | '{' | '}' => 0.39,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 0.93,
        'A'..='Z' | '–' => 0.67,
        ' '..='~' => 0.575,
        c if c.width() == Some(2) => 1.05,
        _ => 0.65,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steering_characters_become_visible() {
        assert_eq!(visible("a\u{1b}[31m"), "a\\u{1b}[31m");
        assert_eq!(visible("x\u{202e}gnp"), "x\\u{202e}gnp");
        assert_eq!(
            visible("\n\u{200b}\u{feff}\u{2028}\u{e0041}"),
            "\\u{a}\\u{200b}\\u{feff}\\u{2028}\\u{e0041}"
        );
        assert_eq!(visible("e\u{301}\u{ffff}"), "e\\u{301}\\u{ffff}");
        assert_eq!(visible("gerrit-café 日本"), "gerrit-café 日本");
        assert_eq!(visible_ascii("café\t"), "caf\\u{e9}\\u{9}");
    }

    #[test]
    fn no_character_at_all_gets_through_that_has_no_width() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            let shown = visible(&c.to_string());
            assert!(shown.chars().all(|c| c.width().unwrap_or(0) > 0), "{:x}", u32::from(c));
        }
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escape_xml("<a b='c\">&"), "&lt;a b=&#39;c&quot;&gt;&amp;");
        assert_eq!(escape_xml("\u{0}\u{b}\u{ffff}\n"), "\u{fffd}\u{fffd}\u{fffd} ");
    }

    #[test]
    fn long_text_is_cut_with_an_ellipsis() {
        assert_eq!(cut_cells("phabricator", 11, "…"), "phabricator");
        assert_eq!(cut_cells("phabricator", 6, "…"), "phabr…");
        assert_eq!(cut_cells("日本語", 4, "…"), "日…");
        assert_eq!(cut_cells("phabricator", 6, "..."), "pha...");
        assert_eq!(cut_cells("phabricator", 0, "…"), "");
        assert!(width_px(&cut_px(&"x".repeat(1000), 120.0, 12.0), 12.0) <= 120.0);
    }
}

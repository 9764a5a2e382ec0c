//! Text for cells: names of strangers made harmless, and cut to the columns that they take on a terminal.

use mailpulse_parsers::harmless::safe_text;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Marks on one letter that are shown: more would pile up over the lines above.
const MARKS_MAX: usize = 2;

/// A text of strangers that steers no terminal, and is not longer than people read.
pub(super) fn safe(text: &str, characters_max: usize) -> String {
    let mut shown = String::new();
    let mut marks = 0;
    for (at, c) in text.chars().enumerate() {
        if at == characters_max {
            shown.push('…');
            break;
        }
        marks = if c.width() == Some(0) { marks + 1 } else { 0 };
        if marks <= MARKS_MAX {
            shown.push(c);
        }
    }
    safe_text(shown.as_bytes())
}

/// Columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The beginning of a text that takes so many columns at most.
fn beginning(text: &str, columns: usize) -> String {
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= columns
    };
    text.chars().take_while(fits).collect()
}

/// A text that takes so many columns at most; where it is cut, a mark says so.
pub(super) fn cut(text: &str, columns: usize) -> String {
    match width(text) <= columns {
        true => text.to_owned(),
        false if columns == 0 => String::new(),
        false => beginning(text, columns - 1) + "…",
    }
}

/// A text that takes exactly so many columns.
pub(super) fn padded(text: &str, columns: usize, is_right: bool) -> String {
    let text = cut(text, columns);
    let space = " ".repeat(columns.saturating_sub(width(&text)));
    match is_right {
        true => space + &text,
        false => text + &space,
    }
}

/// A text as lines of so many columns, cut between words where there are any.
pub(super) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let wide = width(word);
        if used > 0 && used + 1 + wide > columns {
            lines.push(String::new());
            used = 0;
        }
        if used > 0 {
            push(&mut lines, " ");
            used += 1;
        }
        for c in word.chars() {
            let wide = c.width().unwrap_or(0);
            if used + wide > columns {
                lines.push(String::new());
                used = 0;
            }
            push(&mut lines, c.encode_utf8(&mut [0; 4]));
            used += wide;
        }
    }
    lines
}

fn push(lines: &mut [String], text: &str) {
    if let Some(line) = lines.last_mut() {
        line.push_str(text);
    }
}

/// The first lines of a text; the last of them says that there is more.
pub(super) fn wrapped_within(text: &str, columns: usize, lines_max: usize) -> Vec<String> {
    let mut lines = wrapped(text, columns);
    if lines.len() > lines_max {
        lines.truncate(lines_max);
        if let Some(last) = lines.last_mut() {
            *last = beginning(last, columns.saturating_sub(1)) + "…";
        }
    }
    lines
}

/// What this program draws, in the characters of ASCII.
pub(super) fn drawn_in_ascii(c: char) -> char {
    match c {
        '…' => '~',
        '●' => 'o',
        '▲' => '!',
        '□' => '?',
        '─' => '-',
        '▁' => '_',
        '▂' => '.',
        '▃' => ':',
        '▄' => '-',
        '▅' => '=',
        '▆' => '+',
        '▇' => '*',
        '█' => '#',
        c => c,
    }
}

/// `é` as `\u{e9}`: what a terminal cannot show is still told apart.
pub(super) fn escaped_for_ascii(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match drawn_in_ascii(c) {
            c if c.is_ascii() => out.push(c),
            c => out.extend(c.escape_unicode()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_strangers_steer_nothing_and_have_an_end() {
        assert_eq!(safe("a\u{1b}[31m\u{202e}b\n", 160), "a\\u{1b}[31m\\u{202e}b\\u{a}");
        let long = safe(&"é".repeat(32 << 10), 160);
        assert_eq!(long.chars().count(), 161);
        let piled = safe(&format!("a{}b", "\u{301}".repeat(60_000)), 160);
        assert_eq!(piled, format!("a{}…", "\u{301}".repeat(MARKS_MAX)));
    }

    #[test]
    fn wide_letters_are_cut_between_columns() {
        assert_eq!([width("日本語"), width("abc")], [6, 3]);
        assert_eq!(
            [cut("日本語", 6), cut("日本語", 5), cut("日本語", 4)],
            ["日本語", "日本…", "日…"]
        );
        assert_eq!([cut("abc", 0), cut("abc", 1)], ["", "…"]);
        assert_eq!([padded("日", 5, true), padded("日本語", 4, false)], ["   日", "日… "]);
    }

    #[test]
    fn lines_end_between_words_where_there_are_any() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefgh ij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrapped("日本語", 1), ["", "日", "本", "語"]);
        assert_eq!(wrapped_within("one two three four", 9, 2), ["one two", "three…"]);
        assert_eq!(wrapped_within("one", 9, 2), ["one"]);
    }

    #[test]
    fn a_terminal_of_ascii_gets_ascii() {
        assert_eq!(escaped_for_ascii("▲ é ▁█…"), "! \\u{e9} _#~");
    }
}

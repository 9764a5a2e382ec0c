//! Text of strangers in a page: what is markup becomes an entity, what steers or deceives becomes an escape. All templates
//! are filled through it.

use askama::filters::Escaper;
use mailpulse_parsers::harmless::deceives;
use std::fmt;

/// Characters of a name that a page shows; a log may have names of 64 KiB.
const SHOWN_MAX: usize = 160;

/// The escaping of templates; `askama.toml` names it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Html;

impl Escaper for Html {
    fn write_escaped_str<W: fmt::Write>(&self, mut out: W, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| write_escaped(&mut out, c))
    }

    fn write_escaped_char<W: fmt::Write>(&self, mut out: W, c: char) -> fmt::Result {
        write_escaped(&mut out, c)
    }
}

fn write_escaped<W: fmt::Write>(out: &mut W, c: char) -> fmt::Result {
    match c {
        '<' => out.write_str("&lt;"),
        '>' => out.write_str("&gt;"),
        '&' => out.write_str("&amp;"),
        '"' => out.write_str("&quot;"),
        '\'' => out.write_str("&#39;"),
        // Templates and texts of ours have line ends between blocks; a name with one is none of ours.
        c if deceives(c) => write!(out, "{}", c.escape_unicode()),
        c => out.write_char(c),
    }
}

/// A name, cut where nobody reads on.
pub(super) fn short(name: &str) -> String {
    match name.char_indices().nth(SHOWN_MAX) {
        None => name.to_owned(),
        Some((at, _)) => format!("{}…", name.get(..at).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_name_is_markup_and_nothing_steers() {
        let mut out = String::new();
        let hostile = "<img src=x onerror='a'>&\"\u{202e}\u{1b}[31m\r\n\u{200b}é日";
        Html.write_escaped_str(&mut out, hostile).unwrap();
        assert_eq!(
            out,
            "&lt;img src=x onerror=&#39;a&#39;&gt;&amp;&quot;\\u{202e}\\u{1b}[31m\\u{d}\\u{a}\\u{200b}é日"
        );
    }

    #[test]
    fn a_name_of_64_kib_is_cut_between_characters() {
        let name = "é".repeat(32 << 10);
        assert_eq!(short(&name).chars().count(), SHOWN_MAX + 1);
        assert_eq!(short("gerrit"), "gerrit");
    }
}

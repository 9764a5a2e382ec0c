//! How things look on this terminal: with colours or without, in Unicode or in ASCII. A state is a word with a shape; a colour, where
//! there are any, says the same once more.

use super::words::{drawn_in_ascii, escaped_for_ascii, safe};
use crate::analysis::overview::StateClass;
use ratatui::style::{Color, Modifier, Style};

/// Characters of a name that are looked at; a log may have names of 64 KiB.
const NAME_MAX: usize = 160;
/// Characters of a sentence.
const TEXT_MAX: usize = 4_000;

/// What a terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TerminalStyle {
    /// The sixteen colours of every terminal.
    pub has_colours: bool,
    /// Nothing beyond ASCII.
    pub is_ascii: bool,
}

impl TerminalStyle {
    /// By the environment: `NO_COLOR`, `TERM`, and the character set of the locale.
    #[must_use]
    pub(crate) fn of_environment(variable: impl Fn(&str) -> Option<String>) -> TerminalStyle {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let locale = locale.unwrap_or_default().to_lowercase();
        TerminalStyle {
            has_colours: set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| !term.ends_with("-m")),
            is_ascii: !(locale.contains("utf-8") || locale.contains("utf8")),
        }
    }

    /// A name, harmless.
    pub(super) fn name(self, name: &str) -> String {
        self.shown(safe(name, NAME_MAX))
    }

    /// A text with names in it, harmless.
    pub(super) fn text(self, text: &str) -> String {
        self.shown(safe(text, TEXT_MAX))
    }

    fn shown(self, text: String) -> String {
        match self.is_ascii {
            true => escaped_for_ascii(&text),
            false => text,
        }
    }

    /// A line that is ready to be drawn.
    pub(super) fn drawn(self, line: &str) -> String {
        match self.is_ascii {
            true => line.chars().map(drawn_in_ascii).collect(),
            false => line.to_owned(),
        }
    }

    /// The shape of a state.
    pub(super) fn shape(self, class: StateClass) -> &'static str {
        match class {
            StateClass::Ok => "●",
            StateClass::Bad => "▲",
            StateClass::Unknown => "□",
            StateClass::Calm => "─",
        }
    }

    /// The style of a state.
    pub(super) fn style(self, class: StateClass) -> Style {
        let style = match class {
            StateClass::Bad | StateClass::Unknown => Style::new().add_modifier(Modifier::BOLD),
            StateClass::Ok | StateClass::Calm => Style::new(),
        };
        match (self.has_colours, class) {
            (true, StateClass::Ok) => style.fg(Color::Green),
            (true, StateClass::Bad) => style.fg(Color::Red),
            (true, StateClass::Unknown) => style.fg(Color::Yellow),
            (true, StateClass::Calm) | (false, _) => style,
        }
    }

    /// Heads and titles.
    pub(super) fn head(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The row or the tab that is chosen.
    pub(super) fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides_on_colours_and_characters() {
        let of = |pairs: &[(&str, &str)]| {
            let look = TerminalStyle::of_environment(|name| {
                let found = pairs.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            });
            (look.has_colours, look.is_ascii)
        };
        assert_eq!(of(&[("LANG", "C.UTF-8")]), (true, false));
        assert_eq!(of(&[("LANG", "C.UTF-8"), ("NO_COLOR", "1")]), (false, false));
        assert_eq!(of(&[("LANG", "C.UTF-8"), ("NO_COLOR", "")]), (true, false));
        assert_eq!(of(&[("LANG", "de_DE.utf8"), ("LC_ALL", "C")]), (true, true));
        assert_eq!(of(&[("TERM", "vt100-m")]), (false, true));
    }
}

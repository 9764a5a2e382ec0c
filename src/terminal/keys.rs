//! Which key asks for what.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TopCommand {
    Quit,
    /// Out of a page.
    Back,
    NextTab,
    PreviousTab,
    /// The tab of this number, from one.
    Tab(usize),
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Search,
    NextMatch,
    PreviousMatch,
    Freeze,
    Expand,
    Verdict,
    Help,
    Sort,
    Reverse,
    All,
    Redraw,
    /// For tests of what becomes of the terminal.
    Panic,
}

/// Keys, for the help: what they are called, and what they do.
pub(super) const HELP: [(&str, &str); 15] = [
    (
        "Tab, Shift-Tab, h, l, 1 to 7",
        "next or previous board, or that of a number",
    ),
    ("Up, Down, k, j", "row up, row down"),
    ("PgUp, PgDn, Ctrl-B, Ctrl-F", "page up, page down"),
    ("Home, End, g, G", "first row, last row"),
    ("/", "search for a name; Enter ends the search, Esc gives it up"),
    ("n, N", "next match, previous match"),
    ("e, Enter", "expand the row: its day, and the incident of its alarm"),
    ("v", "the verdict as a whole, with its incident"),
    ("s, r", "sort by state, volume, age, or name; reverse"),
    ("a", "all rows, also those without mail in 24 hours"),
    ("f", "freeze what is shown, or let it go on"),
    ("Ctrl-L", "draw everything again"),
    ("?", "this help"),
    ("Esc, q", "back; on a board, q quits"),
    ("Ctrl-C", "quit"),
];

/// What a key asks for, where nothing is typed.
pub(super) fn command(key: KeyEvent) -> Option<TopCommand> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c') if is_control => TopCommand::Quit,
        KeyCode::Char('b' | 'u') if is_control => TopCommand::PageUp,
        KeyCode::Char('f' | 'd') if is_control => TopCommand::PageDown,
        KeyCode::Char('l') if is_control => TopCommand::Redraw,
        KeyCode::Char('p') if is_control && cfg!(debug_assertions) => TopCommand::Panic,
        KeyCode::Char(_) if is_control => return None,
        KeyCode::Char('q') | KeyCode::Esc => TopCommand::Back,
        KeyCode::Tab | KeyCode::Right | KeyCode::Char('l') => TopCommand::NextTab,
        KeyCode::BackTab | KeyCode::Left | KeyCode::Char('h') => TopCommand::PreviousTab,
        KeyCode::Char(digit @ '1'..='9') => TopCommand::Tab(digit as usize - '0' as usize),
        KeyCode::Up | KeyCode::Char('k') => TopCommand::Up,
        KeyCode::Down | KeyCode::Char('j') => TopCommand::Down,
        KeyCode::PageUp => TopCommand::PageUp,
        KeyCode::PageDown | KeyCode::Char(' ') => TopCommand::PageDown,
        KeyCode::Home | KeyCode::Char('g') => TopCommand::First,
        KeyCode::End | KeyCode::Char('G') => TopCommand::Last,
        KeyCode::Char('/') => TopCommand::Search,
        KeyCode::Char('n') => TopCommand::NextMatch,
        KeyCode::Char('N') => TopCommand::PreviousMatch,
        KeyCode::Char('f') => TopCommand::Freeze,
        KeyCode::Char('e') | KeyCode::Enter => TopCommand::Expand,
        KeyCode::Char('v') => TopCommand::Verdict,
        KeyCode::Char('?') => TopCommand::Help,
        KeyCode::Char('s') => TopCommand::Sort,
        KeyCode::Char('r') => TopCommand::Reverse,
        KeyCode::Char('a') => TopCommand::All,
        _ => return None,
    })
}

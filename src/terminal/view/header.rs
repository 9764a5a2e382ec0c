//! The head of the boards: as of when, how the mail stands, and what to do next.

use crate::analysis::overview::{BoardSnapshot, SnapshotClock, StateClass};
use crate::model::human;
use crate::model::time::{SECOND_MS, rfc3339};
use crate::terminal::state::{ShownBoard, TopApp};
use crate::terminal::words::{cut, padded, width, wrapped_within};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// From this height on there is room for notes.
const NOTES_FROM: usize = 20;
/// Notes that are shown; the verdict's page has all.
const NOTES_MAX: usize = 2;

/// The head.
pub(super) fn header(app: &TopApp, at_ms: i64, columns: usize, height: usize) -> Vec<Line<'static>> {
    let mut lines = vec![title(app, at_ms, columns)];
    if let Some(fault) = &app.fault {
        let fault = app.look.text(fault);
        let style = app.look.style(StateClass::Unknown);
        let fault = wrapped_within(&format!("No answer: {fault}"), columns, 2);
        lines.extend(fault.into_iter().map(|line| Line::styled(line, style)));
    }
    let (style, word) = standing(app, at_ms);
    let room = (height / 8).clamp(1, 4) + 1;
    let words = wrapped_within(&format!("{word}  {}", sentence(app)), columns, room);
    for (at, line) in words.into_iter().enumerate() {
        let mark = line.strip_prefix(word.as_str()).filter(|_| at == 0).map(str::to_owned);
        lines.push(match mark {
            Some(rest) => Line::from(vec![Span::styled(word.clone(), style), Span::raw(rest)]),
            None => Line::raw(line),
        });
    }
    let Some(shown) = &app.shown else {
        return lines;
    };
    let next = shown.board.verdict.next.as_ref().filter(|_| height >= NOTES_FROM / 2);
    let next = next.map(|next| format!("Next: {}", app.look.text(next)));
    lines.extend(
        next.into_iter()
            .flat_map(|next| lines_of(&next, columns, 1 + height / 24)),
    );
    if height >= NOTES_FROM {
        let notes = notes(&shown.board);
        let shown = if notes.len() > NOTES_MAX {
            NOTES_MAX - 1
        } else {
            NOTES_MAX
        };
        for note in notes.iter().take(shown) {
            lines.push(Line::raw(cut(&app.look.text(note), columns)));
        }
        if notes.len() > shown {
            lines.push(Line::raw(cut(
                &format!("and {} more notes: v", notes.len() - shown),
                columns,
            )));
        }
        lines.push(Line::raw(""));
    }
    lines
}

fn lines_of(text: &str, columns: usize, lines_max: usize) -> Vec<Line<'static>> {
    wrapped_within(text, columns, lines_max)
        .into_iter()
        .map(Line::raw)
        .collect()
}

/// What there is to say beside the verdict's sentence: what it lacks comes first.
pub(in crate::terminal) fn notes(board: &BoardSnapshot) -> Vec<String> {
    board.lacks.iter().chain(&board.verdict.more).cloned().collect()
}

/// As of when this is.
fn title(app: &TopApp, at_ms: i64, columns: usize) -> Line<'static> {
    let state = match &app.shown {
        None => format!(
            "waiting for the first answer: {}",
            human::duration(whole_seconds(at_ms))
        ),
        Some(shown) => as_of(shown, at_ms, columns),
    };
    let frozen = if app.is_frozen { "FROZEN " } else { "" };
    let state = cut(&format!("{frozen}{state}"), columns);
    let name = "mailpulse top  ";
    let is_old = app.shown.as_ref().is_some_and(|shown| shown.is_old(at_ms));
    let style = match is_old || app.is_frozen {
        true => app.look.style(StateClass::Unknown),
        false => Style::new(),
    };
    match width(name) + width(&state) <= columns {
        true => Line::from(vec![
            Span::styled(padded(name, columns - width(&state), false), app.look.head()),
            Span::styled(state, style),
        ]),
        false => Line::styled(state, style),
    }
}

/// As of when a board is, for a line of so many columns.
pub(in crate::terminal) fn as_of(shown: &ShownBoard, at_ms: i64, columns: usize) -> String {
    let board = &shown.board;
    let text = rfc3339(board.as_of.floor_to(SECOND_MS));
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    let time = time.trim_end_matches('Z');
    let minute = time.get(..5).unwrap_or(time);
    let judged = |needs: usize| match board.judged_until {
        Some(until) if columns >= needs => format!(", judged up to {}", rfc3339(until).get(11..16).unwrap_or_default()),
        _ => String::new(),
    };
    match board.clock {
        SnapshotClock::Stopped => format!("as of {day} {minute} UTC, clock stopped{}", judged(80)),
        SnapshotClock::Ended => {
            let age = human::duration(board.now - board.as_of);
            format!("as of {day} {minute} UTC: {age} old")
        }
        SnapshotClock::Live => {
            let age = human::ago(whole_seconds(shown.now_ms(at_ms) - board.as_of));
            let old = if shown.is_old(at_ms) { "OLD: " } else { "" };
            match columns >= 60 {
                true => format!("{old}as of {time} UTC ({age}){}", judged(80)),
                false => format!("{old}as of {time} ({age})"),
            }
        }
    }
}

fn whole_seconds(ms: i64) -> i64 {
    ms.max(0) / 1_000 * 1_000
}

/// How the mail stands in a word; what is old says how it stood.
pub(in crate::terminal) fn standing(app: &TopApp, at_ms: i64) -> (Style, String) {
    let (class, word) = match &app.shown {
        None => (StateClass::Unknown, "UNKNOWN".to_owned()),
        Some(shown) => {
            let word = app.look.text(&shown.board.verdict.standing).to_uppercase();
            match shown.is_old(at_ms) {
                true => (StateClass::Unknown, format!("WAS {word}")),
                false => (shown.board.verdict.class, word),
            }
        }
    };
    (app.look.style(class), format!("{} {word}", app.look.shape(class)))
}

/// The verdict's sentence.
pub(in crate::terminal) fn sentence(app: &TopApp) -> String {
    match &app.shown {
        Some(shown) => app.look.text(&shown.board.verdict.sentence),
        None => "No board yet.".to_owned(),
    }
}

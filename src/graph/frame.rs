//! What stands around the panels: the header with title, unit and range, and the key of the signs in use.

use super::canvas::{Canvas, Font, num};
use super::marks::Band;
use super::plot::hatched;
use super::scale::{duration_text, span_text};
use super::text::{cut_px, visible, width_px};
use super::view::{GraphContext, MARGIN};
use crate::query::series::MarkKind;

const SUBTITLE_SIZE: f64 = 12.5;

/// What occurs in the picture and therefore stands in its key.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Legend {
    /// Hatched stretches.
    pub no_data: bool,
    /// Hatched strips on the axis.
    pub partial: bool,
    /// Shaded bands of alarms.
    pub mark: bool,
    /// Bands in which alarms are not reported.
    pub silence: bool,
    /// Lines of what somebody did.
    pub note: bool,
    /// Expected ranges.
    pub band: bool,
    /// Values beyond an axis.
    pub beyond: bool,
    /// Lower edge of the lowest panel with its axis, pixels.
    pub bottom: f64,
    /// Length of a drawn bucket, milliseconds.
    pub step_ms: i64,
    /// Left and upper edge, width, and height of the panels, pixels: a page's script finds moments by them.
    pub panels: Vec<[f64; 4]>,
}

impl Legend {
    /// What is marked.
    pub(super) fn note_marks(&mut self, bands: &[Band]) {
        let has = |kind| bands.iter().any(|band| band.kind == kind);
        self.mark |= has(MarkKind::Alarm);
        self.silence |= has(MarkKind::Silence);
        self.note |= has(MarkKind::Note);
    }
}

/// Title, unit, range and bucket; what finds no room is left out from the end.
pub(super) fn header(canvas: &mut Canvas, view: &GraphContext, step_ms: i64) {
    let (set, ink, room) = (view.set, view.ink, view.width - 2.0 * MARGIN);
    let title = cut_px(&visible(&set.title), room, 19.0);
    canvas.text((MARGIN, 29.0), Font::new(19.0, ink.text).bold(), &title);
    let mut parts = vec![visible(view.unit)];
    if set.buckets() > 0 {
        let span = span_text(set.start_ms, set.end_ms(), "–");
        parts.push(format!("{span} {}", visible(view.zone)));
        parts.push(match step_ms > set.step_ms {
            true => format!("means of {}", duration_text(step_ms)),
            false => format!("buckets of {}", duration_text(step_ms)),
        });
    }
    parts.retain(|p| !p.is_empty());
    while parts.len() > 2 && width_px(&parts.join("  ·  "), SUBTITLE_SIZE) > room {
        parts.pop();
    }
    let subtitle = cut_px(&parts.join("  ·  "), room, SUBTITLE_SIZE);
    canvas.text((MARGIN, 49.0), Font::new(SUBTITLE_SIZE, ink.muted), &subtitle);
}

/// The key's entries from left to right, as far as there is room.
pub(super) fn draw_legend(canvas: &mut Canvas, view: &GraphContext, key: &Legend, y: f64) {
    let ink = view.ink;
    let entries = [
        (key.no_data, "no data: nothing was read", "no data"),
        (key.partial, "some series without data", "partly"),
        (key.bottom > 0.0, "line on the axis: no mail", "no mail"),
        (key.mark, "marked (alarm)", "marked"),
        (key.band, "expected range", "expected"),
        (key.beyond, "beyond the axis", "beyond"),
        (key.silence, "alarms silenced", "silenced"),
        (key.note, "mark", "mark"),
    ];
    let whole: f64 = entries.iter().filter(|e| e.0).map(|e| 42.0 + width_px(e.1, 11.5)).sum();
    let short = whole > view.width - MARGIN;
    let mut x = MARGIN;
    for (index, (_, long_text, short_text)) in entries.iter().enumerate().filter(|(_, entry)| entry.0) {
        let text = if short { short_text } else { long_text };
        let width = 22.0 + width_px(text, 11.5);
        if x + width > view.width - MARGIN / 2.0 {
            break;
        }
        let area = (x, y - 9.0, 16.0, 10.0);
        match index {
            0 | 1 => {
                let (top, height) = if index == 0 {
                    (area.1, 10.0)
                } else {
                    (area.1 + 5.0, 5.0)
                };
                hatched(canvas, ink, (x, top, 16.0, height));
            }
            2 => {
                canvas.line([(x, y + 1.0), (x + 16.0, y + 1.0)], ink.axis, 1.0, "");
                canvas.line([(x, y), (x + 16.0, y)], ink.accent, 2.4, "");
            }
            3 => {
                canvas.rect(area, ink.mark, 0.2);
                canvas.line([(x, y - 9.0), (x + 16.0, y - 9.0)], ink.mark, 2.0, "");
            }
            4 => canvas.rect(area, ink.accent, 0.25),
            6 => {
                canvas.rect(area, ink.muted, 0.2);
                canvas.line([(x, y - 9.0), (x + 16.0, y - 9.0)], ink.muted, 2.0, "2 3");
            }
            7 => canvas.line([(x + 8.0, y - 10.0), (x + 8.0, y + 1.0)], ink.text, 1.4, ""),
            _ => {
                let (left, right, low) = (num(x + 4.0), num(x + 12.0), num(y));
                let triangle = format!("M{left} {low}L{} {}L{right} {low}Z", num(x + 8.0), num(y - 7.0));
                canvas.area(&triangle, ink.text, 1.0);
            }
        }
        canvas.text((x + 22.0, y), Font::new(11.5, ink.muted), text);
        x += width + if short { 10.0 } else { 20.0 };
    }
}

//! Marks as vertical bands with their label above the panel: alarms shaded, silences in another shade with dots at their upper
//! edge, and what somebody did as a line.
//!
//! Equal labels that overlap become one band with a count: thirty services that stop with one relay are one event.

use super::canvas::{Anchor, Canvas, Font};
use super::palette::Ink;
use super::plot::Plot;
use super::text::{cut_px, visible, width_px};
use crate::model::time::UtcMs;
use crate::query::series::{GraphMark, MarkKind};

/// Height of a lane of labels, pixels.
pub(super) const LANE_PX: f64 = 14.0;
const SIZE: f64 = 11.0;
const LABEL_PX_MAX: f64 = 190.0;

/// A mark as it is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Band {
    /// First millisecond.
    pub from_ms: UtcMs,
    /// End, exclusive; `None` while it lasts.
    pub to_ms: Option<UtcMs>,
    /// Label, made visible, with the number of series if several were merged.
    pub label: String,
    /// What it marks.
    pub kind: MarkKind,
}

impl Band {
    fn ink(&self, ink: &Ink) -> &'static str {
        match self.kind {
            MarkKind::Alarm => ink.mark_text,
            MarkKind::Silence => ink.muted,
            MarkKind::Note => ink.text,
        }
    }
}

/// The marks of one panel: those of `series` (of all, if `None`) inside the range, merged where equal labels overlap.
pub(super) fn bands(marks: &[GraphMark], series: Option<&str>, from_ms: UtcMs, to_ms: UtcMs) -> Vec<Band> {
    let end = |m: &GraphMark| m.to_ms.unwrap_or(UtcMs::MAX).max(m.from_ms);
    let ours = |m: &&GraphMark| series.is_none_or(|panel| m.concerns(panel));
    let mut inside: Vec<&GraphMark> = marks
        .iter()
        .filter(ours)
        .filter(|m| m.from_ms < to_ms && end(m) >= from_ms)
        .collect();
    inside.sort_by(|a, b| (a.from_ms, a.kind, &a.label, a.to_ms).cmp(&(b.from_ms, b.kind, &b.label, b.to_ms)));
    let mut merged: Vec<(GraphMark, Vec<&str>)> = Vec::new();
    for mark in inside {
        let name = || mark.series.iter().flatten().map(String::as_str);
        match merged
            .iter_mut()
            .find(|(m, _)| m.kind == mark.kind && m.label == mark.label && mark.from_ms <= end(m))
        {
            Some((seen, names)) => {
                seen.to_ms = seen.to_ms.zip(mark.to_ms).map(|(a, b)| a.max(b));
                names.extend(name());
            }
            None => merged.push((mark.clone(), name().collect())),
        }
    }
    let band = |(mark, mut names): (GraphMark, Vec<&str>)| {
        names.sort_unstable();
        names.dedup();
        let label = match names.as_slice() {
            [] => visible(&mark.label),
            // These name what they are about.
            _ if mark.kind == MarkKind::Silence => visible(&mark.label),
            _ if series.is_some() => visible(&mark.label),
            [one] if mark.label.starts_with(one) => visible(&mark.label),
            [one] => format!("{}: {}", visible(one), visible(&mark.label)),
            many => format!("{} ({} series)", visible(&mark.label), many.len()),
        };
        Band {
            from_ms: mark.from_ms,
            to_ms: mark.to_ms,
            label,
            kind: mark.kind,
        }
    };
    merged.into_iter().map(band).collect()
}

/// Draws the shades; goes below the lines of the series.
pub(super) fn shades(canvas: &mut Canvas, ink: &Ink, plot: &Plot, bands: &[Band]) {
    for band in bands {
        let (from, to) = (plot.px(band.from_ms), plot.px(band.to_ms.unwrap_or(UtcMs::MAX)));
        let (colour, shade, dash) = match band.kind {
            MarkKind::Alarm => (ink.mark, 0.13, "3 2"),
            MarkKind::Silence => (ink.muted, 0.12, "1 3"),
            MarkKind::Note => {
                canvas.line([(from, plot.y - 3.0), (from, plot.bottom())], ink.text, 1.4, "");
                continue;
            }
        };
        canvas.rect((from, plot.y, to - from, plot.h), colour, shade);
        let edge = |canvas: &mut Canvas, x: f64| {
            canvas.line([(x, plot.y - 3.0), (x, plot.bottom())], colour, 1.0, dash);
        };
        edge(canvas, from);
        if band.to_ms.is_some() {
            edge(canvas, to);
        }
        let top = [(from, plot.y - 1.0), (to.max(from + 1.0), plot.y - 1.0)];
        let top_dash = if band.kind == MarkKind::Silence { "2 3" } else { "" };
        canvas.line(top, colour, 2.0, top_dash);
    }
}

/// Draws the labels in `lanes` lanes above the panel; what finds no room is counted at the right
/// edge, if there is room for that.
pub(super) fn labels(canvas: &mut Canvas, ink: &Ink, plot: &Plot, bands: &[Band], lanes: usize) {
    let font = |colour: &'static str| Font::new(SIZE, colour).halo(ink.page);
    let mut free_from = vec![f64::NEG_INFINITY; lanes];
    let mut left_out = 0;
    for band in bands {
        let text = cut_px(&band.label, LABEL_PX_MAX.min(plot.w * 0.8), SIZE);
        let width = width_px(&text, SIZE);
        let middle = (plot.px(band.from_ms) + plot.px(band.to_ms.unwrap_or(UtcMs::MAX))) / 2.0;
        let start = (middle - width / 2.0).min(plot.right() - width).max(plot.x);
        match free_from.iter().position(|free| *free <= start) {
            Some(lane) => {
                let y = plot.y - 6.0 - lane as f64 * LANE_PX;
                let font = font(band.ink(ink)).anchor(Anchor::Middle);
                canvas.text((start + width / 2.0, y), font, &text);
                free_from[lane] = start + width + 8.0;
            }
            None => left_out += 1,
        }
    }
    let more = format!("+{left_out} more");
    let start = plot.right() - width_px(&more, SIZE);
    let lane = free_from
        .iter()
        .rposition(|free| *free <= start)
        .filter(|_| left_out > 0);
    if let Some(lane) = lane {
        let y = plot.y - 6.0 - lane as f64 * LANE_PX;
        canvas.text((plot.right(), y), font(ink.mark_text).anchor(Anchor::End), &more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(from_ms: UtcMs, to_ms: Option<UtcMs>, series: Option<&str>) -> GraphMark {
        GraphMark {
            from_ms,
            to_ms,
            label: "dropped".to_owned(),
            series: series.map(|name| vec![name.to_owned()]),
            kind: MarkKind::Alarm,
        }
    }

    #[test]
    fn equal_labels_that_overlap_are_one_band() {
        let marks = [
            mark(UtcMs::new(10), Some(UtcMs::new(20)), Some("b")),
            mark(UtcMs::new(12), Some(UtcMs::new(30)), Some("a")),
            mark(UtcMs::new(50), None, Some("a")),
        ];
        let all = bands(&marks, None, UtcMs::EPOCH, UtcMs::new(100));
        assert_eq!(all.len(), 2);
        assert_eq!(
            all[0],
            Band {
                from_ms: UtcMs::new(10),
                to_ms: Some(UtcMs::new(30)),
                label: "dropped (2 series)".to_owned(),
                kind: MarkKind::Alarm,
            }
        );
        assert_eq!(all[1].label, "a: dropped");
        assert_eq!(bands(&marks, Some("b"), UtcMs::EPOCH, UtcMs::new(100)).len(), 1);
        assert_eq!(
            bands(&marks, Some("b"), UtcMs::EPOCH, UtcMs::new(100))[0].label,
            "dropped"
        );
        assert!(bands(&marks, None, UtcMs::new(31), UtcMs::new(50)).is_empty());
    }

    #[test]
    fn a_panel_shows_the_marks_that_concern_it() {
        let relay = GraphMark {
            label: "mx1001 dropped".to_owned(),
            series: Some(vec!["a".to_owned(), "b".to_owned()]),
            ..mark(UtcMs::new(10), None, None)
        };
        let label = |series: Option<&str>| {
            let bands = bands(std::slice::from_ref(&relay), series, UtcMs::EPOCH, UtcMs::new(100));
            bands.into_iter().map(|band| band.label).collect::<Vec<_>>()
        };
        assert_eq!(label(Some("a")), ["mx1001 dropped"]);
        assert_eq!(label(Some("c")), Vec::<String>::new());
        assert_eq!(label(None), ["mx1001 dropped (2 series)"]);
    }

    #[test]
    fn what_holds_alarms_back_is_a_band_of_its_own() {
        let silence = GraphMark {
            kind: MarkKind::Silence,
            ..mark(UtcMs::new(10), Some(UtcMs::new(30)), Some("a"))
        };
        let all = bands(
            &[mark(UtcMs::new(12), Some(UtcMs::new(20)), Some("a")), silence],
            None,
            UtcMs::EPOCH,
            UtcMs::new(100),
        );
        let kinds: Vec<MarkKind> = all.iter().map(|band| band.kind).collect();
        assert_eq!(kinds, [MarkKind::Silence, MarkKind::Alarm]);
        assert_eq!(all[0].label, "dropped");
    }

    #[test]
    fn a_mark_without_an_end_lasts() {
        assert_eq!(
            bands(
                &[mark(UtcMs::new(5), None, None)],
                Some("x"),
                UtcMs::new(1_000),
                UtcMs::new(2_000)
            )
            .len(),
            1
        );
    }
}

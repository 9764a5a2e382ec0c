//! One panel: a rectangle of pixels with a time axis and a value axis, and what is drawn into it.

use super::canvas::{Anchor, Canvas, Font, num};
use super::palette::Ink;
use super::scale::{axis_top, si, time_ticks, value_ticks};
use super::text::width_px;
use crate::model::time::UtcMs;
use crate::query::series::SeriesSet;

/// Names of the hatching pattern in a document; equal in all documents of a theme.
pub(crate) const HATCH: &str = "mailpulse-hatch";
/// Room that a time label takes, pixels.
const TIME_LABEL_PX: f64 = 54.0;
/// Gaps narrower than this are widened, pixels: a lost minute in three weeks must be seen.
const GAP_PX_MIN: f64 = 2.0;
/// Gaps narrower than this have no room for hatching and are solid, pixels.
const HATCHED_PX_MIN: f64 = 7.0;

/// A value for a stretch of pixels; a run is drawn without interruption.
type Polyline = Vec<(usize, f64)>;

/// A panel's place and scales.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plot {
    /// Left edge, pixels.
    pub x: f64,
    /// Upper edge, pixels.
    pub y: f64,
    /// Width, pixels.
    pub w: f64,
    /// Height, pixels.
    pub h: f64,
    /// Time at the left edge.
    pub from_ms: UtcMs,
    /// Time at the right edge.
    pub to_ms: UtcMs,
    /// Value at the upper edge.
    pub top: f64,
}

impl Plot {
    /// Pixel of a time, held inside the panel.
    pub(super) fn px(&self, at: UtcMs) -> f64 {
        let span = (self.to_ms - self.from_ms).max(1) as f64;
        self.x + self.w * (at.since(self.from_ms) as f64 / span).clamp(0.0, 1.0)
    }

    /// Pixel of a value, held inside the panel.
    pub(super) fn py(&self, value: f64) -> f64 {
        self.y + self.h * (1.0 - (value / self.top).clamp(0.0, 1.0))
    }

    /// Left and upper edge, width, and height, pixels.
    pub(super) fn edges(&self) -> [f64; 4] {
        [self.x, self.y, self.w, self.h]
    }

    /// Lower edge, pixels.
    pub(super) fn bottom(&self) -> f64 {
        self.y + self.h
    }

    /// Right edge, pixels.
    pub(super) fn right(&self) -> f64 {
        self.x + self.w
    }

    /// Ticks above zero for about one a `spacing_px`.
    fn ticks(&self, spacing_px: f64) -> usize {
        (self.h / spacing_px).max(3.0) as usize
    }

    /// The same plot with an axis that holds values up to `max`, and ends at a tick.
    pub(super) fn reaching(self, max: f64, spacing_px: f64) -> Plot {
        let top = axis_top(max, self.ticks(spacing_px));
        Plot { top, ..self }
    }

    /// Marks what goes beyond the axis: a triangle at the upper edge, with the largest value where there is room. Whether
    /// there was any.
    pub(super) fn beyond(&self, canvas: &mut Canvas, ink: &Ink, set: &SeriesSet, points: &[Option<f64>]) -> bool {
        let is_beyond = |point: &Option<f64>| point.is_some_and(|value| value > self.top * 1.000_001);
        let mut free_from = f64::NEG_INFINITY;
        let mut bucket = 0;
        let mut any = false;
        while bucket < points.len() {
            let length = points[bucket..].iter().take_while(|point| is_beyond(point)).count();
            if length > 0 {
                let run = &points[bucket..bucket + length];
                let largest = run.iter().flatten().copied().fold(0.0, f64::max);
                let middle = set.start_ms + (2 * bucket + length) as i64 * set.step_ms / 2;
                let (x, y) = (self.px(middle), self.y);
                let triangle = format!(
                    "M{} {}L{} {}L{} {}Z",
                    num(x - 4.0),
                    num(y + 7.0),
                    num(x),
                    num(y),
                    num(x + 4.0),
                    num(y + 7.0)
                );
                canvas.area(&triangle, ink.text, 1.0);
                let (text, size) = (si(largest), 10.5);
                let width = width_px(&text, size);
                // At the right of the triangle, or at its left where the panel ends.
                let start = if x + 7.0 + width <= self.right() {
                    x + 7.0
                } else {
                    x - 7.0 - width
                };
                if start >= free_from {
                    canvas.text((start, y + 9.0), Font::new(size, ink.text).halo(ink.page), &text);
                    free_from = x + 14.0 + width;
                }
                any = true;
            }
            bucket += length.max(1);
        }
        any
    }

    /// Grid lines with values at the left; about one a `spacing_px`.
    pub(super) fn value_axis(&self, canvas: &mut Canvas, ink: &Ink, size: f64, spacing_px: f64) {
        let font = Font::new(size, ink.muted).anchor(Anchor::End);
        for value in value_ticks(self.top, self.ticks(spacing_px)) {
            let y = self.py(value);
            if value > 0.0 {
                canvas.line([(self.x, y), (self.right(), y)], ink.grid, 1.0, "");
            }
            canvas.text((self.x - 6.0, y + size * 0.35), font, &si(value));
        }
    }

    /// Vertical grid lines, and below the panel their times if `labelled`.
    pub(super) fn time_axis(&self, canvas: &mut Canvas, ink: &Ink, size: f64, labelled: bool) {
        let bottom = self.bottom();
        for tick in time_ticks(self.from_ms, self.to_ms, self.w / TIME_LABEL_PX) {
            let x = self.px(tick.at);
            let colour = if tick.major { ink.axis } else { ink.grid };
            canvas.line(
                [(x, self.y), (x, bottom)],
                colour,
                if tick.major { 0.7 } else { 1.0 },
                "",
            );
            if !labelled {
                continue;
            }
            canvas.line([(x, bottom), (x, bottom + 4.0)], ink.axis, 1.0, "");
            let font = Font::new(size, if tick.major { ink.text } else { ink.muted }).anchor(Anchor::Middle);
            canvas.text((x, bottom + size + 6.0), font, &tick.label);
        }
    }

    /// The time zone, at the left of the time labels, if there is room.
    pub(super) fn zone_label(&self, canvas: &mut Canvas, ink: &Ink, zone: &str) {
        let font = Font::new(10.0, ink.muted).anchor(Anchor::End);
        let room = self.x - 25.0;
        // A long name stands in the header alone.
        if width_px(zone, 10.0) <= room {
            canvas.text((room, self.bottom() + 17.0), font, zone);
        }
    }

    /// The line at 0.
    pub(super) fn base_line(&self, canvas: &mut Canvas, ink: &Ink) {
        canvas.line(
            [(self.x, self.bottom()), (self.right(), self.bottom())],
            ink.axis,
            1.0,
            "",
        );
    }

    /// Hatched stretches without data; where there is room they say so.
    pub(super) fn gaps(&self, canvas: &mut Canvas, ink: &Ink, gaps: &[(UtcMs, UtcMs)]) {
        for (from, to) in self.pixel_spans(gaps) {
            hatched(canvas, ink, (from, self.y, to - from, self.h));
            if to - from > 58.0 && self.h > 30.0 {
                let font = Font::new(11.0, ink.muted).anchor(Anchor::Middle).halo(ink.gap);
                canvas.text(((from + to) / 2.0, self.y + self.h / 2.0 + 4.0), font, "no data");
            }
        }
    }

    /// Faintly hatched stretches, behind the curves: most of the mail is unknown there.
    pub(super) fn mostly_gaps(&self, canvas: &mut Canvas, ink: &Ink, gaps: &[(UtcMs, UtcMs)]) {
        for (from, to) in self.pixel_spans(gaps) {
            canvas.rect((from, self.y, to - from, self.h), ink.gap, 0.8);
            canvas.rect((from, self.y, to - from, self.h), &format!("url(#{HATCH})"), 0.5);
        }
    }

    /// A thin hatched strip on the axis: some of the series have no data there.
    pub(super) fn partial_gaps(&self, canvas: &mut Canvas, ink: &Ink, gaps: &[(UtcMs, UtcMs)]) {
        for (from, to) in self.pixel_spans(gaps) {
            hatched(canvas, ink, (from, self.bottom() - 5.0, to - from, 5.0));
        }
    }

    /// Stretches in pixels, those that touch merged: their number is bounded by the width.
    fn pixel_spans(&self, spans: &[(UtcMs, UtcMs)]) -> Vec<(f64, f64)> {
        let mut out: Vec<(f64, f64)> = Vec::new();
        for &(from, to) in spans {
            let (from, to) = (self.px(from), self.px(to));
            let from = from.min(self.right() - GAP_PX_MIN);
            let to = to.max(from + GAP_PX_MIN);
            match out.last_mut() {
                Some(last) if from - last.1 < 0.75 => last.1 = last.1.max(to),
                _ => out.push((from, to)),
            }
        }
        out
    }

    /// The line of a series on `set`'s grid, as path data; it stops at gaps and covers its buckets to their edges.
    pub(super) fn line_path(&self, set: &SeriesSet, points: &[Option<f64>]) -> String {
        runs(points).iter().map(|run| self.run_path(set, run, 'M')).collect()
    }

    /// The area between two curves on `set`'s grid, as path data; both have data in the same buckets.
    pub(super) fn band_path(&self, set: &SeriesSet, low: &[Option<f64>], high: &[Option<f64>]) -> String {
        let mut d = String::new();
        for (low, high) in runs(low).iter().zip(&runs(high)) {
            d += &self.run_path(set, high, 'M');
            let back = self.run_path(set, low, 'L');
            d += &reversed(&back);
            d.push('Z');
        }
        d
    }

    fn run_path(&self, set: &SeriesSet, run: &Polyline, first: char) -> String {
        let at = |bucket: usize| set.start_ms + bucket as i64 * set.step_ms;
        let (Some(&(head, from)), Some(&(tail, to))) = (run.first(), run.last()) else {
            return String::new();
        };
        let mut d = format!("{first}{} {}", num(self.px(at(head))), num(self.py(from)));
        for &(bucket, value) in run {
            d += &format!(
                "L{} {}",
                num(self.px(at(bucket) + set.step_ms / 2)),
                num(self.py(value))
            );
        }
        d + &format!("L{} {}", num(self.px(at(tail) + set.step_ms)), num(self.py(to)))
    }
}

/// A rectangle in the look of "no data".
pub(super) fn hatched(canvas: &mut Canvas, ink: &Ink, area: (f64, f64, f64, f64)) {
    if area.2 < HATCHED_PX_MIN {
        canvas.rect(area, ink.hatch, 1.0);
        return;
    }
    canvas.rect(area, ink.gap, 1.0);
    canvas.rect(area, &format!("url(#{HATCH})"), 1.0);
}

/// Stretches of neighbouring buckets with data.
fn runs(points: &[Option<f64>]) -> Vec<Polyline> {
    let mut out: Vec<Polyline> = Vec::new();
    let mut open = false;
    for (bucket, point) in points.iter().enumerate() {
        if let Some(value) = *point {
            if !open {
                out.push(Polyline::new());
            }
            out.last_mut().expect("a run was pushed").push((bucket, value));
        }
        open = point.is_some();
    }
    out
}

/// A path of `L` segments walked backwards.
fn reversed(d: &str) -> String {
    d.split('L')
        .rev()
        .filter(|p| !p.is_empty())
        .map(|p| format!("L{p}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot() -> (Plot, SeriesSet) {
        let plot = Plot {
            x: 0.0,
            y: 0.0,
            w: 100.0,
            h: 50.0,
            from_ms: UtcMs::EPOCH,
            to_ms: UtcMs::new(10_000),
            top: 10.0,
        };
        (
            plot,
            SeriesSet {
                step_ms: 1_000,
                ..SeriesSet::default()
            },
        )
    }

    #[test]
    fn a_line_stops_at_a_gap_and_runs_on_the_axis_at_zero() {
        let (plot, set) = plot();
        let d = plot.line_path(&set, &[Some(0.0), Some(0.0), None, Some(10.0)]);
        assert_eq!(d, "M0 50L5 50L15 50L20 50M30 0L35 0L40 0");
        assert_eq!(plot.line_path(&set, &[None, None]), "");
    }

    #[test]
    fn a_band_is_closed() {
        let (plot, set) = plot();
        let d = plot.band_path(&set, &[None, Some(0.0)], &[None, Some(5.0)]);
        assert_eq!(d, "M10 25L15 25L20 25L20 50L15 50L10 50Z");
    }

    #[test]
    fn scales_stay_inside() {
        let (plot, _) = plot();
        assert_eq!(
            [UtcMs::MIN, UtcMs::MAX, UtcMs::new(5_000)].map(|at| plot.px(at)),
            [0.0, 100.0, 50.0]
        );
        assert_eq!([plot.py(-1.0), plot.py(99.0), plot.py(5.0)], [50.0, 0.0, 25.0]);
    }

    #[test]
    fn a_short_gap_is_wide_enough_and_many_are_merged() {
        let (plot, _) = plot();
        assert_eq!(
            plot.pixel_spans(&[(UtcMs::new(5_000), UtcMs::new(5_001))]),
            [(50.0, 52.0)]
        );
        assert_eq!(
            plot.pixel_spans(&[(UtcMs::new(10_000), UtcMs::new(10_000))]),
            [(98.0, 100.0)]
        );
        let many: Vec<_> = (0..5_000).map(|i| (UtcMs::new(i * 2), UtcMs::new(i * 2 + 1))).collect();
        assert_eq!(plot.pixel_spans(&many).len(), 1);
    }
}

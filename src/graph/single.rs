//! One panel for all series: stacked areas, or lines. Names stand at the right, each led to what it names.

use super::canvas::{Canvas, Font, num};
use super::frame::Legend;
use super::layout::spread;
use super::marks::{self, LANE_PX};
use super::missing::MissingData;
use super::palette::Ink;
use super::plot::Plot;
use super::scale::{largest_usual, stats_text};
use super::style::GraphKind;
use super::text::{cut_px, visible, width_px};
use super::view::GraphContext;
use crate::query::series::{Fold, Series, SeriesSet};

const LEFT: f64 = 66.0;
/// Baseline of the upright unit, pixels.
const UNIT_X: f64 = 20.0;
const AXIS_PX: f64 = 26.0;
/// Between two values of the axis, pixels.
const VALUE_SPACING_PX: f64 = 46.0;
const LABEL_SIZE: f64 = 12.5;
const LABEL_SPACING: f64 = 18.0;
/// Leader and swatch before a label, pixels.
const LEADER: f64 = 34.0;
/// Lines of their own before the rest is folded: some more than areas, dashes tell them apart.
const LINES_MAX: usize = 10;
const LANES_MAX: usize = 3;

/// The series as they are drawn, with what tells them apart.
struct Drawn {
    /// Folded, on the grid of the picture.
    set: SeriesSet,
    /// The last one is the folded rest.
    has_other: bool,
}

impl Drawn {
    fn colour(&self, ink: &Ink, rank: usize) -> &'static str {
        if self.has_other && rank + 1 == self.set.series.len() {
            ink.other
        } else {
            ink.series(rank)
        }
    }

    fn dash(&self, ink: &Ink, rank: usize) -> &'static str {
        if self.has_other && rank + 1 == self.set.series.len() {
            ""
        } else {
            ink.dash(rank)
        }
    }
}

/// Draws the panel; says what the key must explain.
pub(super) fn draw(canvas: &mut Canvas, view: &GraphContext, kind: GraphKind) -> Legend {
    let (ink, (top, bottom)) = (view.ink, view.room);
    let (from_ms, to_ms) = (view.set.start_ms, view.set.end_ms());
    let bands = marks::bands(view.marks, None, from_ms, to_ms);
    let lanes = bands.len().min(LANES_MAX) + usize::from(bands.len() > LANES_MAX);
    let y = top + 8.0 + lanes as f64 * LANE_PX;
    let h = (bottom - AXIS_PX - y).max(3.0 * LABEL_SPACING);
    let limit = if kind == GraphKind::Stacked {
        ink.colours()
    } else {
        LINES_MAX
    };
    let folded = view.set.folded(limit.min((h / LABEL_SPACING) as usize - 1));
    let has_other = folded.series.len() < view.set.series.len();
    let names: Vec<String> = folded.series.iter().map(|s| label_of(s, view.width)).collect();
    let label_px = names.iter().map(|n| width_px(n, LABEL_SIZE)).fold(0.0, f64::max);
    let w = (view.width - LEFT - LEADER - label_px - 14.0).max(120.0);
    let set = folded.rebucketed(folded.step_for_columns(w as usize), Fold::Mean);
    let drawn = Drawn { set, has_other };
    let plot = Plot {
        x: LEFT,
        y,
        w,
        h,
        from_ms,
        to_ms,
        top: 1.0,
    };
    let plot = plot.reaching(top_value(&drawn.set, kind), VALUE_SPACING_PX);
    let missing = MissingData::of(view.set);

    marks::shades(canvas, ink, &plot, &bands);
    plot.value_axis(canvas, ink, 11.5, VALUE_SPACING_PX);
    plot.time_axis(canvas, ink, 11.5, true);
    plot.zone_label(canvas, ink, view.zone);
    unit_label(canvas, ink, &plot, &view.set.unit);
    plot.mostly_gaps(canvas, ink, &missing.most);
    plot.gaps(canvas, ink, &missing.all);
    plot.base_line(canvas, ink);
    let ends = match kind {
        GraphKind::Stacked => areas(canvas, ink, &plot, &drawn),
        _ => lines(canvas, ink, &plot, &drawn),
    };
    let beyond = match kind {
        GraphKind::Stacked => plot.beyond(canvas, ink, &drawn.set, &drawn.set.total()),
        _ => plot.beyond(canvas, ink, &drawn.set, &highest(&drawn.set)),
    };
    plot.partial_gaps(canvas, ink, &missing.some);
    marks::labels(canvas, ink, &plot, &bands, lanes);
    name_labels(canvas, ink, &plot, &drawn, (&names, ends));
    let band = kind == GraphKind::Lines && has_band(&drawn.set);
    let mut key = Legend {
        no_data: !missing.all.is_empty(),
        partial: !missing.some.is_empty(),
        band,
        beyond,
        bottom: plot.bottom() + AXIS_PX,
        step_ms: drawn.set.step_ms,
        panels: vec![plot.edges()],
        ..Legend::default()
    };
    key.note_marks(&bands);
    key
}

fn label_of(series: &Series, width: f64) -> String {
    let suffix = if series.points.iter().any(Option::is_some) {
        ""
    } else {
        " (no data)"
    };
    let room = (width * 0.2).min(210.0) - width_px(suffix, LABEL_SIZE);
    cut_px(&visible(&series.name), room, LABEL_SIZE) + suffix
}

/// Bands are drawn where they do not hide each other: with few lines.
fn has_band(set: &SeriesSet) -> bool {
    set.series.len() <= 3 && set.series.iter().any(|s| s.expected.is_some())
}

/// The largest value that the axis should hold.
fn top_value(set: &SeriesSet, kind: GraphKind) -> f64 {
    if kind == GraphKind::Stacked {
        return largest_usual(set.total().into_iter().flatten());
    }
    let bands = set
        .series
        .iter()
        .filter(|_| has_band(set))
        .filter_map(|s| s.expected.as_ref());
    let bands = bands.flatten().flatten().map(|(_, high)| *high);
    let lines = set
        .series
        .iter()
        .map(|s| largest_usual(s.points.iter().flatten().copied()));
    lines.fold(largest_usual(bands), f64::max)
}

/// The highest line a bucket.
fn highest(set: &SeriesSet) -> Vec<Option<f64>> {
    let points = |bucket: usize| set.series.iter().filter_map(move |s| s.points[bucket]);
    (0..set.buckets())
        .map(|bucket| points(bucket).max_by(f64::total_cmp))
        .collect()
}

/// Stacked areas, the largest series lowest; returns where each ends at the right, pixels.
fn areas(canvas: &mut Canvas, ink: &Ink, plot: &Plot, drawn: &Drawn) -> Vec<f64> {
    let set = &drawn.set;
    let total = set.total();
    let mut low: Vec<Option<f64>> = total.iter().map(|t| t.map(|_| 0.0)).collect();
    let last = total.iter().rposition(Option::is_some);
    let mut ends = Vec::new();
    for (rank, series) in set.series.iter().enumerate() {
        let add = |(sum, point): (&Option<f64>, &Option<f64>)| sum.map(|s| s + point.unwrap_or(0.0));
        let high: Vec<_> = low.iter().zip(&series.points).map(add).collect();
        canvas.group(&format!("{}: {}", visible(&series.name), stats_text(&series.stats())));
        canvas.area(&plot.band_path(set, &low, &high), drawn.colour(ink, rank), 0.88);
        canvas.stroke(&plot.line_path(set, &high), ink.page, 0.5, "");
        canvas.end_group();
        let middle = last
            .and_then(|i| low[i].zip(high[i]))
            .map_or(0.0, |(a, b)| (a + b) / 2.0);
        ends.push(plot.py(middle));
        low = high;
    }
    canvas.stroke(&plot.line_path(set, &total), ink.text, 1.2, "");
    ends
}

/// A line a series, the largest on top of the others; returns where each ends at the right, pixels.
fn lines(canvas: &mut Canvas, ink: &Ink, plot: &Plot, drawn: &Drawn) -> Vec<f64> {
    let set = &drawn.set;
    for (rank, series) in set.series.iter().enumerate().rev() {
        let colour = drawn.colour(ink, rank);
        canvas.group(&format!("{}: {}", visible(&series.name), stats_text(&series.stats())));
        if let Some(bands) = series.expected.as_ref().filter(|_| has_band(set)) {
            let low: Vec<_> = bands.iter().map(|b| b.map(|(low, _)| low)).collect();
            let high: Vec<_> = bands.iter().map(|b| b.map(|(_, high)| high)).collect();
            canvas.area(&plot.band_path(set, &low, &high), colour, 0.2);
        }
        canvas.stroke(&plot.line_path(set, &series.points), colour, 1.7, drawn.dash(ink, rank));
        canvas.end_group();
    }
    set.series
        .iter()
        .map(|s| plot.py(s.stats().last.unwrap_or(0.0)))
        .collect()
}

/// Names at the right, pushed apart, each with a leader to its end and a swatch.
fn name_labels(canvas: &mut Canvas, ink: &Ink, plot: &Plot, drawn: &Drawn, (names, ends): (&[String], Vec<f64>)) {
    let mut order: Vec<usize> = (0..names.len()).collect();
    // Equal ends (all at 0 in an outage): as in a stack, the largest lowest.
    order.sort_by(|&a, &b| ends[a].total_cmp(&ends[b]).then(b.cmp(&a)));
    let wanted: Vec<f64> = order.iter().map(|&i| ends[i]).collect();
    let places = spread(&wanted, LABEL_SPACING, plot.y + 6.0, plot.bottom() - 4.0);
    let x = plot.right();
    for (&rank, y) in order.iter().zip(places) {
        let (colour, dash) = (drawn.colour(ink, rank), drawn.dash(ink, rank));
        let d = format!(
            "M{} {}L{} {}L{} {}",
            num(x + 2.0),
            num(ends[rank]),
            num(x + 12.0),
            num(y),
            num(x + 16.0),
            num(y)
        );
        canvas.stroke(&d, colour, 1.2, "");
        canvas.line([(x + 14.0, y), (x + 30.0, y)], colour, 4.0, dash);
        canvas.text((x + LEADER, y + 4.3), Font::new(LABEL_SIZE, ink.text), &names[rank]);
    }
}

/// The unit, upright along the value axis.
fn unit_label(canvas: &mut Canvas, ink: &Ink, plot: &Plot, unit: &str) {
    let text = cut_px(&visible(unit), plot.h, 11.5);
    canvas.upright_text((UNIT_X, plot.y + plot.h / 2.0), Font::new(11.5, ink.muted), &text);
}

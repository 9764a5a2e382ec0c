//! Small multiples: a panel a series, all on one time axis, each with a value axis of its own, so that a service with
//! two messages an hour shows its outage as clearly as one with a thousand a minute.

use super::canvas::{Anchor, Canvas, Font};
use super::frame::Legend;
use super::layout::{Grid, PANEL_PX_MIN};
use super::marks::{self, Band, LANE_PX};
use super::plot::Plot;
use super::scale::{largest_usual, si, stats_text};
use super::text::{cut_px, visible, width_px};
use super::view::{GraphContext, MARGIN};
use crate::model::time::UtcMs;
use crate::query::series::{Fold, Series, SeriesSet, Stats};

/// Room for the values at the left of a panel, pixels.
const LEFT: f64 = 42.0;
const NAME_SIZE: f64 = 12.5;
/// Letters of a wide font, and its bold ones, against what is reckoned with.
const WIDE: f64 = 1.1;
const WIDE_BOLD: f64 = 1.25;
const RIGHT: f64 = 14.0;
const TITLE_PX: f64 = 22.0;
const FOOT_PX: f64 = 12.0;
const AXIS_PX: f64 = 14.0;
/// Between two values of an axis, pixels.
const VALUE_SPACING_PX: f64 = 32.0;
/// Panels in a picture; more series are folded into the last.
const PANELS_MAX: usize = 60;

/// Draws the panels, largest series first; says what the key must explain.
pub(super) fn draw(canvas: &mut Canvas, view: &GraphContext) -> Legend {
    let (from_ms, to_ms) = (view.set.start_ms, view.set.end_ms());
    let mut full = view.set.folded(PANELS_MAX - 1);
    let per = full.fit_each();
    let bands: Vec<Vec<Band>> = full
        .series
        .iter()
        .map(|s| marks::bands(view.marks, Some(&s.name), from_ms, to_ms))
        .collect();
    let lanes = bands.iter().map(Vec::len).max().unwrap_or(0).min(2);
    let head = TITLE_PX + lanes as f64 * LANE_PX;
    let least = (PANEL_PX_MIN.0, PANEL_PX_MIN.1 + head + FOOT_PX);
    let (top, bottom) = view.room;
    let grid = Grid::fit(full.series.len(), view.width - MARGIN, bottom - top - AXIS_PX, least);
    let plot_w = grid.cell_w - LEFT - RIGHT;
    let set = full.rebucketed(full.step_for_columns(plot_w as usize), Fold::Mean);
    let mut key = Legend {
        step_ms: set.step_ms,
        bottom: top + grid.cell_h * grid.rows as f64 + AXIS_PX,
        ..Legend::default()
    };
    for (cell, bands) in bands.iter().enumerate() {
        let (x, y) = grid.corner(cell);
        let (x, y, h) = (x + MARGIN / 2.0 + LEFT, top + y + head, grid.cell_h - head - FOOT_PX);
        let plot = Plot {
            x,
            y,
            w: plot_w,
            h,
            from_ms,
            to_ms,
            top: 1.0,
        };
        let plot = plot.reaching(top_value(&set.series[cell]), VALUE_SPACING_PX);
        key.panels.push(plot.edges());
        let gaps = full.gaps(&[cell]);
        key.no_data |= !gaps.is_empty();
        key.note_marks(bands);
        key.band |= set.series[cell].expected.is_some();
        let panel = Panel {
            plot,
            gaps: &gaps,
            bands,
            lanes,
            // What is drawn: a peak of single minutes is in no curve of means.
            stats: set.series[cell].stats(),
            per: per[cell],
            lowest: grid.is_lowest(cell, full.series.len()),
            leftmost: cell % grid.columns == 0,
        };
        key.beyond |= panel.draw(canvas, view, (&set, cell));
    }
    key
}

fn top_value(series: &Series) -> f64 {
    let bands = series.expected.iter().flatten().flatten().map(|(_, high)| *high);
    largest_usual(series.points.iter().flatten().copied()).max(largest_usual(bands))
}

struct Panel<'a> {
    plot: Plot,
    gaps: &'a [(UtcMs, UtcMs)],
    bands: &'a [Band],
    lanes: usize,
    stats: Stats,
    /// What the values are told by.
    per: &'static str,
    /// No panel stands below it: it has the times.
    lowest: bool,
    leftmost: bool,
}

impl Panel<'_> {
    fn draw(&self, canvas: &mut Canvas, view: &GraphContext, (set, cell): (&SeriesSet, usize)) -> bool {
        let (ink, plot, series) = (view.ink, &self.plot, &set.series[cell]);
        canvas.group(&format!("{}: {}", visible(&series.name), stats_text(&self.stats)));
        marks::shades(canvas, ink, plot, self.bands);
        plot.value_axis(canvas, ink, 10.5, VALUE_SPACING_PX);
        plot.time_axis(canvas, ink, 11.0, self.lowest);
        if self.lowest && self.leftmost {
            plot.zone_label(canvas, ink, view.zone);
        }
        plot.gaps(canvas, ink, self.gaps);
        plot.base_line(canvas, ink);
        if let Some(bands) = &series.expected {
            let low: Vec<_> = bands.iter().map(|b| b.map(|(low, _)| low)).collect();
            let high: Vec<_> = bands.iter().map(|b| b.map(|(_, high)| high)).collect();
            canvas.area(&plot.band_path(set, &low, &high), ink.accent, 0.25);
        }
        let floor: Vec<_> = series.points.iter().map(|p| p.map(|_| 0.0)).collect();
        canvas.area(&plot.band_path(set, &floor, &series.points), ink.accent, 0.13);
        canvas.stroke(&plot.line_path(set, &series.points), ink.accent, 1.4, "");
        let zero: Vec<_> = series.points.iter().map(|p| p.filter(|v| *v == 0.0)).collect();
        canvas.stroke(&plot.line_path(set, &zero), ink.accent, 3.0, "");
        let beyond = plot.beyond(canvas, ink, set, &series.points);
        marks::labels(canvas, ink, plot, self.bands, self.lanes);
        self.title(canvas, view, &series.name);
        canvas.end_group();
        beyond
    }

    /// Name at the left, figures at the right, in one line above the panel.
    fn title(&self, canvas: &mut Canvas, view: &GraphContext, name: &str) {
        let (ink, plot) = (view.ink, &self.plot);
        let y = plot.y - self.lanes as f64 * LANE_PX - 7.0;
        let name = visible(name);
        let figures = match (self.stats.last, self.stats.peak, self.stats.mean) {
            (Some(last), Some(peak), Some(mean)) => {
                let [last, peak, mean] = [last, peak, mean].map(|value| si(value) + self.per);
                vec![
                    format!("last {last}  ·  peak {peak}  ·  mean {mean}"),
                    format!("last {last} · peak {peak}"),
                    format!("peak {peak}"),
                ]
            }
            _ => vec!["no data".to_owned()],
        };
        // The whole name comes first; the tooltip has all figures.
        let fits =
            |text: &&String| width_px(text, 10.5 * WIDE) + 8.0 + width_px(&name, NAME_SIZE * WIDE_BOLD) <= plot.w;
        let figures = figures.iter().find(fits).map_or("", |text| text);
        canvas.text(
            (plot.x, y),
            Font::new(NAME_SIZE, ink.text).bold(),
            &cut_px(&name, plot.w, NAME_SIZE),
        );
        canvas.text(
            (plot.right(), y),
            Font::new(10.5, ink.muted).anchor(Anchor::End),
            figures,
        );
    }
}

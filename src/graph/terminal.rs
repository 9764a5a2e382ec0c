//! Graphs in a terminal: a block of rows a series, or, with many series, a row each.
//!
//! No line is wider than asked for. Colour only repeats what the characters say; without Unicode, ASCII does.

use super::blocks::{ASCII, Glyphs, UNICODE, resample};
use super::marks::{self, Band};
use super::scale::{TimeTick, duration_text, largest_usual, si, span_text, stamp, time_ticks};
use super::text::{cells, cut_cells, visible, visible_ascii};
use crate::model::time::{DAY_MS, HOUR_MS, UtcMs};
use crate::query::series::{GraphMark, MarkKind, Series, SeriesSet, Stats};

/// Narrower is not drawn, cells.
const COLS_MIN: usize = 24;
/// Values at the left of a block, cells.
const VALUE_COLS: usize = 7;
/// The figures at the right of a row, cells: three columns of 7.
const FIGURES_COLS: usize = 24;
/// Narrower pages have no figures in rows, cells.
const FIGURES_FROM_COLS: usize = 60;
const BLOCK_ROWS_MAX: usize = 8;
const MARK_LINES_MAX: usize = 4;
const AXIS_LABEL_COLS: f64 = 10.0;

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const CURVE: &str = "\x1b[36m";
const MARKED: &str = "\x1b[33m";
const RESET: &str = "\x1b[0m";

/// What every line needs to know.
struct Page<'a> {
    set: SeriesSet,
    marks: &'a [GraphMark],
    glyphs: &'static Glyphs,
    cols: usize,
    /// Cells before the curves.
    left: usize,
    /// Cells of a curve.
    curve_cols: usize,
    /// Rows of a curve.
    curve_rows: usize,
    /// What the values of each series are told by, where each has a scale of its own.
    per: Vec<&'static str>,
    color: bool,
    unicode: bool,
}

/// What a graph is drawn for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    /// Cells of a line.
    pub width_cols: usize,
    /// Kept where it can be (small series are folded into one); 0 means any height.
    pub height_rows: usize,
    /// Whether it shows colours.
    pub color: bool,
    /// Whether it has more than ASCII.
    pub unicode: bool,
}

/// A rate graph as lines of text, each ended by a line feed.
pub(crate) fn render(set: &SeriesSet, marks: &[GraphMark], screen: Screen) -> String {
    let Screen {
        width_cols,
        height_rows,
        color,
        unicode,
    } = screen;
    let set = set.cleaned();
    let bands = marks::bands(marks, None, set.start_ms, set.end_ms());
    let mark_lines = bands.len().min(MARK_LINES_MAX + 1);
    let (count, spare) = (set.series.len().max(1), height_rows.saturating_sub(5 + mark_lines));
    let per_series = if height_rows == 0 {
        if count <= 12 { 4 } else { 1 }
    } else {
        spare / count
    };
    let (fold_to, curve_rows) = match per_series {
        0..3 if height_rows == 0 => (usize::MAX - 1, 1),
        0..3 => (spare.saturating_sub(2).max(2), 1),
        rows => (usize::MAX - 1, (rows - 1).min(BLOCK_ROWS_MAX)),
    };
    let cols = width_cols.max(COLS_MIN);
    let mut page = Page {
        set: set.folded(fold_to),
        marks,
        glyphs: if unicode { &UNICODE } else { &ASCII },
        cols,
        left: VALUE_COLS,
        curve_cols: cols - VALUE_COLS,
        curve_rows,
        per: Vec::new(),
        color,
        unicode,
    };
    if curve_rows > 1 {
        page.per = page.set.fit_each();
    } else {
        page.set = page.set.in_fitting_unit();
        let longest = page
            .set
            .series
            .iter()
            .map(|s| cells(&page.shown(&s.name)) + 2)
            .max()
            .unwrap_or(0);
        let figures = if cols >= FIGURES_FROM_COLS { FIGURES_COLS } else { 0 };
        page.left = (longest + 1).clamp(VALUE_COLS, cols / 3);
        page.curve_cols = cols - page.left - figures;
    }
    page.draw(&bands)
}

impl Page<'_> {
    fn draw(&self, bands: &[Band]) -> String {
        let mut out = self.head();
        if self.set.buckets() == 0 {
            return out + &self.cut("Nothing to draw: no series in this range.") + "\n";
        }
        if self.curve_rows == 1 && self.has_figures() {
            let names = format!(" {:>7} {:>7} {:>7}", "last", "peak", "mean");
            out += &self.paint(DIM, &format!("{}{names}", " ".repeat(self.left + self.curve_cols)));
            out.push('\n');
        }
        for (at, series) in self.set.series.iter().enumerate() {
            out += &match self.per.get(at) {
                Some(per) => self.block(series, per),
                None => self.row(series),
            };
        }
        out += &self.axis(bands);
        for band in bands.iter().take(MARK_LINES_MAX) {
            out += &(self.paint(MARKED, &self.cut(&self.mark_text(band))) + "\n");
        }
        if bands.len() > MARK_LINES_MAX {
            out += &(self.cut(&format!("! {} more marks", bands.len() - MARK_LINES_MAX)) + "\n");
        }
        let (gap, zero) = (self.glyphs.gap, self.glyphs.zero());
        let mark = if bands.is_empty() { "" } else { "   ! marked" };
        let is_shown = self.curve_rows > 1 && self.set.series.iter().any(|series| series.expected.is_some());
        let expected = match is_shown {
            true => format!("   {} expected", self.glyphs.expected),
            false => String::new(),
        };
        let beyond = match out.contains(self.glyphs.beyond) {
            true => format!("   {} beyond the axis", self.glyphs.beyond),
            false => String::new(),
        };
        out + &self.paint(
            DIM,
            &self.cut(&format!("{gap} no data   {zero} no mail{expected}{beyond}{mark}")),
        ) + "\n"
    }

    fn head(&self) -> String {
        let (set, dot) = (&self.set, if self.unicode { " · " } else { ", " });
        let title = self.cut(&format!("{}{dot}{}", self.shown(&set.title), self.shown(&set.unit)));
        let column_ms = (set.end_ms() - set.start_ms) / self.curve_cols.max(1) as i64;
        let span = span_text(set.start_ms, set.end_ms(), self.glyphs.dash);
        let rounded = if column_ms >= 60_000 {
            (column_ms + 30_000) / 60_000 * 60_000
        } else {
            column_ms
        };
        let full = format!("{span} UTC{dot}a column is about {}", rough(rounded));
        let range = if cells(&full) <= self.cols {
            full
        } else {
            self.cut(&format!("{span} UTC"))
        };
        format!("{}\n{}\n", self.paint(BOLD, &title), self.paint(DIM, &range))
    }

    /// A heading with the figures, then the curve with its values at the left.
    fn block(&self, series: &Series, per: &str) -> String {
        let columns = resample(&series.points, self.curve_cols);
        let stats = drawn_stats(series, &columns);
        let figures = match (stats.last, stats.peak, stats.mean) {
            (Some(last), Some(peak), Some(mean)) => {
                let [last, peak, mean] = [last, peak, mean].map(|value| si(value) + per);
                format!("last {last}  peak {peak}  mean {mean}")
            }
            _ => "no data".to_owned(),
        };
        let figures = cut_cells(&figures, self.cols * 3 / 5, self.glyphs.ellipsis);
        let name = self.name(series, self.cols - cells(&figures) - 1);
        let fill = " ".repeat(self.cols - cells(&name) - cells(&figures));
        let mut out = format!("{}{fill}{}\n", self.paint(BOLD, &name), self.paint(DIM, &figures));
        let ranges = self.ranges(series);
        let highs: Vec<_> = ranges.iter().map(|range| range.map(|(_, high)| high)).collect();
        let top = top_of(&[&columns, &highs]);
        let mut rows = self.glyphs.curve(&columns, self.curve_rows, top);
        self.glyphs.shade(&mut rows, &ranges, top);
        let marked = self.marked(Some(&series.name));
        for (index, row) in rows.iter().enumerate() {
            let value = match index {
                0 => si(top),
                last if last + 1 == rows.len() => "0".to_owned(),
                _ => String::new(),
            };
            let edge = if value.is_empty() { ' ' } else { self.glyphs.edge };
            let value = format!("{value:>width$}{edge}", width = VALUE_COLS - 1);
            out += &(self.paint(DIM, &value) + &self.curve_text(row, &columns, &marked) + "\n");
        }
        out
    }

    /// What was expected, by column.
    fn ranges(&self, series: &Series) -> Vec<Option<(f64, f64)>> {
        let Some(bands) = &series.expected else {
            return Vec::new();
        };
        let side = |pick: fn((f64, f64)) -> f64| {
            let points: Vec<_> = bands.iter().map(|band| band.map(pick)).collect();
            resample(&points, self.curve_cols)
        };
        let (low, high) = (side(|band| band.0), side(|band| band.1));
        low.into_iter().zip(high).map(|(low, high)| low.zip(high)).collect()
    }

    /// Name, curve and figures in one line.
    fn row(&self, series: &Series) -> String {
        let name = self.name(series, self.left - 1);
        let fill = " ".repeat(self.left - cells(&name));
        let columns = resample(&series.points, self.curve_cols);
        let rows = self.glyphs.curve(&columns, 1, top_of(&[&columns]));
        let curve = self.curve_text(&rows[0], &columns, &self.marked(Some(&series.name)));
        let mut out = format!("{}{fill}{curve}", self.paint(BOLD, &name));
        if self.has_figures() {
            let stats = drawn_stats(series, &columns);
            for value in [stats.last, stats.peak, stats.mean] {
                out += &format!(" {:>7}", value.map_or_else(|| "-".to_owned(), si));
            }
        }
        out + "\n"
    }

    /// The time axis: a line with ticks (`!` where something is marked), and the times under it.
    fn axis(&self, bands: &[Band]) -> String {
        let (set, cols) = (&self.set, self.curve_cols);
        let span = (set.end_ms() - set.start_ms).max(1) as f64;
        let column = |at: UtcMs| (((at - set.start_ms) as f64 / span * cols as f64) as usize).min(cols - 1);
        let marked = self.marked(None);
        let mut line: Vec<char> = vec![self.glyphs.axis.0; cols];
        let mut labels = format!("{:>width$}", "UTC ", width = self.left);
        let ticks: Vec<TimeTick> = time_ticks(set.start_ms, set.end_ms(), cols as f64 / AXIS_LABEL_COLS);
        for tick in &ticks {
            let at = column(tick.at);
            line[at] = self.glyphs.axis.1;
            let start = (self.left + at).saturating_sub(tick.label.len() / 2).max(self.left);
            let start = start.min(self.left + cols - tick.label.len().min(cols));
            if start > labels.len() || labels.len() == self.left {
                labels += &(" ".repeat(start - labels.len()) + &tick.label);
            }
        }
        if !bands.is_empty() {
            line.iter_mut()
                .zip(&marked)
                .filter(|(_, marked)| **marked)
                .for_each(|(c, _)| *c = '!');
        }
        let line: String = line.into_iter().collect();
        format!(
            "{}{}\n{}\n",
            " ".repeat(self.left),
            self.paint(DIM, &line),
            self.paint(DIM, &labels)
        )
    }

    /// Columns that a mark of this series (of any, if `None`) touches.
    fn marked(&self, series: Option<&str>) -> Vec<bool> {
        let (set, cols) = (&self.set, self.curve_cols as i64);
        let span = i128::from((set.end_ms() - set.start_ms).max(1));
        let bands = marks::bands(self.marks, series, set.start_ms, set.end_ms());
        let at = |column: i64| set.start_ms + (i128::from(column) * span / i128::from(cols.max(1))) as i64;
        let touches = |from: UtcMs, to: UtcMs| {
            bands
                .iter()
                .any(|b| b.from_ms < to && b.to_ms.is_none_or(|end| end > from))
        };
        (0..cols)
            .map(|column| touches(at(column), at(column + 1).max(at(column) + 1)))
            .collect()
    }

    /// A row of a curve; a change of colour only where the kind of cell changes.
    fn curve_text(&self, row: &[char], columns: &[Option<f64>], marked: &[bool]) -> String {
        let style = |column: usize| match (columns[column], marked[column]) {
            (None, _) => DIM,
            (_, true) => MARKED,
            _ => CURVE,
        };
        let mut out = String::new();
        let mut from = 0;
        for to in 1..=row.len() {
            if to == row.len() || style(to) != style(from) {
                out += &self.paint(style(from), &row[from..to].iter().collect::<String>());
                from = to;
            }
        }
        out
    }

    fn name(&self, series: &Series, cols_max: usize) -> String {
        let alarms = self.marks.iter().filter(|mark| mark.kind == MarkKind::Alarm);
        let alarmed = alarms
            .into_iter()
            .any(|m| m.series.is_some() && m.concerns(&series.name));
        let sign = if alarmed && self.marked(Some(&series.name)).contains(&true) {
            " !"
        } else {
            ""
        };
        cut_cells(
            &self.shown(&series.name),
            cols_max.saturating_sub(sign.len()),
            self.glyphs.ellipsis,
        ) + sign
    }

    fn mark_text(&self, band: &Band) -> String {
        let to = band.to_ms.map(|to| span_text(band.from_ms, to, self.glyphs.dash));
        let span = match (band.kind, to) {
            (MarkKind::Note, _) => stamp(band.from_ms, "%F %H:%M"),
            (_, Some(to)) => to,
            (_, None) => format!("since {}", stamp(band.from_ms, "%F %H:%M")),
        };
        format!("! {}: {span} UTC", self.shown(&band.label))
    }

    fn has_figures(&self) -> bool {
        self.left + self.curve_cols < self.cols
    }

    fn shown(&self, text: &str) -> String {
        if self.unicode {
            visible(text)
        } else {
            visible_ascii(text)
        }
    }

    fn cut(&self, text: &str) -> String {
        cut_cells(text, self.cols, self.glyphs.ellipsis)
    }

    fn paint(&self, style: &str, text: &str) -> String {
        if self.color && !text.trim().is_empty() {
            format!("{style}{text}{RESET}")
        } else {
            text.to_owned()
        }
    }
}

/// The value of a full column.
fn top_of(curves: &[&[Option<f64>]]) -> f64 {
    let tops = curves
        .iter()
        .map(|curve| largest_usual(curve.iter().flatten().copied()));
    let top = tops.fold(0.0, f64::max);
    if top > 0.0 { top } else { 1.0 }
}

/// What a caption says of a curve: a peak that is in no column would belie the axis beside it.
fn drawn_stats(series: &Series, columns: &[Option<f64>]) -> Stats {
    let drawn = Series {
        points: columns.to_vec(),
        ..Series::default()
    };
    Stats {
        mean: series.stats().mean,
        ..drawn.stats()
    }
}

/// A length of time in one unit and one decimal at most.
fn rough(ms: i64) -> String {
    match ms {
        172_800_000.. => format!("{:.1} d", ms as f64 / DAY_MS as f64),
        HOUR_MS.. => format!("{:.1} h", ms as f64 / HOUR_MS as f64),
        _ => duration_text(ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::sample;

    fn screen(width_cols: usize, height_rows: usize, color: bool, unicode: bool) -> Screen {
        Screen {
            width_cols,
            height_rows,
            color,
            unicode,
        }
    }

    fn plain(text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("\x1b[") {
            out += before;
            rest = after.split_once('m').expect("only colours are written").1;
        }
        out + rest
    }

    #[test]
    fn no_line_is_wider_and_curves_are_exactly_as_wide_as_asked_for() {
        for services in [1, 4, 30] {
            let (mut set, marks) = sample::outage(services, 2, 300_000);
            set.series[0].name = "日本語\u{202e}\u{1b}[31mevil-name-that-is-long".to_owned();
            for (cols, rows) in [(24, 10), (40, 24), (80, 24), (120, 0), (200, 60)] {
                for unicode in [true, false] {
                    let text = render(&set, &marks, screen(cols, rows, false, unicode));
                    assert!(text.lines().all(|line| cells(line) <= cols), "{text}");
                    let edge = if unicode { '┤' } else { '|' };
                    assert!(
                        text.lines().filter(|l| l.contains(edge)).all(|l| cells(l) == cols),
                        "{text}"
                    );
                    assert!(rows < 24 || services == 30 || text.lines().count() <= rows, "{text}");
                    assert!(unicode || text.is_ascii());
                    assert_eq!(text, render(&set, &marks, screen(cols, rows, false, unicode)));
                    assert_eq!(
                        text,
                        plain(&render(&set, &marks, screen(cols, rows, true, unicode))),
                        "colour adds nothing"
                    );
                }
            }
        }
    }

    #[test]
    fn the_height_is_kept_by_folding() {
        let (set, marks) = sample::outage(30, 2, 300_000);
        let text = render(&set, &marks, screen(80, 24, false, true));
        assert!(text.lines().count() <= 24, "{text}");
        assert!(text.contains("other ("));
        assert!(render(&set, &marks, screen(80, 0, false, true)).contains("service-29"));
    }

    #[test]
    fn a_gap_is_not_a_zero() {
        let set = sample::flat("a", &[Some(0.0), None, Some(0.0)]);
        let text = render(&set, &[], screen(24, 0, false, true));
        assert!(text.contains("0┤▁▁▁▁▁▁······▁▁▁▁▁\n"), "{text}");
        assert!(render(&set, &[], screen(24, 0, false, false)).contains("0|______??????_____\n"));
    }

    #[test]
    fn a_peak_stands_on_the_axis_beside_it() {
        // Single minutes reach 4, no column does.
        let points: Vec<_> = (0..400)
            .map(|minute| Some(if minute % 2 == 0 { 4.0 } else { 0.0 }))
            .collect();
        let text = render(&sample::flat("a", &points), &[], screen(57, 0, false, true));
        assert!(text.contains("peak 2  mean 2") && text.contains("     2┤"), "{text}");
    }

    #[test]
    fn strangers_cannot_steer_the_terminal() {
        let mut set = sample::flat("a\u{1b}]0;x\u{7}\n\u{202e}", &[Some(1.0)]);
        set.title = "\u{9b}2J".to_owned();
        let marks = [GraphMark {
            label: "\r\u{1b}c".to_owned(),
            ..GraphMark::default()
        }];
        let text = render(&set, &marks, screen(100, 0, false, true));
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{9b}', '\r', '\u{202e}']));
        assert!(text.contains("\\u{1b}"));
        assert!(render(&SeriesSet::default(), &[], screen(0, 0, true, true)).contains("Nothing to draw"));
    }
}

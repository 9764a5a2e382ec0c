//! A small graph beside a name: the last day, the range that was expected, and where an alarm began. Attributes alone, no
//! `style`: colours come from the page's style sheet.

use crate::model::time::UtcMs;
use crate::query::Window;
use crate::query::series::Series;
use std::fmt::Write as _;

const WIDTH: f64 = 160.0;
const HEIGHT: f64 = 28.0;
/// Room for the width of a line.
const EDGE: f64 = 1.5;

/// Draws a series; `onset_ms` is where its alarm began.
pub(super) fn spark(series: &Series, window: Window, onset_ms: Option<UtcMs>) -> String {
    let expected = || series.expected.iter().flatten().flatten().map(|(_, high)| *high);
    let top = series
        .points
        .iter()
        .flatten()
        .copied()
        .chain(expected())
        .fold(0.0, f64::max);
    let top = if top > 0.0 { top } else { 1.0 };
    let count = series.points.len().max(1) as f64;
    let x = |at: usize| (at as f64 + 0.5) * WIDTH / count;
    let y = |value: f64| HEIGHT - EDGE - value.clamp(0.0, top) / top * (HEIGHT - 2.0 * EDGE);
    let mut svg = format!(
        "<svg class=\"spark\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" aria-hidden=\"true\" \
         preserveAspectRatio=\"none\">"
    );
    if let Some(expected) = &series.expected {
        let known = || {
            expected
                .iter()
                .enumerate()
                .filter_map(|(at, range)| range.map(|range| (at, range)))
        };
        let upper = known().map(|(at, (_, high))| (x(at), y(high)));
        let lower = known().rev().map(|(at, (low, _))| (x(at), y(low)));
        let _ = write!(svg, "<path class=\"band\" d=\"{}Z\"/>", path(upper.chain(lower)));
    }
    let span = (window.until_ms - window.since_ms).max(1) as f64;
    if let Some(onset_ms) = onset_ms.filter(|at| *at >= window.since_ms) {
        let at = (onset_ms - window.since_ms) as f64 / span * WIDTH;
        let _ = write!(svg, "<path class=\"onset\" d=\"M{at:.1} 0V{HEIGHT}\"/>");
    }
    let mut line = String::new();
    let mut part: Vec<(f64, f64)> = Vec::new();
    for (at, point) in series.points.iter().enumerate() {
        match point {
            Some(value) => part.push((x(at), y(*value))),
            None => line.push_str(&path(std::mem::take(&mut part).into_iter())),
        }
    }
    line.push_str(&path(part.into_iter()));
    if !line.is_empty() {
        let _ = write!(svg, "<path class=\"line\" d=\"{line}\"/>");
    }
    svg + "</svg>"
}

fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (x, y) in points {
        let command = if path.is_empty() { 'M' } else { 'L' };
        let _ = write!(path, "{command}{x:.1} {y:.1}");
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::UtcMs;

    #[test]
    fn a_gap_breaks_the_line_and_an_onset_within_the_day_is_drawn() {
        let series = Series {
            name: "x".to_owned(),
            points: vec![Some(1.0), None, Some(2.0), Some(0.0)],
            expected: Some(vec![Some((0.5, 1.5)), None, Some((0.5, 1.5)), None]),
        };
        let window = Window {
            since_ms: UtcMs::EPOCH,
            until_ms: UtcMs::new(400),
        };
        let svg = spark(&series, window, Some(UtcMs::new(200)));
        assert_eq!(
            svg.matches('M').count(),
            4,
            "a band, an onset, and two parts of a line: {svg}"
        );
        assert!(svg.contains("M80.0 0V28") && !svg.contains("style="), "{svg}");
        assert!(!spark(&series, window, Some(UtcMs::new(-1))).contains("onset"));
        assert!(spark(&Series::default(), window, None).ends_with("</svg>"));
    }
}

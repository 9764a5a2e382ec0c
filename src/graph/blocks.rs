//! Curves of block characters: how a value, a zero and a gap look in a terminal cell.

/// Characters for one kind of terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Glyphs {
    /// Levels 1 to 8 of a cell; level 1 in the lowest row is kept for zero.
    levels: [char; 8],
    /// No data.
    pub gap: char,
    /// Mail that was expected and did not come.
    pub expected: char,
    /// Beyond the axis, in the uppermost row.
    pub beyond: char,
    /// The time axis: line and tick.
    pub axis: (char, char),
    /// Edge of the value axis.
    pub edge: char,
    /// Stands for what was cut.
    pub ellipsis: &'static str,
    /// Between two times.
    pub dash: &'static str,
}

/// Block characters.
pub(super) const UNICODE: Glyphs = Glyphs {
    levels: ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
    gap: '·',
    expected: '░',
    beyond: '▲',
    axis: ('─', '┴'),
    edge: '┤',
    ellipsis: "…",
    dash: "–",
};

/// For terminals (and pagers, mails, tickets) that show ASCII only.
pub(super) const ASCII: Glyphs = Glyphs {
    levels: ['_', '.', ':', '-', '=', '+', '*', '#'],
    gap: '?',
    expected: '%',
    beyond: '^',
    axis: ('-', '+'),
    edge: '|',
    ellipsis: "...",
    dash: "-",
};

impl Glyphs {
    /// Zero: the line on the axis.
    pub(super) fn zero(&self) -> char {
        self.levels[0]
    }

    /// A curve in `rows` rows of one character a column, uppermost row first; `top` is the value of a full column.
    ///
    /// Zero is level 1, whatever is more is at least level 2, and a gap fills its column; what is more than `top` ends in a
    /// sign of its own.
    pub(super) fn curve(&self, columns: &[Option<f64>], rows: usize, top: f64) -> Vec<Vec<char>> {
        let level = |value: f64| -> usize {
            let full = (rows * 8) as f64;
            if value <= 0.0 {
                1
            } else {
                ((value / top * full).round().min(full) as usize).max(2)
            }
        };
        let cell = |point: &Option<f64>, row_from_below: usize| match point {
            None => self.gap,
            Some(value) => match level(*value).saturating_sub(row_from_below * 8) {
                0 => ' ',
                part => self.levels[part.min(8) - 1],
            },
        };
        let is_beyond = |point: &Option<f64>| point.is_some_and(|value| value > top * 1.000_001);
        let shown = |point: &Option<f64>, row: usize| match row + 1 == rows && is_beyond(point) {
            true => self.beyond,
            false => cell(point, row),
        };
        (0..rows)
            .rev()
            .map(|row| columns.iter().map(|point| shown(point, row)).collect())
            .collect()
    }

    /// Fills the blank cells of a curve of the same `top` whose middle lies within the range of their column.
    pub(super) fn shade(&self, curve: &mut [Vec<char>], ranges: &[Option<(f64, f64)>], top: f64) {
        let rows = curve.len();
        for (row, line) in curve.iter_mut().rev().enumerate() {
            let middle = (row as f64 + 0.5) / rows as f64 * top;
            for (cell, range) in line.iter_mut().zip(ranges) {
                let holds = range.is_some_and(|(low, high)| (low..=high).contains(&middle));
                if *cell == ' ' && holds {
                    *cell = self.expected;
                }
            }
        }
    }
}

/// Points on exactly `columns` columns: means where there are more points, repeated where there are fewer.
///
/// A column has data when at least half of its points have.
pub(super) fn resample(points: &[Option<f64>], columns: usize) -> Vec<Option<f64>> {
    if points.is_empty() {
        return vec![None; columns];
    }
    let column = |c: usize| {
        let from = c * points.len() / columns;
        let to = ((c + 1) * points.len() / columns).clamp(from + 1, points.len());
        let known: Vec<f64> = points[from..to].iter().flatten().copied().collect();
        let enough = !known.is_empty() && known.len() * 2 >= to - from;
        enough.then(|| known.iter().sum::<f64>() / known.len() as f64)
    };
    (0..columns).map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(glyphs: &Glyphs, points: &[Option<f64>]) -> String {
        glyphs.curve(points, 1, 100.0)[0].iter().collect()
    }

    #[test]
    fn gap_zero_and_little_are_three_things() {
        let points = [None, Some(0.0), Some(0.001), Some(50.0), Some(100.0)];
        assert_eq!(line(&UNICODE, &points), "·▁▂▄█");
        assert_eq!(line(&ASCII, &points), "?_.-#");
    }

    #[test]
    fn rows_stack_up() {
        let rows = UNICODE.curve(&[None, Some(0.0), Some(75.0)], 2, 100.0);
        assert_eq!(rows, [['·', ' ', '▄'], ['·', '▁', '█']]);
    }

    #[test]
    fn what_is_beyond_the_axis_says_so() {
        let rows = UNICODE.curve(&[Some(100.0), Some(900.0)], 2, 100.0);
        assert_eq!(rows, [['█', '▲'], ['█', '█']]);
    }

    #[test]
    fn what_is_missing_of_the_expected_is_shaded_and_what_came_stays() {
        let mut rows = UNICODE.curve(&[Some(100.0), Some(0.0), None, Some(0.0)], 4, 100.0);
        let range = Some((40.0, 80.0));
        UNICODE.shade(&mut rows, &[range, range, range, None], 100.0);
        let rows: Vec<String> = rows.iter().map(|row| row.iter().collect()).collect();
        assert_eq!(rows, ["█ · ", "█░· ", "█ · ", "█▁·▁"]);
    }

    #[test]
    fn columns_are_exact_in_both_directions() {
        let points = [Some(1.0), Some(3.0), None, None];
        assert_eq!(resample(&points, 2), [Some(2.0), None]);
        assert_eq!(resample(&points[..2], 4), [Some(1.0), Some(1.0), Some(3.0), Some(3.0)]);
        assert_eq!(resample(&[], 3), [None; 3]);
        for columns in 0..50 {
            assert_eq!(resample(&[Some(1.0); 7], columns).len(), columns);
        }
    }
}

//! Where things go: the grid of small multiples, and labels pushed apart until none covers another.

/// Smallest panel of a grid whose curve can still be read, pixels, without its title and axis.
pub(super) const PANEL_PX_MIN: (f64, f64) = (200.0, 58.0);

/// A grid of panels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Grid {
    /// Number of columns.
    pub columns: usize,
    /// Number of rows.
    pub rows: usize,
    /// Width of a cell, pixels.
    pub cell_w: f64,
    /// Height of a cell, pixels.
    pub cell_h: f64,
}

impl Grid {
    /// A grid for `count` cells in `w` × `h` pixels; cells near 2.3 : 1, never below the given least size in height
    /// (then the grid is higher than `h`) nor, with more than one column, in width.
    pub(super) fn fit(count: usize, w: f64, h: f64, least: (f64, f64)) -> Grid {
        let count = count.max(1);
        let columns_max = ((w / least.0) as usize).clamp(1, count);
        let candidate = |columns: usize| {
            let rows = count.div_ceil(columns);
            Grid {
                columns,
                rows,
                cell_w: w / columns as f64,
                cell_h: (h / rows as f64).max(least.1),
            }
        };
        let badness = |grid: &Grid| {
            let shape = (grid.cell_w / grid.cell_h / 2.3).ln().abs();
            let overflow = (grid.cell_h * grid.rows as f64 / h - 1.0).max(0.0) * 4.0;
            let empty = (grid.columns * grid.rows - count) as f64 / count as f64;
            shape + overflow + empty * 1.5
        };
        let best = (1..=columns_max)
            .map(candidate)
            .min_by(|a, b| badness(a).total_cmp(&badness(b)));
        best.unwrap_or_else(|| candidate(1))
    }

    /// Left upper corner of a cell, relative to the grid.
    pub(super) fn corner(&self, cell: usize) -> (f64, f64) {
        (
            (cell % self.columns) as f64 * self.cell_w,
            (cell / self.columns) as f64 * self.cell_h,
        )
    }

    /// Whether no cell of `count` stands below this one.
    pub(super) fn is_lowest(&self, cell: usize, count: usize) -> bool {
        cell + self.columns >= count
    }
}

/// Positions near `wanted`, in the same order from top to bottom, at least `spacing` apart, inside `from..=to`.
///
/// `wanted` must rise. If there is no room for all, they are spread evenly.
pub(super) fn spread(wanted: &[f64], spacing: f64, from: f64, to: f64) -> Vec<f64> {
    let count = wanted.len();
    if count > 1 && spacing * (count - 1) as f64 > to - from {
        let step = (to - from) / (count - 1) as f64;
        return (0..count).map(|i| from + i as f64 * step).collect();
    }
    let mut out = wanted.to_vec();
    let mut least = from;
    for y in &mut out {
        *y = y.max(least);
        least = *y + spacing;
    }
    let mut most = to;
    for y in out.iter_mut().rev() {
        *y = y.min(most);
        most = *y - spacing;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_never_overlap_and_stay_inside() {
        let out = spread(&[0.0, 1.0, 2.0, 99.0, 99.0], 15.0, 5.0, 100.0);
        assert!(out.windows(2).all(|w| w[1] - w[0] >= 15.0 - 1e-9), "{out:?}");
        assert!(out[0] >= 5.0 && out[4] <= 100.0);
        assert_eq!(spread(&[10.0, 50.0], 15.0, 0.0, 100.0), [10.0, 50.0]);
        assert_eq!(spread(&[0.0, 0.0, 0.0], 60.0, 0.0, 100.0), [0.0, 50.0, 100.0]);
        assert_eq!(spread(&[], 15.0, 0.0, 1.0), Vec::<f64>::new());
    }

    #[test]
    fn thirty_panels_fit_a_screen() {
        let grid = Grid::fit(30, 1200.0, 700.0, PANEL_PX_MIN);
        assert!(
            grid.columns * grid.rows >= 30 && grid.cell_h * grid.rows as f64 <= 700.1,
            "{grid:?}"
        );
        assert!(grid.cell_w >= PANEL_PX_MIN.0);
    }

    #[test]
    fn a_grid_grows_rather_than_become_illegible() {
        let grid = Grid::fit(60, 400.0, 300.0, PANEL_PX_MIN);
        assert!(grid.cell_h >= PANEL_PX_MIN.1);
        assert_eq!(Grid::fit(0, 400.0, 300.0, PANEL_PX_MIN).rows, 1);
        assert!(grid.is_lowest(59, 60) && !grid.is_lowest(0, 60));
    }
}

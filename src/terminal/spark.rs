//! A day as a line of bars. Where nothing was read there is no bar; where no mail came, one on the ground.

/// From no mail to the most.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws points in so many columns, each the mean of those that it stands for.
pub(super) fn spark(points: &[Option<f64>], columns: usize) -> String {
    let columns = columns.min(points.len());
    let mean = |at: usize| {
        let from = at * points.len() / columns;
        let to = (at + 1) * points.len() / columns;
        let known: Vec<f64> = points.get(from..to)?.iter().flatten().copied().collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    };
    let means: Vec<Option<f64>> = (0..columns).map(mean).collect();
    let top = means.iter().flatten().copied().fold(0.0, f64::max);
    let bar = |mean: &Option<f64>| match mean {
        None => ' ',
        // Some mail is never drawn as none.
        Some(mean) if *mean > 0.0 => {
            let steps = (BARS.len() - 1) as f64;
            let height = (mean / top * steps).ceil().clamp(1.0, steps) as usize;
            BARS.get(height).copied().unwrap_or('█')
        }
        Some(_) => BARS[0],
    };
    means.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_mail_no_data_and_little_mail_look_different() {
        let points = [Some(0.0), None, Some(0.01), Some(50.0), Some(100.0)];
        assert_eq!(spark(&points, 5), "▁ ▂▅█");
        assert_eq!(spark(&points, 80), "▁ ▂▅█", "no point is drawn twice");
        assert_eq!(spark(&[Some(1.0), Some(3.0), None, None], 2), "█ ");
        assert_eq!(
            [spark(&[], 10), spark(&points, 0), spark(&[Some(0.0)], 4)],
            ["", "", "▁"]
        );
        assert_eq!(spark(&[Some(f64::NAN)], 1), "▁");
    }
}

//! How much is unknown where several series share a panel: a sum in which the largest part is missing looks like an
//! outage and is none.

use crate::model::time::UtcMs;
use crate::query::series::{Series, SeriesSet};

/// Stretches of time, by how much of the mail nothing is known about.
#[derive(Debug, Default, PartialEq)]
pub(super) struct MissingData {
    /// No series has data.
    pub all: Vec<(UtcMs, UtcMs)>,
    /// The series without data usually bring at least half of the volume: a low sum means nothing here.
    pub most: Vec<(UtcMs, UtcMs)>,
    /// Some series that have data elsewhere have none.
    pub some: Vec<(UtcMs, UtcMs)>,
}

impl MissingData {
    /// Looks at every bucket of the full resolution.
    pub(super) fn of(set: &SeriesSet) -> MissingData {
        let known: Vec<(&Series, f64)> = set
            .series
            .iter()
            .map(|s| (s, s.stats().mean))
            .filter_map(with_mean)
            .collect();
        let usual: f64 = known.iter().map(|(_, mean)| mean).sum();
        let all = set.gaps(&(0..set.series.len()).collect::<Vec<_>>());
        let mut out = MissingData {
            all,
            ..MissingData::default()
        };
        for bucket in 0..set.buckets() {
            let absent = known.iter().filter(|(series, _)| series.points[bucket].is_none());
            let (count, volume) = absent.fold((0, 0.0), |(count, volume), (_, mean)| (count + 1, volume + mean));
            let from = set.start_ms + bucket as i64 * set.step_ms;
            if count > 0 && count < known.len() {
                extend(&mut out.some, from, set.step_ms);
                if volume * 2.0 >= usual {
                    extend(&mut out.most, from, set.step_ms);
                }
            }
        }
        out
    }
}

fn with_mean((series, mean): (&Series, Option<f64>)) -> Option<(&Series, f64)> {
    mean.map(|mean| (series, mean))
}

fn extend(spans: &mut Vec<(UtcMs, UtcMs)>, from: UtcMs, step_ms: i64) {
    match spans.last_mut() {
        Some(last) if last.1 == from => last.1 += step_ms,
        _ => spans.push((from, from + step_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(spans: &[(UtcMs, UtcMs)]) -> Vec<(i64, i64)> {
        let minutes = spans.iter().map(|(from, to)| (from.minute().get(), to.minute().get()));
        minutes.collect()
    }
    use crate::graph::sample;

    #[test]
    fn it_matters_how_much_is_missing() {
        let mut set = sample::flat("big", &[Some(90.0), None, None, Some(90.0)]);
        set.series.push(Series {
            name: "small".into(),
            points: vec![Some(10.0), Some(10.0), None, None],
            ..Series::default()
        });
        set.series.push(Series {
            name: "dead".into(),
            points: vec![None; 4],
            ..Series::default()
        });
        let missing = MissingData::of(&set);
        assert_eq!(minutes(&missing.all), [(2, 3)]);
        assert_eq!(minutes(&missing.most), [(1, 2)]);
        assert_eq!(minutes(&missing.some), [(1, 2), (3, 4)]);
    }
}

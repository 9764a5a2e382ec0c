//! Time series on one common grid, and the arithmetic that graphs and detection share.
//!
//! Pure: no clock, no files. The one rule that everything here keeps: `None` means that nothing was read for a
//! bucket (a blind spot), `Some(0.0)` means that it was read and no mail was in it. No function turns one into the other.

use crate::model::time::{DAY_MIN, UtcMs};
use std::cmp::Ordering;

/// Time series on one common grid; a `None` is "no data" (nothing was read for that bucket), 0 is "no mail".
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SeriesSet {
    /// What the picture is about, e.g. "mail by service".
    pub title: String,
    /// Unit of every value, e.g. "messages / min".
    pub unit: String,
    /// Start of the first bucket.
    pub start_ms: UtcMs,
    /// Length of a bucket, milliseconds.
    pub step_ms: i64,
    /// The series; each has one point a bucket (a shorter one has no data after its end).
    pub series: Vec<Series>,
}

/// One line of a graph.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// Name as it stands in the logs: text of strangers, to be escaped wherever it is shown.
    pub name: String,
    /// One value a bucket, in the set's unit.
    pub points: Vec<Option<f64>>,
    /// What this hour of this week should bring: (low, high) a bucket.
    pub expected: Option<Vec<Option<(f64, f64)>>>,
}

/// A stretch of time to be marked in a graph: an alarm, a deployment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GraphMark {
    /// First millisecond.
    pub from_ms: UtcMs,
    /// End, exclusive; `None` while it lasts.
    pub to_ms: Option<UtcMs>,
    /// What to write at it.
    pub label: String,
    /// The series that it concerns; `None` for all.
    pub series: Option<Vec<String>>,
    /// What it marks.
    pub kind: MarkKind,
}

/// What a mark in a graph stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum MarkKind {
    /// An alarm.
    #[default]
    Alarm,
    /// Alarms are not reported meanwhile.
    Silence,
    /// What somebody did, at one time.
    Note,
}

impl GraphMark {
    /// Whether it concerns the series of this name.
    pub fn concerns(&self, series: &str) -> bool {
        self.series
            .as_ref()
            .is_none_or(|names| names.iter().any(|name| name == series))
    }
}

/// How several buckets become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// For counts: the values of a bucket add up (a bucket at the edge of the range is short and therefore low).
    Sum,
    /// For rates: the unit stays what it was.
    Mean,
}

/// What a caption says of a series; every value in the set's unit, `None` if the series has no data at all.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stats {
    /// The last value that is known.
    pub last: Option<f64>,
    /// The largest value.
    pub peak: Option<f64>,
    /// The mean over the buckets with data.
    pub mean: Option<f64>,
}

/// Steps that a reader can name, milliseconds: 1 s to 28 days.
const NICE_STEPS_MS: [i64; 24] = [
    1_000,
    2_000,
    5_000,
    10_000,
    15_000,
    30_000,
    60_000,
    120_000,
    300_000,
    600_000,
    900_000,
    1_200_000,
    1_800_000,
    3_600_000,
    7_200_000,
    10_800_000,
    14_400_000,
    21_600_000,
    28_800_000,
    43_200_000,
    86_400_000,
    172_800_000,
    604_800_000,
    2_419_200_000,
];

/// No bucket is longer, milliseconds (30 years), and none begins further from 1970 (7000 years): sums stay in an `i64`.
const STEP_MS_MAX: i64 = 1_000_000_000_000;
const TIME_MS_MAX: i64 = 220_000_000_000_000;

impl Series {
    /// Sum of all values; a series without data has volume 0.
    pub fn volume(&self) -> f64 {
        self.points.iter().flatten().sum()
    }

    fn multiply(&mut self, factor: f64) {
        self.points.iter_mut().flatten().for_each(|value| *value *= factor);
        for (low, high) in self.expected.iter_mut().flatten().flatten() {
            (*low, *high) = (*low * factor, *high * factor);
        }
    }

    /// Last, peak and mean.
    pub fn stats(&self) -> Stats {
        let known = self.points.iter().flatten().count();
        let mean = (known > 0).then(|| self.volume() / known as f64);
        let peak = self.points.iter().flatten().copied().max_by(f64::total_cmp);
        Stats {
            last: self.points.iter().rev().flatten().next().copied(),
            peak,
            mean,
        }
    }
}

/// How a unit of rates ends.
const PER_MINUTE: &str = " / min";

/// A factor for rates a minute, and the time that they are then told by.
fn fitting(peak: f64) -> (f64, &'static str) {
    match peak {
        p if p <= 0.0 || p >= 1.0 => (1.0, "min"),
        p if p * 60.0 >= 1.0 => (60.0, "h"),
        _ => (DAY_MIN as f64, "day"),
    }
}

impl SeriesSet {
    /// Number of buckets: the length of the longest series.
    pub fn buckets(&self) -> usize {
        self.series.iter().map(|s| s.points.len()).max().unwrap_or(0)
    }

    /// End of the last bucket, exclusive.
    pub fn end_ms(&self) -> UtcMs {
        self.start_ms
            .saturating_add(self.step_ms.saturating_mul(self.buckets() as i64))
    }

    /// The same set with rates a minute told by the hour or the day, where the largest is below one: nobody reads
    /// `0.0021 / min`.
    pub fn in_fitting_unit(mut self) -> SeriesSet {
        let Some(what) = self.unit.strip_suffix(PER_MINUTE) else {
            return self;
        };
        let peaks = self.series.iter().filter_map(|series| series.stats().peak);
        let (factor, per) = fitting(peaks.fold(0.0, f64::max));
        self.unit = format!("{what} / {per}");
        self.series.iter_mut().for_each(|series| series.multiply(factor));
        self
    }

    /// The set's unit without a time, where [`SeriesSet::fit_each`] gives each series its own.
    pub fn unit_of_each(&self) -> &str {
        self.unit.strip_suffix(PER_MINUTE).unwrap_or(&self.unit)
    }

    /// Brings each series' rates into the unit that suits it, for pictures in which each has a scale of its own. What is to
    /// be written behind the values of each: `/min`, `/h`, `/day`; nothing where values are no rates. The set's unit is then
    /// that of what is counted.
    pub fn fit_each(&mut self) -> Vec<&'static str> {
        if !self.unit.ends_with(PER_MINUTE) {
            return vec![""; self.series.len()];
        }
        self.unit = self.unit_of_each().to_owned();
        let each = self.series.iter_mut().map(|series| {
            let (factor, per) = fitting(series.stats().peak.unwrap_or(0.0));
            series.multiply(factor);
            match per {
                "min" => "/min",
                "h" => "/h",
                _ => "/day",
            }
        });
        each.collect()
    }

    /// The same set with values that can be drawn: what is not finite is no data, what is below 0 is 0,
    /// and times lie in years that a calendar has.
    pub fn cleaned(&self) -> SeriesSet {
        let mut out = self.clone();
        out.step_ms = out.step_ms.clamp(1, STEP_MS_MAX);
        out.start_ms = out.start_ms.clamp(UtcMs::new(-TIME_MS_MAX), UtcMs::new(TIME_MS_MAX));
        let buckets = out.buckets();
        for series in &mut out.series {
            series.points.resize(buckets, None);
            for point in &mut series.points {
                *point = point.filter(|v| v.is_finite()).map(|v| v.max(0.0));
            }
            if let Some(bands) = &mut series.expected {
                bands.resize(buckets, None);
                for band in bands.iter_mut() {
                    *band = band.filter(|(lo, hi)| lo.is_finite() && hi.is_finite());
                    *band = band.map(|(lo, hi)| (lo.min(hi).max(0.0), hi.max(lo).max(0.0)));
                }
            }
        }
        out
    }

    /// Sum of all series a bucket; `None` only where no series has data.
    pub fn total(&self) -> Vec<Option<f64>> {
        sum_of(self.series.iter(), self.buckets())
    }

    /// Indexes of the series, largest volume first; equal volumes in the order of their names.
    pub fn ranking(&self) -> Vec<usize> {
        let volumes: Vec<f64> = self.series.iter().map(Series::volume).collect();
        let mut order: Vec<usize> = (0..self.series.len()).collect();
        order.sort_by(|&a, &b| match volumes[b].total_cmp(&volumes[a]) {
            Ordering::Equal => self.series[a].name.cmp(&self.series[b].name),
            other => other,
        });
        order
    }

    /// The `top` largest series, largest first, and the rest as one series `other (k more)`.
    ///
    /// A rest of one series keeps its name: it takes no more room than `other (1 more)`.
    pub fn folded(&self, top: usize) -> SeriesSet {
        let order = self.ranking();
        let keep = if order.len() <= top + 1 { order.len() } else { top };
        let mut series: Vec<Series> = order[..keep].iter().map(|&i| self.series[i].clone()).collect();
        if keep < order.len() {
            let rest = &order[keep..];
            let points = sum_of(rest.iter().map(|&i| &self.series[i]), self.buckets());
            series.push(Series {
                name: format!("other ({} more)", rest.len()),
                points,
                expected: None,
            });
        }
        SeriesSet {
            series,
            ..self.without_series()
        }
    }

    /// The set on a coarser grid of `step_ms`, aligned to multiples of the step since 1970 (so hours begin at :00).
    ///
    /// A new bucket has data when at least half of its old ones have; a finer or equal step returns the set as it is.
    pub fn rebucketed(&self, step_ms: i64, fold: Fold) -> SeriesSet {
        if step_ms <= self.step_ms || self.step_ms <= 0 {
            return self.clone();
        }
        let start_ms = self.start_ms.floor_to(step_ms);
        let slot = |i: usize| ((self.start_ms + i as i64 * self.step_ms - start_ms) / step_ms) as usize;
        let series = self.series.iter().map(|s| Series {
            name: s.name.clone(),
            points: regroup(&s.points, slot, fold),
            expected: s.expected.as_ref().map(|bands| {
                let low: Vec<_> = bands.iter().map(|b| b.map(|(lo, _)| lo)).collect();
                let high: Vec<_> = bands.iter().map(|b| b.map(|(_, hi)| hi)).collect();
                let pairs = regroup(&low, slot, fold).into_iter().zip(regroup(&high, slot, fold));
                pairs.map(|(lo, hi)| lo.zip(hi)).collect()
            }),
        });
        SeriesSet {
            series: series.collect(),
            start_ms,
            step_ms,
            ..self.without_series()
        }
    }

    /// Smallest nice bucket length, milliseconds, that puts the whole range into at most `columns_max` buckets.
    pub fn step_for_columns(&self, columns_max: usize) -> i64 {
        nice_step_ms(self.end_ms().since(self.start_ms), self.step_ms, columns_max)
    }

    /// Stretches of time in which no series of `which` has data.
    pub fn gaps(&self, which: &[usize]) -> Vec<(UtcMs, UtcMs)> {
        let mut out: Vec<(UtcMs, UtcMs)> = Vec::new();
        for bucket in 0..self.buckets() {
            if which
                .iter()
                .any(|&i| self.series[i].points.get(bucket).copied().flatten().is_some())
            {
                continue;
            }
            let from = self.start_ms + bucket as i64 * self.step_ms;
            match out.last_mut() {
                Some(last) if last.1 == from => last.1 += self.step_ms,
                _ => out.push((from, from + self.step_ms)),
            }
        }
        out
    }

    fn without_series(&self) -> SeriesSet {
        let (title, unit) = (self.title.clone(), self.unit.clone());
        SeriesSet {
            title,
            unit,
            start_ms: self.start_ms,
            step_ms: self.step_ms,
            series: Vec::new(),
        }
    }
}

/// Smallest nice step, milliseconds, that is a multiple of `base_ms` and cuts `span_ms` into at most `columns_max`.
pub(crate) fn nice_step_ms(span_ms: i64, base_ms: i64, columns_max: usize) -> i64 {
    let (base_ms, columns) = (base_ms.max(1), columns_max.max(1) as i64);
    let fits = |step: i64| span_ms <= step.saturating_mul(columns);
    if fits(base_ms) {
        return base_ms;
    }
    let buckets = span_ms / base_ms + i64::from(span_ms % base_ms > 0);
    let plain = base_ms.saturating_mul((buckets + columns - 1) / columns);
    // A base of 7 s has no nice multiple below a week: then a plain multiple is better than a nice one.
    let useful = |step: i64| step % base_ms == 0 && fits(step) && step / 4 <= plain;
    NICE_STEPS_MS
        .iter()
        .copied()
        .find(|&step| useful(step))
        .unwrap_or(plain)
}

/// Sum of series a bucket; `None` where none of them has data.
fn sum_of<'a>(series: impl Iterator<Item = &'a Series>, buckets: usize) -> Vec<Option<f64>> {
    let mut out = vec![None; buckets];
    for one in series {
        for (sum, point) in out.iter_mut().zip(&one.points) {
            if let Some(value) = point {
                *sum = Some(sum.unwrap_or(0.0) + value);
            }
        }
    }
    out
}

/// Old points into new slots; `slot` must not fall.
fn regroup(points: &[Option<f64>], slot: impl Fn(usize) -> usize, fold: Fold) -> Vec<Option<f64>> {
    let slots = points.len().checked_sub(1).map_or(0, |last| slot(last) + 1);
    let mut sums = vec![(0.0_f64, 0_u32, 0_u32); slots];
    for (i, point) in points.iter().enumerate() {
        let (sum, known, all) = &mut sums[slot(i)];
        *sum += point.unwrap_or(0.0);
        *known += u32::from(point.is_some());
        *all += 1;
    }
    let value = |(sum, known, all): (f64, u32, u32)| match fold {
        _ if known == 0 || known * 2 < all => None,
        Fold::Sum => Some(sum),
        Fold::Mean => Some(sum / f64::from(known)),
    };
    sums.into_iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(series: &[(&str, &[Option<f64>])]) -> SeriesSet {
        let series = series.iter().map(|(name, points)| Series {
            name: (*name).to_owned(),
            points: points.to_vec(),
            expected: None,
        });
        SeriesSet {
            start_ms: UtcMs::new(0),
            step_ms: 60_000,
            series: series.collect(),
            ..SeriesSet::default()
        }
    }

    #[test]
    fn no_data_is_never_zero() {
        let set = set(&[
            ("a", &[Some(0.0), None, Some(2.0), None]),
            ("b", &[Some(0.0), None, None]),
        ]);
        assert_eq!(set.total(), [Some(0.0), None, Some(2.0), None]);
        let gaps = |which: &[usize]| -> Vec<(i64, i64)> {
            let all = set.gaps(which).into_iter();
            all.map(|(from, to)| (from.minute().get(), to.minute().get())).collect()
        };
        assert_eq!(gaps(&[0, 1]), [(1, 2), (3, 4)]);
        assert_eq!(gaps(&[1]), [(1, 4)]);
        let empty = Series {
            points: vec![None, None],
            ..Series::default()
        };
        assert_eq!(empty.stats(), Stats::default());
    }

    #[test]
    fn the_rest_is_folded_and_counted() {
        let set = set(&[
            ("a", &[Some(1.0)]),
            ("b", &[Some(9.0)]),
            ("c", &[Some(1.0)]),
            ("d", &[None]),
        ]);
        let names = |s: &SeriesSet| s.series.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
        assert_eq!(set.ranking(), [1, 0, 2, 3]);
        assert_eq!(names(&set.folded(2)), ["b", "a", "other (2 more)"]);
        assert_eq!(set.folded(2).series[2].points, [Some(1.0)]);
        assert_eq!(
            names(&set.folded(3)),
            ["b", "a", "c", "d"],
            "one more is not worth a fold"
        );
        assert_eq!(set.folded(0).total(), set.total());
    }

    #[test]
    fn rebucketing_keeps_gaps_and_the_clock() {
        let mut set = set(&[(
            "a",
            &[Some(4.0), Some(2.0), None, None, Some(0.0), Some(0.0), Some(8.0)],
        )]);
        let mean = set.rebucketed(120_000, Fold::Mean);
        assert_eq!(mean.series[0].points, [Some(3.0), None, Some(0.0), Some(8.0)]);
        assert_eq!(set.rebucketed(120_000, Fold::Sum).series[0].points[0], Some(6.0));
        set.start_ms = UtcMs::new(60_000);
        let shifted = set.rebucketed(120_000, Fold::Mean);
        assert_eq!(shifted.start_ms, UtcMs::new(0));
        assert_eq!(shifted.series[0].points, [Some(4.0), Some(2.0), Some(0.0), Some(4.0)]);
        assert_eq!(set.rebucketed(1_000, Fold::Mean), set);
    }

    #[test]
    fn steps_are_nice_and_fit() {
        assert_eq!(nice_step_ms(86_400_000, 60_000, 300), 300_000);
        assert_eq!(nice_step_ms(21 * 86_400_000, 300_000, 1_100), 1_800_000);
        assert_eq!(nice_step_ms(60_000, 60_000, 1_000), 60_000);
        assert_eq!(
            nice_step_ms(700_000, 7_000, 10),
            70_000,
            "no nice multiple of 7 s: a plain multiple"
        );
        assert_eq!(nice_step_ms(0, 0, 0), 1);
    }

    #[test]
    fn a_rate_has_a_unit_that_suits_it() {
        let scaled = |value: f64| {
            let set = set(&[("a", &[Some(value), None, Some(0.0)])]);
            let set = SeriesSet {
                unit: "messages / min".to_owned(),
                ..set
            };
            let set = set.in_fitting_unit();
            (set.series[0].points[0].unwrap(), set.unit)
        };
        for (value, shown, unit) in [
            (1.8, 1.8, "messages / min"),
            (0.05, 3.0, "messages / h"),
            (5.0 / 1_440.0, 5.0, "messages / day"),
            (0.0, 0.0, "messages / min"),
        ] {
            let (is, of) = scaled(value);
            assert!((is - shown).abs() < 1e-9 && of == unit, "{value}: {is} {of}");
        }
        let mut each = SeriesSet {
            unit: "messages / min".to_owned(),
            ..set(&[("a", &[Some(1_250.0)]), ("b", &[Some(0.05)]), ("c", &[None])])
        };
        assert_eq!(each.fit_each(), ["/min", "/h", "/min"]);
        assert!((each.series[1].points[0].unwrap() - 3.0).abs() < 1e-9);
        assert_eq!(
            (each.unit.as_str(), each.series[0].points[0]),
            ("messages", Some(1_250.0))
        );
    }

    #[test]
    fn what_cannot_be_drawn_is_cleaned() {
        let set = set(&[
            ("a", &[Some(f64::NAN), Some(-3.0), Some(f64::INFINITY)]),
            ("b", &[Some(1.0)]),
        ])
        .cleaned();
        assert_eq!(set.series[0].points, [None, Some(0.0), None]);
        assert_eq!(set.series[1].points, [Some(1.0), None, None]);
    }
}

//! What this hour of this week brings: the expected count of each bin of the week.
//!
//! Per bin b of the week: `n_b = Σ 0.85^k·Q·B`, `e_b = Σ 0.85^k·Q` over the weeks k. A sparse series has too few mails
//! per bin, so that a bin is drawn towards its day type (Mon–Fri, Sat, Sun), and that towards all days.

use super::minifloat::MiniFloat;
use mailpulse_time::WEEK_S;
use serde::{Deserialize, Serialize};

const DAYS: usize = 7;
/// Day types: first day and number of days.
const TYPES: [(usize, usize); 3] = [(0, 5), (5, 1), (6, 1)];
/// Relative variance by which two days of the same weekday are taken to differ.
const DAY_V: f64 = 0.05;

/// The weekly profile of one series.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Profile {
    per_day: usize,
    n: Box<[MiniFloat]>,
    e: Box<[MiniFloat]>,
    shape: Box<[MiniFloat]>,
    masked: Box<[u64]>,
    high: Box<[u64]>,
}

impl Profile {
    /// An empty profile of `per_hour` bins an hour.
    pub fn new(per_hour: usize) -> Self {
        let per_day = 24 * per_hour;
        let none = || vec![0; (per_day * DAYS).div_ceil(64)].into_boxed_slice();
        let zeros = || vec![MiniFloat::default(); per_day * DAYS].into_boxed_slice();
        Self {
            per_day,
            n: zeros(),
            e: zeros(),
            shape: zeros(),
            masked: none(),
            high: none(),
        }
    }

    /// Bins per hour.
    pub fn per_hour(&self) -> usize {
        self.per_day / 24
    }

    /// Mails of a week.
    pub fn per_week(&self) -> f64 {
        self.shape.iter().map(|count| count.get()).sum()
    }

    /// The same profile with other bins per hour; one number is a multiple of the other.
    pub fn resampled(&self, per_hour: usize) -> Self {
        let mut new = Self::new(per_hour);
        let (from, to) = (self.n.len(), new.n.len());
        let mut sums = vec![(0.0, 0.0); to];
        for bin in 0..from.max(to) {
            let (old, new_bin) = (bin * from / from.max(to), bin * to / from.max(to));
            let share = if to > from { from as f64 / to as f64 } else { 1.0 };
            let mean = if to > from { 1.0 } else { to as f64 / from as f64 };
            sums[new_bin].0 += self.n[old].get() * share;
            sums[new_bin].1 += self.e[old].get() * mean;
        }
        for (bin, (n, e)) in sums.into_iter().enumerate() {
            (new.n[bin], new.e[bin]) = (MiniFloat::new(n), MiniFloat::new(e));
        }
        new.rebuild();
        new
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        3 * size_of_val(&*self.n) + 2 * size_of_val(&*self.masked)
    }

    /// Length of a bin, seconds.
    pub fn bin_s(&self) -> i64 {
        86_400 / self.per_day as i64
    }

    /// Adds a finished bin: its sum over the `weight` share of it that counts.
    pub fn fold(&mut self, week_s: i64, sum: f64, weight: f64, decay: f64) {
        let bin = (week_s.rem_euclid(WEEK_S) / self.bin_s()) as usize;
        self.n[bin] = MiniFloat::new(self.n[bin].get() * decay + sum);
        self.e[bin] = MiniFloat::new(self.e[bin].get() * decay + weight);
    }

    /// Notes whether a bin is masked; returns whether it was so a week ago.
    pub fn repeated(&mut self, week_s: i64, masked: bool) -> bool {
        let bin = week_s.rem_euclid(WEEK_S) / self.bin_s();
        replace_bit(&mut self.masked, bin as usize, masked)
    }

    /// Notes whether a bin has far more than was expected; returns whether it was so a week ago.
    pub fn high_again(&mut self, week_s: i64, high: bool) -> bool {
        let bin = week_s.rem_euclid(WEEK_S) / self.bin_s();
        replace_bit(&mut self.high, bin as usize, high)
    }

    /// Whether anything was learned.
    pub fn is_empty(&self) -> bool {
        self.e.iter().all(|e| e.get() == 0.0)
    }

    /// Expected count per second at a second of the week, linear between the centres of the bins.
    pub fn rate(&self, week_s: i64) -> f64 {
        let bin_s = self.bin_s() as f64;
        let at = week_s.rem_euclid(WEEK_S) as f64 / bin_s - 0.5;
        let below = at.floor();
        let share = at - below;
        let count = self.shape.len() as i64;
        let low = (below as i64).rem_euclid(count) as usize;
        let high = (low + 1) % self.shape.len();
        (self.shape[low].get() * (1.0 - share) + self.shape[high].get() * share) / bin_s
    }

    /// Smooths the sums into the profile anew; once a day.
    pub fn rebuild(&mut self) {
        let per_day = self.per_day;
        let total = |values: &[MiniFloat]| values.iter().map(|v| v.get()).sum::<f64>();
        let mean = (total(&self.n) + 1e-9) / (total(&self.e) + 1e-9);
        let all = self.slots(0, DAYS);
        let hour: Vec<f64> = all.iter().map(|(n, e)| (n + 2.0 * mean) / (e + 2.0)).collect();
        for (first, days) in TYPES {
            let sums = self.slots(first, days);
            let n: f64 = sums.iter().map(|s| s.0).sum();
            let expected: f64 = sums.iter().zip(&hour).map(|(s, h)| s.1 * h).sum();
            let level = (n + 1.0) / (expected + 1.0);
            let raw: Vec<f64> = sums
                .iter()
                .zip(&hour)
                .map(|((n, e), h)| {
                    let kappa = 2.0 + 4.0 / (1.0 + h);
                    (n + kappa * h * level) / (e + kappa)
                })
                .collect();
            let prior = smooth(&raw, per_day as f64 / 24.0);
            let levels = self.weekday_levels(first, days, &prior);
            for (day, level) in (first..first + days).zip(levels) {
                for (slot, prior) in prior.iter().enumerate() {
                    let bin = day * per_day + slot;
                    let prior = prior * level;
                    let kappa = 1.0 + 6.0 / (1.0 + prior);
                    let (n, e) = (self.n[bin].get(), self.e[bin].get());
                    self.shape[bin] = MiniFloat::new((n + kappa * prior) / (e + kappa));
                }
            }
        }
    }

    /// What each weekday of a type brings as a share of the type: drawn towards one by how much less the weekdays differ than
    /// chance and the noise of days account for.
    fn weekday_levels(&self, first: usize, days: usize, prior: &[f64]) -> Vec<f64> {
        if days == 1 {
            return vec![1.0];
        }
        let sums: Vec<[f64; 3]> = (first..first + days)
            .map(|day| {
                let bins = day * self.per_day..(day + 1) * self.per_day;
                let n: f64 = self.n[bins.clone()].iter().map(|n| n.get()).sum();
                let e = || self.e[bins.clone()].iter().map(|e| e.get());
                let expected: f64 = e().zip(prior).map(|(e, prior)| e * prior).sum();
                [n, expected, e().sum::<f64>() / self.per_day as f64]
            })
            .collect();
        let total = |which: usize| sums.iter().map(|sum| sum[which]).sum::<f64>();
        let common = total(0).max(1e-9) / total(1).max(1e-9);
        let ratio = |[n, expected, weeks]: &[f64; 3]| {
            let expected = expected * common;
            if expected <= 0.0 || *weeks <= 0.0 {
                return (1.0, f64::INFINITY);
            }
            let ratio = n / expected;
            (
                ratio,
                (ratio + 1.0 / expected) / expected + DAY_V * ratio * ratio / weeks,
            )
        };
        let ratios: Vec<(f64, f64)> = sums.iter().map(ratio).collect();
        let known = ratios.iter().filter(|(_, error)| error.is_finite());
        let beyond: f64 = known.clone().map(|(ratio, error)| (ratio - 1.0).powi(2) - error).sum();
        let spread = (beyond / known.count().max(1) as f64).max(0.0);
        let drawn = |(ratio, error): &(f64, f64)| 1.0 + (ratio - 1.0) * spread / (spread + error).max(1e-12);
        ratios.iter().map(drawn).collect()
    }

    /// Sums of n and e over some days, by slot of the day.
    fn slots(&self, first: usize, days: usize) -> Vec<(f64, f64)> {
        let mut sums = vec![(0.0, 0.0); self.per_day];
        for day in first..first + days {
            for (slot, sum) in sums.iter_mut().enumerate() {
                sum.0 += self.n[day * self.per_day + slot].get();
                sum.1 += self.e[day * self.per_day + slot].get();
            }
        }
        sums
    }
}

/// Sets a bit and returns what it was.
fn replace_bit(bits: &mut [u64], at: usize, new: bool) -> bool {
    let (word, bit) = (at / 64, 1_u64 << (at % 64));
    let before = bits[word] & bit != 0;
    bits[word] = if new { bits[word] | bit } else { bits[word] & !bit };
    before
}

/// [1 2 3 2 1]/9 where an hour has under two mails, round the clock.
fn smooth(raw: &[f64], per_hour: f64) -> Vec<f64> {
    let len = raw.len();
    let at = |slot: usize, by: usize| raw[(slot + len + by - 2) % len];
    (0..len)
        .map(|slot| {
            if raw[slot] * per_hour >= 2.0 {
                return raw[slot];
            }
            (at(slot, 0) + 2.0 * at(slot, 1) + 3.0 * at(slot, 2) + 2.0 * at(slot, 3) + at(slot, 4)) / 9.0
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Six weeks of nine to five, Saturdays at a third, Sundays silent.
    fn office() -> Profile {
        let mut profile = Profile::new(1);
        for bin in 0..6 * 168 {
            let (day, hour) = (bin / 24 % 7, bin % 24);
            let day = [12.0, 12.0, 12.0, 12.0, 12.0, 4.0, 0.0][day as usize];
            let count = if (9..17).contains(&hour) { day } else { 0.0 };
            profile.fold(bin * 3_600, count, 1.0, 0.85);
        }
        profile.rebuild();
        profile
    }

    #[test]
    fn the_week_is_learned() {
        let profile = office();
        let at = |day: i64, hour: i64| profile.rate(day * 86_400 + hour * 3_600 + 1_800) * 3_600.0;
        assert!((at(1, 12) - 12.0).abs() < 0.5, "{}", at(1, 12));
        assert!((at(5, 12) - 4.0).abs() < 1.0, "{}", at(5, 12));
        assert!(at(6, 12) < 1.5 && at(1, 3) < 0.1);
        assert!((profile.per_week() - 512.0).abs() < 30.0);
    }

    #[test]
    fn other_bins_keep_the_mails() {
        let hours = office();
        let quarters = hours.resampled(4);
        assert!((quarters.per_week() / hours.per_week() - 1.0).abs() < 0.1);
        assert!((quarters.resampled(1).per_week() / hours.per_week() - 1.0).abs() < 0.05);
        assert_eq!(quarters.per_hour(), 4);
    }

    #[test]
    fn a_bin_that_is_masked_twice_running_is_told() {
        let mut profile = Profile::new(4);
        assert!(!profile.repeated(900, true));
        assert!(profile.repeated(900 + WEEK_S, true));
        assert!(profile.repeated(900, false));
        assert!(!profile.repeated(900, true));
        assert!(!profile.high_again(900, true) && profile.high_again(900, true));
    }

    #[test]
    fn nothing_learned_is_nothing_expected() {
        let mut profile = Profile::new(1);
        profile.rebuild();
        assert!(profile.is_empty() && profile.rate(-5) < 1e-3);
    }
}

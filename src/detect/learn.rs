//! What a series learns: levels at the end of a block, noise, the profile two days later, thresholds at the end of a day.

use super::history::Flags;
use super::level::{self, HALF_LIVES_H};
use super::series::{LOW, OpenEpisode, Step, VolumeSeries};
use super::tuning::Tuning;

/// Mails beyond its reach that a block may add to a level.
const CLIP_ADD: f64 = 2.0;
/// Standard deviations beyond which a bin teaches the profile less.
const UNUSUAL: f64 = 2.58;
/// Days from which a burst is told: what is folded is two days old, and was expected by no profile before.
const CLIP_D: u32 = 5;
/// What is left of an hour's past when it is missing for the second week running.
const AGAIN_DECAY: f64 = 0.3;
/// A day with so many times the mails of the days before, and so many more, is a burst.
const BURST_DAY: f64 = 5.0;
/// Mails a day up to which chance is most of the noise; so many decades more, it is next to nothing.
const CHANCE_PER_DAY: f64 = 30.0;
const CHANCE_DECADES: f64 = 1.5;
/// Steps per day from which the short step and the fine profile pay: one mail a minute.
const BUSY_PER_DAY: f64 = 1_440.0;
/// MiniFloat and long step, seconds.
const STEPS_S: (i64, i64) = (60, 300);

impl VolumeSeries {
    pub(super) fn end_block(&mut self, step: Step, tuning: &Tuning) {
        let block = std::mem::take(&mut self.block);
        let low = block.counted < LOW * block.expected;
        let dropped = self.episode.is_some() && self.days >= tuning.mask_d;
        let flags = Flags {
            masked: block.flags.holiday || low && (dropped || block.near),
            holiday: block.flags.holiday,
        };
        if !flags.masked && block.evident {
            self.weigh_former(block, step.ts, tuning);
            self.move_levels(block, tuning);
        }
        let levels = self.fast.map(|ratio| ratio.value(tuning.fast_prior));
        self.history.push_block(levels, flags);
        if !dropped && !flags.masked && !block.near {
            self.channels.sample(self.step_s, &self.history);
        }
        self.fold(step, tuning);
    }

    /// Takes the old level back where what came since another was accepted tells of it.
    fn weigh_former(&mut self, block: OpenEpisode, ts: i64, tuning: &Tuning) {
        let Some(former) = self.former.as_mut().filter(|_| self.episode.is_none() && !block.near) else {
            return;
        };
        let times = former.slow().value(tuning.slow_prior) / self.slow.value(tuning.slow_prior).max(1e-9);
        let block_s = self.step_s * self.history.block_steps();
        let is_back = former.is_back((block.counted, block.expected), times, block_s);
        let (slow, is_over) = (former.slow(), former.is_over(ts));
        if is_back {
            self.slow = slow;
            self.fast = Default::default();
            self.channels.reset(ts);
            self.history.set_floor();
        }
        if is_back || is_over {
            self.former = None;
        }
    }

    /// A burst or a gap moves a level by no more than its own noise allows.
    fn move_levels(&mut self, block: OpenEpisode, tuning: &Tuning) {
        let block_s = self.step_s * self.history.block_steps();
        let v = self.channels.quarter_v();
        for (ratio, hours) in self.fast.iter_mut().zip(HALF_LIVES_H) {
            let mean = ratio.value(tuning.fast_prior) * block.expected;
            let reach = tuning.huber * (mean + v * mean * mean).sqrt();
            let clipped = block.counted.clamp(mean - reach, mean + reach + CLIP_ADD);
            ratio.add(clipped, block.expected, level::decay(block_s, hours));
        }
        let slow = self.slow.value(tuning.slow_prior);
        let clipped = block.counted.min(beyond(block.expected, v, tuning));
        let decay = level::decay(block_s, 24.0 * tuning.slow_half_life_d);
        self.slow.add(clipped, block.expected / slow, decay);
    }

    /// Folds the bin that leaves the two days into the profile. So late, because a drop that is found by then is masked.
    fn fold(&mut self, step: Step, tuning: &Tuning) {
        let block_s = self.step_s * self.history.block_steps();
        let bin_s = self.profile.bin_s().max(block_s);
        let per_bin = bin_s / block_s;
        let end = step.week_s + self.step_s;
        if end.rem_euclid(bin_s) != 0 {
            return;
        }
        let lag = (2 * 86_400 / bin_s - 1) * per_bin;
        let last = self.history.block_count() - lag;
        if self.is_retired() {
            return;
        }
        let Some(bin) = self.bin(last - per_bin + 1, last) else {
            return;
        };
        let start = step.past_week_s;
        let (mut sum, mut weight) = (bin.sum, bin.weight);
        let missing = bin.masked && weight == 0.0;
        // Missing at the same hour of two weeks running: that is how this series is, whatever came before.
        let mut again = false;
        if !bin.holiday && (missing || weight > 0.0) {
            again = self.profile.repeated(start, missing) && missing;
            if again {
                (sum, weight) = (bin.masked_sum, bin.masked_weight);
            }
        }
        if weight > 0.0 && self.days >= CLIP_D {
            let most = beyond(bin.expected, self.channels.hour_v(), tuning);
            if !self.profile.high_again(start, sum > most) {
                sum = sum.min(most);
            }
        }
        let quality = if self.days < tuning.mask_d || again {
            1.0
        } else {
            quality(bin.sum, bin.expected, self.channels.hour_v())
        };
        let weight = weight / per_bin as f64;
        self.profile.fold(
            start,
            quality * sum,
            quality * weight,
            if again { AGAIN_DECAY } else { tuning.week_decay },
        );
    }

    fn bin(&self, first: i64, last: i64) -> Option<Bin> {
        let mut bin = Bin::default();
        for count in first..=last {
            let (block, flags) = self.history.block(count)?;
            let seen = block.evident as f64 / block.steps as f64;
            bin.holiday |= flags.holiday;
            if flags.masked {
                bin.masked = true;
                bin.masked_sum += block.counted;
                bin.masked_weight += seen;
            } else {
                bin.sum += block.counted;
                bin.weight += seen;
                bin.expected += block.expected;
            }
        }
        Some(bin)
    }

    pub(super) fn end_day(&mut self, tuning: &Tuning) {
        let seen = 2 * i64::from(self.day_steps) * self.step_s >= 86_400;
        let noisy = !self.profile.is_empty() && self.days >= tuning.learn_d;
        self.profile.rebuild();
        self.history.rebase();
        self.support_day(tuning);
        self.busy =
            ((self.support.expected(1_440.0).max(1.0) / CHANCE_PER_DAY).log10() / CHANCE_DECADES).clamp(0.0, 1.0);
        if seen {
            self.days += 1;
        }
        self.end_aftermath();
        self.bridge
            .end_day(self.episode.is_none() && self.days >= tuning.learn_d);
        let end = |day: i32| (i64::from(day) + 1) * 86_400;
        if let (Some(episode), Some(day)) = (&self.episode, self.day)
            && self.is_strong(episode, end(day), tuning)
        {
            self.channels.leave_out_today();
        }
        self.channels.end_day(noisy, seen && self.days > tuning.learn_d, tuning);
        self.day_steps = 0;
        self.day_count = 0;
    }

    /// A day's word on how well the rate is known; one of bursts has no more weight than the others.
    fn support_day(&mut self, tuning: &Tuning) {
        let minutes = f64::from(self.day_steps) * self.step_s as f64 / 60.0;
        if minutes > 0.0 {
            let most = self.support.expected(minutes) * BURST_DAY + BURST_DAY;
            self.support.fade(tuning.week_decay.powf(1.0 / 7.0));
            self.support.add((self.day_count as f64).min(most), minutes);
        }
    }

    /// Whether the expectation is larger than its own standard error.
    pub(super) fn is_supported(&self) -> bool {
        self.support.relative_error(1440.0) < 1.0
    }

    /// Takes the step that suits the volume, between days: the short one from a mail a minute on, if the data have it.
    pub fn suit(&mut self, grain_s: i64, tuning: &Tuning) {
        if self.days < 3 || self.episode.is_some() {
            return;
        }
        let per_day = self.profile.per_week() / 7.0 * self.slow.value(tuning.slow_prior);
        let busy = if self.profile.per_hour() > 1 {
            per_day > 0.25 * BUSY_PER_DAY
        } else {
            per_day >= BUSY_PER_DAY
        };
        let (per_hour, step_s) = if busy { (4, STEPS_S.0) } else { (1, STEPS_S.1) };
        let step_s = if grain_s >= STEPS_S.1 {
            grain_s
        } else {
            step_s.max(grain_s)
        };
        if per_hour != self.profile.per_hour() && 3_600 / per_hour as i64 >= grain_s {
            self.profile = self.profile.resampled(per_hour);
        }
        if step_s != self.step_s {
            let day = self.day;
            self.restart(step_s);
            self.channels.suit(step_s, tuning);
            self.day = day;
        }
    }
}

/// What a count may teach at most: beyond it is a burst, and bursts lift a mean far above what is usual.
fn beyond(expected: f64, v: f64, tuning: &Tuning) -> f64 {
    expected + tuning.huber * (expected + v * expected * expected).sqrt() + CLIP_ADD
}

#[derive(Debug, Default)]
struct Bin {
    sum: f64,
    weight: f64,
    expected: f64,
    masked: bool,
    masked_sum: f64,
    masked_weight: f64,
    holiday: bool,
}

/// How much an unusual bin may teach: by its Anscombe residual.
fn quality(counted: f64, expected: f64, v: f64) -> f64 {
    let lambda = expected.max(0.05);
    let two_thirds = 2.0 / 3.0;
    let spread = lambda.powf(1.0 / 6.0) * (1.0 + v * lambda).sqrt();
    let residual = 1.5 * (counted.powf(two_thirds) - lambda.powf(two_thirds)) / spread;
    if residual.abs() > UNUSUAL {
        (UNUSUAL / residual).powi(2)
    } else {
        1.0
    }
}

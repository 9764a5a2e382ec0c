//! One series, step by step: expectation, evidence, calibration, episode.

use super::calibrate::{self, Fit, Prior, Tail};
use super::cusum::{Cusum, RATIOS};
use super::evidence::evidence;
use super::history::{Block, History};
use super::level::{self, FAST, HALF_LIVES_H, Ratio};
use super::noise::Noise;
use super::profile::Profile;
use super::tuning::Tuning;

/// Windows, minutes.
pub const WINDOWS_MIN: [i64; WINDOWS] = [1, 2, 5, 15, 30, 60, 120, 240, 480, 960, 1440, 2880];
const WINDOWS: usize = 12;
const CANDIDATES: usize = 3;
/// Levels that a window may be compared with; `FAST` is none.
const LEVELS: [[usize; CANDIDATES]; WINDOWS] = [
    [0, 1, 2],
    [0, 1, 2],
    [0, 1, 2],
    [0, 1, 2],
    [1, 2, 3],
    [1, 2, 3],
    [1, 2, 3],
    [2, 3, 4],
    [2, 3, 4],
    [3, 4, FAST],
    [3, 4, FAST],
    [3, 4, FAST],
];
const GAP: usize = WINDOWS;
/// Window whose noise the gap takes.
const GAP_NOISE: usize = 3;
const CUSUM: usize = GAP + 1;
/// Channels in all.
pub const CHANNELS: usize = CUSUM + RATIOS.len();
/// Window whose noise limits what a block may do to a level.
const LEVEL_NOISE: usize = 3;
/// Windows whose noise they take.
const CUSUM_NOISE: [usize; 4] = [3, 5, 7, 8];
/// Shift that keeps joint scores positive in a tail.
const SHIFT: f64 = 2.0;

/// What a step tells its series.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Its start, seconds since the epoch.
    pub ts: i64,
    /// Second of the civil week at its start.
    pub week_s: i64,
    /// Count; `None` for no data.
    pub count: Option<u32>,
    /// A declared holiday.
    pub holiday: bool,
    /// Next to a declared holiday: less mail than usual is no wonder.
    pub near: bool,
}

/// What a step may bring.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// A drop was found.
    Opened(Drop),
    /// The last one goes on after a short recovery.
    Reopened(Drop),
    /// It is over.
    Closed(Drop),
}

/// A drop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drop {
    pub onset: i64,
    pub detected: i64,
    pub ended: Option<i64>,
    pub expected: f64,
    pub observed: f64,
    pub score: f64,
    pub channel: usize,
    pub provisional: bool,
}

#[derive(Debug, Clone, Copy)]
struct Episode {
    drop: Drop,
    recovery: f64,
    since: i64,
    share: f64,
}

/// One series.
#[derive(Debug, Clone)]
pub struct Series {
    step_s: i64,
    profile: Profile,
    slow: Ratio,
    fast: [Ratio; FAST],
    history: History,
    block: Block,
    block_evidence: f64,
    noise: Vec<[Noise; CANDIDATES]>,
    best: [usize; WINDOWS],
    tails: Vec<Tail>,
    fits: Vec<Fit>,
    maxima: [f32; CHANNELS],
    peaks: [f32; CHANNELS],
    joint_fit: Fit,
    cusums: [Cusum; 4],
    gap: f64,
    gap_since: i64,
    gap_level: f64,
    days: u32,
    seen_steps: i64,
    day: i64,
    episode: Option<Episode>,
    near: bool,
    last: Option<Drop>,
    alarms: [i64; 16],
    alarm_next: usize,
}

impl Series {
    pub fn new(step_s: i64, per_hour: usize, tuning: &Tuning) -> Self {
        let block_s = step_s.max(900);
        let mut this = Self {
            step_s,
            profile: Profile::new(per_hour),
            slow: Ratio::default(),
            fast: [Ratio::default(); FAST],
            history: History::new(step_s, block_s),
            block: Block::default(),
            block_evidence: 0.0,
            noise: vec![[Noise::new(tuning.v_prior, 0.8); CANDIDATES]; WINDOWS],
            best: [1; WINDOWS],
            tails: vec![Tail::default(); CHANNELS],
            fits: vec![Fit::default(); CHANNELS],
            maxima: [0.0; CHANNELS],
            peaks: [0.0; CHANNELS],
            joint_fit: Fit::default(),
            cusums: [Cusum::default(); 4],
            gap: 0.0,
            gap_since: 0,
            gap_level: 1.0,
            days: 0,
            seen_steps: 0,
            day: i64::MIN,
            episode: None,
            near: false,
            last: None,
            alarms: [i64::MIN; 16],
            alarm_next: 0,
        };
        this.recalibrate(tuning);
        this
    }

    /// Feeds a step; steps come in order without holes.
    pub fn step(&mut self, step: Step, tuning: &Tuning) -> Option<Change> {
        let day = (step.ts + step.week_s).div_euclid(86_400);
        let day = day.wrapping_mul(0) + (step.ts.div_euclid(86_400));
        if self.day != day {
            if self.day != i64::MIN {
                self.end_day(tuning);
            }
            self.day = day;
        }
        let base = self.profile.rate(step.week_s + self.step_s / 2) * self.step_s as f64;
        let slow = self.slow.value(tuning.slow_prior);
        let lambda = base * slow;
        let counted = step.count.map(f64::from);
        self.block.counted += counted.unwrap_or(0.0) as f32;
        if counted.is_some() {
            self.block.seen += 1.0 / self.history.block_steps as f32;
            self.block.expected += lambda as f32;
        }
        let evident = counted.is_some() && !step.holiday;
        if evident {
            let share = if step.near { tuning.near_share } else { 1.0 };
            self.history.push(counted.unwrap_or(0.0), lambda * share, true);
            self.seen_steps += 1;
        } else {
            self.history.push(0.0, 0.0, false);
        }
        if step.holiday {
            self.block.masked = true;
            self.block.holiday = true;
        }
        self.near = step.near;
        let change = if let Some(mut episode) = self.episode.take() {
            if step.ts - episode.since < tuning.short_s as i64 {
                self.weigh(step, lambda, evident, tuning);
            }
            let closed = self.follow(&mut episode, step, lambda, tuning);
            if closed.is_none() {
                self.episode = Some(episode);
            }
            closed
        } else {
            self.judge(step, lambda, evident, tuning)
        };
        if self.history.at_block_end() {
            self.end_block(step, tuning);
        }
        change
    }

    /// What the channels and their noise look like, for measurements.
    pub fn describe(&self, tuning: &Tuning) -> String {
        let mut text = String::new();
        for which in 0..CHANNELS {
            let fit = self.fits[which];
            text += &format!(
                "  ch {which:2} u {:8.2} beta {:7.2} threshold {:8.1}",
                fit.location,
                fit.slope,
                fit.value_at(0.0, tuning.budget)
            );
            if which < WINDOWS {
                let row = &self.noise[which];
                text += &format!(" v {:.4} {:.4} {:.4} best {}", row[0].v(), row[1].v(), row[2].v(), self.best[which]);
            }
            text += "\n";
        }
        text += &format!("  joint u {:.2} beta {:.2} threshold {:.2}\n", self.joint_fit.location as f64 - SHIFT, self.joint_fit.slope, self.joint_fit.value_at(0.0, tuning.budget) - SHIFT);
        text
    }

    fn judge(&mut self, step: Step, lambda: f64, evident: bool, tuning: &Tuning) -> Option<Change> {
        let (top, channel, since) = self.weigh(step, lambda, evident, tuning);
        let score = self.joint_fit.score(top + SHIFT, tuning.budget) - tuning.margin - self.guard(step.ts, tuning);
        if score < 0.0 || self.days < 3 {
            self.settle(tuning.clip, tuning);
            return None;
        }
        self.open(step, score, channel, since, tuning)
    }

    fn guard(&self, ts: i64, tuning: &Tuning) -> f64 {
        let recent = self.alarms.iter().filter(|&&at| at > ts - 30 * 86_400).count() as f64;
        tuning.guard_step * (recent - tuning.guard_free).max(0.0)
    }

    /// Takes the peaks of the last step (or of an episode that was too short to matter) into the day's maxima.
    fn settle(&mut self, clip: f64, tuning: &Tuning) {
        for which in 0..CHANNELS {
            let clip = self.fits[which].value_at(clip, tuning.budget) as f32;
            self.maxima[which] = self.maxima[which].max(self.peaks[which].min(clip));
        }
        self.peaks = [0.0; CHANNELS];
    }

    fn weigh(&mut self, step: Step, lambda: f64, evident: bool, tuning: &Tuning) -> (f64, usize, i64) {
        let y = f64::from(step.count.unwrap_or(0));
        let lambda = if step.near { lambda * tuning.near_share } else { lambda };
        let (mut top, mut channel, mut since) = (-9.0, 0, step.ts);
        let mut fused = 0.0;
        let mut offer = |series: &mut Self, which: usize, value: f64, start: i64| {
            if tuning.without >> which & 1 == 1 {
                return;
            }
            let fit = series.fits[which];
            series.peaks[which] = series.peaks[which].max(value as f32);
            let score = fit.score(value, tuning.budget);
            fused += 10_f64.powf(score.clamp(-9.0, 6.0) * tuning.fuse);
            if score > top {
                (top, channel, since) = (score, which, start);
            }
        };
        if evident {
            for which in 0..WINDOWS {
                let steps = WINDOWS_MIN[which] * 60 / self.step_s;
                if steps < 1 {
                    continue;
                }
                let Some(span) = self.history.window(steps) else { continue };
                if (span.evident as f64) < steps as f64 * tuning.least_share {
                    continue;
                }
                let candidate = self.best[which];
                let level = LEVELS[which][candidate];
                let level = if level == FAST { 1.0 } else { self.history.level_before(span.steps, level) };
                let value = evidence(
                    span.counted,
                    span.expected * self.noise[which][candidate].factor(level),
                    self.noise[which][candidate].v(),
                    tuning.deadband,
                );
                if value > 0.0 {
                    offer(self, which, value, step.ts - (span.steps - 1) * self.step_s);
                }
            }
            for which in 0..RATIOS.len() {
                let noise = CUSUM_NOISE[which];
                let candidate = self.best[noise];
                let level = LEVELS[noise][candidate];
                let level = if level == FAST { 1.0 } else { self.history.level_before(0, level) };
                let level = self.noise[noise][candidate].factor(level);
                let cap = 2.0 * self.fits[CUSUM + which].value_at(tuning.clip, tuning.budget) + 100.0;
                let mut cusum = self.cusums[which];
                let window = CUSUM_NOISE[which];
                let steps = (WINDOWS_MIN[window] * 60) as f64 / self.step_s as f64;
                let spread = 1.0 + self.noise[window][self.best[window]].v() * lambda * level * steps.max(1.0);
                let keep = (-(self.step_s as f64) / (86_400.0 * tuning.cusum_memory_d)).exp();
                let value = cusum.step(step.ts, y, lambda, level, RATIOS[which], cap, spread, keep);
                self.cusums[which] = cusum;
                if value > 0.0 {
                    offer(self, CUSUM + which, value, cusum.since());
                }
            }
        }
        if y > 0.0 {
            self.gap = 0.0;
            self.gap_since = step.ts + self.step_s;
            self.gap_level = self.history.level_before(0, 3);
        } else if step.count.is_some() {
            let share = if step.holiday { tuning.holiday_share } else { 1.0 };
            self.gap += lambda * self.gap_level * share;
            let v = if tuning.gap_v > 0.0 { tuning.gap_v } else { self.noise[GAP_NOISE][1].v() };
            let value = (v * self.gap).ln_1p() / v;
            offer(self, GAP, value, self.gap_since);
        }
        if tuning.fuse > 0.0 && top > -9.0 {
            top = fused.log10() / tuning.fuse;
        }
        (top, channel, since)
    }

    fn open(&mut self, step: Step, score: f64, channel: usize, since: i64, tuning: &Tuning) -> Option<Change> {
        let steps = ((step.ts - since) / self.step_s + 1).max(1);
        let steps = steps.min(2 * 86_400 / self.step_s);
        let span = self.history.window(steps)?;
        let share = (span.counted / span.expected.max(1e-9)).clamp(0.05, 0.7);
        self.alarms[self.alarm_next] = step.ts;
        self.alarm_next = (self.alarm_next + 1) % 16;
        let before = self.last.filter(|last| (step.ts - last.ended.unwrap_or(0)) as f64 <= tuning.flap_s);
        let drop = before.map(|last| Drop { ended: None, ..last }).unwrap_or(Drop {
            onset: since,
            detected: step.ts,
            ended: None,
            expected: span.expected,
            observed: span.counted,
            score,
            channel,
            provisional: self.days < 14,
        });
        let blocks = (steps + 4 * 3600 / self.step_s) / self.history.block_steps + 1;
        let newest = self.history.block_count();
        for count in newest - blocks..=newest {
            if let Some(block) = self.history.block_mut(count) {
                if block.counted < 0.8 * block.expected && self.days >= tuning.mask_d as u32 {
                    block.masked = true;
                }
            }
        }
        self.episode = Some(Episode {
            drop,
            recovery: 0.0,
            since,
            share,
        });
        Some(if before.is_some() { Change::Reopened(drop) } else { Change::Opened(drop) })
    }

    fn follow(&mut self, episode: &mut Episode, step: Step, lambda: f64, tuning: &Tuning) -> Option<Change> {
        let count = step.count?;
        let lambda = if step.holiday { lambda * tuning.holiday_share } else { lambda };
        let y = f64::from(count);
        episode.drop.expected += lambda;
        episode.drop.observed += y;
        episode.recovery = (episode.recovery + y * (1.0 / episode.share).ln() - (1.0 - episode.share) * lambda).max(0.0);
        let age_d = (step.ts - episode.since) as f64 / 86_400.0;
        let silent = episode.drop.observed < 0.02 * episode.drop.expected;
        let accepted = age_d > if silent { tuning.retire_d } else { tuning.accept_d };
        if episode.recovery < tuning.close && !accepted {
            return None;
        }
        episode.drop.ended = Some(step.ts);
        if accepted {
            let ratio = episode.drop.observed / episode.drop.expected.max(1e-9);
            let ratio = ratio * self.slow.value(tuning.slow_prior);
            self.slow.set(ratio, 200.0);
            self.fast = [Ratio::default(); FAST];
        }
        let short = step.ts - episode.since < tuning.short_s as i64;
        self.settle(if short { 99.0 } else { tuning.clip_long }, tuning);
        self.history.set_floor();
        for cusum in &mut self.cusums {
            cusum.reset();
        }
        self.gap = 0.0;
        self.gap_since = step.ts;
        self.last = Some(episode.drop);
        Some(Change::Closed(episode.drop))
    }

    fn end_block(&mut self, step: Step, tuning: &Tuning) {
        let block_s = self.step_s * self.history.block_steps;
        let mut block = std::mem::take(&mut self.block);
        let (counted, expected) = (f64::from(block.counted), f64::from(block.expected));
        if self.episode.is_some() && counted < 0.8 * expected && self.days >= tuning.mask_d as u32 {
            block.masked = true;
        }
        if self.near && counted < 0.8 * expected {
            block.masked = true;
        }
        if !block.masked && block.seen > 0.0 {
            let v = self.noise[LEVEL_NOISE].iter().map(Noise::v).fold(f64::MAX, f64::min);
            for (ratio, hours) in self.fast.iter_mut().zip(HALF_LIVES_H) {
                let mean = ratio.value(tuning.fast_prior) * expected;
                let reach = tuning.huber * (mean + v * mean * mean).sqrt();
                let clipped = counted.clamp(mean - reach, mean + reach + tuning.huber_add);
                ratio.add(clipped, expected, level::decay(block_s, hours));
            }
            let clipped = counted.min(3.0 * expected + 5.0);
            let slow = self.slow.value(tuning.slow_prior);
            self.slow.add(
                clipped,
                expected / slow,
                level::decay(block_s, 24.0 * tuning.slow_half_life_d),
            );
        }
        for (value, ratio) in block.levels.iter_mut().zip(&self.fast) {
            *value = ratio.value(tuning.fast_prior) as f32;
        }
        self.history.push_block(block);
        if self.episode.is_none() && !block.masked && !self.near {
            self.sample_noise();
        }
        self.fold(step, tuning);
    }

    fn sample_noise(&mut self) {
        for which in 0..WINDOWS {
            let steps = WINDOWS_MIN[which] * 60 / self.step_s;
            if steps < 1 {
                continue;
            }
            let Some(span) = self.history.window(steps) else { continue };
            if span.evident < steps {
                continue;
            }
            for candidate in 0..CANDIDATES {
                let level = LEVELS[which][candidate];
                let level = if level == FAST { 1.0 } else { self.history.level_before(span.steps, level) };
                self.noise[which][candidate].sample(span.counted, span.expected, level);
            }
        }
    }

    /// Folds the bin that left the two days.
    fn fold(&mut self, step: Step, tuning: &Tuning) {
        let block_s = self.step_s * self.history.block_steps;
        let bin_s = self.profile.bin_s().max(block_s);
        let per_bin = bin_s / block_s;
        let end = step.week_s + self.step_s;
        if end.rem_euclid(bin_s) != 0 {
            return;
        }
        let lag = 2 * 86_400 / block_s / per_bin * per_bin;
        let last = self.history.block_count() - lag + per_bin;
        let (mut sum, mut weight, mut expected) = (0.0, 0.0, 0.0);
        for count in last - per_bin + 1..=last {
            let Some(block) = self.history.block(count) else { return };
            if !block.masked {
                sum += f64::from(block.counted);
                weight += f64::from(block.seen) / per_bin as f64;
                expected += f64::from(block.expected);
            }
        }
        let start = end - lag * block_s + per_bin * block_s - bin_s;
        let quality = if self.days < tuning.mask_d as u32 { 1.0 } else { quality(sum, expected, self.noise[5][1].v()) };
        let holiday = self.history.block(last).is_some_and(|b| b.holiday);
        if holiday {
        } else if weight == 0.0 && self.profile.repeated(start, true) {
            // Missing at the same hour of two weeks running: that is how this series is.
            for count in last - per_bin + 1..=last {
                let Some(block) = self.history.block(count) else { return };
                sum += f64::from(block.counted);
                weight += f64::from(block.seen) / per_bin as f64;
            }
        } else if weight > 0.0 {
            self.profile.repeated(start, false);
        }
        self.profile.fold(start, quality * sum, quality * weight, tuning.week_decay);
    }

    fn end_day(&mut self, tuning: &Tuning) {
        let day_steps = 86_400 / self.step_s;
        if std::env::var("LEV").is_ok() { eprintln!("day {} {:?}", self.days, [3, 5, 7].map(|w| [0,1,2].map(|c| self.noise[w][c].show()))); }
        self.profile.rebuild();
        let counts = self.seen_steps * 2 >= day_steps;
        self.seen_steps = 0;
        if !self.profile.is_empty() {
            for noise in self.noise.iter_mut().flatten() {
                if self.days < tuning.noise_d as u32 {
                    noise.skip_day();
                } else {
                    noise.end_day(tuning.v_memory_d, tuning.v_prior, tuning.v_prior_d, tuning.v_min);
                }
            }
        }
        if counts {
            self.days += 1;
            if self.days > tuning.learn_d as u32 {
                for (tail, maximum) in self.tails.iter_mut().zip(self.maxima) {
                    tail.push(f64::from(maximum));
                }
            }
        }
        self.maxima = [0.0; CHANNELS];
        self.recalibrate(tuning);
    }

    fn recalibrate(&mut self, tuning: &Tuning) {
        for which in 0..WINDOWS {
            let row = &self.noise[which];
            let mut best = 1;
            for candidate in 0..CANDIDATES {
                if row[candidate].v() < 0.98 * row[best].v() {
                    best = candidate;
                }
            }
            self.best[which] = best;
        }
        for which in 0..CHANNELS {
            let looks = if which < WINDOWS { 1440.0 / WINDOWS_MIN[which] as f64 } else { 6.0 };
            let prior = Prior {
                location: (looks.min(100.0) / 4.0).max(1.0).ln(),
                slope: 1.0,
                days: tuning.pseudo_d,
                slope_days: tuning.slope_prior_d,
                growth: 0.3,
                again: tuning.again as usize,
            };
            self.fits[which] = self.tails[which].fit(&prior);
        }
        let prior = Prior {
            location: tuning.joint_location + SHIFT,
            slope: tuning.joint_slope,
            days: tuning.pseudo_d,
            slope_days: tuning.joint_prior_d,
            growth: 0.0,
            again: tuning.again as usize,
        };
        let days = (0..self.tails[0].days()).map(|day| {
            let score = |which: usize| self.fits[which].score(self.tails[which].day(day), tuning.budget);
            let top = if tuning.fuse > 0.0 {
                let sum: f64 = (0..CHANNELS).map(|c| 10_f64.powf(score(c).clamp(-9.0, 6.0) * tuning.fuse)).sum();
                sum.log10() / tuning.fuse
            } else {
                (0..CHANNELS).filter(|c| tuning.without >> c & 1 == 0).map(score).fold(-SHIFT, f64::max)
            };
            top + SHIFT
        });
        self.joint_fit = calibrate::fit(days, &prior);
    }
}

/// How much an unusual bin may teach.
fn quality(counted: f64, expected: f64, v: f64) -> f64 {
    let lambda = expected.max(0.05);
    let two_thirds = 2.0 / 3.0;
    let spread = lambda.powf(1.0 / 6.0) * (1.0 + v * lambda).sqrt();
    let residual = 1.5 * (counted.powf(two_thirds) - lambda.powf(two_thirds)) / spread;
    if residual.abs() > 2.58 { (2.58 / residual).powi(2) } else { 1.0 }
}

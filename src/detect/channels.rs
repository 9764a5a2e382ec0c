//! The channels of one series: each turns the present into evidence S, and S into decades beyond its own budget.

use super::calibrate::{self, Fit, Prior, Tail};
use super::cusum::{Cusum, Increment, RATIOS};
use super::evidence::evidence;
use super::history::{History, HistorySpan};
use super::level::FAST;
use super::noise::Noise;
use super::tuning::Tuning;
use serde::{Deserialize, Serialize};

/// Windows, minutes.
pub const WINDOWS_MIN: [i64; WINDOWS] = [1, 2, 5, 15, 30, 60, 120, 240, 480, 960, 1440, 2880];
const WINDOWS: usize = 12;
/// Levels that a window may be compared with.
const CANDIDATES: usize = 3;
/// Which they are; `FAST` is none: the slow level alone.
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
const CUSUM: usize = GAP + 1;
/// Channels in all.
pub const CHANNELS: usize = CUSUM + RATIOS.len();
/// Level that the gap takes: 48 hours.
const GAP_LEVEL: usize = 3;
/// The gap counts in full up to some 200 mails and by its logarithm beyond.
const GAP_BEND: f64 = 200.0;
/// Windows whose noise and level the CUSUM channels take.
const CUSUM_WINDOW: [usize; 4] = [3, 5, 7, 8];
/// CUSUMs that say whether a drop gets worse: the first ones.
const FURTHER: usize = 2;
/// Window whose noise says what a quarter hour may do to a level.
const QUARTER: usize = 3;
/// Window whose noise says how unusual an hour is.
const HOUR: usize = 5;
/// Least slope of a tail, as a share of its location.
const GROWTH: f64 = 0.3;
/// The same of the gap once its days say what deploys and nights add: what it says of chance is exact.
const GAP_GROWTH: f64 = 0.1;
/// Days until which the gap is trusted no more than the others; from then on the share falls with the days.
const GAP_DAYS: f64 = 14.0;
/// Days after which a tail has seen the deploys of a series.
const DEPLOYS_D: f64 = 42.0;
/// Days of a tail until which its margin is the largest.
const YOUNG_D: f64 = 20.0;
/// How it grows with the relative variance of an hour: of mail in one batch a night, an hour says next to nothing.
const YOUNG_NOISE: f64 = 3.0;
/// Rank, from 0, of the highest maximum that may not alarm.
const AGAIN: usize = 2;
/// The same of the gap: minutes of a deploy are rare, each is worth whatever the hour sends, and it alone counts them in full.
const GAP_AGAIN: usize = 1;
/// Keeps joint scores positive in a tail.
const SHIFT: f64 = 2.0;
/// The least joint score that is told apart.
const LEAST: f64 = -9.0;

/// What spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Channel {
    /// Too few mails in a window of so many minutes.
    Window(u16),
    /// No mail for too long.
    Gap,
    /// Too few mails since the sum left zero, for a rate fallen to so many per cent.
    Cusum(u8),
    /// A mail that is due at a set time.
    Schedule,
}

impl std::fmt::Display for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Window(minutes) => write!(f, "window {minutes} min"),
            Self::Gap => write!(f, "gap"),
            Self::Cusum(percent) => write!(f, "cusum {percent} %"),
            Self::Schedule => write!(f, "schedule"),
        }
    }
}

/// The present as the channels see it.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Start of the step.
    pub ts: i64,
    /// Length of the step, seconds.
    pub step_s: i64,
    /// Mails counted; `None` for no data.
    pub counted: Option<f64>,
    /// Mails expected by profile and slow level.
    pub expected: f64,
    /// On a holiday only full silence speaks.
    pub holiday: bool,
}

/// The strongest channel.
#[derive(Debug, Clone, Copy)]
pub struct Verdict {
    /// Decades beyond the channel's budget.
    pub score: f64,
    /// Which.
    pub channel: Channel,
    /// Start of what it looked at.
    pub since: i64,
}

/// The channels and what they learned.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Channels {
    /// Of the windows that the step can fill: the last so many.
    noise: Box<[[Noise; CANDIDATES]]>,
    best: [u8; WINDOWS],
    tails: Box<[Tail]>,
    fits: [Fit; CHANNELS],
    peaks: [f32; CHANNELS],
    maxima: [f32; CHANNELS],
    joint: Fit,
    cusums: [Cusum; RATIOS.len()],
    /// What a step leaves of a CUSUM.
    keep: f64,
    /// The same for a rate that falls further while a drop goes on.
    further: [Cusum; FURTHER],
    gap: f64,
    gap_since: i64,
    gap_level: f64,
    /// A drop that is none of chance fell on today: it is no measure of usual days.
    left_out: bool,
}

fn channel(which: usize) -> Channel {
    match which {
        GAP => Channel::Gap,
        _ if which < GAP => Channel::Window(WINDOWS_MIN[which] as u16),
        _ => Channel::Cusum((100.0 * RATIOS[which - CUSUM]).round() as u8),
    }
}

/// Least slope of a channel's tail as a share of its location.
fn growth(which: usize, days: usize) -> f64 {
    if which == GAP {
        (GROWTH * GAP_DAYS / days.max(1) as f64).clamp(GAP_GROWTH, GROWTH)
    } else {
        GROWTH
    }
}

/// The level before a window. It only lowers an expectation: what comes after a burst is no drop.
fn level_of(history: &History, steps: i64, level: usize) -> f64 {
    if level == FAST {
        1.0
    } else {
        history.level_before(steps, level).min(1.0)
    }
}

/// Where a CUSUM stops: far beyond what alarms.
fn cap(fit: Fit) -> f64 {
    2.0 * fit.value_at(1.5) + 100.0
}

/// What is left of the evidence of a run that began `since`, where mail may be late by the minutes of a deploy: those
/// add `jitter²·μ/D` to the dispersion of the D minutes since then.
fn after_jitter(value: f64, now: Now, since: i64, level: f64, tuning: &Tuning) -> f64 {
    let run_min = (now.ts + now.step_s - since) as f64 / 60.0;
    let per_min = 60.0 * now.expected * level / now.step_s as f64;
    value * run_min / (run_min + tuning.jitter_min * tuning.jitter_min * per_min)
}

impl Channels {
    /// Nothing learned.
    pub fn new(step_s: i64, tuning: &Tuning) -> Self {
        let mut this = Self {
            noise: Box::default(),
            best: [1; WINDOWS],
            tails: vec![Tail::default(); CHANNELS].into_boxed_slice(),
            fits: [Fit::default(); CHANNELS],
            peaks: [0.0; CHANNELS],
            maxima: [0.0; CHANNELS],
            joint: Fit::default(),
            cusums: [Cusum::default(); RATIOS.len()],
            keep: 1.0,
            further: [Cusum::default(); FURTHER],
            gap: 0.0,
            gap_since: i64::MIN,
            gap_level: 1.0,
            left_out: false,
        };
        this.suit(step_s, tuning);
        this.recalibrate(tuning);
        this
    }

    /// Makes room for the windows that a step can fill. What was learned of others is kept.
    pub fn suit(&mut self, step_s: i64, tuning: &Tuning) {
        self.keep = (-(step_s as f64) / (86_400.0 * tuning.cusum_memory_d)).exp();
        let fills = WINDOWS_MIN.iter().filter(|minutes| **minutes * 60 >= step_s).count();
        let rows = fills.max(WINDOWS - QUARTER);
        if rows > self.noise.len() {
            let mut grown = vec![[Noise::new(tuning.v_prior); CANDIDATES]; rows - self.noise.len()];
            grown.extend_from_slice(&self.noise);
            let unheard = Tail::silent(&self.tails[GAP]);
            self.tails[WINDOWS - rows..WINDOWS - self.noise.len()].fill(unheard);
            self.noise = grown.into_boxed_slice();
        }
    }

    /// Windows that no step filled so far.
    fn unfilled(&self) -> usize {
        WINDOWS - self.noise.len()
    }

    fn noise_of(&self, which: usize) -> &[Noise; CANDIDATES] {
        &self.noise[which - self.unfilled()]
    }

    /// Evidence of this moment; CUSUM and gap move on.
    pub fn weigh(&mut self, now: Now, history: &History, tuning: &Tuning) -> Verdict {
        let mut values = [0.0; CHANNELS];
        let mut since = [now.ts; CHANNELS];
        if !now.holiday && now.counted.is_some() {
            for which in 0..WINDOWS {
                if let Some((value, span)) = self.window(which, now.step_s, history, tuning) {
                    values[which] = value;
                    since[which] = now.ts - (span.steps - 1) * now.step_s;
                }
            }
            for which in 0..RATIOS.len() {
                values[CUSUM + which] = self.cusum(which, now, history, tuning);
                since[CUSUM + which] = self.cusums[which].since();
            }
        }
        values[GAP] = self.silence(now, history, tuning);
        since[GAP] = self.gap_since.max(now.ts - 60 * 86_400);
        let mut verdict = Verdict {
            score: LEAST,
            channel: Channel::Gap,
            since: now.ts,
        };
        for which in 0..CHANNELS {
            if values[which] <= 0.0 {
                continue;
            }
            self.peaks[which] = self.peaks[which].max(values[which] as f32);
            let value = values[which]
                * if which == GAP {
                    self.beyond_deploys(now, tuning)
                } else {
                    1.0
                };
            let score = self.fits[which].score(value);
            if score > verdict.score {
                verdict = Verdict {
                    score,
                    channel: channel(which),
                    since: since[which],
                };
            }
        }
        verdict.score = self.joint.score(verdict.score + SHIFT);
        verdict.score -= self.margin_young(tuning);
        verdict
    }

    /// Decades more while the tails are young: the less an hour says, the less is known of the days that will come.
    fn margin_young(&self, tuning: &Tuning) -> f64 {
        let young = (YOUNG_D / (self.tails[GAP].days() as f64).max(YOUNG_D)).powi(2);
        tuning.margin_young * (1.0 + YOUNG_NOISE * self.hour_v()) * young
    }

    fn window(&self, which: usize, step_s: i64, history: &History, tuning: &Tuning) -> Option<(f64, HistorySpan)> {
        let steps = WINDOWS_MIN[which] * 60 / step_s;
        if steps < 1 {
            return None;
        }
        let span = history.window(steps)?;
        // Half of it at least must have been seen: what was learned holds for whole windows.
        if 2 * span.evident < steps {
            return None;
        }
        let (level, noise) = self.compare(which);
        let mean = span.expected * noise.factor(level_of(history, span.steps, level));
        let jitter = tuning.jitter_min / WINDOWS_MIN[which] as f64;
        let v = noise.v().max((jitter * jitter).min(4.0));
        Some((evidence(span.counted, mean, v, tuning.deadband), span))
    }

    /// The level that predicts a window best, and its noise.
    fn compare(&self, which: usize) -> (usize, &Noise) {
        let best = usize::from(self.best[which]);
        (LEVELS[which][best], &self.noise_of(which)[best])
    }

    fn cusum(&mut self, which: usize, now: Now, history: &History, tuning: &Tuning) -> f64 {
        let (increment, level) = self.increment(which, now, history);
        let cap = cap(self.fits[CUSUM + which]);
        let value = self.cusums[which].step(RATIOS[which], increment, cap);
        after_jitter(value, now, self.cusums[which].since(), level, tuning)
    }

    /// What a step tells a CUSUM channel, with the level before what it may have to judge, as a window would have it.
    #[inline]
    fn increment(&self, which: usize, now: Now, history: &History) -> (Increment, f64) {
        let window = CUSUM_WINDOW[which];
        let (level, noise) = self.compare(window);
        let steps = (WINDOWS_MIN[window] * 60) as f64 / now.step_s as f64;
        let level = noise.factor(level_of(history, steps as i64, level));
        let increment = Increment {
            ts: now.ts,
            counted: now.counted.unwrap_or_default(),
            expected: now.expected,
            level,
            spread: noise.v() * steps.max(1.0),
            keep: self.keep,
        };
        (increment, level)
    }

    /// Decades beyond the budget by which the rate fell further, to a part of the `share` that a drop had left; and since when.
    pub fn further(&mut self, now: Now, share: f64, history: &History, tuning: &Tuning) -> (f64, i64) {
        if now.holiday || now.counted.is_none() {
            return (LEAST, now.ts);
        }
        let mut furthest = (LEAST, now.ts);
        for (which, &ratio) in RATIOS.iter().enumerate().take(FURTHER) {
            let (mut increment, level) = self.increment(which, now, history);
            increment.level = level * share;
            let fit = self.fits[CUSUM + which];
            let value = self.further[which].step(ratio, increment, cap(fit));
            let since = self.further[which].since();
            let score = fit.score(after_jitter(value, now, since, level * share, tuning));
            if score > furthest.0 {
                furthest = (score, since);
            }
        }
        (self.joint.score(furthest.0 + SHIFT), furthest.1)
    }

    /// Σ λ since the last mail, the exact statistic of silence.
    fn silence(&mut self, now: Now, history: &History, tuning: &Tuning) -> f64 {
        let Some(counted) = now.counted else { return 0.0 };
        if counted > 0.0 {
            self.gap = 0.0;
            self.gap_since = now.ts + now.step_s;
            self.gap_level = history.level_before(0, GAP_LEVEL);
            return 0.0;
        }
        let share = if now.holiday { tuning.holiday_share } else { 1.0 };
        self.gap += now.expected * self.gap_level * share;
        GAP_BEND * (self.gap / GAP_BEND).ln_1p()
    }

    /// Share of the gap's evidence that counts. Deploys come every week or so: until the tail has seen some of them, their
    /// minutes are no news.
    fn beyond_deploys(&self, now: Now, tuning: &Tuning) -> f64 {
        let unseen = 1.0 - self.tails[GAP].days() as f64 / DEPLOYS_D;
        if unseen <= 0.0 {
            return 1.0;
        }
        let run_min = ((now.ts + now.step_s).saturating_sub(self.gap_since) as f64 / 60.0).max(1.0);
        run_min / (run_min + unseen * tuning.jitter_min * tuning.jitter_min * self.gap / run_min)
    }

    /// Takes the peaks since the last call into the day's maxima, clipped `clip` decades beyond the budget.
    pub fn settle(&mut self, clip: f64) {
        for which in 0..CHANNELS {
            if self.peaks[which] > self.maxima[which] {
                let most = self.fits[which].value_at(clip) as f32;
                self.maxima[which] = self.maxima[which].max(self.peaks[which].min(most));
            }
        }
        self.peaks = [0.0; CHANNELS];
    }

    /// Leaves today out of what is learned.
    pub fn leave_out_today(&mut self) {
        self.left_out = true;
    }

    /// Forgets what is pending, after an episode.
    pub fn reset(&mut self, ts: i64) {
        self.cusums.iter_mut().for_each(Cusum::reset);
        self.further.iter_mut().for_each(Cusum::reset);
        self.gap = 0.0;
        self.gap_since = ts;
    }

    /// Learns from the windows that end now.
    pub fn sample(&mut self, step_s: i64, history: &History) {
        let unfilled = self.unfilled();
        for (row, noises) in self.noise.iter_mut().enumerate() {
            let which = row + unfilled;
            let steps = WINDOWS_MIN[which] * 60 / step_s;
            let span = if steps < 1 { None } else { history.window(steps) };
            let Some(span) = span.filter(|span| span.evident >= steps) else {
                continue;
            };
            for (candidate, noise) in noises.iter_mut().enumerate() {
                let level = level_of(history, span.steps, LEVELS[which][candidate]);
                noise.sample(span.counted, span.expected, level);
            }
        }
    }

    /// Factor on the expectation and noise of the window that is nearest to so many minutes.
    pub(super) fn outlook(&self, minutes: i64, step_s: i64, history: &History) -> (f64, f64) {
        let off = |which: &usize| {
            let (window, minutes) = (WINDOWS_MIN[*which], minutes.max(1));
            window.max(minutes) as f64 / window.min(minutes) as f64
        };
        let nearest = (0..WINDOWS).min_by(|a, b| off(a).total_cmp(&off(b)));
        let which = nearest.unwrap_or(HOUR).max(QUARTER);
        let (level, noise) = self.compare(which);
        let steps = WINDOWS_MIN[which] * 60 / step_s;
        (noise.factor(level_of(history, steps, level)), noise.v())
    }

    /// Least noise of a quarter hour.
    pub fn quarter_v(&self) -> f64 {
        self.noise_of(QUARTER).iter().map(Noise::v).fold(f64::MAX, f64::min)
    }

    /// Noise of an hour.
    pub fn hour_v(&self) -> f64 {
        self.noise_of(HOUR)[1].v()
    }

    /// Ends a day: noise where `noisy` allows it, maxima where `counts` does.
    pub fn end_day(&mut self, noisy: bool, counts: bool, tuning: &Tuning) {
        let usual = !std::mem::take(&mut self.left_out);
        let (noisy, counts) = (noisy && usual, counts && usual);
        for noise in self.noise.iter_mut().flatten() {
            if noisy {
                noise.end_day(tuning);
            } else {
                noise.skip_day();
            }
        }
        if counts {
            let unfilled = self.unfilled();
            for (tail, maximum) in self.tails.iter_mut().zip(self.maxima).skip(unfilled) {
                tail.push(f64::from(maximum));
            }
        }
        self.maxima = [0.0; CHANNELS];
        self.recalibrate(tuning);
    }

    fn recalibrate(&mut self, tuning: &Tuning) {
        let unfilled = self.unfilled();
        for (best, row) in self.best[unfilled..].iter_mut().zip(&self.noise) {
            *best = (0..CANDIDATES).fold(1, |best, next| {
                let better = row[next].v() < 0.98 * row[best].v();
                if better { next } else { best }
            }) as u8;
        }
        for (which, (fit, tail)) in self.fits.iter_mut().zip(&self.tails).enumerate() {
            let looks = WINDOWS_MIN.get(which).map_or(6.0, |minutes| 1440.0 / *minutes as f64);
            *fit = tail.fit(&Prior {
                location: (looks.min(100.0) / 4.0).max(1.0).ln(),
                slope: 1.0,
                days: tuning.pseudo_d,
                slope_days: tuning.slope_prior_d,
                growth: growth(which, tail.days()),
                again: if which == GAP { GAP_AGAIN } else { AGAIN },
                budget: tuning.budget,
            });
        }
        let days = self.tails[GAP].days();
        let joint = (0..days).map(|day| {
            let score = |which: usize| self.fits[which].score(self.tails[which].day(day));
            (unfilled..CHANNELS).map(score).fold(-SHIFT, f64::max) + SHIFT
        });
        self.joint = calibrate::fit(
            joint,
            &Prior {
                location: tuning.joint_location + SHIFT,
                slope: tuning.joint_slope,
                days: tuning.pseudo_d,
                slope_days: tuning.joint_prior_d,
                growth: 0.0,
                again: AGAIN,
                budget: tuning.budget,
            },
        );
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        let tails: usize = self.tails.iter().map(Tail::heap_bytes).sum();
        size_of_val(&*self.noise) + size_of_val(&*self.tails) + tails
    }
}

#[cfg(test)]
mod tests {
    use super::super::history::{QUICK, QUICK_S};
    use super::*;

    #[test]
    fn no_window_reads_a_level_from_before_it_is_kept() {
        for (minutes, levels) in WINDOWS_MIN.iter().zip(LEVELS) {
            for level in levels {
                assert!(
                    level >= QUICK || minutes * 60 <= QUICK_S,
                    "{minutes} min, level {level}"
                );
            }
        }
    }

    #[test]
    fn silence_of_a_deploys_length_weighs_little_and_that_of_an_hour_nearly_all() {
        let tuning = Tuning::default();
        let at = |minutes: i64| Now {
            ts: (minutes - 1) * 60,
            step_s: 60,
            counted: Some(0.0),
            expected: 30.0,
            holiday: false,
        };
        let left = |minutes| after_jitter(1.0, at(minutes), 0, 1.0, &tuning);
        assert!(left(3) < 0.05 && left(600) > 0.85, "{} {}", left(3), left(600));
    }
}

//! One series, step by step: expectation, evidence, episode. What it learns on the way is in `learn`.

use super::aftermath::Aftermath;
use super::bridge_days::BridgeDays;
use super::channels::{Channel, Channels, Now, Verdict};
use super::episode::{Drop, DropEnd, Episode, EpisodeChange};
use super::former_level::FormerLevel;
use super::history::{Flags, History};
use super::level::{FAST, Ratio};
use super::profile::Profile;
use super::support::Stretches;
use super::tuning::Tuning;
use serde::{Deserialize, Serialize};

/// Least seconds of a block.
const BLOCK_S: i64 = 900;
/// Hours before a drop's onset in which low blocks are taken for part of it.
const BEFORE_S: i64 = 4 * 3_600;
/// Share of the expectation below which a block of a drop is taken for part of it.
pub const LOW: f64 = 0.8;
/// What is due either way, where clocks may have changed, below which an hour says nothing of the usual.
const DIFFERS: f64 = 0.85;
/// Alarms that are remembered.
const ALARMS: usize = 12;
/// Hours for which they are.
const ALARMS_H: i32 = 30 * 24;
/// A drop wavers for minutes; after an hour of the usual, it came back, seconds.
const APART_S: i64 = 3_600;
/// Weight in mails of a level that was accepted after days.
const ACCEPTED_WEIGHT: f64 = 200.0;

/// Decades that no evidence reaches.
const CLIP_NEVER: f64 = 1e6;

/// Seconds of a block: whole steps, and a divisor of an hour.
fn block_s(step_s: i64) -> i64 {
    if step_s >= BLOCK_S || BLOCK_S % step_s == 0 {
        step_s.max(BLOCK_S)
    } else {
        2 * step_s
    }
}

fn hour_of(ts: i64) -> i32 {
    // A calendar's hours fit by far.
    ts.div_euclid(3_600) as i32
}

/// What a step tells its series.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Its start, seconds since the epoch.
    pub ts: i64,
    /// Civil day, days since 1970-01-01.
    pub day: i32,
    /// Second of the civil week at its start.
    pub week_s: i64,
    /// The same if clocks have changed, while that is not known.
    pub rival_week_s: Option<i64>,
    /// Second of the civil week two days before its end: summer time may have come in between.
    pub past_week_s: i64,
    /// Count; `None` for no data.
    pub count: Option<u32>,
    /// A declared holiday.
    pub holiday: bool,
    /// Next to a declared holiday: less mail than usual is no wonder.
    pub near: bool,
}

/// The block that is being filled.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct OpenEpisode {
    pub counted: f64,
    pub expected: f64,
    pub evident: bool,
    pub near: bool,
    pub flags: Flags,
}

/// One series.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VolumeSeries {
    pub(super) step_s: i64,
    pub(super) profile: Profile,
    pub(super) slow: Ratio,
    pub(super) fast: [Ratio; FAST],
    pub(super) history: History,
    pub(super) channels: Channels,
    pub(super) block: OpenEpisode,
    pub(super) days: u32,
    pub(super) day: Option<i32>,
    pub(super) day_steps: u32,
    pub(super) day_count: u64,
    /// How much of its noise is that of days and people rather than chance, by its volume, from 0 to 1.
    pub(super) busy: f64,
    /// Its days, for how well its rate is known.
    pub(super) support: Stretches,
    pub(super) episode: Option<Box<Episode>>,
    /// What it sends next to holidays.
    pub(super) bridge: BridgeDays,
    /// What comes after a drop that was none of chance.
    aftermath: Option<Box<Aftermath>>,
    /// The level before another was accepted.
    pub(super) former: Option<Box<FormerLevel>>,
    /// Taken for retired: silent until it sends again.
    retired: bool,
    last: Option<Drop>,
    /// Its largest score.
    last_peak: f64,
    /// When it alarmed, hours since the epoch.
    alarms: [i32; ALARMS],
}

impl VolumeSeries {
    /// A series of steps of `step_s` seconds (a divisor of an hour) and profile bins of `per_hour` an hour.
    pub fn new(step_s: i64, per_hour: usize, tuning: &Tuning) -> Self {
        Self {
            step_s,
            profile: Profile::new(per_hour),
            slow: Ratio::default(),
            fast: [Ratio::default(); FAST],
            history: History::new(step_s, block_s(step_s)),
            channels: Channels::new(step_s, tuning),
            block: OpenEpisode::default(),
            days: 0,
            day: None,
            day_steps: 0,
            day_count: 0,
            busy: 0.0,
            support: Stretches::default(),
            episode: None,
            bridge: BridgeDays::default(),
            aftermath: None,
            former: None,
            retired: false,
            last: None,
            last_peak: 0.0,
            alarms: [i32::MIN; ALARMS],
        }
    }

    /// Length of a step, seconds.
    pub fn step_s(&self) -> i64 {
        self.step_s
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired
    }

    /// Days of data so far.
    pub fn days(&self) -> u32 {
        self.days
    }

    /// The drop that goes on.
    pub fn ongoing(&self) -> Option<&Drop> {
        self.episode.as_ref().map(|episode| &episode.drop)
    }

    /// Mails expected in a step at a second of the week.
    pub fn expected(&self, week_s: i64, tuning: &Tuning) -> f64 {
        let rate = self.profile.rate(week_s + self.step_s / 2);
        rate * self.step_s as f64 * self.slow.value(tuning.slow_prior)
    }

    /// Feeds a step; steps come in order and without holes.
    pub fn step(&mut self, step: Step, tuning: &Tuning) -> Option<EpisodeChange> {
        if self.day != Some(step.day) {
            match self.day {
                Some(_) => self.end_day(tuning),
                None => self.history.begin(step.ts, self.step_s),
            }
            self.day = Some(step.day);
        }
        let counted = step.count.map(f64::from);
        if self.retired && counted.is_some_and(|counted| counted > 0.0) {
            self.retired = false;
            self.history.set_floor();
            self.channels.reset(step.ts);
        }
        let expected = if self.retired {
            0.0
        } else {
            self.expected(step.week_s, tuning)
        };
        // Next to a holiday only part of the usual is sure, and while the clocks may have changed, what is due either way.
        let rival = step.rival_week_s.filter(|_| !self.retired);
        let either = rival.map_or(expected, |rival| expected.min(self.expected(rival, tuning)));
        let sure = if step.near {
            either * self.bridge.share(tuning)
        } else {
            either
        };
        let evident = counted.filter(|_| !step.holiday);
        self.history.push(evident.map(|counted| (counted, sure)));
        if step.near && !step.holiday {
            self.bridge.add(counted, expected);
        }
        self.fill_block(step, expected, either);
        let now = Now {
            ts: step.ts,
            step_s: self.step_s,
            counted,
            expected: sure,
            holiday: step.holiday,
        };
        if let Some(aftermath) = &mut self.aftermath
            && aftermath.step(step.ts, counted, sure)
        {
            self.end_aftermath();
        }
        let change = match self.episode.take() {
            Some(episode) => self.follow(episode, now, expected, tuning),
            None => self.judge(now, tuning),
        };
        if self.history.at_block_end() {
            self.end_block(step, tuning);
        }
        change
    }

    fn fill_block(&mut self, step: Step, expected: f64, sure: f64) {
        self.block.flags.holiday |= step.holiday;
        self.block.near |= step.near || sure < DIFFERS * expected;
        let Some(count) = step.count else { return };
        if !step.holiday {
            self.day_count += u64::from(count);
            self.block.counted += f64::from(count);
            self.block.expected += expected;
            self.block.evident = true;
            self.day_steps += 1;
        }
    }

    fn judge(&mut self, now: Now, tuning: &Tuning) -> Option<EpisodeChange> {
        let mut verdict = self.channels.weigh(now, &self.history, tuning);
        verdict.score -= self.margin(now.ts, tuning);
        if verdict.score < 0.0 || self.days < 3 || !self.is_supported() {
            self.channels.settle(CLIP_NEVER);
            return None;
        }
        Some(self.open(now, verdict, tuning))
    }

    /// Decades by which the joint score must pass its threshold.
    fn margin(&self, ts: i64, tuning: &Tuning) -> f64 {
        tuning.margin + tuning.margin_busy * self.busy + self.weariness(ts, tuning)
    }

    /// A series that alarms every few days has a noise that nobody has measured: the bar rises with each alarm. One that
    /// comes back is the same: a long drop that wavers would blunt the series for the next ones.
    fn weariness(&self, ts: i64, tuning: &Tuning) -> f64 {
        let recent = self.alarms.iter().filter(|&&at| at > hour_of(ts) - ALARMS_H).count();
        tuning.weary * recent.saturating_sub(tuning.weary_free) as f64
    }

    /// Steps since a moment, two days at most, and what was counted and expected in them.
    fn seen_since(&self, since: i64, now: Now) -> (i64, f64, f64) {
        let steps = ((now.ts - since) / self.step_s + 1).clamp(1, 2 * 86_400 / self.step_s);
        let span = self.history.window(steps);
        let (counted, expected) = span.map_or((0.0, 0.0), |span| (span.counted, span.expected));
        (steps, counted, expected)
    }

    fn open(&mut self, now: Now, verdict: Verdict, tuning: &Tuning) -> EpisodeChange {
        let (steps, counted, expected) = self.seen_since(verdict.since, now);
        let found = Drop {
            onset: verdict.since.min(now.ts),
            detected: now.ts,
            ended: None,
            end: None,
            expected,
            observed: counted,
            score: verdict.score,
            channel: verdict.channel,
            provisional: self.days < tuning.provisional_d,
            worse: false,
        };
        let before = self
            .last
            .filter(|last| now.ts - last.ended.unwrap_or(0) <= tuning.flap_s);
        let drop = before.map_or(found, |last| Drop {
            ended: None,
            end: None,
            ..last
        });
        if before.is_none() {
            self.alarms.rotate_left(1);
            self.alarms[ALARMS - 1] = hour_of(now.ts);
        }
        if self.days >= tuning.mask_d {
            self.mask(steps + BEFORE_S / self.step_s);
        }
        let mut episode = Episode::open(drop, now.ts, counted / expected.max(1e-9));
        if let Some(last) = before {
            episode.before = self.last_peak;
            episode.came_back = now.ts - last.ended.unwrap_or(now.ts) >= APART_S;
        }
        self.episode = Some(Box::new(episode));
        if before.is_some() {
            EpisodeChange::Reopened {
                whole: drop,
                again: found,
            }
        } else {
            EpisodeChange::Opened(drop)
        }
    }

    fn mask(&mut self, steps: i64) {
        let newest = self.history.block_count();
        for count in newest - steps / self.history.block_steps() - 1..=newest {
            let low = self
                .history
                .block(count)
                .is_some_and(|(block, _)| block.counted < LOW * block.expected);
            if low {
                self.history.mask(count);
            }
        }
    }

    fn follow(&mut self, mut episode: Box<Episode>, now: Now, expected: f64, tuning: &Tuning) -> Option<EpisodeChange> {
        let age_s = now.ts - episode.opened();
        let young = self.days < tuning.provisional_d;
        let verdict = self.channels.weigh(now, &self.history, tuning);
        let score = verdict.score - self.margin(now.ts, tuning);
        episode.peak = episode.peak.max(score);
        if self.days < tuning.clip_young_d {
            self.channels.settle(tuning.clip_young);
        }
        let expected = if now.holiday {
            expected * tuning.holiday_share
        } else {
            expected
        };
        let share = episode.known_share().filter(|_| !episode.told_worse && !young);
        let Some(end) = episode.step(now.ts, now.counted, expected, tuning) else {
            let worse = share.and_then(|share| self.worsen(&mut episode, share, now, tuning));
            let worse = worse.or_else(|| self.exceed(&mut episode, Verdict { score, ..verdict }, now));
            self.episode = Some(episode);
            return worse;
        };
        episode.drop.ended = Some(now.ts);
        episode.drop.end = Some(end);
        if let DropEnd::Retired(_) = end {
            self.retired = true;
        } else if end != DropEnd::Recovered {
            let ratio = episode.observed_share() * self.slow.value(tuning.slow_prior);
            self.former = Some(Box::new(FormerLevel::new(self.slow, now.ts)));
            self.slow.set(ratio, ACCEPTED_WEIGHT);
            self.fast = [Ratio::default(); FAST];
        }
        self.channels.settle(if age_s < tuning.short_s {
            CLIP_NEVER
        } else {
            tuning.clip_long
        });
        if end == DropEnd::Recovered && self.is_strong(&episode, now.ts, tuning) {
            self.aftermath = Some(Box::new(Aftermath::new(&episode, now.ts)));
        }
        self.channels.reset(now.ts);
        self.history.set_floor();
        (self.last, self.last_peak) = (Some(episode.drop), episode.highest());
        Some(EpisodeChange::Closed(episode.drop))
    }

    /// Ends the look at what came after a drop: mail that was lost makes its day no measure of usual ones. Mail that was
    /// late may be late again.
    pub(super) fn end_aftermath(&mut self) {
        if self.aftermath.take().is_some_and(|aftermath| aftermath.is_lost()) {
            self.channels.leave_out_today();
        }
    }

    /// Whether a drop is too large for chance: the series knows its tail, and the drop lasted longer than a deploy.
    pub(super) fn is_strong(&self, episode: &Episode, ts: i64, tuning: &Tuning) -> bool {
        self.days >= tuning.mask_d && ts - episode.opened() >= tuning.short_s && episode.peak >= tuning.strong
    }

    /// A drop that gets worse: the rate is held against the share that the drop had left.
    fn worsen(&mut self, episode: &mut Episode, share: f64, now: Now, tuning: &Tuning) -> Option<EpisodeChange> {
        let (score, since) = self.channels.further(now, share, &self.history, tuning);
        let score = score - self.margin(now.ts, tuning);
        let steps = (now.ts - since) / self.step_s + 1;
        let span = self.history.window(steps).filter(|_| score >= 0.0)?;
        episode.told_worse = true;
        Some(EpisodeChange::Worse(Drop {
            onset: since,
            detected: now.ts,
            expected: share * span.expected,
            observed: span.counted,
            score,
            channel: Channel::Cusum(20),
            worse: true,
            ..episode.drop
        }))
    }

    /// A drop that came back, and goes far beyond what it was before: a false alarm or a dip, and then an outage.
    fn exceed(&self, episode: &mut Episode, verdict: Verdict, now: Now) -> Option<EpisodeChange> {
        let is_told = episode.told_worse || episode.told_beyond;
        if is_told || episode.drop.provisional || !episode.is_beyond(verdict.score) {
            return None;
        }
        episode.told_beyond = true;
        let (_, observed, expected) = self.seen_since(verdict.since, now);
        Some(EpisodeChange::Beyond(Drop {
            onset: verdict.since.min(now.ts),
            detected: now.ts,
            expected,
            observed,
            score: verdict.score,
            channel: verdict.channel,
            worse: true,
            ..episode.drop
        }))
    }

    /// Mean rate of a step, and the noise of an hour.
    pub(super) fn noise(&self, tuning: &Tuning) -> (f64, f64) {
        let weekly = self.profile.per_week() * self.slow.value(tuning.slow_prior);
        (
            weekly * self.step_s as f64 / mailpulse_time::WEEK_S as f64,
            self.channels.hour_v(),
        )
    }

    /// The clocks changed at `from`: what was expected since then was due at other hours.
    pub(super) fn move_clocks(&mut self, ts: i64, from: i64) -> Option<EpisodeChange> {
        self.channels.reset(ts);
        self.history.set_floor();
        self.episode.as_ref().filter(|episode| episode.opened() >= from)?;
        let episode = self.episode.take()?;
        let mut drop = episode.drop;
        (drop.ended, drop.end) = (Some(ts), Some(DropEnd::Recovered));
        (self.last, self.last_peak) = (Some(drop), episode.highest());
        Some(EpisodeChange::Closed(drop))
    }

    /// Forgets the last two days after a jump of the clock; what was learned stays. Closes a drop that goes on.
    pub fn leap(&mut self, ts: i64) -> Option<EpisodeChange> {
        self.restart(self.step_s);
        self.channels.reset(ts);
        let episode = self.episode.take()?;
        let mut drop = episode.drop;
        drop.ended = Some(ts);
        drop.end = Some(DropEnd::Unseen);
        (self.last, self.last_peak) = (Some(drop), episode.highest());
        Some(EpisodeChange::Closed(drop))
    }

    pub(super) fn restart(&mut self, step_s: i64) {
        self.step_s = step_s;
        self.history = History::new(step_s, block_s(step_s));
        self.block = OpenEpisode::default();
        self.day = None;
        self.day_steps = 0;
        self.day_count = 0;
    }

    /// Bytes that the series holds.
    pub fn bytes(&self) -> usize {
        let heap = self.profile.heap_bytes() + self.history.heap_bytes() + self.channels.heap_bytes();
        size_of::<Self>() + self.episode.as_ref().map_or(0, |_| size_of::<Episode>()) + heap
    }
}

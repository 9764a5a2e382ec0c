//! Finding out that mail stopped. Pure: no files, no clock of the machine, nothing of the other rooms.
//!
//! # The layers
//!
//! [`engine`] steps through a [`fleet`], minute by minute, replayed or live. Surest first: a relay that is silent
//! ([`silence`]), failures that others tell of ([`burst`]), queues that fill ([`queue`]), busy series under two weeks that
//! send nothing ([`gap`]), volumes below expectation ([`volume`]); and what cannot be seen at all ([`visibility`]).
//! [`schedule`] learns mail of set times, [`declared`] is told of it. [`family`] asks whether everyone sends less. [`group`]
//! makes one alarm of one trouble, with the help of [`routes`]. [`impact`] says afterwards what is lost and what is only
//! late.
//!
//! # The method for volumes
//!
//! A series tells its counts y in steps of a minute (of five below one mail a minute), in its service's civil time.
//!
//! * **Profile** ([`profile`]). Per bin b of the week (an hour; a quarter from a mail a minute on) `n_b = Σ 0.85^k·Q·B`
//!   and `e_b = Σ 0.85^k·Q` over the weeks k, each bin drawn towards its day type and that towards all days. A bin is
//!   folded two days late, so that a drop that is found by then is left out (Q = 0); an unusual bin teaches less, and what
//!   lies more than two standard deviations above its expectation only from its second week on. What is missing at the
//!   same hour of two weeks running is the rhythm: then 0.3 of the past is left. A weekday has its own share of its day
//!   type, as far as the weekdays differ by more than chance and the noise of days.
//! * **Levels** ([`level`]). λ = profile × slow level L₀ (half-life 20 days). Fast levels L_H, H = 1, 4, 12, 48, 192
//!   hours, are weighted ratios of counted to expected, and no block moves one by more than two of its standard
//!   deviations up (L₀) or either way (L_H). A window reads them at its **start**, so that a drop cannot pull its own
//!   expectation down, and takes them for one at most: the usual after a burst is no drop.
//! * **Noise** ([`noise`]). For each window and three of the levels: ρ, the share of the level's deviation that lasts
//!   into the window (a regression), and v, the relative variance beyond chance, from the lower semi-variance. The
//!   level with the least v predicts: `μ = λ·(1 + ρ·(L_H − 1))`.
//! * **Evidence** ([`evidence`](mod@evidence)). N mails in a window against `μ' = 0.9·μ` under a variance μ + v·μ²:
//!   `S = N·ln(N/μ') − (N + 1/v)·ln((1 + v·N)/(1 + v·μ'))`. v is at least `(1.5 min/W)²`: mail may be late by the
//!   minutes of a deploy.
//! * **CUSUM** ([`cusum`]). `C ← C·keep + ((1 − r)·μ + y·ln r)/(1 + v·μ_W)`, r in 0.02, 0.2, 0.5, 0.7, memory 3 days.
//!   The minutes of a deploy divide it by `1 + 1.5²·μ/D`, μ a minute over the D minutes of the run.
//! * **Gap**. Σ λ since the last mail: the exact statistic of silence, and the natural one for three mails a day. In the first
//!   42 days of its tail, the minutes of a deploy divide it as well.
//! * **Calibration** ([`calibrate`]). Each channel keeps its daily maxima over 112 days and scores S in decades beyond the
//!   level that it passes once in 90 days. The largest score of all channels is calibrated the same way, from the same
//!   days, so that the budget holds for all channels together.
//! * **Margin** ([`tuning`]). A drop opens 0.05 decades beyond that, and up to 0.38 more from 30 to 1 000 mails a day: the more
//!   mails, the more of the noise is that of days and people, whose tail is heavier than an exponential one.
//! * **Episodes** ([`episode`]). A drop opens at a score of 0 and closes when a CUSUM from its own share of the rate to
//!   the whole has 3 nats. What was over within half an hour was a deploy, and teaches its whole evidence; a longer one
//!   teaches its threshold at most. The days of a drop that reached 0.7 decades beyond the budget, and whose mail did not come
//!   in the hours after it (`aftermath`), teach neither noise nor thresholds. What comes back within a day is the same drop, and
//!   told as worse where it goes far beyond what it was.
//!   After 5 days a lower rate is the new level, and the old one a rival of it for 14 days (`former_level`); after 28 of silence the series is retired. A rate that falls further, by two CUSUMs against the share that a drop has left, is told once.
//! * **Clocks** ([`clock_change`]). Around the days on which clocks change in Europe and North America, the profile moved by an hour
//!   is a rival. Until the likelihood decides, only what both expect is sure.
//! * **Holidays** ([`holidays`]). On a declared day only full silence speaks. Next to one, two standard deviations less than
//!   what this series sent on such days is sure ([`bridge_days`]); 0.4 of the usual at first.
//!
//! [`Detector`](detector::Detector) runs many series; [`replay`] is the same over a stored history. [`kept`] writes all of it
//! down, with every bit of its numbers, and wakes it again.

// A text that is cut between the bytes of a character is a panic, and log text is hostile.
#![cfg_attr(not(test), warn(clippy::string_slice, clippy::too_many_lines))]

pub mod adaptive_threshold;
mod aftermath;
pub mod alarm;
pub mod blindness;
pub mod bounced;
pub mod bridge_days;
pub mod burst;
pub mod calibrate;
pub mod channels;
pub mod civil;
pub mod clock_change;
pub mod cusum;
mod days;
pub mod declared;
mod declared_day;
pub mod detector;
pub mod engine;
pub mod episode;
pub mod evidence;
pub mod family;
mod finding;
pub mod fleet;
pub mod forecast;
mod former_level;
pub mod gap;
mod gap_step;
pub mod group;
pub mod history;
pub mod holidays;
pub mod host;
pub mod ics;
pub mod impact;
pub mod impact_question;
pub mod kept;
mod leading;
mod learn;
pub mod level;
pub mod mail_part;
mod membership;
mod merge;
mod minifloat;
pub mod noise;
pub mod outcome_ratio;
pub mod outcomes;
pub mod profile;
pub mod queue;
mod refusals;
pub mod rejudged;
pub mod relatives;
pub mod replay;
pub mod rhythm;
pub mod routes;
pub mod schedule;
pub mod series;
pub mod silence;
pub mod sums;
pub mod support;
mod track;
pub mod tuning;
pub mod verdict;
pub mod visibility;
pub mod volume;
pub mod weekly;
mod worse;

#[cfg(test)]
mod declared_tests;
#[cfg(test)]
mod family_tests;
#[cfg(test)]
mod fleet_tests;
#[cfg(test)]
mod group_tests;
#[cfg(test)]
mod impact_tests;
#[cfg(test)]
mod kept_tests;
#[cfg(test)]
mod outcome_tests;
#[cfg(test)]
mod pooled_tests;
#[cfg(test)]
mod rename_tests;
#[cfg(test)]
mod rhythm_tests;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod scope_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod young_tests;

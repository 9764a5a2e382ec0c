//! Mail that comes at set times: a cron job, a nightly report. A series of them has no noise, and no volume to speak of: what
//! its days have in common says when the next mail is due, and a mail that is missing is overdue after some grace.
//!
//! Of the last 42 days it is kept in which ten minutes mail came. Two such slots in which mail came on (nearly) all days
//! of a kind, and seldom in the hours around them, are a time at which it is due. A mail that is due does not come with
//! `p = (m + 0.4)/(n + 1)`, after m misses in n days. Misses in a row, of one time or of all, are overdue once
//! `Π p ≤ budget/(90·due a day)`: at the first one or the second.

use super::channels::Channel;
use super::civil::Civil;
use super::episode::{Drop, DropEnd};
use super::tuning::Tuning;
use serde::{Deserialize, Serialize};

/// Days that are remembered.
const DAYS: usize = 42;
/// Length of a slot, and slots of a day.
const SLOT_S: i64 = 600;
const SLOTS: usize = 144;
/// Slots in which one mail may come: it is not always the same minute.
const WIDTH: usize = 2;
/// Slots beyond them before a mail is overdue.
const GRACE: usize = 2;
/// Days of a kind before a time is known, and of one weekday.
const KNOWN: u32 = 14;
const KNOWN_WEEKS: u32 = 5;
/// Days of a series with other mail as well.
const AMONG_OTHERS: usize = 28;
/// Misses per day of a kind.
const MISSES: f64 = 0.05;
/// Slots around it with which a time is compared.
const AROUND: usize = 12;
/// Evidence in nats that a time is one: of many days, and of those of one weekday, none of which may lack it.
const REGULAR: f64 = 25.0;
const REGULAR_WEEKLY: f64 = 19.0;
/// Slots with mail a day from which on a series is none of set times.
const BUSY: u32 = 72;
/// Share of the slots with mail that are due, where nothing else comes.
const ALONE: f64 = 0.8;
/// Slots of a day that must have been seen.
const SEEN: u32 = 132;
/// Times are looked for every so many days.
const LOOK_D: i32 = 3;
/// Slots by which a clock that may have changed moves a time.
const HOUR: usize = 6;
/// Busy days more than others that make a busy series.
const MOST_BUSY: u32 = 3;
/// Misses in a row after which a time that no days have in common is none.
const FORGOTTEN: u8 = 8;
/// Days of the budget.
const BUDGET_D: f64 = 90.0;

/// A bit for each slot of a day.
type Slots = [u64; 3];

fn has(slots: &Slots, slot: usize) -> bool {
    slots[slot / 64] & (1 << (slot % 64)) != 0
}

fn set(slots: &mut Slots, slot: usize) {
    slots[slot / 64] |= 1 << (slot % 64);
}

fn any(slots: &Slots, from: usize, to: usize) -> bool {
    (from..to.min(SLOTS)).any(|slot| has(slots, slot))
}

fn count(slots: &Slots) -> u32 {
    slots.iter().map(|word| word.count_ones()).sum()
}

/// A day: in which slots mail came, and which were seen.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Day {
    mail: Slots,
    seen: Slots,
    weekday: u8,
    holiday: bool,
    /// Mail was overdue: it says nothing of usual days.
    overdue: bool,
    /// What is due in these slots is declared: nothing that was learned of them counts.
    declared: Slots,
}

/// A time at which mail is due.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Due {
    slot: u8,
    /// A bit for each weekday.
    weekdays: u8,
    /// Nats that a miss is worth.
    nats: f32,
    /// Misses in a row.
    missed: u8,
}

/// Mails that did not come, in a row.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Missed {
    nats: f64,
    mails: u32,
    since: i64,
}

/// What a step may bring.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ScheduleTurn {
    /// A mail is overdue.
    Overdue(Drop),
    /// It is over.
    Over(Drop),
}

/// What a grain brought to a series.
#[derive(Debug, Clone, Copy)]
pub struct Grain {
    /// Its start, Unix seconds.
    pub ts: i64,
    /// Its length, seconds.
    pub grain_s: i64,
    /// Mails; `None` for no data.
    pub count: Option<u64>,
    /// It is a declared holiday.
    pub holiday: bool,
    /// The clocks may have changed in these days.
    pub moved: bool,
}

/// The set times of one series.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Schedule {
    days: Vec<Day>,
    oldest: usize,
    today: Day,
    day: Option<i32>,
    due: Vec<Due>,
    /// The next of them today.
    next: usize,
    missed: Missed,
    open: Option<Drop>,
    /// It is the time of that slot alone that is overdue: others come.
    only: Option<u8>,
    /// Days of which too many slots have mail.
    busy: u32,
    /// Nothing else comes.
    alone: bool,
}

impl Schedule {
    /// Takes what a grain brought.
    pub fn step(&mut self, grain: Grain, civil: Civil, tuning: &Tuning) -> Option<ScheduleTurn> {
        let Grain {
            ts,
            count,
            holiday,
            moved,
            ..
        } = grain;
        let mut turn = None;
        if self.day != Some(civil.day) {
            turn = self.judge(ts, SLOTS + GRACE, moved, tuning);
            self.end_day();
            self.day = Some(civil.day);
            self.today = Day {
                weekday: (civil.week_s / 86_400) as u8,
                holiday,
                ..Day::default()
            };
        }
        let slot = (civil.day_s / SLOT_S) as usize;
        if let Some(count) = count {
            set(&mut self.today.seen, slot);
            if count > 0 {
                set(&mut self.today.mail, slot);
                if self.alone && self.only.is_none() {
                    turn = turn.or_else(|| self.close(ts, DropEnd::Recovered));
                }
            }
        }
        let now = ((civil.day_s + grain.grain_s) / SLOT_S) as usize;
        turn.or_else(|| self.judge(ts, now, moved, tuning))
    }

    /// A moment of today belongs to a time that is declared.
    pub fn excuse(&mut self, civil: Civil) {
        if self.day == Some(civil.day) {
            set(&mut self.today.declared, (civil.day_s / SLOT_S) as usize);
        }
    }

    /// Leaps over days that nobody saw.
    pub fn leap(&mut self, ts: i64) -> Option<ScheduleTurn> {
        (self.day, self.next) = (None, 0);
        self.missed = Missed::default();
        self.close(ts, DropEnd::Unseen)
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.days.capacity() * size_of::<Day>() + self.due.capacity() * size_of::<Due>()
    }

    /// Whether mail comes so often that no time is looked for.
    pub fn is_busy(&self) -> bool {
        self.busy == MOST_BUSY
    }

    /// What is overdue now.
    pub fn ongoing(&self) -> Option<&Drop> {
        self.open.as_ref()
    }

    /// Times of a day at which mail is due, seconds of the day, with a bit for each weekday.
    pub fn times(&self) -> impl Iterator<Item = (i64, u8)> {
        self.due.iter().map(|due| (i64::from(due.slot) * SLOT_S, due.weekdays))
    }

    /// Judges the times that are over at slot `now` of the day.
    fn judge(&mut self, ts: i64, now: usize, moved: bool, tuning: &Tuning) -> Option<ScheduleTurn> {
        let mut turn = None;
        while let Some(due) = self.due.get(self.next).copied() {
            let slot = usize::from(due.slot);
            if slot + WIDTH + GRACE > now {
                break;
            }
            self.next += 1;
            let is_declared = any(&self.today.declared, slot, slot + WIDTH);
            if due.weekdays & (1 << self.today.weekday) == 0 || self.today.holiday || is_declared {
                continue;
            }
            let around = if moved { HOUR } else { 0 };
            let (from, to) = (slot.saturating_sub(1 + around), slot + WIDTH + GRACE + around);
            if self.came(slot, from, to) {
                self.due[self.next - 1].missed = 0;
                self.missed = Missed::default();
                if self.only.is_none_or(|only| only == due.slot) {
                    turn = turn.or_else(|| self.close(ts, DropEnd::Recovered));
                }
            } else if !moved && (slot..(slot + WIDTH).min(SLOTS)).all(|slot| has(&self.today.seen, slot)) {
                turn = turn.or(self.miss(ts, tuning));
            }
        }
        turn
    }

    /// Whether mail came at a time: what comes early or late is not that of another time.
    fn came(&self, slot: usize, from: usize, to: usize) -> bool {
        let is_of = |time: usize, at: usize| (time..time + WIDTH).contains(&at);
        let is_anothers = |at| self.due.iter().any(|due| is_of(usize::from(due.slot), at));
        let mut slots = (from..to.min(SLOTS)).filter(|at| has(&self.today.mail, *at));
        slots.any(|at| is_of(slot, at) || !is_anothers(at))
    }

    /// One did not come.
    fn miss(&mut self, ts: i64, tuning: &Tuning) -> Option<ScheduleTurn> {
        self.today.overdue |= self.open.is_some();
        let due = &mut self.due[self.next - 1];
        due.missed = due.missed.saturating_add(1);
        let own = f64::from(due.missed) * f64::from(due.nats);
        let slot = due.slot;
        if self.missed.mails == 0 {
            // Where its slot begins.
            self.missed.since = ts - ts.rem_euclid(SLOT_S) - (WIDTH + GRACE - 1) as i64 * SLOT_S;
        }
        self.missed.mails += 1;
        self.missed.nats += f64::from(due.nats);
        let beyond = self.missed.nats.max(own) - self.needed(tuning);
        if let Some(open) = &mut self.open {
            open.expected += 1.0;
            let days = (ts - open.detected) / 86_400;
            return (days >= i64::from(tuning.accept_d))
                .then(|| self.accept(ts, tuning))
                .flatten();
        }
        // Where other mail comes as well, one that is missing may have been chance.
        let is_one = self.missed.mails.max(u32::from(self.due[self.next - 1].missed)) < 2;
        let is_chance = !self.alone && (is_one || self.days.len() < AMONG_OTHERS);
        if beyond < 0.0 || is_chance {
            return None;
        }
        self.today.overdue = true;
        let drop = Drop {
            onset: self.missed.since,
            detected: ts,
            ended: None,
            end: None,
            expected: f64::from(self.missed.mails),
            observed: 0.0,
            score: beyond / std::f64::consts::LN_10,
            channel: Channel::Schedule,
            provisional: (self.days.len() as u32) < tuning.provisional_d,
            worse: false,
        };
        self.open = Some(drop);
        self.only = (self.missed.nats < self.needed(tuning)).then_some(slot);
        Some(ScheduleTurn::Overdue(drop))
    }

    /// Nats that keep the budget.
    fn needed(&self, tuning: &Tuning) -> f64 {
        let weekly: u32 = self.due.iter().map(|due| due.weekdays.count_ones()).sum();
        (BUDGET_D * f64::from(weekly) / 7.0 / tuning.budget).max(1.0).ln()
    }

    /// What stays away for days comes no more: its days are as usual as the others.
    fn accept(&mut self, ts: i64, tuning: &Tuning) -> Option<ScheduleTurn> {
        self.days.iter_mut().for_each(|day| day.overdue = false);
        self.today.overdue = false;
        self.due.retain(|due| due.missed == 0);
        self.next = self.due.len();
        self.close(ts, DropEnd::Accepted(tuning.accept_d))
    }

    fn end_day(&mut self) {
        let Some(day) = self.day else { return };
        self.next = 0;
        if count(&self.today.seen) < SEEN {
            return;
        }
        self.busy = match count(&self.today.mail) >= BUSY {
            true => (self.busy + 1).min(MOST_BUSY),
            false => self.busy.saturating_sub(1),
        };
        if self.days.len() < DAYS {
            self.days.push(self.today);
        } else {
            self.days[self.oldest] = self.today;
            self.oldest = (self.oldest + 1) % DAYS;
        }
        if day % LOOK_D == 0 && self.busy < MOST_BUSY {
            self.look();
        }
    }

    /// Looks for the times that the days have in common.
    fn look(&mut self) {
        let usual: Vec<&Day> = self.days.iter().filter(|day| !day.holiday && !day.overdue).collect();
        let common = Common::of(&usual);
        let mut found: Vec<(Due, u32)> = Vec::new();
        for slot in 0..SLOTS {
            let Some(due) = common.due(slot) else { continue };
            let mails = common.mails(slot, due.weekdays);
            // Of times that overlap, the one with more mail in its first slot.
            match found.last_mut() {
                Some((last, most)) if usize::from(last.slot) + WIDTH > slot => {
                    if mails > *most {
                        (*last, *most) = (due, mails);
                    }
                }
                _ => found.push((due, mails)),
            }
        }
        let before = std::mem::take(&mut self.due);
        self.due = found.into_iter().map(|(due, _)| due).collect();
        let is_same = |a: &Due, b: &Due| a.slot.abs_diff(b.slot) <= 1;
        for due in &mut self.due {
            due.missed = before.iter().find(|old| is_same(old, due)).map_or(0, |old| old.missed);
        }
        // What is missing is due until it is overdue, or forgotten.
        for old in before {
            if (1..FORGOTTEN).contains(&old.missed) && !self.due.iter().any(|due| is_same(&old, due)) {
                self.due.push(old);
            }
        }
        self.due.sort_by_key(|due| due.slot);
        let slots = |day: &&Day| count(&day.mail);
        let is_due = |slot: usize| {
            self.due
                .iter()
                .any(|due| (-1..=WIDTH as i32).contains(&(slot as i32 - i32::from(due.slot))))
        };
        let at_times = |day: &&Day| (0..SLOTS).filter(|slot| has(&day.mail, *slot) && is_due(*slot)).count();
        let all: u32 = usual.iter().map(slots).sum();
        let due: usize = if self.due.is_empty() {
            0
        } else {
            usual.iter().map(at_times).sum()
        };
        self.alone = due > 0 && due as f64 >= ALONE * f64::from(all);
    }

    fn close(&mut self, ts: i64, end: DropEnd) -> Option<ScheduleTurn> {
        let mut drop = self.open.take()?;
        self.only = None;
        (drop.ended, drop.end) = (Some(ts), Some(end));
        self.missed = Missed::default();
        self.due.iter_mut().for_each(|due| due.missed = 0);
        Some(ScheduleTurn::Over(drop))
    }
}

/// What days have in common, by weekday.
struct Common {
    days: [u32; 7],
    /// Days with mail in a slot, and in as many from it on as one mail may come in.
    one: Box<[[u8; SLOTS]; 7]>,
    wide: Box<[[u8; SLOTS]; 7]>,
}

/// All days, and those of work.
const ALL: u8 = 0x7f;
const WORK: u8 = 0x1f;

impl Common {
    fn of(days: &[&Day]) -> Common {
        let mut common = Common {
            days: [0; 7],
            one: Box::new([[0; SLOTS]; 7]),
            wide: Box::new([[0; SLOTS]; 7]),
        };
        for day in days {
            let weekday = usize::from(day.weekday % 7);
            common.days[weekday] += 1;
            for slot in 0..SLOTS {
                common.one[weekday][slot] += u8::from(has(&day.mail, slot));
                common.wide[weekday][slot] += u8::from(any(&day.mail, slot, slot + WIDTH));
            }
        }
        common
    }

    fn sum(&self, weekdays: u8, of: impl Fn(usize) -> u32) -> u32 {
        (0..7).filter(|day| weekdays & (1 << day) != 0).map(of).sum()
    }

    fn mails(&self, slot: usize, weekdays: u8) -> u32 {
        self.sum(weekdays, |day| u32::from(self.one[day][slot]))
    }

    /// The time that begins with a slot, on as many weekdays as have it.
    fn due(&self, slot: usize) -> Option<Due> {
        let is_one = |weekdays: u8, (least, nats): (u32, f64)| {
            let (hits, days) = self.hits(slot, weekdays);
            days >= least
                && f64::from(days - hits) <= MISSES * f64::from(days)
                && self.regularity(slot, weekdays) >= nats
        };
        let single = (0..7)
            .map(|day| 1 << day)
            .filter(|day| is_one(*day, (KNOWN_WEEKS, REGULAR_WEEKLY)));
        let weekdays = if is_one(ALL, (KNOWN, REGULAR)) {
            ALL
        } else if is_one(WORK, (KNOWN, REGULAR)) {
            WORK
        } else {
            single.fold(0, |all, day| all | day)
        };
        let (hits, days) = self.hits(slot, weekdays);
        let miss = (f64::from(days - hits) + 0.4) / (f64::from(days) + 1.0);
        (weekdays != 0).then(|| Due {
            slot: slot as u8,
            weekdays,
            nats: -miss.ln() as f32,
            missed: 0,
        })
    }

    fn hits(&self, slot: usize, weekdays: u8) -> (u32, u32) {
        let hits = self.sum(weekdays, |day| u32::from(self.wide[day][slot]));
        (hits, self.sum(weekdays, |day| self.days[day]))
    }

    /// Nats by which mail comes at that time more often than around it, beyond chance.
    fn regularity(&self, slot: usize, weekdays: u8) -> f64 {
        let (hits, days) = self.hits(slot, weekdays);
        let near = slot.saturating_sub(1)..slot + WIDTH + 1;
        let around =
            (slot.saturating_sub(AROUND)..(slot + WIDTH + AROUND).min(SLOTS)).filter(|other| !near.contains(other));
        let (mut mails, mut slots) = (0, 0);
        for other in around {
            mails += self.mails(other, weekdays);
            slots += 1;
        }
        let (hits, days) = (f64::from(hits), f64::from(days));
        let mut seen = f64::from(slots) * days;
        // What comes at that time of other days as well is not of this weekday.
        if weekdays.count_ones() == 1 {
            let range = slot.saturating_sub(AROUND)..(slot + WIDTH + AROUND).min(SLOTS);
            seen += range.len() as f64 * f64::from(self.sum(ALL & !weekdays, |day| self.days[day]));
            mails += range.map(|other| self.mails(other, ALL & !weekdays)).sum::<u32>();
        }
        let rate = f64::from(mails) / seen.max(1.0);
        let chance = (1.0 - (1.0 - rate).powi(WIDTH as i32)).clamp(0.02, 0.999);
        let share = (hits / days).min(0.999);
        if share <= chance {
            return 0.0;
        }
        hits * (share / chance).ln() + (days - hits) * ((1.0 - share) / (1.0 - chance)).ln()
    }
}

/// A minute since 1970, in words.
pub(super) fn utc(at: i64) -> String {
    let time = jiff::Timestamp::from_second(at.saturating_mul(60));
    time.map_or_else(
        |_| format!("minute {at}"),
        |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    )
}

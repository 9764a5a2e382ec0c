//! The backlog: what waits in the MTAs' queues at a moment, as far as their logs tell.
//!
//! A day at a time, the store says which mails had not left their queue by the end of the day; of those, all rows are read
//! once more, and tell which copies wait. Only what waits is held in memory, up to a limit.

mod drain;
mod levels;
mod stay;

pub use drain::Drain;
pub use levels::{BACKLOG, QueueLevels, queue_levels};
pub use stay::WaitState;

use crate::model::queue_id::exim_time_ms;
use crate::model::time::{DAY_MS, MINUTE_MS, UtcMs};
use crate::normalise::provider::{OTHER, in_rates};
use crate::query::history::MailHistory;
use crate::query::{QueryError, Window, steadily};
use drain::Minutes;
use levels::LevelCount;
use stay::{KINDS, QueueStay, StayLine};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::BuildHasher as _;

/// How far back a mail is looked for that waits: MTAs give up after days, what is frozen stays for weeks.
pub const BEFORE_MS: i64 = 35 * DAY_MS;

/// Mails that may wait at once, unless somebody asks for more: each takes about 500 bytes of memory.
pub const WAITING_MAILS_MAX: u32 = 500_000;

/// Minutes of which the drain is judged.
const MINUTES: usize = 1440;

/// What waits together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Group {
    /// Whose mail.
    pub service: String,
    /// On which host.
    pub relay: String,
    /// Who runs the receiving side, by its name in rates; empty where nothing was tried yet, or stays here.
    pub provider: String,
}

/// By what the backlog is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueueBy {
    /// Service and relay.
    #[default]
    Queue,
    /// Whose mail it is.
    Service,
    /// Where it waits.
    Relay,
    /// Who is to take it.
    Provider,
}

impl QueueBy {
    fn group(self, service: &str, relay: &str, provider: &str) -> Group {
        let only = |is_meant: bool, name: &str| if is_meant { name.to_owned() } else { String::new() };
        Group {
            service: only(matches!(self, QueueBy::Queue | QueueBy::Service), service),
            relay: only(matches!(self, QueueBy::Queue | QueueBy::Relay), relay),
            provider: only(self == QueueBy::Provider, in_rates(provider)),
        }
    }
}

/// What is asked of a backlog.
#[derive(Debug, Clone, Copy)]
pub struct BacklogQuestion {
    /// The moment, UTC milliseconds.
    pub at_ms: UtcMs,
    /// From when on its course is asked, too.
    pub since_ms: Option<UtcMs>,
    /// By what it is told apart.
    pub by: QueueBy,
    /// More mails that wait at once are an error.
    pub mails_max: usize,
}

impl BacklogQuestion {
    /// What waits at a moment (UTC milliseconds), by service and relay, as far as the usual limit goes.
    pub fn at(at_ms: UtcMs) -> Self {
        BacklogQuestion {
            at_ms,
            since_ms: None,
            by: QueueBy::Queue,
            mails_max: WAITING_MAILS_MAX as usize,
        }
    }

    /// Minutes of which the course is followed.
    fn minutes(&self) -> usize {
        let asked = self
            .since_ms
            .map_or(0, |since| self.at_ms.minute() - since.minute() + 1);
        usize::try_from(asked.min(BEFORE_MS / MINUTE_MS))
            .unwrap_or(0)
            .max(MINUTES)
    }
}

/// What waits of a group, or of all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Waiting {
    /// Mails that will be tried again; one that waits for several services counts with each.
    pub messages: u64,
    /// Their recipients that have not got it.
    pub recipients: u64,
    /// Arrival of the oldest of them, UTC milliseconds.
    pub oldest_ms: Option<UtcMs>,
    /// The oldest came before the store begins: it is older than that.
    pub is_older: bool,
    /// When one of them is expected to be tried next, UTC milliseconds.
    pub next_try_ms: Option<UtcMs>,
    /// Mails that Exim set aside.
    pub frozen: u64,
    /// Mails in Postfix' hold queue.
    pub held: u64,
    /// Mails whose last line is more than a day older than their log: its end was not read.
    pub quiet: u64,
    /// How fast it drains; none if it does not.
    pub drain: Option<Drain>,
}

/// The backlog of a moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueueBacklog {
    /// By group.
    pub groups: BTreeMap<Group, Waiting>,
    /// Of all, each mail once.
    pub total: Waiting,
    /// By group, recipients that waited at the end of each minute, the last of which is that of the moment; empty if not
    /// asked.
    pub course: BTreeMap<Group, Vec<i64>>,
    /// From which rates tell how many mails were in the queues before and after.
    pub levels: QueueLevels,
}

/// What waits at a moment.
///
/// # Errors
/// The store cannot be read, or too many mails wait.
pub fn backlog(store: &dyn MailHistory, question: BacklogQuestion) -> Result<QueueBacklog, QueryError> {
    let BacklogQuestion { at_ms, mails_max, .. } = question;
    let Some((first, _)) = store.span(at_ms)? else {
        return Ok(QueueBacklog::default());
    };
    let window = Window {
        since_ms: first.max(at_ms - BEFORE_MS).floor_to(MINUTE_MS),
        until_ms: at_ms.saturating_add(1),
    };
    let mut stays = unfinished(store, window, mails_max)?;
    let names = follow(store, &mut stays, window)?;
    let read = read_until(store, window)?;
    let mut counted = Counted::new(question);
    for ((relay, id), stay) in &stays.all {
        let read_ms = read.get(relay).copied().unwrap_or(at_ms);
        counted.add((relay, id), stay, read_ms, &names);
    }
    counted.add_left(store, window)?;
    let levels = std::mem::take(&mut counted.levels).finish(store, window)?;
    Ok(QueueBacklog {
        levels,
        ..counted.finish()
    })
}

/// Mails by host and queue ID.
#[derive(Debug, Default)]
struct Stays {
    all: HashMap<(String, String), QueueStay>,
    /// The first row of them, UTC milliseconds.
    first_ms: Option<UtcMs>,
}

/// Rows of a day by mail: the last one that left it in the queue, and the one that ended its stay.
const UNFINISHED: &str = "SELECT host, queue_id, first, last, done, arrivals, ends FROM \
    (SELECT host, queue_id, MIN(ts_ms) AS first, \
            MAX(CASE WHEN kind = 'completed' OR kind = 'discarded' AND recipients = 0 THEN NULL ELSE ts_ms END) AS last, \
            MAX(CASE WHEN kind = 'completed' OR kind = 'discarded' AND recipients = 0 THEN ts_ms ELSE NULL END) AS done, \
            SUM(CASE WHEN kind = 'accepted' THEN 1 ELSE 0 END) AS arrivals, \
            SUM(CASE WHEN kind = 'completed' THEN 1 ELSE 0 END) AS ends \
     FROM events WHERE queue_id <> '' AND kind IN ('accepted', 'deferred', 'delivered', 'bounced', 'discarded', 'expired', \
          'suppressed', 'frozen', 'completed') \
     GROUP BY host, queue_id) AS stays \
    WHERE arrivals <> ends OR done IS NULL OR last > done";

/// Mails that may not have left their queue.
fn unfinished(store: &dyn MailHistory, window: Window, mails_max: usize) -> Result<Stays, QueryError> {
    let mut stays: HashMap<(String, String), UtcMs> = HashMap::new();
    for day in days(window) {
        let table = store.select(UNFINISHED, day)?;
        for row in 0..table.rows() {
            let mail = (table.text(0, row).to_owned(), table.text(1, row).to_owned());
            let [first, last, done, arrivals, ends] = [2, 3, 4, 5, 6].map(|column| table.number(column, row));
            // Of one second, an ID may have been freed and given out again.
            let is_again = arrivals > ends && ends > Some(0);
            let is_done = done.is_some() && done >= last && !is_again;
            if is_done {
                stays.remove(&mail);
                continue;
            }
            stays.entry(mail).or_insert(first.map_or(day.since_ms, UtcMs::new));
        }
        if stays.len() > mails_max {
            return Err(QueryError::Question(format!(
                "more than {mails_max} mails wait in their queues at once; `mailpulse queue --mails-max` raises this limit, at \
                 about 500 bytes of memory a mail"
            )));
        }
    }
    Ok(Stays {
        first_ms: stays.values().copied().min(),
        all: stays.into_keys().map(|mail| (mail, QueueStay::default())).collect(),
    })
}

/// A window as days, as segments are.
fn days(window: Window) -> impl Iterator<Item = Window> {
    let first = window.since_ms.day();
    let last = (window.until_ms - 1).day();
    first.up_to(last + 1).map(move |day| Window {
        since_ms: window.since_ms.max(day.start()),
        until_ms: window.until_ms.min((day + 1).start()),
    })
}

/// A row of a day, with numbers for its mail.
type DayLine = (usize, StayLine);

/// Names by their numbers.
#[derive(Debug, Clone)]
struct StayNames {
    services: Vec<String>,
    /// The first one is not known, and the second all that have no name.
    providers: Vec<String>,
}

fn number(names: &mut Vec<String>, name: &str) -> u32 {
    let known = names.iter().position(|known| known == name);
    let at = known.unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    });
    at as u32
}

/// Shows each mail its rows, in order; gives the names by their numbers.
fn follow(store: &dyn MailHistory, stays: &mut Stays, window: Window) -> Result<StayNames, QueryError> {
    let mut names = StayNames {
        services: Vec::new(),
        providers: vec![String::new(), OTHER.to_owned()],
    };
    let Some(first_ms) = stays.first_ms else {
        return Ok(names);
    };
    let (mails, mut found): (Vec<(String, String)>, Vec<QueueStay>) =
        std::mem::take(&mut stays.all).into_iter().unzip();
    let numbers: HashMap<(&str, &str), usize> = mails
        .iter()
        .zip(0..)
        .map(|((host, id), at)| ((host.as_str(), id.as_str()), at))
        .collect();
    let ids: HashSet<String> = mails.iter().map(|(_, id)| id.clone()).collect();
    let since_ms = window.since_ms.max(first_ms);
    for day in days(Window { since_ms, ..window }) {
        let (mut lines, known) = steadily(|| lines_of(store, &numbers, &ids, (day, names.clone())))?;
        names = known;
        lines.sort_by_key(|(_, line)| (line.ts_ms, line.offset, line.kind));
        lines.iter().for_each(|(mail, line)| found[*mail].take(line));
    }
    drop(numbers);
    stays.all = mails.into_iter().zip(found).collect();
    Ok(names)
}

/// The rows of a day, and the names that they number.
fn lines_of(
    store: &dyn MailHistory,
    numbers: &HashMap<(&str, &str), usize>,
    ids: &HashSet<String>,
    (day, mut names): (Window, StayNames),
) -> Result<(Vec<DayLine>, StayNames), QueryError> {
    let hasher = rustc_hash::FxBuildHasher;
    let mut lines = Vec::new();
    store.stays(ids, day, &mut |row| {
        let kind = KINDS.iter().position(|kind| *kind == row.kind);
        let (Some(kind), Some(mail)) = (kind, numbers.get(&(row.host, row.queue_id))) else {
            return;
        };
        let recipient = (row.recipient_local, row.recipient_domain);
        let line = StayLine {
            ts_ms: row.ts_ms,
            offset: row.offset,
            kind: kind as u8,
            service: number(&mut names.services, row.service),
            provider: number(&mut names.providers, in_rates(row.provider)),
            recipients: u32::try_from(row.recipients).unwrap_or(0),
            recipient: (recipient != ("", "")).then(|| hasher.hash_one(recipient)),
        };
        lines.push((*mail, line));
    })?;
    Ok((lines, names))
}

/// Until when each host's log was read.
fn read_until(store: &dyn MailHistory, window: Window) -> Result<HashMap<String, UtcMs>, QueryError> {
    let mut read: HashMap<String, UtcMs> = HashMap::new();
    for covered in store.coverage(window.since_ms)? {
        if covered.from_ms < window.until_ms {
            let last = read.entry(covered.host).or_insert(UtcMs::MIN);
            *last = (*last).max(covered.to_ms.min(window.until_ms));
        }
    }
    Ok(read)
}

/// Groups on their way to being counted.
struct Counted {
    question: BacklogQuestion,
    backlog: QueueBacklog,
    minutes: BTreeMap<Group, Minutes>,
    levels: LevelCount,
}

impl Counted {
    fn new(question: BacklogQuestion) -> Self {
        Counted {
            question,
            backlog: QueueBacklog::default(),
            minutes: BTreeMap::new(),
            levels: LevelCount::default(),
        }
    }

    fn add(&mut self, (relay, id): (&String, &String), stay: &QueueStay, read_ms: UtcMs, names: &StayNames) {
        let Some(mut waits) = stay.waits(read_ms) else {
            return;
        };
        let (mut came_ms, mut is_known) = stay.came();
        let by_id = exim_time_ms(id.as_bytes());
        if !is_known && let Some(ms) = by_id {
            (came_ms, is_known) = (ms, true);
        }
        // Exim has no hold queue: it froze this one before the store begins.
        if waits == WaitState::Held && by_id.is_some() {
            waits = WaitState::Frozen;
        }
        // What Postfix holds has not arrived in its queue.
        if waits != WaitState::Held {
            let pair = (names.services[stay.service() as usize].clone(), relay.clone());
            self.levels.add(pair, stay.has_arrived(), stay.changes(waits, came_ms));
        }
        let next_try_ms = stay.next_try_ms(self.question.at_ms);
        // A mail counts once in each group.
        let mut waiting: BTreeMap<Group, u32> = BTreeMap::new();
        for ((service, provider), recipients) in stay.waiting() {
            let (service, provider) = (&names.services[service as usize], &names.providers[provider as usize]);
            *waiting
                .entry(self.question.by.group(service, relay, provider))
                .or_default() += recipients;
        }
        let all: u32 = waiting.values().sum();
        let of = |recipients: u32| WaitingMail {
            waits,
            recipients,
            came_ms,
            is_known,
            next_try_ms,
        };
        self.backlog.total.add(of(all));
        for (group, recipients) in waiting {
            if waits == WaitState::ForRetry {
                let minutes = self.minutes_of(&group);
                minutes.add(i64::from(recipients), came_ms, None);
            }
            self.backlog.groups.entry(group).or_default().add(of(recipients));
        }
    }

    fn minutes_of(&mut self, group: &Group) -> &mut Minutes {
        let question = self.question;
        let minutes = self.minutes.entry(group.clone());
        minutes.or_insert_with(|| Minutes::until(question.at_ms, question.minutes()))
    }

    /// Adds what waited during the last day, or as long as its course is asked, and has left.
    fn add_left(&mut self, store: &dyn MailHistory, window: Window) -> Result<(), QueryError> {
        let is_all = self.question.since_ms.is_some();
        if self.minutes.is_empty() && !is_all {
            return Ok(());
        }
        let BacklogQuestion { at_ms, by, .. } = self.question;
        let length_ms = self.question.minutes() as i64 * MINUTE_MS;
        let since_ms = window.since_ms.max(at_ms - length_ms);
        for day in days(Window { since_ms, ..window }) {
            let table = store.select(LEFT, day)?;
            for row in 0..table.rows() {
                let [service, relay, provider] = [0, 1, 2].map(|column| table.text(column, row));
                let group = by.group(service, relay, provider);
                if !is_all && !self.minutes.contains_key(&group) {
                    continue;
                }
                let [Some(minute), Some(waited), Some(left)] = [3, 4, 5].map(|column| table.number(column, row)) else {
                    continue;
                };
                self.minutes_of(&group)
                    .add(left, UtcMs::new(minute - waited), Some(UtcMs::new(minute)));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> QueueBacklog {
        let at_ms = self.question.at_ms;
        let mut all = Minutes::until(at_ms, self.question.minutes());
        let of_day = |course: &[i64]| drain::forecast(&course[course.len().saturating_sub(MINUTES)..], at_ms);
        for (group, minutes) in &self.minutes {
            all.add_all(minutes);
            let course = minutes.backlog();
            if let Some(waiting) = self.backlog.groups.get_mut(group) {
                waiting.drain = of_day(&course);
            }
            if self.question.since_ms.is_some() {
                self.backlog.course.insert(group.clone(), course);
            }
        }
        self.backlog.total.drain = of_day(&all.backlog());
        self.backlog
    }
}

/// Recipients that left after more than a minute in a queue, by minute and by how long they waited.
const LEFT: &str = "SELECT service, host, provider, minute, waited, SUM(n) AS recipients FROM \
    (SELECT service, host, provider, ts_ms - ts_ms % 60000 AS minute, queue_ms - queue_ms % 60000 AS waited, recipients AS n FROM events \
     WHERE kind IN ('delivered', 'bounced', 'discarded', 'expired', 'suppressed') AND queue_ms >= 60000) AS left_mail \
    GROUP BY service, host, provider, minute, waited";

/// One mail, as far as it counts.
#[derive(Clone, Copy)]
struct WaitingMail {
    waits: WaitState,
    recipients: u32,
    came_ms: UtcMs,
    is_known: bool,
    next_try_ms: Option<UtcMs>,
}

impl Waiting {
    fn add(&mut self, one: WaitingMail) {
        match one.waits {
            WaitState::Frozen => self.frozen += 1,
            WaitState::Held => self.held += 1,
            WaitState::Quiet => self.quiet += 1,
            WaitState::ForRetry => {
                self.messages += 1;
                self.recipients += u64::from(one.recipients);
                if self.oldest_ms.is_none_or(|oldest| one.came_ms < oldest) {
                    (self.oldest_ms, self.is_older) = (Some(one.came_ms), !one.is_known);
                }
                self.next_try_ms = self.next_try_ms.into_iter().chain(one.next_try_ms).min();
            }
        }
    }
}

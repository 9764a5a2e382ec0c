//! What a stretch of time was like, for people who were not there: mail by service against the weeks before, alarms and what
//! they cost, providers, reasons, times without logs, and what changed.
//!
//! Nothing in it depends on when it is made: it says what is known four hours after the end, and names that moment.

use super::backlog::{BacklogQuestion, backlog};
use super::incident::report::hurt;
use super::incident::{Judged, judge_window};
use super::kept::Kept;
use super::mail_history::PastMail;
use super::present::{minutes_until, replay};
use super::providers::{Attempts, providers};
use super::weeks;
use crate::detect::alarm::Alarm;
use crate::detect::engine::Options;
use crate::detect::fleet::Names;
use crate::detect::impact::ServiceImpact;
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, Minute, UtcMs};
use crate::planned::{Planned, WorkMark};
use crate::query::history::MailHistory;
use crate::query::rates::{By, RateQuestion};
use crate::query::series::SeriesSet;
use crate::query::{QueryError, SumsOf, Window};
use crate::store::catalogue::Covered;
use anyhow::Result;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// What is known so long after the end is part of it.
pub(crate) const HINDSIGHT_MS: i64 = 4 * HOUR_MS;
/// Weeks before, of which the average is what is usual.
const WEEKS: i64 = 4;
/// A shorter time without lines is none without logs.
const BLIND_MS: i64 = 5 * MINUTE_MS;
/// Alarms whose cost is computed.
const JUDGED: usize = 20;

/// What was asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReportQuestion {
    /// The time, in whole minutes.
    pub window: Window,
    /// Where time ends: nothing later is known.
    pub end_ms: UtcMs,
}

impl ReportQuestion {
    /// The moment as of which everything is known.
    fn known_ms(self) -> UtcMs {
        (self.window.until_ms + HINDSIGHT_MS)
            .min(self.end_ms)
            .max(self.window.until_ms)
    }
}

/// The report.
#[derive(Debug)]
pub(crate) struct MailReport {
    /// Of when.
    pub window: Window,
    /// As of when, UTC milliseconds.
    pub known_ms: UtcMs,
    /// All mail.
    pub total: ServiceVolume,
    /// What comes of it, in a sentence; none without a week before.
    pub sentence: Option<String>,
    /// Services, those with the most mail first.
    pub services: Vec<ServiceVolume>,
    /// Alarms that overlap the time, in the order of their onsets.
    pub alarms: Vec<ReportedAlarm>,
    /// Names of what they are about.
    pub names: Names,
    /// Providers, those with the most attempts first.
    pub providers: Vec<ProviderVolume>,
    /// Why mail was put off or failed, the most frequent first.
    pub reasons: Vec<ReasonCount>,
    /// Times in which the log of a host was not read.
    pub blind: Vec<BlindTime>,
    /// Mails that waited at the end, and since when the oldest did; none where too many do.
    pub waiting: Option<(u64, Option<UtcMs>)>,
    /// What people noted.
    pub marks: Vec<WorkMark>,
    /// Mail by service, for a graph.
    pub rates: SeriesSet,
    /// The question that it answers.
    pub rates_question: RateQuestion,
}

/// Mails of a service, now and before.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ServiceVolume {
    pub service: String,
    pub messages: u64,
    /// Messages in the same time of each of the weeks before, the last one first; only weeks that the history has as a whole.
    pub before: Vec<u64>,
}

impl ServiceVolume {
    /// Their average; none without a week before.
    #[must_use]
    pub(crate) fn usual(&self) -> Option<f64> {
        (!self.before.is_empty()).then(|| self.before.iter().sum::<u64>() as f64 / self.before.len() as f64)
    }

    /// By how many per cent it is more or less.
    #[must_use]
    pub(crate) fn change(&self) -> Option<f64> {
        let usual = self.usual().filter(|usual| *usual > 0.0)?;
        Some((self.messages as f64 / usual - 1.0) * 100.0)
    }

    /// It had no mail in the weeks before.
    #[must_use]
    pub(crate) fn is_new(&self) -> bool {
        self.messages > 0 && self.usual() == Some(0.0)
    }

    /// It has no mail any more.
    #[must_use]
    pub(crate) fn is_gone(&self) -> bool {
        self.messages == 0 && self.usual().is_some_and(|usual| usual > 0.0)
    }
}

/// An alarm and what it cost.
#[derive(Debug)]
pub(crate) struct ReportedAlarm {
    /// The alarm.
    pub alarm: Alarm,
    /// Services whose mail was lost or late, most missing first.
    pub hurt: Vec<ServiceImpact>,
}

/// What a provider did with our mail.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ProviderVolume {
    pub provider: String,
    pub attempts: Attempts,
    /// Those of the weeks before.
    pub usual: Attempts,
    /// The most frequent reason, with how often it came.
    pub reason: Option<(String, i64)>,
}

/// How often a reason was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReasonCount {
    /// The reason.
    pub reason: String,
    /// Attempts that were put off.
    pub deferred: i64,
    /// Copies that failed.
    pub failed: i64,
}

/// A time in which the log of a host was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlindTime {
    pub host: String,
    /// Its beginning, UTC milliseconds.
    pub from_ms: UtcMs,
    /// Its end.
    pub to_ms: UtcMs,
}

/// Makes it.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn mail_report(
    store: &dyn MailHistory,
    kept: &Kept,
    options: Options,
    question: ReportQuestion,
    planned: &Planned,
) -> Result<MailReport> {
    let (window, known_ms) = (question.window, question.known_ms());
    let rates_question = rates_question(store, window);
    let rates = store.rates(&rates_question)?;
    let services = volumes(store, &rates_question, &rates)?;
    let total = total_of(&services);
    let (alarms, names) = alarms(store, kept, options, window, known_ms)?;
    let waiting = backlog(store, BacklogQuestion::at(window.until_ms)).ok();
    let inside = |mark: &&WorkMark| (window.since_ms..window.until_ms).contains(&mark.at_ms);
    Ok(MailReport {
        window,
        known_ms,
        sentence: weeks::sentence((window, &TimeZone::UTC), total.messages as f64, &floats(&total.before)),
        total,
        services,
        alarms,
        names,
        providers: by_provider(store, window)?,
        reasons: reasons(store, window)?,
        blind: blind_times(&store.coverage(window.since_ms)?, window),
        waiting: waiting.map(|found| (found.total.messages, found.total.oldest_ms)),
        marks: planned.marks.iter().filter(inside).cloned().collect(),
        rates,
        rates_question,
    })
}

fn floats(numbers: &[u64]) -> Vec<f64> {
    numbers.iter().map(|number| *number as f64).collect()
}

/// By the hour where the time is of whole hours: that is read from roll-ups.
fn rates_question(store: &dyn MailHistory, window: Window) -> RateQuestion {
    let is_whole = |at: UtcMs| at == at.floor_to(HOUR_MS);
    let is_hourly = is_whole(window.since_ms) && is_whole(window.until_ms);
    let step_ms = if is_hourly { HOUR_MS } else { MINUTE_MS };
    RateQuestion::accepted(window, step_ms, By::Service, store.view())
}

/// Messages by service.
fn sums(set: &SeriesSet) -> BTreeMap<String, u64> {
    let minutes = (set.step_ms / MINUTE_MS) as f64;
    let sum = |points: &[Option<f64>]| (points.iter().flatten().sum::<f64>() * minutes).round() as u64;
    let of = set
        .series
        .iter()
        .map(|series| (series.name.clone(), sum(&series.points)));
    of.collect()
}

fn volumes(
    store: &dyn MailHistory,
    question: &RateQuestion,
    rates: &SeriesSet,
) -> Result<Vec<ServiceVolume>, QueryError> {
    let first_ms = store.span(question.window.until_ms)?.map(|(first, _)| first);
    let mut all: BTreeMap<String, ServiceVolume> = BTreeMap::new();
    for (service, messages) in sums(rates) {
        all.entry(service).or_default().messages = messages;
    }
    let mut before = Vec::new();
    for back in 1..=WEEKS {
        let by_ms = back * 7 * DAY_MS;
        let window = Window {
            since_ms: question.window.since_ms - by_ms,
            until_ms: question.window.until_ms - by_ms,
        };
        // The first mail of a day comes some time after midnight.
        if first_ms.is_none_or(|first| window.since_ms + HOUR_MS < first) {
            break;
        }
        before.push(sums(&store.rates(&RateQuestion {
            window,
            ..question.clone()
        })?));
    }
    for service in before.iter().flat_map(BTreeMap::keys) {
        all.entry(service.clone()).or_default();
    }
    let mut services: Vec<ServiceVolume> = all
        .into_iter()
        .map(|(service, volume)| ServiceVolume {
            before: before
                .iter()
                .map(|week| week.get(&service).copied().unwrap_or(0))
                .collect(),
            service,
            ..volume
        })
        .collect();
    services.sort_by(|a, b| b.messages.cmp(&a.messages).then_with(|| a.service.cmp(&b.service)));
    Ok(services)
}

fn total_of(services: &[ServiceVolume]) -> ServiceVolume {
    let weeks = services.first().map_or(0, |one| one.before.len());
    ServiceVolume {
        service: String::new(),
        messages: services.iter().map(|one| one.messages).sum(),
        before: (0..weeks)
            .map(|week| services.iter().map(|one| one.before[week]).sum())
            .collect(),
    }
}

/// What was told in the time, and what it cost by what is known now.
fn alarms(
    store: &dyn MailHistory,
    kept: &Kept,
    options: Options,
    window: Window,
    known_ms: UtcMs,
) -> Result<(Vec<ReportedAlarm>, Names)> {
    let rhythms = options.rhythms.clone();
    if store.span(known_ms)?.is_none() {
        return Ok((Vec::new(), Names::default()));
    }
    let history = replay(store, kept, options, known_ms, known_ms)?;
    let (from, to) = (window.since_ms.minute(), window.until_ms.minute());
    let minutes = minutes_until(store, known_ms, known_ms)?;
    let groups = history.engine.groups;
    let mut told: Vec<Alarm> = groups
        .told()
        .filter(|alarm| alarm.overlaps(from, to))
        .cloned()
        .collect();
    told.sort_by_key(|alarm| (alarm.onset, alarm.id));
    let mut past = PastMail::open(store, history.names, minutes)?;
    let mut alarms = Vec::new();
    for (number, alarm) in told.into_iter().enumerate() {
        let hurt = match alarm.state.is_about_mail() && number < JUDGED {
            true => cost(&judge_window(&mut past, &groups, &rhythms, lasted(&alarm, minutes.1))?),
            false => Vec::new(),
        };
        alarms.push(ReportedAlarm { alarm, hurt });
    }
    Ok((alarms, past.names))
}

/// From the first missing mail to the end of an alarm.
fn lasted(alarm: &Alarm, end: Minute) -> Window {
    let since = alarm
        .cause
        .as_ref()
        .map_or(alarm.onset, |cause| cause.silent_from.min(alarm.onset));
    Window {
        since_ms: since.start(),
        until_ms: alarm.ended.unwrap_or(end).max(since + 1).start(),
    }
}

fn cost(judged: &Judged) -> Vec<ServiceImpact> {
    hurt(judged).cloned().collect()
}

fn by_provider(store: &dyn MailHistory, window: Window) -> Result<Vec<ProviderVolume>, QueryError> {
    let mut all: BTreeMap<String, ProviderVolume> = BTreeMap::new();
    for ((provider, _), one) in providers(store, window, store.view())? {
        let sum = all.entry(provider.clone()).or_insert_with(|| ProviderVolume {
            provider,
            ..ProviderVolume::default()
        });
        sum.attempts = sum.attempts.plus(one.attempts);
        sum.usual = sum.usual.plus(one.usual);
        let more = |reason: &(String, i64)| sum.reason.as_ref().is_none_or(|(_, times)| reason.1 > *times);
        if let Some(reason) = one.reason.filter(more) {
            sum.reason = Some(reason);
        }
    }
    let mut all: Vec<ProviderVolume> = all.into_values().collect();
    all.sort_by(|a, b| {
        b.attempts
            .all
            .cmp(&a.attempts.all)
            .then_with(|| a.provider.cmp(&b.provider))
    });
    Ok(all)
}

fn reasons(store: &dyn MailHistory, window: Window) -> Result<Vec<ReasonCount>, QueryError> {
    let question = format!(
        "SELECT reason, kind, COUNT(*) AS times FROM events WHERE reason <> '' AND {} \
         AND (kind = 'deferred' OR kind = 'bounced' OR kind = 'expired') GROUP BY reason, kind",
        store.view().condition()
    );
    let table = store.add_up(&question, window, SumsOf::Peers)?;
    let mut all: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for row in 0..table.rows() {
        let count = all.entry(table.text(0, row).to_owned()).or_default();
        let times = table.number(2, row).unwrap_or(0);
        match table.text(1, row) {
            "deferred" => count.0 += times,
            _ => count.1 += times,
        }
    }
    let count = |(reason, (deferred, failed))| ReasonCount {
        reason,
        deferred,
        failed,
    };
    let mut all: Vec<ReasonCount> = all.into_iter().map(count).collect();
    all.sort_by(|a, b| (b.failed, b.deferred, &a.reason).cmp(&(a.failed, a.deferred, &b.reason)));
    Ok(all)
}

/// Holes between the stretches of each host that has some.
fn blind_times(covered: &[Covered], window: Window) -> Vec<BlindTime> {
    let mut hosts: BTreeMap<&str, Vec<(UtcMs, UtcMs)>> = BTreeMap::new();
    for stretch in covered {
        hosts
            .entry(&stretch.host)
            .or_default()
            .push((stretch.from_ms, stretch.to_ms));
    }
    let mut blind = Vec::new();
    for (host, mut stretches) in hosts {
        stretches.sort_unstable();
        let mut seen = window.since_ms;
        let end = (window.until_ms, window.until_ms);
        for (from_ms, to_ms) in stretches.into_iter().chain([end]) {
            let from = from_ms.min(window.until_ms);
            if from - seen >= BLIND_MS {
                blind.push(BlindTime {
                    host: host.to_owned(),
                    from_ms: seen,
                    to_ms: from,
                });
            }
            // Stretches of heartbeats name the beginning of their last minute.
            seen = seen.max(to_ms.saturating_add(MINUTE_MS));
        }
    }
    blind.sort_by(|a, b| (a.from_ms, &a.host).cmp(&(b.from_ms, &b.host)));
    blind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_of_each_host_within_the_time_are_blind() {
        let minute = |from: i64, to: i64, host: &str| Covered {
            host: host.to_owned(),
            from_ms: Minute::new(from).start(),
            to_ms: Minute::new(to).start(),
        };
        let window = Window {
            since_ms: Minute::new(100).start(),
            until_ms: Minute::new(200).start(),
        };
        let covered = [
            minute(150, 170, "mx1"),
            minute(50, 119, "mx1"),
            minute(171, 400, "mx1"),
            minute(0, 120, "mx2"),
        ];
        let found: Vec<(String, i64, i64)> = blind_times(&covered, window)
            .into_iter()
            .map(|one| (one.host, one.from_ms.minute().get(), one.to_ms.minute().get()))
            .collect();
        assert_eq!(
            found,
            [("mx1".to_owned(), 120, 150), ("mx2".to_owned(), 121, 200)],
            "and a hole of less than five minutes is none"
        );
    }

    #[test]
    fn what_is_usual_is_the_average_of_whole_weeks() {
        let volume = |messages, before: &[u64]| ServiceVolume {
            service: "gerrit".to_owned(),
            messages,
            before: before.to_vec(),
        };
        assert_eq!(volume(62, &[100, 100]).change().map(f64::round), Some(-38.0));
        assert!(volume(1, &[0, 0]).is_new() && !volume(1, &[]).is_new());
        assert!(volume(0, &[0, 1]).is_gone() && !volume(0, &[0]).is_gone());
        assert_eq!(volume(5, &[]).usual(), None);
    }
}

//! The detection over a stored history: the same steps as live, told as the list of what would have alarmed.

use super::alarm::{LayerFinding, Turn};
use super::channels::Channel;
use super::civil::CivilClock;
use super::detector::{BadSeries, Detector, DetectorConfig, Sample};
use super::episode::{Drop, DropEnd, EpisodeChange};
use super::gap::Gap;
use super::holidays::DayKind;
use jiff::tz::TimeZone;
use mailpulse_time::UtcS;

/// What a history of one series tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// Drops, oldest first.
    pub drops: Vec<Drop>,
    /// From when on its findings are more than provisional; foreseen where it is too young.
    pub sure_from: UtcS,
    /// It is too young for that.
    pub young: bool,
}

/// Replays one series. Samples are (start of the grain in seconds, what was seen), in order; those that come out of order
/// are left out.
///
/// # Errors
/// The grain is none that a series can have.
pub fn replay(
    config: &DetectorConfig,
    zone: TimeZone,
    grain_s: i64,
    samples: impl IntoIterator<Item = (i64, Sample)>,
) -> Result<Replayed, BadSeries> {
    let young_d = config.tuning.provisional_d;
    let mut detector = Detector::new(config.clone());
    let id = detector.add(zone.clone(), grain_s)?;
    let mut drops: Vec<Drop> = Vec::new();
    let mut overdue: Vec<Drop> = Vec::new();
    // When the last drop came back: that it is worse is told once after it.
    let mut returned = i64::MIN;
    let mut gaps = Gaps {
        config,
        grain_s,
        clock: CivilClock::new(zone),
        gap: Gap::default(),
        drops: Vec::new(),
    };
    let mut sure = None;
    for (ts, sample) in samples {
        let told = detector.observe(id, ts, sample, &mut |_, change| match change {
            EpisodeChange::Opened(drop) => drops.push(drop),
            EpisodeChange::Worse(drop) | EpisodeChange::Beyond(drop) => {
                if drops.last().is_none_or(|last| !last.worse || last.detected < returned) {
                    drops.push(drop);
                }
            }
            EpisodeChange::Reopened { whole, again } => {
                returned = again.detected;
                replace_last(&mut drops, whole);
            }
            EpisodeChange::Closed(drop) => replace_last(&mut drops, drop),
            EpisodeChange::Overdue(drop) => overdue.push(drop),
            EpisodeChange::Over(drop) => replace_last(&mut overdue, drop),
        });
        // A sample that was refused changes nothing; whoever has an order to defend checks it before.
        if told.is_ok() && (sure.is_none() || gaps.gap.is_told()) {
            gaps.take(ts, sample);
        }
        if sure.is_none() && detector.days(id) >= young_d {
            sure = Some(detector.reaches(id, young_d));
        }
    }
    // What goes on is told as it stands now.
    if let Some(ongoing) = detector.ongoing(id) {
        replace_last(&mut drops, *ongoing);
    }
    if let Some(ongoing) = detector.overdue(id) {
        replace_last(&mut overdue, *ongoing);
    }
    // What was provisional is certain where nothing came at all.
    let ends = |drop: &Drop| drop.ended.unwrap_or(i64::MAX);
    let same = |drop: &Drop, gap: &Drop| drop.detected <= ends(gap) && gap.detected <= ends(drop);
    drops.retain(|drop| !drop.provisional || !gaps.drops.iter().any(|gap| same(drop, gap)));
    drops.append(&mut gaps.drops);
    drops.append(&mut overdue);
    drops.sort_by_key(|drop| drop.detected);
    Ok(Replayed {
        drops,
        sure_from: UtcS::new(sure.unwrap_or_else(|| detector.reaches(id, young_d))),
        young: sure.is_none(),
    })
}

/// Tells the last drop as it stands now; what got worse of it ends with it.
fn replace_last(drops: &mut Vec<Drop>, drop: Drop) {
    let Some(at) = drops.iter().rposition(|drop| !drop.worse) else {
        drops.push(drop);
        return;
    };
    drops[at] = drop;
    for worse in &mut drops[at + 1..] {
        (worse.ended, worse.end) = (drop.ended, drop.end);
    }
}

/// Silences of a series that is too young for more than provisional findings.
struct Gaps<'c> {
    config: &'c DetectorConfig,
    grain_s: i64,
    clock: CivilClock,
    gap: Gap,
    drops: Vec<Drop>,
}

impl Gaps<'_> {
    /// Takes a grain, whose mails may be of its first minute.
    fn take(&mut self, ts: i64, sample: Sample) {
        let count = match sample {
            Sample::Count(count) => Some(u32::try_from(count).unwrap_or(u32::MAX)),
            Sample::NoData => None,
        };
        let is_holiday = self.config.holidays.kind(self.clock.at(ts).day) == DayKind::Holiday;
        let retire = i64::from(self.config.tuning.retire_d) * 1440;
        let first = ts.div_euclid(60);
        for at in first..first + self.grain_s / 60 {
            let count = count.map(|count| if at == first { count } else { 0 });
            let count = count.filter(|count| *count > 0 || !is_holiday);
            match self.gap.step(at, count, retire) {
                Some(Turn::Opened(found)) => self.drops.push(silence(found, ts)),
                Some(Turn::Closed(ended)) => self.close(ended * 60, ts, retire * 60),
                None => {}
            }
        }
    }

    fn close(&mut self, ended: i64, ts: i64, retire_s: i64) {
        if let Some(last) = self.drops.last_mut() {
            let is_retired = ts - last.onset >= retire_s;
            last.ended = Some(ended.max(last.detected));
            last.end = Some(match is_retired {
                true => DropEnd::Retired(self.config.tuning.retire_d),
                false => DropEnd::Recovered,
            });
        }
    }
}

fn silence(found: LayerFinding, ts: i64) -> Drop {
    Drop {
        onset: (found.onset * 60).min(ts),
        detected: ts,
        ended: None,
        end: None,
        expected: found.expected,
        observed: found.observed,
        score: found.score,
        channel: Channel::Gap,
        provisional: found.provisional,
        worse: false,
    }
}

//! What fires, what has been reported of it, and what waits to be delivered: a small file in the store's folder, written
//! whole or not at all, so that a restart neither tells an episode twice nor forgets its end.

use super::delivery::{Backlog, DeliveryRound};
use super::target::AlertTarget;
use super::{About, AlertChannel, Notice, Results, Undelivered};
use crate::files;
use crate::model::time::{DAY_S, UtcS};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::{fs, io};

/// Most notices that wait for a channel; beyond it the oldest are given up, and said.
const QUEUE_MAX: usize = 1_000;
/// What fires is sent again after so many seconds, to channels that want it.
const AGAIN_S: i64 = 60;

/// The state's file in the store's folder.
pub(crate) const FILE: &str = "alerts.json";

/// An alarm as the detection sees it now.
#[derive(Debug, Clone)]
pub(crate) struct SeenAlarm {
    /// What would be reported.
    pub notice: Notice,
    /// When it was found.
    pub detected: UtcS,
    /// It is not to be sent now.
    pub silenced: bool,
    /// It is shown, and sent to nobody.
    pub provisional: bool,
    /// A larger one has taken it in: it is reported as over if it was reported, and not at all else.
    pub is_part: bool,
}

/// Everything that is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlertState {
    /// Until when mail has been judged; `None` before the first round.
    pub judged: Option<UtcS>,
    /// Episodes that have been reported and fire.
    pub firing: Vec<Notice>,
    /// Episodes that last and are not reported, because a silence holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silenced: Vec<Notice>,
    /// Findings that last and are provisional: shown, and not reported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provisional: Vec<Notice>,
    /// From when on volume alarms are complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<UtcS>,
    /// What waits, by channel.
    queues: BTreeMap<String, VecDeque<Notice>>,
    /// What was refused, and until when a receiver is left alone, by channel.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    backlogs: BTreeMap<String, Backlog>,
    /// When something was last sent, by channel.
    #[serde(skip)]
    repeated: BTreeMap<String, UtcS>,
}

impl AlertState {
    /// Reads it; empty if there is none.
    pub(crate) fn load(path: &Path) -> io::Result<AlertState> {
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, format!("it is damaged ({why})"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(AlertState::default()),
            Err(error) => Err(error),
        }
    }

    /// Reads it; one that cannot be read is moved aside (one is kept), and what is wrong with it is reported: what fires is then
    /// notified again, which is better than not at all.
    ///
    /// # Errors
    /// The file may not be read, or not be moved.
    pub(crate) fn load_or_set_aside(path: &Path) -> io::Result<(AlertState, Option<String>)> {
        match AlertState::load(path) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let aside = path.with_extension("json.broken");
                fs::rename(path, &aside)?;
                let what = format!(
                    "{}: {error}. It is now {}; alarms that fire are notified again",
                    path.display(),
                    aside.display()
                );
                Ok((AlertState::default(), Some(what)))
            }
            Err(error) => Err(error),
            Ok(state) => Ok((state, None)),
        }
    }

    /// Writes it: whole or not at all, also after a power cut.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        // Who may read the store may see what fires.
        files::write_whole(path, &serde_json::to_vec(self)?)?;
        match path.parent() {
            Some(folder) => files::sync_folder(folder),
            None => Ok(()),
        }
    }

    /// Compares what the detection sees with what has been reported, and queues the difference. `judged` is the end of the
    /// time that was judged. In the first round only what fires is news.
    pub(crate) fn update(&mut self, seen: &[SeenAlarm], judged: UtcS) {
        let mut news = Vec::new();
        let mut matched = vec![false; seen.len()];
        let firing = std::mem::take(&mut self.firing);
        for reported in &firing {
            let now = of_it(reported, &firing, seen);
            let lasts = now.iter().copied().find(|at| seen[*at].notice.ends.is_none());
            if let Some(at) = lasts {
                matched[at] = true;
                let updated = reported.updated(&seen[at].notice);
                if is_other(&reported.about(), &updated.about()) {
                    news.push(updated.clone());
                }
                self.firing.push(updated);
                continue;
            }
            let ended = now.iter().filter_map(|at| Some((seen[*at].notice.ends?, *at))).max();
            let ended = ended.filter(|(ends, at)| *ends >= reported.starts || seen[*at].notice.id == reported.id);
            let mut over = match ended {
                Some((_, at)) => {
                    matched[at] = true;
                    reported.updated(&seen[at].notice)
                }
                // It is not there any more: rows came late, or are judged by other rules.
                None if reported.is_of_mail() => reported.withdrawn(),
                None => reported.clone(),
            };
            let ends = ended.map_or(judged, |(ends, _)| ends);
            over.ends = Some(ends);
            if let Some(end @ serde_json::Value::Null) = over.alarm.get_mut("ended") {
                *end = ends.timestamp().unwrap_or_default().to_string().into();
            }
            news.push(over);
        }
        self.silenced.clear();
        self.provisional.clear();
        for (one, matched) in seen.iter().zip(matched) {
            if !matched && one.provisional {
                if one.notice.ends.is_none() && self.provisional.len() < QUEUE_MAX {
                    self.provisional.push(one.notice.clone());
                }
                continue;
            }
            if !matched && one.silenced && one.notice.ends.is_none() && self.silenced.len() < QUEUE_MAX {
                self.silenced.push(one.notice.clone());
            }
            let is_new = self.judged.is_some_and(|before| one.detected > before);
            if matched || one.silenced || one.is_part || one.notice.ends.is_some() && !is_new {
                continue;
            }
            if one.notice.ends.is_none() {
                self.firing.push(one.notice.clone());
            }
            news.push(one.notice.clone());
        }
        for queue in self.queues.values_mut() {
            queue.extend(news.iter().cloned());
            if queue.len() > QUEUE_MAX {
                tracing::warn!("gave up {} undelivered notices", queue.len() - QUEUE_MAX);
                queue.drain(..queue.len() - QUEUE_MAX);
            }
        }
        // Only a clock that was set back goes back so far: then it is now that counts.
        let before = self.judged.filter(|before| *before - judged <= DAY_S);
        self.judged = Some(judged.max(before.unwrap_or(judged)));
    }

    /// Takes over the channels: those that are new get a queue with what fires already, what waits for others is dropped.
    pub(crate) fn serve(&mut self, channels: &[Box<dyn AlertChannel>]) {
        for channel in channels {
            let Some(former) = channel.former_name() else { continue };
            if let Some(queue) = self.queues.remove(&former) {
                self.queues.insert(channel.name(), queue);
            }
            if let Some(backlog) = self.backlogs.remove(&former) {
                self.backlogs.insert(channel.name(), backlog);
            }
        }
        let names: Vec<String> = channels.iter().map(|channel| channel.name()).collect();
        self.queues.retain(|name, _| names.contains(name));
        self.backlogs.retain(|name, _| names.contains(name));
        for name in names {
            self.queues
                .entry(name)
                .or_insert_with(|| self.firing.iter().take(QUEUE_MAX).cloned().collect());
        }
    }

    /// How each channel does, by name.
    pub(crate) fn channels(&self) -> Vec<ChannelState> {
        let none = Backlog::default();
        let of = |(name, queue): (&String, &VecDeque<Notice>)| {
            let backlog = self.backlogs.get(name).unwrap_or(&none);
            let (kind, target) = name.split_once(' ').unwrap_or((name, ""));
            let shown = public(kind, target);
            let failing = backlog.failing();
            ChannelState {
                // What is reported holds the address as well.
                why: failing.map(|failing| match target {
                    "" => failing.why.clone(),
                    target => failing.why.replace(target, shown.split(' ').nth(1).unwrap_or_default()),
                }),
                since: failing.map(|failing| failing.since),
                tried: failing.map(|failing| failing.last),
                waiting: queue.len(),
                refused: backlog.aside.len(),
                name: shown,
            }
        };
        self.queues.iter().map(of).collect()
    }

    /// Delivers what waits, all channels at once, so that one that hangs holds up no other. Why something stays.
    pub(crate) fn deliver(&mut self, channels: &[Box<dyn AlertChannel>], now: UtcS) -> Vec<Undelivered> {
        let rounds: Vec<DeliveryRound> = channels.iter().map(|channel| self.due(channel.as_ref(), now)).collect();
        let results: Vec<Results> = std::thread::scope(|scope| {
            let start = |(channel, round): (_, &'_ DeliveryRound)| {
                let channel: &dyn AlertChannel = Box::as_ref(channel);
                let notices = round.notices.clone();
                scope.spawn(move || match notices.is_empty() {
                    true => Vec::new(),
                    false => channel.deliver(&notices, now),
                })
            };
            let threads: Vec<_> = channels.iter().zip(&rounds).map(start).collect();
            let lost = || vec![Some(Err(Undelivered::channel("the channel failed")))];
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| lost()))
                .collect()
        });
        let mut failed = Vec::new();
        for ((channel, round), mut results) in channels.iter().zip(rounds).zip(results) {
            if round.notices.is_empty() {
                continue;
            }
            results.resize_with(round.notices.len(), || None);
            let name = channel.name();
            if results.iter().all(|result| matches!(result, Some(Ok(())))) {
                self.repeated.insert(name.clone(), now);
            }
            let queue = self.queues.entry(name.clone()).or_default();
            let backlog = self.backlogs.entry(name).or_default();
            failed.extend(backlog.settle(&round, &results, queue, now));
        }
        self.backlogs.retain(|_, backlog| !backlog.is_empty());
        failed
    }

    /// What a channel is to be sent now.
    fn due(&self, channel: &dyn AlertChannel, now: UtcS) -> DeliveryRound {
        let name = channel.name();
        let none = Backlog::default();
        let backlog = self.backlogs.get(&name).unwrap_or(&none);
        if backlog.waits(now) {
            return DeliveryRound::default();
        }
        let queue = self.queues.get(&name);
        let waiting = queue.is_some_and(|queue| !queue.is_empty());
        let old = self.repeated.get(&name).is_none_or(|last| now - *last >= AGAIN_S);
        let again: &[Notice] = match channel.wants_repetition() && (waiting || old) {
            true => &self.firing,
            false => &[],
        };
        backlog.round(now, queue.into_iter().flatten(), again)
    }
}

/// How a channel does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChannelState {
    /// Kind and target, without what may be a secret in it.
    pub name: String,
    /// Notices that it has not taken yet.
    pub waiting: usize,
    /// Notices that it refused, and that are tried again.
    pub refused: usize,
    /// Since when deliveries fail; `None` while they do not.
    pub since: Option<UtcS>,
    /// When it was last tried in vain.
    pub tried: Option<UtcS>,
    /// Why the last try failed.
    pub why: Option<String>,
}

impl ChannelState {
    /// Whether something that was tried is not delivered.
    pub(crate) fn is_failing(&self) -> bool {
        self.since.is_some()
    }
}

/// A channel's name for people.
pub(crate) fn shown_channel(name: &str) -> String {
    let (kind, target) = name.split_once(' ').unwrap_or((name, ""));
    public(kind, target)
}

/// Kind and target of a channel: of an address scheme and host, of a command its program. The rest may be a secret.
fn public(kind: &str, target: &str) -> String {
    let shown = match target.contains("://") {
        true => AlertTarget::new(target).to_string(),
        false => target.split(' ').next().unwrap_or_default().to_owned(),
    };
    super::safe(format!("{kind} {shown}").trim_end(), 200)
}

/// Which of those that are seen are an episode that was reported: by its id, else (a longer or shorter history may find another
/// onset) what is about the same and bears no other's.
fn of_it(reported: &Notice, firing: &[Notice], seen: &[SeenAlarm]) -> Vec<usize> {
    let sure = || (0..seen.len()).filter(|at| !seen[*at].provisional);
    let by_id: Vec<usize> = sure().filter(|at| seen[*at].notice.id == reported.id).collect();
    let is_free = |at: &usize| firing.iter().all(|other| other.id != seen[*at].notice.id);
    if let [at] = by_id[..] {
        // What was reported while it was provisional goes on as what is certain.
        let alarm = &seen[at].notice.alarm;
        let whole = alarm["part_of"].as_str().filter(|_| alarm["provisional"] == true);
        let certain = (0..seen.len()).find(|at| Some(seen[*at].notice.id.as_str()) == whole && is_free(at));
        return vec![certain.unwrap_or(at)];
    }
    if !by_id.is_empty() {
        return by_id;
    }
    let about = reported.about();
    let same = |at: &usize| {
        let now = seen[*at].notice.about();
        !seen[*at].is_part && !is_other(&about, &now) && is_about_mail(&about) == is_about_mail(&now)
    };
    sure().filter(is_free).filter(same).collect()
}

/// Whether two are about different things; what is wrong with it may become better known.
fn is_other(one: &About, other: &About) -> bool {
    (&one.kind, &one.name) != (&other.kind, &other.name)
}

fn is_about_mail(about: &About) -> bool {
    about.state != "blind" && about.state != "unreadable"
}

#[cfg(test)]
mod tests;

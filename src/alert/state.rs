//! What fires, what has been told of it, and what waits to be delivered: a small file in the store's folder, written
//! whole or not at all, so that a restart neither tells an episode twice nor forgets its end.

use super::delivery::{Backlog, Round};
use super::target::Target;
use super::{Channel, Notice, Results, Undelivered};
use crate::files;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::{fs, io};

/// Most notices that wait for a channel; beyond it the oldest are given up, and said.
const QUEUE_MAX: usize = 1_000;
/// What fires is told again after so many seconds, to channels that want it.
const AGAIN_S: i64 = 60;

const DAY_S: i64 = 86_400;

/// The state's file in the store's folder.
pub const FILE: &str = "alerts.json";

/// An alarm as the detection sees it now.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What would be told.
    pub notice: Notice,
    /// When it was found, seconds since 1970.
    pub detected: i64,
    /// It is not to be told now.
    pub silenced: bool,
    /// It is shown, and told to nobody.
    pub provisional: bool,
}

/// Everything that is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Until when mail has been judged, seconds since 1970; `None` before the first round.
    pub judged: Option<i64>,
    /// Episodes that have been told and fire.
    pub firing: Vec<Notice>,
    /// Episodes that last and are not told, because a silence holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silenced: Vec<Notice>,
    /// Findings that last and are provisional: shown, and not told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provisional: Vec<Notice>,
    /// From when on volume alarms are complete, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<i64>,
    /// What waits, by channel.
    queues: BTreeMap<String, VecDeque<Notice>>,
    /// What was refused, and until when a receiver is left alone, by channel.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    backlogs: BTreeMap<String, Backlog>,
    /// When a channel was last told, by channel.
    #[serde(skip)]
    repeated: BTreeMap<String, i64>,
}

impl State {
    /// Reads it; empty if there is none.
    pub fn load(path: &Path) -> io::Result<State> {
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, format!("it is broken ({why})"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::default()),
            Err(error) => Err(error),
        }
    }

    /// Reads it; one that cannot be read is moved aside (one is kept), and what is wrong with it is told: what fires is then
    /// notified again, which is better than not at all.
    ///
    /// # Errors
    /// The file may not be read, or not be moved.
    pub fn load_or_set_aside(path: &Path) -> io::Result<(State, Option<String>)> {
        match State::load(path) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let aside = path.with_extension("json.broken");
                fs::rename(path, &aside)?;
                let what = format!(
                    "{}: {error}. It is now {}; alarms that fire are notified again",
                    path.display(),
                    aside.display()
                );
                Ok((State::default(), Some(what)))
            }
            Err(error) => Err(error),
            Ok(state) => Ok((state, None)),
        }
    }

    /// Writes it: whole or not at all, also after a power cut.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        // Who may read the store may see what fires.
        files::write_whole(path, &serde_json::to_vec(self)?)?;
        match path.parent() {
            Some(folder) => files::sync_folder(folder),
            None => Ok(()),
        }
    }

    /// Compares what the detection sees with what has been told, and queues the difference. `judged` is the end of the
    /// time that was judged. In the first round only what fires is news.
    pub fn update(&mut self, seen: &[Seen], judged: i64) {
        let mut news = Vec::new();
        let mut matched = vec![false; seen.len()];
        for mut told in std::mem::take(&mut self.firing) {
            let same = |one: &Seen| key(&one.notice) == key(&told) && !one.provisional;
            let now: Vec<usize> = (0..seen.len()).filter(|at| same(&seen[*at])).collect();
            let lasts = now.iter().copied().find(|at| seen[*at].notice.ends.is_none());
            if let Some(at) = lasts {
                matched[at] = true;
                self.firing.push(told);
                continue;
            }
            // One that is there no more was taken in by a larger one.
            let ended = now.iter().filter_map(|at| Some((seen[*at].notice.ends?, *at))).max();
            let ended = ended.filter(|(ends, _)| *ends >= told.starts);
            if let Some((_, at)) = ended {
                matched[at] = true;
                told.alarm.clone_from(&seen[at].notice.alarm);
                told.description.clone_from(&seen[at].notice.description);
            }
            let ends = ended.map_or(judged, |(ends, _)| ends);
            told.ends = Some(ends);
            if let Some(end @ serde_json::Value::Null) = told.alarm.get_mut("ended") {
                *end = jiff::Timestamp::from_second(ends)
                    .unwrap_or_default()
                    .to_string()
                    .into();
            }
            news.push(told);
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
            if matched || one.silenced || one.notice.ends.is_some() && !is_new {
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
                tracing::warn!("{} undelivered notices are given up", queue.len() - QUEUE_MAX);
                queue.drain(..queue.len() - QUEUE_MAX);
            }
        }
        // Only a clock that was set back goes back so far: then it is now that counts.
        let before = self.judged.filter(|before| before - judged <= DAY_S);
        self.judged = Some(judged.max(before.unwrap_or(judged)));
    }

    /// Takes over the channels: those that are new get a queue with what fires already, what waits for others is dropped.
    pub fn serve(&mut self, channels: &[Box<dyn Channel>]) {
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
    pub fn channels(&self) -> Vec<ChannelState> {
        let none = Backlog::default();
        let of = |(name, queue): (&String, &VecDeque<Notice>)| {
            let backlog = self.backlogs.get(name).unwrap_or(&none);
            let (kind, target) = name.split_once(' ').unwrap_or((name, ""));
            let shown = public(kind, target);
            let failing = backlog.failing();
            ChannelState {
                // What is told holds the address as well.
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
    pub fn deliver(&mut self, channels: &[Box<dyn Channel>], now: i64) -> Vec<Undelivered> {
        let rounds: Vec<Round> = channels.iter().map(|channel| self.due(channel.as_ref(), now)).collect();
        let results: Vec<Results> = std::thread::scope(|scope| {
            let start = |(channel, round): (_, &'_ Round)| {
                let channel: &dyn Channel = Box::as_ref(channel);
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

    /// What a channel is to be told now.
    fn due(&self, channel: &dyn Channel, now: i64) -> Round {
        let name = channel.name();
        let none = Backlog::default();
        let backlog = self.backlogs.get(&name).unwrap_or(&none);
        if backlog.waits(now) {
            return Round::default();
        }
        let queue = self.queues.get(&name);
        let waiting = queue.is_some_and(|queue| !queue.is_empty());
        let old = self.repeated.get(&name).is_none_or(|last| now - last >= AGAIN_S);
        let again: &[Notice] = match channel.wants_repetition() && (waiting || old) {
            true => &self.firing,
            false => &[],
        };
        backlog.round(now, queue.into_iter().flatten(), again)
    }
}

/// How a channel does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelState {
    /// Kind and target, without what may be a secret in it.
    pub name: String,
    /// Notices that it has not taken yet.
    pub waiting: usize,
    /// Notices that it refused, and that are tried again.
    pub refused: usize,
    /// Since when deliveries fail, seconds since 1970; `None` while they do not.
    pub since: Option<i64>,
    /// When it was last tried in vain, seconds since 1970.
    pub tried: Option<i64>,
    /// Why the last try failed.
    pub why: Option<String>,
}

impl ChannelState {
    /// Whether something that was tried is not delivered.
    pub fn is_failing(&self) -> bool {
        self.since.is_some()
    }
}

/// Kind and target of a channel: of an address scheme and host, of a command its program. The rest may be a secret.
fn public(kind: &str, target: &str) -> String {
    let shown = match target.contains("://") {
        true => Target::new(target).to_string(),
        false => target.split(' ').next().unwrap_or_default().to_owned(),
    };
    super::safe(format!("{kind} {shown}").trim_end(), 200)
}

/// What makes two alarms the same episode while it lasts: a layer that is surer may change its state and onset.
fn key(notice: &Notice) -> (&str, &str, bool) {
    let about_mail = notice.state != "blind" && notice.state != "unreadable";
    (&notice.kind, &notice.name, about_mail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &str, state: &str, starts: i64, ends: Option<i64>) -> Seen {
        Seen {
            notice: Notice {
                id: format!("{name}/{starts}"),
                kind: "service".to_owned(),
                name: name.to_owned(),
                state: state.to_owned(),
                relay: None,
                summary: String::new(),
                description: String::new(),
                starts,
                ends,
                alarm: serde_json::json!({ "ended": null }),
            },
            detected: starts + 60,
            silenced: false,
            provisional: false,
        }
    }

    fn waiting(state: &State) -> Vec<(String, &'static str)> {
        let all = state.queues["x"].iter();
        all.map(|notice| (notice.id.clone(), notice.status())).collect()
    }

    fn empty() -> State {
        let mut state = State::default();
        state.queues.insert("x".to_owned(), VecDeque::new());
        state
    }

    #[test]
    fn an_episode_is_told_once_whatever_its_state_becomes_and_keeps_its_labels() {
        let mut state = empty();
        state.update(
            &[seen("a", "refused", 100, None), seen("old", "dropped", 1, Some(50))],
            600,
        );
        state.update(&[seen("a", "dropped", 90, None)], 660);
        assert_eq!(waiting(&state), [("a/100".to_owned(), "firing")]);
        state.update(&[seen("a", "dropped", 90, Some(700))], 900);
        let all = &state.queues["x"];
        assert_eq!(
            (all[1].id.as_str(), all[1].state.as_str(), all[1].ends),
            ("a/100", "refused", Some(700))
        );
        state.update(&[seen("a", "dropped", 90, Some(700))], 960);
        assert_eq!(count(&state), 2);
    }

    fn count(state: &State) -> usize {
        state.queues["x"].len()
    }

    #[test]
    fn what_began_and_ended_between_two_rounds_is_told_and_what_was_taken_in_ends() {
        let mut state = empty();
        state.update(&[seen("a", "dropped", 100, None)], 600);
        state.update(&[seen("b", "dropped", 600, Some(900))], 1_200);
        let told = [("a/100", "firing"), ("a/100", "resolved"), ("b/600", "resolved")];
        assert_eq!(waiting(&state), told.map(|(id, word)| (id.to_owned(), word)));
    }

    /// A channel that takes nothing.
    struct Deaf;

    impl Channel for Deaf {
        fn name(&self) -> String {
            "webhook https://bot:pw@hook.example.org/T0/secret".to_owned()
        }

        fn deliver(&self, notices: &[Notice], _now: i64) -> Results {
            let why = format!("{}: answered 500", &self.name()[8..]);
            crate::alert::delivery::one_by_one(notices, |_| Err(Undelivered::channel(why.clone())))
        }
    }

    #[test]
    fn a_channel_that_comes_later_is_told_what_fires_already() {
        let mut state = State::default();
        state.serve(&[]);
        state.update(
            &[seen("a", "dropped", 100, None), seen("b", "dropped", 1, Some(50))],
            600,
        );
        let channels: [Box<dyn Channel>; 1] = [Box::new(Deaf)];
        state.serve(&channels);
        let all = state.queues.values().next().unwrap();
        let told: Vec<_> = all.iter().map(|notice| (notice.id.as_str(), notice.status())).collect();
        assert_eq!(told, [("a/100", "firing")]);
        // Once, however often the same channels are served.
        state.serve(&channels);
        assert_eq!(state.channels()[0].waiting, 1);
    }

    #[test]
    fn a_channel_that_fails_says_since_when_and_why_and_keeps_its_secret() {
        let mut state = State::default();
        let channels: [Box<dyn Channel>; 1] = [Box::new(Deaf)];
        state.serve(&channels);
        state.update(&[seen("a", "dropped", 100, None)], 600);
        assert!(!state.channels()[0].is_failing(), "nothing was tried yet");
        state.deliver(&channels, 1_000);
        state.deliver(&channels, 1_100);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        state.save(&path).unwrap();
        let one = State::load(&path).unwrap().channels().remove(0);
        assert_eq!(one.name, "webhook https://hook.example.org");
        assert_eq!((one.waiting, one.since, one.tried), (1, Some(1_000), Some(1_100)));
        assert_eq!(one.why.unwrap(), "https://hook.example.org: answered 500");
        assert_eq!(public("exec", "/bin/page --token x"), "exec /bin/page");
        assert_eq!(public("stdout", ""), "stdout");
    }

    #[test]
    fn what_is_silenced_is_kept_while_it_lasts_and_told_when_the_silence_ends() {
        let mut state = empty();
        let quiet = Seen {
            silenced: true,
            ..seen("a", "dropped", 100, None)
        };
        state.update(std::slice::from_ref(&quiet), 600);
        assert_eq!((count(&state), state.silenced.len()), (0, 1));
        state.update(&[seen("a", "dropped", 100, None)], 660);
        assert_eq!((count(&state), state.silenced.len(), state.firing.len()), (1, 0, 1));
        // One that was told fires on: a silence that begins later does not hide it.
        state.update(&[quiet], 720);
        assert_eq!((state.silenced.len(), state.firing.len()), (0, 1));
    }

    #[test]
    fn a_state_of_before_keeps_what_waits_and_loses_the_secret() {
        let url = "https://hooks.example.org/services/T024BE7LD";
        let mut state = State::default();
        state.queues.insert(format!("webhook {url}"), VecDeque::new());
        state.update(&[seen("a", "dropped", 100, None)], 600);
        state.serve(&[Box::new(crate::alert::Webhook::new(url, None, None))]);
        let written = serde_json::to_string(&state).unwrap();
        assert!(!written.contains("T024BE7LD"), "{written}");
        assert_eq!(state.queues.values().map(VecDeque::len).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn what_is_provisional_is_kept_to_be_shown_and_told_to_nobody() {
        let young = |ends| Seen {
            provisional: true,
            ..seen("a", "dropped", 100, ends)
        };
        let mut state = empty();
        state.update(&[young(None)], 600);
        assert_eq!((count(&state), state.firing.len(), state.provisional.len()), (0, 0, 1));
        // It neither ends nor holds up what is told of the same service.
        state.update(&[young(None), seen("a", "dropped", 500, None)], 660);
        assert_eq!(waiting(&state), [("a/500".to_owned(), "firing")]);
        state.update(&[young(None), seen("a", "dropped", 500, Some(700))], 900);
        assert_eq!((count(&state), state.firing.len(), state.provisional.len()), (2, 0, 1));
        state.update(&[young(Some(1_000))], 1_200);
        assert_eq!((count(&state), state.provisional.len()), (2, 0));
    }

    #[test]
    fn the_queue_is_bounded() {
        let mut state = empty();
        let many: Vec<Seen> = (0..1_500).map(|n| seen(&n.to_string(), "dropped", 100, None)).collect();
        state.update(&many, 600);
        assert_eq!(count(&state), QUEUE_MAX);
        assert_eq!(state.queues["x"][0].name, "500");
    }
}

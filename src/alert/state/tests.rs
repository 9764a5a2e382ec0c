//! What is reported of alarms, and when.

use super::*;
use crate::model::time::UtcS;

fn seen(name: &str, state: &str, starts: i64, ends: Option<i64>) -> SeenAlarm {
    SeenAlarm {
        notice: Notice {
            id: format!("{name}/{starts}"),
            kind: "service".to_owned(),
            name: name.to_owned(),
            state: state.to_owned(),
            relay: None,
            summary: String::new(),
            description: String::new(),
            starts: UtcS::new(starts),
            ends: ends.map(UtcS::new),
            alarm: serde_json::json!({ "ended": null }),
            now: None,
        },
        detected: UtcS::new(starts + 60),
        silenced: false,
        provisional: false,
        is_part: false,
    }
}

fn waiting(state: &AlertState) -> Vec<(String, &'static str)> {
    let all = state.queues["x"].iter();
    all.map(|notice| (notice.id.clone(), notice.status())).collect()
}

fn empty() -> AlertState {
    let mut state = AlertState::default();
    state.queues.insert("x".to_owned(), VecDeque::new());
    state
}

#[test]
fn an_episode_is_told_once_whatever_its_state_becomes_and_keeps_its_labels() {
    let mut state = empty();
    state.update(
        &[seen("a", "refused", 100, None), seen("old", "dropped", 1, Some(50))],
        UtcS::new(600),
    );
    state.update(&[seen("a", "dropped", 90, None)], UtcS::new(660));
    assert_eq!(waiting(&state), [("a/100".to_owned(), "firing")]);
    state.update(&[seen("a", "dropped", 90, Some(700))], UtcS::new(900));
    let all = &state.queues["x"];
    assert_eq!(
        (all[1].id.as_str(), all[1].state.as_str(), all[1].ends),
        ("a/100", "refused", Some(UtcS::new(700)))
    );
    state.update(&[seen("a", "dropped", 90, Some(700))], UtcS::new(960));
    assert_eq!(count(&state), 2);
}

fn count(state: &AlertState) -> usize {
    state.queues["x"].len()
}

#[test]
fn what_began_and_ended_between_two_rounds_is_told_and_what_was_taken_in_ends() {
    let mut state = empty();
    state.update(&[seen("a", "dropped", 100, None)], UtcS::new(600));
    state.update(&[seen("b", "dropped", 600, Some(900))], UtcS::new(1_200));
    let reported = [("a/100", "firing"), ("a/100", "resolved"), ("b/600", "resolved")];
    assert_eq!(waiting(&state), reported.map(|(id, word)| (id.to_owned(), word)));
}

/// A channel that takes nothing.
struct Deaf;

impl AlertChannel for Deaf {
    fn name(&self) -> String {
        "webhook https://bot:pw@hook.example.org/T0/secret".to_owned()
    }

    fn deliver(&self, notices: &[Notice], _now: UtcS) -> Results {
        let why = format!("{}: answered 500", &self.name()[8..]);
        crate::alert::delivery::one_by_one(notices, |_| Err(Undelivered::channel(why.clone())))
    }
}

#[test]
fn a_channel_that_comes_later_is_told_what_fires_already() {
    let mut state = AlertState::default();
    state.serve(&[]);
    state.update(
        &[seen("a", "dropped", 100, None), seen("b", "dropped", 1, Some(50))],
        UtcS::new(600),
    );
    let channels: [Box<dyn AlertChannel>; 1] = [Box::new(Deaf)];
    state.serve(&channels);
    let all = state.queues.values().next().unwrap();
    let reported: Vec<_> = all.iter().map(|notice| (notice.id.as_str(), notice.status())).collect();
    assert_eq!(reported, [("a/100", "firing")]);
    // Once, however often the same channels are served.
    state.serve(&channels);
    assert_eq!(state.channels()[0].waiting, 1);
}

#[test]
fn a_channel_that_fails_says_since_when_and_why_and_keeps_its_secret() {
    let mut state = AlertState::default();
    let channels: [Box<dyn AlertChannel>; 1] = [Box::new(Deaf)];
    state.serve(&channels);
    state.update(&[seen("a", "dropped", 100, None)], UtcS::new(600));
    assert!(!state.channels()[0].is_failing(), "nothing was tried yet");
    state.deliver(&channels, UtcS::new(1_000));
    state.deliver(&channels, UtcS::new(1_100));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    state.save(&path).unwrap();
    let one = AlertState::load(&path).unwrap().channels().remove(0);
    assert_eq!(one.name, "webhook https://hook.example.org");
    assert_eq!(
        (one.waiting, one.since, one.tried),
        (1, Some(UtcS::new(1_000)), Some(UtcS::new(1_100)))
    );
    assert_eq!(one.why.unwrap(), "https://hook.example.org: answered 500");
    assert_eq!(public("exec", "/bin/page --token x"), "exec /bin/page");
    assert_eq!(public("stdout", ""), "stdout");
}

#[test]
fn what_is_silenced_is_kept_while_it_lasts_and_told_when_the_silence_ends() {
    let mut state = empty();
    let quiet = SeenAlarm {
        silenced: true,
        ..seen("a", "dropped", 100, None)
    };
    state.update(std::slice::from_ref(&quiet), UtcS::new(600));
    assert_eq!((count(&state), state.silenced.len()), (0, 1));
    state.update(&[seen("a", "dropped", 100, None)], UtcS::new(660));
    assert_eq!((count(&state), state.silenced.len(), state.firing.len()), (1, 0, 1));
    // One that was reported fires on: a silence that begins later does not hide it.
    state.update(&[quiet], UtcS::new(720));
    assert_eq!((state.silenced.len(), state.firing.len()), (0, 1));
}

#[test]
fn a_state_of_before_keeps_what_waits_and_loses_the_secret() {
    let url = "https://hooks.example.org/services/T024BE7LD";
    let mut state = AlertState::default();
    state.queues.insert(format!("webhook {url}"), VecDeque::new());
    state.update(&[seen("a", "dropped", 100, None)], UtcS::new(600));
    state.serve(&[Box::new(crate::alert::Webhook::new(
        url,
        Default::default(),
        Default::default(),
        None,
    ))]);
    let written = serde_json::to_string(&state).unwrap();
    assert!(!written.contains("T024BE7LD"), "{written}");
    assert_eq!(state.queues.values().map(VecDeque::len).collect::<Vec<_>>(), [1]);
}

#[test]
fn what_is_provisional_is_kept_to_be_shown_and_told_to_nobody() {
    let young = |ends| SeenAlarm {
        provisional: true,
        ..seen("a", "dropped", 100, ends)
    };
    let mut state = empty();
    state.update(&[young(None)], UtcS::new(600));
    assert_eq!((count(&state), state.firing.len(), state.provisional.len()), (0, 0, 1));
    // It neither ends nor holds up what is reported of the same service.
    state.update(&[young(None), seen("a", "dropped", 500, None)], UtcS::new(660));
    assert_eq!(waiting(&state), [("a/500".to_owned(), "firing")]);
    state.update(&[young(None), seen("a", "dropped", 500, Some(700))], UtcS::new(900));
    assert_eq!((count(&state), state.firing.len(), state.provisional.len()), (2, 0, 1));
    state.update(&[young(Some(1_000))], UtcS::new(1_200));
    assert_eq!((count(&state), state.provisional.len()), (2, 0));
}

/// What a service's alarm is when it turns out to be its relay's.
fn widened(name: &str, starts: i64, ends: Option<i64>) -> SeenAlarm {
    let mut one = seen(name, "refused", starts, ends);
    one.notice.kind = "relay".to_owned();
    one.notice.name = "mx1".to_owned();
    one.notice.state = "dropped".to_owned();
    one.notice.summary = "relay mx1: dropped".to_owned();
    one
}

#[test]
fn an_alarm_that_turns_out_to_be_about_more_is_updated_under_its_id_and_its_labels() {
    let mut state = empty();
    state.update(&[seen("a", "refused", 100, None)], UtcS::new(600));
    let first = state.firing[0].clone();
    state.update(&[widened("a", 100, None)], UtcS::new(660));
    // The same word again, with what is known now, and once.
    state.update(&[widened("a", 100, None)], UtcS::new(720));
    assert_eq!(
        waiting(&state),
        [("a/100".to_owned(), "firing"), ("a/100".to_owned(), "firing")]
    );
    let now = &state.firing[0];
    assert_eq!(now.summary, "relay mx1: dropped");
    let labels = |one: &Notice| [one.kind.clone(), one.name.clone(), one.state.clone()];
    assert_eq!(labels(now), labels(&first));
    let about = now.about();
    assert_eq!(
        (about.kind.as_str(), about.name.as_str(), about.state.as_str()),
        ("relay", "mx1", "dropped")
    );
    let kept: AlertState = serde_json::from_slice(&serde_json::to_vec(&state).unwrap()).unwrap();
    assert_eq!(kept, state);
    state.update(&[widened("a", 100, Some(800))], UtcS::new(900));
    let end = &state.queues["x"][2];
    assert_eq!(
        (end.id.as_str(), end.status(), labels(end)),
        ("a/100", "resolved", labels(&first))
    );
    assert_eq!((state.firing.len(), count(&state)), (0, 3));
}

#[test]
fn what_was_told_and_taken_in_ends_by_reference_and_what_was_not_told_is_not_told() {
    let mut state = empty();
    state.update(
        &[seen("a", "refused", 100, None), seen("b", "refused", 110, None)],
        UtcS::new(600),
    );
    let part = |name: &str, starts| {
        let mut one = seen(name, "refused", starts, Some(640));
        one.is_part = true;
        one.notice.alarm = serde_json::json!({ "ended": "1970-01-01T00:10:40Z", "part_of": "a/100" });
        one
    };
    state.update(
        &[widened("a", 100, None), part("b", 110), part("c", 620)],
        UtcS::new(660),
    );
    let news: Vec<(&str, &str)> = state.queues["x"]
        .iter()
        .skip(2)
        .map(|one| (one.id.as_str(), one.status()))
        .collect();
    assert_eq!(news, [("a/100", "firing"), ("b/110", "resolved")]);
    let end = &state.queues["x"][3];
    assert_eq!(
        (end.ends, &end.alarm["part_of"]),
        (Some(UtcS::new(640)), &"a/100".into())
    );
}

#[test]
fn what_was_sent_as_provisional_goes_on_under_its_id_when_it_is_certain() {
    let young = |part_of: Option<&str>| {
        let mut one = seen("a", "dropped", 100, part_of.map(|_| 640));
        one.is_part = part_of.is_some();
        one.notice.alarm = serde_json::json!({ "provisional": true, "part_of": part_of });
        one
    };
    let mut state = empty();
    state.update(&[young(None)], UtcS::new(600));
    let certain = |ends| seen("a", "dropped", 200, ends);
    state.update(&[young(Some("a/200")), certain(None)], UtcS::new(660));
    assert_eq!(waiting(&state), [("a/100".to_owned(), "firing")]);
    state.update(&[young(Some("a/200")), certain(Some(900))], UtcS::new(960));
    assert_eq!(waiting(&state)[1..], [("a/100".to_owned(), "resolved")]);
}

#[test]
fn the_queue_is_bounded() {
    let mut state = empty();
    let many: Vec<SeenAlarm> = (0..1_500).map(|n| seen(&n.to_string(), "dropped", 100, None)).collect();
    state.update(&many, UtcS::new(600));
    assert_eq!(count(&state), QUEUE_MAX);
    assert_eq!(state.queues["x"][0].name, "500");
}

#[test]
fn an_alarm_of_which_late_rows_leave_nothing_is_withdrawn() {
    let mut state = empty();
    let nothing_comes = SeenAlarm {
        notice: Notice {
            kind: "store".to_owned(),
            ..seen("events", "blind", 100, None).notice
        },
        ..seen("events", "blind", 100, None)
    };
    state.update(&[seen("a", "dropped", 100, None), nothing_comes], UtcS::new(600));
    state.update(&[], UtcS::new(660));
    let ends: Vec<&Notice> = state.queues["x"].iter().skip(2).collect();
    assert_eq!(ends.len(), 2);
    let (a, store) = (ends[0], ends[1]);
    assert_eq!(
        (a.id.as_str(), a.status(), a.ends),
        ("a/100", "resolved", Some(UtcS::new(660)))
    );
    assert_eq!(
        crate::alert::told::json(a, &Default::default())["alarm"]["end"],
        "withdrawn"
    );
    assert_eq!(
        crate::alert::told::json(a, &Default::default())["alarm"]["ended"],
        "1970-01-01T00:11:00Z"
    );
    for said in [&a.summary, &a.description] {
        assert!(said.contains("withdrawn: judged again"), "{said}");
    }
    // That something comes again is an end, and no mistake.
    assert_eq!(store.status(), "resolved");
    assert!(!store.summary.contains("withdrawn"), "{}", store.summary);
    // Told once.
    state.update(&[], UtcS::new(720));
    assert_eq!(count(&state), 4);
}

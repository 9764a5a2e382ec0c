//! How the mail stands, in one sentence for whoever was just paged: is mail flowing, for whom not, since when, lost or late, by
//! which relay or provider, and what to do next. Pure: it only puts into words what the detection and the incident say.

mod concerned;
mod facts;
mod missing;
mod words;

pub(crate) use facts::{MailStanding, MailVerdict, VerdictFacts};
pub(crate) use missing::{MissingMail, missing};

use super::alarms::notice_id;
use crate::detect::alarm::Alarm;
use crate::detect::fleet::Names;
use crate::model::human;
use concerned::{affected, at_risk, spared};
use missing::missing_words;
use words::{about, clock, headline, listed, lower, next, sentence_of, unseen};

/// The verdict.
#[must_use]
pub(crate) fn verdict(facts: &VerdictFacts<'_>) -> MailVerdict {
    let is_sure = |alarm: &&&Alarm| !alarm.provisional;
    let about_mail: Vec<&Alarm> = facts
        .firing
        .iter()
        .filter(is_sure)
        .copied()
        .filter(|a| a.state.is_about_mail())
        .collect();
    let mut more = Vec::new();
    let others = facts
        .firing
        .iter()
        .filter(is_sure)
        .filter(|alarm| !alarm.state.is_about_mail());
    more.extend(others.map(|alarm| unseen(alarm, facts)));
    more.extend(facts.doubts.iter().cloned());
    let young = facts.firing.iter().filter(|alarm| alarm.provisional).count();
    if young > 0 {
        let what = human::counted(young as u64, "provisional finding");
        more.push(format!(
            "Besides, {what} that would not page: the history is too short to be sure."
        ));
    }
    match about_mail.iter().min_by_key(|alarm| (alarm.onset, alarm.id)) {
        Some(first) => trouble(facts, &about_mail, first, more),
        None => calm(facts, more),
    }
}

/// What to do about an alarm, in a sentence.
#[must_use]
pub(crate) fn next_step(alarm: &Alarm, names: &Names) -> String {
    next(alarm, alarm.cause.as_ref().map(|cause| names.host(cause.relay)))
}

/// Nothing about mail fires.
fn calm(facts: &VerdictFacts<'_>, more: Vec<String>) -> MailVerdict {
    let blind = facts.firing.iter().find(|alarm| !alarm.state.is_about_mail());
    let (standing, sentence, next) = match (facts.until, facts.silent_ms, blind) {
        (None, _, _) => (
            MailStanding::Unknown,
            "No verdict: the store has no mail yet.".to_owned(),
            Some("Read the logs: mailpulse backfill, then mailpulse tail.".to_owned()),
        ),
        (Some(_), Some(age), _) => (
            MailStanding::Unknown,
            format!(
                "No verdict: the newest event is {} old, and no tail reads.",
                human::duration(age)
            ),
            Some("See whether mailpulse tail runs, and what the sources say.".to_owned()),
        ),
        (Some(_), None, Some(alarm)) => (
            MailStanding::Unknown,
            format!("No verdict on all mail: {}", lower(&unseen(alarm, facts))),
            Some(sentence_of(alarm.state.meaning())),
        ),
        (Some(_), None, None) if !facts.doubts.is_empty() => (
            MailStanding::Unknown,
            "No alarm, but not everything is watched.".to_owned(),
            Some("See the notes below, and the sources.".to_owned()),
        ),
        (Some(_), None, None) => {
            let services = human::counted(facts.services as u64, "service");
            (
                MailStanding::Flowing,
                format!("Mail flows: {services}, no alarm."),
                None,
            )
        }
    };
    MailVerdict {
        standing,
        sentence,
        more,
        next,
        alarm: blind.map(|alarm| notice_id(alarm, facts.names)),
        affected: Vec::new(),
        relay: None,
        since: None,
        missing: MissingMail::default(),
    }
}

fn trouble(facts: &VerdictFacts<'_>, alarms: &[&Alarm], first: &Alarm, mut more: Vec<String>) -> MailVerdict {
    let names = facts.names;
    let judged = facts.incident.map(|incident| &incident.judged);
    let affected = affected(facts, alarms);
    let missing = facts.incident.map(missing).unwrap_or_default();
    let cause = alarms.iter().find_map(|alarm| alarm.cause.as_ref());
    let relay = cause.map(|cause| names.host(cause.relay).to_owned());
    let since = cause.map_or(first.onset, |cause| cause.silent_from.min(first.onset));
    let mut parts = vec![headline(facts, first, &affected, since)];
    if let Some(cause) = cause {
        let from = clock(cause.silent_from, facts);
        let host = names.host(cause.relay);
        parts.push(match (cause.silent_from == since, cause.silent_to) {
            (_, Some(back)) => format!("{host} took nothing from {from} to {}", clock(back, facts)),
            (true, None) => format!("{host} has taken nothing since"),
            (false, None) => format!("{host} has taken nothing since {from}"),
        });
    }
    parts.extend(missing_words(missing));
    if alarms.len() > 1 {
        let others = alarms.iter().filter(|alarm| alarm.id != first.id);
        let others: Vec<String> = others.map(|alarm| about(alarm, names)).collect();
        more.insert(0, format!("Also firing: {}.", listed(&others)));
    }
    more.extend(at_risk(names, alarms, &affected, relay.as_deref()));
    if let Some(judged) = judged {
        more.extend(spared(judged, names));
    }
    MailVerdict {
        standing: MailStanding::Trouble,
        sentence: format!("{}.", parts.join("; ")),
        more,
        next: Some(next(first, relay.as_deref())),
        alarm: Some(notice_id(first, names)),
        affected,
        relay,
        since: Some(since),
        missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::alarm::{Cause, Layer, Member, Scope, State};
    use crate::model::time::Minute;
    use jiff::tz::TimeZone;

    /// 2018-06-06 18:55 UTC.
    const STOPPED: i64 = 1_528_311_300 / 60;

    fn names() -> Names {
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Names {
            services: all(&["gerrit", "hue", "wiki"]),
            hosts: all(&["mx1001", "mx2001"]),
            providers: all(&["google"]),
            ..Names::default()
        }
    }

    fn alarm(scope: Scope, state: State) -> Alarm {
        Alarm {
            id: 0,
            named: (scope, Minute::new(STOPPED)),
            scope,
            state,
            onset: Minute::new(STOPPED),
            detected: Minute::new(STOPPED + 2),
            ended: None,
            end: None,
            expected: 9.0,
            observed: 0.0,
            score: 7.0,
            provisional: false,
            cause: None,
            members: Vec::new(),
            layers: vec![(Layer::Silence, Minute::new(STOPPED + 2))],
            evidence: Vec::new(),
            everyone: false,
            part_of: None,
            whole: None,
            took_in: Vec::new(),
        }
    }

    fn said(firing: &[&Alarm], doubts: &[String], silent_ms: Option<i64>) -> MailVerdict {
        let names = names();
        verdict(&VerdictFacts {
            until: Some(Minute::new(STOPPED + 10)),
            firing,
            names: &names,
            services: 3,
            incident: None,
            doubts,
            silent_ms,
            zone: &TimeZone::UTC,
        })
    }

    #[test]
    fn a_silent_relay_is_named_with_its_services_and_its_minute() {
        let mut relay = alarm(Scope::Relay(0), State::Dropped);
        let member = |service| Member {
            service,
            judged: None,
            reason: String::new(),
        };
        relay.members = vec![member(0), member(1)];
        relay.cause = Some(Cause {
            relay: 0,
            silent_from: Minute::new(STOPPED),
            silent_to: None,
            evidence: Vec::new(),
        });
        let verdict = said(&[&relay], &[], None);
        assert_eq!(verdict.standing, MailStanding::Trouble);
        assert_eq!(
            verdict.sentence,
            "Mail of 2 of 3 services stopped at 18:55; mx1001 has taken nothing since."
        );
        assert_eq!(verdict.alarm.as_deref(), Some("relay/mx1001/2018-06-06T18:55:00Z"));
        assert_eq!(verdict.affected, ["gerrit", "hue"]);
        assert!(verdict.next.unwrap().contains("MTA on mx1001"));
    }

    #[test]
    fn what_cannot_be_seen_is_never_green() {
        assert_eq!(said(&[], &[], None).standing, MailStanding::Flowing);
        let blind = alarm(Scope::Host(1), State::Blind);
        let unknown = said(&[&blind], &[], None);
        assert_eq!(unknown.standing, MailStanding::Unknown);
        assert!(
            unknown
                .sentence
                .contains("the log of mx2001 has not arrived since 2018-06-06 18:55"),
            "{unknown:?}"
        );
        assert_eq!(
            said(&[], &["mx2001 is stale".to_owned()], None).standing,
            MailStanding::Unknown
        );
        assert_eq!(said(&[], &[], Some(3_600_000)).standing, MailStanding::Unknown);
        // What is provisional pages nobody, and is not hidden.
        let mut young = alarm(Scope::Service(0), State::Dropped);
        young.provisional = true;
        let young = said(&[&young], &[], None);
        assert_eq!((young.standing, young.more.len()), (MailStanding::Flowing, 1));
    }

    #[test]
    fn each_state_has_words_of_its_own() {
        for (state, words) in [
            (State::Dropped, "stopped at 18:55"),
            (State::Stuck, "has not been delivered since 18:55"),
            (State::Refused, "has been refused since 18:55"),
            (State::Failing, "failed far more often"),
            (State::Overdue, "was due at 18:55"),
        ] {
            let verdict = said(&[&alarm(Scope::Service(0), state)], &[], None);
            assert!(
                verdict.sentence.starts_with("Mail of gerrit") && verdict.sentence.contains(words),
                "{verdict:?}"
            );
        }
        let google = said(&[&alarm(Scope::Provider(0), State::Throttled)], &[], None);
        assert!(google.sentence.starts_with("google has deferred"), "{google:?}");
    }
}

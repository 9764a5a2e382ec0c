//! How the mail stands, in one sentence for whoever was just paged: is mail flowing, for whom not, since when, lost or late, by
//! which relay or provider, and what to do next. Pure: it only puts into words what the detection and the incident say.

use super::alarms::notice_id;
use super::incident::report::hurt;
use super::incident::{Incident, Judged};
use crate::detect::alarm::{Alarm, Scope, State};
use crate::detect::fleet::{Id, Names};
use crate::detect::impact::{Impact, ServiceImpact};
use crate::model::human;
use crate::model::time::{Minute, rfc3339};
use jiff::tz::TimeZone;
use std::collections::BTreeSet;

/// Names that a sentence lists.
const LISTED: usize = 4;

/// How it stands, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MailStanding {
    /// Mail flows as expected.
    Flowing,
    /// Nobody can say: what would show it is missing, old, or not judged.
    Unknown,
    /// Something is wrong with the mail.
    Trouble,
}

impl MailStanding {
    /// The word in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            MailStanding::Flowing => "flowing",
            MailStanding::Unknown => "unknown",
            MailStanding::Trouble => "trouble",
        }
    }
}

/// What the sentence is made of.
#[derive(Debug)]
pub struct VerdictFacts<'a> {
    /// The minute up to which was judged, since 1970; none where nothing was.
    pub until: Option<Minute>,
    /// Alarms that fire.
    pub firing: &'a [&'a Alarm],
    /// Their names.
    pub names: &'a Names,
    /// Services that have sent mail of late.
    pub services: usize,
    /// What the alarms about mail cost so far.
    pub incident: Option<&'a Incident>,
    /// Why what is seen is not all there is, a line each: logs that are old or cannot be read.
    pub doubts: &'a [String],
    /// The newest event is so old that it says nothing of now, milliseconds.
    pub silent_ms: Option<i64>,
    /// The zone in which it names times.
    pub zone: &'a TimeZone,
}

/// What missing mail came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MissingMail {
    /// All of it.
    pub all: u64,
    /// Was not sent.
    pub lost: u64,
    /// Came later.
    pub late: u64,
    /// Is still tried or queued.
    pub waiting: u64,
    /// Was sent back.
    pub bounced: u64,
    /// Nothing is decided.
    pub open: u64,
}

/// How the mail stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailVerdict {
    /// In a word.
    pub standing: MailStanding,
    /// In a sentence.
    pub sentence: String,
    /// What else there is to say.
    pub more: Vec<String>,
    /// What to do next.
    pub next: Option<String>,
    /// The alarm to open, by its ID.
    pub alarm: Option<String>,
    /// The services whose mail is affected.
    pub affected: Vec<String>,
    /// The relay that is the cause.
    pub relay: Option<String>,
    /// Since when.
    pub since: Option<Minute>,
    /// How much is missing.
    pub missing: MissingMail,
}

/// The verdict.
#[must_use]
pub fn verdict(facts: &VerdictFacts<'_>) -> MailVerdict {
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

/// For whom, and since when.
fn headline(facts: &VerdictFacts<'_>, first: &Alarm, affected: &[String], since: Minute) -> String {
    let from = clock(since, facts);
    let (kind, name) = first.scope.named(facts.names);
    let of = match affected {
        [] => None,
        [one] => Some(format!("Mail of {one}")),
        many => Some(format!(
            "Mail of {} of {} services",
            many.len(),
            facts.services.max(many.len())
        )),
    };
    let whose = of.unwrap_or_else(|| match kind {
        "fleet" => "All mail".to_owned(),
        _ => format!("Mail of {kind} {name}"),
    });
    match first.state {
        State::Dropped if first.observed < 1.0 => format!("{whose} stopped at {from}"),
        State::Dropped => format!("{whose} has been far below usual since {from}"),
        State::Stuck => format!("{whose} is accepted and has not been delivered since {from}"),
        State::Refused => format!("{whose} has been refused since {from}"),
        State::Throttled => format!("{name} has deferred far more of our mail than usual since {from}"),
        State::Failing => format!("{whose} has failed far more often than usual since {from}"),
        State::Overdue => format!("{whose} was due at {from} and has not come"),
        State::Blind | State::Unreadable => format!("{whose} cannot be judged since {from}"),
    }
}

/// Services whose mail is missing by the incident, or else those that the alarms name.
fn affected(facts: &VerdictFacts<'_>, alarms: &[&Alarm]) -> Vec<String> {
    let hurt: Vec<String> = match facts.incident {
        Some(incident) => hurt(incident)
            .map(|one| incident.names.service(one.service).to_owned())
            .collect(),
        None => Vec::new(),
    };
    if !hurt.is_empty() {
        return hurt;
    }
    let of = |alarm: &&Alarm| {
        let own = match alarm.scope {
            Scope::Service(id) => Some(id),
            _ => None,
        };
        own.into_iter()
            .chain(alarm.members.iter().map(|member| member.service))
            .collect::<Vec<Id>>()
    };
    let ids: BTreeSet<Id> = alarms.iter().flat_map(of).collect();
    ids.into_iter().map(|id| facts.names.service(id).to_owned()).collect()
}

/// Services that the alarms name, and that miss nothing yet.
fn at_risk(names: &Names, alarms: &[&Alarm], affected: &[String], relay: Option<&str>) -> Option<String> {
    let members = alarms
        .iter()
        .flat_map(|alarm| &alarm.members)
        .map(|member| names.service(member.service).to_owned());
    let spared: BTreeSet<String> = members.filter(|name| !affected.contains(name)).collect();
    let spared: Vec<String> = spared.into_iter().collect();
    let why = relay.map_or_else(|| "are part of it".to_owned(), |relay| format!("depend on {relay}"));
    (!spared.is_empty()).then(|| format!("At risk: {} {why}, and miss no mail yet.", listed(&spared)))
}

/// What is missing, by what became of it.
#[must_use]
pub fn missing(incident: &Incident) -> MissingMail {
    let mut sum = MissingMail::default();
    for one in hurt(incident) {
        let ServiceImpact { missing, impact, .. } = one;
        sum.all += missing;
        match impact {
            Impact::Lost => sum.lost += missing,
            Impact::Delayed => {
                sum.late += one.delivered_late.min(*missing);
                sum.lost += missing.saturating_sub(one.delivered_late);
            }
            Impact::Waiting => sum.waiting += missing,
            Impact::Bounced => sum.bounced += missing,
            Impact::Unknown | Impact::Rerouted | Impact::None => sum.open += missing,
        }
    }
    sum
}

/// How much is missing, and whether it is lost or late.
fn missing_words(missing: MissingMail) -> Vec<String> {
    let MissingMail {
        all,
        lost,
        late,
        waiting,
        bounced,
        open,
    } = missing;
    if all == 0 {
        return Vec::new();
    }
    let count = |number: u64| human::count(i64::try_from(number).unwrap_or(i64::MAX));
    let mails = human::counted(all, "mail");
    let are = if all == 1 { "is" } else { "are" };
    let fates = [
        (waiting, "still tried or queued"),
        (late, "late"),
        (lost, "lost"),
        (bounced, "sent back"),
        (open, "not decided yet"),
    ];
    let fates: Vec<(u64, &str)> = fates.into_iter().filter(|(number, _)| *number > 0).collect();
    let fate = match fates.as_slice() {
        [(_, "lost")] => "lost rather than late".to_owned(),
        [(_, "late")] => "late rather than lost".to_owned(),
        [(_, "not decided yet")] => "whether lost or late is not decided yet".to_owned(),
        [(_, fate)] => (*fate).to_owned(),
        many => {
            let many: Vec<String> = many
                .iter()
                .map(|(number, fate)| format!("{} {fate}", count(*number)))
                .collect();
            many.join(", ")
        }
    };
    vec![format!("{mails} {are} missing: {fate}")]
}

/// Who went another way.
fn spared(judged: &Judged, names: &Names) -> Option<String> {
    let rerouted = judged.services.iter().filter(|one| one.impact == Impact::Rerouted);
    let rerouted: Vec<String> = rerouted.map(|one| names.service(one.service).to_owned()).collect();
    match rerouted.len() {
        0 => None,
        1 => Some(format!("{} went another way.", rerouted[0])),
        many => Some(format!("{many} services went another way: {}.", listed(&rerouted))),
    }
}

/// What to do, by what is wrong.
fn next(alarm: &Alarm, relay: Option<&str>) -> String {
    match (relay, alarm.state) {
        (Some(relay), State::Dropped | State::Refused) => {
            format!("Look at the MTA on {relay}: does it run, and does it accept connections?")
        }
        (Some(relay), State::Stuck) => format!("Look at the queue on {relay}, and at what the next hop answers."),
        _ => sentence_of(alarm.state.meaning()),
    }
}

/// The second half of a state's meaning is what to do.
fn sentence_of(meaning: &str) -> String {
    let advice = meaning.split_once(". ").map_or(meaning, |(_, advice)| advice);
    format!("{}.", advice.trim_end_matches('.'))
}

fn unseen(alarm: &Alarm, facts: &VerdictFacts<'_>) -> String {
    let (_, name) = alarm.scope.named(facts.names);
    let (day, time) = civil(alarm.onset, facts.zone);
    let since = format!("{day} {time}");
    match alarm.state {
        State::Unreadable => format!("Lines of {name} have not parsed since {since}: no verdict on its mail."),
        _ => format!("The log of {name} has not arrived since {since}: no verdict on its mail."),
    }
}

fn about(alarm: &Alarm, names: &Names) -> String {
    let (kind, name) = alarm.scope.named(names);
    format!("{kind} {name} {}", alarm.state.as_str())
}

fn listed(all: &[String]) -> String {
    match all.len() {
        n if n > LISTED + 1 => format!("{}, and {} more", all[..LISTED].join(", "), n - LISTED),
        _ => all.join(", "),
    }
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// `18:55`, with the day where it is not that of the verdict.
fn clock(minute: Minute, facts: &VerdictFacts<'_>) -> String {
    let (day, time) = civil(minute, facts.zone);
    let (today, _) = civil(facts.until.unwrap_or(minute), facts.zone);
    match today == day {
        true => time,
        false => format!("{time} on {day}"),
    }
}

/// `2018-06-06` and `18:55`.
fn civil(minute: Minute, zone: &TimeZone) -> (String, String) {
    let start = minute.start();
    match start.timestamp() {
        Ok(time) => {
            let time = time.to_zoned(zone.clone());
            (time.strftime("%F").to_string(), time.strftime("%H:%M").to_string())
        }
        Err(_) => (rfc3339(start), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::alarm::{Cause, Layer, Member};

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

    #[test]
    fn missing_mail_is_lost_or_late() {
        let words = |missing: MissingMail| missing_words(missing).join("");
        let of = |lost: u64, late: u64, open: u64| MissingMail {
            all: lost + late + open,
            lost,
            late,
            open,
            ..MissingMail::default()
        };
        assert_eq!(words(of(41, 0, 0)), "41 mails are missing: lost rather than late");
        assert_eq!(words(of(0, 1, 0)), "1 mail is missing: late rather than lost");
        assert_eq!(
            words(of(0, 0, 2)),
            "2 mails are missing: whether lost or late is not decided yet"
        );
        assert_eq!(words(of(1, 2, 0)), "3 mails are missing: 2 late, 1 lost");
        assert_eq!(words(of(0, 0, 0)), "");
    }
}

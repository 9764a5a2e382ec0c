//! What all relatives do at once: a holiday that nobody declared, a storm, a lost summit. It is one finding at the parent,
//! and asks whether it is a holiday. Whoever falls further than the family is told by itself.

use super::adaptive_threshold::too_few;
use super::alarm::{LayerFinding, Scope, Turn};
use super::engine::Engine;
use super::fleet::{Id, Names};
use super::forecast::Span;
use super::group::GroupFinding;
use super::membership::EXPLAINS;
use super::relatives::Relatives;
use super::worse::Worse;
use mailpulse_time::Minute;

/// Least minutes that relatives are looked at: what began a minute ago shows in none of them.
const LEAST: i64 = 60;
/// And most.
const MOST: i64 = 1440;
/// Expected mails from which a relative has a say.
const KNOWN: f64 = 5.0;
/// A family with less than this share of its mail falls.
const FALLS: f64 = 0.9;
/// Share of the relatives that must.
const NEARLY_ALL: f64 = 0.7;
/// Relatives that make a family: of the fleet, of a hostgroup.
const FLEET: usize = 4;
const GROUP: usize = 2;
/// Evidence in nats that a family falls, and without the one of it that says most.
const EVIDENT: f64 = 6.0;
const WITHOUT_ONE: f64 = 3.0;
/// Mails that a relay is due before it can speak against the family.
const RELAY: f64 = 20.0;
/// One that falls further than its family brings less than this share of what the family leaves.
const LESS: f64 = 0.7;
/// Evidence in nats for that.
const FURTHER: f64 = 6.0;
/// Least relative variance of one against its family: people do not stay away in step.
const OWN_V: f64 = 0.03;

/// Share of its mail by a hostgroup that makes a service one of it.
const HOME: f64 = 0.5;

/// What relatives brought together.
#[derive(Debug, Clone, Copy, Default)]
struct Fall {
    counted: f64,
    expected: f64,
    fallen: usize,
    known: usize,
    /// Part of the mail that those send which fall.
    part: f64,
    /// Evidence in nats of all, and of the one that says most.
    evidence: f64,
    largest: f64,
}

impl Fall {
    fn of(spans: impl Iterator<Item = Span> + Clone) -> Fall {
        let sum = |of: &dyn Fn(&Span) -> f64| spans.clone().map(|span| of(&span)).sum::<f64>();
        let mut fall = Fall {
            counted: sum(&|span| span.counted),
            expected: sum(&|span| span.expected),
            ..Fall::default()
        };
        let (mut all, mut falling) = (0.0, 0.0);
        for span in spans.filter(|span| span.expected >= KNOWN) {
            let own = too_few(span.counted, span.expected, span.v);
            fall.known += 1;
            fall.evidence += own;
            fall.largest = fall.largest.max(own);
            all += span.expected;
            if fall.includes(&span) {
                fall.fallen += 1;
                falling += span.expected;
            }
        }
        fall.part = falling / f64::max(all, 1e-9);
        fall
    }

    /// Whether nearly all of at least so many relatives fall, and not by chance.
    fn is_common(&self, least: usize) -> bool {
        let nearly_all = self.fallen as f64 >= NEARLY_ALL * self.known as f64 && self.part >= NEARLY_ALL;
        let evident = self.evidence >= EVIDENT && self.evidence - self.largest >= WITHOUT_ONE;
        self.known >= least && self.share() < FALLS && nearly_all && evident
    }

    /// Whether one brings less as well: nearer to the share of all than to the usual.
    fn includes(&self, span: &Span) -> bool {
        span.counted < 0.5 * (1.0 + self.share()) * span.expected
    }

    fn share(&self) -> f64 {
        self.counted / self.expected.max(1e-9)
    }

    /// Whether a relative falls further than the others.
    fn is_exceeded_by(&self, span: Span) -> bool {
        let due = self.share() * span.expected;
        span.counted < LESS * due && too_few(span.counted, due, span.v.max(OWN_V)) >= FURTHER
    }
}

impl Engine {
    /// Gives a volume's finding to its family, if that falls as well.
    pub(super) fn with_family(
        &self,
        at: i64,
        finding: GroupFinding,
        turn: Turn,
        names: &Names,
    ) -> (GroupFinding, Turn) {
        let Turn::Opened(found) = turn else {
            return (finding, turn);
        };
        // A service's own alarm, or a surer cause.
        let family = match found.provisional || finding.explained.is_some() || self.groups.is_explained(found.began()) {
            true => None,
            false => self.family(at, finding.scope, found),
        };
        let Some((family, fall)) = family else {
            return (finding, turn);
        };
        let mut evidence = finding.evidence;
        if !self.groups.is_everyone(family.parent, Minute::new(at)) {
            evidence.insert(0, asks(family.parent, fall, at, names));
        }
        let found = LayerFinding {
            expected: fall.expected,
            observed: fall.counted,
            ..found
        };
        let finding = GroupFinding {
            family: Some(family),
            evidence,
            ..finding
        };
        (finding, Turn::Opened(found))
    }

    /// What got worse, and whether its family did as well.
    pub(super) fn worse(&self, at: i64, (scope, found): (Scope, LayerFinding)) -> Worse {
        Worse {
            scope,
            found,
            with_family: self.family(at, scope, found).is_some(),
        }
    }

    /// The family that falls with something: the fleet before a hostgroup of it.
    fn family(&self, at: i64, scope: Scope, found: LayerFinding) -> Option<(Relatives, Fall)> {
        let minutes = (at + 1 - found.onset).clamp(LEAST, MOST);
        let own = self.volumes.span(scope, minutes)?;
        let groups: Vec<Id> = match scope {
            Scope::Service(service) => self.home_group(service).into_iter().collect(),
            Scope::Hostgroup(group) => vec![group],
            _ => self.routes.groups().collect(),
        };
        let parents = std::iter::once(Scope::Fleet).chain(groups.into_iter().map(Scope::Hostgroup));
        let (parent, fall) = parents
            .filter_map(|parent| Some((parent, self.fall(at, parent, scope, minutes)?)))
            .next()?;
        if fall.is_exceeded_by(own) {
            return None;
        }
        let with = self.volumes.scopes().into_iter().filter(|other| {
            let span = self.volumes.span(*other, minutes);
            self.is_relative(*other, parent, minutes) && span.is_some_and(|span| !fall.is_exceeded_by(span))
        });
        let with = with.collect();
        Some((Relatives { parent, with }, fall))
    }

    /// The hostgroup that sends most of a service's mail.
    fn home_group(&self, service: Id) -> Option<Id> {
        let mut groups = self.routes.groups_of(service);
        groups.find(|(_, share)| *share >= HOME).map(|(group, _)| group)
    }

    fn is_relative(&self, scope: Scope, parent: Scope, minutes: i64) -> bool {
        match (scope, parent) {
            (_, Scope::Fleet) => true,
            (Scope::Service(service), Scope::Hostgroup(group)) => self.home_group(service) == Some(group),
            (Scope::Hostgroup(own), Scope::Hostgroup(group)) => own == group,
            // Most of what it lacks is theirs.
            (Scope::Relay(relay), Scope::Hostgroup(group)) => {
                let lacks = |scope| self.volumes.missing(scope, minutes);
                self.routes.group_through(group, relay) * lacks(parent) >= EXPLAINS * lacks(scope)
            }
            _ => false,
        }
    }

    /// What the relatives of something bring, if they fall together.
    fn fall(&self, at: i64, parent: Scope, scope: Scope, minutes: i64) -> Option<Fall> {
        if !self.is_relative(scope, parent, minutes) {
            return None;
        }
        // Those that are told by themselves say nothing of the others.
        let others = self.volumes.scopes().into_iter().filter_map(|other| match other {
            Scope::Service(service) if other != scope && !self.groups.is_told(other) => {
                self.is_relative(other, parent, minutes).then_some(service)
            }
            _ => None,
        });
        let spans: Vec<(Option<Id>, Span)> = others
            .filter_map(|other| {
                Some((
                    self.home_group(other),
                    self.volumes.span(Scope::Service(other), minutes)?,
                ))
            })
            .collect();
        let fall = Fall::of(spans.iter().map(|(_, span)| *span));
        // Once it is told, whoever falls with it is part of it.
        let is_known = self.groups.is_everyone(parent, Minute::new(at));
        if is_known && fall.share() < FALLS {
            return Some(fall);
        }
        let of_one_group = || {
            let mut groups = spans
                .iter()
                .filter(|(_, span)| span.expected >= KNOWN && fall.includes(span));
            let first = groups.next().and_then(|(group, _)| *group);
            first.is_some() && groups.all(|(group, _)| *group == first)
        };
        let is_family = match parent {
            Scope::Fleet => fall.is_common(FLEET) && self.relays_fall(minutes, &fall) && !of_one_group(),
            _ => fall.is_common(GROUP),
        };
        is_family.then_some(fall)
    }

    /// Whether no relay speaks against it: what one of them alone lacks is that relay's trouble.
    fn relays_fall(&self, minutes: i64, fall: &Fall) -> bool {
        let relays = self
            .volumes
            .scopes()
            .into_iter()
            .filter(|scope| matches!(scope, Scope::Relay(_)));
        relays
            .filter_map(|relay| self.volumes.span(relay, minutes))
            .all(|span| span.expected < RELAY || fall.includes(&span))
    }
}

/// The question that comes with what everyone does.
fn asks(parent: Scope, fall: Fall, at: i64, names: &Names) -> String {
    let (kind, name) = parent.named(names);
    let of = match parent {
        Scope::Fleet => "the fleet".to_owned(),
        _ => format!("{kind} {name}"),
    };
    let day = jiff::Timestamp::from_second(at.saturating_mul(60))
        .map_or_else(|_| "its date".to_owned(), |time| time.strftime("%Y-%m-%d").to_string());
    format!(
        "everyone sends less: {} of {} other services of {of} with mail due, which brought {:.0} of {:.0} mails. Is it a holiday? To \
         declare it, write the line {day} to a file in `holidays = [\"holidays.txt\"]` in [detect]",
        fall.fallen, fall.known, fall.counted, fall.expected
    )
}

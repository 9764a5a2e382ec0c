//! What belongs to what: whose mail is part of whose, and who is in an alarm.

use super::alarm::{Alarm, Cause, Layer, Member, Scope, State};
use super::fleet::{Id, Names};
use super::routes::{ONLY, Routes};

/// A service that makes this part of a hostgroup's or relay's mail explains its loss.
pub(super) const EXPLAINS: f64 = 0.6;

/// A hostgroup that sends one service's mail, and all of it, is that service.
pub(super) fn smallest(scope: Scope, routes: &Routes) -> Scope {
    let Scope::Hostgroup(group) = scope else {
        return scope;
    };
    match routes.main_of_group(group) {
        Some(service) if routes.part_of_group(service, group) >= 0.8 && routes.group_share(service, group) >= 0.8 => {
            Scope::Service(service)
        }
        _ => scope,
    }
}

/// Whether one thing's mail is (mostly) part of another's.
pub(super) fn is_inside(part: Scope, relay: Option<Id>, whole: Scope, routes: &Routes) -> bool {
    match (part, whole) {
        (_, Scope::Relay(host)) if relay == Some(host) => true,
        (Scope::Service(service), Scope::Relay(host)) => routes.share(service, host) >= 0.5,
        (Scope::Service(service), Scope::Hostgroup(group)) => routes.group_share(service, group) >= 0.5,
        (Scope::Hostgroup(group), Scope::Relay(host)) => routes.group_through(group, host) >= 0.5,
        (Scope::Relay(sender), Scope::Relay(host)) => {
            let through = routes.through(sender, 0.5);
            !through.is_empty() && through.iter().all(|service| routes.share(*service, host) >= 0.5)
        }
        _ => false,
    }
}

/// Whether the trouble of a service that has its alarm explains what a larger thing misses.
pub(super) fn explains(small: Scope, large: Scope, routes: &Routes) -> bool {
    match (small, large) {
        (Scope::Service(service), Scope::Hostgroup(group)) => routes.part_of_group(service, group) >= EXPLAINS,
        (Scope::Service(service), Scope::Relay(host)) => routes.part_of_host(service, host) >= EXPLAINS,
        _ => false,
    }
}

/// Adds a service to an alarm; its own mail's word counts more than its routes'.
pub(super) fn note_member(alarm: &mut Alarm, service: Id, judged: Option<(Layer, State)>, reason: String) {
    match alarm.members.iter_mut().find(|member| member.service == service) {
        Some(member) if member.judged.is_none() && judged.is_some() => {
            member.judged = judged;
            member.reason = reason;
        }
        Some(_) => {}
        None => alarm.members.push(Member {
            service,
            judged,
            reason,
        }),
    }
    alarm.members.sort_by_key(|member| member.service);
}

/// Services that have no other way than the relay are affected, however little they send. Also sets the cause.
pub(super) fn hang(alarm: &mut Alarm, relay: Id, routes: &Routes, names: &Names) {
    let is_silence = alarm.layers.iter().any(|(layer, _)| *layer == Layer::Silence);
    if alarm.cause.is_none() {
        alarm.cause = Some(Cause {
            relay,
            silent_from: alarm.onset,
            silent_to: None,
            evidence: Vec::new(),
        });
    }
    if let Some(cause) = &mut alarm.cause {
        cause.silent_from = alarm.onset;
        cause.evidence = alarm.evidence.iter().take(12).cloned().collect();
    }
    if !is_silence {
        return;
    }
    for service in routes.through(relay, ONLY) {
        let share = 100.0 * routes.share(service, relay);
        let reason = format!(
            "{share:.0} % of its mail of the last weeks went through {}",
            names.host(relay)
        );
        note_member(alarm, service, None, reason);
    }
}

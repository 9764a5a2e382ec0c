//! Whose trouble it is that attempts to reach a host found nobody: the host's, or one sender's.

use super::alarm::Scope;
use super::fleet::Id;
use super::routes::{ONLY, Routes};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Attempts so many minutes ago speak of the same trouble.
const RECENT: i64 = 15;
/// Where only one sender finds nobody, so much of the others' mail must be missing before it is the host's trouble, in nats.
const OTHERS: f64 = 3.0;

/// Who found nobody, and what it was taken for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Refusals {
    /// By service, the last minute.
    last: BTreeMap<Id, i64>,
    scope: Option<Scope>,
    /// The part of the host's mail that is the sender's whose trouble it is.
    part: f64,
}

/// What is known of the host itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RefusingHost {
    pub id: Id,
    /// First minute after its last mail.
    pub since: Option<i64>,
    /// Expected mails since then.
    pub gap: f64,
}

impl Refusals {
    /// Takes the services that found nobody in a minute.
    pub(crate) fn note(&mut self, at: i64, services: impl Iterator<Item = Id>) {
        self.last.retain(|_, last| *last > at - RECENT);
        self.last.extend(services.map(|service| (service, at)));
    }

    /// Whose trouble it is that began at `onset`.
    pub(crate) fn about(&mut self, host: RefusingHost, onset: i64, routes: &Routes) -> Scope {
        let scope = self.judge(host, onset, routes);
        let is_the_hosts = scope == Scope::Relay(host.id);
        (self.scope, self.part) = (
            Some(scope),
            if is_the_hosts {
                0.0
            } else {
                self.part_of(host.id, routes)
            },
        );
        scope
    }

    /// While it is a sender's trouble: the part of the host's mail that is missing by it.
    pub(crate) fn theirs(&self) -> Option<f64> {
        self.scope.is_some().then_some(self.part).filter(|part| *part > 0.0)
    }

    fn part_of(&self, host: Id, routes: &Routes) -> f64 {
        let parts = self.last.keys().map(|service| routes.part_of_host(*service, host));
        parts.sum()
    }

    /// What it was taken for, when it is over.
    pub(crate) fn over(&mut self) -> Option<Scope> {
        self.scope.take()
    }

    fn judge(&self, host: RefusingHost, onset: i64, routes: &Routes) -> Scope {
        let relay = Scope::Relay(host.id);
        let Some(sender) = self.sender(host.id, routes) else {
            return relay;
        };
        let part = self.part_of(host.id, routes);
        let takes = host.since.is_some_and(|since| since > onset + 1);
        if !takes && (part > ONLY || host.gap * (1.0 - part) >= OTHERS) {
            return relay;
        }
        sender
    }

    /// The one sender that found nobody, if it is one: a service, or the MTA that all of them hand in at.
    fn sender(&self, host: Id, routes: &Routes) -> Option<Scope> {
        let first = *self.last.keys().next()?;
        if self.last.len() == 1 {
            return Some(Scope::Service(first));
        }
        let own = routes.of(first).into_iter().map(|(own, _)| own);
        let is_shared = |own: &Id| *own != host && self.last.keys().all(|service| routes.share(*service, *own) >= ONLY);
        own.filter(is_shared).map(Scope::Relay).next()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fleet::{Flow, FlowKind, NONE};
    use super::*;
    use mailpulse_time::Minute;

    /// Services 0 and 1 hand in at host 2, service 2 at host 3, and all pass host 0.
    fn routes() -> Routes {
        let mut routes = Routes::default();
        let flow = |service, host, what| Flow {
            service,
            hostgroup: NONE,
            host,
            what,
            count: 10,
        };
        for (service, own) in [(0, 2), (1, 2), (2, 3)] {
            routes.add(
                Minute::EPOCH,
                &[
                    flow(service, own, FlowKind::Accepted),
                    flow(service, 0, FlowKind::Passed),
                ],
            );
        }
        routes
    }

    fn about(services: &[Id], since: i64, gap: f64) -> Scope {
        let mut refusals = Refusals::default();
        refusals.note(100, services.iter().copied());
        let host = RefusingHost {
            id: 0,
            since: Some(since),
            gap,
        };
        let scope = refusals.about(host, 100, &routes());
        assert_eq!(refusals.theirs().is_some(), scope != Scope::Relay(0));
        assert_eq!(refusals.over(), Some(scope));
        assert_eq!(refusals.theirs(), None);
        scope
    }

    #[test]
    fn one_sender_that_finds_nobody_is_its_own_trouble_until_others_mail_is_missing_too() {
        assert_eq!(about(&[0], 100, 3.0), Scope::Service(0));
        assert_eq!(about(&[0], 100, 6.0), Scope::Relay(0));
        assert_eq!(about(&[0], 104, 6.0), Scope::Service(0), "it took mail since");
        assert_eq!(about(&[0, 1], 100, 6.0), Scope::Relay(2), "the MTA of both");
        assert_eq!(about(&[0, 1], 100, 10.0), Scope::Relay(0));
        assert_eq!(about(&[0, 2], 100, 0.1), Scope::Relay(0), "two senders");
    }
}

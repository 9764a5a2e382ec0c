//! What a page may be about, and what its reader chooses.

use crate::detect::alarm::{Alarm, Scope};
use crate::query::rates::By;
use crate::web::overview::Overview;
use serde::Deserialize;

/// Days of alarms.
pub(super) const ALARM_DAYS: i64 = 30;

/// What a reader chooses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub(crate) struct SubjectChoice {
    pub name: String,
    pub from: String,
    pub to: String,
}

/// What kind of thing a page is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageSubject {
    Service,
    Relay,
    Hostgroup,
    Provider,
}

impl PageSubject {
    pub(super) fn word(self) -> &'static str {
        match self {
            PageSubject::Service => "service",
            PageSubject::Relay => "relay",
            PageSubject::Hostgroup => "hostgroup",
            PageSubject::Provider => "provider",
        }
    }

    /// The column of rates; a provider has none of its own.
    pub(super) fn by(self) -> Option<By> {
        match self {
            PageSubject::Service => Some(By::Service),
            PageSubject::Relay => Some(By::Relay),
            PageSubject::Hostgroup => Some(By::Hostgroup),
            PageSubject::Provider => None,
        }
    }

    /// Whether an alarm is about it, or names it as affected.
    pub(super) fn is_of(self, alarm: &Alarm, name: &str, overview: &Overview) -> bool {
        let names = &overview.judgement.names;
        let own = match (self, alarm.scope) {
            (PageSubject::Service, Scope::Service(id)) => names.service(id) == name,
            (PageSubject::Relay, Scope::Relay(id) | Scope::Host(id)) => names.host(id) == name,
            (PageSubject::Hostgroup, Scope::Hostgroup(id)) => names.hostgroup(id) == name,
            (PageSubject::Provider, Scope::Provider(id)) => names.provider(id) == name,
            _ => false,
        };
        let member = |alarm: &Alarm| alarm.members.iter().any(|member| names.service(member.service) == name);
        own || self == PageSubject::Service && member(alarm)
            || self == PageSubject::Relay
                && alarm
                    .cause
                    .as_ref()
                    .is_some_and(|cause| names.host(cause.relay) == name)
    }
}

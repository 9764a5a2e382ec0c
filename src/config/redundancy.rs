//! `relays_min`: how many relays a service's mail should reach the outside through.

use std::collections::BTreeMap;

use super::at::At;
use super::raw::{RELAYS_MIN, RawRoutes, RawService};
use super::report::Report;

/// What is wanted of a service, and where that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelaysWanted {
    /// Relays.
    pub relays_min: u32,
    /// `file:line`; `None` if nobody wrote it.
    pub place: Option<String>,
}

/// How many relays services should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redundancy {
    usual: RelaysWanted,
    own: BTreeMap<String, RelaysWanted>,
}

impl Default for Redundancy {
    fn default() -> Self {
        Self {
            usual: RelaysWanted {
                relays_min: RELAYS_MIN,
                place: None,
            },
            own: BTreeMap::new(),
        }
    }
}

impl Redundancy {
    pub(super) fn of(raw: &RawRoutes, services: &[At<RawService>], report: &Report<'_>) -> Self {
        let wanted = |written: &At<u32>| RelaysWanted {
            relays_min: *written.get(),
            place: Some(report.place(&written.at())),
        };
        let own = services.iter().map(At::get).filter_map(|service| {
            let name = service.name.as_ref()?.get().clone();
            Some((name, wanted(service.relays_min.as_ref()?)))
        });
        let usual = raw.relays_min.as_ref().map(wanted);
        Self {
            usual: usual.unwrap_or_else(|| Self::default().usual),
            own: own.collect(),
        }
    }

    /// What is wanted of a service.
    #[must_use]
    pub fn of_service(&self, service: &str) -> &RelaysWanted {
        self.own.get(service).unwrap_or(&self.usual)
    }

    /// Services of which something is written, by name.
    pub fn own(&self) -> impl Iterator<Item = (&str, &RelaysWanted)> {
        self.own.iter().map(|(name, wanted)| (name.as_str(), wanted))
    }
}

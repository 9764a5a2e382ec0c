//! Attribution: which service sent a mail, and which hostgroup it came from.
//!
//! [`ServiceRules`] and [`HostGroups`] are compiled once from plain inputs and then only read, by any number of
//! threads. Rules know nothing of configuration files: the configuration turns what it read into [`RuleInput`] and
//! [`GroupInput`]. [`derive()`] names a service where no rule does.
//!
//! Everything compares ASCII-case-insensitively, local parts of addresses included: logs and people mix case freely,
//! and two services that differ only in case would be a mistake, not a wish.

mod condition;
mod derive;
mod facts;
mod hostgroups;
mod index;
mod inventory;
mod pattern;
mod possible;
mod services;

use crate::model::service_names::UNATTRIBUTED;
use std::borrow::Cow;

pub use condition::ConditionTrace;
pub use derive::{Naming, candidates, derive};
pub use facts::{FactKey, Facts};
pub use hostgroups::{GroupInput, GroupProblem, HostGroups, network};
pub use inventory::{Inventory, InventoryError};
pub(super) use pattern::Pattern;
pub use possible::{KnownFacts, Possible};
pub use services::{EntryInput, EntryTrace, Match, PatternProblem, RuleInput, ServiceRules};

/// The service of a mail: by rule; else derived, if anything may name it so; else [`UNATTRIBUTED`].
#[must_use]
pub fn service_of<'a>(rules: &'a ServiceRules, facts: &Facts<'_>, derived: Option<Naming>) -> Cow<'a, str> {
    match (rules.find(facts), derived) {
        (Some(found), _) => Cow::Borrowed(rules.name(found.service)),
        (None, Some(naming)) => Cow::Owned(derive(facts, naming)),
        (None, None) => Cow::Borrowed(UNATTRIBUTED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_rule_names_is_derived_or_nobodys() {
        let facts = Facts {
            sender: Some(b"gerrit@wikimedia.org"),
            ..Facts::default()
        };
        let rule = RuleInput {
            service: "hue".to_owned(),
            entries: vec![EntryInput {
                conditions: vec![(FactKey::Client, "hue*".to_owned())],
            }],
        };
        let (none, rules) = (ServiceRules::default(), ServiceRules::compile(vec![rule]).unwrap());
        let of_hue = Facts {
            client_name: Some(b"HUE1001"),
            ..facts
        };
        for (rules, derived, facts, expected) in [
            (&none, Some(Naming::Accounts), facts, "gerrit"),
            (&none, None, facts, UNATTRIBUTED),
            (&rules, Some(Naming::Accounts), facts, "gerrit"),
            (&rules, None, facts, UNATTRIBUTED),
            (&rules, Some(Naming::Accounts), of_hue, "hue"),
            (&rules, None, of_hue, "hue"),
        ] {
            assert_eq!(service_of(rules, &facts, derived), expected, "{derived:?}");
        }
    }
}

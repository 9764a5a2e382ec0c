//! Attribution: which service sent a mail, and which hostgroup it came from.
//!
//! [`ServiceRules`] and [`HostGroups`] are compiled once from plain inputs and then only read, by any number of
//! threads. Rules know nothing of configuration files: the configuration turns what it read into [`RuleInput`] and
//! [`GroupInput`]. [`derive()`] names a service when no rule is given at all.
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
mod services;

use std::borrow::Cow;

pub use derive::{AUTHENTICATED, BOUNCES, Naming, derive};
pub use facts::{Facts, Key};
pub use hostgroups::{GroupInput, GroupProblem, HostGroups};
pub use inventory::{Inventory, InventoryError};
pub use services::{ConditionTrace, EntryInput, EntryTrace, Match, PatternProblem, RuleInput, ServiceRules};

/// The bucket of what no rule names: counted and shown, never dropped. No service or hostgroup may take this name.
pub const UNATTRIBUTED: &str = "unattributed";

/// The service of a mail: by rule; derived when there are no rules; [`UNATTRIBUTED`] when there are, and none matches.
#[must_use]
pub fn service_of<'a>(rules: &'a ServiceRules, facts: &Facts<'_>, naming: Naming) -> Cow<'a, str> {
    if rules.is_empty() {
        return Cow::Owned(derive(facts, naming));
    }
    match rules.find(facts) {
        Some(found) => Cow::Borrowed(rules.name(found.service)),
        None => Cow::Borrowed(UNATTRIBUTED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derives_only_without_rules() {
        let facts = Facts {
            sender: Some(b"gerrit@wikimedia.org"),
            ..Facts::default()
        };
        assert_eq!(service_of(&ServiceRules::default(), &facts, Naming::Accounts), "gerrit");
        let rule = RuleInput {
            service: "hue".to_owned(),
            entries: vec![EntryInput {
                conditions: vec![(Key::Client, "hue*".to_owned())],
            }],
        };
        let rules = ServiceRules::compile(vec![rule]).unwrap();
        assert_eq!(service_of(&rules, &facts, Naming::Accounts), UNATTRIBUTED);
        assert_eq!(
            service_of(
                &rules,
                &Facts {
                    client_name: Some(b"HUE1001"),
                    ..facts
                },
                Naming::Accounts
            ),
            "hue"
        );
    }
}

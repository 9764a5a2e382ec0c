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

pub use condition::ConditionTrace;
pub use derive::{Naming, candidates, derive};
pub use facts::{FactKey, Facts};
pub use hostgroups::{GroupInput, GroupProblem, HostGroups, network};
pub use inventory::{Inventory, InventoryError};
pub(super) use pattern::Pattern;
pub use possible::{KnownFacts, Possible};
pub use services::{EntryInput, EntryTrace, Match, PatternProblem, RuleInput, ServiceRules};

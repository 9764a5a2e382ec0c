//! How layers say what they found.

use super::alarm::{Layer, LayerFinding, Scope, State, Turn};
use super::fleet::Id;
use super::group::GroupFinding;

/// What is said of something that begins.
pub(super) fn told(turn: Turn, say: impl Fn(LayerFinding) -> String) -> Vec<String> {
    match turn {
        Turn::Opened(found) => vec![say(found)],
        Turn::Closed(_) => Vec::new(),
    }
}

/// A finding whose numbers its turn has.
pub(super) fn finding(
    layer: Layer,
    scope: Scope,
    state: State,
    relay: Option<Id>,
    evidence: Vec<String>,
) -> GroupFinding {
    let found = LayerFinding {
        onset: 0,
        expected: 0.0,
        observed: 0.0,
        score: 0.0,
        provisional: false,
    };
    GroupFinding {
        layer,
        scope,
        state,
        relay,
        found,
        evidence,
        explained: None,
        family: None,
        about: None,
        covers: Vec::new(),
    }
}

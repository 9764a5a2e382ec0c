//! Services that send less at the same time, with what they have in common.

use super::alarm::Scope;

/// Those that send less.
#[derive(Debug, Clone, PartialEq)]
pub struct Relatives {
    /// What they have in common.
    pub parent: Scope,
    /// What falls no further than all of them do.
    pub with: Vec<Scope>,
}

impl Relatives {
    /// Whether something falls with them, and no further.
    pub fn falls_with(&self, scope: Scope) -> bool {
        self.with.contains(&scope)
    }
}

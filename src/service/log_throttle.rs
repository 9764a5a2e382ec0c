//! What was told already: a trouble that lasts is told once an hour, not once a second.

use crate::model::time::{HOUR_MS, UtcMs};
use std::collections::HashMap;

const AGAIN_MS: i64 = HOUR_MS;
/// Different troubles that are remembered.
const MAX: usize = 1_000;

/// Troubles and when they were told last.
#[derive(Debug, Default)]
pub(crate) struct LogThrottle(HashMap<String, UtcMs>);

impl LogThrottle {
    /// Whether it is time to tell this.
    pub(crate) fn is_news(&mut self, what: &str, now_ms: UtcMs) -> bool {
        if self.0.len() >= MAX {
            self.0.retain(|_, told| (0..AGAIN_MS).contains(&(now_ms - *told)));
        }
        match self.0.get(what) {
            Some(told) if (0..AGAIN_MS).contains(&(now_ms - *told)) => false,
            _ => {
                if self.0.len() < MAX {
                    self.0.insert(what.to_owned(), now_ms);
                }
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_trouble_is_told_once_an_hour() {
        let mut told = LogThrottle::default();
        assert!(told.is_news("a", UtcMs::EPOCH));
        assert!(!told.is_news("a", UtcMs::new(AGAIN_MS - 1)));
        assert!(told.is_news("b", UtcMs::new(1)));
        assert!(told.is_news("a", UtcMs::new(AGAIN_MS)));
        // A clock that was set back does not silence it.
        assert!(told.is_news("a", UtcMs::new(5)));
    }
}

//! A dead man's switch: an address that is asked for as long as all is well. Whoever runs it sends an alarm when nobody asks.

use super::{AlertTarget, TrustedAuthorities, http};
use crate::model::time::UtcS;
use std::time::Duration;

/// Where to.
pub(crate) struct DeadMansSwitch {
    target: AlertTarget,
    agent: ureq::Agent,
    every: Duration,
}

impl DeadMansSwitch {
    /// At a URL, so often; with authorities of its own, if there are some.
    pub(crate) fn new(url: &str, every: Duration, authorities: Option<TrustedAuthorities>) -> Self {
        DeadMansSwitch {
            target: AlertTarget::new(url),
            agent: http::agent(authorities),
            every,
        }
    }

    /// From one to the next.
    pub(crate) fn every(&self) -> Duration {
        self.every
    }

    /// Asks for it.
    ///
    /// # Errors
    /// Nobody answered, or not with 2xx; without what may be a secret in the address.
    pub(crate) fn beat(&self, now: UtcS) -> Result<(), String> {
        http::get(&self.agent, &self.target, now).map_err(|undelivered| undelivered.why)
    }
}

/// As it may be shown.
impl std::fmt::Display for DeadMansSwitch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.target, f)
    }
}

//! A simulator of logs: the outage of 2018-06-06 for `demo` and the tests, by two relays' Exim main logs and by the
//! applications' own logs (`apps`); and Exim main logs of any size for measurements.
//!
//! It depends on nothing else of the crate, so that what it says was written (`Truth`) is a witness of its own. The
//! lines are those of Exim 4.89 with the `log_selector` of Wikimedia's smarthosts of 2018.
//!
//! ```text
//! rhythm ─▶ traffic ─▶ letter ─▶ delivery, retry ─▶ relay (lines in order of time) ─▶ rotate
//!            (mails)    (one mail's whole life)  noise ─▶   └▶ truth
//! ```
//!
//! A mail's whole life is planned when it is handed in; the relay holds the planned lines in a heap until their time
//! comes. So memory is bounded by what is in the queue, and nothing is sorted afterwards.

mod apps;
mod bulk;
mod clock;
mod config;
mod counter;
mod delivery;
mod form;
mod id;
mod impact;
mod letter;
mod message;
mod mixed;
mod noise;
mod outage;
mod prng;
mod relay;
mod remote;
mod replies;
mod retry;
mod rhythm;
mod roster;
mod rotate;
mod scenario;
mod services;
#[cfg(test)]
mod tests;
mod text;
mod traffic;
mod truth;

pub use apps::{AppTruth, Submissions};
pub use bulk::{exim_log, exim_log_counted};
pub use clock::{RESTARTED, STOPPED, UNTIL, rfc3339};
pub use form::LineForm;
pub use impact::{Fate, MailTally, OutageImpact, Phase};
pub use mixed::{MixedRelay, MixedTruth, mixed_relay};
pub use outage::outage_2018;
pub use roster::LOCAL_BOUNCES;
pub use scenario::Outage2018;
pub use services::UNATTRIBUTED;
pub use truth::Truth;

/// The names of all services that the simulator knows, in the order of the rules.
pub fn service_names() -> impl Iterator<Item = &'static str> {
    roster::SERVICES.iter().map(|service| service.name)
}

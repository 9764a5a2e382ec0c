//! Parts that end without being told to are started again, later and later.

use std::any::Any;
use std::time::Duration;

/// From a part's end to its next beginning: doubled each time, up to the second.
pub(crate) const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A part that ran for so long has not the same trouble as before.
const RAN: Duration = Duration::from_secs(600);

/// How often in a row a part ended.
#[derive(Debug, Default)]
pub(crate) struct Failures(u32);

impl Failures {
    /// It ended after so long; when it is to be started again.
    pub(crate) fn pause(&mut self, ran: Duration, again: (Duration, Duration)) -> Duration {
        self.0 = if ran > RAN { 1 } else { self.0 + 1 };
        again.1.min(again.0 * 2_u32.pow((self.0 - 1).min(10)))
    }
}

/// What a panic said.
pub(crate) fn panic_words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
}

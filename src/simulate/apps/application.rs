//! What an application is to the simulator.

use super::super::prng::Rng;
use super::attempts::Attempt;
use super::log_writer::LogWriter;

/// An application and the logs that it keeps.
pub(super) trait Application {
    /// Plans what it logs in the hour that starts at `t` (seconds) and says nothing of mail.
    fn hour(&mut self, t: i64, rng: &mut Rng);

    /// Plans what it logs about a mail; not earlier than ten minutes before the attempt.
    fn mail(&mut self, attempt: &Attempt, rng: &mut Rng);

    /// Its logs.
    fn journals(&mut self) -> &mut [LogWriter];
}

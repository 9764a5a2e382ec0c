//! Mails that were handed in, or tried.

/// What one service handed in, or tried to, in one phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Submissions {
    /// Different mails that were tried for the first time.
    pub tried: u64,
    /// Different mails that a relay took.
    pub accepted: u64,
    /// Different mails whose first failure was logged. One that is retried counts once.
    pub submit_failed: u64,
    /// Failures that were logged, each retry's included; the copy of a record in a second file is not counted.
    pub failures: u64,
    /// Successes that were logged: Sentry alone does that.
    pub submitted: u64,
}

impl Submissions {
    /// Attempts to hand a mail in, retries included.
    pub fn attempts(&self) -> u64 {
        self.accepted + self.failures
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.tried += other.tried;
        self.accepted += other.accepted;
        self.submit_failed += other.submit_failed;
        self.failures += other.failures;
        self.submitted += other.submitted;
    }
}

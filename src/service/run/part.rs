//! What a supervised part is, and what it hears and says.

use crate::service::orders::Orders;
use crate::service::watchdog::ReadingPulse;
use anyhow::Result;
use std::time::Duration;

/// Something that runs until it is told to stop.
pub(crate) trait RunPart: Send {
    /// Its name, in messages and as the topic of its troubles.
    fn name(&self) -> &'static str;

    /// Runs. It ends soon after it is told to stop; an order to reload that it cannot follow it ignores.
    ///
    /// # Errors
    /// Why it ends although nobody told it to: it is started again.
    fn run(&mut self, control: PartControl<'_>) -> Result<()>;
}

/// What a part is given.
pub(crate) struct PartControl<'c> {
    /// What it is told.
    pub orders: Orders,
    /// What the reading does, for the watchdog: of the part that reads.
    pub reading: ReadingPulse,
    /// It ends within this time, or what it does then is lost and done again.
    pub stop_within: Duration,
    /// To be called once it does what it is for; again is no harm.
    pub is_well: &'c dyn Fn(),
}

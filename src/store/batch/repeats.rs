//! What tells a batch that an event is stored already.

use crate::model::event::{Event, Message};

/// Events of other logs that the log in hand may repeat. Asked for each event of a log that is compared, and of no other.
pub trait Repeats: std::fmt::Debug + Send {
    /// Whether this event is one of them.
    fn has(&mut self, event: &Event<'_>, message: &Message) -> bool;
}

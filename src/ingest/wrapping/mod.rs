//! What stands around a log's lines: the envelope of syslog or of the journal, a container runtime's wrapper, heads within
//! heads. [`recognise()`] looks at the first lines of a log and says what holds for all of them.

mod first_time;
mod form;
mod journal_entry;
mod line_host;
mod peel;
mod recognise;
mod survey;

pub use first_time::first_ms;
pub use form::{LineHead, Wrapping, WrappingForm};
pub use journal_entry::JournalEntry;
pub(crate) use line_host::{hosts_of_sample, with_host};
pub use peel::{LineContent, Peeler, TIMELESS, Trust, untrusted};
pub use recognise::{NOT_STORED, recognise};
pub use survey::Survey;

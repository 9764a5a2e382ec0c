//! What all rooms know: an event, the names and IDs in it, times, and text made safe. No files, no SQL, no configuration.

pub(crate) mod dictionary;
pub mod direction;
pub mod event;
pub mod human;
pub mod log_kinds;
pub mod queue_id;
pub mod service_names;
pub mod shell;
pub mod text;
pub mod time;
pub mod url;

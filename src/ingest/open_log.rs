//! A log that is being read: what each stage knows of it.

use super::wrapping::WrappingForm;
use crate::model::time::CivilDay;
use crate::source::identity::Position;
use crate::store::catalogue::LogState;
use std::path::PathBuf;

/// A log that is being read.
#[derive(Debug)]
pub struct OpenLog {
    pub path: PathBuf,
    /// How its lines are wrapped.
    pub form: WrappingForm,
    /// Each line is the host's that it names.
    pub by_line: bool,
    /// Identity, without the number.
    pub base: Option<u64>,
    /// Number among logs of equal identity.
    pub ordinal: u32,
    /// Position so far.
    pub position: Position,
    /// How the catalogue keeps it, where it is no position in a file.
    pub place: Option<String>,
    /// The catalogue's row: counts and times of earlier runs.
    pub state: LogState,
    /// Day (since 1970) of its first line, for logs that print only times of day.
    pub first_day: Option<CivilDay>,
}

//! What the parts of a picture know of it.

use super::palette::Ink;
use crate::query::series::{GraphMark, SeriesSet};

/// Left margin of header and key, pixels.
pub(super) const MARGIN: f64 = 16.0;

/// Everything that a panel needs to know of the picture.
pub(super) struct GraphContext<'a> {
    /// The cleaned set, at full resolution.
    pub set: &'a SeriesSet,
    /// Unit of all values, or, where panels have units of their own, of what is counted.
    pub unit: &'a str,
    /// All marks.
    pub marks: &'a [GraphMark],
    pub ink: &'static Ink,
    /// Name of the zone of its times.
    pub zone: &'a str,
    /// Width of the document, pixels.
    pub width: f64,
    /// Upper and lower edge of the room for panels, pixels.
    pub room: (f64, f64),
}

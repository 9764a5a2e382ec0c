//! Rate graphs: one file an output (SVG, PNG, terminal), on top of `query::series`.
//!
//! What every output keeps:
//! * **No data is not zero.** A stretch that nothing was read for is hatched (in a terminal: `·`); no mail is a line on
//!   the axis (`▁`). Lines are never drawn across a gap.
//! * **Names are text of strangers.** They pass `text::visible` and are escaped; nothing of them is markup or control.
//! * **No meaning by colour alone.** Labels stand at what they name, dashes differ, marks bear their text.
//! * **The same input gives the same bytes.** No clock, no random ids, no map order.
//!
//! Values are drawn as means of a bucket when there are more buckets than pixels; the picture says which bucket.

mod blocks;
mod canvas;
mod frame;
mod layout;
mod marks;
mod missing;
mod multiples;
mod palette;
mod plot;
pub(crate) mod png;
mod scale;
mod single;
mod style;
pub(crate) mod svg;
pub(crate) mod terminal;
mod text;
mod view;

#[cfg(test)]
mod sample;

pub(crate) use plot::HATCH;
pub(crate) use style::{GraphKind, Style, Theme};

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
pub mod png;
mod scale;
mod single;
pub mod svg;
pub mod terminal;
mod text;

#[cfg(test)]
mod sample;

pub use plot::HATCH;

/// Colours for a white page or for a dark one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// Dark ink on white.
    #[default]
    Light,
    /// Light ink on near-black.
    Dark,
}

/// How several series share a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// One panel, areas on top of each other: the sum and its parts.
    Stacked,
    /// A grid of small panels, each with its own scale: the right one for many services.
    #[default]
    Multiples,
    /// One panel, a line a series.
    Lines,
}

/// How a picture looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Light or dark.
    pub theme: Theme,
    /// Stacked, small multiples or lines.
    pub kind: Kind,
    /// Width, pixels; held to 320 to 4000.
    pub width: u32,
    /// Height, pixels; held to 200 to 4000. Small multiples grow beyond it when the panels would become illegible.
    pub height: u32,
}

impl Default for Style {
    fn default() -> Self {
        Style {
            theme: Theme::default(),
            kind: Kind::default(),
            width: 1200,
            height: 720,
        }
    }
}

impl Style {
    /// Width and height that are drawn, pixels.
    pub(crate) fn size(&self) -> (f64, f64) {
        (
            f64::from(self.width.clamp(320, 4000)),
            f64::from(self.height.clamp(200, 4000)),
        )
    }
}

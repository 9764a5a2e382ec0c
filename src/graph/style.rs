//! How a picture looks: what a caller may choose.

/// Colours for a white page or for a dark one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Theme {
    /// Dark ink on white.
    #[default]
    Light,
    /// Light ink on near-black.
    Dark,
}

/// How several series share a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum GraphKind {
    /// One panel, areas on top of each other: the sum and its parts.
    Stacked,
    /// A grid of small panels, each with its own scale: the right one for many services.
    #[default]
    Multiples,
    /// One panel, a line a series.
    Lines,
}

/// How a picture looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Style {
    /// Light or dark.
    pub theme: Theme,
    /// Stacked, small multiples or lines.
    pub kind: GraphKind,
    /// Width, pixels; held to 320 to 4000.
    pub width: u32,
    /// Height, pixels; held to 200 to 4000. Small multiples grow beyond it when the panels would become illegible.
    pub height: u32,
    /// Name of the zone of which the times are, beside the axis. They are drawn as they are given.
    pub zone: String,
}

impl Default for Style {
    fn default() -> Self {
        Style {
            theme: Theme::default(),
            kind: GraphKind::default(),
            width: 1200,
            height: 720,
            zone: "UTC".to_owned(),
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

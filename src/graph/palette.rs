//! Colours: the Okabe-Ito palette, which people with any of the common colour blindnesses can tell apart, and inks for
//! a light and a dark page. Beyond the palette, the dash pattern changes.

use super::style::Theme;

/// Inks of one theme, as SVG colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ink {
    pub page: &'static str,
    /// Inside of a panel.
    pub panel: &'static str,
    /// Titles and names.
    pub text: &'static str,
    /// Ticks and captions; contrast to the page above 4.5 : 1.
    pub muted: &'static str,
    /// Grid lines.
    pub grid: &'static str,
    /// Grid lines at midnight, and the axis.
    pub axis: &'static str,
    /// Ground of a gap.
    pub gap: &'static str,
    /// Hatching of a gap.
    pub hatch: &'static str,
    /// Shade and edge of a mark.
    pub mark: &'static str,
    /// Text of a mark.
    pub mark_text: &'static str,
    /// The one line of a small multiple.
    pub accent: &'static str,
    /// Everything that was folded.
    pub other: &'static str,
    /// Series, in order of volume.
    series: [&'static str; 7],
}

const LIGHT: Ink = Ink {
    page: "#ffffff",
    panel: "#ffffff",
    text: "#1b1f24",
    muted: "#57606a",
    grid: "#e6e9ed",
    axis: "#8c959f",
    gap: "#eceef1",
    hatch: "#a3abb5",
    mark: "#d55e00",
    mark_text: "#a34000",
    accent: "#0072b2",
    other: "#8c959f",
    // Okabe-Ito; its yellow is invisible on white, a dark grey stands in.
    series: [
        "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#3d4650",
    ],
};

const DARK: Ink = Ink {
    page: "#14181d",
    panel: "#14181d",
    text: "#eceff2",
    muted: "#a4adb8",
    grid: "#272d35",
    axis: "#6b7682",
    gap: "#1f252c",
    hatch: "#59636f",
    mark: "#f08c3a",
    mark_text: "#ffb570",
    accent: "#56b4e9",
    other: "#8b95a1",
    series: [
        "#56b4e9", "#e69f00", "#1fb98b", "#d98bb5", "#f0e442", "#e8743b", "#4c82ee",
    ],
};

/// Dash patterns of the first, second, … pass through the palette.
const DASHES: [&str; 4] = ["", "7 3", "2.5 2.5", "9 3 2 3"];

impl Ink {
    /// The inks of a theme.
    pub(super) fn of(theme: Theme) -> &'static Ink {
        match theme {
            Theme::Light => &LIGHT,
            Theme::Dark => &DARK,
        }
    }

    /// Colour of the series with this rank.
    pub(super) fn series(&self, rank: usize) -> &'static str {
        self.series[rank % self.series.len()]
    }

    /// Dash pattern of the line with this rank; empty for a solid line.
    pub(super) fn dash(&self, rank: usize) -> &'static str {
        DASHES[rank / self.series.len() % DASHES.len()]
    }

    /// How many series have a colour of their own.
    pub(super) fn colours(&self) -> usize {
        self.series.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(colour: &str) -> f64 {
        let channel = |i: usize| {
            let c = f64::from(u8::from_str_radix(&colour[i..i + 2], 16).unwrap()) / 255.0;
            if c <= 0.04045 {
                c / 12.92
            } else {
                ((c + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_has_contrast_in_both_themes() {
        for theme in [Theme::Light, Theme::Dark] {
            let ink = Ink::of(theme);
            for text in [ink.text, ink.muted, ink.mark_text] {
                assert!(contrast(text, ink.page) >= 4.5, "{text} on {}", ink.page);
            }
            for rank in 0..ink.colours() {
                assert!(
                    contrast(ink.series(rank), ink.page) >= 2.1,
                    "{} on {}",
                    ink.series(rank),
                    ink.page
                );
            }
        }
    }

    #[test]
    fn colour_and_dash_together_are_unique() {
        let ink = Ink::of(Theme::Light);
        let pairs: std::collections::BTreeSet<_> = (0..28).map(|i| (ink.series(i), ink.dash(i))).collect();
        assert_eq!(pairs.len(), 28);
    }
}

//! PNG: the SVG document drawn by `resvg`, pixel for pixel, with a font that is part of the binary, so that a machine
//! without fonts gives the same picture as any other.

use std::sync::Arc;

use resvg::{tiny_skia, usvg};

use super::style::Style;
use super::svg;
use crate::query::series::{GraphMark, SeriesSet};

/// Family name of the font in the binary (Noto Sans, Apache-2.0).
const FAMILY: &str = "Noto Sans";

/// Why there is no PNG.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PngError {
    /// The drawing library refused the document.
    #[error("the graph's SVG cannot be drawn as PNG: {0}; write it as .svg instead")]
    Draw(String),
    /// The picture is too large.
    #[error("a PNG of {width} x {height} pixels does not fit into memory; choose a smaller size, or .svg")]
    Size { width: u32, height: u32 },
}

/// A rate graph as the bytes of a PNG file.
pub(crate) fn render(set: &SeriesSet, marks: &[GraphMark], style: &Style) -> Result<Vec<u8>, PngError> {
    from_svg(&svg::render(set, marks, style))
}

fn from_svg(document: &str) -> Result<Vec<u8>, PngError> {
    let tree = usvg::Tree::from_str(document, &options()).map_err(|e| PngError::Draw(e.to_string()))?;
    let size = tree.size().to_int_size();
    let (width, height) = (size.width(), size.height());
    let mut pixels = tiny_skia::Pixmap::new(width, height).ok_or(PngError::Size { width, height })?;
    resvg::render(&tree, tiny_skia::Transform::identity(), &mut pixels.as_mut());
    pixels.encode_png().map_err(|e| PngError::Draw(e.to_string()))
}

/// Only our fonts, and no way to a file.
fn options() -> usvg::Options<'static> {
    let mut fonts = usvg::fontdb::Database::new();
    fonts.load_font_data(ttf_noto_sans::REGULAR.to_vec());
    fonts.load_font_data(ttf_noto_sans::BOLD.to_vec());
    fonts.set_sans_serif_family(FAMILY);
    let no_images = usvg::ImageHrefResolver {
        resolve_data: Box::new(|_, _, _| None),
        resolve_string: Box::new(|_, _| None),
    };
    usvg::Options {
        font_family: FAMILY.to_owned(),
        fontdb: Arc::new(fonts),
        image_href_resolver: no_images,
        ..usvg::Options::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::sample;

    #[test]
    fn a_png_has_the_size_asked_for_and_the_same_bytes_each_time() {
        let (set, marks) = sample::outage(4, 1, 600_000);
        let style = Style {
            width: 640,
            height: 400,
            ..Style::default()
        };
        let bytes = render(&set, &marks, &style).unwrap();
        assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
        assert_eq!(bytes[16..24], [0, 0, 2, 128, 0, 0, 1, 144]);
        assert_eq!(bytes, render(&set, &marks, &style).unwrap());
    }

    #[test]
    fn text_is_drawn_without_fonts_of_the_machine() {
        let with = r##"<svg xmlns="http://www.w3.org/2000/svg" width="90" height="20"><text y="15">x…–·</text></svg>"##;
        let without = r##"<svg xmlns="http://www.w3.org/2000/svg" width="90" height="20"></svg>"##;
        assert_ne!(from_svg(with).unwrap(), from_svg(without).unwrap());
    }

    #[test]
    fn what_is_no_svg_is_an_error() {
        assert!(from_svg("<svg").is_err());
    }
}

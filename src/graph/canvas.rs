//! A writer of SVG elements: the only place where markup is made, so the only place where escaping can go wrong.

use std::fmt::Write as _;

use super::text::escape_xml;

/// A growing SVG body; coordinates are pixels.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    out: String,
}

/// Where a text is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    /// At its left end.
    Start,
    /// In its middle.
    Middle,
    /// At its right end.
    End,
}

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Font {
    /// Size, pixels.
    pub size: f64,
    pub fill: &'static str,
    /// Bold or regular.
    pub bold: bool,
    /// Where it is held.
    pub anchor: Anchor,
    /// Colour of an outline that keeps it legible over lines.
    pub halo: Option<&'static str>,
}

impl Font {
    /// A regular text held at its left end.
    pub(super) fn new(size: f64, fill: &'static str) -> Self {
        Font {
            size,
            fill,
            bold: false,
            anchor: Anchor::Start,
            halo: None,
        }
    }

    /// The same, bold.
    pub(super) fn bold(self) -> Self {
        Font { bold: true, ..self }
    }

    /// The same, held elsewhere.
    pub(super) fn anchor(self, anchor: Anchor) -> Self {
        Font { anchor, ..self }
    }

    /// The same, outlined.
    pub(super) fn halo(self, colour: &'static str) -> Self {
        Font {
            halo: Some(colour),
            ..self
        }
    }
}

/// A coordinate with at most one decimal: small files, and the same bytes everywhere.
pub(super) fn num(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    if rounded == 0.0 {
        "0".to_owned()
    } else {
        format!("{rounded}")
    }
}

impl Canvas {
    /// The body so far.
    pub(super) fn finish(self) -> String {
        self.out
    }

    /// An empty element with its attributes; every value is escaped.
    pub(super) fn element(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.open_tag(name, attributes);
        self.out.push_str("/>\n");
    }

    /// Opens a group with a title, which browsers show as a tooltip and screen readers read.
    pub(super) fn group(&mut self, title: &str) {
        let _ = writeln!(self.out, "<g><title>{}</title>", escape_xml(title));
    }

    /// Closes a group.
    pub(super) fn end_group(&mut self) {
        self.out.push_str("</g>\n");
    }

    /// A filled rectangle.
    pub(super) fn rect(&mut self, (x, y, w, h): (f64, f64, f64, f64), fill: &str, opacity: f64) {
        let opacity = format!("{opacity}");
        let (x, y, w, h) = (num(x), num(y), num(w.max(0.0)), num(h.max(0.0)));
        let mut attributes = vec![
            ("x", x.as_str()),
            ("y", &y),
            ("width", &w),
            ("height", &h),
            ("fill", fill),
        ];
        if opacity != "1" {
            attributes.push(("fill-opacity", &opacity));
        }
        self.element("rect", &attributes);
    }

    /// A straight line; `dash` may be empty.
    pub(super) fn line(&mut self, [(x1, y1), (x2, y2)]: [(f64, f64); 2], stroke: &str, width: f64, dash: &str) {
        let (x1, y1, x2, y2, width) = (num(x1), num(y1), num(x2), num(y2), num(width));
        let mut attributes = vec![("x1", x1.as_str()), ("y1", &y1), ("x2", &x2), ("y2", &y2)];
        attributes.extend([("stroke", stroke), ("stroke-width", width.as_str())]);
        if !dash.is_empty() {
            attributes.push(("stroke-dasharray", dash));
        }
        self.element("line", &attributes);
    }

    /// A filled area; `d` is path data.
    pub(super) fn area(&mut self, d: &str, fill: &str, opacity: f64) {
        let opacity = format!("{opacity}");
        self.element("path", &[("d", d), ("fill", fill), ("fill-opacity", &opacity)]);
    }

    /// A stroked path; `d` is path data, `dash` may be empty.
    pub(super) fn stroke(&mut self, d: &str, stroke: &str, width: f64, dash: &str) {
        let width = num(width);
        let mut attributes = vec![
            ("d", d),
            ("fill", "none"),
            ("stroke", stroke),
            ("stroke-width", width.as_str()),
        ];
        attributes.push(("stroke-linejoin", "round"));
        if !dash.is_empty() {
            attributes.push(("stroke-dasharray", dash));
        }
        self.element("path", &attributes);
    }

    /// A line of text with its baseline at `y`.
    pub(super) fn text(&mut self, (x, y): (f64, f64), font: Font, text: &str) {
        let (x, y, size) = (num(x), num(y), num(font.size));
        let anchor = match font.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let mut attributes = vec![("x", x.as_str()), ("y", &y), ("font-size", &size), ("fill", font.fill)];
        attributes.push(("text-anchor", anchor));
        if font.bold {
            attributes.push(("font-weight", "bold"));
        }
        if let Some(halo) = font.halo {
            attributes.extend([("stroke", halo), ("stroke-width", "3"), ("paint-order", "stroke")]);
            attributes.push(("stroke-linejoin", "round"));
        }
        self.open_tag("text", &attributes);
        let _ = writeln!(self.out, ">{}</text>", escape_xml(text));
    }

    /// A line of text that runs upwards, its middle at the given place.
    pub(super) fn upright_text(&mut self, (x, y): (f64, f64), font: Font, text: &str) {
        let (x, y, size) = (num(x), num(y), num(font.size));
        let turn = format!("rotate(-90 {x} {y})");
        let attributes = [("x", x.as_str()), ("y", &y), ("font-size", &size), ("fill", font.fill)];
        self.open_tag("text", &attributes);
        let _ = writeln!(
            self.out,
            " text-anchor=\"middle\" transform=\"{turn}\">{}</text>",
            escape_xml(text)
        );
    }

    fn open_tag(&mut self, name: &str, attributes: &[(&str, &str)]) {
        let _ = write!(self.out, "<{name}");
        for (key, value) in attributes {
            let _ = write!(self.out, " {key}=\"{}\"", escape_xml(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_never_minus_zero() {
        assert_eq!([num(1.0), num(1.25), num(-0.01), num(3.04)], ["1", "1.3", "0", "3"]);
    }

    #[test]
    fn text_and_attributes_are_escaped() {
        let mut canvas = Canvas::default();
        canvas.text((0.0, 0.0), Font::new(12.0, "#000000"), "</text><script>");
        canvas.element("path", &[("d", "\"/><script>")]);
        assert!(!canvas.finish().contains("<script"));
    }
}

//! SVG: one self-contained document, without scripts, styles or fonts from elsewhere.
//!
//! From top to bottom: title, unit and range, the panels (`single` or `multiples`), and a key of what hatching, shading
//! and the line on the axis mean. Only what occurs in the picture stands in the key.

use std::fmt::Write as _;

use super::canvas::{Canvas, Font, num};
use super::frame::{self, Legend};
use super::palette::Ink;
use super::plot::HATCH;
use super::scale::{span_text, stamp, stats_text};
use super::style::{GraphKind, Style};
use super::text::{escape_xml, visible};
use super::view::{GraphContext, MARGIN};
use super::{multiples, single};
use crate::query::series::{GraphMark, MarkKind, SeriesSet};

const HEADER_PX: f64 = 62.0;
const KEY_PX: f64 = 30.0;
/// Series that the description names; the rest is only counted.
const DESCRIBED: usize = 40;

/// A rate graph as an SVG document.
pub(crate) fn render(set: &SeriesSet, marks: &[GraphMark], style: &Style) -> String {
    let set = match style.kind {
        GraphKind::Multiples => set.cleaned(),
        GraphKind::Stacked | GraphKind::Lines => set.cleaned().in_fitting_unit(),
    };
    let unit = match style.kind {
        GraphKind::Multiples => set.unit_of_each(),
        GraphKind::Stacked | GraphKind::Lines => &set.unit,
    };
    let (width, height) = style.size();
    let ink = Ink::of(style.theme);
    let view = GraphContext {
        set: &set,
        unit,
        marks,
        ink,
        zone: &style.zone,
        width,
        room: (HEADER_PX, height - KEY_PX),
    };
    let mut panels = Canvas::default();
    let key = match style.kind {
        _ if set.buckets() == 0 => nothing(&mut panels, &view),
        GraphKind::Multiples => multiples::draw(&mut panels, &view),
        GraphKind::Stacked | GraphKind::Lines => single::draw(&mut panels, &view, style.kind),
    };
    let height = height.max(key.bottom + KEY_PX);
    let mut page = Canvas::default();
    page.rect((0.0, 0.0, width, height), ink.page, 1.0);
    frame::header(&mut page, &view, key.step_ms);
    frame::draw_legend(&mut page, &view, &key, height - 11.0);
    document(
        &view,
        (width, height),
        (&key.panels, &(page.finish() + &panels.finish())),
    )
}

fn document(view: &GraphContext, (width, height): (f64, f64), (panels, body): (&[[f64; 4]], &str)) -> String {
    let (w, h, ink) = (num(width), num(height), view.ink);
    let panels: Vec<String> = panels.iter().map(|edges| edges.map(num).join(" ")).collect();
    let panels = panels.join(",");
    let mut out = String::with_capacity(body.len() + 2_000);
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" role=\"img\" data-panels=\"{panels}\" \
         font-family=\"'Noto Sans', 'DejaVu Sans', 'Segoe UI', Helvetica, Arial, sans-serif\">"
    );
    let _ = writeln!(out, "<title>{}</title>", escape_xml(&visible(&view.set.title)));
    let _ = writeln!(out, "<desc>{}</desc>", escape_xml(&description(view)));
    let _ = writeln!(
        out,
        "<defs><pattern id=\"{HATCH}\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
         patternTransform=\"rotate(45)\"><line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"6\" stroke=\"{}\" \
         stroke-width=\"2\"/></pattern></defs>",
        ink.hatch
    );
    out + body + "</svg>\n"
}

/// The picture in words, for those who do not see it.
fn description(view: &GraphContext) -> String {
    let set = view.set;
    let range = span_text(set.start_ms, set.end_ms(), "to");
    let zone = visible(view.zone);
    let mut out = format!("{}, {} series, {range} {zone}.", visible(&set.unit), set.series.len());
    for index in set.ranking().into_iter().take(DESCRIBED) {
        let series = &set.series[index];
        let _ = write!(out, " {}: {}.", visible(&series.name), stats_text(&series.stats()));
    }
    for mark in view.marks.iter().take(DESCRIBED) {
        let span = match mark.kind {
            MarkKind::Note => stamp(mark.from_ms, "%F %H:%M"),
            MarkKind::Alarm | MarkKind::Silence => span_text(mark.from_ms, mark.to_ms.unwrap_or(set.end_ms()), "to"),
        };
        let _ = write!(out, " Mark {}: {span} {zone}.", visible(&mark.label));
    }
    out
}

fn nothing(canvas: &mut Canvas, view: &GraphContext) -> Legend {
    let (top, bottom) = view.room;
    let at = (MARGIN, (top + bottom) / 2.0);
    canvas.text(
        at,
        Font::new(15.0, view.ink.muted),
        "Nothing to draw: no series in this range.",
    );
    Legend {
        step_ms: view.set.step_ms,
        ..Legend::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::sample;
    use crate::model::time::UtcMs;

    const KINDS: [GraphKind; 3] = [GraphKind::Stacked, GraphKind::Multiples, GraphKind::Lines];

    #[test]
    fn the_same_input_gives_the_same_bytes() {
        let (set, marks) = sample::outage(12, 21, 300_000);
        for kind in KINDS {
            let style = Style {
                kind,
                ..Style::default()
            };
            assert_eq!(
                render(&set, &marks, &style),
                render(&set.clone(), &marks.clone(), &style)
            );
        }
    }

    #[test]
    fn hostile_names_are_text() {
        let (mut set, mut marks) = sample::outage(3, 1, 600_000);
        let evil = "</text><script>alert(1)</script>\u{202e}\u{0}\"' onload=x&";
        set.title = evil.to_owned();
        set.unit = evil.to_owned();
        set.series[0].name = evil.to_owned();
        marks[0].label = evil.to_owned();
        marks[0].series = Some(vec![evil.to_owned()]);
        for kind in KINDS {
            let svg = render(
                &set,
                &marks,
                &Style {
                    kind,
                    ..Style::default()
                },
            );
            assert!(!svg.contains("<script") && !svg.contains('\u{202e}') && !svg.contains('\0'));
            assert!(svg.contains("\\u{202e}") && svg.contains("&lt;script&gt;"));
            let tree = resvg::usvg::Tree::from_str(&svg, &resvg::usvg::Options::default());
            assert!(tree.is_ok(), "well-formed: {:?}", tree.err());
        }
    }

    #[test]
    fn a_gap_is_hatched_and_zero_is_not() {
        let fill = format!("fill=\"url(#{HATCH})\"");
        let mut set = sample::flat("a", &[Some(1.0), Some(0.0), Some(1.0)]);
        for kind in KINDS {
            let style = Style {
                kind,
                ..Style::default()
            };
            set.series[0].points[1] = Some(0.0);
            assert!(!render(&set, &[], &style).contains(&fill));
            set.series[0].points[1] = None;
            assert!(render(&set, &[], &style).contains(&fill));
        }
    }

    #[test]
    fn many_series_are_folded_and_counted() {
        let (set, marks) = sample::outage(30, 1, 600_000);
        let svg = render(
            &set,
            &marks,
            &Style {
                kind: GraphKind::Stacked,
                ..Style::default()
            },
        );
        assert!(svg.contains("other (23 more)"));
        let svg = render(&set, &marks, &Style::default());
        assert!(set.series.iter().all(|s| svg.contains(&format!(">{}<", s.name))));
    }

    #[test]
    fn a_document_is_self_contained_and_any_size_works() {
        let (set, marks) = sample::outage(5, 2, 600_000);
        for kind in KINDS {
            for (width, height) in [(0, 0), (320, 200), (500, 9_999), (u32::MAX, 1)] {
                let svg = render(
                    &set,
                    &marks,
                    &Style {
                        kind,
                        width,
                        height,
                        ..Style::default()
                    },
                );
                assert!(svg.contains("role=\"img\"") && svg.contains("<title>") && svg.contains("<desc>"));
                assert!(!svg.contains("NaN") && !svg.contains("inf"));
                assert_eq!(svg.matches("http").count(), 1, "only the namespace");
            }
        }
    }

    #[test]
    fn empty_and_impossible_sets_are_pictures_too() {
        let far = SeriesSet {
            start_ms: UtcMs::MAX,
            step_ms: i64::MAX,
            ..sample::flat("a", &[Some(f64::NAN), Some(1e300)])
        };
        for set in [
            SeriesSet::default(),
            sample::flat("a", &[]),
            sample::flat("a", &[None, None]),
            far,
        ] {
            for kind in KINDS {
                assert!(
                    render(
                        &set,
                        &[],
                        &Style {
                            kind,
                            ..Style::default()
                        }
                    )
                    .ends_with("</svg>\n")
                );
            }
        }
    }
}

//! HTML in one file: no script, no reference to anything outside, graphs inline.

use crate::graph::{GraphKind, HATCH, Style, Theme, svg};
use crate::query::series::{GraphMark, SeriesSet};
use mailpulse_parsers::harmless::safe_text;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}\
table{border-collapse:collapse}td,th{padding:.25rem .75rem;border-bottom:1px solid #ddd;text-align:right}\
td:first-child,th:first-child,td:nth-child(2),th:nth-child(2){text-align:left}svg{max-width:100%;height:auto}\
.dark{display:none}@media(prefers-color-scheme:dark){body{background:#14181d;color:#dde1e6}td,th{border-color:#3a4048}\
.dark{display:block}.light{display:none}}";

/// Everything before the body's content; `title` is escaped but for its `&`, `more` are rules of style beside the usual ones.
pub(super) fn head(title: &str, more: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title>\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <style>{STYLE}{more}</style></head><body><h1>{0}</h1>\n",
        entities(title)
    )
}

/// A graph for bright and one for dark screens, of which one is seen.
pub(super) fn graph(set: &SeriesSet, marks: &[GraphMark], height: u32) -> String {
    let draw = |name: &str, theme| {
        let style = Style {
            kind: GraphKind::Multiples,
            theme,
            height,
            ..Style::default()
        };
        let drawn = svg::render(set, marks, &style);
        // Inline SVG has no prologue.
        let drawn = drawn
            .split_once("<svg")
            .map_or(drawn.clone(), |(_, drawn)| format!("<svg{drawn}"));
        // Two pictures on a page: what one of them names must not be found in the other, which is hidden.
        let drawn = drawn.replace(HATCH, &format!("{HATCH}-{name}"));
        format!("<div class=\"{name}\">{drawn}</div>")
    };
    draw("light", Theme::Light) + &draw("dark", Theme::Dark)
}

/// Log text in HTML.
pub(super) fn escaped(text: &str) -> String {
    entities(&safe_text(text.as_bytes()).replace('&', "&amp;"))
}

/// As [`escaped`], for text whose `&` are escaped already.
pub(super) fn entities(text: &str) -> String {
    text.replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

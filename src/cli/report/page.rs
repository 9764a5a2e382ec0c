//! The report for people: one HTML file, or Markdown.

use super::sections::{Section, sections, summary, title};
use crate::analysis::incident::report::escaped as in_markdown;
use crate::analysis::report::MailReport;
use crate::cli::html_file::{escaped, graph, head};
use crate::model::human;
use crate::model::time::{MINUTE_MS, rfc3339};
use crate::query::series::{GraphMark, SeriesSet};
use std::fmt::Write as _;

/// Services in the graph: the file stays small.
const DRAWN: usize = 12;
/// Height of the graph, pixels.
const HEIGHT: u32 = 600;
/// Beside the usual style: text in other columns than numbers, and tables that do not fit.
const STYLE: &str = "table{display:block;overflow-x:auto;max-width:100%}.text td,.text th{text-align:left}";

/// One HTML file with a graph; `set` and `marks` are what is drawn.
pub(super) fn html(report: &MailReport, set: &SeriesSet, marks: &[GraphMark]) -> String {
    let mut page = head(&escaped(&title(report.window)).replace("&quot;", "\""), STYLE);
    let _ = writeln!(page, "<p>{}</p>", escaped(&summary(report)));
    for section in sections(report) {
        section_html(&mut page, &section);
        if section.title == "Mail by service" && !set.series.is_empty() {
            page.push_str(&graph(set, marks, HEIGHT));
        }
    }
    let _ = writeln!(page, "<p>{}</p>\n</body></html>", escaped(&footer(report)));
    page
}

fn section_html(page: &mut String, section: &Section) {
    let _ = writeln!(page, "<h2>{}</h2>", escaped(section.title));
    if section.rows.is_empty() {
        let _ = writeln!(page, "<p>{}</p>", escaped(section.empty));
        return;
    }
    let is_text = matches!(section.title, "Alarms" | "What changed" | "Times without logs");
    page.push_str(if is_text { "<table class=\"text\">" } else { "<table>" });
    let cells = |kind: &str, cells: &mut dyn Iterator<Item = &str>| {
        cells
            .map(|cell| format!("<{kind}>{}</{kind}>", escaped(cell)))
            .collect::<String>()
    };
    let _ = writeln!(page, "<tr>{}</tr>", cells("th", &mut section.columns.iter().copied()));
    for row in &section.rows {
        let _ = writeln!(page, "<tr>{}</tr>", cells("td", &mut row.iter().map(String::as_str)));
    }
    page.push_str("</table>\n");
    if let Some(note) = &section.note {
        let _ = writeln!(page, "<p>{}</p>", escaped(note));
    }
}

/// The same without a graph.
pub(super) fn markdown(report: &MailReport) -> String {
    let mut page = format!("# {}\n\n{}\n", title(report.window), in_markdown(&summary(report)));
    for section in sections(report) {
        let _ = write!(page, "\n## {}\n\n", section.title);
        if section.rows.is_empty() {
            let _ = writeln!(page, "{}", section.empty);
            continue;
        }
        let _ = writeln!(
            page,
            "| {} |\n|{}",
            section.columns.join(" | "),
            "---|".repeat(section.columns.len())
        );
        for row in &section.rows {
            let cells: Vec<String> = row.iter().map(|cell| in_markdown(cell)).collect();
            let _ = writeln!(page, "| {} |", cells.join(" | "));
        }
        if let Some(note) = &section.note {
            let _ = writeln!(page, "\n{note}");
        }
    }
    let _ = write!(page, "\n{}\n", in_markdown(&footer(report)));
    page
}

fn footer(report: &MailReport) -> String {
    let waiting = match report.waiting {
        None => "Too many messages waited at the end to be counted. ".to_owned(),
        Some((messages @ 1.., Some(oldest))) => format!(
            "At the end {} waited, the oldest for {}. ",
            human::counted(messages, "message"),
            human::duration(report.window.until_ms.floor_to(MINUTE_MS) - oldest)
        ),
        Some(_) => String::new(),
    };
    format!(
        "{waiting}All times are UTC. This is what was known at {}; mailpulse {}.",
        rfc3339(report.known_ms),
        env!("CARGO_PKG_VERSION")
    )
}

/// The services with the most mail, for the graph.
pub(super) fn drawn(report: &MailReport) -> Vec<String> {
    let all = report.services.iter().filter(|one| one.messages > 0);
    all.take(DRAWN).map(|one| one.service.clone()).collect()
}

//! An incident as one HTML file: no script, no reference to anything outside, the graph inline.

use crate::analysis::alarms::minute;
use crate::analysis::expected::{Picture, draw};
use crate::analysis::incident::Incident;
use crate::analysis::incident::report::{conclusions, rows, summary, timeline, title};
use crate::analysis::kept::Kept;
use crate::analysis::planned_work::graph_marks;
use crate::cli::graph::bucket_ms;
use crate::cli::html_file::{self, entities, escaped, head};
use crate::clock::now_ms;
use crate::detect::engine::Options;
use crate::graph::Style;
use crate::model::time::HOUR_MS;
use crate::query::Window;
use crate::query::history::MailHistory;
use crate::query::rates::{By, RateQuestion};
use anyhow::Result;
use std::fmt::Write as _;

/// The page.
pub(crate) fn html(incident: &Incident, store: &dyn MailHistory, kept: &Kept, options: Options) -> Result<String> {
    let mut page = head(&title(incident), "");
    let _ = writeln!(page, "<p>{}</p>", entities(&summary(incident)));
    page.push_str(
        "<table><tr><th>service<th>impact<th>expected<th>came<th>missing<th>late<th>failed to hand in</tr>\n",
    );
    for row in rows(incident) {
        let cells: String = row.iter().map(|cell| format!("<td>{}</td>", escaped(cell))).collect();
        let _ = writeln!(page, "<tr>{cells}</tr>");
    }
    page.push_str("</table>\n<h2>Timeline (UTC)</h2>\n<ul>\n");
    for (at, what) in timeline(incident) {
        let _ = writeln!(page, "<li>{} {}</li>", minute(at), escaped(&what));
    }
    page.push_str("</ul>\n<h2>Mail by service</h2>\n");
    page.push_str(&graph(incident, store, kept, options)?);
    page.push_str("\n<h2>Conclusions</h2>\n<ul>\n");
    for conclusion in conclusions(incident) {
        let _ = writeln!(page, "<li>{}</li>", escaped(&conclusion));
    }
    page.push_str("</ul>\n</body></html>");
    Ok(page)
}

/// Rates from six hours before to four hours after, with what was expected and the alarms.
fn graph(incident: &Incident, store: &dyn MailHistory, kept: &Kept, options: Options) -> Result<String> {
    let window = Window {
        since_ms: incident.window.since_ms - 6 * HOUR_MS,
        until_ms: (incident.window.until_ms + 4 * HOUR_MS).min(incident.end.start()),
    };
    let question = RateQuestion::accepted(window, bucket_ms(window), By::Service, store.view());
    let mut set = store.rates(&question)?;
    let picture = Picture {
        question: &question,
        set: &mut set,
    };
    let mut marks = draw(store, kept, options, picture, now_ms())?;
    let drawn: Vec<&str> = set.series.iter().map(|series| series.name.as_str()).collect();
    marks.extend(graph_marks(&incident.planned, &question, &drawn));
    Ok(html_file::graph(&set, &marks, Style::default().height))
}

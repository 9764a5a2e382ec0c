//! Graphs of rates, and of what is in the queues, in all their forms: inline in a page, and as SVG, PNG, CSV, and JSON.

use super::answers::{Asker, QuestionKey, Refusal, StoreAnswer, end_of_time};
use super::app::App;
use super::chosen::Chosen;
use super::failure::Failure;
use super::json::{failed, json};
use super::links::Links;
use super::pages::blocks::GraphBlock;
use super::pages::range::PageRange;
use super::queue_count::CountedQueues;
use super::waiting_mail::first_count;
use super::zone::{GraphClock, PageZone};
use crate::analysis::alarms::rounded;
use crate::analysis::backlog::{BACKLOG, BacklogQuestion, QueueLevels, backlog, queue_levels};
use crate::analysis::expected::{Picture, draw_from};
use crate::analysis::expected_ranges::STEP_MS_MIN;
use crate::analysis::planned_work::graph_marks;
use crate::graph::{GraphKind, HATCH, Style, Theme, png, svg};
use crate::model::direction::DirectionView;
use crate::model::event::Kind;
use crate::model::time::rfc3339;
use crate::query::Window;
use crate::query::rates::{By, RateQuestion, bucket_ms};
use crate::query::series::{GraphMark, Series, SeriesSet};
use crate::setup::planned::planned;
use anyhow::Result;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use mailpulse_parsers::harmless::safe_text;
use serde::Deserialize;
use serde_json::{Value, json as object};
use std::sync::Arc;

/// Series that a picture has at most, and rows of its table.
const SERIES_MAX: usize = 60;
const ROWS_MAX: usize = 400;

/// A graph as an address asks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub(super) struct GraphChoice {
    /// `service`, `hostgroup`, `relay`, or `kind`.
    pub by: String,
    /// One series; empty for all.
    pub name: String,
    /// Only this service's mail.
    pub service: String,
    /// Kind of event.
    pub kind: String,
    /// `messages`, or `backlog` for what is in the queues.
    pub measure: String,
    pub from: String,
    pub to: String,
    /// `dark` for a dark page.
    pub theme: String,
}

/// Rates and what is drawn beside them.
#[derive(Debug, Clone, Default)]
pub(super) struct DrawnRates {
    pub set: SeriesSet,
    pub marks: Vec<GraphMark>,
    pub clock: GraphClock,
}

impl DrawnRates {
    /// As it is drawn: times as its clock shows them.
    fn on_its_clock(&self) -> (SeriesSet, Vec<GraphMark>) {
        let ahead_ms = self.clock.offset_ms();
        let mut set = self.set.clone();
        set.start_ms += ahead_ms;
        let shifted = |mark: &GraphMark| GraphMark {
            from_ms: mark.from_ms + ahead_ms,
            to_ms: mark.to_ms.map(|ms| ms + ahead_ms),
            ..mark.clone()
        };
        (set, self.marks.iter().map(shifted).collect())
    }
}

impl GraphChoice {
    fn by(&self) -> Result<By, Failure> {
        Ok(match self.by.as_str() {
            "" | "service" => By::Service,
            "hostgroup" => By::Hostgroup,
            "relay" => By::Relay,
            "kind" => By::Kind,
            other => {
                let other = other.escape_debug();
                return Err(Failure::Parameter(format!(
                    "by: `{other}` is not service, hostgroup, relay, or kind"
                )));
            }
        })
    }

    /// The question about a window.
    ///
    /// # Errors
    /// A parameter is wrong.
    pub(super) fn question(&self, window: Window, clock: &GraphClock) -> Result<RateQuestion, Failure> {
        let by = self.by()?;
        let measure = self.measure(by)?;
        let named = |kind: &str| Kind::named(kind).map_err(|why| Failure::Parameter(format!("kind: {why}")));
        let kind = match (self.kind.as_str(), by) {
            ("", By::Kind) => None,
            ("", _) => Some("accepted".to_owned()),
            (kind, _) => Some(named(kind)?.as_str().to_owned()),
        };
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Ok(RateQuestion {
            window,
            step_ms: bucket_ms(window),
            origin_ms: clock.origin_ms(),
            by,
            kind,
            destination: None,
            direction: DirectionView::default(),
            only: some(&self.name).into_iter().collect(),
            service: some(&self.service),
            measure,
        })
    }

    fn measure(&self, by: By) -> Result<&'static str, Failure> {
        let refused = |why: &str| Err(Failure::Parameter(format!("measure: {why}")));
        match self.measure.as_str() {
            "" | "messages" => Ok("messages"),
            BACKLOG if !matches!(by, By::Service | By::Relay) => {
                refused("the queues are known by service and by relay only")
            }
            BACKLOG if !self.kind.is_empty() || !self.service.is_empty() => {
                refused("the backlog is of all mail, without kind and service")
            }
            BACKLOG => Ok(BACKLOG),
            other => refused(&format!("`{}` is not messages or backlog", other.escape_debug())),
        }
    }

    /// Asks and draws. `counted` is what is in the queues now.
    pub(super) fn draw(
        &self,
        asker: &Asker<'_>,
        zone: &PageZone,
        counted: Option<&StoreAnswer<CountedQueues>>,
    ) -> Result<DrawnRates> {
        let refused = |failure| anyhow::Error::new(Refusal(failure));
        let range = PageRange::of(&self.from, &self.to, "-24h");
        let window = range.window_in(zone, end_of_time(asker)?).map_err(refused)?;
        let clock = GraphClock::of(zone, window);
        let question = self.question(window, &clock).map_err(refused)?;
        match (question.measure, counted) {
            (BACKLOG, Some(counted)) => match &counted.value.backlog {
                Some(backlog) => drawn_backlog(asker, &question, clock, &backlog.levels),
                None => Err(refused(Failure::Store(
                    "More mails wait than this graph counts: see mailpulse graph.".to_owned(),
                ))),
            },
            (BACKLOG, None) => {
                let at_ms = window.until_ms - 1;
                let counted = backlog(asker.store(), BacklogQuestion::at(at_ms))?;
                drawn_backlog(asker, &question, clock, &counted.levels)
            }
            _ => drawn(asker, &question, clock),
        }
    }

    /// Whether it shows the queues as they are now.
    fn is_of_queues_now(&self) -> bool {
        self.measure == BACKLOG && PageRange::of(&self.from, &self.to, "-24h").to == "now"
    }

    /// Links to the same in another form.
    fn forms(&self, links: &Links) -> Vec<(&'static str, String)> {
        let form = |file: &str| {
            let parameters = [
                ("by", self.by.as_str()),
                ("name", &self.name),
                ("service", &self.service),
                ("kind", &self.kind),
                ("measure", &self.measure),
                ("from", &self.from),
                ("to", &self.to),
            ];
            links.to(file, &parameters)
        };
        ["CSV", "JSON", "SVG", "PNG"]
            .map(|word| (word, form(&format!("graph.{}", word.to_lowercase()))))
            .into()
    }
}

/// Rates with their expected ranges and alarms. A graph of weeks begins with a whole bucket: a part of one looks like a drop.
pub(super) fn drawn(asker: &Asker<'_>, question: &RateQuestion, clock: GraphClock) -> Result<DrawnRates> {
    let question = &match question.step_ms >= STEP_MS_MIN {
        true => question.from_whole_bucket(),
        false => question.clone(),
    };
    let set = asker.store().rates(question)?;
    with_marks(asker, question, set, clock)
}

/// What is in the queues, with the alarms.
pub(super) fn drawn_backlog(
    asker: &Asker<'_>,
    question: &RateQuestion,
    clock: GraphClock,
    levels: &QueueLevels,
) -> Result<DrawnRates> {
    let set = queue_levels(asker.store(), levels, question)?;
    with_marks(asker, question, set, clock)
}

fn with_marks(asker: &Asker<'_>, question: &RateQuestion, mut set: SeriesSet, clock: GraphClock) -> Result<DrawnRates> {
    if set.series.len() > SERIES_MAX {
        let kept: Vec<usize> = set.ranking().into_iter().take(SERIES_MAX).collect();
        let series = kept.into_iter().map(|at| set.series[at].clone());
        set.series = series.collect::<Vec<Series>>();
    }
    let picture = Picture {
        question,
        set: &mut set,
    };
    let expected = (asker.kept, asker.ranges);
    let mut marks = draw_from(asker.store(), expected, asker.options(), picture, asker.now_ms)?;
    let names: Vec<&str> = set.series.iter().map(|series| series.name.as_str()).collect();
    marks.extend(graph_marks(&planned(asker.config)?, question, &names));
    let unnamed = format!("(no {})", question.by.column());
    set.series
        .iter_mut()
        .filter(|series| series.name.is_empty())
        .for_each(|series| series.name.clone_from(&unnamed));
    Ok(DrawnRates { set, marks, clock })
}

/// Draws the graphs of a day and of weeks once, so that what was expected of their buckets is known before somebody asks for one.
pub(super) fn learn_ranges(asker: &Asker<'_>, zone: &PageZone) -> Result<()> {
    for from in ["-24h", "-7d", "-28d"] {
        let choice = GraphChoice {
            from: from.to_owned(),
            ..GraphChoice::default()
        };
        choice.draw(asker, zone, None)?;
    }
    Ok(())
}

/// A graph as a part of a page; `number` tells the graphs of a page apart.
pub(super) fn block(
    title: &str,
    drawn: &DrawnRates,
    (choice, links): (&GraphChoice, &Links),
    number: usize,
) -> GraphBlock {
    GraphBlock {
        title: title.to_owned(),
        lead: drawn.clock.words(drawn.set.step_ms),
        forms: choice.forms(links),
        ..pictures(drawn, GraphKind::Lines, number)
    }
}

/// The two pictures of a graph, for a light page and a dark one, and its table.
pub(super) fn pictures(drawn: &DrawnRates, kind: GraphKind, number: usize) -> GraphBlock {
    let (set, marks) = drawn.on_its_clock();
    let picture = |theme: Theme, name: &str| {
        let height = if kind == GraphKind::Multiples { 480 } else { 320 };
        let style = Style {
            theme,
            kind: if drawn.set.series.len() == 1 {
                GraphKind::Multiples
            } else {
                kind
            },
            width: 1120,
            height,
            zone: drawn.clock.zone().name().to_owned(),
        };
        let drawn = svg::render(&set, &marks, &style);
        // Inline SVG has no prologue, and what one picture names must not be found in another.
        let begin = drawn.find("<svg").unwrap_or(0);
        drawn
            .get(begin..)
            .unwrap_or_default()
            .replace(HATCH, &format!("{HATCH}-{name}-{number}"))
    };
    let (head, rows) = table(&drawn.set, drawn.clock.zone());
    GraphBlock {
        light: picture(Theme::Light, "light"),
        dark: picture(Theme::Dark, "dark"),
        from_ms: drawn.set.start_ms,
        to_ms: drawn.set.end_ms(),
        step_ms: drawn.set.step_ms,
        head,
        rows,
        ..GraphBlock::default()
    }
}

/// The newest buckets of a graph, the newest first.
fn table(set: &SeriesSet, zone: &PageZone) -> (Vec<String>, Vec<Vec<String>>) {
    let mut head = vec![format!("bucket begins ({})", zone.name())];
    let shown = || set.series.iter().take(12);
    head.extend(shown().map(|series| super::html::short(&series.name)));
    let number = |value: &Option<f64>| value.map_or_else(|| "no data".to_owned(), |value| format!("{:.3}", value));
    let row = |at: usize| {
        let begin = zone.clock(set.start_ms + at as i64 * set.step_ms);
        let cells = shown().map(|series| number(&series.points.get(at).copied().flatten()));
        std::iter::once(begin).chain(cells).collect()
    };
    let rows = (0..set.buckets()).rev().take(ROWS_MAX).map(row);
    (head, rows.collect())
}

async fn ask(app: &Arc<App>, choice: &GraphChoice, zone: &PageZone) -> Result<Arc<StoreAnswer<DrawnRates>>, Failure> {
    let counted = match choice.is_of_queues_now() {
        true => Some(first_count(app).await.ok_or(Failure::Late)?),
        false => None,
    };
    let key = QuestionKey::until(&format!("graph {choice:?} {}", zone.name()), app.answers.now_ms());
    let (asked, zone) = (choice.clone(), zone.clone());
    app.answers
        .ask(key, move |asker| asked.draw(asker, &zone, counted.as_deref()))
        .await
}

/// As a picture that scales.
pub(super) async fn as_svg(State(app): State<Arc<App>>, links: Links, Chosen(choice): Chosen<GraphChoice>) -> Response {
    match ask(&app, &choice, links.zone()).await {
        Ok(drawn) => {
            let (set, marks) = drawn.value.on_its_clock();
            let picture = svg::render(&set, &marks, &style(&choice, &drawn.value));
            ([(CONTENT_TYPE, "image/svg+xml")], picture).into_response()
        }
        Err(failure) => failed(&failure),
    }
}

/// As a picture of pixels.
pub(super) async fn as_png(State(app): State<Arc<App>>, links: Links, Chosen(choice): Chosen<GraphChoice>) -> Response {
    let drawn = match ask(&app, &choice, links.zone()).await {
        Ok(drawn) => drawn,
        Err(failure) => return failed(&failure),
    };
    // It is drawn with the questions: that takes a while, too.
    let key = QuestionKey::until(&format!("png {choice:?} {}", links.zone().name()), app.answers.now_ms());
    let painted = app.answers.ask(key, move |_| {
        let (set, marks) = drawn.value.on_its_clock();
        Ok(png::render(&set, &marks, &style(&choice, &drawn.value))?)
    });
    match painted.await {
        Ok(picture) => ([(CONTENT_TYPE, "image/png")], picture.value.clone()).into_response(),
        Err(failure) => failed(&failure),
    }
}

fn style(choice: &GraphChoice, drawn: &DrawnRates) -> Style {
    Style {
        theme: if choice.theme == "dark" {
            Theme::Dark
        } else {
            Theme::Light
        },
        kind: if drawn.set.series.len() > 8 || drawn.set.series.len() == 1 {
            GraphKind::Multiples
        } else {
            GraphKind::Lines
        },
        zone: drawn.clock.zone().name().to_owned(),
        ..Style::default()
    }
}

/// As JSON: times, values, and expected ranges.
pub(super) async fn as_json(
    State(app): State<Arc<App>>,
    links: Links,
    Chosen(choice): Chosen<GraphChoice>,
) -> Response {
    match ask(&app, &choice, links.zone()).await {
        Ok(drawn) => json(&written(&drawn.value)),
        Err(failure) => failed(&failure),
    }
}

/// Rates as data.
pub(super) fn written(drawn: &DrawnRates) -> Value {
    let set = &drawn.set;
    let range = |range: &Option<(f64, f64)>| range.map(|(low, high)| [rounded(low), rounded(high)]);
    let series = set.series.iter().map(|series| {
        object!({
            "name": series.name,
            "values": series.points.iter().map(|point| point.map(|value| (value * 1e4).round() / 1e4)).collect::<Vec<_>>(),
            "expected": series.expected.as_ref().map(|all| all.iter().map(range).collect::<Vec<_>>()),
        })
    });
    let mark = |mark: &GraphMark| {
        object!({
            "from": rfc3339(mark.from_ms),
            "to": mark.to_ms.map(rfc3339),
            "label": mark.label,
            "series": mark.series,
        })
    };
    object!({
        "unit": set.unit,
        "from": rfc3339(set.start_ms),
        "step_s": set.step_ms / 1_000,
        "buckets": set.buckets(),
        "series": series.collect::<Vec<_>>(),
        "marks": drawn.marks.iter().map(mark).collect::<Vec<_>>(),
    })
}

/// As a table for spreadsheets: a row a bucket and series.
pub(super) async fn as_csv(State(app): State<Arc<App>>, links: Links, Chosen(choice): Chosen<GraphChoice>) -> Response {
    let drawn = match ask(&app, &choice, links.zone()).await {
        Ok(drawn) => drawn,
        Err(failure) => return failed(&failure),
    };
    let set = &drawn.value.set;
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut written = writer.write_record(["ts", "series", "value", "expected_low", "expected_high"]);
    for series in &set.series {
        for (at, point) in series.points.iter().enumerate() {
            let range = series.expected.as_ref().and_then(|all| all.get(at).copied().flatten());
            let number = |value: Option<f64>| value.map(|value| format!("{value:.4}")).unwrap_or_default();
            let ts = rfc3339(set.start_ms + at as i64 * set.step_ms);
            let (low, high) = (number(range.map(|range| range.0)), number(range.map(|range| range.1)));
            let record = [ts, no_formula(&series.name), number(*point), low, high];
            written = written.and_then(|()| writer.write_record(record));
        }
    }
    match written
        .map_err(anyhow::Error::from)
        .and_then(|()| Ok(writer.into_inner()?))
    {
        Ok(bytes) => {
            let name = "attachment; filename=\"mailpulse.csv\"";
            (
                [(CONTENT_TYPE, "text/csv; charset=utf-8"), (CONTENT_DISPOSITION, name)],
                bytes,
            )
                .into_response()
        }
        Err(error) => failed(&Failure::Store(error.to_string())),
    }
}

/// Text that no spreadsheet runs.
fn no_formula(text: &str) -> String {
    let mark = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        "'"
    } else {
        ""
    };
    format!("{mark}{}", safe_text(text.as_bytes()))
}

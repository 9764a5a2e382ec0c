//! Which services depend on a single relay, before it fails.

use super::blocks::{BlockPage, PageBlock, RangeForm, TableBlock, TableCell};
use super::frame::PageFrame;
use super::range::PageRange;
use super::reply::{failure_page, rendered};
use crate::analysis::routes::{Route, routes};
use crate::model::direction::DirectionView;
use crate::model::human;
use crate::query::Window;
use crate::web::answers::{QuestionKey, Refusal, StoreAnswer, end_of_time};
use crate::web::app::App;
use crate::web::chosen::Chosen;
use crate::web::failure::Failure;
use crate::web::links::Links;
use crate::web::zone::PageZone;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;

/// What a reader chooses.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TimeChoice {
    pub from: String,
    pub to: String,
}

/// All routes of a time, and that time.
pub(crate) async fn all(
    app: &App,
    choice: &TimeChoice,
    zone: &PageZone,
) -> Result<Arc<StoreAnswer<(Window, Vec<Route>)>>, Failure> {
    let range = PageRange::of(&choice.from, &choice.to, "-7d");
    let key = QuestionKey::until(&format!("routes {range:?} {}", zone.name()), app.answers.now_ms());
    let zone = zone.clone();
    let ask = move |asker: &crate::web::answers::Asker<'_>| {
        let window = range
            .window_in(&zone, end_of_time(asker)?)
            .map_err(|failure| anyhow::Error::new(Refusal(failure)))?;
        Ok((window, routes(asker.store(), window, DirectionView::default())?))
    };
    app.answers.ask(key, ask).await
}

pub(crate) async fn page(State(app): State<Arc<App>>, links: Links, Chosen(choice): Chosen<TimeChoice>) -> Response {
    let found = match all(&app, &choice, links.zone()).await {
        Ok(found) => found,
        Err(failure) => return failure_page(&app, failure.status(), &failure),
    };
    let (window, routes) = &found.value;
    let mut page = BlockPage::new(
        PageFrame::new(&app, &links, "Routes", "routes").live(),
        "routes",
        "Through which relays mail leaves",
    );
    page.frame.notes.extend(found.lacks.iter().cloned());
    let single = routes.iter().filter(|route| route.is_single()).count();
    let out = routes.iter().filter(|route| !route.last_hops.is_empty()).count();
    page.lead.push(format!(
        "{single} of {} depend on a single relay.",
        human::counted(out as u64, "service")
    ));
    let range = PageRange::of(&choice.from, &choice.to, "-7d");
    page.range = Some(RangeForm::of(&range, ("routes", ""), *window, &links));
    page.blocks.push(PageBlock::Table(table("Services", routes, &links)));
    rendered(&page)
}

/// A row a path.
pub(crate) fn table(title: &str, routes: &[Route], links: &Links) -> TableBlock {
    let mut rows = Vec::new();
    for route in routes {
        let all: u64 = route.paths.iter().map(|path| path.messages).sum();
        for path in &route.paths {
            let end = if path.outside { "outside" } else { "(not passed on)" };
            let only = route.is_single().then(|| route.last_hops[0].0.as_str());
            rows.push(vec![
                TableCell::link(&route.service, links.to("service", &[("name", &route.service)])),
                TableCell::text(format!("{} → {end}", path.hops.join(" → "))),
                TableCell::count(i64::try_from(path.messages).unwrap_or(i64::MAX)),
                TableCell::number(format!("{:.1} %", 100.0 * path.messages as f64 / all.max(1) as f64)),
                match only {
                    Some(relay) => TableCell::link(relay, links.to("relay", &[("name", relay)])),
                    None => TableCell::text("no"),
                },
            ]);
        }
    }
    rows.truncate(1_000);
    TableBlock {
        title: title.to_owned(),
        lead: String::new(),
        head: vec![
            ("service", false),
            ("path", false),
            ("messages", true),
            ("share", true),
            ("single point of failure", false),
        ],
        rows,
        empty: "No mail left in this time.",
    }
}

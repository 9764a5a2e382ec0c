//! The overview: what whoever was just paged opens first.

mod boards;
mod choice;
mod providers;

use super::frame::PageFrame;
use super::marks::StateMark;
use super::reply::{failure_page, rendered};
use crate::analysis::verdict::MailVerdict;
use crate::detect::alarm::Alarm;
use crate::model::human;
use crate::model::time::{MINUTE_MS, Minute};
use crate::web::answers::StoreAnswer;
use crate::web::app::App;
use crate::web::chosen::Chosen;
use crate::web::html::short;
use crate::web::links::Links;
use crate::web::overview::{Overview, overview};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use boards::{BoardView, board_views};
use choice::{Choice, STATES};
use providers::{ProviderLine, ProviderTotal, provider_lines, provider_total};
use std::sync::Arc;

#[derive(Template)]
#[template(path = "now.html", config = "src/web/askama.toml")]
struct NowPage {
    frame: PageFrame,
    mark: StateMark,
    lasts: Option<String>,
    sentence: String,
    affected: Vec<(String, String)>,
    more: Vec<String>,
    next: Option<String>,
    incident: Option<String>,
    relay: Option<String>,
    relay_name: String,
    firing: Vec<FiringLine>,
    query: String,
    sort: String,
    state: String,
    states: [(&'static str, &'static str); 3],
    boards: Vec<BoardView>,
    providers: Vec<ProviderLine>,
    providers_total: Option<ProviderTotal>,
}

struct FiringLine {
    mark: StateMark,
    about: String,
    link: String,
    since: String,
    detected: String,
    words: String,
}

/// The page.
pub(crate) async fn page(State(app): State<Arc<App>>, links: Links, Chosen(choice): Chosen<Choice>) -> Response {
    match overview(&app).await {
        Ok(answer) => rendered(&view(&app, &links, &answer, choice)),
        Err(failure) => failure_page(&app, failure.status(), &failure),
    }
}

fn view(app: &App, links: &Links, answer: &StoreAnswer<Overview>, choice: Choice) -> NowPage {
    let overview = &answer.value;
    let MailVerdict {
        standing,
        sentence,
        more,
        next,
        alarm,
        affected,
        relay,
        since,
        ..
    } = overview.verdict_in(links.zone().zone());
    let mut frame = PageFrame::new(app, links, "Now", "")
        .live()
        .of_answer(answer.as_of_ms());
    frame.notes.extend(answer.lacks.iter().cloned());
    frame.is_ended(overview.end_ms, app.answers.now_ms());
    let until = overview.judgement.until.unwrap_or(Minute::EPOCH);
    NowPage {
        mark: StateMark::of_standing(standing),
        lasts: since.map(|since| human::duration((until - since) * MINUTE_MS)),
        sentence,
        affected: affected
            .iter()
            .map(|name| (short(name), links.to("service", &[("name", name)])))
            .collect(),
        more,
        next,
        incident: alarm.map(|id| links.to("incident", &[("alarm", &id)])),
        relay_name: relay.clone().unwrap_or_default(),
        relay: relay.map(|name| links.to("relay", &[("name", &name)])),
        firing: firing_lines(overview, links),
        boards: board_views(overview, links, &choice),
        providers_total: provider_total(overview, &choice),
        providers: provider_lines(overview, links, &choice),
        sort: choice.order().word(),
        query: choice.q,
        state: choice.state,
        states: STATES,
        frame,
    }
}

fn firing_lines(overview: &Overview, links: &Links) -> Vec<FiringLine> {
    let names = &overview.judgement.names;
    let line = |alarm: &Alarm| {
        let (kind, name) = alarm.scope.named(names);
        let id = crate::analysis::alarms::notice_id(alarm, names);
        let members: Vec<String> = alarm
            .members
            .iter()
            .map(|member| short(names.service(member.service)))
            .collect();
        let affected = match members.is_empty() {
            true => String::new(),
            false => format!("Affected: {}. ", members.join(", ")),
        };
        FiringLine {
            mark: StateMark::of_alarm(alarm.state, alarm.provisional),
            about: format!("{kind} {}", short(name)),
            link: links.to("incident", &[("alarm", &id)]),
            since: links.zone().clock_near(alarm.onset.start(), overview.end_ms),
            detected: links.zone().clock_near(alarm.detected.start(), overview.end_ms),
            words: affected + &alarm.evidence.join("; "),
        }
    };
    overview.judgement.firing().into_iter().map(line).collect()
}

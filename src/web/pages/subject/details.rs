//! What a page of a subject shows below its headline, asked of the store in one question: graphs here, tables in the files of
//! those that have them.

use super::{PageSubject, SubjectChoice};
use crate::analysis::backlog::{BacklogQuestion, Group, Waiting, backlog};
use crate::analysis::weeks::weeks;
use crate::graph::GraphKind;
use crate::model::human;
use crate::query::Window;
use crate::query::series::Fold;
use crate::web::answers::{Asker, QuestionKey, Refusal, StoreAnswer, end_of_time};
use crate::web::app::App;
use crate::web::failure::Failure;
use crate::web::graphs::{DrawnRates, GraphChoice, block, drawn, pictures};
use crate::web::links::Links;
use crate::web::pages::blocks::{PageBlock, TableBlock, TableCell};
use crate::web::pages::range::PageRange;
use crate::web::zone::GraphClock;
use anyhow::Result;
use std::sync::Arc;

/// Mails that may wait for a page to say what waits.
const MAILS_MAX: usize = 200_000;
/// Points of the graph of weeks.
const WEEK_COLUMNS: usize = 60;

/// What a page shows below its headline.
pub(super) struct Details {
    pub window: Window,
    pub blocks: Vec<PageBlock>,
    pub lead: Vec<String>,
    /// There was mail in this time.
    pub is_any: bool,
}

pub(super) async fn details(
    subject: PageSubject,
    app: &App,
    links: &Links,
    choice: &SubjectChoice,
) -> Result<Arc<StoreAnswer<Details>>, Failure> {
    let key = QuestionKey::until(
        &format!("{subject:?} {choice:?} {}", links.to("", &[])),
        app.answers.now_ms(),
    );
    let (choice, links) = (choice.clone(), links.clone());
    app.answers
        .ask(key, move |asker| Details::ask(subject, asker, &choice, &links))
        .await
}

impl Details {
    fn ask(subject: PageSubject, asker: &Asker<'_>, choice: &SubjectChoice, links: &Links) -> Result<Details> {
        let refused = |failure| anyhow::Error::new(Refusal(failure));
        let end = end_of_time(asker)?;
        let window = PageRange::of(&choice.from, &choice.to, "-24h")
            .window_in(links.zone(), end)
            .map_err(refused)?;
        let mut details = Details {
            window,
            blocks: Vec::new(),
            lead: Vec::new(),
            is_any: false,
        };
        let name = &choice.name;
        if subject.by().is_some() {
            details.graphs(subject, asker, choice, links)?;
        }
        match subject {
            PageSubject::Service => {
                details.outcomes(asker, (name, links.zone()), end)?;
                details.routes(asker, &|route| route == name.as_str(), links)?;
                details.reasons(asker, (name, links.zone()), end)?;
                details.backlog(asker, &|service, _| service == name.as_str(), links)?;
                details.blindness(asker, name)?;
            }
            PageSubject::Relay => {
                details.dependents(asker, name, links)?;
                details.backlog(asker, &|_, relay| relay == name.as_str(), links)?;
                details.providers(asker, &|_, relay| relay == name.as_str(), links)?;
            }
            PageSubject::Hostgroup => {}
            PageSubject::Provider => details.providers(asker, &|provider, _| provider == name.as_str(), links)?,
        }
        Ok(details)
    }

    /// Rates with what was expected, and the weeks before beside them.
    fn graphs(&mut self, subject: PageSubject, asker: &Asker<'_>, choice: &SubjectChoice, links: &Links) -> Result<()> {
        let graph = GraphChoice {
            by: subject.word().to_owned(),
            name: choice.name.clone(),
            from: choice.from.clone(),
            to: choice.to.clone(),
            ..GraphChoice::default()
        };
        let clock = GraphClock::of(links.zone(), self.window);
        let question = graph
            .question(self.window, &clock)
            .map_err(|failure| anyhow::Error::new(Refusal(failure)))?;
        let rates = drawn(asker, &question, clock.clone())?;
        let is_any = rates.set.series.iter().any(|series| series.volume() > 0.0);
        self.blocks
            .push(PageBlock::Graph(block("Mail accepted", &rates, (&graph, links), 1)));
        let past = weeks(asker.store(), &question, links.zone().zone())?;
        if let Some(sentence) = past.sentence {
            // Four weeks of fine buckets beside each other are a tangle.
            let step_ms = past.set.step_for_columns(WEEK_COLUMNS);
            let drawn = DrawnRates {
                set: past.set.rebucketed(step_ms, Fold::Mean),
                clock,
                ..DrawnRates::default()
            };
            let mut pictures = pictures(&drawn, GraphKind::Lines, 2);
            pictures.title = "The same hours of the weeks before".to_owned();
            pictures.lead = sentence;
            self.blocks.push(PageBlock::Graph(pictures));
        }
        self.is_any = is_any;
        if !is_any {
            self.lead.push("No mail in this time.".to_owned());
        }
        Ok(())
    }

    fn backlog(&mut self, asker: &Asker<'_>, wants: &dyn Fn(&str, &str) -> bool, links: &Links) -> Result<()> {
        let at_ms = self.window.until_ms.min(end_of_time(asker)?.at_ms);
        let Ok(found) = backlog(asker.store(), BacklogQuestion::at(at_ms, MAILS_MAX)) else {
            self.lead
                .push("More mails wait than this page counts: see `mailpulse queue`.".to_owned());
            return Ok(());
        };
        let rows = found
            .groups
            .iter()
            .filter(|(group, _)| wants(&group.service, &group.relay));
        let row = |(group, waiting): (&Group, &Waiting)| {
            let gone = waiting
                .drain
                .map(|drain| format!("in {}", human::duration(drain.gone_ms - at_ms)));
            vec![
                TableCell::link(&group.service, links.to("service", &[("name", &group.service)])),
                TableCell::link(&group.relay, links.to("relay", &[("name", &group.relay)])),
                TableCell::count(i64::try_from(waiting.messages).unwrap_or(i64::MAX)),
                TableCell::text(
                    waiting
                        .oldest_ms
                        .map(|oldest| human::duration(at_ms - oldest))
                        .unwrap_or_default(),
                ),
                TableCell::count(i64::try_from(waiting.frozen).unwrap_or(i64::MAX)),
                TableCell::text(gone.unwrap_or_else(|| "does not drain".to_owned())),
            ]
        };
        self.blocks.push(PageBlock::Table(TableBlock {
            title: "What waits in the queues".to_owned(),
            lead: format!("At {}, as far as the logs tell.", links.zone().clock(at_ms)),
            head: vec![
                ("service", false),
                ("relay", false),
                ("messages", true),
                ("oldest", false),
                ("frozen", true),
                ("gone", false),
            ],
            rows: rows.map(row).collect(),
            empty: "Nothing waits.",
        }));
        Ok(())
    }
}

//! What a page of a subject shows below its headline, asked of the store in one question: graphs here, tables in the files of
//! those that have them.

use super::choice::{PageSubject, SubjectChoice};
use crate::analysis::weeks::weeks;
use crate::graph::GraphKind;
use crate::model::time::End;
use crate::query::Window;
use crate::query::series::Fold;
use crate::web::answers::{Asker, QuestionKey, Refusal, StoreAnswer, end_of_time};
use crate::web::app::App;
use crate::web::failure::Failure;
use crate::web::graphs::{DrawnRates, GraphChoice, block, drawn, pictures};
use crate::web::links::Links;
use crate::web::pages::blocks::PageBlock;
use crate::web::pages::range::PageRange;
use crate::web::zone::GraphClock;
use anyhow::Result;
use std::sync::Arc;

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

/// Asks for what the pages of all services and relays are cut from, as they show it when they are opened.
pub(crate) fn learn_tables(asker: &Asker<'_>, links: &Links) -> Result<()> {
    let mut details = Details::within(&PageRange::of("", "", "-24h"), links, end_of_time(asker)?)?;
    details.learn(asker, links.zone(), links)?;
    details.dependents(asker, "", links)?;
    details.providers(asker, &|_, _| false, links)
}

impl Details {
    /// Nothing yet, of a range as it stands in a page's address.
    fn within(range: &PageRange, links: &Links, end: End) -> Result<Details> {
        let window = range.window_in(links.zone(), end);
        Ok(Details {
            window: window.map_err(|failure| anyhow::Error::new(Refusal(failure)))?,
            blocks: Vec::new(),
            lead: Vec::new(),
            is_any: false,
        })
    }

    fn ask(subject: PageSubject, asker: &Asker<'_>, choice: &SubjectChoice, links: &Links) -> Result<Details> {
        let end = end_of_time(asker)?;
        let range = PageRange::of(&choice.from, &choice.to, "-24h");
        let mut details = Details::within(&range, links, end)?;
        let name = &choice.name;
        if subject.by().is_some() {
            details.graphs(subject, asker, choice, links)?;
        }
        match subject {
            PageSubject::Service => {
                details.outcomes(asker, (name, links.zone()), end)?;
                details.routes(asker, &|route| route == name.as_str(), links)?;
                details.reasons(asker, (name, links.zone()), end)?;
                details.blindness(asker, name)?;
            }
            PageSubject::Relay => {
                details.dependents(asker, name, links)?;
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
}

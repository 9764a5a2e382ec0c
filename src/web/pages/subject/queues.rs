//! What waits in the queues, of a service or on a relay, and how that went.

use super::choice::{PageSubject, SubjectChoice};
use crate::analysis::backlog::{BACKLOG, Group, Waiting};
use crate::model::human;
use crate::model::time::UtcMs;
use crate::query::Window;
use crate::web::answers::{QuestionKey, Refusal, StoreAnswer};
use crate::web::app::App;
use crate::web::graphs::{GraphChoice, block, drawn_backlog};
use crate::web::links::Links;
use crate::web::pages::blocks::{GraphBlock, TableBlock, TableCell};
use crate::web::queue_count::CountedQueues;
use crate::web::zone::GraphClock;
use std::sync::Arc;

/// A number of its own among the graphs of a page.
const GRAPH: usize = 3;

/// How many mails were in the queues; none where nothing waited, or it is not known in time.
pub(super) async fn queue_graph(
    (subject, choice, window): (PageSubject, &SubjectChoice, Window),
    counted: &Arc<StoreAnswer<CountedQueues>>,
    (app, links): (&App, &Links),
) -> Option<GraphBlock> {
    let graph = GraphChoice {
        by: subject.word().to_owned(),
        name: choice.name.clone(),
        measure: BACKLOG.to_owned(),
        from: choice.from.clone(),
        to: choice.to.clone(),
        ..GraphChoice::default()
    };
    let clock = GraphClock::of(links.zone(), window);
    let question = graph.question(window, &clock);
    let key = QuestionKey::until(
        &format!("queues of {graph:?} {window:?} {}", links.zone().name()),
        app.answers.now_ms(),
    );
    let counted = Arc::clone(counted);
    let drawn = app.answers.ask(key, move |asker| {
        let question = question.map_err(|failure| anyhow::Error::new(Refusal(failure)))?;
        let levels = counted.value.backlog.as_ref().map(|backlog| &backlog.levels);
        let drawn = levels.map(|levels| drawn_backlog(asker, &question, clock, levels));
        drawn.transpose()
    });
    let drawn = drawn.await.ok()?;
    let drawn = drawn.value.as_ref()?;
    let is_any = drawn.set.series.iter().any(|series| series.volume() > 0.0);
    is_any.then(|| block("Mail in the queues", drawn, (&graph, links), GRAPH))
}

/// A row a queue; none while it is being counted.
pub(super) fn queue_table(
    (subject, name): (PageSubject, &str),
    counted: Option<&CountedQueues>,
    links: &Links,
) -> TableBlock {
    let wants = |group: &Group| match subject {
        PageSubject::Service => group.service == name,
        PageSubject::Relay => group.relay == name,
        PageSubject::Hostgroup | PageSubject::Provider => false,
    };
    let (lead, empty) = match counted {
        None => (String::new(), "It is being counted: load the page again in a moment."),
        Some(CountedQueues { backlog: None, .. }) => (
            String::new(),
            "More mails wait than this page counts: mailpulse queue --mails-max counts them.",
        ),
        Some(CountedQueues { at_ms, .. }) => {
            let at = links.zone().clock(*at_ms);
            (format!("At {at}, as far as the logs tell."), "Nothing waits.")
        }
    };
    let found = counted.and_then(|counted| Some((counted.at_ms, counted.backlog.as_ref()?)));
    let rows = found.into_iter().flat_map(|(at_ms, backlog)| {
        let own = backlog.groups.iter().filter(|(group, _)| wants(group));
        own.map(move |(group, waiting)| row((group, waiting), at_ms, links))
    });
    TableBlock {
        title: "What waits in the queues".to_owned(),
        lead,
        head: vec![
            ("service", false),
            ("relay", false),
            ("messages", true),
            ("oldest", false),
            ("frozen", true),
            ("gone", false),
        ],
        rows: rows.collect(),
        empty,
    }
}

fn row((group, waiting): (&Group, &Waiting), at_ms: UtcMs, links: &Links) -> Vec<TableCell> {
    let gone = waiting
        .drain
        .map(|drain| format!("in {}", human::duration(drain.gone_ms - at_ms)));
    let oldest = waiting.oldest_ms.map(|oldest| human::duration(at_ms - oldest));
    vec![
        TableCell::link(&group.service, links.to("service", &[("name", &group.service)])),
        TableCell::link(&group.relay, links.to("relay", &[("name", &group.relay)])),
        TableCell::count(i64::try_from(waiting.messages).unwrap_or(i64::MAX)),
        TableCell::text(oldest.unwrap_or_default()),
        TableCell::count(i64::try_from(waiting.frozen).unwrap_or(i64::MAX)),
        TableCell::text(gone.unwrap_or_else(|| "does not drain".to_owned())),
    ]
}

//! What waits in the queues, of a service or on a relay.

use super::choice::PageSubject;
use crate::analysis::backlog::{Group, Waiting};
use crate::model::human;
use crate::model::time::UtcMs;
use crate::web::links::Links;
use crate::web::pages::blocks::{TableBlock, TableCell};
use crate::web::queue_count::CountedQueues;

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

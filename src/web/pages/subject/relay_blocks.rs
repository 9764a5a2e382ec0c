//! What is told of a relay and of a provider: who depends on it, and what providers do.

use super::details::Details;
use crate::analysis::providers::provider_times;
use crate::analysis::routes::routes;
use crate::model::direction::DirectionView;
use crate::model::human;
use crate::model::time::DAY_MS;
use crate::query::Window;
use crate::web::answers::Asker;
use crate::web::links::Links;
use crate::web::pages::blocks::{PageBlock, TableBlock, TableCell};
use anyhow::Result;

impl Details {
    /// Who depends on a relay, and how much of their mail takes no other way.
    pub(super) fn dependents(&mut self, asker: &Asker<'_>, name: &str, links: &Links) -> Result<()> {
        let minutes = self.minutes();
        let week = Window {
            since_ms: minutes.since_ms.min(minutes.until_ms - 7 * DAY_MS),
            ..minutes
        };
        let all = asker.shared(("routes", week), || {
            Ok(routes(asker.store(), week, DirectionView::default())?)
        })?;
        let mut rows = Vec::new();
        let mut alone = 0;
        for route in all.iter() {
            let Some((_, messages)) = route.last_hops.iter().find(|(hop, _)| hop == name) else {
                continue;
            };
            alone += usize::from(route.is_single());
            let per_hour = *messages as f64 / ((week.until_ms - week.since_ms) as f64 / 3_600_000.0);
            rows.push(vec![
                TableCell::link(&route.service, links.to("service", &[("name", &route.service)])),
                TableCell::count(i64::try_from(*messages).unwrap_or(i64::MAX)),
                TableCell::number(format!(
                    "{:.1} %",
                    100.0 * *messages as f64 / route.messages.max(1) as f64
                )),
                TableCell::text(if route.is_single() {
                    "no other way"
                } else {
                    "other relays too"
                }),
                TableCell::number(human::rate(per_hour / 60.0)),
            ]);
        }
        if alone > 0 {
            let them = human::counted(alone as u64, "service");
            self.lead
                .push(format!("{them} would lose or delay all mail without this relay."));
        }
        self.blocks.push(PageBlock::Table(TableBlock {
            title: "Services that depend on it".to_owned(),
            lead: "By what left through it in the last seven days or in this time.".to_owned(),
            head: vec![
                ("service", false),
                ("messages", true),
                ("share", true),
                ("otherwise", false),
                ("would miss", true),
            ],
            rows,
            empty: "No mail left through it.",
        }));
        Ok(())
    }

    pub(super) fn providers(
        &mut self,
        asker: &Asker<'_>,
        wants: &dyn Fn(&str, &str) -> bool,
        links: &Links,
    ) -> Result<()> {
        let window = self.minutes();
        let all = asker.shared(("providers", window), || {
            Ok(provider_times(asker.store(), window, DirectionView::default())?)
        })?;
        let percent = |both: Option<(f64, f64)>, pick: fn((f64, f64)) -> f64| {
            TableCell::number(both.map(|both| format!("{:.1} %", pick(both))).unwrap_or_default())
        };
        let ms = |ms: Option<i64>| TableCell::number(ms.map(human::duration).unwrap_or_default());
        let mut found: Vec<_> = all
            .iter()
            .filter(|((provider, relay), _)| wants(provider, relay))
            .collect();
        found.sort_by_key(|(at, one)| (-one.attempts.all, *at));
        let rows = found.into_iter().take(100).map(|((provider, relay), one)| {
            vec![
                TableCell::link(provider, links.to("provider", &[("name", provider)])),
                TableCell::link(relay, links.to("relay", &[("name", relay)])),
                TableCell::count(one.attempts.all),
                percent(one.attempts.percents(), |both| both.0),
                percent(one.usual.percents(), |both| both.0),
                percent(one.attempts.percents(), |both| both.1),
                percent(one.usual.percents(), |both| both.1),
                ms(one.quantile(0.5)),
                ms(one.quantile(0.95)),
                TableCell::text(
                    one.reason
                        .as_ref()
                        .map(|(reason, _)| reason.as_str())
                        .unwrap_or_default(),
                ),
            ]
        });
        self.blocks.push(PageBlock::Table(TableBlock {
            title: "Providers".to_owned(),
            lead: "Usual is what the 28 days before brought.".to_owned(),
            head: vec![
                ("provider", false),
                ("relay", false),
                ("attempts", true),
                ("deferred", true),
                ("usually", true),
                ("bounced", true),
                ("usually", true),
                ("half within", true),
                ("95 % within", true),
                ("most frequent reason", false),
            ],
            rows: rows.collect(),
            empty: "No attempts in this time.",
        }));
        Ok(())
    }
}

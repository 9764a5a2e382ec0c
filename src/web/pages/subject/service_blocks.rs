//! What is told of a service alone: outcomes, reasons, routes, and how blind its volume is.

use super::details::Details;
use crate::analysis::blindness::shortest_outages;
use crate::analysis::routes::routes;
use crate::model::direction::DirectionView;
use crate::model::human;
use crate::model::time::{DAY_MS, End, MINUTE_MS, rfc3339};
use crate::query::rates::bucket_ms;
use crate::query::{Window, named};
use crate::store::columnar::{Table, Values};
use crate::web::answers::{Asker, end_of_time};
use crate::web::links::Links;
use crate::web::pages::blocks::{PageBlock, rows_of};
use crate::web::zone::PageZone;
use anyhow::{Result, anyhow};
use std::sync::Arc;

impl Details {
    /// The time that tables are about: whole minutes, so that those of one minute are the same for all pages.
    pub(super) fn minutes(&self) -> Window {
        Window {
            since_ms: self.window.since_ms.floor_to(MINUTE_MS),
            until_ms: self.window.until_ms.saturating_add(MINUTE_MS - 1).floor_to(MINUTE_MS),
        }
    }

    /// Rows of a named query, of all services.
    fn named(&self, asker: &Asker<'_>, name: &str, more: &[(&str, &str)], end: End) -> Result<Arc<Table>> {
        let window = self.minutes();
        asker.shared((name, window), || {
            let query = named::find(name).map_err(|why| anyhow!(why))?;
            let given: Vec<(String, String)> =
                [("since", rfc3339(window.since_ms)), ("until", rfc3339(window.until_ms))]
                    .into_iter()
                    .map(|(name, text)| (name.to_owned(), text))
                    .chain(more.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
                    .collect();
            let values = query.values(&given, end).map_err(|why| anyhow!(why))?;
            Ok(asker.store().named(&query, &values, window)?)
        })
    }

    /// What the pages of all services are cut from, for whoever opens one.
    pub(super) fn learn(&mut self, asker: &Asker<'_>, zone: &PageZone, links: &Links) -> Result<()> {
        let end = end_of_time(asker)?;
        self.outcomes(asker, ("", zone), end)?;
        self.routes(asker, &|_| false, links)?;
        self.reasons(asker, ("", zone), end)?;
        self.blindness(asker, "")
    }

    /// What became of its mail, how long it took, and what its application says.
    pub(super) fn outcomes(&mut self, asker: &Asker<'_>, (name, zone): (&str, &PageZone), end: End) -> Result<()> {
        let outcomes = self.named(asker, "outcome_per_service", &[], end)?;
        let mut table = rows_of(
            (&outcomes, zone),
            &is_named(&outcomes, name),
            &[
                ("accepted", "accepted"),
                ("delivered", "delivered"),
                ("deferred", "deferred"),
                ("bounced", "bounced"),
                ("expired", "expired"),
                ("rejected", "rejected"),
                ("frozen", "frozen"),
            ],
        );
        table.title = "What became of it".to_owned();
        table.lead = "Recipients by outcome; accepted are messages.".to_owned();
        table.empty = "No mail in this time.";
        self.blocks.push(PageBlock::Table(table));
        let bucket = format!("{}m", bucket_ms(self.window) / MINUTE_MS);
        let sides = self.named(asker, "tried_accepted_delivered", &[("bucket", &bucket)], end)?;
        let sum = |column: &str| summed(&sides, column, &is_named(&sides, name));
        if sum("submitted") + sum("submit_failed") > 0 {
            let facts = [
                ("its application tried", sum("tried")),
                ("could not hand in", sum("submit_failed")),
                ("relays accepted", sum("accepted")),
                ("recipients outside got it", sum("delivered")),
            ];
            self.blocks.push(PageBlock::Facts(
                facts.map(|(word, count)| (word, human::count(count))).into(),
            ));
        }
        let latency = self.named(asker, "latency", &[], end)?;
        let mut table = rows_of(
            (&latency, zone),
            &is_named(&latency, name),
            &[
                ("delivered", "delivered"),
                ("queue_p50_ms", "in the queue: half within"),
                ("queue_p95_ms", "95 % within"),
                ("queue_p99_ms", "99 % within"),
                ("delivery_p95_ms", "delivery: 95 % within"),
            ],
        );
        table.title = "How long it took".to_owned();
        table.empty = "Nothing was delivered in this time.";
        self.blocks.push(PageBlock::Table(table));
        Ok(())
    }

    /// Why it was put off or refused.
    pub(super) fn reasons(&mut self, asker: &Asker<'_>, (name, zone): (&str, &PageZone), end: End) -> Result<()> {
        for (query, title, empty) in [
            ("deferral_reasons", "Why it was deferred", "Nothing was deferred."),
            ("bounce_reasons", "Why it bounced", "Nothing bounced."),
        ] {
            let found = self.named(asker, query, &[("limit", "5000")], end)?;
            let columns = [
                ("reason", "reason"),
                ("smtp_code", "code"),
                ("remote_host", "next hop"),
                ("attempts", "attempts"),
                ("recipients", "recipients"),
            ];
            let mut table = rows_of((&found, zone), &is_named(&found, name), &columns);
            table.rows.truncate(20);
            table.title = title.to_owned();
            table.empty = empty;
            self.blocks.push(PageBlock::Table(table));
        }
        Ok(())
    }

    pub(super) fn routes(&mut self, asker: &Asker<'_>, wants: &dyn Fn(&str) -> bool, links: &Links) -> Result<()> {
        let window = self.minutes();
        let all = asker.shared(("routes", window), || {
            Ok(routes(asker.store(), window, DirectionView::default())?)
        })?;
        for route in all.iter().filter(|route| wants(&route.service)) {
            if let [(only, _)] = route.last_hops.as_slice() {
                self.lead.push(format!(
                    "All of its mail leaves through {only}: a single point of failure."
                ));
            }
        }
        let found: Vec<_> = all.iter().filter(|route| wants(&route.service)).cloned().collect();
        self.blocks.push(PageBlock::Table(crate::web::pages::routes::table(
            "Routes", &found, links,
        )));
        Ok(())
    }

    /// How blind the volume is.
    pub(super) fn blindness(&mut self, asker: &Asker<'_>, name: &str) -> Result<()> {
        let minutes = self.minutes();
        let weeks = Window {
            since_ms: minutes.until_ms - 28 * DAY_MS,
            ..minutes
        };
        let budget = asker.config.detect.false_alarms_per_service_per_90_days;
        let all = asker.shared(("blindness", weeks), || {
            let by = ("service", DirectionView::default());
            Ok(shortest_outages(asker.store(), weeks, by, budget)?)
        })?;
        let said = match all.get(name) {
            Some(minutes) => format!(
                "The shortest full outage that its volume can show lasts {}. Its own log (submit_failed) and the relay's \
                 silence show shorter ones; a schedule of its mails would, too.",
                human::duration(minutes * MINUTE_MS)
            ),
            None => {
                "Its volume is too small or too young to show an outage: the log of its application would.".to_owned()
            }
        };
        self.blocks.push(PageBlock::List("How blind we are", vec![said]));
        Ok(())
    }
}

/// Rows of a table that are about a service.
fn is_named<'t>(table: &'t Table, name: &'t str) -> impl Fn(usize) -> bool + use<'t> {
    let column = table
        .columns
        .iter()
        .position(|column| column.name == "service")
        .unwrap_or(0);
    move |row| table.text(column, row) == name
}

fn summed(table: &Table, column: &str, wants: &dyn Fn(usize) -> bool) -> i64 {
    let values = table
        .columns
        .iter()
        .find(|own| own.name == column)
        .map(|own| &own.values);
    match values {
        Some(Values::Int(all)) => (0..all.len())
            .filter(|row| wants(*row))
            .filter_map(|row| all[row])
            .sum(),
        _ => 0,
    }
}

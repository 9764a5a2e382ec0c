//! How blind a volume is: for each service or hostgroup, the shortest full outage that its mail can show.

use crate::detect::blindness::{dispersion, shortest_outage_d};
use crate::model::direction::DirectionView;
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::query::history::MailHistory;
use crate::query::{QueryError, SumsOf, Window};
use crate::store::columnar::{Table, Values};
use std::collections::BTreeMap;

/// What is known of one volume: mails, and sums of counts and squares of each hour of the day.
#[derive(Debug, Clone, Default)]
struct Hours {
    mails: f64,
    hours: Vec<(f64, f64)>,
}

/// Minutes of the shortest outage that shows, by name. `by` is `service` or `hostgroup`, `budget` the false alarms in 90 days.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn shortest_outages(
    store: &dyn MailHistory,
    window: Window,
    (by, direction): (&str, DirectionView),
    budget: f64,
) -> Result<BTreeMap<String, i64>, QueryError> {
    let Some((first, last)) = store.span(window.until_ms)? else {
        return Ok(BTreeMap::new());
    };
    // A server knows only the minutes of the first and the last event.
    let (begin, end) = (first.minute().start(), (last.minute() + 1).start());
    let seen = window.until_ms.min(end) - window.since_ms.max(begin);
    let days = seen as f64 / DAY_MS as f64;
    if days < 1.0 {
        return Ok(BTreeMap::new());
    }
    let sql = format!(
        "SELECT name, hour % {DAY_MS} AS of_day, SUM(m) AS mails, SUM(CAST(m AS DOUBLE) * CAST(m AS DOUBLE)) AS squares
         FROM (SELECT {by} AS name, ts_ms - ts_ms % {HOUR_MS} AS hour, SUM(messages) AS m
               FROM rates WHERE kind = 'accepted' AND first_hop AND {direction}
               GROUP BY {by}, ts_ms - ts_ms % {HOUR_MS}) AS hours
         GROUP BY name, hour % {DAY_MS}",
        direction = direction.condition()
    );
    let by_hour = SumsOf::Rates { step_ms: Some(HOUR_MS) };
    let all = gathered(&store.add_up(&sql, window, by_hour)?);
    let outages = all.into_iter().filter_map(|(name, of)| {
        let noise = dispersion(of.hours.into_iter(), days.floor());
        let outage = shortest_outage_d(of.mails / days, noise, budget)?;
        Some((name, (outage * (DAY_MS / MINUTE_MS) as f64).ceil() as i64))
    });
    Ok(outages.collect())
}

fn gathered(table: &Table) -> BTreeMap<String, Hours> {
    let mut all: BTreeMap<String, Hours> = BTreeMap::new();
    let column = |name: &str| {
        table
            .columns
            .iter()
            .find(|column| column.name == name)
            .map(|column| &column.values)
    };
    let (Some(Values::Text(names)), Some(Values::Int(mails)), Some(Values::Float(squares))) =
        (column("name"), column("mails"), column("squares"))
    else {
        return all;
    };
    for ((name, mails), squares) in names.iter().zip(mails).zip(squares) {
        let (mails, squares) = (mails.unwrap_or(0) as f64, squares.unwrap_or(0.0));
        let of = all.entry(name.clone().unwrap_or_default()).or_default();
        of.mails += mails;
        of.hours.push((mails, squares));
    }
    all
}

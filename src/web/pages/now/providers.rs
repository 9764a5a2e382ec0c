//! What providers do with our mail.

use super::boards::row_id;
use super::choice::{Choice, ROWS_SHOWN};
use crate::analysis::board::RowState;
use crate::analysis::providers::Attempts;
use crate::detect::alarm::Scope;
use crate::model::human;
use crate::web::html::short;
use crate::web::links::Links;
use crate::web::overview::{Overview, ProviderSum};
use crate::web::pages::marks::StateMark;

pub(super) struct ProviderLine {
    pub(super) id: String,
    pub(super) mark: StateMark,
    pub(super) name: String,
    pub(super) link: String,
    pub(super) attempts: String,
    pub(super) deferred: String,
    pub(super) usual_deferred: String,
    pub(super) bounced: String,
    pub(super) usual_bounced: String,
    pub(super) reason: String,
}

pub(super) fn provider_lines(overview: &Overview, links: &Links, choice: &Choice) -> Vec<ProviderLine> {
    let names = &overview.judgement.names;
    let firing = overview.judgement.firing();
    let mut rows: Vec<(&String, &ProviderSum)> = overview.providers.iter().collect();
    rows.retain(|(name, _)| name.to_lowercase().contains(&choice.q.to_lowercase()));
    rows.sort_by_key(|(name, sum)| (-sum.attempts.all, *name));
    let percent = |attempts: Attempts, pick: fn((f64, f64)) -> f64| {
        attempts
            .percents()
            .map_or_else(|| "not known".to_owned(), |both| format!("{:.1} %", pick(both)))
    };
    let line = |(name, sum): (&String, &ProviderSum)| {
        let alarm = firing
            .iter()
            .find(|alarm| matches!(alarm.scope, Scope::Provider(id) if names.provider(id) == name));
        ProviderLine {
            id: row_id("provider", name),
            mark: alarm.map_or_else(
                || StateMark::of_row(&RowState::Ok),
                |alarm| StateMark::of_alarm(alarm.state, alarm.provisional),
            ),
            link: links.to("provider", &[("name", name)]),
            name: short(name),
            attempts: human::count(sum.attempts.all),
            deferred: percent(sum.attempts, |both| both.0),
            usual_deferred: percent(sum.usual, |both| both.0),
            bounced: percent(sum.attempts, |both| both.1),
            usual_bounced: percent(sum.usual, |both| both.1),
            reason: match &sum.reason {
                Some((reason, times)) => format!("{reason} ({} times)", human::count(*times)),
                None => String::new(),
            },
        }
    };
    let is_wanted = |line: &ProviderLine| choice.state != "alarm" || line.mark.class != "ok";
    rows.into_iter().map(line).filter(is_wanted).take(ROWS_SHOWN).collect()
}

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
    rows.retain(|(name, _)| is_found(name, choice));
    rows.sort_by_key(|(name, sum)| (-sum.attempts.all, *name));
    let line = |(name, sum): (&String, &ProviderSum)| {
        let alarm = firing
            .iter()
            .find(|alarm| matches!(alarm.scope, Scope::Provider(id) if names.provider(id) == name));
        let told = sum.since.map(|(onset, attempts)| {
            let since = links.zone().clock_near(onset.start(), overview.end_ms);
            (attempts, format!(" since {since}"))
        });
        let (attempts, since) = told.unwrap_or((sum.attempts, String::new()));
        ProviderLine {
            id: row_id("provider", name),
            mark: alarm.map_or_else(
                || StateMark::of_row(&RowState::Ok),
                |alarm| StateMark::of_alarm(alarm.state, alarm.provisional),
            ),
            link: links.to("provider", &[("name", name)]),
            name: short(name),
            attempts: format!("{}{since}", human::count(attempts.all)),
            deferred: percent(attempts, |both| both.0),
            usual_deferred: percent(sum.usual, |both| both.0),
            bounced: percent(attempts, |both| both.1),
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

fn is_found(name: &str, choice: &Choice) -> bool {
    name.to_lowercase().contains(&choice.q.to_lowercase())
}

fn percent(attempts: Attempts, pick: fn((f64, f64)) -> f64) -> String {
    attempts
        .percents()
        .map_or_else(|| "not known".to_owned(), |both| format!("{:.1} %", pick(both)))
}

/// All providers together: whether it is one of them, or the way out.
pub(super) struct ProviderTotal {
    pub(super) attempts: String,
    pub(super) deferred: String,
    pub(super) usual_deferred: String,
    pub(super) bounced: String,
    pub(super) usual_bounced: String,
}

/// The sums of the last day; none of fewer than two providers, and where only some are shown for their state.
pub(super) fn provider_total(overview: &Overview, choice: &Choice) -> Option<ProviderTotal> {
    let found = overview.providers.iter().filter(|(name, _)| is_found(name, choice));
    let sums: Vec<&ProviderSum> = found.map(|(_, sum)| sum).collect();
    if !(2..=ROWS_SHOWN).contains(&sums.len()) || choice.state == "alarm" {
        return None;
    }
    let add = |of: fn(&ProviderSum) -> Attempts| sums.iter().fold(Attempts::default(), |all, sum| all.plus(of(sum)));
    let (all, usual) = (add(|sum| sum.attempts), add(|sum| sum.usual));
    Some(ProviderTotal {
        attempts: human::count(all.all),
        deferred: percent(all, |both| both.0),
        usual_deferred: percent(usual, |both| both.0),
        bounced: percent(all, |both| both.1),
        usual_bounced: percent(usual, |both| both.1),
    })
}

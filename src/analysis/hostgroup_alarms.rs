//! A hostgroup whose services stopped has stopped with them. The detection raises the smallest alarm that explains what is missing,
//! which is the service's, or its relay's: no alarm has the name of the hostgroup.

use super::judgement::DetectionState;
use crate::detect::alarm::{Alarm, Scope};
use crate::model::direction::DirectionView;
use crate::query::history::MailHistory;
use crate::query::{QueryError, SumsOf, Window};
use std::collections::BTreeMap;

/// From this share on, a part is as good as the whole.
const WHOLE: f64 = 0.95;

/// Accepted mails by hostgroup and service.
type HostgroupMail = BTreeMap<String, BTreeMap<String, f64>>;

/// The alarm that explains each hostgroup whose mail comes from services in alarms that send nowhere else.
///
/// # Errors
/// The history cannot be read.
pub(super) fn explained<'j>(
    store: &dyn MailHistory,
    judgement: &'j DetectionState,
    window: Window,
) -> Result<BTreeMap<String, &'j Alarm>, QueryError> {
    let firing = judgement.firing().into_iter();
    let alarms: Vec<(&Alarm, Vec<&str>)> = firing
        .filter(|alarm| alarm.state.is_about_mail())
        .map(|alarm| (alarm, concerned(judgement, alarm)))
        .filter(|(_, services)| !services.is_empty())
        .collect();
    if alarms.is_empty() {
        return Ok(BTreeMap::new());
    }
    let parts = parts(store, window)?;
    let services: Vec<&[&str]> = alarms.iter().map(|(_, services)| services.as_slice()).collect();
    let found = main_causes(&parts, &services).into_iter();
    Ok(found
        .filter_map(|(group, cause)| Some((group, alarms.get(cause)?.0)))
        .collect())
}

/// Services that an alarm is about.
fn concerned<'j>(judgement: &'j DetectionState, alarm: &Alarm) -> Vec<&'j str> {
    let own = match alarm.scope {
        Scope::Service(id) => Some(id),
        _ => None,
    };
    let members = alarm.members.iter().map(|member| member.service);
    own.into_iter()
        .chain(members)
        .map(|id| judgement.names.service(id))
        .collect()
}

fn parts(store: &dyn MailHistory, window: Window) -> Result<HostgroupMail, QueryError> {
    let sql = format!(
        "SELECT hostgroup, service, SUM(messages) AS messages FROM rates WHERE kind = 'accepted' AND {} GROUP BY hostgroup, service",
        DirectionView::default().condition()
    );
    let table = store.add_up(&sql, window, SumsOf::Rates { step_ms: None })?;
    let mut parts = HostgroupMail::new();
    for row in 0..table.rows() {
        let messages = table.number(2, row).unwrap_or(0) as f64;
        let group = parts.entry(table.text(0, row).to_owned()).or_default();
        *group.entry(table.text(1, row).to_owned()).or_default() += messages;
    }
    Ok(parts)
}

/// Of each hostgroup that alarms explain, the place of the one that explains most of it.
fn main_causes(parts: &HostgroupMail, alarms: &[&[&str]]) -> BTreeMap<String, usize> {
    let mut sent: BTreeMap<&str, f64> = BTreeMap::new();
    for (service, messages) in parts.values().flatten() {
        *sent.entry(service).or_default() += messages;
    }
    let mut causes = BTreeMap::new();
    for (group, services) in parts {
        let mut explained = vec![0.0; alarms.len()];
        for (service, messages) in services {
            // What a service sends from elsewhere, too, may have stopped there.
            let hangs_on_it = *messages >= WHOLE * sent.get(service.as_str()).copied().unwrap_or(0.0);
            let cause = alarms.iter().position(|names| names.contains(&service.as_str()));
            if let Some(sum) = cause.filter(|_| hangs_on_it).and_then(|cause| explained.get_mut(cause)) {
                *sum += messages;
            }
        }
        let all: f64 = services.values().sum();
        let largest = explained.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        if let Some((cause, _)) = largest
            && all > 0.0
            && explained.iter().sum::<f64>() >= WHOLE * all
        {
            causes.insert(group.clone(), cause);
        }
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts_of(rows: &[(&str, &str, f64)]) -> HostgroupMail {
        let mut parts = HostgroupMail::new();
        for (group, service, messages) in rows {
            let group = parts.entry((*group).to_owned()).or_default();
            group.insert((*service).to_owned(), *messages);
        }
        parts
    }

    #[test]
    fn a_hostgroup_has_the_alarm_of_services_that_are_all_of_its_mail() {
        let parts = parts_of(&[
            ("phab", "phabricator", 900.0),
            ("phab", "cron", 10.0),
            ("misc", "gerrit", 500.0),
            ("misc", "hue", 400.0),
            ("web", "sentry", 50.0),
            ("web", "wiki", 50.0),
            ("idle", "nothing", 0.0),
        ]);
        let causes = main_causes(&parts, &[&["phabricator"], &["hue"], &["gerrit", "sentry"]]);
        let named: Vec<(&str, usize)> = causes.iter().map(|(group, cause)| (group.as_str(), *cause)).collect();
        assert_eq!(named, [("misc", 2), ("phab", 0)], "half of web's mail goes on");
    }

    #[test]
    fn a_service_of_two_hostgroups_says_nothing_of_either() {
        let parts = parts_of(&[("east", "shop", 60.0), ("west", "shop", 40.0)]);
        assert_eq!(main_causes(&parts, &[&["shop"]]), BTreeMap::new());
    }
}

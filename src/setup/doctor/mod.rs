//! What is wrong with an installation, from the configuration to the channels of alarms: one finding a fault, each with what
//! to do next.
//!
//! It looks and changes nothing. Areas come in the order in which a fault of one causes faults of the next; what is likely
//! to follow from another finding (a log that is stale because nobody may read it) comes behind all others.

mod alarms;
mod configuration;
mod finding;
mod logs;
mod service_user;
mod sources;
mod store;

pub(crate) use finding::{DoctorOptions, Examination, FaultArea, Finding, NextStep};

use super::Setup;
use super::plan::{Plan, UnnamedArgs, plan};
use crate::source::Limits;

/// Looks at all of it.
pub(crate) fn examine(setup: &Setup, options: &DoctorOptions) -> Examination {
    let mut found = Examination::default();
    let Some(config) = configuration::load(setup, &mut found.findings) else {
        return found;
    };
    let limits = Limits::default();
    let plan = match plan(&config, &[], &UnnamedArgs::default(), &limits) {
        Ok(plan) => plan,
        Err(error) => {
            let next = NextStep::Command("check".to_owned());
            found
                .findings
                .push(Finding::new(FaultArea::Configuration, "configuration", error, next));
            Plan::default()
        }
    };
    found.channels = config.alerts.len();
    let user = service_user::ServiceUser::of(options.user.as_deref());
    found.findings.extend(configuration::of(setup, &config, &plan, &limits));
    found.findings.extend(logs::of(&plan, user.as_ref()));
    store::look(setup, &config, user.as_ref(), options, &mut found.findings);
    sources::look(setup, &config, &plan, options, &mut found);
    alarms::look(&config, options.now_ms, &mut found);
    order(&mut found.findings);
    found
}

/// Findings that explain why nothing new comes in, whatever else is found.
const CAUSES: [&str; 9] = [
    "folder_missing",
    "no_file_matches",
    "log_unreadable",
    "kind_mismatch",
    "zone_wrong",
    "store_locked",
    "store_unwritable",
    "disk_nearly_full",
    "outbox_full",
];
/// What follows from them.
const EFFECTS: [&str; 6] = [
    "tail_not_running",
    "tail_behind",
    "store_missing",
    "stale",
    "unparsed",
    "watch_behind",
];

/// Causes first, each in the order of its area; among equals, as they were found.
fn order(findings: &mut [Finding]) {
    let is_explained = findings.iter().any(|finding| CAUSES.contains(&finding.id));
    let is_effect = |finding: &Finding| is_explained && EFFECTS.contains(&finding.id);
    findings.sort_by_key(|finding| (is_effect(finding), finding.area));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_come_before_what_follows_from_them() {
        let finding = |area, id| Finding::new(area, id, "", NextStep::Words(String::new()));
        let mut findings = [
            finding(FaultArea::Channels, "channel_failing"),
            finding(FaultArea::Freshness, "stale"),
            finding(FaultArea::Store, "disk_nearly_full"),
        ];
        order(&mut findings);
        assert_eq!(
            findings.each_ref().map(|one| one.id),
            ["disk_nearly_full", "channel_failing", "stale"]
        );
        let mut findings = [
            finding(FaultArea::Channels, "channel_failing"),
            finding(FaultArea::Freshness, "stale"),
        ];
        order(&mut findings);
        assert_eq!(findings.each_ref().map(|one| one.id), ["stale", "channel_failing"]);
    }
}

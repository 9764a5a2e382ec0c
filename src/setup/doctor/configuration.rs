//! The configuration: is it there, right, and does what it names fit?

use super::finding::{FaultArea, Finding, NextStep};
use crate::config::{Config, DEFAULT_PATH};
use crate::setup::Setup;
use crate::setup::check::{WarningTopic, problems};
use crate::setup::plan::Plan;
use crate::source::Limits;

/// The configuration; none where there is nothing to go on with, and why.
pub(super) fn load(setup: &Setup, findings: &mut Vec<Finding>) -> Option<Config> {
    let area = FaultArea::Configuration;
    if setup.config_path().is_none() && setup.store.is_none() {
        findings.push(Finding::new(
            area,
            "no_configuration",
            format!("there is no configuration: {DEFAULT_PATH} does not exist"),
            NextStep::Command(format!("init {DEFAULT_PATH}")),
        ));
        return None;
    }
    if let Some(Err(errors)) = setup.config_path().map(|path| Config::load(&path)) {
        let found = errors.iter().map(|error| {
            let next = NextStep::Words(format!("correct {}, then `mailpulse check`", error.file.display()));
            Finding::new(area, "configuration", error, next)
        });
        findings.extend(found);
        return None;
    }
    match setup.config() {
        Ok(config) => Some(config),
        Err(error) => {
            let next = NextStep::Words("correct the option".to_owned());
            findings.push(Finding::new(area, "configuration", format!("{error:#}"), next));
            None
        }
    }
}

/// What `check` finds, as far as it keeps mail from being read, judged, or told.
pub(super) fn of(setup: &Setup, config: &Config, plan: &Plan, limits: &Limits) -> Vec<Finding> {
    let found = problems(setup, config, plan, limits);
    let check = || NextStep::Command("check".to_owned());
    let error = |what: &String| Finding::new(FaultArea::Configuration, "configuration", what, check());
    let mut findings: Vec<Finding> = found.errors.iter().map(error).collect();
    for warning in &found.warnings {
        let (area, id, next) = match warning.topic {
            WarningTopic::Text => (FaultArea::Configuration, "configuration", check()),
            WarningTopic::ClosedFolder => (
                FaultArea::Permissions,
                "folder_closed",
                NextStep::Words(
                    "run it as root, to see what the service's user may read; or join the group of this folder (often adm)"
                        .to_owned(),
                ),
            ),
            WarningTopic::Folder => (FaultArea::Permissions, "folder_missing", correct("paths")),
            WarningTopic::Paths => (FaultArea::Permissions, "no_file_matches", correct("paths")),
            WarningTopic::Kind => (FaultArea::Parsing, "kind_mismatch", correct("kind")),
            WarningTopic::Zone => (FaultArea::Clocks, "zone_wrong", correct("timezone")),
            WarningTopic::Ours => (
                FaultArea::Configuration,
                "no_ours",
                NextStep::Command("services discover".to_owned()),
            ),
            // `logs` tells it, for the user of the daemons too.
            WarningTopic::RefusedLog => continue,
            // How many relays a service has, and a key that the first run makes, keep nothing from working.
            WarningTopic::Redundancy | WarningTopic::NamedFile => continue,
        };
        findings.push(Finding::new(area, id, &warning.words, next));
    }
    findings
}

fn correct(key: &str) -> NextStep {
    NextStep::Words(format!("correct `{key}` of this [[source]], then `mailpulse check`"))
}

//! The end of the demo: what the detection would have said, and what the night cost each service.

use crate::analysis::incident::{Asked, judge, report};
use crate::cli::incident::html;
use crate::cli::output;
use crate::clock::now_ms;
use crate::model::time::UtcMs;
use crate::query::Window;
use crate::setup::Setup;
use crate::setup::detection::{Overrides, kept, options};
use crate::simulate::Truth;
use crate::store::Store;
use anyhow::{Context as _, Result};
use std::path::Path;

/// Detection and impact of the night, from the logs alone; the truth is asked only for the window.
pub(super) fn print(setup: &Setup, store: &Store, truth: &Truth, dir: &Path) -> Result<()> {
    let window = Window {
        since_ms: UtcMs::new(truth.stopped * 1000),
        until_ms: UtcMs::new(truth.restarted * 1000),
    };
    let config = setup.config()?;
    let options = options(&config, &Overrides::default());
    let incident = judge(store, &kept(&config), options.clone(), Asked::Window(window), now_ms())?;
    let alarms = incident.alarms.len();
    match incident.first_alarm() {
        Some(at) => {
            let after = (at.first_second().get() - truth.stopped) / 60;
            output::line(&format!(
                "   first alarm after {after} minutes; alarms in all: {alarms}"
            ))?;
        }
        None => output::line("   no alarm")?,
    }
    for said in report::summary(&incident).split_inclusive(". ") {
        output::line(&format!("   {}", said.trim_end()))?;
    }
    output::line(&format!(
        "\n   {:<24}{:<10}{:>10}{:>8}{:>9}{:>8}{:>8}",
        "service", "impact", "expected", "came", "missing", "late", "failed"
    ))?;
    for [service, word, expected, came, missing, late, failed] in report::rows(&incident) {
        output::line(&format!(
            "   {service:<24}{word:<10}{expected:>10}{came:>8}{missing:>9}{late:>8}{failed:>8}"
        ))?;
    }
    for (name, text) in [
        ("incident.md", report::markdown(&incident)),
        ("incident.html", html::html(&incident, store, &kept(&config), options)?),
    ] {
        let path = dir.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        output::line(&format!("   {}", path.display()))?;
    }
    Ok(())
}

//! What `watch` left, for `status`.

use crate::alert::state::AlertState;
use crate::cli::output;
use crate::config::Config;
use crate::setup::alerts::alert_state;
use anyhow::Result;

/// The state of alarms; what is wrong with its file is said.
pub(super) fn alerts_said(config: &Config) -> Result<AlertState> {
    let (alerts, broken) = alert_state(config)?;
    if let Some(what) = broken {
        output::talk(&what);
    }
    Ok(alerts)
}

//! One run over the logs of a plan: what the store had lost first, then what it does not know.

use super::catalogue_copies::copy_catalogue;
use crate::config::Config;
use crate::ingest::report::SourceReport;
use crate::ingest::{self, Progress, Reread, RunLimits, cover};
use crate::setup::Setup;
use crate::setup::plan::Plan;
use crate::store::Store;
use anyhow::Result;

/// What a run did.
#[derive(Debug)]
pub(crate) struct Backfilled {
    /// The store, open.
    pub store: Store,
    /// Rows that were missing, and were read again.
    pub reread: Reread,
    /// What was read, by source.
    pub reports: Vec<SourceReport>,
}

/// Reads the logs of a plan into the store. With `anyway`, logs that it has under another host too.
///
/// # Errors
/// The store cannot be opened or written.
pub(crate) fn read(
    setup: &Setup,
    mut config: Config,
    plan: &Plan,
    anyway: bool,
    progress: &dyn Progress,
) -> Result<Backfilled> {
    let limits = RunLimits {
        anyway,
        ..setup.limits(&config)
    };
    let store = setup.create_store(&config)?;
    let mut attribution = setup.attribution_for(&mut config, &store)?;
    cover(&mut attribution, &plan.jobs, &store)?;
    let reread = ingest::reread(&store, &attribution, &plan.jobs, &limits, progress)?;
    let reports = ingest::run(&store, &attribution, &plan.jobs, &limits, progress)?;
    crate::store::linker::link_hops(&store)?;
    copy_catalogue(&store);
    Ok(Backfilled { store, reread, reports })
}

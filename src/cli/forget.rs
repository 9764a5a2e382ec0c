//! `mailpulse store forget`: takes a source's rows back, so that its logs are read again. What cannot be read again is told
//! first, and needs `--force`.

use super::output;
use crate::clock::now_ms;
use crate::ingest::logs_there;
use crate::model::log_kinds::LogKind;
use crate::model::time::{End, rfc3339};
use crate::setup::Setup;
use crate::setup::plan::{UnnamedArgs, plan};
use crate::source::Limits;
use crate::store::Store;
use crate::store::catalogue::SourceState;
use crate::store::maintenance::forget::{self, Forgetting};
use anyhow::{Result, anyhow, bail};
use rustc_hash::FxHashSet;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `store forget`.
#[derive(Debug, clap::Args)]
pub(super) struct ForgetArgs {
    /// The source: KIND@HOST as in `status`, or the path of one of its logs
    #[arg(long, value_name = "KIND@HOST|PATH")]
    source: String,
    /// Remove only rows from this time on: 2018-06-06T18:00Z, -24h (always before now)
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    since: Option<String>,
    /// Files, folders, or globs of its logs, if neither the configuration nor the store names them
    #[arg(long, value_name = "PATHS", num_args = 1..)]
    logs: Vec<PathBuf>,
    /// Also remove rows whose logs are gone; they are lost
    #[arg(long)]
    force: bool,
}

/// Forgets.
pub(super) fn run(setup: &Setup, args: &ForgetArgs) -> Result<ExitCode> {
    let config = setup.config()?;
    // What is taken back is never more than the clock says: the end of an old store may be all of it.
    let end = End::clock(now_ms());
    let since = args.since.as_deref().map(|text| end.parse(text));
    let since_ms = since.transpose().map_err(|why| anyhow!("--since: {why}"))?;
    let store = setup.create_store(&config)?;
    let source = find(&store, &args.source)?;
    let there = there(setup, &store, &source, args)?;
    let what = forget::look(&store, source.id, since_ms, there)?;
    tell(&source, &what)?;
    if what.rows == 0 && what.lines_gone == 0 && source.logs.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    if store.outbox().ships() && what.missing > 0 {
        bail!(
            "{} events of this source are missing here, but the server has them. Read them again first (`mailpulse \
             backfill`), so that they can be removed there",
            what.missing
        );
    }
    if what.lines_gone > 0 && !args.force {
        bail!(
            "{} lines cannot be read again, because {} logs are gone: nothing was forgotten. Name the folder of these \
             logs (--logs), or use --force to lose their contents",
            what.lines_gone,
            what.logs_gone
        );
    }
    forget::forget(&store, &what)?;
    output::line("forgotten; the next `mailpulse backfill` or `tail` reads these logs again, from their start")?;
    Ok(ExitCode::SUCCESS)
}

fn tell(source: &SourceState, what: &Forgetting) -> Result<()> {
    let span = what
        .span_ms
        .map(|(from, to)| format!(" from {} to {}", rfc3339(from), rfc3339(to)))
        .unwrap_or_default();
    output::line(&format!(
        "{}@{}: {} events{span} are to be taken back; {} logs are there to be read again, {} with {} lines are gone",
        source.kind,
        source.host,
        what.rows,
        what.there.len(),
        what.logs_gone,
        what.lines_gone
    ))?;
    Ok(())
}

/// The source that is meant.
fn find(store: &Store, name: &str) -> Result<SourceState> {
    let path = std::path::absolute(name).unwrap_or_else(|_| PathBuf::from(name));
    let sources = store.positions().sources()?;
    let known: Vec<String> = sources.iter().map(|one| format!("{}@{}", one.kind, one.host)).collect();
    let is_meant = |source: &SourceState| {
        let logs = source.logs.iter().map(|log| log.path.as_slice());
        format!("{}@{}", source.kind, source.host) == name
            || logs
                .clone()
                .any(|log| log == path.as_os_str().as_bytes() || log == name.as_bytes())
    };
    let mut meant = sources.into_iter().filter(is_meant);
    match (meant.next(), meant.next()) {
        (Some(source), None) => Ok(source),
        (Some(_), Some(_)) => bail!("--source: several sources had logs there; name one as KIND@HOST"),
        (None, _) => bail!("--source: no such source; there are {}", known.join(", ")),
    }
}

/// Logs of the source that are there: where the configuration says, where they were last seen, and beside that.
fn there(setup: &Setup, store: &Store, source: &SourceState, args: &ForgetArgs) -> Result<FxHashSet<u64>> {
    let config = setup.config()?;
    let limits = setup.limits(&config);
    let mut there = FxHashSet::default();
    let mut paths: Vec<PathBuf> = args.logs.clone();
    for log in &source.logs {
        let path = Path::new(std::ffi::OsStr::from_bytes(&log.path));
        paths.extend(path.exists().then(|| path.to_owned()));
        paths.extend(siblings(path));
    }
    paths.sort_unstable();
    paths.dedup();
    // Journals are named by the configuration alone.
    for paths in [&paths[..], &[]] {
        if paths.is_empty() && config.sources.is_empty() {
            continue;
        }
        let unnamed = UnnamedArgs {
            host: Some(&source.host),
            kind: Some(source.kind.as_str()).filter(|kind| LogKind::named(kind).is_some()),
            ..UnnamedArgs::default()
        };
        let limits_of_files: &Limits = &limits.source;
        let plan = plan(&config, paths, &unnamed, limits_of_files)?;
        for job in plan
            .jobs
            .iter()
            .filter(|job| job.host == source.host && job.kind == source.kind)
        {
            there.extend(logs_there(store, job, &limits)?);
        }
    }
    Ok(there)
}

/// What a rotation made of a log: files beside it whose names begin as its does.
fn siblings(path: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let stem = name.split('.').next().unwrap_or(name);
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(stem)));
    named.map(|entry| entry.path()).filter(|path| path.is_file()).collect()
}

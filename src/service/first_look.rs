//! A first look at the logs that `init` finds: whose mail is it? The newest part of each MTA's log is read into a store of
//! its own, which is removed afterwards. Nothing else is written, and no log is touched.

use super::backfill;
use crate::analysis::clients::{OursProposal, proposals};
use crate::config::DiscoveredLog;
use crate::ingest::Progress;
use crate::query::Window;
use crate::setup::Setup;
use crate::setup::plan::{UnnamedArgs, plan};
use anyhow::{Context as _, Result};
use std::fs::{self, DirBuilder, File};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Bytes that are read of each log, the newest.
pub(crate) const LOOK_BYTES: u64 = 16 << 20;

/// MTAs, whose logs say who hands mail in.
const MTAS: [&str; 2] = ["exim", "postfix"];

/// A folder that goes with its owner.
struct ScratchFolder(PathBuf);

impl ScratchFolder {
    /// A new one, closed to others.
    fn create() -> std::io::Result<Self> {
        let name = format!("mailpulse-init-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // What is there already, a link too, is somebody else's.
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(ScratchFolder(path))
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        if let Err(why) = fs::remove_dir_all(&self.0) {
            tracing::warn!("{}: {why}", self.0.display());
        }
    }
}

/// Nobody waits for it.
struct Silent;

impl Progress for Silent {
    fn content(&self, _: u64) {}

    fn file(&self, _: u64) {}
}

/// Networks of clients that are ours by proof, from the newest part of the logs that were found below a root.
///
/// # Errors
/// There is no room for a copy of it, or it cannot be read.
pub(crate) fn ours(root: &Path, logs: &[DiscoveredLog]) -> Result<Vec<OursProposal>> {
    let scratch = ScratchFolder::create().context("a temporary folder")?;
    let mut text = "[store]\nurl = \"store\"\n".to_owned();
    for log in logs.iter().filter(|log| MTAS.contains(&log.kind)) {
        let Some(newest) = newest(root, log) else { continue };
        let copy = scratch.0.join(log.kind);
        copy_end(&newest, &copy).with_context(|| newest.display().to_string())?;
        let zone = toml::Value::from(log.timezone.as_deref().unwrap_or("UTC"));
        text += &format!(
            "[[source]]\nkind = \"{0}\"\npaths = [\"{0}\"]\ntimezone = {zone}\n",
            log.kind
        );
    }
    if !text.contains("[[source]]") {
        return Ok(Vec::new());
    }
    let file = scratch.0.join("mailpulse.toml");
    fs::write(&file, text).with_context(|| file.display().to_string())?;
    let setup = Setup {
        config: Some(file),
        ..Setup::default()
    };
    let config = setup.config()?;
    let plan = plan(&config, &[], &UnnamedArgs::default(), &setup.limits(&config).source)?;
    let read = backfill::read(&setup, config, &plan, false, &Silent)?;
    Ok(proposals(&read.store, Window::ALL)?)
}

/// The log's newest file that is not packed.
fn newest(root: &Path, log: &DiscoveredLog) -> Option<PathBuf> {
    let root = glob::Pattern::escape(&root.to_string_lossy());
    let files = log.paths.iter().filter_map(|path| {
        let below = format!("{}{path}", root.trim_end_matches('/'));
        glob::glob(&below).ok()
    });
    let is_packed = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        ["gz", "xz", "bz2", "zst"].contains(&ending)
    };
    let files = files.flatten().filter_map(Result::ok).filter(|path| !is_packed(path));
    let dated = files.filter_map(|path| {
        let metadata = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        Some((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), path))
    });
    dated.max().map(|(_, path)| path)
}

/// Copies the last [`LOOK_BYTES`] of a file from the next line on. The copy has its time, by which lines without a year are
/// dated.
fn copy_end(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut file = File::open(from)?;
    let metadata = file.metadata()?;
    let skipped = metadata.len().saturating_sub(LOOK_BYTES);
    file.seek(SeekFrom::Start(skipped))?;
    let mut input = BufReader::new(file).take(LOOK_BYTES);
    if skipped > 0 {
        input.skip_until(b'\n')?;
    }
    let mut copy = File::create(to)?;
    std::io::copy(&mut input, &mut copy)?;
    copy.set_modified(metadata.modified()?)
}

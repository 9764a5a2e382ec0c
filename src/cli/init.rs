//! `mailpulse init`: what mail software is on this machine, as a commented configuration.

use super::output;
use super::services::discover::ours_words;
use crate::config::propose;
use crate::model::text::safe_error;
use crate::service::first_look;
use crate::setup::Setup;
use anyhow::{Context as _, Error, Result, anyhow};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
pub(super) struct InitArgs {
    /// File to write; `-` prints it
    #[arg(default_value = "mailpulse.toml")]
    file: PathBuf,
    /// Overwrite the file
    #[arg(long)]
    force: bool,
    /// Look below this folder instead of /
    #[arg(long, default_value = "/", hide = true)]
    root: PathBuf,
}

/// Writes.
pub(super) fn run(_setup: &Setup, args: &InitArgs) -> Result<ExitCode> {
    let mut proposal = propose(
        &args.root,
        std::env::var("TZ").ok().as_deref(),
        crate::setup::zones::now(),
    );
    if args.file != Path::new("-") && !args.force && args.file.exists() {
        return Err(is_there(&args.file));
    }
    match first_look::ours(&args.root, &proposal.findings) {
        Ok(ours) if ours.is_empty() => {}
        Ok(ours) => {
            let (why, line) = ours_words(&ours);
            proposal = proposal.with_networks(&why, &line);
            output::talk(
                "networks of clients that are probably yours are proposed in [ours]: look at them, and remove the `#`",
            );
        }
        // A proposal without them is one as well.
        Err(why) => output::talk(&format!("the logs were not looked at for [ours]: {}", safe_error(&why))),
    }
    if args.file == Path::new("-") {
        output::verbatim(proposal.text.trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    make_folder_of(&args.file)?;
    let mut options = std::fs::File::options();
    options
        .write(true)
        .create(true)
        .truncate(args.force)
        .create_new(!args.force);
    let mut file = match options.open(&args.file) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(is_there(&args.file));
        }
        other => other.with_context(|| args.file.display().to_string())?,
    };
    file.write_all(proposal.text.as_bytes())
        .with_context(|| args.file.display().to_string())?;
    output::line(&format!(
        "{} written; next: mailpulse --config {0} check",
        args.file.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The folder that a configuration is to lie in: systemd makes /etc/mailpulse, and only when a unit starts. Folders above it
/// are not made, because a name that is mistyped is one of these.
fn make_folder_of(file: &Path) -> Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.map(|folder| (folder, std::fs::create_dir(folder))) {
        Some((folder, Err(error))) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(error).with_context(|| folder.display().to_string())
        }
        _ => Ok(()),
    }
}

fn is_there(file: &Path) -> Error {
    anyhow!(
        "{}: exists already; --force overwrites it, and `mailpulse init -` prints the configuration",
        file.display()
    )
}

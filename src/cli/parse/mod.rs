//! `mailpulse parse`: what a line says, or where and why it does not parse; with `--explain`, who gets it.

mod app;
mod exim;
mod explain;
mod fields;
mod lines;
mod postfix;
mod reasons;
mod unwrap;

use super::output;
use crate::clock::now_ms;
use crate::config::{Config, HostOf, Source as ConfiguredSource, this_host};
use crate::ingest::spec::{Grammar, Spec};
use crate::model::log_kinds::{KIND_NAMES, LogKind};
use crate::model::time::UtcMs;
use crate::normalise::attribution::Attribution;
use crate::normalise::redact::LocalParts;
use crate::setup::Setup;
use crate::setup::plan::spec;
use crate::source::{Chunks, Content, Limits, Pool};
use anyhow::{Context as _, Result, anyhow, bail};
use jiff::tz::TimeZone;
use lines::{LineOutput, LineSource};
use mailpulse_parsers::sniff;
use reasons::ReasonCounts;
use std::io::{BufRead, BufReader, Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use unwrap::Unwrapped;

/// Arguments of `parse`.
#[derive(Debug, clap::Args)]
pub(super) struct ParseArgs {
    /// Log or archive; `-` is standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Kind of log [default: that of the configured source that FILE belongs to, otherwise detected from the content]
    #[arg(long, value_name = "KIND", value_parser = KIND_NAMES)]
    source: Option<String>,
    /// Show which service rules and hostgroups match, and mark what does not parse
    #[arg(long)]
    explain: bool,
    /// Show how often each reason of failures is given, and the shapes of replies that are not known
    #[arg(long, conflicts_with = "explain")]
    reasons: bool,
}

/// A longer line of standard input is cut, as it is in files.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// What tells the kind of standard input.
const SAMPLE_BYTES: usize = 64 << 10;

/// Parses.
pub(super) fn run(setup: &Setup, args: &ParseArgs) -> Result<ExitCode> {
    let limits = Limits::default();
    let mut input = BufReader::with_capacity(SAMPLE_BYTES, std::io::stdin());
    let from_file = args.file != Path::new("-");
    let config = setup.config()?;
    let mut configured = configured(&config, args, from_file)?;
    let grammar = match (&configured, &args.source) {
        (Some(source), _) => spec(source).grammar,
        (None, Some(kind)) => Grammar::named(kind).ok_or_else(|| undescribed(kind, from_file))?,
        (None, None) if from_file => Grammar::sniffed(&args.file, &limits),
        (None, None) => {
            let sample = input.fill_buf().context("standard input")?;
            let kind = sniff::sniff(sample).and_then(LogKind::of_look);
            kind.and_then(|kind| Grammar::named(kind.name)).unwrap_or(Grammar::Exim)
        }
    };
    let host = configured.map_or_else(this_host, |source| match &source.host {
        HostOf::This | HostOf::Lines => this_host(),
        HostOf::Named(name) => name.clone(),
        HostOf::Path => source.host_in(&args.file).unwrap_or_else(this_host),
    });
    let spec = match configured.take() {
        Some(source) => Spec {
            grammar,
            ..spec(source)
        },
        None => Spec::of(grammar, TimeZone::UTC),
    };
    let source = LineSource {
        spec,
        host,
        mtime_ms: if from_file { mtime_ms(&args.file) } else { now_ms() },
        attribution: match args.explain {
            true => Some(attribution(setup, config)?),
            false => None,
        },
    };
    let mut out = output::writer();
    let mut lines = LineOutput {
        out: &mut out,
        told: 0,
        reasons: args.reasons.then(ReasonCounts::default),
    };
    let mut open = app::OpenRecordLines::default();
    let sample = if from_file {
        crate::source::sample(&args.file, SAMPLE_BYTES >> 10, &limits)
            .map_or_else(|_| Vec::new(), |sample| sample.bytes)
    } else {
        input.fill_buf().context("standard input")?.to_vec()
    };
    let mut unwrapped = Unwrapped::of(&source, &sample);
    let mut each = |line: &[u8]| match &source.spec.grammar {
        Grammar::Exim => exim::line(&source, &mut unwrapped, &mut lines, line),
        Grammar::Postfix => postfix::line(&source, &mut unwrapped, &mut lines, line),
        Grammar::App(format) => open.line(&source, format, &mut lines, line),
    };
    if from_file {
        file(&args.file, &mut each)?;
    } else {
        stdin(&mut input, &mut each)?;
    }
    if let Grammar::App(format) = &source.spec.grammar {
        open.finish(&source, format, &mut lines)?;
    }
    if let Some(reasons) = lines.reasons.take() {
        reasons.tell(&mut out)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The source of the configuration that says how to read: the one that the file belongs to, unless another kind is
/// asked for; of a kind that needs a description, the only one there is.
fn configured<'c>(config: &'c Config, args: &ParseArgs, from_file: bool) -> Result<Option<&'c ConfiguredSource>> {
    let asked = |source: &&ConfiguredSource| args.source.as_deref().is_none_or(|kind| kind == source.kind.name());
    let owner = config.source_of(&args.file).filter(|_| from_file).filter(asked);
    if owner.is_some() || !matches!(args.source.as_deref(), Some("json" | "pattern")) {
        return Ok(owner);
    }
    let mut described = config.sources.iter().filter(asked);
    match (described.next(), described.next()) {
        (Some(only), None) => Ok(Some(only)),
        _ => Err(undescribed(args.source.as_deref().unwrap_or_default(), from_file)),
    }
}

fn undescribed(kind: &str, from_file: bool) -> anyhow::Error {
    let which = if from_file {
        "no [[source]] of this kind names the file"
    } else {
        "standard input belongs to no [[source]]"
    };
    anyhow!(
        "only a [[source]] in the configuration can describe a log of kind {kind}, and {which}; name a file that \
         matches the `paths` of one, and its configuration with --config"
    )
}

fn attribution(setup: &Setup, config: Config) -> Result<Attribution> {
    // Nothing is stored, so no key is needed.
    let local_parts = match config.privacy.local_parts {
        LocalParts::Hash => LocalParts::Drop,
        other => other,
    };
    let mut keyless = Config {
        privacy: crate::config::Privacy {
            local_parts,
            ..config.privacy
        },
        ..config
    };
    setup.attribution(&mut keyless)
}

/// When a file was written last; the present if nobody knows.
fn mtime_ms(path: &Path) -> UtcMs {
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let since = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since
        .and_then(|time| i64::try_from(time.as_millis()).ok())
        .map_or_else(now_ms, UtcMs::new)
}

fn stdin(input: &mut impl BufRead, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if input
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .context("standard input")?
            == 0
        {
            return Ok(());
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else {
            input.skip_until(b'\n').context("standard input")?;
        }
        each(&line)?;
    }
}

fn file(path: &Path, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let limits = Limits::default();
    let content = Content::open(path, &limits)?;
    let mut chunks = Chunks::new(content, &limits, &Pool::new(&limits, 2));
    chunks.flush_partial(true);
    while let Some(chunk) = chunks.next_chunk()? {
        for (_, line) in chunk.lines() {
            each(line)?;
        }
    }
    if chunks.content().at() == 0 {
        bail!("{}: empty", path.display());
    }
    Ok(())
}

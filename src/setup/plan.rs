//! Which logs belong to whom: the configured sources and the paths of a command, as jobs of an ingest run.

use crate::config::{Config, FROM_LOG, HostOf, NAME_HINT, Source, SourceKind, is_name, parse_timezone, this_host};
use crate::ingest::spec::{Grammar, Spec};
use crate::ingest::{Job, LineHosts};
use crate::source::journal::JournalSource;
use crate::source::scan::scan;
use crate::source::{Family, Found, Limits, SourceError};
use anyhow::{Result, anyhow, bail};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which logs are read, and what is wrong with the paths.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Jobs, one a host.
    pub jobs: Vec<Job>,
    /// Problems, safe to go on.
    pub problems: Vec<PlanProblem>,
}

/// What is wrong with a path.
#[derive(Debug, Clone)]
pub(crate) struct PlanProblem {
    /// The path, or the pattern.
    pub path: PathBuf,
    /// What is wrong and what to do, for people.
    pub words: String,
    /// It is there, and this user may not read it.
    pub is_refused: bool,
}

impl PlanProblem {
    fn of(error: &SourceError) -> Self {
        let is_denied = |error: &std::io::Error| error.kind() == ErrorKind::PermissionDenied;
        PlanProblem {
            path: error.path().to_owned(),
            words: error.to_string(),
            is_refused: matches!(error, SourceError::Unreadable { error, .. } if is_denied(error)),
        }
    }
}

impl Plan {
    /// Files that are there, and that this user may not read.
    pub(crate) fn refused(&self) -> impl Iterator<Item = &PathBuf> {
        let refused = self.problems.iter().filter(|problem| problem.is_refused);
        refused.map(|problem| &problem.path)
    }

    /// All files, in the order of reading.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Found> {
        let families = self.jobs.iter().flat_map(|job| &job.families);
        families.flat_map(|(_, family)| &family.files)
    }
}

/// The logs at `paths`, or all configured ones, by host. A file that a configured source matches takes its host
/// and zone; any other takes those of `args`.
pub(crate) fn plan(config: &Config, paths: &[PathBuf], args: &UnnamedArgs<'_>, limits: &Limits) -> Result<Plan> {
    let unnamed = Unnamed::of(args, limits)?;
    let all = paths.is_empty();
    let paths: Vec<PathBuf> = if all {
        config
            .sources
            .iter()
            .flat_map(|source| &source.paths)
            .map(|glob| PathBuf::from(glob.as_str()))
            .collect()
    } else {
        paths.to_vec()
    };
    let found = scan(&paths, limits);
    let mut plan = Plan::default();
    plan.problems.extend(found.errors.iter().map(PlanProblem::of));
    let mut jobs = Jobs::new();
    for family in found.families {
        for (host, spec, family) in split(config, family, &unnamed) {
            job(&mut jobs, host, spec.kind).families.push((spec, family));
        }
    }
    let journals = config.sources.iter().filter(|_| all);
    for (source, part) in journals.filter_map(|source| source.journal.as_ref().map(|part| (source, part))) {
        let host = match &source.host {
            HostOf::Named(name) => name.clone(),
            HostOf::This | HostOf::Path | HostOf::Lines => this_host(),
        };
        let mut spec = spec(source);
        if matches!(source.host, HostOf::Lines) {
            spec.line_hosts = Some(line_hosts(config, true));
        }
        let spec = Arc::new(spec);
        let journal = JournalSource {
            directory: part.directory.clone(),
            units: part.units.clone(),
            identifiers: part.identifiers.clone(),
        };
        job(&mut jobs, host, spec.kind).journals.push((spec, journal));
    }
    plan.jobs = jobs.into_values().collect();
    Ok(plan)
}

/// Jobs by host and kind.
type Jobs = BTreeMap<(String, &'static str), Job>;

/// The job of a host and kind; made when it is new.
fn job<'j>(jobs: &'j mut Jobs, host: String, kind: &'static str) -> &'j mut Job {
    jobs.entry((host.clone(), kind)).or_insert_with(|| Job {
        host,
        kind,
        families: Vec::new(),
        journals: Vec::new(),
    })
}

/// What the command line says of files that no source names.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct UnnamedArgs<'a> {
    /// Whose they are; default: this host's.
    pub host: Option<&'a str>,
    /// Zone of their clock; default UTC.
    pub zone: Option<&'a str>,
    /// Kind; default by their content.
    pub kind: Option<&'a str>,
    /// Service of an application.
    pub service: Option<&'a str>,
    /// Year of stamps without one.
    pub year: Option<i16>,
}

/// What holds for files that no source names.
struct Unnamed<'p> {
    host: String,
    /// Whether their lines' hosts are always taken, or only where a log has several; none where a host is named.
    from_log: Option<bool>,
    zone: TimeZone,
    /// Grammar, if it is not told by the content.
    grammar: Option<Grammar>,
    service: Option<String>,
    year: Option<i16>,
    limits: &'p Limits,
}

impl<'p> Unnamed<'p> {
    fn of(args: &UnnamedArgs<'_>, limits: &'p Limits) -> Result<Self> {
        let zone = match args.zone {
            Some(text) => parse_timezone(text).map_err(|why| anyhow!("--timezone: {why}"))?,
            None => TimeZone::UTC,
        };
        let described = |kind| {
            Grammar::named(kind).ok_or_else(|| {
                anyhow!(
                    "--kind {kind}: only a [[source]] in the configuration can describe a log of this kind; add one \
                     that names the file"
                )
            })
        };
        let grammar = args.kind.map(described).transpose()?;
        if args.service.is_some_and(|name| !is_name(name)) {
            bail!("--service: this is not a valid name of a service; {NAME_HINT}");
        }
        if args.service.is_some() && matches!(grammar, Some(Grammar::Exim | Grammar::Postfix)) {
            bail!("--service: the log of an MTA contains the mail of many services; write a [[service]] rule");
        }
        Ok(Unnamed {
            host: args
                .host
                .filter(|host| *host != FROM_LOG)
                .map_or_else(this_host, str::to_owned),
            from_log: match args.host {
                None => Some(false),
                Some(host) => (host == FROM_LOG).then_some(true),
            },
            zone,
            grammar,
            service: args.service.map(str::to_owned),
            year: args.year,
            limits,
        })
    }

    fn spec(&self, path: &Path) -> Spec {
        let grammar = self
            .grammar
            .clone()
            .unwrap_or_else(|| Grammar::sniffed(path, self.limits));
        // A relay's log among those of an application has no one service.
        let service = self.service.clone().filter(|_| matches!(grammar, Grammar::App(_)));
        Spec {
            year: self.year,
            service,
            ..Spec::of(grammar, self.zone.clone())
        }
    }
}

/// A family's files by owner: a glob over a central log tree finds many hosts' files.
fn split(config: &Config, family: Family, unnamed: &Unnamed<'_>) -> Vec<(String, Arc<Spec>, Family)> {
    let mut parts: Vec<(String, Arc<Spec>, Family)> = Vec::new();
    for file in family.files {
        let (host, spec) = owner(config, &file, unnamed);
        match parts
            .iter_mut()
            .find(|(known, s, _)| *known == host && s.same_reading(&spec))
        {
            Some((_, _, part)) => part.files.push(file),
            None => parts.push((
                host,
                spec,
                Family {
                    stem: family.stem.clone(),
                    files: vec![file],
                },
            )),
        }
    }
    parts
}

fn owner(config: &Config, file: &Found, unnamed: &Unnamed<'_>) -> (String, Arc<Spec>) {
    let Some(source) = config.source_of(&file.path) else {
        let mut spec = unnamed.spec(&file.path);
        spec.line_hosts = unnamed.from_log.map(|always| line_hosts(config, always));
        return (unnamed.host.clone(), Arc::new(spec));
    };
    let owner = match &source.host {
        HostOf::This | HostOf::Lines => this_host(),
        HostOf::Named(name) => name.clone(),
        HostOf::Path => source.host_in(&file.path).unwrap_or_else(|| unnamed.host.clone()),
    };
    let mut spec = spec(source);
    spec.line_hosts = match &source.host {
        HostOf::This => Some(line_hosts(config, false)),
        HostOf::Lines => Some(line_hosts(config, true)),
        HostOf::Named(_) | HostOf::Path => None,
    };
    (owner, Arc::new(spec))
}

/// How hosts in lines are understood.
fn line_hosts(config: &Config, always: bool) -> Arc<LineHosts> {
    Arc::new(LineHosts {
        always,
        aliases: config.host_aliases.clone(),
        max: config.store.hosts_max,
    })
}

/// How a source's logs are read.
pub(crate) fn spec(source: &Source) -> Spec {
    let grammar = match &source.kind {
        SourceKind::Exim => Grammar::Exim,
        SourceKind::Postfix => Grammar::Postfix,
        SourceKind::App(format) => Grammar::App(format.clone()),
    };
    Spec {
        year: source.year,
        service: source.service.clone(),
        relay: source.relay.clone(),
        tags: source.tags(),
        ..Spec::of(grammar, source.timezone.clone())
    }
}

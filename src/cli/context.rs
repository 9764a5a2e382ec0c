//! What commands share: the configuration, the store, and the plan of which logs belong to whom.

use crate::alert::state::FILE;
use crate::config::{
    Config, ConfigError, DEFAULT_PATH, HostOf, NAME_CURE, Source, SourceKind, is_name, load_or_create_key,
    parse_timezone, this_host,
};
use crate::ingest::kinds::{Spec, USUAL_SERVICES, Way};
use crate::ingest::{Job, RunLimits};
use crate::normalise::attribution::Attribution;
use crate::normalise::redact::{LocalParts, Redactor};
use crate::query::history::Engine;
use crate::query::human;
use crate::source::journal::Journal;
use crate::source::scan::scan;
use crate::source::{Family, Found, Limits};
use crate::store::clickhouse::{Authorities, Client, Options as ClickHouseOptions, Place};
use crate::store::incomplete::Incomplete;
use crate::store::{Error as StoreError, Store};
use anyhow::{Context as _, Result, anyhow, bail};
use jiff::tz::TimeZone;
use mailpulse_parsers::reject::safe_text;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The global arguments.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--store`.
    pub store: Option<String>,
    /// What answers lack, told at the end.
    pub incomplete: Incomplete,
}

/// Which logs are read, and what is wrong with the paths.
#[derive(Debug, Default)]
pub struct Plan {
    /// Jobs, one a host.
    pub jobs: Vec<Job>,
    /// Problems, safe to go on.
    pub problems: Vec<String>,
}

impl Plan {
    /// All files, in the order of reading.
    pub fn files(&self) -> impl Iterator<Item = &Found> {
        let families = self.jobs.iter().flat_map(|job| &job.families);
        families.flat_map(|(_, family)| &family.files)
    }
}

impl Context {
    /// The configuration; empty when none is named and none is installed. All its errors in one.
    pub fn config(&self) -> Result<Config> {
        let mut config = match self.config_path() {
            Some(path) => Config::load(&path).map_err(|errors| anyhow!(listed(&errors)))?,
            None => Config::empty(),
        };
        if let Some(url) = self.store.as_ref().filter(|url| Place::is_meant(url)) {
            let place = Place::parse(url).map_err(|(what, cure)| anyhow!("--store: {what}; {cure}"))?;
            config.store.remote = Some(place);
        } else if let Some(url) = &self.store {
            config.store.remote = None;
            let base = std::env::current_dir().context("the current folder")?;
            let folder = crate::config::Store::folder_of(url, &base);
            config.store.folder = folder.map_err(|(what, cure)| anyhow!("--store: {what}; {cure}"))?;
        }
        Ok(config)
    }

    /// Logs what a command works with; what is wrong with it is told by the command itself.
    pub fn describe(&self) {
        let Ok(config) = self.config() else { return };
        match config.files.as_slice() {
            [] => tracing::info!("no configuration: defaults"),
            files => {
                let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
                tracing::info!("configuration: {}", files.join(", "));
            }
        }
        tracing::info!("{}", config_words(&config));
        for warning in config.warnings.iter().chain(&config.faults) {
            tracing::info!("{}", warning);
        }
        match &config.store.remote {
            Some(place) => tracing::info!("store: {place}"),
            None => tracing::info!("store: {}", config.store.folder.display()),
        }
    }

    /// The file that the configuration is read from.
    pub fn config_path(&self) -> Option<PathBuf> {
        self.config
            .clone()
            // One that this user may not look at is there: reading it says so, and answers of another store do not.
            .or_else(|| Some(PathBuf::from(DEFAULT_PATH)).filter(|path| path.try_exists().unwrap_or(true)))
    }

    /// The embedded store, for reading.
    pub fn open_store(&self) -> Result<Store> {
        let config = self.config()?;
        embedded(&config)?;
        let mut store = Store::open(&config.store.folder)?;
        store.note_incomplete_in(&self.incomplete);
        Ok(store)
    }

    /// Who answers questions: the embedded store, or the ClickHouse that is named instead of it.
    pub fn engine(&self) -> Result<Engine> {
        let config = self.config()?;
        Ok(match &config.store.remote {
            Some(place) => Engine::ClickHouse(Box::new(Client::new(place, &self.clickhouse_options(&config)?)?)),
            None => {
                let mut store = Store::open(&config.store.folder)?;
                store.note_incomplete_in(&self.incomplete);
                Engine::Embedded(Box::new(store))
            }
        })
    }

    /// A command to type next: with the configuration and the store of this one, quoted for a shell.
    pub fn command(&self, rest: &str) -> String {
        let mut words = vec!["mailpulse".to_owned()];
        if let Some(config) = &self.config {
            words.extend(["--config".to_owned(), quoted(&config.display().to_string())]);
        }
        if let Some(store) = &self.store {
            words.extend(["--store".to_owned(), quoted(store)]);
        }
        words.push(rest.to_owned());
        words.join(" ")
    }

    /// Where `watch` keeps what it told, for every store that it may watch.
    pub fn alerts_path(config: &Config) -> PathBuf {
        let name = match &config.store.remote {
            None => FILE.to_owned(),
            Some(place) => {
                let text = format!("alerts-{}-{}.json", place.host, place.database);
                let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
                text.replace(|c| !is_plain(c), "_")
            }
        };
        config.store.folder.join(name)
    }

    /// The embedded store, for writing: what is committed is posted to its outbox, if it is to be sent on.
    pub fn create_store(&self, config: &Config) -> Result<Store> {
        embedded(config)?;
        let mut store = Store::create_within(&config.store.folder, config.store.lost_found_bytes_max)?;
        store.note_incomplete_in(&self.incomplete);
        if config.store.ship.is_some() {
            store.start_shipping(config.store.outbox_bytes_max)?;
            if store.ship_undecided()? {
                let path = config.store.folder.clone();
                tracing::warn!("{}", StoreError::ShipUndecided { path });
            }
        }
        Ok(store)
    }

    /// How a ClickHouse is talked to: timeouts, the password, and who vouches for it.
    pub fn clickhouse_options(&self, config: &Config) -> Result<ClickHouseOptions> {
        let password = match (
            std::env::var("MAILPULSE_CLICKHOUSE_PASSWORD"),
            &config.clickhouse.password_file,
        ) {
            (Ok(password), _) => password,
            (Err(_), Some(path)) => {
                let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
                text.trim_end_matches(['\n', '\r']).to_owned()
            }
            (Err(_), None) => String::new(),
        };
        Ok(ClickHouseOptions {
            read_timeout: Duration::from_secs(config.clickhouse.read_timeout_s),
            insert_timeout: Duration::from_secs(config.clickhouse.insert_timeout_s),
            password,
            authorities: clickhouse_authorities(config)?,
        })
    }

    /// Bounds of a run, as configured.
    pub fn limits(&self, config: &Config) -> RunLimits {
        RunLimits {
            batch_rows: config.store.segment_rows_max,
            batch_bytes: config.store.segment_bytes_max,
            open_messages: config.store.open_messages_max,
            ..RunLimits::default()
        }
    }

    /// Rules, groups and the redactor for what a store gets, taken out of the configuration. Makes the key on first use:
    /// where the store has rows already, a key that is gone is an error.
    pub fn attribution_for(&self, config: &mut Config, store: &Store) -> Result<Attribution> {
        self.refuse_lost_key(config, store)?;
        let of_logs = services_of_logs(config);
        let attribution = self.attribution(config)?;
        store.settle_privacy(&attribution.redactor)?;
        store.settle_attribution(&attribution, &of_logs)?;
        Ok(attribution)
    }

    /// Where the store has pseudonyms, and the key that they were made with is gone, a new one would match none of them.
    pub fn refuse_lost_key(&self, config: &Config, store: &Store) -> Result<()> {
        let path = config.key_path();
        let is_hashed = matches!(config.privacy.local_parts, LocalParts::Hash);
        if is_hashed && !path.exists() && store.has_rows()? {
            bail!(
                "{}: the key is not there, and the store has rows whose pseudonyms were made with it: a new one would \
                 match none of them. Restore it from a backup. If it is lost for good: `openssl rand -hex 32` writes a new \
                 one (chmod 600); senders and recipients are then others than before",
                path.display()
            );
        }
        Ok(())
    }

    /// Rules, groups and the redactor, taken out of the configuration; makes the key on first use.
    pub fn attribution(&self, config: &mut Config) -> Result<Attribution> {
        let mode = config.privacy.local_parts;
        let path = config.key_path();
        let key = match mode {
            LocalParts::Hash => load_or_create_key(&path).with_context(|| path.display().to_string())?,
            _ => [0; 32],
        };
        Ok(Attribution {
            // Before the rules are taken: unset, it depends on them.
            derive: config.derives(),
            services: std::mem::take(&mut config.services),
            hostgroups: std::mem::take(&mut config.hostgroups),
            services_max: config.store.services_max,
            redactor: Redactor::new(mode, key),
            covered_hosts: Default::default(),
        })
    }

    /// The logs at `paths`, or all configured ones, by host. A file that a configured source matches takes its host
    /// and zone; any other takes those of `args`.
    pub fn plan(&self, config: &Config, paths: &[PathBuf], args: &UnnamedArgs<'_>, limits: &Limits) -> Result<Plan> {
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
        plan.problems.extend(found.errors.iter().map(ToString::to_string));
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
                HostOf::This | HostOf::Path => this_host(),
            };
            let spec = Arc::new(spec(source));
            let journal = Journal {
                directory: part.directory.clone(),
                units: part.units.clone(),
                identifiers: part.identifiers.clone(),
            };
            job(&mut jobs, host, spec.kind).journals.push((spec, journal));
        }
        plan.jobs = jobs.into_values().collect();
        Ok(plan)
    }
}

/// Services that whole logs have, by their sources or their kinds.
pub fn services_of_logs(config: &Config) -> Vec<String> {
    let configured = config.sources.iter().filter_map(|source| source.service.clone());
    // Logs that no source names have them too.
    let usual = USUAL_SERVICES.iter().map(|(_, service)| (*service).to_owned());
    configured.chain(usual).collect()
}

/// What a configuration holds, in a few words.
pub fn config_words(config: &Config) -> String {
    let some = |count: usize, what: &str| human::counted(count as u64, what);
    format!(
        "{}, {}, {}, {}",
        some(config.sources.len(), "source"),
        match config.services.names().len() {
            0 if config.derives() => "services derived from senders".to_owned(),
            rules if rules > 0 && config.derives() =>
                format!("{}, others derived from senders", some(rules, "service")),
            rules => some(rules, "service"),
        },
        some(config.hostgroups.names().len(), "hostgroup"),
        some(config.alerts.len(), "alert channel")
    )
}

/// A word for a shell, harmless in a terminal.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._/:@%+=,".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", safe_text(word.replace('\'', r"'\''").as_bytes())),
    }
}

/// Who vouches for a ClickHouse over TLS, if it is not the machine's authorities.
pub fn clickhouse_authorities(config: &Config) -> Result<Option<Authorities>> {
    let read = |path: &PathBuf| {
        let name = path.display().to_string();
        let pem = std::fs::read(path).with_context(|| name.clone())?;
        Authorities::parse(&pem)
            .map_err(|why| anyhow!("{name}: {why}; `ca_file` of [clickhouse] needs the authority's certificate as PEM"))
    };
    config.clickhouse.ca_file.as_ref().map(read).transpose()
}

/// Commands that work on segments say so where the store is a ClickHouse.
pub fn embedded(config: &Config) -> Result<()> {
    match &config.store.remote {
        None => Ok(()),
        Some(place) => bail!(
            "{place}: this command works on an embedded store; a ClickHouse answers questions, and is written by `store ship` alone. \
             Name a folder with --store"
        ),
    }
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
pub struct UnnamedArgs<'a> {
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
    zone: TimeZone,
    /// Grammar, if it is not told by the content.
    way: Option<Way>,
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
            Way::named(kind).ok_or_else(|| {
                anyhow!(
                    "--kind {kind}: a log of this kind is read as a [[source]] of the configuration describes it; write \
                     one that names the file"
                )
            })
        };
        let way = args.kind.map(described).transpose()?;
        if args.service.is_some_and(|name| !is_name(name)) {
            bail!("--service: this cannot be the name of a service; {NAME_CURE}");
        }
        if args.service.is_some() && matches!(way, Some(Way::Exim | Way::Postfix)) {
            bail!("--service: a log of an MTA carries the mail of many services; write a [[service]] rule");
        }
        Ok(Unnamed {
            host: args.host.map_or_else(this_host, str::to_owned),
            zone,
            way,
            service: args.service.map(str::to_owned),
            year: args.year,
            limits,
        })
    }

    fn spec(&self, path: &Path) -> Spec {
        let way = self.way.clone().unwrap_or_else(|| Way::sniffed(path, self.limits));
        // A relay's log among those of an application has no one service.
        let service = self.service.clone().filter(|_| matches!(way, Way::App(_)));
        Spec {
            year: self.year,
            service,
            ..Spec::of(way, self.zone.clone())
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
        return (unnamed.host.clone(), Arc::new(unnamed.spec(&file.path)));
    };
    let owner = match &source.host {
        HostOf::This => this_host(),
        HostOf::Named(name) => name.clone(),
        HostOf::Path => source.host_in(&file.path).unwrap_or_else(|| unnamed.host.clone()),
    };
    (owner, Arc::new(spec(source)))
}

/// How a source's logs are read.
pub(super) fn spec(source: &Source) -> Spec {
    let way = match &source.kind {
        SourceKind::Exim => Way::Exim,
        SourceKind::Postfix => Way::Postfix,
        SourceKind::App(format) => Way::App(format.clone()),
    };
    Spec {
        year: source.year,
        service: source.service.clone(),
        relay: source.relay.clone(),
        tags: source.tags(),
        ..Spec::of(way, source.timezone.clone())
    }
}

/// All errors of a configuration, a line each.
pub fn listed(errors: &[ConfigError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    format!(
        "{} in the configuration\n{}",
        if errors.len() == 1 { "an error" } else { "errors" },
        lines.join("\n")
    )
}

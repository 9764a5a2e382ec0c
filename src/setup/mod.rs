//! Configuration, store and rules joined, for whatever runs on them.

pub(crate) mod alerts;
pub(crate) mod check;
pub(crate) mod clock;
pub(crate) mod detection;
pub(crate) mod disk;
pub(crate) mod doctor;
pub(crate) mod known_names;
pub(crate) mod limits;
pub(crate) mod machine;
pub(crate) mod overview;
pub(crate) mod plan;
pub(crate) mod planned;
pub(crate) mod redundancy;
pub(crate) mod zones;

use crate::config::{Config, ConfigError, DEFAULT_PATH, HostOf, load_key, load_or_create_key, this_host};
use crate::ingest::RunLimits;
use crate::model::human;
use crate::model::log_kinds::LOG_KINDS;
use crate::normalise::attribution::Attribution;
use crate::normalise::ours::Ours;
use crate::normalise::redact::{LocalParts, Redactor};
use crate::query::history::Backend;
use crate::store::attribution::settle_attribution;
use crate::store::clickhouse::{ClickHouseClient, ClientOptions, Endpoint, ServerAuthorities};
use crate::store::maintenance::settle_privacy;
use crate::store::segments::Incomplete;
use crate::store::{Store, StoreError};
use anyhow::{Context as _, Result, anyhow, bail};
use std::path::PathBuf;
use std::time::Duration;

/// The global arguments.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--store`.
    pub store: Option<String>,
    /// What answers lack, told at the end.
    pub incomplete: Incomplete,
}

impl Setup {
    /// The configuration; empty when none is named and none is installed. All its errors in one.
    pub fn config(&self) -> Result<Config> {
        let mut config = match self.config_path() {
            Some(path) => Config::load(&path).map_err(|errors| anyhow!(listed(&errors)))?,
            None => Config::empty(),
        };
        if let Some(url) = self.store.as_ref().filter(|url| Endpoint::is_meant(url)) {
            let place = Endpoint::parse(url).map_err(|(what, cure)| anyhow!("--store: {what}; {cure}"))?;
            config.store.remote = Some(place);
        } else if let Some(url) = &self.store {
            config.store.remote = None;
            let base = std::env::current_dir().context("the current folder")?;
            let folder = crate::config::StoreConfig::folder_of(url, &base);
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
    pub fn open_store(&self, config: &Config) -> Result<Store> {
        embedded(config)?;
        let mut store = Store::open(&config.store.folder)?;
        store.note_incomplete_in(&self.incomplete);
        Ok(store)
    }

    /// Who answers questions: the embedded store, or the ClickHouse that is named instead of it.
    pub fn engine(&self, config: &Config) -> Result<Backend> {
        Ok(match &config.store.remote {
            Some(place) => Backend::ClickHouse(Box::new(ClickHouseClient::new(
                place,
                &self.clickhouse_options(config)?,
            )?)),
            None => {
                let mut store = Store::open(&config.store.folder)?;
                store.note_incomplete_in(&self.incomplete);
                Backend::Embedded(Box::new(store))
            }
        })
    }

    /// The embedded store, for writing: what is committed is posted to its outbox, if it is to be sent on.
    pub fn create_store(&self, config: &Config) -> Result<Store> {
        embedded(config)?;
        let mut store = Store::create_within(&config.store.folder, config.store.lost_found_bytes_max)?;
        store.note_incomplete_in(&self.incomplete);
        if config.store.ship.is_some() {
            store.start_shipping(config.store.outbox_bytes_max)?;
            if store.outbox().is_undecided()? {
                let path = config.store.folder.clone();
                tracing::warn!("{}", StoreError::ShipUndecided { path });
            }
        }
        Ok(store)
    }

    /// How a ClickHouse is talked to: timeouts, the password, and who vouches for it.
    pub fn clickhouse_options(&self, config: &Config) -> Result<ClientOptions> {
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
        Ok(ClientOptions {
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
        settle_privacy(store, &attribution.redactor)?;
        settle_attribution(store, &attribution, &of_logs)?;
        Ok(attribution)
    }

    /// Where the store has pseudonyms, and the key that they were made with is gone, a new one would match none of them.
    pub fn refuse_lost_key(&self, config: &Config, store: &Store) -> Result<()> {
        let path = config.key_path();
        if config.privacy.hashes_local_parts() && !path.exists() && store.positions().has_rows()? {
            bail!(
                "{}: the key does not exist, and the store has rows whose pseudonyms were made with it. A new key \
                 would match none of them: restore the old one from a backup. If it is lost for good, write a new one \
                 with `openssl rand -hex 32` (chmod 600); the pseudonyms of senders and recipients then differ from \
                 the stored ones",
                path.display()
            );
        }
        Ok(())
    }

    /// What the store's addresses were made with, for looking them up; none where there is no key yet.
    pub fn redactor(&self, config: &Config) -> Result<Option<Redactor>> {
        let (mode, path) = (config.privacy.local_parts, config.key_path());
        let key = match mode {
            LocalParts::Hash if !path.exists() => return Ok(None),
            LocalParts::Hash => load_key(&path).with_context(|| path.display().to_string())?,
            _ => [0; 32],
        };
        Ok(Some(
            Redactor::new(mode, key).keeping_replies(config.privacy.keeps_replies),
        ))
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
            redactor: Redactor::new(mode, key).keeping_replies(config.privacy.keeps_replies),
            covered_hosts: Default::default(),
            ours: ours(config)?,
            providers: config.providers.clone(),
        })
    }
}

/// Who is ours: what the configuration says, the hosts of its sources, and this machine.
pub(crate) fn ours(config: &Config) -> Result<Ours> {
    let mut ours = Ours::compile(&config.ours).map_err(|why| anyhow!("[ours]: {why}"))?;
    for source in &config.sources {
        match &source.host {
            HostOf::Named(host) => ours.add_host(host),
            HostOf::This => ours.add_host(&this_host()),
            // Its jobs, or the store, name them.
            HostOf::Path | HostOf::Lines => {}
        }
    }
    for (alias, host) in &config.host_aliases {
        ours.add_host(alias);
        ours.add_host(host);
    }
    ours.set_machine(machine::this_machine());
    Ok(ours)
}

/// Services that whole logs have, by their sources or their kinds.
pub(crate) fn services_of_logs(config: &Config) -> Vec<String> {
    let configured = config.sources.iter().filter_map(|source| source.service.clone());
    // Logs that no source names have them too.
    let usual = LOG_KINDS
        .iter()
        .filter_map(|kind| kind.usual_service.map(str::to_owned));
    configured.chain(usual).collect()
}

/// What a configuration holds, in a few words.
pub(crate) fn config_words(config: &Config) -> String {
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

/// Who vouches for a ClickHouse over TLS, if it is not the machine's authorities.
pub(crate) fn clickhouse_authorities(config: &Config) -> Result<Option<ServerAuthorities>> {
    let read = |path: &PathBuf| {
        let name = path.display().to_string();
        let pem = std::fs::read(path).with_context(|| name.clone())?;
        ServerAuthorities::parse(&pem)
            .map_err(|why| anyhow!("{name}: {why}; `ca_file` of [clickhouse] needs the authority's certificate as PEM"))
    };
    config.clickhouse.ca_file.as_ref().map(read).transpose()
}

/// Commands that work on segments say so where the store is a ClickHouse.
pub(crate) fn embedded(config: &Config) -> Result<()> {
    match &config.store.remote {
        None => Ok(()),
        Some(place) => bail!(
            "{place}: this command needs an embedded store: a ClickHouse answers queries, and only `store ship` \
             writes to it. Name a folder with --store"
        ),
    }
}

/// All errors of a configuration, a line each.
pub(crate) fn listed(errors: &[ConfigError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    format!(
        "{} in the configuration\n{}",
        if errors.len() == 1 { "an error" } else { "errors" },
        lines.join("\n")
    )
}

//! The configuration as everything else sees it: typed, compiled, complete.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::normalise::ours::OursInput;
use crate::normalise::provider::Providers;
use crate::normalise::redact::LocalParts;
use crate::normalise::rules::{HostGroups, ServiceRules};
use crate::planned::AlertSilence;

use super::alerts::{self, ConfiguredAlert};
use super::attribution;
use super::clickhouse::ClickHouseConfig;
use super::detect::{self, DetectConfig};
use super::errors::ConfigError;
use super::heartbeats::{self, ConfiguredHeartbeat};
use super::host_aliases;
use super::ours;
use super::providers;
use super::raw::{RawConfig, RawLocalParts, RawPrivacy, RawReplies};
use super::redundancy::Redundancy;
use super::report::Report;
use super::schedules;
use super::serve::{self, ServeConfig};
use super::shape::IncompleteTables;
use super::silences;
use super::sources::{self, Source};
use super::store::{self, StoreConfig};
use super::tail::TailConfig;

/// Everything that can be configured.
#[derive(Debug, Default)]
pub struct Config {
    /// The files that it was read from; empty without a configuration.
    pub files: Vec<PathBuf>,
    /// Where events are kept.
    pub store: StoreConfig,
    /// What is kept of addresses.
    pub privacy: Privacy,
    /// Logs, in file order.
    pub sources: Vec<Source>,
    /// How services are known.
    pub services: ServiceRules,
    /// Named sets of hosts.
    pub hostgroups: HostGroups,
    /// Other names and addresses of hosts in small letters, each with the host's name.
    pub host_aliases: BTreeMap<String, String>,
    /// Who runs the receiving sides.
    pub providers: Providers,
    /// Who is ours.
    pub ours: OursInput,
    /// Detection.
    pub detect: DetectConfig,
    /// How many relays services should have.
    pub redundancy: Redundancy,
    /// Following logs.
    pub tail: TailConfig,
    /// Web pages.
    pub serve: ServeConfig,
    /// Where `tail` and `run` show metrics without pages, if they do.
    pub metrics: Option<ServeConfig>,
    /// How a ClickHouse is talked to.
    pub clickhouse: ClickHouseConfig,
    /// Where alarms go.
    pub alerts: Vec<ConfiguredAlert>,
    /// Whom to tell that all is well.
    pub heartbeats: Vec<ConfiguredHeartbeat>,
    /// What is not told, and when.
    pub silences: Vec<AlertSilence>,
    /// What works, and is probably not meant.
    pub warnings: Vec<ConfigError>,
    /// What cannot be meant: `check` refuses it, and a daemon that runs already goes on with the rest.
    pub faults: Vec<ConfigError>,
}

/// What is kept of addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Privacy {
    /// What becomes of the part before the `@`.
    pub local_parts: LocalParts,
    /// Whether the words of replies are kept.
    pub keeps_replies: bool,
    /// The key, if it is to lie outside the store; see [`Config::key_path`].
    pub key_file: Option<PathBuf>,
    /// Where `key_file` stands: `mailpulse.toml:12`.
    pub key_place: String,
}

impl Privacy {
    /// Whether local parts are stored as hashes.
    #[must_use]
    pub fn hashes_local_parts(&self) -> bool {
        self.local_parts == LocalParts::Hash
    }
}

impl Config {
    /// The first source that a file belongs to.
    #[must_use]
    pub fn source_of(&self, path: &Path) -> Option<&Source> {
        self.sources.iter().find(|source| source.matches(path))
    }

    /// Whether mail that no rule names gets a service derived from sender and client.
    #[must_use]
    pub fn derives(&self) -> bool {
        self.store.derive.unwrap_or(self.services.is_empty())
    }

    /// Where the key of the pseudonyms lies: with the data that it belongs to, unless configured.
    #[must_use]
    pub fn key_path(&self) -> PathBuf {
        self.privacy
            .key_file
            .clone()
            .unwrap_or_else(|| self.store.folder.join("key"))
    }
}

/// Checks what no schema can say.
pub(super) fn check(raw: RawConfig, folder: &Path, incomplete: &IncompleteTables, report: &mut Report<'_>) -> Config {
    let mut detect = detect::check(raw.detect, &raw.service, folder, report);
    detect.declared = schedules::check(raw.schedule, &detect.rhythms, report);
    let redundancy = Redundancy::of(&raw.routes, &raw.service, report);
    let hostgroups = attribution::hostgroups(raw.hostgroup, folder, incomplete, report);
    let members = hostgroups.members().map(str::to_owned).collect();
    Config {
        files: Vec::new(),
        detect,
        redundancy,
        store: store::check(&raw.store, folder, report),
        privacy: privacy(raw.privacy, folder, report),
        sources: sources::check(raw.source, folder, incomplete, report),
        services: attribution::services(raw.service, incomplete, report),
        host_aliases: host_aliases::check(raw.host_alias, report),
        providers: providers::check(raw.provider, report),
        ours: OursInput {
            members,
            ..ours::check(raw.ours, report)
        },
        hostgroups,
        tail: TailConfig::of(&raw.tail),
        serve: serve::check(raw.serve, folder, report),
        metrics: serve::check_metrics(raw.metrics, folder, report),
        clickhouse: ClickHouseConfig::check(&raw.clickhouse, &raw.store, folder, report),
        alerts: raw
            .alert
            .into_iter()
            .filter_map(|raw| alerts::check(raw, folder, incomplete, report))
            .collect(),
        heartbeats: raw
            .heartbeat
            .into_iter()
            .filter_map(|raw| heartbeats::check(raw, folder, incomplete, report))
            .collect(),
        silences: raw
            .silence
            .into_iter()
            .filter_map(|raw| silences::check(raw, report))
            .collect(),
        warnings: report.take_warnings(),
        faults: report.take_faults(),
    }
}

fn privacy(raw: RawPrivacy, base: &Path, report: &mut Report<'_>) -> Privacy {
    let local_parts = match raw.local_parts {
        RawLocalParts::Hash => LocalParts::Hash,
        RawLocalParts::Keep => LocalParts::Keep,
        RawLocalParts::Drop => LocalParts::Drop,
    };
    let key_place = raw.key_file.as_ref().map(|path| report.place(&path.at()));
    let key_file = raw.key_file.map(|path| {
        if path.get().trim().is_empty() {
            report.add(
                &path.at(),
                "`key_file` is empty",
                "remove it: a key is then created in the store",
            );
        }
        base.join(path.get())
    });
    Privacy {
        local_parts,
        keeps_replies: matches!(raw.replies, RawReplies::Keep),
        key_file,
        key_place: key_place.unwrap_or_default(),
    }
}

//! Configuration: `mailpulse.toml` and the files of `conf.d/` beside it, checked as a whole.
//!
//! ```text
//! files ─▶ text (one address space) ─▶ merge (one tree) ─▶ shape (keys, types) ─▶ raw (serde) ─▶ checked
//! ```
//!
//! Nothing after start-up sees anything but [`Config`]. Every step reports all that it finds and goes on with the rest,
//! so that one run shows every mistake with its file, line and hint. The structs in `raw`
//! are the only declaration of keys, types and ranges, and `defaults` is that of default values: `shape` checks by the JSON
//! schema that is made of them, and `mailpulse schema` and `docs/configuration.md` show it.

mod alerts;
mod at;
mod attribution;
mod checked;
mod clickhouse;
mod defaults;
mod detect;
mod discover;
mod errors;
mod formats;
mod heartbeats;
mod host_aliases;
mod init;
mod key;
mod log_zone;
mod machine_zone;
mod merge;
mod names;
mod ours;
mod path_glob;
mod path_template;
mod providers;
mod raw;
mod raw_formats;
mod redundancy;
mod report;
mod schedules;
mod schema;
mod serve;
mod shape;
mod silences;
mod sources;
mod store;
mod tail;
mod text;
mod zone;

use std::path::{Path, PathBuf};

pub(crate) use alerts::{Alert, ConfiguredAlert, Server, WithPlace};
pub use checked::{Config, Privacy};
pub(crate) use detect::{DetectConfig, RRULE_HINT, read_holidays};
pub(crate) use discover::{DiscoveredLog, this_host};
pub(crate) use errors::ConfigError;
pub(crate) use heartbeats::ConfiguredHeartbeat;
pub(crate) use init::propose;
pub(crate) use key::{load as load_key, load_or_create_key};
pub(crate) use machine_zone::machine_zone;
pub(crate) use names::{NAME_HINT, is_name};
pub(crate) use redundancy::Redundancy;
pub use schema::json_schema;
pub(crate) use serve::{BasePath, ServeAuth, ServeConfig, ServeFault};
pub(crate) use sources::{FROM_LOG, HostOf, Source, SourceKind};
pub use store::StoreConfig;
pub(crate) use tail::TailConfig;
pub(crate) use zone::parse_timezone;

/// Where the configuration lies when nothing else is said.
pub const DEFAULT_PATH: &str = "/etc/mailpulse/mailpulse.toml";

impl Config {
    /// Reads the file and `conf.d/*.toml` beside it, in the order of their names. Relative paths in any of them start
    /// at the folder of the main file.
    ///
    /// # Errors
    /// All that is wrong, in the order of files and lines.
    pub fn load(path: &Path) -> Result<Self, Vec<ConfigError>> {
        let (texts, errors) = text::ConfigTexts::read(path);
        let mut report = report::Report::new(&texts, errors);
        let tree = merge::parse(&texts, &mut report);
        let (raw, incomplete) = shape::read(tree, &mut report);
        let folder = std::path::absolute(path)
            .ok()
            .and_then(|path| path.parent().map(Path::to_owned));
        let folder = folder.unwrap_or_else(|| PathBuf::from("/"));
        let config = checked::check(raw, &folder, &incomplete, &mut report);
        report.finish(Self {
            files: texts.paths(),
            ..config
        })
    }

    /// The configuration of a machine without one: defaults, no source, no rule.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }
}

#[cfg(test)]
mod tests;

//! Alert channels as configured, and where `watch` keeps what it sent.

use crate::alert::state::{AlertState, FILE};
use crate::alert::{
    AlertChannel, Alertmanager, DeadMansSwitch, Exec, NoticeLinks, Stdout, TrustedAuthorities, Webhook,
};
use crate::config::{Alert, Config, ConfiguredAlert, ConfiguredHeartbeat, DEFAULT_PATH, Server};
use crate::model::shell::quoted;
use crate::setup::Setup;
use anyhow::{Context as _, Result, anyhow, bail};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where `watch` keeps what it told, for every store that it may watch and for each owner.
pub(crate) fn alerts_path(config: &Config) -> PathBuf {
    let place = config.store.remote.as_ref();
    let place = place.map(|place| format!("-{}-{}", place.host, place.database));
    let owner = config.detect.owner.as_ref().map(|owner| format!("-{owner}"));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let text = place.unwrap_or_default() + &owner.unwrap_or_default();
    let stem = FILE.trim_end_matches(".json");
    let name = format!("{stem}{}.json", text.replace(|c| !is_plain(c), "_"));
    config.store.folder.join(name)
}

/// Where `watch` keeps what the detection knows: beside what it told, and under the same lock.
pub(crate) fn kept_path(config: &Config) -> PathBuf {
    let alerts = alerts_path(config);
    let stem = alerts.file_stem().and_then(|stem| stem.to_str()).unwrap_or(FILE);
    alerts.with_file_name(stem.replacen("alerts", "detection", 1))
}

/// What `watch` left, and what is wrong with its file: one that is broken is set aside by the next `watch`, and nothing
/// else need wait for that.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn alert_state(config: &Config) -> Result<(AlertState, Option<String>)> {
    let path = alerts_path(config);
    match AlertState::load(&path) {
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            let what = format!("{}: {error}; `mailpulse watch` moves it aside", path.display());
            Ok((AlertState::default(), Some(what)))
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let hint = crate::store::readers(&path).unwrap_or_default();
            Err(anyhow!("{}: {error}; {hint}", path.display()))
        }
        loaded => Ok((loaded.with_context(|| path.display().to_string())?, None)),
    }
}

/// The channels of the configuration.
///
/// # Errors
/// A key or a certificate cannot be read.
pub(crate) fn channels(setup: &Setup, config: &Config) -> Result<Vec<Box<dyn AlertChannel>>> {
    let channel = |configured: &ConfiguredAlert| -> Result<Box<dyn AlertChannel>> {
        let links = links(setup, config, configured);
        Ok(match &configured.alert {
            Alert::Alertmanager(server) => Box::new(Alertmanager::new(&server.url, links, authorities(server)?)),
            Alert::Webhook(server, format, key) => {
                let webhook = Webhook::new(&server.url, *format, links, authorities(server)?);
                match key {
                    Some(key) => Box::new(webhook.keyed(key_of(&key.value)?)),
                    None => Box::new(webhook),
                }
            }
            Alert::Exec(command) => Box::new(Exec::new(command.value.clone(), links)),
            Alert::Stdout => Box::new(Stdout(links)),
        })
    };
    config.alerts.iter().map(channel).collect()
}

/// Where the notices of a channel lead.
fn links(setup: &Setup, config: &Config, configured: &ConfiguredAlert) -> NoticeLinks {
    let usual = NoticeLinks::default();
    let program = match &setup.config {
        // The operator's own shell finds the usual one by itself.
        Some(path) if path != Path::new(DEFAULT_PATH) => {
            format!(
                "mailpulse --config {}",
                quoted(
                    &std::path::absolute(path)
                        .unwrap_or_else(|_| path.clone())
                        .display()
                        .to_string()
                )
            )
        }
        _ => usual.program,
    };
    NoticeLinks {
        url_base: url_base(config),
        runbook: configured.runbook_url.clone(),
        program,
    }
}

/// Where the pages are, if people can open them.
fn url_base(config: &Config) -> Option<String> {
    let base = config.serve.url_base.as_ref()?;
    Some(format!("{}{}", base.origin, base.path.as_str()))
}

/// The dead man's switches of the configuration.
///
/// # Errors
/// A certificate cannot be read.
pub(crate) fn heartbeats(config: &Config) -> Result<Vec<DeadMansSwitch>> {
    let heartbeat = |configured: &ConfiguredHeartbeat| -> Result<DeadMansSwitch> {
        let server = &configured.server;
        Ok(DeadMansSwitch::new(&server.url, configured.every, authorities(server)?))
    };
    config.heartbeats.iter().map(heartbeat).collect()
}

/// The key that signs a webhook's notices.
pub(crate) fn key_of(path: &Path) -> Result<Vec<u8>> {
    let name = path.display().to_string();
    let key = std::fs::read(path).with_context(|| name.clone())?;
    let key = key.trim_ascii().to_vec();
    if key.is_empty() {
        bail!("{name}: the key is empty");
    }
    Ok(key)
}

/// Who vouches for a server, if it is not the machine's authorities.
pub(crate) fn authorities(server: &Server) -> Result<Option<TrustedAuthorities>> {
    let read = |path: &std::path::PathBuf| {
        let name = path.display().to_string();
        let pem = std::fs::read(path).with_context(|| name.clone())?;
        TrustedAuthorities::parse(&pem)
            .map_err(|why| anyhow!("{name}: {why}; `ca_file` needs the authority's certificate as PEM"))
    };
    server.ca_file.as_ref().map(read).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::clickhouse::Endpoint;

    #[test]
    fn each_store_and_each_owner_has_files_of_its_own() {
        let mut config = Config::default();
        config.store.folder = PathBuf::from("/var/lib/mailpulse");
        let names = |config: &Config| {
            let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
            [name(alerts_path(config)), name(kept_path(config))]
        };
        assert_eq!(names(&config), ["alerts.json", "detection"]);
        config.store.remote = Endpoint::parse("clickhouse://u@ch.example.org:8123/mail").ok();
        assert_eq!(
            names(&config),
            ["alerts-ch.example.org-mail.json", "detection-ch.example.org-mail"]
        );
        config.detect.owner = Some("team".to_owned());
        assert_eq!(
            names(&config),
            [
                "alerts-ch.example.org-mail-team.json",
                "detection-ch.example.org-mail-team"
            ]
        );
    }
}

//! Files and programs that the configuration names: are they there, and of use?
//!
//! Without this, a key that is missing shows itself when `watch` starts, and a program when the first alarm is to go out.

use crate::config::{Alert, Config, WithPlace, load_key};
use crate::setup::alerts::{authorities, key_of};
use crate::setup::{Setup, clickhouse_authorities};
use crate::store::Store;
use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// What is wrong with them.
#[derive(Debug, Default)]
pub(super) struct FileProblems {
    /// What will not work.
    pub(super) errors: Vec<String>,
    /// What may be meant.
    pub(super) warnings: Vec<String>,
}

impl FileProblems {
    fn error(&mut self, place: &str, what: impl std::fmt::Display) {
        self.errors.push(format!("{place}: {what}"));
    }
}

/// Looks at all of them.
pub(super) fn check(setup: &Setup, config: &Config) -> FileProblems {
    let mut found = FileProblems::default();
    if let Err(error) = clickhouse_authorities(config) {
        found.error(&config.clickhouse.ca_place, format!("{error:#}"));
    }
    let is_given = env::var_os("MAILPULSE_CLICKHOUSE_PASSWORD").is_some();
    if let Some(path) = config.clickhouse.password_file.as_ref().filter(|_| !is_given)
        && let Err(error) = File::open(path)
    {
        found.error("[clickhouse] password_file", format!("{}: {error}", path.display()));
    }
    for alert in &config.alerts {
        let alert = &alert.alert;
        if let Alert::Alertmanager(server) | Alert::Webhook(server, ..) = alert
            && let Err(error) = authorities(server)
        {
            found.error(&server.ca_place, format!("{error:#}"));
        }
        match alert {
            Alert::Webhook(_, _, Some(key)) => {
                if let Err(error) = key_of(&key.value) {
                    let cure = "write the secret that the receiver uses into it (`openssl rand -hex 32`), and let the \
                    user of `watch` read it";
                    found.error(&key.place, format!("{error:#}; {cure}"));
                }
            }
            Alert::Exec(command) => program(command, &mut found),
            _ => {}
        }
    }
    for heartbeat in &config.heartbeats {
        if let Err(error) = authorities(&heartbeat.server) {
            found.error(&heartbeat.server.ca_place, format!("{error:#}"));
        }
    }
    pseudonyms(setup, config, &mut found);
    found
}

/// The program of an `exec` channel.
fn program(command: &WithPlace<Vec<String>>, found: &mut FileProblems) {
    let Some(name) = command.value.first() else { return };
    let path = env::var_os("PATH").unwrap_or_default();
    if let Err(why) = runs(name, &path) {
        found.error(&command.place, format!("`{name}` {why}"));
    }
}

/// Whether a program can be started by its name, as the system looks for it in `path`.
fn runs(name: &str, path: &OsStr) -> Result<(), &'static str> {
    let is_file = |file: &Path| file.metadata().ok().filter(|metadata| metadata.is_file());
    let is_program = |file: &Path| is_file(file).is_some_and(|metadata| metadata.permissions().mode() & 0o111 != 0);
    if name.contains('/') {
        return match (is_file(Path::new(name)).is_some(), is_program(Path::new(name))) {
            (_, true) => Ok(()),
            (true, false) => Err("is not executable; run `chmod +x` on it"),
            (false, false) => Err("does not exist; correct the path in `command`, or install it"),
        };
    }
    match env::split_paths(path).any(|folder| is_program(&folder.join(name))) {
        true => Ok(()),
        false => Err("is not a program in PATH; write its full path in `command`, or install it"),
    }
}

/// The key of the pseudonyms. One that is not there is made by the first run, unless rows were made with it.
fn pseudonyms(setup: &Setup, config: &Config, found: &mut FileProblems) {
    let Some(path) = &config.privacy.key_file else { return };
    if !config.privacy.hashes_local_parts() {
        return;
    }
    let place = &config.privacy.key_place;
    match File::open(path) {
        Ok(_) => {
            if let Err(error) = load_key(path) {
                found.error(place, error);
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let store: Option<Store> = setup.open_store(config).ok();
            let has_rows = store.is_some_and(|store| store.positions().has_rows().unwrap_or(false));
            let words = format!("{}: the key file does not exist", path.display());
            match has_rows {
                true => found.error(
                    place,
                    format!("{words}, and the store has rows whose pseudonyms were made with it; restore it"),
                ),
                false => found.warnings.push(format!(
                    "{place}: {words}; the first run creates one. Keep a copy of it: pseudonyms cannot be made again \
                     without it"
                )),
            }
        }
        // Another user may well read it.
        Err(error) => found.warnings.push(format!("{place}: {}: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn programs_are_found_as_the_system_finds_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page");
        fs::write(&path, "#!/bin/sh\n").unwrap();
        let whole = path.to_str().unwrap();
        let search = folder.path().as_os_str();
        assert!(runs(whole, search).unwrap_err().contains("chmod +x"));
        assert!(runs("page", search).unwrap_err().contains("PATH"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!((runs(whole, search), runs("page", search)), (Ok(()), Ok(())));
        assert!(runs("/nowhere/page", search).unwrap_err().contains("does not exist"));
        assert!(
            runs(folder.path().to_str().unwrap(), search).is_err(),
            "a folder is not a program"
        );
        assert!(runs("nosuch", search).is_err());
    }
}

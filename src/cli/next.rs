//! Commands to type next, as answers propose them.

use crate::model::shell::quoted;
use crate::setup::Setup;

/// A command to type next: with the configuration and the store of this one, quoted for a shell.
pub(super) fn next_command(setup: &Setup, rest: &str) -> String {
    let mut words = vec!["mailpulse".to_owned()];
    if let Some(config) = &setup.config {
        words.extend(["--config".to_owned(), quoted(&config.display().to_string())]);
    }
    if let Some(store) = &setup.store {
        words.extend(["--store".to_owned(), quoted(store)]);
    }
    words.push(rest.to_owned());
    words.join(" ")
}

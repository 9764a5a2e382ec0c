//! `[[alert]]`: where alarms go.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::errors::{Report, shown};
use super::raw::{At, RawAlert, RawAlertKind};
use super::shape::Incomplete;

/// Where alarms go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alert {
    /// Prometheus Alertmanager.
    Alertmanager(Server),
    /// An HTTP POST, signed if there is a file with a key.
    Webhook(Server, Option<PathBuf>),
    /// A program with its arguments.
    Exec(Vec<String>),
    /// Lines on standard output.
    Stdout,
}

/// Where a server is, and who vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// URL.
    pub url: String,
    /// PEM file of the authorities that are trusted instead of the machine's.
    pub ca_file: Option<PathBuf>,
    /// Where `ca_file` stands: `mailpulse.toml:12`.
    pub ca_place: String,
}

/// Checks one; `None` if it is of no use.
pub(super) fn check(
    raw: At<RawAlert>,
    folder: &Path,
    incomplete: &Incomplete,
    report: &mut Report<'_>,
) -> Option<Alert> {
    let at = raw.at();
    let complete = !incomplete.contains(&at.start);
    let raw = raw.into_inner();
    let kind = raw.kind?;
    let is_server = matches!(kind.get(), RawAlertKind::Alertmanager | RawAlertKind::Webhook);
    if let Some(path) = raw.ca_file.as_ref().filter(|_| !is_server) {
        report.add(&path.at(), "`ca_file` is for Alertmanagers and webhooks", "remove it");
    }
    let server = |url: String, report: &mut Report<'_>| {
        if let Some(path) = raw.ca_file.as_ref().filter(|_| !url.starts_with("https://")) {
            let cure = "write `https://` in `url`, or remove it";
            report.add(&path.at(), "`ca_file` is of no use without TLS", cure);
        }
        let place = raw.ca_file.as_ref().map(|path| report.place(&path.at()));
        Server {
            url,
            ca_place: place.unwrap_or_default(),
            ca_file: raw.ca_file.as_ref().map(|path| folder.join(path.get())),
        }
    };
    match kind.get() {
        RawAlertKind::Alertmanager => {
            url(raw.url, &at, complete, report).map(|url| Alert::Alertmanager(server(url, report)))
        }
        RawAlertKind::Webhook => {
            let key = raw.key_file.map(|path| folder.join(path.get()));
            url(raw.url, &at, complete, report).map(|url| Alert::Webhook(server(url, report), key))
        }
        RawAlertKind::Stdout => Some(Alert::Stdout),
        RawAlertKind::Exec => {
            let command: Vec<String> = raw
                .command
                .unwrap_or_default()
                .into_iter()
                .map(At::into_inner)
                .collect();
            if command.first().is_none_or(String::is_empty) && complete {
                report.add(
                    &at,
                    "[[alert]] of kind exec has no `command`",
                    "add `command = [\"/path/to/program\"]`",
                );
            }
            Some(Alert::Exec(command))
        }
        RawAlertKind::Mail => {
            let what = "an alarm cannot go by mail: mail is what is broken when it is needed";
            report.add(&kind.at(), what, "take alertmanager, webhook, exec or stdout");
            None
        }
    }
}

fn url(url: Option<At<String>>, at: &Range<usize>, complete: bool, report: &mut Report<'_>) -> Option<String> {
    let Some(url) = url else {
        if complete {
            report.add(at, "[[alert]] has no `url`", "add `url = \"http://127.0.0.1:9093\"`");
        }
        return None;
    };
    let host = url
        .get()
        .strip_prefix("http://")
        .or_else(|| url.get().strip_prefix("https://"));
    if host.is_none_or(|host| host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control())) {
        report.add(
            &url.at(),
            // Whatever is wrong with it, its path may be a secret.
            format!("`url = \"{}\"` is no URL", shown(&public(url.get()))),
            "write `http://host:port/path`",
        );
    }
    Some(url.into_inner())
}

/// As much of an address as anybody may see: scheme and host.
fn public(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    match scheme {
        "" => host.to_owned(),
        _ => format!("{scheme}://{host}"),
    }
}

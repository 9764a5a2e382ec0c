//! `[[alert]]`: where alarms go.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::at::At;
use super::errors::shown;
use super::raw::{RawAlert, RawAlertKind, RawWebhookFormat};
use super::report::Report;
use super::shape::IncompleteTables;
use crate::alert::AlertTarget;
use crate::alert::PAGERDUTY_URL;
use crate::alert::WebhookFormat;

/// Where alarms go, and the runbook that they name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredAlert {
    /// Where to.
    pub alert: Alert,
    /// Address of the runbook, if there is one.
    pub runbook_url: Option<String>,
}

/// Where alarms go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alert {
    /// Prometheus Alertmanager.
    Alertmanager(Server),
    /// An HTTP POST in some form, perhaps with a file with a key.
    Webhook(Server, WebhookFormat, Option<WithPlace<PathBuf>>),
    /// A program with its arguments.
    Exec(WithPlace<Vec<String>>),
    /// Lines on standard output.
    Stdout,
}

/// A value, and where it is written: `mailpulse.toml:12`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithPlace<T> {
    /// The value.
    pub value: T,
    /// File and line.
    pub place: String,
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
    incomplete: &IncompleteTables,
    report: &mut Report<'_>,
) -> Option<ConfiguredAlert> {
    let at = raw.at();
    let complete = !incomplete.contains(&at.start);
    let mut raw = raw.into_inner();
    let runbook_url = raw.runbook_url.take().map(|url| {
        checked_url(&url, report);
        url.into_inner()
    });
    let alert = channel(raw, (&at, complete), folder, report)?;
    Some(ConfiguredAlert { alert, runbook_url })
}

fn channel(
    mut raw: RawAlert,
    (at, complete): (&Range<usize>, bool),
    folder: &Path,
    report: &mut Report<'_>,
) -> Option<Alert> {
    let kind = raw.kind.take()?;
    if let Some(format) = raw
        .format
        .as_ref()
        .filter(|_| !matches!(kind.get(), RawAlertKind::Webhook))
    {
        report.add(
            &format.at(),
            "`format` is for webhooks",
            "remove it, or write `kind = \"webhook\"`",
        );
    }
    let is_server = matches!(kind.get(), RawAlertKind::Alertmanager | RawAlertKind::Webhook);
    if let Some(path) = raw.ca_file.as_ref().filter(|_| !is_server) {
        report.add(&path.at(), "`ca_file` is for Alertmanagers and webhooks", "remove it");
    }
    let server = |url: String, report: &mut Report<'_>| {
        if let Some(path) = raw.ca_file.as_ref().filter(|_| !url.starts_with("https://")) {
            let hint = "write `https://` in `url`, or remove it";
            report.add(&path.at(), "`ca_file` requires TLS", hint);
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
            url(raw.url, at, complete, report).map(|url| Alert::Alertmanager(server(url, report)))
        }
        RawAlertKind::Webhook => {
            let format = format(raw.format.as_ref());
            key_fits(format, (raw.key_file.as_ref(), at), complete, report);
            let key = raw.key_file.as_ref().map(|path| WithPlace {
                place: report.place(&path.at()),
                value: folder.join(path.get()),
            });
            let url = match (raw.url, format) {
                (None, WebhookFormat::Pagerduty) => Some(PAGERDUTY_URL.to_owned()),
                (raw, _) => url(raw, at, complete, report),
            };
            url.map(|url| Alert::Webhook(server(url, report), format, key))
        }
        RawAlertKind::Stdout => Some(Alert::Stdout),
        RawAlertKind::Exec => Some(exec(raw.command, at, complete, report)),
        RawAlertKind::Mail => {
            let what = "alarms cannot be sent by mail: mail is what fails in an outage";
            report.add(&kind.at(), what, "use alertmanager, webhook, exec, or stdout");
            None
        }
    }
}

/// A program that takes notices.
fn exec(command: Option<Vec<At<String>>>, at: &Range<usize>, complete: bool, report: &mut Report<'_>) -> Alert {
    let place = command.iter().flatten().next();
    let place = report.place(&place.map_or_else(|| at.clone(), At::at));
    let command: Vec<String> = command.unwrap_or_default().into_iter().map(At::into_inner).collect();
    if command.first().is_none_or(String::is_empty) && complete {
        report.add(
            at,
            "[[alert]] of kind exec has no `command`",
            "add `command = [\"/path/to/program\"]`",
        );
    }
    Alert::Exec(WithPlace { value: command, place })
}

fn url(url: Option<At<String>>, at: &Range<usize>, complete: bool, report: &mut Report<'_>) -> Option<String> {
    let Some(url) = url else {
        if complete {
            report.add(at, "[[alert]] has no `url`", "add `url = \"http://127.0.0.1:9093\"`");
        }
        return None;
    };
    checked_url(&url, report);
    Some(url.into_inner())
}

pub(super) fn checked_url(url: &At<String>, report: &mut Report<'_>) {
    if let Err(why) = authority(url.get()) {
        report.add(
            &url.at(),
            // Whatever is wrong with it, its path may be a secret.
            format!("`url = \"{}\"` {why}", shown(&AlertTarget::new(url.get()).to_string())),
            "write `http://host:port/path`",
        );
    }
}

fn format(raw: Option<&At<RawWebhookFormat>>) -> WebhookFormat {
    match raw.map(At::get) {
        None | Some(RawWebhookFormat::Json) => WebhookFormat::Json,
        Some(RawWebhookFormat::Slack) => WebhookFormat::Slack,
        Some(RawWebhookFormat::Teams) => WebhookFormat::Teams,
        Some(RawWebhookFormat::Pagerduty) => WebhookFormat::Pagerduty,
        Some(RawWebhookFormat::Ntfy) => WebhookFormat::Ntfy,
    }
}

/// Whether there is a key where one is needed, and none where none is used.
fn key_fits(
    format: WebhookFormat,
    (key, at): (Option<&At<String>>, &Range<usize>),
    complete: bool,
    report: &mut Report<'_>,
) {
    match (format, key) {
        (WebhookFormat::Slack | WebhookFormat::Teams, Some(key)) => report.add(
            &key.at(),
            format!("`key_file` is of no use with `format = \"{}\"`", format.as_str()),
            "remove it: the secret is in `url`",
        ),
        (WebhookFormat::Pagerduty, None) if complete => report.add(
            at,
            "[[alert]] with `format = \"pagerduty\"` has no `key_file`",
            "write the integration's routing key into a file, and add `key_file = \"pagerduty.key\"`",
        ),
        _ => {}
    }
}

/// Whether an address names a scheme, a host and, perhaps, a port; or what is wrong.
fn authority(url: &str) -> Result<(), &'static str> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let rest = rest.ok_or("is not a URL")?;
    if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("is not a URL");
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    // The colons of an IPv6 address stand in brackets.
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    if name.is_empty() {
        return Err("is not a URL: the host is missing");
    }
    if name.contains(':') && !(name.starts_with('[') && name.ends_with(']')) {
        return Err("is not a URL: an IPv6 address needs brackets, as `http://[2001:db8::1]:9093`");
    }
    match port {
        // `u16` alone would take a sign.
        Some(port) if !port.bytes().all(|b| b.is_ascii_digit()) || port.parse::<u16>().unwrap_or(0) == 0 => {
            Err("has a port that is not a number from 1 to 65535")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_port_and_a_host_is_there() {
        for good in [
            "http://127.0.0.1:9093",
            "https://hook.example.org/a:b/c?d=e:f",
            "http://[::1]:9093/x",
            "http://[::1]",
            "https://bot:pw@hook.example.org:8443/",
        ] {
            assert_eq!(authority(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("http://h:99999/x", "port"),
            ("http://h:0", "port"),
            ("http://h:+80", "port"),
            ("http://h:/x", "port"),
            ("http://h:80a", "port"),
            ("http://:80", "host"),
            ("https:///x", "host"),
            ("http://2001:db8::1:80", "brackets"),
            ("ftp://h", "is not a URL"),
            ("http://a b", "is not a URL"),
        ] {
            let told = authority(bad).unwrap_err();
            assert!(told.contains(why), "{bad}: {told}");
        }
    }
}

//! `[serve]` and `[metrics]`: where the pages and the metrics of a tail are, and who may see them.
//!
//! What is wrong with an address depends on several keys, and a command may name another address: [`ServeConfig::faults`]
//! is asked for both.

use super::at::At;
use super::raw::{RawMetrics, RawServe, RawServeAuth};
use super::report::Report;
use super::zone::{DEFAULT_ZONE, parse_timezone};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Where it listens unless configured.
pub(super) const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8425);

/// Who decides on access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ServeAuth {
    /// Nobody.
    #[default]
    None,
    /// The program, by a token.
    Token,
    /// A proxy in front.
    Proxy,
}

/// Keys that an error may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServeKey {
    /// `listen`.
    Listen,
    /// `url_base`.
    UrlBase,
    /// `auth`.
    Auth,
}

/// What is wrong with the keys together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeFault {
    /// The key to point at.
    pub key: ServeKey,
    /// What is wrong.
    pub what: String,
    /// How to correct it.
    pub hint: String,
}

/// The path that all pages begin with: empty, or `/mailpulse`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BasePath(String);

impl BasePath {
    /// A path as people write it.
    ///
    /// # Errors
    /// It has characters that have no place in a path of a link.
    pub fn parse(text: &str) -> Result<BasePath, &'static str> {
        let path = text.trim_matches('/');
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
        if !path.chars().all(is_plain) || path.split('/').any(|part| part == "." || part == "..") || path.contains("//")
        {
            return Err("is not a path of letters, digits, and `-._~/`");
        }
        Ok(BasePath(match path {
            "" => String::new(),
            path => format!("/{path}"),
        }))
    }

    /// The path, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The address at which people open the pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlBase {
    /// Scheme, host, and port: `https://mail.example.org`.
    pub origin: String,
    /// The host, in small letters.
    pub host: String,
    /// The path.
    pub path: BasePath,
}

impl UrlBase {
    /// A URL as people write it.
    ///
    /// # Errors
    /// What is wrong.
    pub fn parse(text: &str) -> Result<UrlBase, &'static str> {
        let bad = "is not a URL";
        let lower = text.to_ascii_lowercase();
        let scheme = ["https://", "http://"]
            .into_iter()
            .find(|scheme| lower.starts_with(scheme));
        let scheme = scheme.ok_or(bad)?;
        let rest = text.get(scheme.len()..).ok_or(bad)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let uri: axum::http::uri::Authority = authority.parse().map_err(|_| bad)?;
        if authority.contains('@') {
            return Err("contains a user name: a token has no place in a link");
        }
        let host = uri.host().to_ascii_lowercase();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err("is not a URL: the host is missing");
        }
        Ok(UrlBase {
            origin: format!("{scheme}{}", authority.to_ascii_lowercase()),
            host: host.to_owned(),
            path: BasePath::parse(path)?,
        })
    }

    /// Whether only this machine can mean it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

/// Where the pages are, and who may see them.
#[derive(Debug, Clone, PartialEq)]
pub struct ServeConfig {
    /// Something is said about it: `run` serves pages, too.
    pub is_configured: bool,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where people open it.
    pub url_base: Option<UrlBase>,
    /// Who decides on access; none if nothing is said.
    pub auth: Option<ServeAuth>,
    /// The token.
    pub token_file: Option<PathBuf>,
    /// Where `token_file` stands: `mailpulse.toml:12`.
    pub token_place: String,
    /// Proxies in front.
    pub trusted_proxies: Vec<IpNet>,
    /// Further names by which it may be called, in small letters.
    pub hosts: Vec<String>,
    /// Zone of the times in pages.
    pub timezone: String,
    /// Connections at once.
    pub connections_max: usize,
    /// Streams at once.
    pub streams_max: usize,
    /// Questions at once.
    pub questions_max: usize,
}

impl Default for ServeConfig {
    fn default() -> Self {
        ServeConfig::of(&RawServe::default())
    }
}

impl ServeConfig {
    fn of(raw: &RawServe) -> ServeConfig {
        ServeConfig {
            is_configured: raw.listen.is_some()
                || raw.url_base.is_some()
                || raw.auth.is_some()
                || raw.token_file.is_some(),
            listen: LISTEN,
            url_base: None,
            auth: None,
            token_file: None,
            token_place: String::new(),
            trusted_proxies: Vec::new(),
            hosts: Vec::new(),
            timezone: DEFAULT_ZONE.to_owned(),
            connections_max: raw.connections_max as usize,
            streams_max: raw.streams_max as usize,
            questions_max: raw.questions_max as usize,
        }
    }

    /// Who decides on access.
    #[must_use]
    pub fn access(&self) -> ServeAuth {
        self.auth.unwrap_or(match self.token_file {
            Some(_) => ServeAuth::Token,
            None => ServeAuth::None,
        })
    }

    /// What is wrong with the keys together: pages must not be open to others by mistake.
    #[must_use]
    pub fn faults(&self) -> Vec<ServeFault> {
        let mut faults = Vec::new();
        let mut add = |key, what: String, hint: &str| {
            let hint = hint.to_owned();
            faults.push(ServeFault { key, what, hint });
        };
        let listen = self.listen;
        let is_token = self.access() == ServeAuth::Token;
        if !listen.ip().is_loopback() && !is_token {
            let what = format!("`listen = \"{listen}\"` can be reached from other machines, and no token is required");
            let hint = "add `token_file` and `trusted_proxies`, or listen on 127.0.0.1";
            add(ServeKey::Listen, what, hint);
        } else if !listen.ip().is_loopback() && self.trusted_proxies.is_empty() {
            let what = format!("`listen = \"{listen}\"` can be reached from other machines, and there is no TLS");
            let hint = "add `trusted_proxies` with the address of the proxy that does TLS, or listen on 127.0.0.1";
            add(ServeKey::Listen, what, hint);
        }
        let published = self.url_base.as_ref().filter(|base| !base.is_local());
        if let Some(base) = published
            && listen.ip().is_loopback()
            && self.auth.is_none()
        {
            let what = format!(
                "`url_base` names {}: a proxy publishes the pages, and nothing says who may see them",
                base.host
            );
            let hint =
                "add `auth = \"token\"` with a `token_file`, or `auth = \"proxy\"` if the proxy authenticates people";
            add(ServeKey::UrlBase, what, hint);
        }
        if is_token && self.token_file.is_none() {
            let what = "`auth = \"token\"` has no token".to_owned();
            add(
                ServeKey::Auth,
                what,
                "add `token_file = \"serve.token\"`, made by `openssl rand -hex 16`",
            );
        }
        faults
    }
}

/// Checks the table.
pub(super) fn check(raw: RawServe, folder: &Path, report: &mut Report<'_>) -> ServeConfig {
    let mut config = ServeConfig::of(&raw);
    let mut places: BTreeMap<ServeKey, Range<usize>> = BTreeMap::new();
    if let Some(listen) = &raw.listen {
        places.insert(ServeKey::Listen, listen.at());
        match listen.get().parse() {
            Ok(address) => config.listen = address,
            Err(_) => report.add(
                &listen.at(),
                format!(
                    "`listen = \"{}\"` is not an address with a port",
                    listen.get().escape_debug()
                ),
                "write `127.0.0.1:8425`, or `[::1]:8425`",
            ),
        }
    }
    if let Some(base) = &raw.url_base {
        places.insert(ServeKey::UrlBase, base.at());
        match UrlBase::parse(base.get()) {
            Ok(parsed) => config.url_base = Some(parsed),
            Err(why) => report.add(
                &base.at(),
                format!("`url_base` {why}"),
                "write `https://mail.example.org/mailpulse/`",
            ),
        }
    }
    if let Some(auth) = &raw.auth {
        places.insert(ServeKey::Auth, auth.at());
        config.auth = Some(match auth.get() {
            RawServeAuth::None => ServeAuth::None,
            RawServeAuth::Token => ServeAuth::Token,
            RawServeAuth::Proxy => ServeAuth::Proxy,
        });
    }
    if let Some(path) = &raw.token_file {
        config.token_file = Some(folder.join(path.get()));
        config.token_place = report.place(&path.at());
    }
    config.trusted_proxies = raw
        .trusted_proxies
        .iter()
        .filter_map(|net| network(net, report))
        .collect();
    config.hosts = raw.hosts.iter().filter_map(|host| host_name(host, report)).collect();
    if let Some(zone) = &raw.timezone {
        match parse_timezone(zone.get()) {
            Ok(_) => config.timezone.clone_from(zone.get()),
            Err(hint) => {
                let what = format!("`timezone = \"{}\"` is not a time zone", zone.get().escape_debug());
                report.add(&zone.at(), what, hint);
            }
        }
    }
    for fault in config.faults() {
        // A default is at fault only together with a key that is written.
        let place = places.get(&fault.key).or_else(|| places.values().next());
        if let Some(place) = place {
            report.add(place, fault.what, fault.hint);
        }
    }
    config
}

/// Checks the table of metrics without pages: they are as safe as pages are.
pub(super) fn check_metrics(raw: RawMetrics, folder: &Path, report: &mut Report<'_>) -> Option<ServeConfig> {
    let RawMetrics {
        listen,
        token_file,
        trusted_proxies,
        hosts,
    } = raw;
    if listen.is_none() {
        let others = token_file.iter().chain(&trusted_proxies).chain(&hosts);
        if let Some(other) = others.into_iter().next() {
            let what = "[metrics] has no `listen`: nothing is shown";
            report.warn(&other.at(), what, "add `listen = \"127.0.0.1:8426\"`");
        }
        return None;
    }
    let raw = RawServe {
        listen,
        token_file,
        trusted_proxies,
        hosts,
        ..RawServe::default()
    };
    Some(check(raw, folder, report))
}

fn network(text: &At<String>, report: &mut Report<'_>) -> Option<IpNet> {
    let parsed = text.get().parse::<IpNet>();
    let parsed = parsed.or_else(|_| text.get().parse::<IpAddr>().map(IpNet::from));
    if parsed.is_err() {
        let what = format!("`{}` is not an address or a network", text.get().escape_debug());
        report.add(&text.at(), what, "write `192.0.2.10` or `192.0.2.0/24`");
    }
    parsed.ok()
}

fn host_name(text: &At<String>, report: &mut Report<'_>) -> Option<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let name = text.get().to_ascii_lowercase();
    if name.is_empty() || !name.chars().all(is_name) {
        let what = format!("`{}` is not a host name", text.get().escape_debug());
        report.add(
            &text.at(),
            what,
            "write a name without scheme, port, or `*`: `mail.example.org`",
        );
        return None;
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(config: &ServeConfig) -> Vec<ServeKey> {
        config.faults().into_iter().map(|fault| fault.key).collect()
    }

    #[test]
    fn pages_are_open_to_nobody_by_mistake() {
        let mut config = ServeConfig::default();
        assert_eq!(keys(&config), []);
        config.listen = "0.0.0.0:8425".parse().unwrap();
        assert_eq!(keys(&config), [ServeKey::Listen]);
        config.auth = Some(ServeAuth::Proxy);
        assert_eq!(
            keys(&config),
            [ServeKey::Listen],
            "a proxy does not guard what others reach without it"
        );
        config.auth = None;
        config.token_file = Some("token".into());
        assert_eq!(keys(&config), [ServeKey::Listen], "no TLS");
        config.trusted_proxies = vec!["192.0.2.10/32".parse().unwrap()];
        assert_eq!(keys(&config), []);
        let mut published = ServeConfig {
            url_base: UrlBase::parse("https://mail.example.org/mailpulse/").ok(),
            ..ServeConfig::default()
        };
        assert_eq!(keys(&published), [ServeKey::UrlBase]);
        published.auth = Some(ServeAuth::Proxy);
        assert_eq!(keys(&published), []);
        published.auth = Some(ServeAuth::Token);
        assert_eq!(keys(&published), [ServeKey::Auth]);
        published.url_base = UrlBase::parse("http://[::1]:8425").ok();
        published.auth = None;
        assert_eq!(keys(&published), []);
    }

    #[test]
    fn a_base_is_taken_apart() {
        let base = UrlBase::parse("HTTPS://Mail.Example.org:8443/a/b/").unwrap();
        assert_eq!(base.origin, "https://mail.example.org:8443");
        assert_eq!((base.host.as_str(), base.path.as_str()), ("mail.example.org", "/a/b"));
        assert_eq!(UrlBase::parse("http://x").unwrap().path.as_str(), "");
        for bad in [
            "ftp://x",
            "javascript:alert(1)",
            "https://user:pw@x/",
            "https://x/a?b",
            "https://x/../a",
            "https:///a",
            "https://x/\"><script>",
            "",
        ] {
            assert!(UrlBase::parse(bad).is_err(), "{bad}");
        }
    }
}

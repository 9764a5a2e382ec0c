//! Where a server is: `clickhouse://user@host:8123/database`, or `clickhouses://…` over TLS.

/// A server and a database on it. The password is never part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Over TLS.
    pub tls: bool,
    /// Host, with brackets around an IPv6 address.
    pub host: String,
    /// Port of its HTTP interface.
    pub port: u16,
    /// User.
    pub user: String,
    /// Database.
    pub database: String,
}

impl Endpoint {
    /// Whether a text is meant to be a place of a ClickHouse.
    pub fn is_meant(url: &str) -> bool {
        url.starts_with("clickhouse://") || url.starts_with("clickhouses://")
    }

    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong, and what helps.
    pub fn parse(url: &str) -> Result<Endpoint, (String, String)> {
        let hint = || "write `clickhouse://user@host:8123/database`, or `clickhouses://…` for TLS".to_owned();
        let wrong = |what: &str| (what.to_owned(), hint());
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| wrong("this is not the URL of a ClickHouse server"))?;
        let tls = match scheme {
            "clickhouse" => false,
            "clickhouses" => true,
            _ => return Err(wrong("this is not the URL of a ClickHouse server")),
        };
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let database = if database.is_empty() { "mailpulse" } else { database };
        let (user, host) = authority.rsplit_once('@').unwrap_or(("default", authority));
        if user.contains(':') {
            return Err((
                "a password in the URL ends up in process lists and logs".to_owned(),
                "remove it, and set MAILPULSE_CLICKHOUSE_PASSWORD or `password_file` of [clickhouse]".to_owned(),
            ));
        }
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (
                host,
                port.parse()
                    .map_err(|_| wrong("the port is not a number from 1 to 65535"))?,
            ),
            _ => (host, if tls { 8443 } else { 8123 }),
        };
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if host.is_empty() {
            return Err(wrong("the host is missing"));
        }
        if port == 0 {
            return Err(wrong("the port is not a number from 1 to 65535"));
        }
        if !is_name(database) || !is_name(&user.replace(['-', '.'], "_")) {
            return Err(wrong("user and database may contain only letters, digits and `_`"));
        }
        Ok(Endpoint {
            tls,
            host: host.to_owned(),
            port,
            user: user.to_owned(),
            database: database.to_owned(),
        })
    }

    /// The address of its HTTP interface.
    pub fn http(&self) -> String {
        format!(
            "{}://{}:{}",
            if self.tls { "https" } else { "http" },
            self.host,
            self.port
        )
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.tls { "clickhouses" } else { "clickhouse" };
        let Endpoint {
            user,
            host,
            port,
            database,
            ..
        } = self;
        write!(f, "{scheme}://{user}@{host}:{port}/{database}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_written() {
        for (url, shown) in [
            ("clickhouse://ch/mail", "clickhouse://default@ch:8123/mail"),
            (
                "clickhouses://mailpulse@ch.example.org",
                "clickhouses://mailpulse@ch.example.org:8443/mailpulse",
            ),
            ("clickhouse://[::1]:9000/a_b", "clickhouse://default@[::1]:9000/a_b"),
            ("clickhouse://u@[::1]/x", "clickhouse://u@[::1]:8123/x"),
        ] {
            assert_eq!(Endpoint::parse(url).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (url, word) in [
            ("clickhouse://u:secret@ch/mail", "password"),
            ("clickhouse:///mail", "host"),
            ("clickhouse://ch:x/mail", "port"),
            ("clickhouse://ch/mail; DROP", "letters"),
            ("http://ch/mail", "not the URL"),
        ] {
            let (what, _) = Endpoint::parse(url).unwrap_err();
            assert!(what.contains(word), "{url}: {what}");
            assert!(!what.contains("secret"));
        }
    }
}

//! Talking to a server, and what its refusals mean.

use super::insert_settings::InsertSettings;
use super::tls::{self, ServerAuthorities};
use super::{ClickHouseError, Endpoint};
use crate::model::time::UtcMs;
use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Bounds, and the password.
#[derive(Clone)]
pub struct ClientOptions {
    /// For one question.
    pub read_timeout: Duration,
    /// For one batch, from its first byte to the server's answer.
    pub insert_timeout: Duration,
    /// Password of the user; empty for none.
    pub password: String,
    /// Who vouches for the server, instead of the machine's authorities.
    pub authorities: Option<ServerAuthorities>,
}

impl std::fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ClientOptions {
            read_timeout,
            insert_timeout,
            ..
        } = self;
        write!(
            f,
            "Options {{ read_timeout: {read_timeout:?}, insert_timeout: {insert_timeout:?}, password: … }}"
        )
    }
}

impl Default for ClientOptions {
    fn default() -> Self {
        ClientOptions {
            read_timeout: Duration::from_secs(60),
            insert_timeout: Duration::from_secs(120),
            password: String::new(),
            authorities: None,
        }
    }
}

/// Errors of the batch itself: the same bytes will never be taken. All others may be of the moment or of the set-up.
const OF_THE_BATCH: [u32; 19] = [
    6, 8, 10, 16, 20, 26, 27, 33, 36, 38, 41, 53, 70, 72, 117, 321, 349, 469, 636,
];

/// A server.
pub struct ClickHouseClient {
    endpoint: Endpoint,
    options: ClientOptions,
    driver: clickhouse::Client,
    runtime: tokio::runtime::Runtime,
    /// The minutes of the hosts' first lines: they are asked for once, because they are at the other end of the tables than
    /// what is new.
    first_lines: Mutex<HashMap<String, UtcMs>>,
    /// Whether the server has roll-ups, once it was asked.
    pub(super) has_rollups: OnceLock<bool>,
}

impl ClickHouseClient {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// The system gives no runtime; nobody can vouch for a server over TLS.
    pub fn new(endpoint: &Endpoint, options: &ClientOptions) -> Result<ClickHouseClient, ClickHouseError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| ClickHouseError::Unavailable {
            endpoint: endpoint.clone(),
            what: error.to_string(),
            code: 0,
        })?;
        let driver = tls::driver(endpoint, options.authorities.as_ref())
            .map_err(|what| ClickHouseError::Unavailable {
                endpoint: endpoint.clone(),
                what,
                code: 0,
            })?
            .with_url(endpoint.http())
            .with_user(&endpoint.user)
            .with_password(&options.password)
            // Batches are packed already, and answers are small.
            .with_compression(clickhouse::Compression::None)
            .with_product_info("mailpulse", env!("CARGO_PKG_VERSION"));
        Ok(ClickHouseClient {
            endpoint: endpoint.clone(),
            options: options.clone(),
            driver,
            runtime,
            first_lines: Mutex::default(),
            has_rollups: OnceLock::new(),
        })
    }

    /// The minute of a host's first line; `all` is asked where it is not known yet.
    ///
    /// # Errors
    /// Those of `all`.
    pub(crate) fn first_line_ms<E>(
        &self,
        host: &str,
        all: impl FnOnce() -> Result<Vec<(String, UtcMs)>, E>,
    ) -> Result<Option<UtcMs>, E> {
        let mut known = self.first_lines.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains_key(host) {
            known.extend(all()?);
        }
        Ok(known.get(host).copied())
    }

    /// Where it is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// A statement without an answer.
    ///
    /// # Errors
    /// What the server or the network says.
    pub fn execute(&self, sql: &str) -> Result<(), ClickHouseError> {
        let query = self.driver.query_raw(sql);
        self.wait(self.options.read_timeout, query.execute())
    }

    /// The server's clock.
    ///
    /// # Errors
    /// What the server or the network says.
    pub fn clock_ms(&self) -> Result<UtcMs, ClickHouseError> {
        let answer = self.rows("SELECT toUnixTimestamp64Milli(now64(3))", &[])?;
        Ok(UtcMs::new(answer["data"][0][0].as_i64().unwrap_or_default()))
    }

    /// Rows as ClickHouse's `JSONCompact`: `meta` has names and types, `data` the rows. `params` stand for `{name:Type}`.
    ///
    /// # Errors
    /// What the server or the network says.
    pub fn rows(&self, sql: &str, params: &[(&str, String)]) -> Result<serde_json::Value, ClickHouseError> {
        self.rows_with(sql, params, &[])
    }

    /// [`ClickHouseClient::rows`], with settings of this question.
    pub(super) fn rows_with(
        &self,
        sql: &str,
        params: &[(&str, String)],
        settings: &[(&str, &str)],
    ) -> Result<serde_json::Value, ClickHouseError> {
        let mut query = self
            .driver
            .query_raw(sql)
            .with_setting("output_format_json_quote_64bit_integers", "0")
            .with_setting("output_format_json_quote_denormals", "1");
        for (name, value) in params {
            query = query.param(name, value);
        }
        for (name, value) in settings {
            query = query.with_setting(*name, *value);
        }
        let text = self.wait(self.options.read_timeout, async {
            query.fetch_bytes("JSONCompact")?.collect().await
        })?;
        serde_json::from_slice(&text).map_err(|error| ClickHouseError::Unavailable {
            endpoint: self.endpoint.clone(),
            what: format!("the answer is not JSON ({error})"),
            code: 0,
        })
    }

    /// One batch in one block, under a token: the server drops it if it has one with that token already. The settings are
    /// those that were agreed with it.
    ///
    /// # Errors
    /// What the server or the network says.
    pub fn insert(
        &self,
        statement: &str,
        bytes: Vec<u8>,
        token: &str,
        settings: &InsertSettings,
    ) -> Result<(), ClickHouseError> {
        let mut insert = self
            .driver
            .insert_formatted_with(statement.to_owned())
            .with_setting("insert_deduplication_token", token);
        for (name, value) in settings.iter() {
            insert = insert.with_setting(name, value);
        }
        self.wait(self.options.insert_timeout, async move {
            insert.send(bytes.into()).await?;
            insert.end().await
        })
    }

    fn wait<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, clickhouse::error::Error>>,
    ) -> Result<T, ClickHouseError> {
        let result = self.runtime.block_on(async { tokio::time::timeout(limit, work).await });
        match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.error(&error)),
            Err(_) => Err(ClickHouseError::Unavailable {
                endpoint: self.endpoint.clone(),
                what: format!("no answer within {} s", limit.as_secs_f64()),
                code: 159,
            }),
        }
    }

    fn error(&self, error: &clickhouse::error::Error) -> ClickHouseError {
        let mut what = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            let words = inner.to_string();
            if !what.contains(&words) {
                what = format!("{what}: {words}");
            }
            cause = inner.source();
        }
        let code = what.split("Code: ").nth(1).and_then(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        });
        let what = mailpulse_parsers::harmless::safe_text(what.trim().as_bytes());
        let (endpoint, code) = (self.endpoint.clone(), code.unwrap_or(0));
        match OF_THE_BATCH.contains(&code) {
            true => ClickHouseError::Refused { endpoint, what, code },
            false => ClickHouseError::Unavailable { endpoint, what, code },
        }
    }
}

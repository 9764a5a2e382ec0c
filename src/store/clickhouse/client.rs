//! Talking to a server, and what its refusals mean.

use super::Place;
use super::settings::InsertSettings;
use super::tls::{self, Authorities};
use std::path::PathBuf;
use std::time::Duration;

/// Bounds, and the password.
#[derive(Clone)]
pub struct Options {
    /// For one question.
    pub read_timeout: Duration,
    /// For one batch, from its first byte to the server's answer.
    pub insert_timeout: Duration,
    /// Password of the user; empty for none.
    pub password: String,
    /// Who vouches for the server, instead of the machine's authorities.
    pub authorities: Option<Authorities>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Options {
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

impl Default for Options {
    fn default() -> Self {
        Options {
            read_timeout: Duration::from_secs(60),
            insert_timeout: Duration::from_secs(120),
            password: String::new(),
            authorities: None,
        }
    }
}

/// Why a server did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be reached, did not answer in time, or says that it cannot now.
    #[error("{place}: {what}{}", cure(*code, what))]
    Unavailable {
        /// Where.
        place: Place,
        /// Its words, or the network's.
        what: String,
        /// ClickHouse's number of the error; 0 for none.
        code: u32,
    },
    /// It will never take this.
    #[error("{place}: {what}{}", cure(*code, what))]
    Refused {
        /// Where.
        place: Place,
        /// Its words.
        what: String,
        /// ClickHouse's number of the error.
        code: u32,
    },
    /// The schema is not the one that this program knows.
    #[error("{place}: {what}")]
    Schema {
        /// Where.
        place: Place,
        /// What is wrong, and the cure.
        what: String,
    },
    /// The server does not take batches as sending needs it.
    #[error("{place}: {what}")]
    Settings {
        /// Where.
        place: Place,
        /// What is wrong, and the cure.
        what: String,
    },
    /// Another process sends from this store.
    #[error(
        "{path}: another mailpulse sends from this store already ({holder}); what waits goes out with it, `mailpulse status` \
         shows how far it is"
    )]
    Busy {
        /// The lock.
        path: PathBuf,
        /// Who holds it, as far as it is known.
        holder: String,
    },
    /// A local file.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The embedded store.
    #[error(transparent)]
    Store(#[from] Box<crate::store::Error>),
}

impl From<crate::store::Error> for Error {
    fn from(error: crate::store::Error) -> Self {
        Error::Store(Box::new(error))
    }
}

impl Error {
    /// Whether trying again can help.
    pub fn can_pass(&self) -> bool {
        !matches!(self, Error::Refused { .. })
    }

    /// ClickHouse's number of the error, if the server gave one.
    pub fn code(&self) -> Option<u32> {
        match self {
            Error::Unavailable { code, .. } | Error::Refused { code, .. } if *code != 0 => Some(*code),
            _ => None,
        }
    }
}

/// What an operator does about an error of this number, or of these words where there is no number.
fn cure(code: u32, what: &str) -> String {
    let cure = match code {
        60 | 81 => "; make the tables: `mailpulse store migrate`",
        516 | 192 | 193 | 194 => {
            "; give the password as MAILPULSE_CLICKHOUSE_PASSWORD or by `password_file` of [clickhouse], and the user in \
             the URL"
        }
        497 => "; the user may not do this: GRANT it, or name another user in the URL",
        0 => match tls::cure(what) {
            Some(cure) => return format!("; {cure}"),
            None => "; is the server running, and is this the port of its HTTP interface?",
        },
        _ => "",
    };
    cure.to_owned()
}

/// Errors of the batch itself: the same bytes will never be taken. All others may be of the moment or of the set-up.
const OF_THE_BATCH: [u32; 19] = [
    6, 8, 10, 16, 20, 26, 27, 33, 36, 38, 41, 53, 70, 72, 117, 321, 349, 469, 636,
];

/// A server.
pub struct Client {
    place: Place,
    options: Options,
    driver: clickhouse::Client,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// The system gives no runtime; nobody can vouch for a server over TLS.
    pub fn new(place: &Place, options: &Options) -> Result<Client, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::Unavailable {
            place: place.clone(),
            what: error.to_string(),
            code: 0,
        })?;
        let driver = tls::driver(place, options.authorities.as_ref())
            .map_err(|what| Error::Unavailable {
                place: place.clone(),
                what,
                code: 0,
            })?
            .with_url(place.http())
            .with_user(&place.user)
            .with_password(&options.password)
            // Batches are packed already, and answers are small.
            .with_compression(clickhouse::Compression::None)
            .with_product_info("mailpulse", env!("CARGO_PKG_VERSION"));
        Ok(Client {
            place: place.clone(),
            options: options.clone(),
            driver,
            runtime,
        })
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// A statement without an answer.
    ///
    /// # Errors
    /// What the server or the network says.
    pub fn execute(&self, sql: &str) -> Result<(), Error> {
        let query = self.driver.query_raw(sql);
        self.wait(self.options.read_timeout, query.execute())
    }

    /// The server's clock, UTC milliseconds.
    ///
    /// # Errors
    /// What the server or the network says.
    pub fn clock_ms(&self) -> Result<i64, Error> {
        let answer = self.rows("SELECT toUnixTimestamp64Milli(now64(3))", &[])?;
        Ok(answer["data"][0][0].as_i64().unwrap_or_default())
    }

    /// Rows as ClickHouse's `JSONCompact`: `meta` has names and types, `data` the rows. `params` stand for `{name:Type}`.
    ///
    /// # Errors
    /// What the server or the network says.
    pub fn rows(&self, sql: &str, params: &[(&str, String)]) -> Result<serde_json::Value, Error> {
        self.rows_with(sql, params, &[])
    }

    /// [`Client::rows`], with settings of this question.
    pub(super) fn rows_with(
        &self,
        sql: &str,
        params: &[(&str, String)],
        settings: &[(&str, &str)],
    ) -> Result<serde_json::Value, Error> {
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
        serde_json::from_slice(&text).map_err(|error| Error::Unavailable {
            place: self.place.clone(),
            what: format!("an answer that is no JSON ({error})"),
            code: 0,
        })
    }

    /// One batch in one block, under a token: the server drops it if it has one with that token already. The settings are
    /// those that were agreed with it.
    ///
    /// # Errors
    /// What the server or the network says.
    pub fn insert(&self, statement: &str, bytes: Vec<u8>, token: &str, settings: &InsertSettings) -> Result<(), Error> {
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
    ) -> Result<T, Error> {
        let result = self.runtime.block_on(async { tokio::time::timeout(limit, work).await });
        match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.error(&error)),
            Err(_) => Err(Error::Unavailable {
                place: self.place.clone(),
                what: format!("no answer within {} s", limit.as_secs_f64()),
                code: 159,
            }),
        }
    }

    fn error(&self, error: &clickhouse::error::Error) -> Error {
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
        let (place, code) = (self.place.clone(), code.unwrap_or(0));
        match OF_THE_BATCH.contains(&code) {
            true => Error::Refused { place, what, code },
            false => Error::Unavailable { place, what, code },
        }
    }
}

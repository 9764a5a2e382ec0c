//! What an insert is sent with, so that a batch arrives whole and once, whatever the profile of the user says.
//!
//! A profile may switch deduplication off (`deduplicate_insert = 'disable'` is the main switch since 26.2), let a roll-up
//! fail silently or skip rows that do not parse. So each insert names all of it itself, and before the first one the
//! server is asked what it makes of that: a profile may forbid a change, and a proxy may take settings out.

use super::{ClickHouseClient, ClickHouseError, InsertSettings};
use serde_json::Value;

/// What a setting must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Is(&'static str),
    /// A number of rows; any from the second on will do.
    AtLeast(&'static str, u64),
}

/// A batch is one block; it has fewer rows than this.
const BLOCK_ROWS: Need = Need::AtLeast("1000000", 500_000);

/// By name. What an older server does not know is not sent to it.
const NEEDED: [(&str, Need); 15] = [
    ("insert_deduplicate", Need::Is("1")),
    // Since 26.2; it goes before `insert_deduplicate`.
    ("deduplicate_insert", Need::Is("enable")),
    ("async_insert", Need::Is("0")),
    // Without it a repeated batch is dropped from the table, and counted again in what is made of it.
    ("deduplicate_blocks_in_dependent_materialized_views", Need::Is("1")),
    // With it a batch whose rates could not be made is taken as if they had been.
    ("materialized_views_ignore_errors", Need::Is("0")),
    // With them rows that do not fit are left out without a word.
    ("input_format_allow_errors_num", Need::Is("0")),
    ("input_format_allow_errors_ratio", Need::Is("0")),
    ("input_format_skip_unknown_fields", Need::Is("0")),
    // One block: that is what a server compares.
    ("max_insert_block_size", BLOCK_ROWS),
    ("min_insert_block_size_rows", BLOCK_ROWS),
    ("input_format_parquet_max_block_size", BLOCK_ROWS),
    ("min_insert_block_size_bytes", Need::Is("0")),
    ("max_insert_block_size_bytes", Need::Is("0")),
    ("input_format_max_block_size_bytes", Need::Is("0")),
    ("max_insert_threads", Need::Is("1")),
];

/// Without these no server drops a repeated batch.
const VITAL: [&str; 2] = ["insert_deduplicate", "insert_deduplication_token"];

/// Setting may not be changed: by a constraint, or because all are read-only.
const NOT_CHANGEABLE: [u32; 2] = [164, 452];

impl Need {
    fn value(self) -> &'static str {
        match self {
            Need::Is(value) | Need::AtLeast(value, _) => value,
        }
    }

    fn is_met(self, value: &str) -> bool {
        match self {
            // A server prints a number of threads or a share in its own way.
            Need::Is(wanted) => value == wanted || value.parse::<f64>().is_ok_and(|n| wanted.parse() == Ok(n)),
            Need::AtLeast(_, least) => value.parse::<u64>().is_ok_and(|n| n >= least),
        }
    }
}

/// The settings that this server knows, once it has said that it takes them as they are meant.
///
/// # Errors
/// The server; a setting that it fixes to something else.
pub fn agree(client: &ClickHouseClient) -> Result<InsertSettings, ClickHouseError> {
    let known = values(client, &[])?;
    let knows = |name: &str| known.iter().any(|(setting, _)| setting == name);
    if let Some(name) = VITAL.into_iter().find(|name| !knows(name)) {
        return Err(refused(
            client,
            format!(
                "the server does not know the setting `{name}`, so it cannot drop repeated batches; use a newer server"
            ),
        ));
    }
    let all: Vec<(&str, Need)> = NEEDED.into_iter().filter(|(name, _)| knows(name)).collect();
    let sent: Vec<(&str, &str)> = all.iter().map(|(name, need)| (*name, need.value())).collect();
    match values(client, &sent) {
        Ok(made) => {
            require(client, &all, &made)?;
            Ok(InsertSettings(sent))
        }
        Err(error) if error.code().is_some_and(|code| NOT_CHANGEABLE.contains(&code)) => {
            one_by_one(client, &all, &known)
        }
        Err(error) => Err(error),
    }
}

/// A profile forbids some of them: those that it has right anyway need not be sent.
fn one_by_one(
    client: &ClickHouseClient,
    all: &[(&'static str, Need)],
    known: &[(String, String)],
) -> Result<InsertSettings, ClickHouseError> {
    let mut sent = Vec::new();
    for (name, need) in all {
        match values(client, &[(name, need.value())]) {
            Ok(_) => sent.push((*name, need.value())),
            Err(error) if error.code().is_some_and(|code| NOT_CHANGEABLE.contains(&code)) => {
                require(client, &[(*name, *need)], known)?;
            }
            Err(error) => return Err(error),
        }
    }
    require(client, all, &values(client, &sent)?)?;
    Ok(InsertSettings(sent))
}

/// What the server makes of these settings: the value of each that it knows and that matters here.
fn values(client: &ClickHouseClient, settings: &[(&str, &str)]) -> Result<Vec<(String, String)>, ClickHouseError> {
    let names: Vec<String> = NEEDED
        .iter()
        .map(|(name, _)| *name)
        .chain(VITAL)
        .map(|name| format!("'{name}'"))
        .collect();
    let sql = format!(
        "SELECT name, value FROM system.settings WHERE name IN ({})",
        names.join(", ")
    );
    let answer = client.rows_with(&sql, &[], settings)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = answer["data"].as_array().cloned().unwrap_or_default();
    Ok(rows.iter().map(|row| (text(&row[0]), text(&row[1]))).collect())
}

/// Refuses to send where a setting is not what it must be.
fn require(client: &ClickHouseClient, all: &[(&str, Need)], made: &[(String, String)]) -> Result<(), ClickHouseError> {
    let wrong = all.iter().find_map(|(name, need)| {
        let (_, value) = made.iter().find(|(setting, _)| setting == name)?;
        (!need.is_met(value)).then_some((name, need.value(), value))
    });
    let Some((name, wanted, value)) = wrong else {
        return Ok(());
    };
    let user = &client.endpoint().user;
    Err(refused(
        client,
        format!(
            "the server fixes `{name}` to `{value}` for user {user}, but sending needs `{wanted}`: otherwise a batch \
             counts twice or in part. Remove the constraint from the user's profile, or set the value there: ALTER \
             USER {user} \
             SETTINGS {name} = '{wanted}' (a proxy in between must pass settings on)"
        ),
    ))
}

fn refused(client: &ClickHouseClient, what: String) -> ClickHouseError {
    ClickHouseError::Settings {
        endpoint: client.endpoint().clone(),
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_met_as_servers_print_it() {
        assert!(Need::Is("0").is_met("0.0") && Need::Is("1").is_met("1") && Need::Is("enable").is_met("enable"));
        assert!(!Need::Is("enable").is_met("disable") && !Need::Is("1").is_met("auto(2)"));
        assert!(BLOCK_ROWS.is_met("1048449") && !BLOCK_ROWS.is_met("65409"));
    }
}

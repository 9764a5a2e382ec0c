//! The schema of `sql/schema/`: numbered, append-only. What was applied stands in `schema_migrations` of the database.
//!
//! ClickHouse has no transactions over its schema, and several hosts may migrate at once. So each statement does nothing
//! where its work is done, and a migration is noted after its last statement: one that was cut in half is run again from
//! its first, and two at once do the same twice. A table that is there already must have the columns that the statement
//! names.
//!
//! An addition makes tables that a program of the version before need not know. It is noted beside the migrations, in
//! `schema_additions`, so that such a program goes on sending and reading.

use super::{ClickHouseClient, ClickHouseError, fill};
use serde_json::Value;

macro_rules! migrations {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../sql/schema/", $name, ".sql")))),*]
    };
}

/// Name and text, in order; the number is the first three digits.
const ALL: [(&str, &str); 5] = migrations![
    "001_events",
    "002_rates",
    "003_sources",
    "004_reader",
    "005_foreign_lines",
];

/// Name and text of what was added since, in order.
const ADDITIONS: [(&str, &str); 5] = migrations![
    "006_rollups",
    "007_reasons",
    "008_directions",
    "009_keys",
    "010_replies"
];

/// Migrations that a server without access management can do without.
const OPTIONAL: [&str; 1] = ["004_reader"];

/// What it is that is there already: a table, a database, a replica of a table, a role.
const EXISTS: [u32; 4] = [57, 82, 253, 493];

/// Errors of a question that names a table or a column that is not there.
const NOT_THERE: [u32; 5] = [8, 10, 16, 47, 60];

/// Errors that say nothing of what a server can do: no answer in time, the network, too much at once, shutting down.
const PASSING: [u32; 7] = [159, 202, 209, 210, 236, 241, 394];

/// The window that exactly-once needs, batches.
pub(crate) const WINDOW_MIN: u64 = 10_000;

/// How the tables are made.
#[derive(Debug, Clone)]
pub struct MigrationPlan {
    /// Cluster on which they are replicated, if they are.
    pub cluster: Option<String>,
    /// Days to keep.
    pub retain_days: u32,
}

/// A migration and what became of it.
#[derive(Debug, PartialEq, Eq)]
pub struct MigrationStep {
    /// Its name.
    pub name: &'static str,
    /// Its statements, as they are for this server.
    pub statements: Vec<String>,
    /// What became of it.
    pub status: MigrationStatus,
}

/// What became of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MigrationStatus {
    /// It had been applied before.
    Known,
    /// It was applied now.
    Applied,
    /// It is to be applied.
    Missing,
    /// The server cannot; it is not needed.
    Skipped(String),
}

/// All migrations, and whether each stands in the database.
///
/// # Errors
/// The server; a schema that is foreign, newer, or not what it was when it was applied.
pub fn look(client: &ClickHouseClient, plan: &MigrationPlan) -> Result<Vec<MigrationStep>, ClickHouseError> {
    let begun = is_begun(client)?;
    let mut applied = if begun {
        applied(client, "schema_migrations")?
    } else {
        Vec::new()
    };
    if let Some((newer, _)) = applied
        .iter()
        .find(|(name, _)| ALL.iter().all(|(known, _)| known != name))
    {
        return Err(schema(
            client,
            format!("migration {newer} is newer than this program: use the mailpulse that applied it"),
        ));
    }
    if begun && !columns_of(client, "schema_additions")?.is_empty() {
        applied.extend(self::applied(client, "schema_additions")?);
    }
    let mut steps = Vec::new();
    for (name, text) in ALL.into_iter().chain(ADDITIONS) {
        let hash = hash(text);
        let status = match applied.iter().find(|(known, _)| known == name) {
            Some((_, known)) if *known == hash => MigrationStatus::Known,
            Some((_, known)) if known.starts_with("skipped") => MigrationStatus::Skipped(known.clone()),
            Some(_) => {
                return Err(schema(
                    client,
                    format!(
                        "migration {name} was applied with a text that differs from this program's, so the tables may \
                         differ. Use the mailpulse that created them, or another database"
                    ),
                ));
            }
            None => MigrationStatus::Missing,
        };
        steps.push(MigrationStep {
            name,
            statements: statements(text, client, plan),
            status,
        });
    }
    if !begun {
        refuse_foreign(client)?;
    }
    Ok(steps)
}

/// Applies what is missing, in order.
///
/// # Errors
/// As [`look`]; a statement that failed. What was applied before it stays.
pub fn migrate(client: &ClickHouseClient, plan: &MigrationPlan) -> Result<Vec<MigrationStep>, ClickHouseError> {
    refuse_old(client)?;
    let (database, on_cluster) = (client.endpoint().database.clone(), on_cluster(plan));
    client.execute(&format!("CREATE DATABASE IF NOT EXISTS {database}{on_cluster}"))?;
    let mut steps = look(client, plan)?;
    // Its existence says that nothing foreign was here when the first migration began.
    let engine = match &plan.cluster {
        Some(_) => "ReplicatedMergeTree",
        None => "MergeTree",
    };
    for table in ["schema_migrations", "schema_additions"] {
        client.execute(&format!(
            "CREATE TABLE IF NOT EXISTS {database}.{table}{on_cluster} (name String, hash String, applied DateTime \
             DEFAULT now()) ENGINE = {engine} ORDER BY name"
        ))?;
    }
    for (step, (_, text)) in steps
        .iter_mut()
        .zip(ALL.into_iter().chain(ADDITIONS))
        .filter(|(step, _)| step.status == MigrationStatus::Missing)
    {
        let is_addition = ADDITIONS.iter().any(|(name, _)| *name == step.name);
        let made = step.statements.iter().try_for_each(|statement| make(client, statement));
        let result = match is_addition {
            true => made.and_then(|()| fill::fill(client, plan.cluster.as_deref())),
            false => made,
        };
        let hash = match result {
            Ok(()) => hash(text),
            // Only the server's own refusal says that it cannot; a lost connection says nothing.
            Err(error)
                if OPTIONAL.contains(&step.name) && error.code().is_some_and(|code| !PASSING.contains(&code)) =>
            {
                step.status = MigrationStatus::Skipped(error.to_string());
                continue;
            }
            Err(error) => return Err(error),
        };
        let noted = if is_addition {
            "schema_additions"
        } else {
            "schema_migrations"
        };
        client.execute(&format!(
            "INSERT INTO {database}.{noted} (name, hash) VALUES ('{}', '{hash}')",
            step.name
        ))?;
        step.status = MigrationStatus::Applied;
    }
    Ok(steps)
}

/// One statement. Another host may be at the same one: what it made meanwhile is as good.
fn make(client: &ClickHouseClient, statement: &str) -> Result<(), ClickHouseError> {
    match client.execute(statement) {
        Err(error) if error.code().is_some_and(|code| EXISTS.contains(&code)) => {}
        other => other?,
    }
    match table_of(statement) {
        Some((table, columns)) => compare_columns(client, table, &columns),
        None => Ok(()),
    }
}

/// Table and columns of a statement that makes one.
fn table_of(statement: &str) -> Option<(&str, Vec<&str>)> {
    let rest = statement.strip_prefix("CREATE TABLE IF NOT EXISTS ")?;
    let (head, body) = rest.split_once("\n(\n")?;
    let (body, _) = body.split_once("\n)")?;
    let name = head.split(' ').next()?.split_once('.')?.1;
    let column = |line: &'_ str| -> Option<usize> {
        let line = line.trim_start();
        (!line.is_empty() && !line.starts_with("--")).then(|| line.find(' ').unwrap_or(line.len()))
    };
    let columns = body.lines().filter_map(|line| line.trim_start().get(..column(line)?));
    Some((name, columns.collect()))
}

/// A table that was there must be the one that the statement makes.
fn compare_columns(client: &ClickHouseClient, table: &str, columns: &[&str]) -> Result<(), ClickHouseError> {
    let there = columns_of(client, table)?;
    let missing = columns.iter().find(|name| there.iter().all(|known| known != *name));
    // A replica that has not come to it yet will make it as it is.
    match missing.filter(|_| !there.is_empty()) {
        None => Ok(()),
        Some(column) => Err(schema(
            client,
            format!(
                "the table {}.{table} has no column {column}: mailpulse did not create it. Drop it, or name another \
                 database in the URL",
                client.endpoint().database
            ),
        )),
    }
}

/// The columns of a table; none if it is not there.
fn columns_of(client: &ClickHouseClient, table: &str) -> Result<Vec<String>, ClickHouseError> {
    let database = &client.endpoint().database;
    let sql = format!("SELECT name FROM system.columns WHERE database = '{database}' AND table = '{table}'");
    let answer = client.rows(&sql, &[])?;
    let rows = answer["data"].as_array().cloned().unwrap_or_default();
    Ok(rows
        .iter()
        .map(|row| row[0].as_str().unwrap_or_default().to_owned())
        .collect())
}

/// Whether a server can take batches exactly once: all tables, and the window of deduplication.
///
/// # Errors
/// What is missing, and what helps.
pub fn check(client: &ClickHouseClient, plan: &MigrationPlan) -> Result<(), ClickHouseError> {
    let missing = look(client, plan)?
        .into_iter()
        .find(|step| step.status == MigrationStatus::Missing && !OPTIONAL.contains(&step.name));
    if let Some(step) = missing {
        let what = format!("migration {} is not applied; run: mailpulse store migrate", step.name);
        return Err(schema(client, what));
    }
    let database = &client.endpoint().database;
    for table in [
        "events_log",
        "rates_minute",
        "sources_minute",
        "rates_hour",
        "rates_day",
        "witnesses_minute",
    ] {
        let sql = format!("SELECT engine_full FROM system.tables WHERE database = '{database}' AND name = '{table}'");
        let answer = client.rows(&sql, &[])?;
        let engine = answer["data"][0][0].as_str().unwrap_or_default();
        let window = engine
            .split("deduplication_window = ")
            .nth(1)
            .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok());
        if window.is_none_or(|window| window < WINDOW_MIN) {
            return Err(schema(
                client,
                format!(
                    "table {table} does not drop repeated batches (its deduplication window is {}): a batch whose answer is \
                     lost would count twice. Run: ALTER TABLE {database}.{table} MODIFY SETTING \
                     non_replicated_deduplication_window = {WINDOW_MIN} (replicated_deduplication_window on a cluster)",
                    window.map_or("not set".to_owned(), |window| window.to_string())
                ),
            ));
        }
    }
    Ok(())
}

/// Whether a migration ever began here: the table of migrations is there, and ours.
fn is_begun(client: &ClickHouseClient) -> Result<bool, ClickHouseError> {
    let columns = columns_of(client, "schema_migrations")?;
    let has = |name: &str| columns.iter().any(|column| column == name);
    match (columns.is_empty(), has("name") && has("hash")) {
        (true, _) => Ok(false),
        (false, true) => Ok(true),
        (false, false) => Err(schema(
            client,
            format!(
                "the table {}.schema_migrations belongs to another tool; name another database in the URL",
                client.endpoint().database
            ),
        )),
    }
}

/// Whether a server has roll-ups of all that it has. One of an older schema has none, and one that cannot be asked says so
/// when it is asked for more.
pub(crate) fn has_rollups(client: &ClickHouseClient) -> bool {
    let ask = || {
        applied(client, "schema_additions").is_ok_and(|applied| applied.iter().any(|(name, _)| name == "006_rollups"))
    };
    *client.has_rollups.get_or_init(ask)
}

/// Why a question failed. Where a table or a column is missing because a migration is, it says which, and the cure.
pub(super) fn explained(client: &ClickHouseClient, error: ClickHouseError) -> ClickHouseError {
    let is_not_there = error.code().is_some_and(|code| NOT_THERE.contains(&code));
    match is_not_there.then(|| first_missing(client)).flatten() {
        Some(name) => schema(
            client,
            format!(
                "its tables are those of an earlier version: migration {name} is not applied; run: mailpulse store migrate"
            ),
        ),
        None => error,
    }
}

/// The first migration that is not applied in a database that has some; none where that cannot be read.
fn first_missing(client: &ClickHouseClient) -> Option<&'static str> {
    let mut known = applied(client, "schema_migrations").ok()?;
    if !columns_of(client, "schema_additions").ok()?.is_empty() {
        known.extend(applied(client, "schema_additions").ok()?);
    }
    let names = ALL.iter().chain(&ADDITIONS).map(|(name, _)| *name);
    names
        .filter(|name| !OPTIONAL.contains(name))
        .find(|name| known.iter().all(|(applied, _)| applied != name))
}

/// Names and hashes of what was applied; by two hosts at once, twice.
fn applied(client: &ClickHouseClient, table: &str) -> Result<Vec<(String, String)>, ClickHouseError> {
    let database = &client.endpoint().database;
    let rows = client.rows(&format!("SELECT name, hash FROM {database}.{table} ORDER BY name"), &[])?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = rows["data"].as_array().cloned().unwrap_or_default();
    Ok(rows.iter().map(|row| (text(&row[0]), text(&row[1]))).collect())
}

/// The schema and the tokens need a server of this year, at least.
const YEAR_MIN: u32 = 23;

fn refuse_old(client: &ClickHouseClient) -> Result<(), ClickHouseError> {
    let answer = client.rows("SELECT version()", &[])?;
    let version = answer["data"][0][0].as_str().unwrap_or_default();
    let year = version.split('.').next().and_then(|year| year.parse::<u32>().ok());
    match year.is_some_and(|year| year >= YEAR_MIN) {
        true => Ok(()),
        false => Err(schema(
            client,
            format!(
                "ClickHouse {version} is too old for the schema and for sending exactly once: use {YEAR_MIN}.3 or newer"
            ),
        )),
    }
}

/// Tables of these names that no migration made are somebody else's.
fn refuse_foreign(client: &ClickHouseClient) -> Result<(), ClickHouseError> {
    let database = &client.endpoint().database;
    let sql = format!(
        "SELECT name FROM system.tables WHERE database = '{database}' AND name IN ('events_log', 'events', 'rates', \
         'rates_minute', 'rates_hour', 'rates_day', 'witnesses_minute', 'sources', 'sources_minute') LIMIT 1"
    );
    let answer = client.rows(&sql, &[])?;
    match answer["data"][0][0].as_str() {
        None => Ok(()),
        Some(table) => Err(schema(
            client,
            format!("mailpulse did not create the table {database}.{table}; name another database in the URL"),
        )),
    }
}

fn statements(text: &str, client: &ClickHouseClient, plan: &MigrationPlan) -> Vec<String> {
    let replicated = plan.cluster.is_some();
    let engine = |name: &str| {
        if replicated {
            format!("Replicated{name}")
        } else {
            name.to_owned()
        }
    };
    let deduplication = match replicated {
        false => format!("non_replicated_deduplication_window = {WINDOW_MIN}"),
        // A host may be cut off for a day and send then.
        true => {
            format!("replicated_deduplication_window = {WINDOW_MIN}, replicated_deduplication_window_seconds = 604800")
        }
    };
    let text = text
        .replace("{database}", &client.endpoint().database)
        .replace("{on_cluster}", &on_cluster(plan))
        .replace("{collapsing}", &engine("CollapsingMergeTree"))
        .replace("{summing}", &engine("SummingMergeTree"))
        .replace("{deduplication}", &deduplication)
        .replace("{retain_days}", &plan.retain_days.to_string())
        .replace("{read_from}", if replicated { "all_" } else { "" });
    let mut statements: Vec<String> = text
        .split(";\n")
        .map(bare)
        .filter(|part| !part.is_empty())
        .map(|statement| if_missing(&statement))
        .collect();
    if let Some(cluster) = &plan.cluster {
        let database = &client.endpoint().database;
        // In front of each table one that reads all shards; the views read that one.
        let made = statements
            .iter()
            .filter_map(|statement| statement.strip_prefix("CREATE TABLE IF NOT EXISTS "));
        let tables = made.filter_map(|rest| rest.split([' ', '\n']).next()?.split('.').nth(1));
        let fronts: Vec<String> = tables
            .map(|table| {
                format!(
                    "CREATE TABLE IF NOT EXISTS {database}.all_{table} ON CLUSTER '{cluster}' AS {database}.{table} ENGINE = \
                     Distributed('{cluster}', '{database}', '{table}', rand())"
                )
            })
            .collect();
        let at = statements
            .iter()
            .position(|statement| !statement.starts_with("CREATE TABLE"));
        let at = at.unwrap_or(statements.len());
        statements.splice(at..at, fronts);
    }
    statements
}

/// A statement that does nothing where its work is done. The files stay as they are: their hashes are noted.
fn if_missing(statement: &str) -> String {
    for what in ["CREATE TABLE ", "CREATE VIEW ", "CREATE MATERIALIZED VIEW "] {
        if let Some(rest) = statement
            .strip_prefix(what)
            .filter(|rest| !rest.starts_with("IF NOT EXISTS "))
        {
            return format!("{what}IF NOT EXISTS {rest}");
        }
    }
    statement.to_owned()
}

/// A statement without the comments before it.
fn bare(statement: &str) -> String {
    let lines: Vec<&str> = statement
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .collect();
    lines.join("\n").trim().trim_end_matches(';').to_owned()
}

fn on_cluster(plan: &MigrationPlan) -> String {
    plan.cluster
        .as_ref()
        .map_or(String::new(), |cluster| format!(" ON CLUSTER '{cluster}'"))
}

fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().chars().take(16).collect()
}

fn schema(client: &ClickHouseClient, what: String) -> ClickHouseError {
    ClickHouseError::Schema {
        endpoint: client.endpoint().clone(),
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::clickhouse::{ClientOptions, Endpoint};

    fn all(cluster: Option<&str>) -> Vec<String> {
        let endpoint = Endpoint::parse("clickhouse://ch/mail").unwrap();
        let client = ClickHouseClient::new(&endpoint, &ClientOptions::default()).unwrap();
        let plan = MigrationPlan {
            cluster: cluster.map(str::to_owned),
            retain_days: 90,
        };
        let texts = ALL.iter().chain(&ADDITIONS);
        let texts = texts.flat_map(|(_, text)| statements(text, &client, &plan));
        texts.collect()
    }

    #[test]
    fn every_statement_may_be_run_again() {
        for statement in all(None).into_iter().chain(all(Some("main"))) {
            let again = [
                "IF NOT EXISTS ",
                "IF EXISTS ",
                "OR REPLACE ",
                " MODIFY QUERY",
                "MATERIALIZE INDEX ",
            ]
            .iter()
            .any(|word| statement.contains(word))
                || statement.starts_with("GRANT");
            assert!(
                again,
                "this fails, or counts twice, when it is run again after a kill: {statement}"
            );
        }
    }

    #[test]
    fn reasons_are_renamed_as_the_embedded_store_renames_them() {
        let (_, text) = ADDITIONS.iter().find(|(name, _)| *name == "007_reasons").unwrap();
        let list = |names: Vec<&str>| format!("['{}']", names.join("', '"));
        let renamed = mailpulse_parsers::reply::RENAMED;
        let stored = list(renamed.iter().map(|(old, _)| *old).collect());
        let today = list(renamed.iter().map(|(_, reason)| reason.as_str()).collect());
        assert!(text.contains(&stored) && text.contains(&today), "{stored} {today}");
    }

    #[test]
    fn the_columns_of_a_table_are_those_of_its_statement() {
        let statements = all(None);
        let tables: Vec<_> = statements.iter().filter_map(|statement| table_of(statement)).collect();
        let names: Vec<&str> = tables.iter().map(|(name, _)| *name).collect();
        assert_eq!(names[..3], ["events_log", "rates_minute", "sources_minute"]);
        assert_eq!(tables[0].1[..3], ["sign", "log", "log_offset"]);
        assert!(tables[2].1.ends_with(&["heartbeats", "lag_ms"]), "{:?}", tables[2].1);
    }
}

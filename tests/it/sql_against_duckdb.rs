//! SQL of a user's own beside DuckDB over what `store export` writes: the same rows, or a refusal; never another answer.

mod generated;
mod written;

use crate::util::Place;
use mailpulse::query::{QueryError, Window, ask};
use mailpulse::simulate::{Outage2018, outage_2018};
use mailpulse::store::Store;
use mailpulse::store::columnar::{Table, Values};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::LazyLock;

/// A day and the night, with little mail: a thousand queries are asked.
static STORE: LazyLock<Place> = LazyLock::new(|| {
    let place = Place::new();
    let spec = Outage2018 {
        seed: 9,
        history_days: 1,
        mails_per_day_scale: 0.02,
    };
    outage_2018(&place.path("logs"), &spec).expect("logs");
    let config = std::fs::read_to_string(place.path("logs/mailpulse.toml")).expect("its configuration");
    let config = config.replace("paths = [\"", "paths = [\"logs/");
    place.write("mailpulse.toml", format!("{}{config}", crate::util::KEEP_ALONE));
    place.run(&["backfill"]).ends(0);
    place
});

/// Both sides of a query.
struct Compared {
    query: String,
    /// Rows here, or why there are none.
    here: Result<Vec<Vec<Value>>, String>,
    /// Rows there.
    there: Value,
}

impl Compared {
    /// What is wrong, if something is.
    fn fault(&self) -> Option<String> {
        let Ok(here) = &self.here else {
            let line = self.here.as_ref().unwrap_err();
            let short = line.lines().count() == 1 && line.len() < 500;
            return (!short).then(|| format!("{}\n  is refused in many words: {line}", self.query));
        };
        let Some(there) = self.there["rows"].as_array() else {
            return Some(format!(
                "{}\n  is answered, and DuckDB says {}",
                self.query, self.there["error"]
            ));
        };
        let there: Vec<Vec<Value>> = there.iter().filter_map(|row| row.as_array().cloned()).collect();
        let (mut here, mut there) = (here.clone(), there);
        if !self.query.contains("ORDER BY") || self.query.contains("OVER (") {
            here.sort_by_key(|row| sortable(row));
            there.sort_by_key(|row| sortable(row));
        }
        let differs = here.len() != there.len() || here.iter().zip(&there).any(|(a, b)| !same_row(a, b));
        differs.then(|| {
            let at = here.iter().zip(&there).position(|(a, b)| !same_row(a, b)).unwrap_or(0);
            let row = |rows: &[Vec<Value>]| rows.get(at).map(|row| Value::Array(row.clone()).to_string());
            format!(
                "{}\n  {} rows here, {} there; the first that differs: {:?} and {:?}",
                self.query,
                here.len(),
                there.len(),
                row(&here),
                row(&there)
            )
        })
    }
}

/// Numbers are equal as numbers, whatever their types.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0),
        _ => a == b,
    }
}

fn same_row(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}

fn sortable(row: &[Value]) -> String {
    let cell = |value: &Value| match value.as_f64() {
        Some(number) => format!("{number:024.6}"),
        None => value.to_string(),
    };
    row.iter().map(cell).collect::<Vec<_>>().join("\u{1}")
}

fn rows(table: &Table) -> Vec<Vec<Value>> {
    let cell = |values: &Values, row: usize| match values {
        Values::Int(v) => v[row].map(Value::from),
        Values::Float(v) => v[row].map(Value::from),
        Values::Text(v) => v[row].clone().map(Value::from),
        Values::Bool(v) => v[row].map(Value::from),
    };
    let row = |row| {
        table
            .columns
            .iter()
            .map(|column| cell(&column.values, row).unwrap_or(Value::Null))
            .collect()
    };
    (0..table.rows()).map(row).collect()
}

fn here(store: &Store, query: &str) -> Result<Vec<Vec<Value>>, String> {
    match ask(store, query, Window::ALL) {
        Ok(answer) => Ok(rows(&answer.table)),
        Err(QueryError::Question(why)) => Err(why),
        Err(other) => panic!("{query}: {other}"),
    }
}

/// Asks DuckDB all of them at once.
fn there(folder: &Path, sources: &Path, queries: &[String]) -> Vec<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/duckdb_answers.py");
    let mut child = crate::lab::engine("duckdb")
        .arg(script)
        .args([folder, sources])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let text = serde_json::to_vec(queries).expect("JSON");
    let mut stdin = child.stdin.take().expect("its input");
    let feeder = std::thread::spawn(move || stdin.write_all(&text));
    let output = child.wait_with_output().expect("its answers");
    feeder.join().expect("a thread").expect("all queries sent");
    assert!(output.status.success(), "{}", output.status);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn compared(queries: Vec<String>) -> Vec<Compared> {
    let place = &*STORE;
    let dir = tempfile::tempdir().expect("a folder");
    let export = dir.path().join("export");
    place
        .run(&["store", "export", export.to_str().expect("a path")])
        .ends(0);
    let sources = place
        .run(&["query", "--sql", "SELECT * FROM sources", "--format", "csv"])
        .ends(0)
        .out;
    let csv = dir.path().join("sources.csv");
    std::fs::write(&csv, sources).expect("a file");
    let theirs = there(&export, &csv, &queries);
    let store = place.store();
    queries
        .into_iter()
        .zip(theirs)
        .map(|(query, there)| Compared {
            here: here(&store, &query),
            query,
            there,
        })
        .collect()
}

fn told(compared: &[Compared], least: f64) {
    let faults: Vec<String> = compared.iter().filter_map(Compared::fault).collect();
    let refused: Vec<&Compared> = compared.iter().filter(|one| one.here.is_err()).collect();
    let share = 1.0 - refused.len() as f64 / compared.len() as f64;
    let some: Vec<String> = refused
        .iter()
        .take(12)
        .map(|one| format!("{}\n  {}", one.query, one.here.as_ref().unwrap_err()))
        .collect();
    assert!(
        faults.is_empty() && share >= least,
        "{} of {} answered ({:.1} %, wanted {:.0} %), {} wrong:\n{}\n\nrefused:\n{}",
        compared.len() - refused.len(),
        compared.len(),
        share * 100.0,
        least * 100.0,
        faults.len(),
        faults.iter().take(12).cloned().collect::<Vec<_>>().join("\n"),
        some.join("\n")
    );
}

#[test]
#[ignore = "lab: needs duckdb"]
fn a_thousand_generated_queries_are_answered_as_by_duckdb_or_refused() {
    let seed = crate::util::number_from("MAILPULSE_SQL_SEED", 7);
    let count = crate::util::number_from("MAILPULSE_SQL_QUERIES", 1000);
    told(&compared(generated::queries(seed, count)), 0.9);
}

#[test]
#[ignore = "lab: needs duckdb"]
fn queries_as_people_write_them_are_answered_as_by_duckdb() {
    let queries: Vec<String> = written::QUERIES.iter().map(|query| (*query).to_owned()).collect();
    assert_eq!(queries.len(), 60);
    told(&compared(queries), 1.0);
}

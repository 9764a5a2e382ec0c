//! The reference of the configuration in docs/configuration.md: generated from the JSON schema, as are the checks that its
//! defaults and examples hold. `MAILPULSE_BLESS=1` writes it anew.

use crate::logs::root;
use mailpulse::config::{Config, json_schema};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const BEGIN: &str = "<!-- Generated from the schema. MAILPULSE_BLESS=1 tests/run reference -->\n";
const END: &str = "<!-- End of the generated part. -->\n";

/// A table of the configuration, and the way to it: names of tables, the last of which has the keys.
struct Table<'s> {
    path: Vec<&'s str>,
    title: String,
    about: &'s Value,
    schema: &'s Value,
}

impl<'s> Table<'s> {
    /// Its keys: required ones first.
    fn keys(&self) -> Vec<(&'s str, &'s Value)> {
        let properties = self.schema["properties"].as_object().expect("keys");
        let mut keys: Vec<_> = properties.iter().map(|(key, schema)| (key.as_str(), schema)).collect();
        keys.sort_by_key(|(key, _)| !self.is_required(key));
        keys
    }

    fn is_required(&self, key: &str) -> bool {
        let required = self.schema["required"].as_array();
        required.is_some_and(|required| required.iter().any(|name| name == key))
    }
}

/// The items of a list, or the value itself.
fn item(schema: &Value) -> &Value {
    schema.get("items").unwrap_or(schema)
}

/// All tables that have keys of their own.
fn tables(schema: &Value) -> Vec<Table<'_>> {
    let mut all = Vec::new();
    for (name, schema) in schema["properties"].as_object().expect("tables") {
        let brackets = if schema["type"] == "array" {
            ("[[", "]]")
        } else {
            ("[", "]")
        };
        let table = item(schema);
        all.push(Table {
            path: vec![name],
            title: format!("`{}{name}{}`", brackets.0, brackets.1),
            about: &schema["description"],
            schema: table,
        });
        for (key, schema) in table["properties"].as_object().expect("keys") {
            if item(schema).get("properties").is_some() {
                let title = match schema["type"] == "array" && key != "match" {
                    true => format!("`[[{name}.{key}]]`"),
                    false if key == "match" => "Entries of `match`".to_owned(),
                    false => format!("`[{name}.{key}]`"),
                };
                all.push(Table {
                    path: vec![name, key],
                    title,
                    about: &item(schema)["description"],
                    schema: item(schema),
                });
            }
        }
    }
    let conditions = conditions(schema);
    all.push(Table {
        path: vec!["source", "failed_when"],
        title: "Conditions of `submitted_when`, `failed_when`, and `retried_when`".to_owned(),
        about: &conditions["description"],
        schema: conditions,
    });
    all
}

/// What a condition on a field may say.
fn conditions(schema: &Value) -> &Value {
    let source = &schema["properties"]["source"]["items"]["properties"];
    let variants = &source["failed_when"]["items"]["additionalProperties"]["anyOf"];
    let mut variants = variants.as_array().expect("variants").iter();
    variants
        .find(|schema| schema["type"] == "object")
        .expect("a table of conditions")
}

/// A value as TOML writes it.
fn toml(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Object(keys) => {
            let keys = keys.iter().map(|(key, value)| match key.contains('.') {
                true => format!("\"{key}\" = {}", toml(value)),
                false => format!("{key} = {}", toml(value)),
            });
            format!("{{ {} }}", keys.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// The unit of a number, which the name of its key ends in.
fn unit(key: &str, schema: &Value) -> &'static str {
    let name = key
        .strip_suffix("_max")
        .or_else(|| key.strip_suffix("_min"))
        .unwrap_or(key);
    if !matches!(schema["type"].as_str(), Some("integer" | "number")) {
        return "";
    }
    match name.rsplit('_').next() {
        _ if key.starts_with("false_alarms_per") => "false alarms",
        Some("mib") => "MiB",
        Some("ms") => "ms",
        Some("s") => "s",
        Some("days") => "days",
        Some("minutes") => "minutes",
        Some("rows") => "rows",
        Some("messages") => "messages",
        Some("services") => "services",
        Some("hosts") => "hosts",
        Some("files") => "files",
        Some("relays") => "relays",
        Some("year") => "year",
        Some("connections") => "connections",
        Some("streams") => "streams",
        Some("questions") => "questions",
        _ => panic!("`{key}` ends in no unit"),
    }
}

fn kind(schema: &Value) -> String {
    match schema["type"].as_str() {
        Some("array") if item(schema)["type"] == "object" => "list of tables".to_owned(),
        Some("array") => "list of strings".to_owned(),
        Some("object") => "table".to_owned(),
        Some("number") => "float".to_owned(),
        Some(plain @ ("integer" | "string" | "boolean")) => plain.to_owned(),
        // Words that are described one by one have no type of their own.
        None if schema.get("oneOf").is_some() => "string".to_owned(),
        other => panic!("{other:?}: {schema:#}"),
    }
}

/// The words that a value must be one of, with their descriptions.
fn words(schema: &Value) -> String {
    let schema = item(schema);
    let mut words = Vec::new();
    for word in schema["enum"].as_array().into_iter().flatten() {
        words.push(format!("`{}`", word.as_str().expect("a word")));
    }
    for word in schema["oneOf"].as_array().into_iter().flatten() {
        let text = word["description"].as_str().unwrap_or_default().trim_end_matches('.');
        if !text.starts_with("Refused") {
            words.push(format!(
                "`{}` ({})",
                word["const"].as_str().expect("a word"),
                lower(text)
            ));
        }
    }
    match words.is_empty() {
        true => String::new(),
        false => format!(" Values: {}.", words.join(", ")),
    }
}

/// With a small letter at the front, unless the word is an abbreviation.
fn lower(text: &str) -> String {
    match text.get(..1) {
        Some(first) if !text.starts_with("HTTP") => format!("{}{}", first.to_lowercase(), &text[1..]),
        _ => text.to_owned(),
    }
}

fn default(table: &Table<'_>, key: &str, schema: &Value) -> String {
    match (schema.get("default"), schema["x-default"].as_str()) {
        _ if table.is_required(key) => "required".to_owned(),
        (Some(value), _) => format!("`{}`", toml(value)),
        (None, Some(text)) => text.to_owned(),
        (None, None) => "none".to_owned(),
    }
}

fn limits(schema: &Value) -> String {
    match (&schema["minimum"], &schema["maximum"]) {
        (Value::Number(low), Value::Number(high)) => format!("{low} to {high}"),
        _ => String::new(),
    }
}

fn row(table: &Table<'_>, key: &str, schema: &Value) -> String {
    let text = schema["description"]
        .as_str()
        .expect("a description")
        .replace('\n', " ");
    let example = match schema["examples"][0] {
        Value::Null => String::new(),
        ref example => format!("`{key} = {}`", toml(example)),
    };
    let cells = [
        format!("`{key}`"),
        kind(schema),
        default(table, key, schema),
        unit(key, schema).to_owned(),
        limits(schema),
        text + &words(schema),
        example,
    ];
    cells.iter().fold("|".to_owned(), |row, cell| {
        assert!(!cell.contains('|'), "{cell}");
        format!("{row} {cell} |")
    })
}

fn reference() -> String {
    let schema: Value = serde_json::from_str(&json_schema()).unwrap();
    let mut text = String::new();
    for table in tables(&schema) {
        let about = table.about.as_str().expect("a description").replace('\n', " ");
        _ = write!(text, "\n### {}\n\n{about}\n\n", table.title);
        text.push_str(
            "| Key | Type | Default | Unit | Limits | Description | Example |\n|---|---|---|---|---|---|---|\n",
        );
        for (key, schema) in table.keys() {
            text.push_str(&row(&table, key, schema));
            text.push('\n');
        }
    }
    text.push('\n');
    text
}

#[test]
fn the_reference_is_that_of_the_schema() {
    let path = root().join("docs/configuration.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the begin of the generated part");
    let (old, after) = rest.split_once(END).expect("the end of the generated part");
    let new = reference();
    if std::env::var_os("MAILPULSE_BLESS").is_some() {
        fs::write(&path, [before, BEGIN, &new, END, after].concat()).unwrap();
        return;
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let differs = old.iter().zip(&new).find(|(old, new)| old != new);
    assert!(
        differs.is_none() && old.len() == new.len(),
        "{differs:?}; MAILPULSE_BLESS=1 writes the reference anew"
    );
}

/// A configuration that is complete but for the keys of a table, and that a key of it makes sense in.
fn around(table: &Table<'_>, key: &str) -> toml::Table {
    let text = match (table.path.as_slice(), key) {
        (["source"], "service" | "relay") => "[[source]]\nkind = \"slimapp\"\npaths = [\"/x/*.log\"]",
        (["source"], "undated") => {
            "[[source]]\nkind = \"pattern\"\npaths = [\"/x/*.log\"]\n\
             template = [{ outcome = \"failed\", text = \"no mail to {recipient}\" }]"
        }
        (["source"], "starts") | (["source", "template"], _) => {
            "[[source]]\nkind = \"pattern\"\npaths = [\"/x/*.log\"]\n\
             template = [{ outcome = \"failed\", text = \"{time:%Y-%m-%d %H:%M:%S} no mail to {recipient}\" }]"
        }
        (["source"], "fields" | "submitted_when" | "failed_when" | "retried_when") | (["source", "fields"], _) => {
            "[[source]]\nkind = \"json\"\npaths = [\"/x/*.log\"]\nfields = { time = \"time\" }\n\
             failed_when = [{ event = \"mail.lost\" }]"
        }
        (["source", "failed_when"], _) => {
            "[[source]]\nkind = \"json\"\npaths = [\"/x/*.log\"]\nfailed_when = [{ event = { } }]"
        }
        (["source"], "directory" | "units" | "identifiers") => "[[source]]\nkind = \"exim\"\njournal = true",
        (["source"], "host_from") => "[[source]]\nkind = \"exim\"",
        (["source"], _) => "[[source]]\nkind = \"exim\"\npaths = [\"/x/mainlog*\"]",
        (["service", ..], _) => "[[service]]\nname = \"shop\"\nmatch = [{ sender = \"shop@*\" }]",
        (["hostgroup"], "name" | "hosts" | "networks") => "[[hostgroup]]\nname = \"web\"\nhosts = [\"web*\"]",
        (["hostgroup"], _) => "[[hostgroup]]\nname = \"web\"",
        (["host_alias"], _) => "[[host_alias]]\nname = \"mx1\"\nalso = [\"10.64.0.5\"]",
        (["provider"], _) => "[[provider]]\nname = \"office365\"\nmx = [\"*.mx.example.org\"]",
        (["alert"], "command") => "[[alert]]\nkind = \"exec\"",
        (["alert"], "key_file" | "format") => "[[alert]]\nkind = \"webhook\"\nurl = \"https://hook.example.org/\"",
        (["heartbeat"], _) => "[[heartbeat]]\nurl = \"https://beat.example.org/\"",
        (["alert"], _) => "[[alert]]\nkind = \"alertmanager\"\nurl = \"https://am.example.org/\"",
        (["schedule"], _) => "[[schedule]]\nservice = \"shop\"\ntime = \"06:10\"",
        (["silence"], _) => "[[silence]]\nservice = \"shop\"\nhours = \"22:00-02:00\"",
        ([plain], _) => &format!("[{plain}]"),
        (path, _) => panic!("{path:?}"),
    };
    text.parse().expect("TOML")
}

/// The table's keys in the configuration around them.
fn inner<'t>(table: &Table<'_>, around: &'t mut toml::Table) -> &'t mut toml::Table {
    let mut at = around;
    for name in &table.path {
        let next = at.entry(*name).or_insert_with(|| toml::Table::new().into());
        at = match next {
            toml::Value::Array(list) => list[0].as_table_mut(),
            plain => plain.as_table_mut(),
        }
        .expect("a table");
    }
    // A condition is a table below the name of a field.
    match table.path.as_slice() {
        ["source", "failed_when"] => at["event"].as_table_mut().expect("a condition"),
        _ => at,
    }
}

/// The configuration with one key set, or without it; loaded from the same file each time, as text without places. What is
/// wrong with it is an answer too: a log without times is an error unless `undated` is set.
fn loaded(folder: &Path, table: &Table<'_>, key: &str, value: Option<&Value>) -> Result<String, Vec<String>> {
    let mut config = around(table, key);
    let place = inner(table, &mut config);
    if let Some(value) = value {
        let line: toml::Table = format!("key = {}", toml(value)).parse().expect("TOML");
        place.insert(key.to_owned(), line["key"].clone());
        if key == "journal" && *value == Value::Bool(true) {
            place.remove("paths");
        }
    }
    let path = folder.join("mailpulse.toml");
    fs::write(&path, config.to_string()).unwrap();
    let config =
        Config::load(&path).map_err(|errors| errors.into_iter().map(|error| error.what).collect::<Vec<_>>())?;
    let mut shown = format!("{config:?}");
    while let Some((begin, rest)) = shown.split_once("place: Some(\"") {
        shown = format!("{begin}place: None{}", rest.split_once("\")").expect("a place").1);
    }
    Ok(shown)
}

/// The files that examples name.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("holidays.txt"), "2026-12-25\n").unwrap();
    fs::write(folder.path().join("germany.ics"), "2026-10-03\n").unwrap();
    fs::write(folder.path().join("hosts.json"), r#"{"web": {"hosts": ["web1"]}}"#).unwrap();
    folder
}

/// A key that is set to its documented default changes nothing, and one that is set to its example does.
#[test]
fn documented_defaults_are_those_of_an_empty_configuration() {
    let folder = folder();
    let schema: Value = serde_json::from_str(&json_schema()).unwrap();
    let mut seen = BTreeSet::new();
    for table in tables(&schema) {
        for (key, schema) in table.keys() {
            let is_scalar = !matches!(schema["type"].as_str(), Some("array" | "object"));
            let is_text = schema["type"] == "string" && schema.get("enum").is_none();
            let Some(value) = schema.get("default") else {
                let explained = schema.get("x-default").is_some() || table.is_required(key);
                let condition = table.path.contains(&"failed_when");
                assert!(
                    !is_scalar || is_text || explained || condition,
                    "`{key}` has no default"
                );
                continue;
            };
            let without = loaded(folder.path(), &table, key, None);
            let with = loaded(folder.path(), &table, key, Some(value));
            assert!(
                without == with,
                "the default of `{key}` of {} is not {value}",
                table.title
            );
            let other = loaded(folder.path(), &table, key, Some(&schema["examples"][0]));
            assert!(
                without != other,
                "the example of `{key}` of {} changes nothing",
                table.title
            );
            seen.insert(key);
        }
    }
    for key in [
        "segment_rows_max",
        "poll_ms",
        "local_parts",
        "relays_min",
        "timezone",
        "undated",
    ] {
        assert!(seen.contains(key), "{key}: {seen:?}");
    }
    assert_eq!(
        format!("{:?}", Config::empty().store),
        format!("{:?}", mailpulse::config::StoreConfig::default())
    );
}

#[test]
fn every_key_has_an_example_that_loads() {
    let folder = folder();
    let schema: Value = serde_json::from_str(&json_schema()).unwrap();
    for table in tables(&schema) {
        for (key, schema) in table.keys() {
            match schema["examples"].as_array().and_then(|examples| examples.first()) {
                Some(example) => {
                    let loaded = loaded(folder.path(), &table, key, Some(example));
                    assert!(loaded.is_ok(), "`{key} = {}`: {:#?}", toml(example), loaded.err());
                }
                None => assert!(item(schema).get("properties").is_some(), "`{key}` has no example"),
            }
        }
    }
}

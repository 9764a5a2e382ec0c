//! Checks keys, types, words and ranges of the merged tree by the JSON schema of `raw`, and takes out what is wrong, so
//! that the rest can be read and checked further. serde alone would stop at the first mistake.

use std::collections::HashSet;
use std::ops::Range;

use serde::Deserialize;
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::errors::{nearest, shown, suggestion};
use super::raw::RawConfig;
use super::report::Report;
use super::schema::{SCHEMA, item, useful_words, words};

/// Where the tables begin from which something was taken out: that a key is missing there has been said already.
pub(super) type IncompleteTables = HashSet<usize>;

/// Reads the tree; what is wrong is reported and left out.
pub(super) fn read(tree: DeTable<'_>, report: &mut Report<'_>) -> (RawConfig, IncompleteTables) {
    let mut shape = ShapeChecker {
        report,
        incomplete: IncompleteTables::new(),
    };
    let mut root = tree;
    shape.table(&mut root, &(0..0), &SCHEMA, "");
    let incomplete = shape.incomplete;
    let raw = RawConfig::deserialize(toml::de::Deserializer::from(Spanned::new(0..0, root)));
    let raw = raw.unwrap_or_else(|error| {
        let at = error.span().unwrap_or_default();
        report.add(&at, shown(error.message()), "correct the value");
        RawConfig::default()
    });
    (raw, incomplete)
}

struct ShapeChecker<'r, 't> {
    report: &'r mut Report<'t>,
    incomplete: IncompleteTables,
}

impl ShapeChecker<'_, '_> {
    /// Checks a table; `label` is how messages call it, empty for the root.
    fn table(&mut self, table: &mut DeTable<'_>, at: &Range<usize>, schema: &Value, label: &str) {
        let empty = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&empty);
        let mut bad: Vec<Spanned<std::borrow::Cow<'_, str>>> = Vec::new();
        let mut meant = HashSet::new();
        for (key, value) in table.iter_mut() {
            // A free-form table takes any key.
            let free = schema.get("additionalProperties").filter(|schema| schema.is_object());
            let good = match properties.get(key.get_ref().as_ref()).or(free) {
                Some(schema) => self.value(key, value, schema, &inner(label, key.get_ref(), schema)),
                None => {
                    meant.extend(nearest(key.get_ref(), properties.keys().map(String::as_str)));
                    self.unknown(key, properties, schema, label);
                    false
                }
            };
            if !good {
                bad.push(Spanned::new(key.span(), key.get_ref().to_string().into()));
            }
        }
        let required = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        for key in required.filter(|key| !table.contains_key(*key) && !meant.contains(key)) {
            self.report
                .add(at, format!("{label} has no `{key}`"), format!("add `{key} = …`"));
        }
        if !bad.is_empty() {
            self.incomplete.insert(at.start);
        }
        for key in bad {
            table.remove(&key);
        }
    }

    fn unknown(
        &mut self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        properties: &Map<String, Value>,
        schema: &Value,
        label: &str,
    ) {
        let name = key.get_ref();
        let known = properties.keys().map(String::as_str);
        let elsewhere = SCHEMA["properties"].as_object().into_iter().flatten();
        let mut elsewhere = elsewhere.filter(|(_, schema)| item(schema)["properties"].get(name.as_ref()).is_some());
        let hint = match (nearest(name, known.clone()), elsewhere.next()) {
            (None, _) if schema["x-unknown"].is_string() => {
                let mistaken = schema["x-unknown"].as_str().unwrap_or_default();
                let known: Vec<&str> = known.collect();
                format!("known are {}; {mistaken}", known.join(", "))
            }
            (None, Some((table, schema))) => format!("it belongs to {}", inner("", table, schema)),
            _ if label.is_empty() => suggestion(name, known, "known tables"),
            _ => suggestion(name, known, &format!("known keys of {label}")),
        };
        self.report
            .add(&key.span(), format!("unknown key `{}`", shown(name)), hint);
    }

    /// Checks a value; `false` if it has to be taken out.
    fn value(
        &mut self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &mut Spanned<DeValue<'_>>,
        schema: &Value,
        label: &str,
    ) -> bool {
        let at = value.span();
        let name = shown(key.get_ref());
        let schema = variant(schema, value.get_ref());
        let expected = schema["type"].as_str().unwrap_or("string");
        match (expected, value.get_mut()) {
            ("object", DeValue::Table(table)) => self.table(table, &at, schema, label),
            ("array", DeValue::Array(array)) => {
                let all = std::mem::replace(array, std::iter::empty().collect());
                let given = all.len();
                for mut item in all {
                    if self.value(key, &mut item, &schema["items"], label) {
                        array.push(item);
                    }
                }
                return given == 0 || !array.is_empty();
            }
            ("string", DeValue::String(text)) => return self.word(&name, text, &at, schema),
            ("boolean", DeValue::Boolean(_)) => {}
            ("integer" | "number", DeValue::Integer(number)) => {
                let digits = number.as_str().replace('_', "");
                let number = i64::from_str_radix(&digits, number.radix()).map_or(f64::INFINITY, |n| n as f64);
                return self.range(&name, number, &at, schema);
            }
            ("number", DeValue::Float(number)) => {
                let number = number.as_str().replace('_', "").parse().unwrap_or(f64::NAN);
                return self.range(&name, number, &at, schema);
            }
            (_, found) => {
                let what = format!("`{name}` is {}, but must be {}", kind_of(found), kind_named(expected));
                let hint = cure_of(&name, schema, found, label);
                self.report.add(&at, what, hint);
                return false;
            }
        }
        true
    }

    fn word(&mut self, name: &str, text: &str, at: &Range<usize>, schema: &Value) -> bool {
        let good = words(schema).next().is_none() || words(schema).any(|(word, _)| word == text);
        if !good {
            let useful: Vec<&str> = useful_words(schema);
            let hint = suggestion(text, useful.iter().copied(), "known");
            self.report
                .add(at, format!("unknown `{name} = \"{}\"`", shown(text)), hint);
        }
        good
    }

    fn range(&mut self, name: &str, number: f64, at: &Range<usize>, schema: &Value) -> bool {
        let (low, high) = (&schema["minimum"], &schema["maximum"]);
        let good = number.is_finite()
            && low.as_f64().is_none_or(|low| number >= low)
            && high.as_f64().is_none_or(|high| number <= high);
        if !good {
            self.report.add(
                at,
                format!("`{name}` is out of range"),
                format!("write a number from {low} to {high}"),
            );
        }
        good
    }
}

/// Of several shapes that a value may have, the one meant: a table, or the other.
fn variant<'s>(schema: &'s Value, value: &DeValue<'_>) -> &'s Value {
    let Some(variants) = schema["anyOf"].as_array() else {
        return schema;
    };
    let is_table = matches!(value, DeValue::Table(_));
    let meant = variants.iter().find(|schema| (schema["type"] == "object") == is_table);
    meant.unwrap_or(schema)
}

/// The name of a table in messages: `[store]`, `[[service]]`, `[[service]] match`.
fn inner(label: &str, key: &str, schema: &Value) -> String {
    match (label, schema["type"] == "array") {
        ("", true) => format!("[[{key}]]"),
        ("", false) => format!("[{key}]"),
        _ => format!("{label} {key}"),
    }
}

fn kind_named(expected: &str) -> &'static str {
    match expected {
        "object" => "a table",
        "array" => "a list",
        "string" => "a string",
        "boolean" => "true or false",
        "integer" => "an integer",
        _ => "a number",
    }
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn cure_of(name: &str, schema: &Value, found: &DeValue<'_>, label: &str) -> String {
    match (schema["type"].as_str().unwrap_or("string"), found) {
        ("array", DeValue::String(text)) => format!("write `{name} = [\"{}\"]`", shown(text)),
        ("array", DeValue::Table(_))
            if item(schema)["type"] == "object" && label.starts_with("[[") && !label.contains(' ') =>
        {
            format!("write {label}, in double brackets")
        }
        // Few keys of their own: the form of one line. Texts of some length: a table each.
        ("array", DeValue::Table(_)) if name == "template" => {
            "write [[source.template]], in double brackets".to_owned()
        }
        ("array", DeValue::Table(_)) => format!("write `{name} = [{{ … }}]`"),
        ("array", _) => format!("write `{name} = […]`"),
        ("object", DeValue::Array(_)) if !label.contains(' ') => format!("write [{name}], in single brackets"),
        ("object", _) => "write a table: `{ key = \"value\" }`".to_owned(),
        ("string", DeValue::Array(_)) => format!("write one string: `{name} = \"…\"`"),
        ("string", _) => match useful_words(schema).as_slice() {
            [] => "put it in quotes".to_owned(),
            words => format!("write one of: \"{}\"", words.join("\", \"")),
        },
        ("boolean", _) => "write true or false, without quotes".to_owned(),
        _ => "write a number without quotes".to_owned(),
    }
}

//! The JSON schema of the configuration, made of the structs in `raw`.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::raw::RawConfig;

/// The schema, without references and null.
pub(super) static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let settings = SchemaSettings::draft2020_12()
        .for_deserialize()
        .with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<RawConfig>().to_value();
    without_null(&mut schema);
    schema
});

/// The JSON schema of the configuration, for editors.
#[must_use]
pub fn json_schema() -> String {
    format!("{:#}\n", *SCHEMA)
}

/// TOML has no null; an optional key is just not there.
fn without_null(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else {
        return schema.as_array_mut().into_iter().flatten().for_each(without_null);
    };
    map.values_mut().for_each(without_null);
    if map.get("default").is_some_and(Value::is_null) {
        map.remove("default");
    }
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            map.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(mut any)) = map.remove("anyOf") {
        any.retain(|schema| schema["type"] != "null");
        match any.as_mut_slice() {
            [Value::Object(one)] => one.iter().for_each(|(key, value)| {
                map.entry(key.clone()).or_insert_with(|| value.clone());
            }),
            _ => {
                map.insert("anyOf".to_owned(), Value::Array(any));
            }
        }
    }
}

/// Schema of the items of a list, or the schema itself.
pub(super) fn item(schema: &Value) -> &Value {
    schema.get("items").unwrap_or(schema)
}

/// The words that a text must be one of, each with its description.
pub(super) fn words(schema: &Value) -> impl Iterator<Item = (&str, &str)> {
    let plain = schema["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|word| Some((word.as_str()?, "")));
    let variants = schema["oneOf"].as_array().into_iter().flatten();
    let documented = variants.filter_map(|variant| {
        Some((
            variant["const"].as_str()?,
            variant["description"].as_str().unwrap_or_default(),
        ))
    });
    plain.chain(documented)
}

/// Those to propose: a word may be known only to be refused with its reason.
pub(super) fn useful_words(schema: &Value) -> Vec<&str> {
    words(schema)
        .filter(|(_, text)| !text.starts_with("Refused"))
        .map(|(word, _)| word)
        .collect()
}

//! Logs of applications cut into records, shown in a line each; and the formats that `examples/*.toml` describe.

#![allow(dead_code, reason = "each test crate uses its part")]

use mailpulse_parsers::app::json::{self, Condition, Test};
use mailpulse_parsers::app::pattern::{self, Outcome, Template};
use mailpulse_parsers::app::{AppBody, AppRecord, Format, Time};
use mailpulse_parsers::harmless::safe_text;
use mailpulse_parsers::reply::classify;
use std::fmt::Write;
use std::path::Path;
use toml::{Table, Value};

/// The records of a log with the numbers of their lines, as a caller cuts them. Lines before the first are left out.
pub(crate) fn records(format: &Format, log: &[u8]) -> Vec<(usize, usize, Vec<u8>)> {
    let mut records: Vec<(usize, usize, Vec<u8>)> = Vec::new();
    for (at, line) in log.split(|byte| *byte == b'\n').enumerate() {
        if format.starts(line) {
            records.push((at + 1, at + 1, line.to_vec()));
        } else if let Some((_, last, record)) = records.last_mut() {
            *last = at + 1;
            record.push(b'\n');
            record.extend_from_slice(line);
        }
    }
    for (_, last, record) in &mut records {
        while record.ends_with(b"\n") {
            record.pop();
            *last -= 1;
        }
    }
    records
}

/// One line a record, and the rejects.
pub(crate) fn shown(format: &Format, log: &[u8]) -> (String, Vec<String>) {
    let (mut text, mut rejects) = (String::new(), Vec::new());
    for (first, last, record) in records(format, log) {
        match format.parse(&record) {
            Ok(parsed) if first == last => writeln!(text, "{first} {}", show(&parsed)).unwrap(),
            Ok(parsed) => writeln!(text, "{first}-{last} {}", show(&parsed)).unwrap(),
            Err(reject) => rejects.push(format!("line {first}\n{}", reject.picture(&record))),
        }
    }
    (text, rejects)
}

fn show(record: &AppRecord<'_>) -> String {
    let mut out = match record.time {
        Time::Full(s) => format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}{}",
            s.year,
            s.month,
            s.day,
            s.hour,
            s.minute,
            s.second,
            s.millis,
            s.offset_seconds
                .map_or_else(String::new, |offset| format!("{offset:+}"))
        ),
        Time::TimeOfDay(t) => format!("{:02}:{:02}:{:02}.{:03}", t.hour, t.minute, t.second, t.millis),
        Time::Undated => "undated".to_owned(),
    };
    let mut field = |name: &str, value: Option<&[u8]>| {
        if let Some(value) = value {
            let _ = write!(out, " {name}=\"{}\"", safe_text(value));
        }
    };
    field("host", record.host.as_deref());
    field("level", record.level.as_deref());
    field("logger", record.logger.as_deref());
    if let Some(mail) = record.mail() {
        field("key", mail.key.as_deref());
        field("from", mail.sender.as_deref());
        field("to", mail.recipient.as_deref());
        field("relay", mail.relay.as_deref());
        field("id", mail.message_id.as_deref());
        if let Some(count) = mail.recipients {
            let _ = write!(out, " recipients={count}");
        }
        if mail.will_retry {
            out.push_str(" will_retry");
        }
        if mail.needs_known_key {
            out.push_str(" needs_known_key");
        }
    }
    if let Some(matched) = record.matched {
        let _ = write!(out, " matched={matched}");
    }
    match &record.body {
        AppBody::Submitted(_) => out.push_str(" SUBMITTED"),
        AppBody::SubmitFailed(mail) => {
            let class = classify(&mail.reason).reason.as_str();
            let _ = write!(out, " FAILED {class}: {}", safe_text(&mail.reason));
        }
        AppBody::Other => out.push_str(" other"),
    }
    out
}

/// The format that `examples/NAME.toml` describes for the sample `corpus/app/examples/NAME[-N].log`: of its `N`th
/// source, from 1.
pub(crate) fn example(sample: &Path) -> Format {
    let stem = sample.file_stem().unwrap().to_str().unwrap();
    let (name, number) = match stem.rsplit_once('-') {
        Some((name, number)) if number.parse::<usize>().is_ok() => (name, number.parse().unwrap()),
        _ => (stem, 1),
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../examples/{name}.toml"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let config: Table = text
        .parse()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    format(config["source"][number - 1].as_table().unwrap())
}

/// The format of one `[[source]]`.
fn format(source: &Table) -> Format {
    let text = |key: &str| source.get(key).map(|value| value.as_str().unwrap().to_owned());
    match source["kind"].as_str().unwrap() {
        "pattern" => pattern::Patterns::new(&pattern::PatternDescription {
            templates: source["template"].as_array().unwrap().iter().map(template).collect(),
            starts: text("starts"),
            undated: source.get("undated").is_some_and(|value| value.as_bool().unwrap()),
        })
        .unwrap()
        .into(),
        "json" => json::Mapping::new(&mapping(source)).unwrap().into(),
        other => Format::named(other).unwrap(),
    }
}

fn template(value: &Value) -> Template {
    Template {
        text: value["text"].as_str().unwrap().to_owned(),
        outcome: match value["outcome"].as_str().unwrap() {
            "submitted" => Outcome::Submitted,
            "failed" => Outcome::Failed,
            "other" => Outcome::Other,
            other => panic!("{other}"),
        },
        retried: value.get("retried").is_some_and(|value| value.as_bool().unwrap()),
    }
}

fn mapping(source: &Table) -> json::JsonDescription {
    let mut fields = source["fields"].as_table().unwrap().clone();
    let mut take = |key: &str| fields.remove(key).map(|value| value.as_str().unwrap().to_owned());
    let conditions = |key: &str| {
        let lists = source
            .get(key)
            .map_or_else(Vec::new, |value| value.as_array().unwrap().clone());
        lists
            .iter()
            .map(|list| {
                list.as_table()
                    .unwrap()
                    .iter()
                    .map(|(field, test)| condition(field, test))
                    .collect()
            })
            .collect()
    };
    let description = json::JsonDescription {
        time: take("time"),
        time_format: take("time_format"),
        level: take("level"),
        logger: take("logger"),
        host: take("host"),
        message: take("message"),
        key: take("key"),
        sender: take("sender"),
        recipient: take("recipient"),
        relay: take("relay"),
        message_id: take("message_id"),
        reason: take("reason"),
        submitted_when: conditions("submitted_when"),
        failed_when: conditions("failed_when"),
        retried_when: conditions("retried_when"),
    };
    assert!(fields.is_empty(), "{fields:?}");
    description
}

fn condition(field: &str, test: &Value) -> Condition {
    let Value::Table(test) = test else {
        return Condition::pattern(field, test.as_str().unwrap());
    };
    let (kind, value) = test.iter().next().unwrap();
    let text = || value.as_str().unwrap().to_owned();
    Condition {
        field: field.to_owned(),
        test: match kind.as_str() {
            "equals" => Test::Equals(text()),
            "contains" => Test::Contains(text()),
            "glob" => Test::Glob(text()),
            "present" if value.as_bool() == Some(true) => Test::Present,
            "present" => Test::Absent,
            other => panic!("{other}"),
        },
    }
}

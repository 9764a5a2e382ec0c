//! Logs that the configuration describes: `kind = "pattern"` by templates, `kind = "json"` by a mapping of fields.
//!
//! The parsers check and compile a description; here it is taken from the keys of a `[[source]]`, and what the parsers
//! say of it gets its place in the file.

use std::ops::Range;

use mailpulse_parsers::app::json::{self, Condition, Mapping, Test};
use mailpulse_parsers::app::pattern::{self, Outcome, Patterns, Template};
use mailpulse_parsers::app::{BuildError, Format};

use super::at::At;
use super::raw::{RawSource, RawSourceKind};
use super::raw_formats::{RawConditions, RawFields, RawOutcome, RawTemplate, RawTest};
use super::report::Report;
use super::shape::IncompleteTables;

/// The format that a source of kind `pattern` or `json` describes; `None` if it is not right, which has been reported.
pub(super) fn described(
    kind: RawSourceKind,
    source: &RawSource,
    at: &Range<usize>,
    incomplete: &IncompleteTables,
    report: &mut Report<'_>,
) -> Option<Format> {
    match kind {
        RawSourceKind::Pattern => pattern(source, at, incomplete, report),
        RawSourceKind::Json => json(source, at, incomplete, report),
        _ => None,
    }
}

/// Reports the keys of a description at a source of another kind.
pub(super) fn refuse_misfits(kind: RawSourceKind, name: &str, source: &RawSource, report: &mut Report<'_>) {
    let of_pattern = [
        ("template", source.template.as_ref().map(first_at)),
        ("starts", source.starts.as_ref().map(At::at)),
        ("undated", source.undated.as_ref().map(At::at)),
    ];
    let of_json = [
        ("fields", source.fields.as_ref().map(At::at)),
        ("submitted_when", source.submitted_when.as_ref().map(first_at)),
        ("failed_when", source.failed_when.as_ref().map(first_at)),
        ("retried_when", source.retried_when.as_ref().map(first_at)),
    ];
    let mut refuse = |keys: &[(&str, Option<Range<usize>>)], wanted: &str| {
        for (key, at) in keys {
            if let Some(at) = at {
                let what = format!("`{key}` at a source of kind {name}, which is read without it");
                report.add(at, what, format!("remove it, or write `kind = \"{wanted}\"`"));
            }
        }
    };
    if kind != RawSourceKind::Pattern {
        refuse(&of_pattern, "pattern");
    }
    if kind != RawSourceKind::Json {
        refuse(&of_json, "json");
    }
}

/// Tables in double brackets have no place as a list: the first of them has.
fn first_at<T>(list: &At<Vec<At<T>>>) -> Range<usize> {
    list.get().first().map_or_else(|| list.at(), At::at)
}

fn pattern(
    source: &RawSource,
    at: &Range<usize>,
    incomplete: &IncompleteTables,
    report: &mut Report<'_>,
) -> Option<Format> {
    let templates = source.template.as_ref().map_or(&[][..], |list| list.get());
    if templates.is_empty() {
        if !incomplete.contains(&at.start) {
            report.add(
                at,
                "[[source]] of kind pattern has no `template`",
                "add `[[source.template]]` with `outcome = \"failed\"` and `text = \"{time:%Y-%m-%d %H:%M:%S} …\"`",
            );
        }
        return None;
    }
    let mut good = true;
    for template in templates {
        good &= retries_a_failure(template.get(), report);
    }
    let description = pattern::PatternDescription {
        templates: templates
            .iter()
            .map(|template| compiled(template.get()))
            .collect::<Option<_>>()?,
        starts: source.starts.as_ref().map(|text| text.get().clone()),
        undated: source.undated.as_ref().is_some_and(|undated| *undated.get()),
    };
    let patterns = Patterns::new(&description).map_err(|error| {
        let text = match numbered(&error.part) {
            ("template", Some(index)) => templates.get(index).and_then(|template| template.get().text.as_ref()),
            ("starts", _) => source.starts.as_ref(),
            _ => None,
        };
        add(&error, text.map_or_else(|| at.clone(), At::at), text.is_some(), report);
    });
    patterns.ok().filter(|_| good).map(Format::from)
}

fn retries_a_failure(template: &RawTemplate, report: &mut Report<'_>) -> bool {
    let failed = template
        .outcome
        .as_ref()
        .is_none_or(|outcome| *outcome.get() == RawOutcome::Failed);
    match &template.retried {
        Some(retried) if *retried.get() && !failed => {
            report.add(
                &retried.at(),
                "`retried` at a template that is not a failure",
                "remove it, or write `outcome = \"failed\"`",
            );
            false
        }
        _ => true,
    }
}

fn compiled(raw: &RawTemplate) -> Option<Template> {
    Some(Template {
        text: raw.text.as_ref()?.get().clone(),
        outcome: match raw.outcome.as_ref()?.get() {
            RawOutcome::Submitted => Outcome::Submitted,
            RawOutcome::Failed => Outcome::Failed,
            RawOutcome::Other => Outcome::Other,
        },
        retried: raw.retried.as_ref().is_some_and(|retried| *retried.get()),
    })
}

fn json(
    source: &RawSource,
    at: &Range<usize>,
    incomplete: &IncompleteTables,
    report: &mut Report<'_>,
) -> Option<Format> {
    if source.submitted_when.is_none() && source.failed_when.is_none() {
        if !incomplete.contains(&at.start) {
            report.add(
                at,
                "[[source]] of kind json does not define which records are about mail",
                "add `failed_when = [{ field = \"text\" }]`, `submitted_when` or both",
            );
        }
        return None;
    }
    let none = RawFields::default();
    let fields = source.fields.as_ref().map_or(&none, At::get);
    let (submitted, failed, retried) = (
        conditions(source.submitted_when.as_ref(), incomplete, report),
        conditions(source.failed_when.as_ref(), incomplete, report),
        conditions(source.retried_when.as_ref(), incomplete, report),
    );
    let text = |path: &Option<At<String>>| path.as_ref().map(|path| path.get().clone());
    let description = json::JsonDescription {
        time: text(&fields.time),
        time_format: text(&fields.time_format),
        level: text(&fields.level),
        logger: text(&fields.logger),
        host: text(&fields.host),
        message: text(&fields.message),
        key: text(&fields.key),
        sender: text(&fields.sender),
        recipient: text(&fields.recipient),
        relay: text(&fields.relay),
        message_id: text(&fields.message_id),
        reason: text(&fields.reason),
        submitted_when: submitted?,
        failed_when: failed?,
        retried_when: retried?,
    };
    let mapping = Mapping::new(&description).map_err(|error| {
        let field = field_named(fields, &error.part);
        let list = match numbered(&error.part) {
            ("submitted_when", at) => source.submitted_when.as_ref().zip(at),
            ("failed_when", at) => source.failed_when.as_ref().zip(at),
            ("retried_when", at) => source.retried_when.as_ref().zip(at),
            _ => None,
        };
        let condition = list.and_then(|(list, index)| list.get().get(index));
        let place = field.map(At::at).or_else(|| condition.map(At::at));
        add(&error, place.unwrap_or_else(|| at.clone()), field.is_some(), report);
    });
    mapping.ok().map(Format::from)
}

fn field_named<'f>(fields: &'f RawFields, name: &str) -> Option<&'f At<String>> {
    match name {
        "time" => fields.time.as_ref(),
        "time_format" => fields.time_format.as_ref(),
        "level" => fields.level.as_ref(),
        "logger" => fields.logger.as_ref(),
        "host" => fields.host.as_ref(),
        "message" => fields.message.as_ref(),
        "key" => fields.key.as_ref(),
        "sender" => fields.sender.as_ref(),
        "recipient" => fields.recipient.as_ref(),
        "relay" => fields.relay.as_ref(),
        "message_id" => fields.message_id.as_ref(),
        "reason" => fields.reason.as_ref(),
        _ => None,
    }
}

fn conditions(
    list: Option<&At<Vec<At<RawConditions>>>>,
    incomplete: &IncompleteTables,
    report: &mut Report<'_>,
) -> Option<Vec<Vec<Condition>>> {
    let mut lists = Vec::new();
    let mut good = true;
    for entry in list.map_or(&[][..], |list| list.get()) {
        good &= !incomplete.contains(&entry.at().start);
        let mut all = Vec::new();
        for (field, test) in &entry.get().0 {
            match condition(field, test.get()) {
                Some(condition) => all.push(condition),
                // What was taken out of it has been reported.
                None if incomplete.contains(&test.at().start) => good = false,
                None => {
                    let hint = "write one of `equals`, `contains`, `glob` and `present`";
                    report.add(&test.at(), "a condition without a test, or with several", hint);
                    good = false;
                }
            }
        }
        lists.push(all);
    }
    good.then_some(lists)
}

fn condition(field: &str, test: &RawTest) -> Option<Condition> {
    let table = match test {
        RawTest::Text(text) => return Some(Condition::pattern(field, text)),
        RawTest::Table(table) => table,
    };
    let present = |present| if present { Test::Present } else { Test::Absent };
    let mut tests = [
        table.equals.clone().map(Test::Equals),
        table.contains.clone().map(Test::Contains),
        table.glob.clone().map(Test::Glob),
        table.present.map(present),
    ]
    .into_iter()
    .flatten();
    let test = tests.next().filter(|_| tests.next().is_none())?;
    Some(Condition {
        field: field.to_owned(),
        test,
    })
}

/// `template 2` → `template` and the index 1.
fn numbered(part: &str) -> (&str, Option<usize>) {
    match part.split_once(' ') {
        Some((name, number)) => (
            name,
            number.parse().ok().and_then(|number: usize| number.checked_sub(1)),
        ),
        None => (part, None),
    }
}

/// Reports what the parsers say of a description; `is_text` if the place is that of the text which columns count in.
fn add(error: &BuildError, at: Range<usize>, is_text: bool, report: &mut Report<'_>) {
    let at = match error.column.filter(|_| is_text) {
        Some(column) => report.inside(&at, column),
        None => at,
    };
    // The parsers name the hint after the fault, in one text.
    let problem: String = error.problem.chars().flat_map(visible).collect();
    let cut = problem.find("; known ").or_else(|| problem.rfind(": "));
    let parts = cut.and_then(|at| Some((problem.get(..at)?, problem.get(at + 2..)?)));
    let (what, hint) = parts.unwrap_or((&problem, "correct it"));
    report.add(&at, format!("{}: {what}", error.part), hint);
}

/// Text of a user keeps its quotes and backslashes, and cannot act.
fn visible(c: char) -> impl Iterator<Item = char> {
    let escaped = c.is_control().then(|| c.escape_debug());
    let plain = escaped.is_none().then_some(c);
    escaped.into_iter().flatten().chain(plain)
}

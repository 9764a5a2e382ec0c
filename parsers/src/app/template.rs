//! The template language of `kind = "pattern"`, compiled to a regular expression over bytes.
//!
//! ```text
//! template = {literal | "{{" | "}}" | "{" name [":" form] "}"}
//! name     = "_" | one of NAMES
//! form     = "word" | "int" | "rest" | "lines" | directives of strftime (for `time`)
//! ```
//!
//! Literals match exactly. `{name}` takes as little as the next literal allows, within its line; `{name:word}` is text
//! without blanks, `{name:int}` digits, `{name:rest}` everything to the end of the record, `{name:lines}` as little as
//! the next literal allows, over lines. `{_}` is read over.

use super::description::{BuildError, suggestion};
use super::time_format::TimeFormat;

/// What a template can capture.
pub(super) const NAMES: [&str; 12] = [
    "time",
    "level",
    "logger",
    "host",
    "message",
    "key",
    "sender",
    "recipient",
    "recipients",
    "relay",
    "message_id",
    "reason",
];

/// Characters of a template at most.
const LENGTH_MAX: usize = 2000;

/// A template, checked.
pub(super) struct Template {
    /// The expression, without anchors.
    pub regex: String,
    /// The part of it up to the time and with it, if there is a time.
    pub until_time: Option<String>,
    /// The form of the time.
    pub time: Option<TimeFormat>,
}

/// A hole of a template, while it is compiled.
struct Hole<'t> {
    name: &'t str,
    form: Option<&'t str>,
    /// In characters, from 1.
    column: usize,
    /// Of the form.
    form_column: usize,
}

/// Compiles a template; `part` is what errors call it.
pub(super) fn compile(part: &str, text: &str) -> Result<Template, BuildError> {
    if text.chars().count() > LENGTH_MAX {
        let problem = format!("longer than {LENGTH_MAX} characters: shorten it, `{{_}}` and `{{_:rest}}` skip text");
        return Err(BuildError::new(part, None, problem));
    }
    let mut template = Template {
        regex: String::new(),
        until_time: None,
        time: None,
    };
    let mut seen: Vec<&str> = Vec::new();
    let mut after_hole: Option<&str> = None;
    let (mut rest, mut literal_ended) = (text, false);
    while let Some((literal, found)) = rest.find(['{', '}']).and_then(|at| rest.split_at_checked(at)) {
        let column = text.chars().count() - found.chars().count() + 1;
        template.regex.push_str(&regex::escape(literal));
        literal_ended |= !literal.is_empty();
        if let Some((brace, after)) = doubled(found) {
            template.regex.push_str(&regex::escape(brace));
            literal_ended = true;
            rest = after;
            continue;
        }
        let Some(inside) = found.strip_prefix('{') else {
            return Err(BuildError::new(
                part,
                Some(column),
                "`}` without `{`: write `}}` for a literal brace",
            ));
        };
        let Some((inside, after)) = inside.split_once('}') else {
            return Err(BuildError::new(
                part,
                Some(column),
                "`{` is never closed: add `}`, or write `{{` for a literal brace",
            ));
        };
        let hole = hole(inside, column);
        if let (Some(before), false) = (after_hole, literal_ended) {
            let problem = format!(
                "`{{{before}}}` and `{{{}}}` touch, so the end of the first is ambiguous: put text between them, or \
                 merge them",
                hole.name
            );
            return Err(BuildError::new(part, Some(column), problem));
        }
        if hole.name != "_" && seen.contains(&hole.name) {
            let problem = format!(
                "`{{{}}}` occurs twice: keep one, and write `{{_}}` for the other",
                hole.name
            );
            return Err(BuildError::new(part, Some(column), problem));
        }
        seen.push(hole.name);
        fill(part, &hole, &mut template)?;
        (after_hole, literal_ended) = (Some(hole.name), false);
        rest = after;
    }
    template.regex.push_str(&regex::escape(rest));
    Ok(template)
}

/// `{{` or `}}`: the character that it stands for, and what follows.
fn doubled(text: &str) -> Option<(&'static str, &str)> {
    let open = text.strip_prefix("{{").map(|after| ("{", after));
    open.or_else(|| Some(("}", text.strip_prefix("}}")?)))
}

fn hole(inside: &str, column: usize) -> Hole<'_> {
    let (name, form) = match inside.split_once(':') {
        Some((name, form)) => (name, Some(form)),
        None => (inside, None),
    };
    Hole {
        name,
        form,
        column,
        form_column: column + 2 + name.chars().count(),
    }
}

/// Adds a hole's expression to the template.
fn fill(part: &str, hole: &Hole<'_>, template: &mut Template) -> Result<(), BuildError> {
    let error = |column, problem: String| Err(BuildError::new(part, Some(column), problem));
    if hole.name == "time" {
        let Some(form) = hole.form else {
            return error(
                hole.column,
                "`{time}` without a format: add one, as in `{time:%Y-%m-%d %H:%M:%S}`".to_owned(),
            );
        };
        let format = match TimeFormat::new(form) {
            Ok(format) => format,
            Err((at, problem)) => return error(hole.form_column + at, problem),
        };
        template.regex.push_str(&format!("(?P<time>{})", format.regex()));
        template.until_time = Some(template.regex.clone());
        template.time = Some(format);
        return Ok(());
    }
    if hole.name != "_" && !NAMES.contains(&hole.name) {
        let known = NAMES.join(", ");
        let near = suggestion(hole.name, &NAMES);
        return error(
            hole.column + 1,
            format!(
                "`{}` is not a name{near}; known are {known}, and `_` for text to skip",
                hole.name
            ),
        );
    }
    let expression = match hole.form {
        None => r"[^\n]*?",
        Some("word") => r"[^\s]+",
        // A count that is none is left out of the record; it must not cost the mail.
        Some("int") if hole.name == "recipients" => r"[0-9+-][^\s]*?",
        Some("int") => "[0-9]+",
        Some("rest") => ".*",
        Some("lines") => ".*?",
        Some(other) => {
            let near = suggestion(other, &["word", "int", "rest", "lines"]);
            return error(
                hole.form_column,
                format!("`{other}` is not a form{near}; known are word, int, rest, lines"),
            );
        }
    };
    match hole.name {
        "_" => template.regex.push_str(&format!("(?:{expression})")),
        name => template.regex.push_str(&format!("(?P<{name}>{expression})")),
    }
    Ok(())
}

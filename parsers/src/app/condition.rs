//! Conditions on the fields of a JSON object.

use super::description::BuildError;
use super::document::{Paths, Value, Values, value_at};
use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};

/// One field and what must hold for it. A field that is absent or `null` fails every test but [`Test::Absent`].
#[derive(Debug, Clone)]
pub struct Condition {
    /// Its path: names joined by dots.
    pub field: String,
    /// What must hold for its value.
    pub test: Test,
}

/// What must hold for a field; upper and lower case differ.
#[derive(Debug, Clone)]
pub enum Test {
    /// The whole text, number or truth value is this.
    Equals(String),
    /// This stands in it.
    Contains(String),
    /// The whole text matches: `*` is any text, `?` one byte.
    Glob(String),
    /// The field is there.
    Present,
    /// The field is not there, or is `null`.
    Absent,
}

impl Condition {
    /// A text with `*` or `?` is a glob, any other must be equal.
    ///
    /// ```
    /// use mailpulse_parsers::app::json::{Condition, Test};
    /// assert!(matches!(Condition::pattern("logger", "mail.*").test, Test::Glob(_)));
    /// assert!(matches!(Condition::pattern("level", "error").test, Test::Equals(_)));
    /// ```
    #[must_use]
    pub fn pattern(field: &str, text: &str) -> Self {
        let test = if text.contains(['*', '?']) {
            Test::Glob
        } else {
            Test::Equals
        };
        Condition {
            field: field.to_owned(),
            test: test(text.to_owned()),
        }
    }
}

/// A condition, compiled.
#[derive(Debug, Clone)]
pub(super) struct Check {
    slot: usize,
    matcher: Matcher,
}

#[derive(Debug, Clone)]
enum Matcher {
    Equals(Vec<u8>),
    Contains(Box<Finder<'static>>),
    Glob(Regex),
    Present,
    Absent,
}

/// Compiles lists of conditions, adding their paths; `part` is what errors call them.
///
/// # Errors
/// An empty list, a path that is none, a test that holds for everything.
pub(super) fn checks(part: &str, lists: &[Vec<Condition>], paths: &mut Paths) -> Result<Vec<Vec<Check>>, BuildError> {
    let list = |(at, list): (usize, &Vec<Condition>)| {
        let part = format!("{part} {}", at + 1);
        if list.is_empty() {
            return Err(BuildError::new(
                part,
                None,
                "an empty condition matches every record: name a field",
            ));
        }
        list.iter().map(|condition| check(&part, condition, paths)).collect()
    };
    lists.iter().enumerate().map(list).collect()
}

fn check(part: &str, condition: &Condition, paths: &mut Paths) -> Result<Check, BuildError> {
    let slot = paths
        .add(&condition.field)
        .map_err(|problem| BuildError::new(part, None, problem))?;
    let empty = |text: &str| text.is_empty() || text.bytes().all(|byte| byte == b'*');
    let matcher = match &condition.test {
        Test::Equals(text) => Matcher::Equals(text.as_bytes().to_vec()),
        Test::Contains(text) | Test::Glob(text) if empty(text) => {
            let problem = format!(
                "`{text}` of `{}` matches every text: to test whether the field exists, use `present`",
                condition.field
            );
            return Err(BuildError::new(part, None, problem));
        }
        Test::Contains(text) => Matcher::Contains(Box::new(Finder::new(text.as_bytes()).into_owned())),
        Test::Glob(text) => Matcher::Glob(glob(text).map_err(|problem| BuildError::new(part, None, problem))?),
        Test::Present => Matcher::Present,
        Test::Absent => Matcher::Absent,
    };
    Ok(Check { slot, matcher })
}

/// As a regular expression, because those are linear.
fn glob(text: &str) -> Result<Regex, String> {
    let pattern = regex::escape(text).replace(r"\*", ".*").replace(r"\?", ".");
    RegexBuilder::new(&format!(r"\A(?s-u:{pattern})\z"))
        .size_limit(1 << 20)
        .build()
        .map_err(|_| "the glob is too long".to_owned())
}

/// Index of the first list all of whose conditions hold.
pub(super) fn any_holds(lists: &[Vec<Check>], values: &Values<'_>) -> Option<usize> {
    lists
        .iter()
        .position(|list| list.iter().all(|check| holds(check, values)))
}

fn holds(check: &Check, values: &Values<'_>) -> bool {
    let value = value_at(values, check.slot).filter(|value| **value != Value::Null);
    match (&check.matcher, value) {
        (Matcher::Present, value) => value.is_some(),
        (Matcher::Absent, value) => value.is_none(),
        (_, None) => false,
        (matcher, Some(Value::Text(text))) => text_holds(matcher, text),
        (matcher, Some(value)) => value.clone().into_text().is_some_and(|text| text_holds(matcher, &text)),
    }
}

fn text_holds(matcher: &Matcher, text: &[u8]) -> bool {
    match matcher {
        Matcher::Equals(want) => text == want.as_slice(),
        Matcher::Contains(finder) => finder.find(text).is_some(),
        Matcher::Glob(glob) => glob.is_match(text),
        Matcher::Present | Matcher::Absent => true,
    }
}

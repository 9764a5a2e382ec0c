//! Functions of values that the embedded engine is known to answer rightly, and why others are refused.

use super::node::{SqlExpr, Type, Typed, parts};
use super::operators::{binary, typed, unified};
use super::refusal::{NO_CALENDAR, refused};
use sqlparser::ast::{BinaryOperator, Expr};

/// Functions over groups and windows, as far as they are known.
pub(super) const AGGREGATES: [&str; 9] = [
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "median",
    "quantile_disc",
    "mean",
    "countif",
];

const SCALARS: [&str; 28] = [
    "lower",
    "upper",
    "reverse",
    "length",
    "trim",
    "ltrim",
    "rtrim",
    "starts_with",
    "ends_with",
    "strpos",
    "contains",
    "replace",
    "substr",
    "substring",
    "left",
    "right",
    "concat",
    "abs",
    "ceil",
    "floor",
    "round",
    "sqrt",
    "coalesce",
    "ifnull",
    "greatest",
    "least",
    "nullif",
    "if",
];

/// Functions by the beginning of their name, and why they are refused.
const REFUSED: [(&str, &str); 15] = [
    ("read_", "it reads files"),
    ("scan_", "it reads files"),
    ("file", "it reads files"),
    ("url", "it reads from the network"),
    ("date", NO_CALENDAR),
    ("tostartof", NO_CALENDAR),
    ("todate", NO_CALENDAR),
    ("time_bucket", NO_CALENDAR),
    ("strftime", NO_CALENDAR),
    ("strptime", NO_CALENDAR),
    ("now", "give times in the text, or use --since and --until"),
    ("current_", "give times in the text, or use --since and --until"),
    ("today", "give times in the text, or use --since and --until"),
    ("random", "answers must be repeatable"),
    ("lpad", "the embedded engine has none"),
];

/// What a function is given.
struct Arguments(Vec<Typed>);

impl Arguments {
    fn kind(&self, at: usize) -> Option<Type> {
        self.0.get(at).map(|given| given.kind)
    }

    fn is_number(&self, at: usize) -> bool {
        self.kind(at).is_some_and(Type::is_number)
    }

    fn is_int(&self, at: usize) -> bool {
        self.kind(at).is_some_and(Type::is_int)
    }

    fn is_text(&self, at: usize) -> bool {
        self.kind(at) == Some(Type::Text)
    }

    fn is_literal(&self, at: usize) -> bool {
        self.0.get(at).is_some_and(|given| given.node.is_literal())
    }

    fn node(&self, at: usize) -> &SqlExpr {
        &self.0[at].node
    }

    /// A literal that counts something, from `least` on.
    fn count(&self, at: usize, least: i64) -> Option<i64> {
        let Some(SqlExpr::Literal(count)) = self.0.get(at).map(|given| &given.node) else {
            return None;
        };
        let count = count.parse::<i64>().ok();
        count.filter(|count| *count >= least && *count < 1 << 31)
    }
}

/// A function of values.
pub(super) fn scalar(whole: &Expr, name: &str, given: Vec<Typed>) -> Result<Typed, String> {
    of_text(whole, name, Arguments(given))
}

/// Functions of text; any other goes on to the next.
fn of_text(whole: &Expr, name: &str, args: Arguments) -> Result<Typed, String> {
    let all_text = |count: usize| (0..count).all(|at| args.is_text(at));
    match (name, args.0.len()) {
        ("lower", 1) if all_text(1) => typed(parts!["LOWER(", args.node(0), ")"], Type::Text),
        ("upper", 1) if all_text(1) => typed(parts!["UPPER(", args.node(0), ")"], Type::Text),
        ("reverse", 1) if all_text(1) => typed(parts!["REVERSE(", args.node(0), ")"], Type::Text),
        ("length" | "len" | "char_length" | "character_length", 1) if all_text(1) => {
            typed(parts!["CAST(LENGTH(", args.node(0), ") AS BIGINT)"], Type::Int)
        }
        ("trim", 1) if all_text(1) => typed(parts!["TRIM(BOTH ' ' FROM ", args.node(0), ")"], Type::Text),
        ("ltrim", 1) if all_text(1) => typed(parts!["TRIM(LEADING ' ' FROM ", args.node(0), ")"], Type::Text),
        ("rtrim", 1) if all_text(1) => typed(parts!["TRIM(TRAILING ' ' FROM ", args.node(0), ")"], Type::Text),
        ("starts_with", 2) if all_text(2) => typed(
            parts!["STARTS_WITH(", args.node(0), ", ", args.node(1), ")"],
            Type::Bool,
        ),
        ("ends_with" | "suffix", 2) if all_text(2) => {
            typed(parts!["ENDS_WITH(", args.node(0), ", ", args.node(1), ")"], Type::Bool)
        }
        ("strpos" | "instr", 2) if all_text(2) && args.is_literal(1) => {
            let (value, needle) = (args.node(0), args.node(1));
            // Where the value is NULL, so is the place; the engine says 0.
            let place = parts!["CAST(STRPOS(", value, ", ", needle, ") AS BIGINT)"];
            typed(
                parts!["(CASE WHEN ", value, " IS NOT NULL THEN ", place, " END)"],
                Type::Int,
            )
        }
        ("contains", 2) if all_text(2) && args.is_literal(1) => typed(
            parts!["(STRPOS(", args.node(0), ", ", args.node(1), ") > 0)"],
            Type::Bool,
        ),
        ("replace", 3) if all_text(3) && args.is_literal(1) && args.is_literal(2) => {
            if *args.node(1) == SqlExpr::Text(String::new()) {
                return Err(refused(whole, "nothing can be replaced by something"));
            }
            let [text, from, to] = [0, 1, 2].map(|at| args.node(at));
            typed(parts!["REPLACE(", text, ", ", from, ", ", to, ")"], Type::Text)
        }
        ("substr" | "substring", 2 | 3) if all_text(1) => substring(whole, &args),
        ("left" | "right", 2) if all_text(1) => match args.count(1, 0) {
            Some(count) => {
                let word = if name == "left" { "LEFT(" } else { "RIGHT(" };
                typed(parts![word, args.node(0), format!(", {count})")], Type::Text)
            }
            None => Err(refused(whole, "the length must be a literal")),
        },
        ("concat", 1..) => concatenated(whole, args),
        _ => of_numbers(whole, name, args),
    }
}

fn substring(whole: &Expr, args: &Arguments) -> Result<Typed, String> {
    let length = match args.0.len() {
        3 => args.count(2, 0).map(Some),
        _ => Some(None),
    };
    match (args.count(1, 1), length) {
        (Some(from), Some(Some(length))) => typed(
            parts!["SUBSTR(", args.node(0), format!(", {from}, {length})")],
            Type::Text,
        ),
        (Some(from), Some(None)) => typed(parts!["SUBSTR(", args.node(0), format!(", {from})")], Type::Text),
        _ => Err(refused(
            whole,
            "places and lengths must be literals, the first place is 1",
        )),
    }
}

fn concatenated(whole: &Expr, args: Arguments) -> Result<Typed, String> {
    let mut joined: Option<SqlExpr> = None;
    for given in args.0 {
        let value = match given.kind {
            Type::Text => parts!["COALESCE(", given.node, ", '')"],
            Type::Int => parts!["COALESCE(CAST(", given.node, " AS VARCHAR), '')"],
            Type::Null => continue,
            kind => return Err(refused(whole, &format!("it joins texts, and this is {}", kind.words()))),
        };
        joined = Some(match joined {
            None => value,
            Some(joined) => parts!["(", joined, " || ", value, ")"],
        });
    }
    typed(joined.unwrap_or(SqlExpr::Text(String::new())), Type::Text)
}

/// Functions of numbers; any other goes on to the next.
fn of_numbers(whole: &Expr, name: &str, args: Arguments) -> Result<Typed, String> {
    match (name, args.0.len()) {
        ("abs", 1) if args.is_number(0) => {
            let kind = match args.kind(0) {
                Some(Type::Float) => Type::Float,
                _ => Type::Int,
            };
            typed(parts!["ABS(", args.node(0), ")"], kind)
        }
        ("ceil" | "ceiling" | "floor" | "round" | "trunc", 1) if args.is_int(0) => Ok(args.0[0].clone()),
        ("ceil" | "ceiling", 1) if args.is_number(0) => typed(parts!["CEIL(", args.node(0), ")"], Type::Float),
        ("floor", 1) if args.is_number(0) => typed(parts!["FLOOR(", args.node(0), ")"], Type::Float),
        ("round", 1) if args.is_number(0) => typed(parts!["ROUND(", args.node(0), ")"], Type::Float),
        ("round", 2) if args.is_number(0) => match args.count(1, 0).filter(|digits| *digits <= 15) {
            Some(_) if args.is_int(0) => Ok(args.0[0].clone()),
            Some(digits) => typed(parts!["ROUND(", args.node(0), format!(", {digits})")], Type::Float),
            None => Err(refused(whole, "the digits must be a literal from 0 to 15")),
        },
        ("sqrt", 1) if args.is_number(0) => typed(parts!["SQRT(CAST(", args.node(0), " AS DOUBLE))"], Type::Float),
        ("mod", 2) => Err(refused(whole, "write a % b")),
        _ => of_any(whole, name, args),
    }
}

/// Functions that choose among values of one type.
fn of_any(whole: &Expr, name: &str, args: Arguments) -> Result<Typed, String> {
    let all_numbers = (0..args.0.len()).all(|at| args.is_number(at));
    match (name, args.0.len()) {
        ("coalesce" | "ifnull", 1..) => {
            let (nodes, kind) = unified(whole, args.0)?;
            typed(call("COALESCE(", nodes), kind)
        }
        ("greatest" | "least", 1..) if all_numbers => {
            let (nodes, kind) = unified(whole, args.0)?;
            typed(call(if name == "least" { "LEAST(" } else { "GREATEST(" }, nodes), kind)
        }
        ("nullif", 2) => {
            let (left, right) = (args.0[0].clone(), args.0[1].clone());
            let kind = left.kind;
            let equal = binary(whole, left.clone(), &BinaryOperator::Eq, right)?;
            typed(
                parts!["(CASE WHEN ", equal.node, " THEN NULL ELSE ", left.node, " END)"],
                kind,
            )
        }
        ("if" | "iff", 3) if args.kind(0) == Some(Type::Bool) => {
            let (nodes, kind) = unified(whole, args.0[1..].to_vec())?;
            let test = args.node(0);
            typed(
                parts!["(CASE WHEN ", test, " THEN ", &nodes[0], " ELSE ", &nodes[1], " END)"],
                kind,
            )
        }
        _ => Err(unknown(whole, name, &args)),
    }
}

fn call(words: &'static str, nodes: Vec<SqlExpr>) -> SqlExpr {
    let mut all = parts![words];
    for (at, node) in nodes.into_iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        all = parts![all, comma, node];
    }
    parts![all, ")"]
}

fn unknown(whole: &Expr, name: &str, args: &Arguments) -> String {
    if let Some((_, why)) = REFUSED.iter().find(|(prefix, _)| name.starts_with(prefix)) {
        return format!("{name}() is refused: {why}");
    }
    if SCALARS.contains(&name) {
        let words: Vec<&str> = args.0.iter().map(|given| given.kind.words()).collect();
        return refused(whole, &format!("{name}() is not for ({})", words.join(", ")));
    }
    let all = SCALARS.iter().chain(&AGGREGATES);
    let near = all.map(|known| (strsim::jaro_winkler(known, name), known));
    let near = near.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(like, _)| *like > 0.85);
    let near = near
        .map(|(_, known)| format!("; did you mean {known}()?"))
        .unwrap_or_default();
    format!("no function {}(){near}", name.escape_debug())
}

//! Functions that the embedded engine is known to answer rightly, and why others are refused.

use super::expr::{by_truth, refused};
use super::node::{Aggregate, Node, Type, Typed, Window, parts};
use super::operators::unified;
use super::scope::Scope;
use super::select::Translator;
use sqlparser::ast::{DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, WindowType};

/// Why nothing asks for a calendar.
pub(super) const NO_CALENDAR: &str = "the engine has no calendar; a bucket is ts_ms - ts_ms % 300000 (milliseconds)";

const AGGREGATES: [&str; 9] = [
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

/// The last word of a function's name, lower case.
pub(super) fn name_of(function: &Function) -> String {
    let name = function.name.0.last().map(ToString::to_string).unwrap_or_default();
    name.trim_matches(['"', '`']).to_lowercase()
}

/// Arguments, and whether they are to be distinct.
fn args_of<'f>(whole: &Expr, function: &'f Function) -> Result<(Vec<Option<&'f Expr>>, bool), String> {
    let list = match &function.args {
        FunctionArguments::List(list) if list.clauses.is_empty() => list,
        FunctionArguments::None => return Ok((Vec::new(), false)),
        _ => return Err(refused(whole, "write its arguments one by one")),
    };
    let mut args = Vec::with_capacity(list.args.len());
    for arg in &list.args {
        args.push(match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => None,
            _ => return Err(refused(whole, "write its arguments one by one")),
        });
    }
    Ok((args, list.duplicate_treatment == Some(DuplicateTreatment::Distinct)))
}

impl Translator {
    pub(super) fn function(&mut self, whole: &Expr, function: &Function, scope: &Scope<'_>) -> Result<Typed, String> {
        let name = name_of(function);
        let plain = function.name.0.len() == 1
            && function.within_group.is_empty()
            && function.null_treatment.is_none()
            && function.parameters == FunctionArguments::None;
        if !plain {
            return Err(refused(whole, "the embedded engine does not know it"));
        }
        let (args, distinct) = args_of(whole, function)?;
        let is_aggregate = AGGREGATES.contains(&name.as_str());
        if !is_aggregate && (distinct || function.filter.is_some()) {
            return Err(refused(whole, "DISTINCT and FILTER are for sums and counts"));
        }
        let mut given = Vec::with_capacity(args.len());
        for arg in args.iter().flatten() {
            given.push(self.expr(arg, scope)?);
        }
        if let Some(over) = &function.over {
            return self.window(whole, &name, given, args.contains(&None), distinct, over, scope);
        }
        if is_aggregate {
            if given
                .iter()
                .any(|arg| arg.node.has_aggregate() || arg.node.has_window())
            {
                return Err(refused(
                    whole,
                    "it counts over a count; write the inner one in a subquery",
                ));
            }
            let filter = match &function.filter {
                Some(filter) => Some(self.condition(filter, scope, "FILTER")?),
                None => None,
            };
            return aggregate(whole, &name, given, args.contains(&None), distinct, filter);
        }
        if args.contains(&None) {
            return Err(refused(whole, "`*` is for COUNT(*)"));
        }
        scalar(whole, &name, given)
    }

    #[expect(clippy::too_many_arguments)]
    fn window(
        &mut self,
        whole: &Expr,
        name: &str,
        mut given: Vec<Typed>,
        star: bool,
        distinct: bool,
        over: &WindowType,
        scope: &Scope<'_>,
    ) -> Result<Typed, String> {
        let WindowType::WindowSpec(spec) = over else {
            return Err(refused(whole, "write the window behind OVER"));
        };
        if spec.window_name.is_some() || spec.window_frame.is_some() || distinct {
            return Err(refused(whole, "only PARTITION BY and ORDER BY may stand in a window"));
        }
        let mut partition = Vec::new();
        for expr in &spec.partition_by {
            partition.push(self.expr(expr, scope)?.node);
        }
        let mut order = Vec::new();
        for by in &spec.order_by {
            if by.options.nulls_first.is_some() {
                return Err(refused(whole, "a window takes no NULLS FIRST"));
            }
            order.push((self.expr(&by.expr, scope)?.node, by.options.asc == Some(false)));
        }
        let ranks = ["row_number", "lag", "lead", "first_value"].contains(&name);
        if ranks == order.is_empty() {
            let why = match ranks {
                true => "it needs ORDER BY in its window",
                false => {
                    "the engine gives wrong running values for it; group by a bucket (ts_ms - ts_ms % 300000) instead"
                }
            };
            return Err(refused(whole, why));
        }
        let mut window = |template: String, kind: Type, null_if_none: bool, is_count: bool, given: Option<Typed>| {
            let window = Window {
                template,
                arg: given.map(|given| Box::new(given.node)),
                partition: std::mem::take(&mut partition),
                order: std::mem::take(&mut order),
                null_if_none,
                is_count,
            };
            Ok(Typed {
                node: Node::Window(window),
                kind,
            })
        };
        let number = |kind: Type| kind.is_number();
        match (name, given.len()) {
            ("row_number", 0) => window("ROW_NUMBER()".to_owned(), Type::Int, false, true, None),
            ("count", 0) if star => window("COUNT(*)".to_owned(), Type::Int, false, true, None),
            ("count", 1) => window("COUNT({})".to_owned(), Type::Int, false, true, given.pop()),
            ("sum", 1) if number(given[0].kind) => {
                let kind = if given[0].kind == Type::Float {
                    Type::Float
                } else {
                    Type::Int
                };
                window("SUM({})".to_owned(), kind, true, false, given.pop())
            }
            ("avg", 1) if number(given[0].kind) => window("AVG({})".to_owned(), Type::Float, false, false, given.pop()),
            ("min" | "max" | "lag" | "lead" | "first_value", 1) if ranks || number(given[0].kind) => {
                let template = format!("{}({{}})", name.to_uppercase());
                window(template, given[0].kind, false, false, given.pop())
            }
            ("lag" | "lead", 2) => {
                let rows = match &given[1].node {
                    Node::Literal(rows) if rows.parse::<u32>().is_ok() => rows,
                    _ => return Err(refused(whole, "how many rows must be a number")),
                };
                let template = format!("{}({{}}, {rows})", name.to_uppercase());
                let first = given.swap_remove(0);
                window(template, first.kind, false, false, Some(first))
            }
            _ => Err(refused(whole, "the embedded engine has no such function over a window")),
        }
    }
}

fn aggregate(
    whole: &Expr,
    name: &str,
    mut given: Vec<Typed>,
    star: bool,
    distinct: bool,
    filter: Option<Node>,
) -> Result<Typed, String> {
    let within = |node: Node| match &filter {
        Some(filter) => parts!["(CASE WHEN ", filter, " THEN ", node, " END)"],
        None => node,
    };
    let made = |template: &str, arg: Option<Node>, kind: Type| {
        let aggregate = Aggregate {
            template: template.to_owned(),
            arg: arg.map(Box::new),
            null_if_none: name == "sum",
            is_count: name.starts_with("count"),
        };
        Ok(Typed {
            node: Node::Aggregate(aggregate),
            kind,
        })
    };
    if distinct && name != "count" && name != "min" && name != "max" {
        return Err(refused(
            whole,
            "DISTINCT is for COUNT; or write SELECT DISTINCT in a subquery",
        ));
    }
    match (name, given.len()) {
        ("count", 0) if distinct => Err(refused(whole, "name the column that is to be distinct")),
        ("count", 0) if star || filter.is_none() => match filter {
            None => made("COUNT(*)", None, Type::Int),
            Some(_) => made("COUNT({})", Some(within(Node::int(1))), Type::Int),
        },
        ("count", 1) => {
            let given = given.remove(0);
            match (given.node.is_literal(), given.kind) {
                (_, Type::Null) => Err(refused(whole, "it counts NULL")),
                (true, _) if distinct => Err(refused(whole, "it counts a constant")),
                (true, _) if filter.is_none() => made("COUNT(*)", None, Type::Int),
                _ if distinct => made("COUNT(DISTINCT {})", Some(within(given.node)), Type::Int),
                _ => made("COUNT({})", Some(within(given.node)), Type::Int),
            }
        }
        ("countif", 1) if given[0].kind == Type::Bool && filter.is_none() => {
            let arg = parts!["(CASE WHEN ", given.remove(0).node, " THEN 1 END)"];
            made("COUNT({})", Some(arg), Type::Int)
        }
        ("sum", 1) => {
            let given = given.remove(0);
            if matches!(&given.node, Node::Column(_, name) if name.ends_with("message_key")) {
                return Err(refused(whole, "a key is no amount"));
            }
            match given.kind {
                Type::Bool => made("SUM({})", Some(within(by_truth(&given.node, "1", "0"))), Type::Int),
                Type::Float => made("SUM({})", Some(within(given.node)), Type::Float),
                // A sum of milliseconds since 1970 leaves 64 bits after some millions of rows.
                kind if kind.is_time() => Err(refused(whole, "a sum of points in time is none; use MIN, MAX or AVG")),
                Type::Int => made("SUM({})", Some(within(given.node)), Type::Int),
                kind => Err(refused(whole, &format!("its argument is {}", kind.words()))),
            }
        }
        ("avg" | "mean" | "median", 1) if given[0].kind.is_number() => {
            let template = if name == "median" { "MEDIAN({})" } else { "AVG({})" };
            made(template, Some(within(given.remove(0).node)), Type::Float)
        }
        ("min" | "max", 1) if given[0].kind.is_number() || given[0].kind == Type::Text => {
            let given = given.remove(0);
            let template = if name == "min" { "MIN({})" } else { "MAX({})" };
            made(template, Some(within(given.node)), given.kind)
        }
        ("quantile_disc", 2) if given[0].kind.is_number() => {
            let is_share = |text: &String| text.parse::<f64>().is_ok_and(|share| (0.0..=1.0).contains(&share));
            let share = match &given[1].node {
                Node::Literal(share) if is_share(share) => share,
                _ => return Err(refused(whole, "the share must be a number from 0 to 1")),
            };
            let template = format!("QUANTILE_DISC({{}}, {share})");
            made(&template, Some(within(given.remove(0).node)), Type::Float)
        }
        (_, count) => {
            let kind = given.first().map_or("nothing", |given| given.kind.words());
            Err(refused(
                whole,
                &format!("it is over {count} arguments, the first {kind}"),
            ))
        }
    }
}

/// A function of values.
pub(super) fn scalar(whole: &Expr, name: &str, given: Vec<Typed>) -> Result<Typed, String> {
    let kinds: Vec<Type> = given.iter().map(|given| given.kind).collect();
    let typed = |node: Node, kind: Type| Ok(Typed { node, kind });
    let number = |at: usize| kinds.get(at).is_some_and(|kind| kind.is_number());
    let text = |at: usize| kinds.get(at) == Some(&Type::Text);
    let count_at = |at: usize, given: &[Typed], least: i64| match given.get(at).map(|given| &given.node) {
        Some(Node::Literal(count)) => count
            .parse::<i64>()
            .ok()
            .filter(|count| *count >= least && *count < 1 << 31),
        _ => None,
    };
    let literals: Vec<bool> = given.iter().map(|given| given.node.is_literal()).collect();
    let all = given.clone();
    let mut nodes = given.into_iter().map(|given| given.node);
    let mut take = || nodes.next().unwrap_or(Node::Text(String::new()));
    match (name, kinds.len()) {
        ("lower", 1) if text(0) => typed(parts!["LOWER(", take(), ")"], Type::Text),
        ("upper", 1) if text(0) => typed(parts!["UPPER(", take(), ")"], Type::Text),
        ("reverse", 1) if text(0) => typed(parts!["REVERSE(", take(), ")"], Type::Text),
        ("length" | "len" | "char_length" | "character_length", 1) if text(0) => {
            typed(parts!["CAST(LENGTH(", take(), ") AS BIGINT)"], Type::Int)
        }
        ("trim", 1) if text(0) => typed(parts!["TRIM(BOTH ' ' FROM ", take(), ")"], Type::Text),
        ("ltrim", 1) if text(0) => typed(parts!["TRIM(LEADING ' ' FROM ", take(), ")"], Type::Text),
        ("rtrim", 1) if text(0) => typed(parts!["TRIM(TRAILING ' ' FROM ", take(), ")"], Type::Text),
        ("starts_with", 2) if text(0) && text(1) => {
            typed(parts!["STARTS_WITH(", take(), ", ", take(), ")"], Type::Bool)
        }
        ("ends_with" | "suffix", 2) if text(0) && text(1) => {
            typed(parts!["ENDS_WITH(", take(), ", ", take(), ")"], Type::Bool)
        }
        ("strpos" | "instr", 2) if text(0) && text(1) && literals[1] => {
            let (value, needle) = (take(), take());
            // Where the value is NULL, so is the place; the engine says 0.
            let place = parts!["CAST(STRPOS(", &value, ", ", needle, ") AS BIGINT)"];
            typed(
                parts!["(CASE WHEN ", value, " IS NOT NULL THEN ", place, " END)"],
                Type::Int,
            )
        }
        ("contains", 2) if text(0) && text(1) && literals[1] => {
            typed(parts!["(STRPOS(", take(), ", ", take(), ") > 0)"], Type::Bool)
        }
        ("replace", 3) if text(0) && text(1) && text(2) && literals[1] && literals[2] => {
            if all[1].node == Node::Text(String::new()) {
                return Err(refused(whole, "nothing can be replaced by something"));
            }
            typed(parts!["REPLACE(", take(), ", ", take(), ", ", take(), ")"], Type::Text)
        }
        ("substr" | "substring", 2 | 3) if text(0) => {
            let from = count_at(1, &all, 1);
            let length = if kinds.len() == 3 {
                count_at(2, &all, 0).map(Some)
            } else {
                Some(None)
            };
            match (from, length) {
                (Some(from), Some(Some(length))) => {
                    typed(parts!["SUBSTR(", take(), format!(", {from}, {length})")], Type::Text)
                }
                (Some(from), Some(None)) => typed(parts!["SUBSTR(", take(), format!(", {from})")], Type::Text),
                _ => Err(refused(
                    whole,
                    "places and lengths must be literals, the first place is 1",
                )),
            }
        }
        ("left" | "right", 2) if text(0) => match count_at(1, &all, 0) {
            Some(count) => {
                let word = if name == "left" { "LEFT(" } else { "RIGHT(" };
                typed(parts![word, take(), format!(", {count})")], Type::Text)
            }
            None => Err(refused(whole, "the length must be a literal")),
        },
        ("concat", 1..) => {
            let mut joined: Option<Node> = None;
            for given in all {
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
            typed(joined.unwrap_or(Node::Text(String::new())), Type::Text)
        }
        ("abs", 1) if number(0) => {
            let kind = if kinds[0] == Type::Float {
                Type::Float
            } else {
                Type::Int
            };
            typed(parts!["ABS(", take(), ")"], kind)
        }
        ("ceil" | "ceiling" | "floor" | "round" | "trunc", 1) if kinds[0].is_int() => typed(take(), kinds[0]),
        ("ceil" | "ceiling", 1) if number(0) => typed(parts!["CEIL(", take(), ")"], Type::Float),
        ("floor", 1) if number(0) => typed(parts!["FLOOR(", take(), ")"], Type::Float),
        ("round", 1) if number(0) => typed(parts!["ROUND(", take(), ")"], Type::Float),
        ("round", 2) if number(0) => match count_at(1, &all, 0).filter(|digits| *digits <= 15) {
            Some(_) if kinds[0].is_int() => typed(take(), kinds[0]),
            Some(digits) => typed(parts!["ROUND(", take(), format!(", {digits})")], Type::Float),
            None => Err(refused(whole, "the digits must be a literal from 0 to 15")),
        },
        ("sqrt", 1) if number(0) => typed(parts!["SQRT(CAST(", take(), " AS DOUBLE))"], Type::Float),
        ("mod", 2) => Err(refused(whole, "write a % b")),
        ("coalesce" | "ifnull", 1..) => {
            let (nodes, kind) = unified(whole, all)?;
            typed(call("COALESCE(", nodes), kind)
        }
        ("greatest" | "least", 1..) if kinds.iter().all(|kind| kind.is_number()) => {
            let (nodes, kind) = unified(whole, all)?;
            typed(call(if name == "least" { "LEAST(" } else { "GREATEST(" }, nodes), kind)
        }
        ("nullif", 2) => {
            let (left, right) = (all[0].clone(), all[1].clone());
            let kind = left.kind;
            let equal = super::operators::binary(whole, left.clone(), &sqlparser::ast::BinaryOperator::Eq, right)?;
            typed(
                parts!["(CASE WHEN ", equal.node, " THEN NULL ELSE ", left.node, " END)"],
                kind,
            )
        }
        ("if" | "iff", 3) if kinds[0] == Type::Bool => {
            let test = take();
            let (nodes, kind) = unified(whole, all[1..].to_vec())?;
            typed(
                parts!["(CASE WHEN ", test, " THEN ", &nodes[0], " ELSE ", &nodes[1], " END)"],
                kind,
            )
        }
        _ => Err(unknown(whole, name, &kinds)),
    }
}

fn call(words: &'static str, nodes: Vec<Node>) -> Node {
    let mut all = parts![words];
    for (at, node) in nodes.into_iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        all = parts![all, comma, node];
    }
    parts![all, ")"]
}

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

fn unknown(whole: &Expr, name: &str, kinds: &[Type]) -> String {
    if let Some((_, why)) = REFUSED.iter().find(|(prefix, _)| name.starts_with(prefix)) {
        return format!("{name}() is refused: {why}");
    }
    if SCALARS.contains(&name) {
        let words: Vec<&str> = kinds.iter().map(|kind| kind.words()).collect();
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

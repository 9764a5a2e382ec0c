//! Functions over groups that the embedded engine is known to answer rightly.

use super::call::FunctionCall;
use super::node::{AggregateFunction, SqlExpr, Type, Typed, by_truth, parts};
use super::refusal::refused;

/// A function over a group. `filter` says which rows it is over.
pub(super) fn aggregate(call: FunctionCall<'_>, filter: Option<SqlExpr>) -> Result<Typed, String> {
    let whole = call.whole;
    if call.distinct && !["count", "min", "max"].contains(&call.name) {
        return Err(refused(
            whole,
            "DISTINCT is for COUNT; or write SELECT DISTINCT in a subquery",
        ));
    }
    let kind = call.given.first().map(|given| given.kind);
    let is_number = kind.is_some_and(Type::is_number);
    match (call.name, call.given.len()) {
        ("count", 0 | 1) => count(call, filter),
        ("countif", 1) if kind == Some(Type::Bool) && filter.is_none() => {
            let arg = parts!["(CASE WHEN ", &call.given[0].node, " THEN 1 END)"];
            made(call.name, "COUNT({})", Some(arg), Type::Int)
        }
        ("sum", 1) => sum(call, filter.as_ref()),
        ("avg" | "mean" | "median", 1) if is_number => {
            let template = if call.name == "median" { "MEDIAN({})" } else { "AVG({})" };
            let arg = within(filter.as_ref(), &call.given[0].node);
            made(call.name, template, Some(arg), Type::Float)
        }
        ("min" | "max", 1) if is_number || kind == Some(Type::Text) => {
            let given = &call.given[0];
            let template = if call.name == "min" { "MIN({})" } else { "MAX({})" };
            let arg = within(filter.as_ref(), &given.node);
            made(call.name, template, Some(arg), given.kind)
        }
        ("quantile_disc", 2) if is_number => {
            let is_share = |text: &String| text.parse::<f64>().is_ok_and(|share| (0.0..=1.0).contains(&share));
            let share = match &call.given[1].node {
                SqlExpr::Literal(share) if is_share(share) => share,
                _ => return Err(refused(whole, "the share must be a number from 0 to 1")),
            };
            let template = format!("QUANTILE_DISC({{}}, {share})");
            let arg = within(filter.as_ref(), &call.given[0].node);
            made(call.name, &template, Some(arg), Type::Float)
        }
        (_, count) => Err(not_over(&call, count)),
    }
}

fn not_over(call: &FunctionCall<'_>, count: usize) -> String {
    let kind = call.given.first().map_or("nothing", |given| given.kind.words());
    refused(call.whole, &format!("it is over {count} arguments, the first {kind}"))
}

/// A value where the filter holds, else NULL.
fn within(filter: Option<&SqlExpr>, node: &SqlExpr) -> SqlExpr {
    match filter {
        Some(filter) => parts!["(CASE WHEN ", filter, " THEN ", node, " END)"],
        None => node.clone(),
    }
}

fn made(name: &str, template: &str, arg: Option<SqlExpr>, kind: Type) -> Result<Typed, String> {
    let aggregate = AggregateFunction {
        template: template.to_owned(),
        arg: arg.map(Box::new),
        null_if_none: name == "sum",
        is_count: name.starts_with("count"),
    };
    Ok(Typed {
        node: SqlExpr::Aggregate(aggregate),
        kind,
    })
}

fn count(call: FunctionCall<'_>, filter: Option<SqlExpr>) -> Result<Typed, String> {
    let (whole, distinct) = (call.whole, call.distinct);
    let counted = |template: &str, arg: Option<SqlExpr>| made("count", template, arg, Type::Int);
    let Some(given) = call.given.first() else {
        return match &filter {
            _ if distinct => Err(refused(whole, "name the column that is to be distinct")),
            None => counted("COUNT(*)", None),
            Some(_) if call.star => counted("COUNT({})", Some(within(filter.as_ref(), &SqlExpr::int(1)))),
            Some(_) => Err(not_over(&call, 0)),
        };
    };
    let arg = || Some(within(filter.as_ref(), &given.node));
    match (given.node.is_literal(), given.kind) {
        (_, Type::Null) => Err(refused(whole, "it counts NULL")),
        (true, _) if distinct => Err(refused(whole, "it counts a constant")),
        (true, _) if filter.is_none() => counted("COUNT(*)", None),
        _ if distinct => counted("COUNT(DISTINCT {})", arg()),
        _ => counted("COUNT({})", arg()),
    }
}

fn sum(call: FunctionCall<'_>, filter: Option<&SqlExpr>) -> Result<Typed, String> {
    let (whole, given) = (call.whole, &call.given[0]);
    if matches!(&given.node, SqlExpr::Column(_, name) if name.ends_with("message_key")) {
        return Err(refused(whole, "a key is no amount"));
    }
    let summed = |node: &SqlExpr, kind: Type| made("sum", "SUM({})", Some(within(filter, node)), kind);
    match given.kind {
        Type::Bool => summed(&by_truth(&given.node, "1", "0"), Type::Int),
        Type::Float => summed(&given.node, Type::Float),
        // A sum of milliseconds since 1970 leaves 64 bits after some millions of rows.
        kind if kind.is_time() => Err(refused(whole, "a sum of points in time is none; use MIN, MAX or AVG")),
        Type::Int => summed(&given.node, Type::Int),
        kind => Err(refused(whole, &format!("its argument is {}", kind.words()))),
    }
}

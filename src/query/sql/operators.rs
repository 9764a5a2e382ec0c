//! Operators over typed values: what may be compared, what comes of arithmetic, and where it could overflow.

use super::node::{SqlExpr, SqlPart, Type, Typed, null_bool, parts};
use super::refusal::{NOT_HERE, refused};
use super::times::literal_ms;
use sqlparser::ast::{BinaryOperator, Expr};

pub(super) fn typed(node: SqlExpr, kind: Type) -> Result<Typed, String> {
    Ok(Typed { node, kind })
}

/// A literal of text beside a time is a time; everything else stays what it is.
pub(super) fn as_time_beside(value: Typed, other: Type) -> Result<Typed, String> {
    match (&value.node, value.kind) {
        (SqlExpr::Text(text), Type::Text) if other.is_time() => typed(SqlExpr::int(literal_ms(text)?), other),
        _ => Ok(value),
    }
}

/// Both sides of a comparison, a literal of text as a time beside a time.
pub(super) fn comparable(
    whole: &impl std::fmt::Display,
    left: &Typed,
    right: &Typed,
) -> Result<(Typed, Typed), String> {
    let left_made = as_time_beside(left.clone(), right.kind)?;
    let right_made = as_time_beside(right.clone(), left.kind)?;
    // A time that was written out is milliseconds; what is no time may be seconds.
    for (time, other) in [(left, right), (right, left)] {
        if time.kind == Type::Time && time.node.is_literal() && other.kind.is_number() && !other.kind.is_time() {
            return Err(refused(
                whole,
                "it puts a time beside a number; ts and ts_ms are times, in milliseconds",
            ));
        }
    }
    if left_made.kind.common(right_made.kind).is_some() {
        return Ok((left_made, right_made));
    }
    let (a, b) = (left.kind.words(), right.kind.words());
    let hint = match (left.kind, right.kind) {
        (kind, Type::Text) | (Type::Text, kind) if kind.is_number() => "; write numbers without quotes, or CAST",
        (kind, Type::Bool) | (Type::Bool, kind) if kind.is_number() => "; write TRUE or FALSE",
        _ => "",
    };
    Err(refused(whole, &format!("it puts {a} beside {b}{hint}")))
}

/// Values of one type.
pub(super) fn unified(whole: &impl std::fmt::Display, values: Vec<Typed>) -> Result<(Vec<SqlExpr>, Type), String> {
    let time = values.iter().map(|value| value.kind).find(|kind| kind.is_time());
    let mut kind = Type::Null;
    let mut nodes = Vec::with_capacity(values.len());
    for value in values {
        let value = as_time_beside(value, time.unwrap_or(Type::Null))?;
        kind = kind
            .common(value.kind)
            .ok_or_else(|| refused(whole, &format!("it mixes {} and {}", kind.words(), value.kind.words())))?;
        nodes.push(value.node);
    }
    match kind {
        Type::Null => Err(refused(whole, "nothing but NULL is in it")),
        _ => Ok((nodes, kind)),
    }
}

pub(super) fn binary(whole: &Expr, left: Typed, op: &BinaryOperator, right: Typed) -> Result<Typed, String> {
    let words = match op {
        BinaryOperator::And | BinaryOperator::Or => {
            let fits = |kind| matches!(kind, Type::Bool | Type::Null);
            if !fits(left.kind) || !fits(right.kind) {
                return Err(refused(whole, "AND and OR stand between conditions"));
            }
            let node = |side: Typed| {
                if side.kind == Type::Null {
                    null_bool()
                } else {
                    side.node
                }
            };
            let word = if *op == BinaryOperator::And { " AND " } else { " OR " };
            return typed(parts!["(", node(left), word, node(right), ")"], Type::Bool);
        }
        BinaryOperator::Eq => " = ",
        BinaryOperator::NotEq => " <> ",
        BinaryOperator::Lt => " < ",
        BinaryOperator::LtEq => " <= ",
        BinaryOperator::Gt => " > ",
        BinaryOperator::GtEq => " >= ",
        _ => return arithmetic(whole, left, op, right),
    };
    let (left, right) = comparable(whole, &left, &right)?;
    if left.kind == Type::Null || right.kind == Type::Null {
        return typed(null_bool(), Type::Bool);
    }
    // Two literals: the engine would compare them as they are written.
    let left = if left.node.is_literal() && right.node.is_literal() {
        parts!["COALESCE(", left.node, ")"]
    } else {
        left.node
    };
    typed(parts!["(", left, words, right.node, ")"], Type::Bool)
}

fn arithmetic(whole: &Expr, left: Typed, op: &BinaryOperator, right: Typed) -> Result<Typed, String> {
    if *op == BinaryOperator::StringConcat {
        let fits = |kind: Type| kind == Type::Text || kind == Type::Int;
        return match fits(left.kind) && fits(right.kind) {
            true => typed(parts!["(", left.node, " || ", right.node, ")"], Type::Text),
            false => Err(refused(whole, "|| joins texts; CAST(… AS VARCHAR) makes one")),
        };
    }
    let words = match op {
        BinaryOperator::Plus => " + ",
        BinaryOperator::Minus => " - ",
        BinaryOperator::Multiply => " * ",
        BinaryOperator::Divide => " / ",
        BinaryOperator::Modulo => " % ",
        BinaryOperator::DuckIntegerDivide | BinaryOperator::MyIntegerDivide => {
            return Err(refused(whole, "write FLOOR(a / b)"));
        }
        _ => return Err(refused(whole, NOT_HERE)),
    };
    // '2018-06-06' + INTERVAL '1 day': beside a length of time it is a point of it only when it says so.
    if left.kind == Type::Null || right.kind == Type::Null {
        return Err(refused(whole, "it calculates with NULL"));
    }
    if !left.kind.is_number() || !right.kind.is_number() {
        let kind = if left.kind.is_number() { right.kind } else { left.kind };
        let hint = if kind == Type::Text {
            "; a time is written TIMESTAMP '2018-06-06 18:00' there"
        } else {
            ""
        };
        return Err(refused(whole, &format!("it calculates with {}{hint}", kind.words())));
    }
    let float = left.kind == Type::Float || right.kind == Type::Float;
    let kind = match (op, left.kind, right.kind) {
        (BinaryOperator::Divide, ..) => Type::Float,
        _ if float => Type::Float,
        (BinaryOperator::Plus | BinaryOperator::Minus, time, other) if time.is_time() && !other.is_time() => time,
        (BinaryOperator::Plus, other, time) if time.is_time() && !other.is_time() => time,
        _ => Type::Int,
    };
    if *op == BinaryOperator::Modulo {
        return modulo(whole, &left, &right);
    }
    if !float && may_overflow(&left, op, &right) {
        return Err(refused(whole, "it may leave 64 bits; calculate with CAST(… AS DOUBLE)"));
    }
    typed(parts!["(", left.node, words, right.node, ")"], kind)
}

fn modulo(whole: &Expr, left: &Typed, right: &Typed) -> Result<Typed, String> {
    let float = left.kind == Type::Float || right.kind == Type::Float;
    if float || !is_not_zero(&right.node) || right.node.sql().starts_with('-') {
        return Err(refused(
            whole,
            "% wants a whole number, and a literal above zero behind it",
        ));
    }
    // What is left of a negative number is negative in SQL, and is not in the engine.
    let plain = parts!["(", &left.node, " % ", &right.node, ")"];
    match (&left.node, left.kind.is_time()) {
        (SqlExpr::Column(..), true) => typed(plain, Type::Int),
        _ => typed(
            parts![
                "(CASE WHEN ",
                &left.node,
                " < 0 THEN 0 - ((0 - ",
                &left.node,
                ") % ",
                &right.node,
                ") ELSE ",
                plain,
                " END)"
            ],
            Type::Int,
        ),
    }
}

fn is_not_zero(node: &SqlExpr) -> bool {
    matches!(node, SqlExpr::Literal(number) if number.parse::<f64>().is_ok_and(|number| number != 0.0))
}

/// Numbers of mails, bytes and milliseconds are far from 2⁶³; literals and products are not always.
fn may_overflow(left: &Typed, op: &BinaryOperator, right: &Typed) -> bool {
    let (left, right) = (size(&left.node), size(&right.node));
    let made = match op {
        BinaryOperator::Multiply => left * right,
        _ => left + right,
    };
    made > 9.2e18
}

/// How large a number may be, roughly.
fn size(node: &SqlExpr) -> f64 {
    match node {
        SqlExpr::Literal(number) => number.parse::<f64>().map_or(0.0, f64::abs),
        // A key of 64 bits.
        SqlExpr::Column(_, name) if name.ends_with("message_key") => 9.2e18,
        SqlExpr::Column(..) | SqlExpr::Made(_) | SqlExpr::Text(_) => 4e12,
        SqlExpr::Aggregate(_) | SqlExpr::Window(_) => 1e15,
        SqlExpr::Parts(parts) => {
            let times = parts.iter().any(|part| matches!(part, SqlPart::Words(" * ")));
            let sizes = parts.iter().filter_map(|part| match part {
                SqlPart::Node(node) => Some(size(node)),
                _ => None,
            });
            if times { sizes.product() } else { sizes.sum() }
        }
    }
}

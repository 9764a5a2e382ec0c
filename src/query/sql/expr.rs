//! Expressions: names resolved, types known, and only what the engine is known to answer rightly.

use super::functions;
use super::node::{Node, Type, Typed, parts};
use super::operators::{binary, comparable, typed, unified};
use super::scope::Scope;
use super::select::Translator;
use super::times::{self, literal_ms};
use sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, DataType, Expr, TrimWhereField, TypedString, UnaryOperator, Value,
    ValueWithSpan,
};

/// Beginning of a piece of SQL, for messages.
pub(super) fn short(sql: &impl std::fmt::Display) -> String {
    let text = sql.to_string();
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.escape_debug().to_string()
}

pub(super) fn refused(what: &impl std::fmt::Display, why: &str) -> String {
    format!("`{}` is refused: {why}", short(what))
}

pub(super) const NOT_HERE: &str = "the embedded engine does not know it";

pub(super) fn null_bool() -> Node {
    Node::Literal("CAST(NULL AS BOOLEAN)".to_owned())
}

impl Translator {
    pub(super) fn expr(&mut self, expr: &Expr, scope: &Scope<'_>) -> Result<Typed, String> {
        match expr {
            Expr::Identifier(name) => scope.find(None, name),
            Expr::CompoundIdentifier(names) => match names.as_slice() {
                [table, name] => scope.find(Some(table), name),
                _ => Err(refused(expr, "write table.column")),
            },
            Expr::Nested(inner) => self.expr(inner, scope),
            Expr::Value(value) => literal(value),
            Expr::TypedString(TypedString { data_type, value, .. }) => match &value.value {
                Value::SingleQuotedString(text) if times::is_time_type(data_type) => {
                    typed(Node::int(literal_ms(text)?), Type::Time)
                }
                _ => Err(refused(expr, NOT_HERE)),
            },
            Expr::Interval(interval) => typed(Node::int(times::interval_ms(interval)?), Type::Int),
            Expr::UnaryOp { op, expr: inner } => self.unary(expr, *op, inner, scope),
            Expr::BinaryOp { left, op, right } => {
                let (left, right) = (self.expr(left, scope)?, self.expr(right, scope)?);
                binary(expr, left, op, right)
            }
            Expr::IsNull(inner) | Expr::IsUnknown(inner) => {
                let inner = self.expr(inner, scope)?;
                typed(parts!["(", inner.node, " IS NULL)"], Type::Bool)
            }
            Expr::IsNotNull(inner) | Expr::IsNotUnknown(inner) => {
                let inner = self.expr(inner, scope)?;
                typed(parts!["(", inner.node, " IS NOT NULL)"], Type::Bool)
            }
            Expr::IsTrue(inner) => self.truth(inner, scope, "COALESCE(", ", FALSE)"),
            Expr::IsNotTrue(inner) => self.truth(inner, scope, "(NOT COALESCE(", ", FALSE))"),
            Expr::IsFalse(inner) => self.truth(inner, scope, "(NOT COALESCE(", ", TRUE))"),
            Expr::IsNotFalse(inner) => self.truth(inner, scope, "COALESCE(", ", TRUE)"),
            Expr::IsDistinctFrom(left, right) => self.distinct_from(expr, left, " IS DISTINCT FROM ", right, scope),
            Expr::IsNotDistinctFrom(left, right) => {
                self.distinct_from(expr, left, " IS NOT DISTINCT FROM ", right, scope)
            }
            Expr::Between {
                expr: value,
                negated,
                low,
                high,
            } => {
                let value = self.expr(value, scope)?;
                let (low, high) = (self.expr(low, scope)?, self.expr(high, scope)?);
                let from = binary(expr, value.clone(), &BinaryOperator::GtEq, low)?;
                let to = binary(expr, value, &BinaryOperator::LtEq, high)?;
                let both = parts!["(", from.node, " AND ", to.node, ")"];
                typed(if *negated { parts!["(NOT ", both, ")"] } else { both }, Type::Bool)
            }
            Expr::InList {
                expr: value,
                list,
                negated,
            } => self.in_list(expr, value, list, *negated, scope),
            Expr::InSubquery {
                expr: value,
                subquery,
                negated,
            } => {
                let value = self.expr(value, scope)?;
                let inner = self.query(subquery)?;
                let [(_, kind)] = inner.columns.as_slice() else {
                    return Err(refused(subquery, "the query after IN must have one column"));
                };
                comparable(
                    expr,
                    &value,
                    &Typed {
                        node: Node::Literal(String::new()),
                        kind: *kind,
                    },
                )?;
                if value.kind == Type::Null {
                    return typed(null_bool(), Type::Bool);
                }
                let sql = format!("(SELECT c0 FROM {})", self.step(inner.sql));
                let word = if *negated { " NOT IN " } else { " IN " };
                typed(parts!["(", value.node, word, sql, ")"], Type::Bool)
            }
            Expr::Like {
                negated,
                any: false,
                expr: value,
                pattern,
                escape_char: None,
            }
            | Expr::ILike {
                negated,
                any: false,
                expr: value,
                pattern,
                escape_char: None,
            } => {
                let words = match (matches!(expr, Expr::ILike { .. }), negated) {
                    (false, false) => " LIKE ",
                    (false, true) => " NOT LIKE ",
                    (true, false) => " ILIKE ",
                    (true, true) => " NOT ILIKE ",
                };
                self.like(expr, value, pattern, words, scope)
            }
            Expr::Like {
                escape_char: Some(_), ..
            }
            | Expr::ILike {
                escape_char: Some(_), ..
            } => Err(refused(expr, "LIKE has no ESCAPE here; use STARTS_WITH or STRPOS")),
            Expr::Cast {
                kind,
                expr: value,
                data_type,
                format: None,
                array: false,
            } => self.cast(expr, kind, value, data_type, scope),
            Expr::Case {
                operand,
                conditions,
                else_result,
                ..
            } => self.case(expr, operand.as_deref(), conditions, else_result.as_deref(), scope),
            Expr::Ceil { expr: value, .. } => self.rounded(expr, "CEIL(", value, scope),
            Expr::Floor { expr: value, .. } => self.rounded(expr, "FLOOR(", value, scope),
            Expr::Substring {
                expr: value,
                substring_from,
                substring_for,
                ..
            } => {
                let value = self.expr(value, scope)?;
                let mut args = vec![value];
                for more in [substring_from, substring_for].into_iter().flatten() {
                    args.push(self.expr(more, scope)?);
                }
                functions::scalar(expr, "substr", args)
            }
            Expr::Trim {
                trim_where,
                trim_what: None,
                expr: value,
                trim_characters: None,
            } => {
                let value = self.expr(value, scope)?;
                let name = match trim_where {
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                    _ => "trim",
                };
                functions::scalar(expr, name, vec![value])
            }
            Expr::Position { expr: needle, r#in } => {
                let (text, needle) = (self.expr(r#in, scope)?, self.expr(needle, scope)?);
                functions::scalar(expr, "strpos", vec![text, needle])
            }
            Expr::Function(function) => self.function(expr, function, scope),
            Expr::Subquery(query) => {
                // What is wrong inside of it is said first.
                self.query(query)?;
                Err(refused(
                    query,
                    "a subquery is no value here; write it into FROM, as a table of its own",
                ))
            }
            Expr::Exists { .. } => Err(refused(expr, "write it with IN (SELECT …) or a JOIN")),
            Expr::Extract { .. } => Err(refused(expr, functions::NO_CALENDAR)),
            Expr::RLike { .. } => Err(refused(expr, "write it with LIKE, STARTS_WITH or STRPOS")),
            other => Err(refused(other, NOT_HERE)),
        }
    }

    /// A condition.
    pub(super) fn condition(&mut self, expr: &Expr, scope: &Scope<'_>, clause: &str) -> Result<Node, String> {
        let condition = self.expr(expr, scope)?;
        match condition.kind {
            Type::Bool => Ok(condition.node),
            Type::Null => Ok(null_bool()),
            other => Err(format!(
                "{clause} `{}` is {}, and must be true or false",
                short(expr),
                other.words()
            )),
        }
    }

    fn unary(&mut self, whole: &Expr, op: UnaryOperator, inner: &Expr, scope: &Scope<'_>) -> Result<Typed, String> {
        let inner = self.expr(inner, scope)?;
        match (op, inner.kind) {
            (UnaryOperator::Not, Type::Bool) => typed(parts!["(NOT ", inner.node, ")"], Type::Bool),
            (UnaryOperator::Not, Type::Null) => typed(null_bool(), Type::Bool),
            (UnaryOperator::Plus, kind) if kind.is_number() => Ok(inner),
            (UnaryOperator::Minus, kind) if kind.is_number() => {
                let kind = if kind == Type::Float { Type::Float } else { Type::Int };
                match &inner.node {
                    Node::Literal(number) if !number.starts_with('-') => {
                        typed(Node::Literal(format!("-{number}")), kind)
                    }
                    _ => typed(parts!["(0 - ", inner.node, ")"], kind),
                }
            }
            (_, kind) => Err(refused(whole, &format!("it stands before {}", kind.words()))),
        }
    }

    fn truth(
        &mut self,
        inner: &Expr,
        scope: &Scope<'_>,
        before: &'static str,
        after: &'static str,
    ) -> Result<Typed, String> {
        let inner = self.condition(inner, scope, "IS TRUE:")?;
        typed(parts![before, inner, after], Type::Bool)
    }

    fn distinct_from(
        &mut self,
        whole: &Expr,
        left: &Expr,
        words: &'static str,
        right: &Expr,
        scope: &Scope<'_>,
    ) -> Result<Typed, String> {
        let (left, right) = (self.expr(left, scope)?, self.expr(right, scope)?);
        let (left, right) = comparable(whole, &left, &right)?;
        typed(parts!["(", left.node, words, right.node, ")"], Type::Bool)
    }

    fn in_list(
        &mut self,
        whole: &Expr,
        value: &Expr,
        list: &[Expr],
        negated: bool,
        scope: &Scope<'_>,
    ) -> Result<Typed, String> {
        let value = self.expr(value, scope)?;
        let mut plain: Vec<Node> = Vec::new();
        let mut others: Vec<Node> = Vec::new();
        for element in list {
            let element = self.expr(element, scope)?;
            if element.kind == Type::Null || value.kind == Type::Null {
                others.push(null_bool());
                continue;
            }
            let (_, element) = comparable(whole, &value, &element)?;
            let same =
                value.kind.is_int() && element.kind.is_int() || value.kind == Type::Text && element.kind == Type::Text;
            match same && element.node.is_literal() {
                true => plain.push(element.node),
                false => others.push(parts!["(", &value.node, " = ", element.node, ")"]),
            }
        }
        let mut tests = Vec::new();
        if !plain.is_empty() {
            let list: Vec<String> = plain.iter().map(Node::sql).collect();
            tests.push(parts!["(", value.node, " IN (", list.join(", "), "))"]);
        }
        tests.extend(others);
        let any = tests
            .into_iter()
            .reduce(|any, one| parts!["(", any, " OR ", one, ")"])
            .ok_or_else(|| refused(whole, "the list is empty"))?;
        typed(if negated { parts!["(NOT ", any, ")"] } else { any }, Type::Bool)
    }

    fn like(
        &mut self,
        whole: &Expr,
        value: &Expr,
        pattern: &Expr,
        words: &'static str,
        scope: &Scope<'_>,
    ) -> Result<Typed, String> {
        let (value, pattern) = (self.expr(value, scope)?, self.expr(pattern, scope)?);
        match (value.kind, &pattern.node) {
            (Type::Text, Node::Text(_)) => typed(parts!["(", value.node, words, pattern.node, ")"], Type::Bool),
            (kind, Node::Text(_)) if kind.is_time() => Err(refused(
                whole,
                "a time is no text; write ts >= '2018-06-06' AND ts < '2018-06-07'",
            )),
            (Type::Text, _) => Err(refused(whole, "the pattern must be a text in quotes")),
            (kind, _) => Err(refused(
                whole,
                &format!("LIKE compares text, and this is {}", kind.words()),
            )),
        }
    }

    fn cast(
        &mut self,
        whole: &Expr,
        kind: &CastKind,
        value: &Expr,
        to: &DataType,
        scope: &Scope<'_>,
    ) -> Result<Typed, String> {
        let value = self.expr(value, scope)?;
        if times::is_time_type(to) {
            let day = matches!(to, DataType::Date | DataType::Date32);
            return match (&value.node, value.kind) {
                (Node::Text(text), _) => typed(Node::int(literal_ms(text)?), Type::Time),
                (_, kind) if kind.is_time() && !day => typed(value.node, Type::Time),
                _ => Err(refused(whole, functions::NO_CALENDAR)),
            };
        }
        let word = match kind {
            CastKind::TryCast | CastKind::SafeCast => "TRY_CAST(",
            _ => "CAST(",
        };
        let (name, made) = match to {
            DataType::Int(_)
            | DataType::Integer(_)
            | DataType::BigInt(_)
            | DataType::SmallInt(_)
            | DataType::Int4(_)
            | DataType::Int8(_)
            | DataType::Int64 => (" AS BIGINT)", Type::Int),
            DataType::Double(_)
            | DataType::DoublePrecision
            | DataType::Real
            | DataType::Float(_)
            | DataType::Float64 => (" AS DOUBLE)", Type::Float),
            DataType::Varchar(None) | DataType::Text | DataType::String(None) | DataType::Char(None) => {
                (" AS VARCHAR)", Type::Text)
            }
            DataType::Boolean | DataType::Bool => (" AS BOOLEAN)", Type::Bool),
            other => {
                return Err(refused(
                    whole,
                    &format!("{other} is no type here; there are BIGINT, DOUBLE, VARCHAR, BOOLEAN"),
                ));
            }
        };
        match (value.kind, made) {
            (from, to) if from == to => Ok(value),
            (Type::Float, Type::Text) => Err(refused(whole, "engines write numbers in different ways")),
            (Type::Bool, Type::Text) => typed(by_truth(&value.node, "'true'", "'false'"), Type::Text),
            (Type::Bool, Type::Int | Type::Float) => {
                let node = by_truth(&value.node, "1", "0");
                typed(
                    if made == Type::Float {
                        parts!["CAST(", node, name]
                    } else {
                        node
                    },
                    made,
                )
            }
            (Type::Text | Type::Float, Type::Bool) => Err(refused(whole, "compare it with a value instead")),
            (from, Type::Bool) if from.is_int() => typed(parts!["(", value.node, " <> 0)"], Type::Bool),
            _ => typed(parts![word, value.node, name], made),
        }
    }

    fn case(
        &mut self,
        whole: &Expr,
        operand: Option<&Expr>,
        conditions: &[CaseWhen],
        otherwise: Option<&Expr>,
        scope: &Scope<'_>,
    ) -> Result<Typed, String> {
        let operand = operand.map(|operand| self.expr(operand, scope)).transpose()?;
        let mut tests = Vec::new();
        let mut results = Vec::new();
        for when in conditions {
            tests.push(match &operand {
                None => self.condition(&when.condition, scope, "WHEN")?,
                Some(operand) => {
                    let value = self.expr(&when.condition, scope)?;
                    binary(whole, operand.clone(), &BinaryOperator::Eq, value)?.node
                }
            });
            results.push(self.expr(&when.result, scope)?);
        }
        results.extend(otherwise.map(|otherwise| self.expr(otherwise, scope)).transpose()?);
        let (results, kind) = unified(whole, results)?;
        let mut results = results.into_iter();
        let mut node = parts!["(CASE"];
        for test in tests {
            let Some(result) = results.next() else { break };
            node = parts![node, " WHEN ", test, " THEN ", result];
        }
        if let Some(result) = results.next() {
            node = parts![node, " ELSE ", result];
        }
        typed(parts![node, " END)"], kind)
    }

    fn rounded(&mut self, whole: &Expr, words: &'static str, value: &Expr, scope: &Scope<'_>) -> Result<Typed, String> {
        let value = self.expr(value, scope)?;
        match value.kind {
            kind if kind.is_int() => Ok(value),
            Type::Float => typed(parts![words, value.node, ")"], Type::Float),
            kind => Err(refused(whole, &format!("its argument is {}", kind.words()))),
        }
    }
}

/// One word where a condition is true and another where it is false; NULL stays NULL.
pub(super) fn by_truth(condition: &Node, yes: &str, no: &str) -> Node {
    parts![
        "(CASE WHEN ",
        condition,
        format!(" THEN {yes} WHEN NOT "),
        condition,
        format!(" THEN {no} END)")
    ]
}

fn literal(value: &ValueWithSpan) -> Result<Typed, String> {
    match &value.value {
        Value::Number(digits, _) if digits.contains(['.', 'e', 'E']) => {
            let number: f64 = digits.parse().map_err(|_| refused(value, "it is no number"))?;
            if !number.is_finite() {
                return Err(refused(value, "it is too large"));
            }
            let mut text = number.to_string();
            if !text.contains('.') {
                text.push_str(".0");
            }
            typed(Node::Literal(text), Type::Float)
        }
        Value::Number(digits, _) => {
            let number: i64 = digits
                .parse()
                .map_err(|_| refused(value, "whole numbers go to 9223372036854775807"))?;
            typed(Node::int(number), Type::Int)
        }
        Value::SingleQuotedString(text) => typed(Node::Text(text.clone()), Type::Text),
        Value::Boolean(flag) => typed(Node::Literal(flag.to_string().to_uppercase()), Type::Bool),
        Value::Null => typed(Node::Literal("NULL".to_owned()), Type::Null),
        _ => Err(refused(value, "write texts in single quotes")),
    }
}

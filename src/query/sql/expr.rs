//! Expressions: names resolved, types known, and only what the engine is known to answer rightly.

use super::node::{SqlExpr, Type, Typed, null_bool, parts};
use super::operators::{binary, typed};
use super::refusal::{NOT_HERE, refused, short};
use super::scope::NameScope;
use super::times::{self, literal_ms};
use super::translator::Translator;
use sqlparser::ast::{Expr, TypedString, UnaryOperator, Value, ValueWithSpan};

impl Translator {
    pub(super) fn expr(&mut self, expr: &Expr, scope: &NameScope<'_>) -> Result<Typed, String> {
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
                    typed(SqlExpr::int(literal_ms(text)?), Type::Time)
                }
                _ => Err(refused(expr, NOT_HERE)),
            },
            Expr::Interval(interval) => typed(SqlExpr::int(times::interval_ms(interval)?), Type::Int),
            Expr::UnaryOp { op, expr: inner } => self.unary(expr, *op, inner, scope),
            Expr::BinaryOp { left, op, right } => {
                let (left, right) = (self.expr(left, scope)?, self.expr(right, scope)?);
                binary(expr, left, op, right)
            }
            Expr::Function(function) => self.function(expr, function, scope),
            _ => self.predicate(expr, scope),
        }
    }

    /// A condition.
    pub(super) fn condition(&mut self, expr: &Expr, scope: &NameScope<'_>, clause: &str) -> Result<SqlExpr, String> {
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

    fn unary(&mut self, whole: &Expr, op: UnaryOperator, inner: &Expr, scope: &NameScope<'_>) -> Result<Typed, String> {
        let inner = self.expr(inner, scope)?;
        match (op, inner.kind) {
            (UnaryOperator::Not, Type::Bool) => typed(parts!["(NOT ", inner.node, ")"], Type::Bool),
            (UnaryOperator::Not, Type::Null) => typed(null_bool(), Type::Bool),
            (UnaryOperator::Plus, kind) if kind.is_number() => Ok(inner),
            (UnaryOperator::Minus, kind) if kind.is_number() => {
                let kind = if kind == Type::Float { Type::Float } else { Type::Int };
                match &inner.node {
                    SqlExpr::Literal(number) if !number.starts_with('-') => {
                        typed(SqlExpr::Literal(format!("-{number}")), kind)
                    }
                    _ => typed(parts!["(0 - ", inner.node, ")"], kind),
                }
            }
            (_, kind) => Err(refused(whole, &format!("it stands before {}", kind.words()))),
        }
    }
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
            typed(SqlExpr::Literal(text), Type::Float)
        }
        Value::Number(digits, _) => {
            let number: i64 = digits
                .parse()
                .map_err(|_| refused(value, "whole numbers go to 9223372036854775807"))?;
            typed(SqlExpr::int(number), Type::Int)
        }
        Value::SingleQuotedString(text) => typed(SqlExpr::Text(text.clone()), Type::Text),
        Value::Boolean(flag) => typed(SqlExpr::Literal(flag.to_string().to_uppercase()), Type::Bool),
        Value::Null => typed(SqlExpr::Literal("NULL".to_owned()), Type::Null),
        _ => Err(refused(value, "write texts in single quotes")),
    }
}

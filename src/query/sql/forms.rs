//! Functions with a form of their own: CAST, CASE, SUBSTRING, TRIM and the like; and subqueries, which are refused.

use super::node::{SqlExpr, Type, Typed, by_truth, parts};
use super::operators::{binary, typed, unified};
use super::refusal::{NO_CALENDAR, NOT_HERE, refused};
use super::scalars::scalar;
use super::scope::NameScope;
use super::times::{is_time_type, literal_ms};
use super::translator::Translator;
use sqlparser::ast::{BinaryOperator, CaseWhen, CastKind, DataType, Expr, TrimWhereField};

impl Translator {
    pub(super) fn form(&mut self, expr: &Expr, scope: &NameScope<'_>) -> Result<Typed, String> {
        match expr {
            Expr::Cast {
                kind,
                expr: value,
                data_type,
                format: None,
                array: false,
            } => cast(expr, kind, self.expr(value, scope)?, data_type),
            Expr::Case {
                operand,
                conditions,
                else_result,
                ..
            } => {
                let operand = operand
                    .as_deref()
                    .map(|operand| self.expr(operand, scope))
                    .transpose()?;
                let (tests, mut results) = self.branches(expr, operand, conditions, scope)?;
                if let Some(otherwise) = else_result {
                    results.push(self.expr(otherwise, scope)?);
                }
                case(expr, tests, results)
            }
            Expr::Ceil { expr: value, .. } => rounded(expr, "CEIL(", self.expr(value, scope)?),
            Expr::Floor { expr: value, .. } => rounded(expr, "FLOOR(", self.expr(value, scope)?),
            Expr::Substring {
                expr: value,
                substring_from,
                substring_for,
                ..
            } => {
                let mut args = vec![self.expr(value, scope)?];
                for more in [substring_from, substring_for].into_iter().flatten() {
                    args.push(self.expr(more, scope)?);
                }
                scalar(expr, "substr", args)
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
                scalar(expr, name, vec![value])
            }
            Expr::Position { expr: needle, r#in } => {
                let (text, needle) = (self.expr(r#in, scope)?, self.expr(needle, scope)?);
                scalar(expr, "strpos", vec![text, needle])
            }
            _ => self.refusal(expr),
        }
    }

    /// Why an expression that is not known is refused.
    fn refusal(&mut self, expr: &Expr) -> Result<Typed, String> {
        Err(match expr {
            Expr::Subquery(query) => {
                // What is wrong inside of it is said first.
                self.query(query)?;
                refused(
                    query,
                    "a subquery is no value here; write it into FROM, as a table of its own",
                )
            }
            Expr::Exists { .. } => refused(expr, "write it with IN (SELECT …) or a JOIN"),
            Expr::Extract { .. } => refused(expr, NO_CALENDAR),
            Expr::RLike { .. } => refused(expr, "write it with LIKE, STARTS_WITH or STRPOS"),
            other => refused(other, NOT_HERE),
        })
    }

    /// The conditions of a CASE, and what it is under each.
    fn branches(
        &mut self,
        whole: &Expr,
        operand: Option<Typed>,
        conditions: &[CaseWhen],
        scope: &NameScope<'_>,
    ) -> Result<(Vec<SqlExpr>, Vec<Typed>), String> {
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
        Ok((tests, results))
    }
}

fn case(whole: &Expr, tests: Vec<SqlExpr>, results: Vec<Typed>) -> Result<Typed, String> {
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

fn cast(whole: &Expr, kind: &CastKind, value: Typed, to: &DataType) -> Result<Typed, String> {
    if is_time_type(to) {
        let day = matches!(to, DataType::Date | DataType::Date32);
        return match (&value.node, value.kind) {
            (SqlExpr::Text(text), _) => typed(SqlExpr::int(literal_ms(text)?), Type::Time),
            (_, kind) if kind.is_time() && !day => typed(value.node, Type::Time),
            _ => Err(refused(whole, NO_CALENDAR)),
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
        DataType::Double(_) | DataType::DoublePrecision | DataType::Real | DataType::Float(_) | DataType::Float64 => {
            (" AS DOUBLE)", Type::Float)
        }
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

fn rounded(whole: &Expr, words: &'static str, value: Typed) -> Result<Typed, String> {
    match value.kind {
        kind if kind.is_int() => Ok(value),
        Type::Float => typed(parts![words, value.node, ")"], Type::Float),
        kind => Err(refused(whole, &format!("its argument is {}", kind.words()))),
    }
}

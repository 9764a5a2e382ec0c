//! Conditions in words: IS, BETWEEN, IN and LIKE.

use super::node::{SqlExpr, Type, Typed, null_bool, parts};
use super::operators::{binary, comparable, typed};
use super::refusal::refused;
use super::scope::NameScope;
use super::translator::Translator;
use sqlparser::ast::{BinaryOperator, Expr, Query};

impl Translator {
    /// A condition in words; any other expression goes on to the forms.
    pub(super) fn predicate(&mut self, expr: &Expr, scope: &NameScope<'_>) -> Result<Typed, String> {
        match expr {
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
            Expr::IsDistinctFrom(left, right) => {
                let sides = (self.expr(left, scope)?, self.expr(right, scope)?);
                distinct_from(expr, sides, " IS DISTINCT FROM ")
            }
            Expr::IsNotDistinctFrom(left, right) => {
                let sides = (self.expr(left, scope)?, self.expr(right, scope)?);
                distinct_from(expr, sides, " IS NOT DISTINCT FROM ")
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
                negated_if(*negated, parts!["(", from.node, " AND ", to.node, ")"])
            }
            Expr::InList {
                expr: value,
                list,
                negated,
            } => {
                let value = self.expr(value, scope)?;
                negated_if(*negated, self.in_list(expr, value, list, scope)?)
            }
            Expr::InSubquery {
                expr: value,
                subquery,
                negated,
            } => {
                let value = self.expr(value, scope)?;
                self.in_subquery(expr, value, subquery, *negated)
            }
            _ => self.like_or_form(expr, scope),
        }
    }

    fn like_or_form(&mut self, expr: &Expr, scope: &NameScope<'_>) -> Result<Typed, String> {
        match expr {
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
                let (value, pattern) = (self.expr(value, scope)?, self.expr(pattern, scope)?);
                like(expr, value, pattern, words)
            }
            Expr::Like {
                escape_char: Some(_), ..
            }
            | Expr::ILike {
                escape_char: Some(_), ..
            } => Err(refused(expr, "LIKE has no ESCAPE here; use STARTS_WITH or STRPOS")),
            _ => self.form(expr, scope),
        }
    }

    fn truth(
        &mut self,
        inner: &Expr,
        scope: &NameScope<'_>,
        before: &'static str,
        after: &'static str,
    ) -> Result<Typed, String> {
        let inner = self.condition(inner, scope, "IS TRUE:")?;
        typed(parts![before, inner, after], Type::Bool)
    }

    fn in_list(&mut self, whole: &Expr, value: Typed, list: &[Expr], scope: &NameScope<'_>) -> Result<SqlExpr, String> {
        let mut plain: Vec<SqlExpr> = Vec::new();
        let mut others: Vec<SqlExpr> = Vec::new();
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
            let list: Vec<String> = plain.iter().map(SqlExpr::sql).collect();
            tests.push(parts!["(", value.node, " IN (", list.join(", "), "))"]);
        }
        tests.extend(others);
        tests
            .into_iter()
            .reduce(|any, one| parts!["(", any, " OR ", one, ")"])
            .ok_or_else(|| refused(whole, "the list is empty"))
    }

    fn in_subquery(&mut self, whole: &Expr, value: Typed, subquery: &Query, negated: bool) -> Result<Typed, String> {
        let inner = self.query(subquery)?;
        let [(_, kind)] = inner.columns.as_slice() else {
            return Err(refused(subquery, "the query after IN must have one column"));
        };
        let column = Typed {
            node: SqlExpr::Literal(String::new()),
            kind: *kind,
        };
        comparable(whole, &value, &column)?;
        if value.kind == Type::Null {
            return typed(null_bool(), Type::Bool);
        }
        let sql = format!("(SELECT c0 FROM {})", self.step(inner.level));
        let word = if negated { " NOT IN " } else { " IN " };
        typed(parts!["(", value.node, word, sql, ")"], Type::Bool)
    }
}

fn negated_if(negated: bool, condition: SqlExpr) -> Result<Typed, String> {
    let condition = match negated {
        true => parts!["(NOT ", condition, ")"],
        false => condition,
    };
    typed(condition, Type::Bool)
}

fn distinct_from(whole: &Expr, (left, right): (Typed, Typed), words: &'static str) -> Result<Typed, String> {
    let (left, right) = comparable(whole, &left, &right)?;
    typed(parts!["(", left.node, words, right.node, ")"], Type::Bool)
}

fn like(whole: &Expr, value: Typed, pattern: Typed, words: &'static str) -> Result<Typed, String> {
    match (value.kind, &pattern.node) {
        (Type::Text, SqlExpr::Text(_)) => typed(parts!["(", value.node, words, pattern.node, ")"], Type::Bool),
        (kind, SqlExpr::Text(_)) if kind.is_time() => Err(refused(
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

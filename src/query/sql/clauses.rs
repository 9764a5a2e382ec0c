//! Clauses as they are written: conditions taken apart, ORDER BY and LIMIT read, and what is refused.

use super::refusal::refused;
use sqlparser::ast::{
    BinaryOperator, Distinct, Expr, Fetch, LimitClause, OrderBy, OrderByKind, Select, Value, ValueWithSpan,
    WildcardAdditionalOptions,
};

/// The parts of a condition that AND joins.
pub(super) fn conjuncts(condition: &Expr) -> Vec<&Expr> {
    match condition {
        Expr::Nested(inner) => conjuncts(inner),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            let mut all = conjuncts(left);
            all.extend(conjuncts(right));
            all
        }
        other => vec![other],
    }
}

pub(super) fn plain_wildcard(options: &WildcardAdditionalOptions) -> Result<(), String> {
    let text = options.to_string();
    match text.trim().is_empty() {
        true => Ok(()),
        false => Err(refused(&text, "name the columns that you want")),
    }
}

pub(super) fn plain_select(select: &Select) -> Result<(), String> {
    if select.into.is_some() {
        return Err("SELECT INTO is refused: it writes".to_owned());
    }
    if select.qualify.is_some() {
        return Err("QUALIFY is refused; write the window in a subquery, and WHERE around it".to_owned());
    }
    if matches!(select.distinct, Some(Distinct::On(_))) {
        return Err("DISTINCT ON is refused; write ROW_NUMBER() in a subquery, and WHERE around it".to_owned());
    }
    let plain = select.optimizer_hints.is_empty()
        && select.select_modifiers.is_none()
        && select.top.is_none()
        && select.exclude.is_none()
        && select.lateral_views.is_empty()
        && select.prewhere.is_none()
        && select.connect_by.is_empty()
        && select.cluster_by.is_empty()
        && select.distribute_by.is_empty()
        && select.sort_by.is_empty()
        && select.named_window.is_empty()
        && select.value_table_mode.is_none();
    match (plain, select.projection.is_empty(), select.from.is_empty()) {
        (false, ..) => Err("only SELECT … FROM … WHERE … GROUP BY … HAVING … is understood here".to_owned()),
        (_, true, _) => Err("name columns behind SELECT, or write *".to_owned()),
        (.., true) => Err("name a table: FROM events, rates or sources".to_owned()),
        _ => Ok(()),
    }
}

/// A number as it is written.
pub(super) fn digits(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(ValueWithSpan {
            value: Value::Number(digits, _),
            ..
        }) => Some(digits),
        _ => None,
    }
}

/// Which column a number means.
pub(super) fn ordinal(expr: &Expr, columns: usize) -> Result<Option<usize>, String> {
    let Some(digits) = digits(expr) else { return Ok(None) };
    match digits.parse::<usize>() {
        Ok(at) if (1..=columns).contains(&at) => Ok(Some(at - 1)),
        _ => Err(format!(
            "there is no column {}; there are {columns}",
            digits.escape_debug()
        )),
    }
}

/// Which way rows are sorted by a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SortOrder {
    pub down: bool,
    pub nulls_first: bool,
}

impl std::fmt::Display for SortOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let down = if self.down { "DESC" } else { "ASC" };
        let nulls = if self.nulls_first { "FIRST" } else { "LAST" };
        write!(f, "{down} NULLS {nulls}")
    }
}

/// Expressions of an ORDER BY, and in which order they go; NULL is last unless the text says otherwise.
pub(super) fn order_items(order: Option<&OrderBy>) -> Result<Vec<(&Expr, SortOrder)>, String> {
    let Some(order) = order else { return Ok(Vec::new()) };
    let OrderByKind::Expressions(items) = &order.kind else {
        return Err("ORDER BY ALL is refused; name the columns".to_owned());
    };
    if order.interpolate.is_some() || items.iter().any(|item| item.with_fill.is_some()) {
        return Err("WITH FILL is refused: the embedded engine does not know it".to_owned());
    }
    let words = |item: &sqlparser::ast::OrderByExpr| SortOrder {
        down: item.options.asc == Some(false),
        nulls_first: item.options.nulls_first == Some(true),
    };
    Ok(items.iter().map(|item| (&item.expr, words(item))).collect())
}

/// LIMIT and OFFSET for the engine, which counts rows in 32 bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RowLimit {
    limit: Option<u64>,
    offset: Option<u64>,
}

impl RowLimit {
    /// Rows that are read for it; none for all.
    pub(super) fn rows(self) -> Option<usize> {
        let limit = self.limit?;
        usize::try_from(limit.saturating_add(self.offset.unwrap_or(0))).ok()
    }
}

impl std::fmt::Display for RowLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(limit) = self.limit {
            write!(f, " LIMIT {limit}")?;
        }
        match self.offset {
            Some(offset) => write!(f, " OFFSET {offset}"),
            None => Ok(()),
        }
    }
}

/// What LIMIT, OFFSET and FETCH say.
pub(super) fn limits(clause: Option<&LimitClause>, fetch: Option<&Fetch>) -> Result<RowLimit, String> {
    let number = |expr: &Expr| -> Result<u64, String> {
        let number = digits(expr).and_then(|digits| digits.parse().ok());
        number.ok_or_else(|| refused(expr, "LIMIT and OFFSET are whole numbers"))
    };
    let (limit, offset) = match clause {
        None => (None, None),
        Some(LimitClause::LimitOffset {
            limit,
            offset,
            limit_by,
        }) => {
            if !limit_by.is_empty() {
                return Err("LIMIT BY is refused: the embedded engine does not know it".to_owned());
            }
            let limit = limit.as_ref().map(number).transpose()?;
            (limit, offset.as_ref().map(|offset| number(&offset.value)).transpose()?)
        }
        Some(LimitClause::OffsetCommaLimit { offset, limit }) => (Some(number(limit)?), Some(number(offset)?)),
    };
    let limit = match fetch {
        None => limit,
        Some(fetch) if fetch.percent || fetch.with_ties => return Err("FETCH takes a number of rows".to_owned()),
        Some(fetch) => Some(fetch.quantity.as_ref().map_or(Ok(1), number)?),
    };
    let most = u64::from(u32::MAX) - 1;
    Ok(RowLimit {
        limit: limit.filter(|limit| *limit <= most),
        offset: offset.map(|offset| offset.min(most)),
    })
}

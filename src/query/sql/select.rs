//! SELECTs, taken apart into simple ones: each level does one thing (join and filter, group, windows, names, order), over
//! columns whose names are unique. What the engine does with such levels is known; what it makes of the whole is not.

use super::clauses::{RowLimit, SortOrder, limits, order_items, ordinal, plain_select, plain_wildcard};
use super::level::{Level, LevelForm};
use super::levels::{GroupLevel, SortKey, Sorted, WindowLevel, listed, nodes};
use super::node::{SqlExpr, Type, Typed};
use super::refusal::{refused, short};
use super::scope::{FromTable, NameScope, same_name};
use super::translator::{Relation, Translator};
use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, OrderBy, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    SetOperator, SetQuantifier,
};

/// What a SELECT gives: its columns, in which order its rows come, and whether each comes once.
struct Output {
    items: Vec<(String, Typed)>,
    sorted: Vec<Sorted>,
    distinct: bool,
}

impl Translator {
    /// A query with all that stands before and behind its SELECT.
    pub(super) fn query(&mut self, query: &Query) -> Result<Relation, String> {
        let unwanted = !query.locks.is_empty()
            || query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty();
        if unwanted {
            return Err("FOR, SETTINGS, FORMAT and |> are refused here; --format chooses the form".to_owned());
        }
        let outer = self.ctes.len();
        if let Some(with) = &query.with {
            if with.recursive {
                return Err("WITH RECURSIVE is refused: the embedded engine does not know it".to_owned());
            }
            for cte in &with.cte_tables {
                let mut relation = self.query(&cte.query)?;
                relation.rename(&cte.alias.columns)?;
                self.ctes.push((cte.alias.name.value.to_lowercase(), relation));
            }
        }
        let limit = limits(query.limit_clause.as_ref(), query.fetch.as_ref())?;
        let relation = self.body(&query.body, query.order_by.as_ref(), limit);
        self.ctes.truncate(outer);
        relation
    }

    fn body(&mut self, body: &SetExpr, order: Option<&OrderBy>, limit: RowLimit) -> Result<Relation, String> {
        let relation = match body {
            SetExpr::Select(select) => return self.select(select, order, limit),
            SetExpr::Query(query) => self.query(query)?,
            SetExpr::SetOperation {
                op,
                set_quantifier,
                left,
                right,
            } => {
                let left = self.body(left, None, RowLimit::default())?;
                let right = self.body(right, None, RowLimit::default())?;
                self.combined(*op, *set_quantifier, left, right)?
            }
            SetExpr::Values(_) => {
                return Err("VALUES is refused: ask for columns of events, rates or sources".to_owned());
            }
            _ => return Err("only SELECT is allowed here: the store is written by backfill and tail alone".to_owned()),
        };
        let mut sorted = Vec::new();
        for (expr, words) in order_items(order)? {
            let at = match expr {
                Expr::Identifier(name) => relation
                    .columns
                    .iter()
                    .position(|(column, _)| same_name(column, &name.value)),
                other => ordinal(other, relation.columns.len())?,
            };
            let at = at.ok_or_else(|| refused(expr, "name a column of the result, or its number"))?;
            sorted.push((format!("c{at}"), words));
        }
        Ok(self.sorted(relation, sorted, limit))
    }

    fn sorted(&mut self, relation: Relation, sorted: Vec<(String, SortOrder)>, limit: RowLimit) -> Relation {
        if sorted.is_empty() && limit == RowLimit::default() {
            return relation;
        }
        let words: Vec<String> = sorted
            .iter()
            .map(|(column, order)| format!("{column} {order}"))
            .collect();
        let order = match sorted.is_empty() {
            true => String::new(),
            false => format!(" ORDER BY {}", words.join(", ")),
        };
        let list = columns(relation.columns.len());
        let from = self.step(relation.level);
        let by = sorted
            .into_iter()
            .map(|(column, order)| (column, order.down, order.nulls_first));
        let level = Level {
            list,
            rest: format!("{from}{order}{limit}"),
            form: LevelForm::Sorted {
                by: by.collect(),
                rows: limit.rows(),
                from,
            },
        };
        Relation {
            level,
            columns: relation.columns,
        }
    }

    fn combined(
        &mut self,
        op: SetOperator,
        quantifier: SetQuantifier,
        left: Relation,
        right: Relation,
    ) -> Result<Relation, String> {
        let (a, b) = (left.columns.len(), right.columns.len());
        if a != b {
            return Err(format!("{op}: one side has {a} columns, the other {b}"));
        }
        let mut made = Vec::with_capacity(a);
        for ((name, left), (_, right)) in left.columns.iter().zip(&right.columns) {
            let kind = left.common(*right).ok_or_else(|| {
                format!(
                    "{op}: `{}` is {} on one side and {} on the other",
                    name.escape_debug(),
                    left.words(),
                    right.words()
                )
            })?;
            made.push((name.clone(), kind));
        }
        let all = columns(a);
        let mut both = |marks: [&str; 2]| {
            let (left, right) = (self.step(left.level.clone()), self.step(right.level.clone()));
            let [a, b] = marks;
            Level::whole(
                format!("{all}{a}"),
                format!("{left} UNION ALL SELECT {all}{b} FROM {right}"),
            )
        };
        let level = match (op, quantifier) {
            (SetOperator::Union, SetQuantifier::All) => both(["", ""]),
            (SetOperator::Union, SetQuantifier::None | SetQuantifier::Distinct) => {
                let both = both(["", ""]);
                distinct(&all, self.step(both))
            }
            (
                SetOperator::Except | SetOperator::Minus | SetOperator::Intersect,
                SetQuantifier::None | SetQuantifier::Distinct,
            ) => {
                let both = both([", 0 AS side", ", 1 AS side"]);
                let both = self.step(both);
                let grouped = Level::whole(
                    format!("{all}, MIN(side) AS least, MAX(side) AS most"),
                    format!("{both} GROUP BY {all}"),
                );
                let test = match op {
                    SetOperator::Intersect => "least = 0 AND most = 1",
                    _ => "most = 0",
                };
                Level::whole(all.as_str(), format!("{} WHERE {test}", self.step(grouped)))
            }
            _ => {
                return Err(format!(
                    "{op} {quantifier} is refused: the embedded engine does not know it"
                ));
            }
        };
        Ok(Relation { level, columns: made })
    }

    fn select(&mut self, select: &Select, order: Option<&OrderBy>, limit: RowLimit) -> Result<Relation, String> {
        // GROUP BY means a column of the table before one of the result; where that cannot be, the other.
        let steps = self.steps.len();
        match self.select_by(select, order, limit, false) {
            Err(error) => {
                self.steps.truncate(steps);
                self.select_by(select, order, limit, true).map_err(|_| error)
            }
            made => made,
        }
    }

    fn select_by(
        &mut self,
        select: &Select,
        order: Option<&OrderBy>,
        limit: RowLimit,
        alias_first: bool,
    ) -> Result<Relation, String> {
        plain_select(select)?;
        let from = self.from(&select.from)?;
        let sources = &from.sources;
        let scope = NameScope { sources, aliases: &[] };
        let condition = self.where_condition(select, &scope)?;
        let mut items = self.items(select, &scope)?;
        let aliases: Vec<(String, Typed)> = items.clone();
        let named = NameScope {
            sources,
            aliases: &aliases,
        };
        let mut keys = self.group_keys(select, &named, &items, alias_first)?;
        let having = match &select.having {
            Some(having) => Some(self.condition(having, &named, "HAVING")?),
            None => None,
        };
        let mut sorted = self.sort_keys(order, &named, &items)?;
        let is_all = matches!(&select.group_by, GroupByExpr::All(_));
        if is_all {
            keys.extend(
                items
                    .iter()
                    .map(|(_, item)| item.node.clone())
                    .filter(|node| !node.has_aggregate() && !node.is_literal()),
            );
        }
        let grouped = !keys.is_empty()
            || is_all
            || having.is_some()
            || nodes(&mut items, &mut sorted).any(|node| node.has_aggregate());

        let (mut level, rest) = from.level(self, condition);
        let mut filter = rest;
        if grouped {
            let mut groups = GroupLevel::default();
            for key in keys {
                if key.has_aggregate() || key.has_window() {
                    return Err("GROUP BY cannot hold what is counted from its groups".to_owned());
                }
                if !groups.keys.iter().any(|(_, known)| *known == key) {
                    groups.keys.push((format!("k{}", groups.keys.len()), key));
                }
            }
            for node in nodes(&mut items, &mut sorted) {
                *node = groups.lift(node)?;
            }
            let having = having.map(|having| groups.lift(&having)).transpose()?;
            level = self.grouped(groups, &level, filter.take());
            filter = having;
        }
        let (from, filter) = self.windowed(&mut items, &mut sorted, level, filter)?;
        let output = Output {
            items,
            sorted,
            distinct: matches!(select.distinct, Some(Distinct::Distinct)),
        };
        self.finished(output, (&from, filter.as_ref()), limit)
    }

    fn where_condition(&mut self, select: &Select, scope: &NameScope<'_>) -> Result<Option<SqlExpr>, String> {
        let Some(condition) = &select.selection else {
            return Ok(None);
        };
        let node = self.condition(condition, scope, "WHERE")?;
        if node.has_aggregate() || node.has_window() {
            return Err(refused(condition, "WHERE comes before counting; write HAVING"));
        }
        Ok(Some(node))
    }

    /// A level for the windows, if there are any: what stands behind FROM, with the filter that is left.
    fn windowed(
        &mut self,
        items: &mut [(String, Typed)],
        sorted: &mut [Sorted],
        level: String,
        filter: Option<SqlExpr>,
    ) -> Result<(String, Option<SqlExpr>), String> {
        let mut windows = WindowLevel::default();
        for node in nodes(items, sorted) {
            *node = windows.lift(node)?;
        }
        if windows.made.is_empty() {
            return Ok((level, filter));
        }
        let mut inner = self.step(Level::rows("*", &level, filter.as_ref()));
        if !windows.args.is_empty() {
            let list = format!("*, {}", listed(&windows.args).join(", "));
            inner = self.step(Level::rows(list, &inner, None));
        }
        let list = format!("*, {}", listed(&windows.made).join(", "));
        Ok((self.step(Level::whole(list, inner)), None))
    }

    fn grouped(&mut self, groups: GroupLevel, level: &str, filter: Option<SqlExpr>) -> String {
        let mut inner: Vec<String> = groups
            .keys
            .iter()
            .map(|(name, key)| format!("{} AS {name}", key.sql()))
            .collect();
        inner.extend(listed(&groups.args));
        // COUNT(*) of everything: rows need some column.
        let inner = if inner.is_empty() {
            "*".to_owned()
        } else {
            inner.join(", ")
        };
        let keys: Vec<String> = groups.keys.iter().map(|(name, _)| name.clone()).collect();
        let mut outer = keys.clone();
        outer.extend(listed(&groups.made));
        let by = if keys.is_empty() {
            String::new()
        } else {
            format!(" GROUP BY {}", keys.join(", "))
        };
        let from = self.step(Level::rows(inner, level, filter.as_ref()));
        self.step(Level {
            list: outer.join(", "),
            rest: format!("{from}{by}"),
            form: LevelForm::Groups {
                from,
                keys,
                made: groups.made,
            },
        })
    }

    fn finished(
        &mut self,
        output: Output,
        (from, filter): (&str, Option<&SqlExpr>),
        limit: RowLimit,
    ) -> Result<Relation, String> {
        let Output {
            items,
            sorted,
            distinct,
        } = output;
        let mut list: Vec<String> = items
            .iter()
            .enumerate()
            .map(|(at, (_, item))| format!("{} AS c{at}", item.node.sql()))
            .collect();
        let mut order = Vec::new();
        for by in sorted {
            let column = match by.key {
                SortKey::Column(at) => format!("c{at}"),
                SortKey::Node(node) if node.is_literal() => continue,
                SortKey::Node(node) => match items.iter().position(|(_, item)| item.node == node) {
                    Some(at) => format!("c{at}"),
                    None if distinct => {
                        return Err("with DISTINCT, ORDER BY must name a column of the result".to_owned());
                    }
                    None => {
                        let name = format!("o{}", list.len());
                        list.push(format!("{} AS {name}", node.sql()));
                        name
                    }
                },
            };
            order.push((column, by.order));
        }
        let made: Vec<(String, Type)> = items.into_iter().map(|(name, item)| (name, item.kind)).collect();
        let mut level = Level::rows(list.join(", "), from, filter);
        if distinct {
            level = self::distinct(&columns(made.len()), self.step(level));
        }
        Ok(self.sorted(Relation { level, columns: made }, order, limit))
    }

    /// The SELECT list with `*` written out.
    fn items(&mut self, select: &Select, scope: &NameScope<'_>) -> Result<Vec<(String, Typed)>, String> {
        let mut items = Vec::new();
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(expr) => {
                    let name = match expr {
                        Expr::Identifier(name) => Some(name),
                        Expr::CompoundIdentifier(names) => names.last(),
                        _ => None,
                    };
                    let name = match name {
                        // As the table calls it.
                        Some(name) => scope
                            .sources
                            .iter()
                            .flat_map(|source| &source.columns)
                            .find(|(column, ..)| same_name(column, &name.value))
                            .map_or(name.value.clone(), |(column, ..)| column.clone()),
                        None => expr.to_string(),
                    };
                    items.push((name, self.expr(expr, scope)?));
                }
                SelectItem::ExprWithAlias { expr, alias } => items.push((alias.value.clone(), self.expr(expr, scope)?)),
                SelectItem::Wildcard(options) => {
                    plain_wildcard(options)?;
                    scope
                        .sources
                        .iter()
                        .for_each(|source| items.extend(columns_of(source, true)));
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(table), options) => {
                    plain_wildcard(options)?;
                    let name = table.0.last().map(ToString::to_string).unwrap_or_default();
                    let source = scope
                        .sources
                        .iter()
                        .find(|source| same_name(&source.alias, name.trim_matches(['"', '`'])));
                    let source = source.ok_or_else(|| format!("no table `{}` in this FROM", short(table)))?;
                    items.extend(columns_of(source, false));
                }
                other => return Err(refused(other, "the embedded engine does not know it")),
            }
        }
        Ok(items)
    }

    fn group_keys(
        &mut self,
        select: &Select,
        scope: &NameScope<'_>,
        items: &[(String, Typed)],
        alias_first: bool,
    ) -> Result<Vec<SqlExpr>, String> {
        let (exprs, modifiers) = match &select.group_by {
            GroupByExpr::All(modifiers) => (&[][..], modifiers),
            GroupByExpr::Expressions(exprs, modifiers) => (exprs.as_slice(), modifiers),
        };
        if !modifiers.is_empty() {
            return Err("GROUP BY WITH … is refused: the embedded engine does not know it".to_owned());
        }
        let mut keys = Vec::with_capacity(exprs.len());
        for expr in exprs {
            if let Some(at) = ordinal(expr, items.len())? {
                keys.push(items[at].1.node.clone());
                continue;
            }
            let alias = match expr {
                Expr::Identifier(name) if alias_first => items.iter().find(|(item, _)| same_name(item, &name.value)),
                _ => None,
            };
            keys.push(match alias {
                Some((_, item)) => item.node.clone(),
                None => self.expr(expr, scope)?.node,
            });
        }
        Ok(keys)
    }

    fn sort_keys(
        &mut self,
        order: Option<&OrderBy>,
        scope: &NameScope<'_>,
        items: &[(String, Typed)],
    ) -> Result<Vec<Sorted>, String> {
        let mut sorted = Vec::new();
        for (expr, words) in order_items(order)? {
            let named = match expr {
                Expr::Identifier(name) => items.iter().position(|(item, _)| same_name(item, &name.value)),
                other => ordinal(other, items.len())?,
            };
            let key = match named {
                Some(at) => SortKey::Column(at),
                None => SortKey::Node(self.expr(expr, scope)?.node),
            };
            sorted.push(Sorted { key, order: words });
        }
        Ok(sorted)
    }
}

fn columns_of(source: &FromTable, without_merged: bool) -> Vec<(String, Typed)> {
    let columns = source.columns.iter().enumerate();
    columns
        .filter(|(_, (name, ..))| !without_merged || !source.merged.contains(name))
        .map(|(at, (name, ..))| (name.clone(), source.column(at)))
        .collect()
}

fn columns(count: usize) -> String {
    let all: Vec<String> = (0..count).map(|at| format!("c{at}")).collect();
    all.join(", ")
}

/// Each row of a table once.
fn distinct(columns: &str, from: String) -> Level {
    Level {
        list: format!("DISTINCT {columns}"),
        rest: from.clone(),
        form: LevelForm::Distinct { from },
    }
}

//! FROM clauses: tables, subqueries and how they are joined.

use super::clauses::conjuncts;
use super::level::{Level, has_query};
use super::node::{SqlExpr, SqlPart, Type, parts};
use super::refusal::{refused, short};
use super::schema;
use super::scope::{FromTable, NameScope, TableRows};
use super::translator::{Relation, Translator};
use sqlparser::ast::{Ident, Join, JoinConstraint, JoinOperator, TableAlias, TableFactor, TableWithJoins};
use std::cell::RefCell;
use std::collections::BTreeSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JoinKind {
    /// INNER, CROSS, a comma.
    Inner,
    Left,
    Full,
}

/// The tables of a FROM clause, each with how it is joined to those before it.
pub(super) struct From {
    pub sources: Vec<FromTable>,
    joins: Vec<(JoinKind, Vec<SqlExpr>)>,
}

impl Translator {
    pub(super) fn from(&mut self, tables: &[TableWithJoins]) -> Result<From, String> {
        let mut from = From {
            sources: Vec::new(),
            joins: Vec::new(),
        };
        for table in tables {
            let first = self.source(&table.relation)?;
            from.add(first, JoinKind::Inner, Vec::new())?;
            for join in &table.joins {
                self.join(&mut from, join)?;
            }
        }
        Ok(from)
    }

    fn join(&mut self, from: &mut From, join: &Join) -> Result<(), String> {
        let (how, constraint) = match &join.join_operator {
            JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) | JoinOperator::CrossJoin(constraint) => {
                (JoinKind::Inner, constraint)
            }
            JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (JoinKind::Left, constraint),
            JoinOperator::FullOuter(constraint) => (JoinKind::Full, constraint),
            JoinOperator::Right(_) | JoinOperator::RightOuter(_) => {
                return Err("RIGHT JOIN is refused; write it as LEFT JOIN, the other table first".to_owned());
            }
            _ => return Err(refused(join, "there are JOIN, LEFT JOIN, FULL JOIN and CROSS JOIN")),
        };
        if join.global {
            return Err(refused(join, "GLOBAL is for ClickHouse"));
        }
        let source = self.source(&join.relation)?;
        let at = from.sources.len();
        from.add(source, how, Vec::new())?;
        let tests = self.join_tests(from, join, how, constraint)?;
        from.joins[at].1 = match how {
            JoinKind::Inner => tests,
            _ => from.outer_keys(join, how, tests)?,
        };
        Ok(())
    }

    /// What a row of the table that came last must fulfil to be joined.
    fn join_tests(
        &mut self,
        from: &mut From,
        join: &Join,
        how: JoinKind,
        constraint: &JoinConstraint,
    ) -> Result<Vec<SqlExpr>, String> {
        let at = from.sources.len() - 1;
        let mut tests = Vec::new();
        match constraint {
            JoinConstraint::None if how == JoinKind::Inner => {}
            JoinConstraint::None => return Err(refused(join, "it needs ON")),
            JoinConstraint::Natural => return Err(refused(join, "name the columns: USING (…) or ON …")),
            JoinConstraint::Using(names) => {
                if how == JoinKind::Full {
                    return Err(refused(join, "write ON, and COALESCE of both columns"));
                }
                for name in names {
                    let name = name.0.last().map(ToString::to_string).unwrap_or_default();
                    let name = Ident::new(name.trim_matches(['"', '`']).to_lowercase());
                    let (before, this) = from.sources.split_at(at);
                    let left = NameScope {
                        sources: before,
                        aliases: &[],
                    }
                    .find(None, &name)?;
                    let right = NameScope {
                        sources: this,
                        aliases: &[],
                    }
                    .find(None, &name)?;
                    if left.kind.common(right.kind).is_none() {
                        return Err(refused(join, "the columns are of different types"));
                    }
                    tests.push(parts!["(", left.node, " = ", right.node, ")"]);
                    from.sources[at].merged.insert(name.value);
                }
            }
            JoinConstraint::On(condition) => {
                for test in conjuncts(condition) {
                    let scope = NameScope {
                        sources: &from.sources,
                        aliases: &[],
                    };
                    let node = self.condition(test, &scope, "ON")?;
                    if node.has_aggregate() || node.has_window() {
                        return Err(refused(test, "ON compares rows"));
                    }
                    tests.push(node);
                }
            }
        }
        Ok(tests)
    }

    fn source(&mut self, factor: &TableFactor) -> Result<FromTable, String> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                with_hints,
                version: None,
                with_ordinality: false,
                partitions,
                json_path: None,
                sample: None,
                index_hints,
            } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => {
                let word = name.0.last().map(ToString::to_string).unwrap_or_default();
                let word = word.trim_matches(['"', '`']).to_lowercase();
                let alias_name = alias
                    .as_ref()
                    .map_or(word.clone(), |alias| alias.name.value.to_lowercase());
                if let Some(relation) = self.cte(&word).filter(|_| name.0.len() == 1) {
                    return self.made(relation, alias_name, alias.as_ref());
                }
                let Some((table, columns)) = schema::table(&word).filter(|_| name.0.len() == 1) else {
                    let mut tables = vec!["events", "rates", "sources"];
                    tables.extend(self.cte_names());
                    return Err(format!("no table `{}`; there are {}", short(name), tables.join(", ")));
                };
                if alias.as_ref().is_some_and(|alias| !alias.columns.is_empty()) {
                    return Err(refused(factor, "rename columns in the SELECT list"));
                }
                let id = self.count_table()?;
                let columns = columns
                    .iter()
                    .map(|column| ((*column).to_owned(), format!("t{id}_{column}"), schema::kind(column)));
                Ok(source_of(id, alias_name, TableRows::Stored(table), columns.collect()))
            }
            TableFactor::Derived {
                lateral: false,
                subquery,
                alias,
                sample: None,
            } => {
                let relation = self.query(subquery)?;
                let name = alias
                    .as_ref()
                    .map_or(String::new(), |alias| alias.name.value.to_lowercase());
                self.made(relation, name, alias.as_ref())
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } if table_with_joins.joins.is_empty() => self.source(&table_with_joins.relation),
            TableFactor::NestedJoin { .. } => Err(refused(factor, "write the join in a subquery")),
            other => Err(refused(other, "table functions can read files")),
        }
    }

    fn made(&mut self, mut relation: Relation, name: String, alias: Option<&TableAlias>) -> Result<FromTable, String> {
        if let Some(alias) = alias {
            relation.rename(&alias.columns)?;
        }
        let id = self.count_table()?;
        let columns = relation.columns.into_iter().enumerate().map(|(at, (name, kind))| {
            let key = if name == "message_key" { "_message_key" } else { "" };
            (name, format!("t{id}_{at}{key}"), kind)
        });
        Ok(source_of(id, name, TableRows::Made(relation.level), columns.collect()))
    }
}

fn source_of(id: usize, alias: String, rows: TableRows, columns: Vec<(String, String, Type)>) -> FromTable {
    FromTable {
        id,
        alias,
        rows,
        columns,
        used: RefCell::default(),
        filter: Vec::new(),
        merged: BTreeSet::new(),
    }
}

/// Both sides of an equality between the table `id` and those before it: theirs and its own.
fn sides(test: &SqlExpr, id: usize) -> Option<(&SqlExpr, &SqlExpr)> {
    let SqlExpr::Parts(parts) = test else { return None };
    let [
        SqlPart::Words("("),
        SqlPart::Node(left),
        SqlPart::Words(" = "),
        SqlPart::Node(right),
        SqlPart::Words(")"),
    ] = parts.as_slice()
    else {
        return None;
    };
    let (a, b) = (left.tables(), right.tables());
    let own = |tables: &BTreeSet<usize>| tables.len() == 1 && tables.contains(&id);
    let earlier = |tables: &BTreeSet<usize>| !tables.is_empty() && tables.iter().all(|table| *table < id);
    match () {
        () if own(&b) && earlier(&a) => Some((left, right)),
        () if own(&a) && earlier(&b) => Some((right, left)),
        () => None,
    }
}

impl From {
    fn add(&mut self, source: FromTable, how: JoinKind, tests: Vec<SqlExpr>) -> Result<(), String> {
        if !source.alias.is_empty() && self.sources.iter().any(|known| known.alias == source.alias) {
            return Err(format!(
                "two tables are called `{}`; give one another name with AS",
                source.alias.escape_debug()
            ));
        }
        self.sources.push(source);
        self.joins.push((how, tests));
        Ok(())
    }

    /// The equalities by which an outer JOIN goes; what else it says of its own table alone is a filter of that.
    fn outer_keys(&mut self, join: &Join, how: JoinKind, tests: Vec<SqlExpr>) -> Result<Vec<SqlExpr>, String> {
        let at = self.sources.len() - 1;
        let id = self.sources[at].id;
        let mut keys = Vec::new();
        for test in tests {
            let tables = test.tables();
            match () {
                () if sides(&test, id).is_some() => keys.push(test),
                // Rows of the other table that do not fulfil it match nothing.
                () if how == JoinKind::Left && tables.iter().all(|table| *table == id) => {
                    self.sources[at].filter.push(test)
                }
                () => {
                    return Err(refused(
                        join,
                        "an outer JOIN takes equalities between its tables; write the rest into a subquery",
                    ));
                }
            }
        }
        if keys.is_empty() {
            return Err(refused(join, "an outer JOIN needs an equality between its tables"));
        }
        Ok(keys)
    }

    /// The text behind FROM, and what is left of the condition behind WHERE.
    pub(super) fn level(&self, translator: &mut Translator, condition: Option<SqlExpr>) -> (String, Option<SqlExpr>) {
        let can_move = self.joins.iter().all(|(how, _)| *how != JoinKind::Full);
        let mut pending: Vec<SqlExpr> = condition.map(split).unwrap_or_default();
        let mut rest: Vec<SqlExpr> = Vec::new();
        if !can_move {
            rest.append(&mut pending);
        }
        let is_inner = self.joins.iter().all(|(how, _)| *how == JoinKind::Inner);
        let mut text = String::new();
        for (at, source) in self.sources.iter().enumerate() {
            let (how, tests) = &self.joins[at];
            // What is left out before a join need not be in memory for it.
            let alone = match self.sources.len() > 1 && (is_inner || at == 0) {
                true => pending.extract_if(.., |test| is_alone(test, source.id)).collect(),
                false => Vec::new(),
            };
            let mut own = source.level(translator, alone);
            if at == 0 {
                text = own;
                rest.extend(tests.iter().cloned());
                continue;
            }
            let mut keys: Vec<(SqlExpr, SqlExpr)> = Vec::new();
            let mut later = Vec::new();
            let candidates: Vec<SqlExpr> = match how {
                JoinKind::Inner => tests.iter().cloned().chain(std::mem::take(&mut pending)).collect(),
                _ => tests.clone(),
            };
            for test in candidates {
                match sides(&test, source.id) {
                    Some((theirs, ours)) => keys.push((theirs.clone(), ours.clone())),
                    None => later.push(test),
                }
            }
            // Conditions of later tables wait; with a FULL JOIN none comes from WHERE.
            match can_move {
                true => pending.extend(later),
                false => rest.extend(later),
            }
            let on = equalities(source.id, &keys, (&mut text, &mut own), translator);
            let word = match how {
                JoinKind::Inner if on.is_empty() => " CROSS JOIN ",
                JoinKind::Inner => " INNER JOIN ",
                JoinKind::Left => " LEFT JOIN ",
                JoinKind::Full => " FULL JOIN ",
            };
            text.push_str(word);
            text.push_str(&own);
            if !on.is_empty() {
                text.push_str(&format!(" ON {}", on.join(" AND ")));
            }
        }
        rest.extend(pending);
        let rest = rest.into_iter().reduce(|all, one| parts!["(", all, " AND ", one, ")"]);
        (text, rest)
    }
}

/// The equalities of a join's keys. A key that is no column is made one of the side that it belongs to, before the join.
fn equalities(
    id: usize,
    keys: &[(SqlExpr, SqlExpr)],
    (theirs, ours): (&mut String, &mut String),
    translator: &mut Translator,
) -> Vec<String> {
    let mut column = |node: &SqlExpr, name: String, side: &mut String| match node {
        SqlExpr::Column(_, name) => name.clone(),
        other => {
            let made = format!("*, {} AS {name}", other.sql());
            *side = translator.step(Level::rows(made, side, None));
            name
        }
    };
    let mut on = Vec::new();
    for (number, (left, right)) in keys.iter().enumerate() {
        let left = column(left, format!("j{id}l{number}"), theirs);
        let right = column(right, format!("j{id}r{number}"), ours);
        on.push(format!("{left} = {right}"));
    }
    on
}

/// Whether a condition is about one table and nothing else.
fn is_alone(test: &SqlExpr, table: usize) -> bool {
    let tables = test.tables();
    tables.len() == 1 && tables.contains(&table) && !has_query(&test.sql())
}

/// A condition at its ANDs.
fn split(node: SqlExpr) -> Vec<SqlExpr> {
    if let SqlExpr::Parts(parts) = &node
        && let [
            SqlPart::Words("("),
            SqlPart::Node(left),
            SqlPart::Words(" AND "),
            SqlPart::Node(right),
            SqlPart::Words(")"),
        ] = parts.as_slice()
    {
        let mut all = split(left.clone());
        all.extend(split(right.clone()));
        return all;
    }
    vec![node]
}

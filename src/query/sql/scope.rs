//! What names mean: tables of a FROM clause, their columns, and names of the SELECT list.

use super::level::{Level, LevelForm};
use super::node::{SqlExpr, Type, Typed, parts};
use super::translator::Translator;
use sqlparser::ast::Ident;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Where the rows of a table of a FROM clause come from.
#[derive(Debug)]
pub(super) enum TableRows {
    Stored(&'static str),
    Made(Level),
}

/// A table of a FROM clause.
#[derive(Debug)]
pub(super) struct FromTable {
    pub id: usize,
    pub alias: String,
    pub rows: TableRows,
    /// Name, name for the engine, type.
    pub columns: Vec<(String, String, Type)>,
    /// Columns that the query names.
    pub used: RefCell<BTreeSet<usize>>,
    /// What its rows must fulfil before they are joined.
    pub filter: Vec<SqlExpr>,
    /// Columns that USING took together with one of an earlier table.
    pub merged: BTreeSet<String>,
}

impl FromTable {
    /// Its rows under names that are unique, those that fulfil `tests`: what stands behind FROM.
    pub(super) fn level(&self, translator: &mut Translator, tests: Vec<SqlExpr>) -> String {
        let mut wanted = self.used.borrow().clone();
        if wanted.is_empty() {
            // COUNT(*) names no column, and needs one to count.
            let column = self.columns.iter().position(|(name, ..)| name == "ts_ms").unwrap_or(0);
            wanted.insert(column);
        }
        let own_name = |at: &usize| self.columns[*at].1.clone();
        let level = match &self.rows {
            TableRows::Stored(table) => {
                let columns: Vec<(String, String)> = wanted
                    .iter()
                    .map(|at| (self.columns[*at].0.clone(), own_name(at)))
                    .collect();
                let list: Vec<String> = columns.iter().map(|(name, own)| format!("{name} AS {own}")).collect();
                Level {
                    list: list.join(", "),
                    rest: (*table).to_owned(),
                    form: LevelForm::Stored { table, columns },
                }
            }
            TableRows::Made(level) => {
                let from = translator.step(level.clone());
                let list: Vec<String> = wanted.iter().map(|at| format!("c{at} AS {}", own_name(at))).collect();
                Level::rows(list.join(", "), &from, None)
            }
        };
        let made = translator.step(level);
        match self
            .filter
            .iter()
            .cloned()
            .chain(tests)
            .reduce(|all, one| parts!["(", all, " AND ", one, ")"])
        {
            None => made,
            Some(tests) => translator.step(Level::rows("*", &made, Some(&tests))),
        }
    }

    pub(super) fn column(&self, at: usize) -> Typed {
        self.used.borrow_mut().insert(at);
        let (_, name, kind) = &self.columns[at];
        Typed {
            node: SqlExpr::Column(self.id, name.clone()),
            kind: *kind,
        }
    }
}

/// What names mean at a place.
pub(super) struct NameScope<'s> {
    pub sources: &'s [FromTable],
    /// Names of the SELECT list, where they may be used.
    pub aliases: &'s [(String, Typed)],
}

impl NameScope<'_> {
    pub(super) fn find(&self, table: Option<&Ident>, name: &Ident) -> Result<Typed, String> {
        let wanted = name.value.to_lowercase();
        let table = table.map(|table| table.value.to_lowercase());
        let mut found = Vec::new();
        let mut known = false;
        for source in self.sources {
            if table.as_ref().is_some_and(|table| *table != source.alias) {
                continue;
            }
            known = true;
            let columns = source.columns.iter().enumerate();
            for (at, _) in columns.filter(|(_, (column, ..))| column.to_lowercase() == wanted) {
                if table.is_some() || !source.merged.contains(&wanted) {
                    found.push((source, at));
                }
            }
        }
        match (found.as_slice(), &table) {
            ([(source, at)], _) => Ok(source.column(*at)),
            ([], None) => {
                let alias = self.aliases.iter().find(|(alias, _)| alias.to_lowercase() == wanted);
                alias
                    .map(|(_, typed)| typed.clone())
                    .ok_or_else(|| self.unknown(&name.value))
            }
            ([], Some(table)) if !known => {
                let tables: Vec<&str> = self.sources.iter().map(|source| source.alias.as_str()).collect();
                Err(format!(
                    "no table `{}` in this FROM; there are {}",
                    table.escape_debug(),
                    tables.join(", ")
                ))
            }
            ([], Some(_)) => Err(self.unknown(&name.value)),
            _ => Err(format!(
                "`{}` is in more than one table; write table.{name}",
                name.value.escape_debug()
            )),
        }
    }

    fn unknown(&self, name: &str) -> String {
        let lower = name.to_lowercase();
        let columns = self
            .sources
            .iter()
            .flat_map(|source| &source.columns)
            .map(|(column, ..)| column.as_str());
        let near = columns
            .clone()
            .map(|column| (strsim::jaro_winkler(column, &lower), column));
        let near = near.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(like, _)| *like > 0.75);
        let hint = match near {
            Some((_, column)) => format!("did you mean `{column}`?"),
            None => {
                let all: Vec<&str> = columns.take(40).collect();
                format!("there are {}", all.join(", "))
            }
        };
        format!("no column `{}`; {hint}", name.escape_debug())
    }
}

pub(super) fn same_name(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

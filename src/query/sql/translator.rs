//! What a translation has made so far, and what it has read: the methods in `select`, `from`, `expr` and `functions` go down
//! the tree of a query and note it here.

use super::level::Level;
use super::node::Type;
use sqlparser::ast::TableAliasColumnDef;

/// Tables that one query may name, subqueries included: a WITH that is used twice counts twice.
const TABLES_MAX: usize = 64;

/// A query for the engine: its columns are called `c0`, `c1`, ….
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub level: Level,
    /// Names and types of its columns.
    pub columns: Vec<(String, Type)>,
}

/// From the text of a query to what the engine gets.
#[derive(Default)]
pub(super) struct Translator {
    names: usize,
    tables: usize,
    /// Tables of WITH that are known where the translation is.
    pub ctes: Vec<(String, Relation)>,
    /// SELECTs in the order in which they are to be run, and the tables that they make.
    pub steps: Vec<(String, Level)>,
}

impl Translator {
    /// A name that nothing else has.
    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// A SELECT as a table for those that follow: the engine bounds how deep a text may be.
    pub(super) fn step(&mut self, level: Level) -> String {
        let name = self.name("u");
        self.steps.push((name.clone(), level));
        name
    }

    /// Counts a table that the query names.
    pub(super) fn count_table(&mut self) -> Result<usize, String> {
        self.tables += 1;
        if self.tables > TABLES_MAX {
            return Err(format!(
                "it names more than {TABLES_MAX} tables, those of WITH and of subqueries counted each time"
            ));
        }
        Ok(self.tables)
    }

    pub(super) fn cte(&self, name: &str) -> Option<Relation> {
        self.ctes
            .iter()
            .rfind(|(known, _)| known == name)
            .map(|(_, relation)| relation.clone())
    }

    pub(super) fn cte_names(&self) -> Vec<&str> {
        self.ctes.iter().map(|(name, _)| name.as_str()).collect()
    }
}

impl Relation {
    /// Calls the first columns otherwise.
    pub(super) fn rename(&mut self, names: &[TableAliasColumnDef]) -> Result<(), String> {
        if names.len() > self.columns.len() {
            return Err(format!("{} names for {} columns", names.len(), self.columns.len()));
        }
        for ((column, _), name) in self.columns.iter_mut().zip(names) {
            *column = name.name.value.clone();
        }
        Ok(())
    }
}

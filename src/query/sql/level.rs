//! One SELECT of a translation: its text, and what it does with rows. Who runs it may do so a part of the rows at a time
//! where that gives the same.

use super::node::SqlExpr;
use std::collections::BTreeSet;

/// A SELECT.
#[derive(Debug, Clone)]
pub struct Level {
    /// What stands behind SELECT.
    pub list: String,
    /// What stands behind FROM.
    pub rest: String,
    /// What it does.
    pub form: LevelForm,
}

/// What a SELECT does with the rows of what it reads.
#[derive(Debug, Clone)]
pub enum LevelForm {
    /// Takes columns of a stored table, each under a name of its own.
    Stored {
        /// The table.
        table: &'static str,
        /// Columns, and their names.
        columns: Vec<(String, String)>,
    },
    /// Makes a row of each row, or leaves it out.
    Rows {
        /// The table.
        from: String,
        /// What a row must fulfil.
        tests: Vec<Test>,
    },
    /// SumsOf up groups.
    Groups {
        /// The table.
        from: String,
        /// Columns that tell groups apart.
        keys: Vec<String>,
        /// Functions over the rows of a group: name, and text.
        made: Vec<(String, String)>,
    },
    /// Each different row once.
    Distinct {
        /// The table.
        from: String,
    },
    /// Rows in an order, or as they come, as many as are wanted.
    Sorted {
        /// The table.
        from: String,
        /// Columns to sort by, each with whether it goes down, and whether NULL comes first.
        by: Vec<(String, bool, bool)>,
        /// Rows that are wanted, those included that are passed over; none for all.
        rows: Option<usize>,
    },
    /// Needs all rows at once.
    Whole,
}

/// A condition over columns of one table.
#[derive(Debug, Clone)]
pub struct Test {
    /// Its text.
    pub sql: String,
    /// The columns that it names.
    pub columns: BTreeSet<String>,
}

impl Level {
    /// A SELECT that needs all rows at once.
    pub(super) fn whole(list: impl Into<String>, rest: impl Into<String>) -> Level {
        Level {
            list: list.into(),
            rest: rest.into(),
            form: LevelForm::Whole,
        }
    }

    /// A row of each row of `from` that fulfils `filter`.
    pub(super) fn rows(list: impl Into<String>, from: &str, filter: Option<&SqlExpr>) -> Level {
        let rest = match filter {
            Some(filter) => format!("{from} WHERE {}", filter.sql()),
            None => from.to_owned(),
        };
        let list = list.into();
        let tests = || filter.map(|filter| filter.conjuncts().into_iter().filter_map(Test::of).collect());
        // A join and a query inside of it need more than a row.
        let form = match is_one_table(from) && !has_query(&list) && !has_query(&rest) {
            true => LevelForm::Rows {
                from: from.to_owned(),
                tests: tests().unwrap_or_default(),
            },
            false => LevelForm::Whole,
        };
        Level { list, rest, form }
    }

    /// The text.
    pub fn sql(&self) -> String {
        format!("SELECT {} FROM {}", self.list, self.rest)
    }

    /// The text, with one more column that is handed on.
    pub(crate) fn sql_with(&self, column: &str) -> String {
        match self.list.starts_with('*') {
            true => self.sql(),
            false => format!("SELECT {}, {column} FROM {}", self.list, self.rest),
        }
    }
}

impl Test {
    fn of(node: &SqlExpr) -> Option<Test> {
        let sql = node.sql();
        let columns = node.columns();
        (!columns.is_empty() && !has_query(&sql)).then_some(Test { sql, columns })
    }
}

fn is_one_table(from: &str) -> bool {
    !from.contains(' ')
}

/// Whether a query stands in an expression; a text in quotes that says so is taken for one.
pub(super) fn has_query(sql: &str) -> bool {
    sql.contains("(SELECT ")
}

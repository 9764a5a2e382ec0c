//! SQL of one's own: parsed before it runs. One SELECT over the tables that are there; what could read files, and
//! what the engine is known to answer wrongly, is refused with the reason.

use sqlparser::ast::{
    Expr, Function, FunctionArguments, Ident, ObjectName, Query, SelectItem, SetExpr, Statement, TableFactor, Visit,
    Visitor, WindowType,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// What a harmless query names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct QueryNames {
    /// Tables, lower case.
    pub tables: BTreeSet<String>,
    /// Words that may be columns, lower case.
    pub words: BTreeSet<String>,
    /// Whether `*` stands for all columns.
    pub wildcard: bool,
}

/// Parses a query and refuses what must not run. `tables` are the names it may use.
pub fn check(sql: &str, tables: &[&str]) -> Result<QueryNames, String> {
    let statements = Parser::parse_sql(&GenericDialect {}, sql).map_err(|error| format!("not SQL: {error}"))?;
    let [statement] = statements.as_slice() else {
        return Err(format!("{} statements; write exactly one SELECT", statements.len()));
    };
    let Statement::Query(query) = statement else {
        return Err("only SELECT is allowed here: the store is written by backfill and tail alone".to_owned());
    };
    let mut walk = GuardWalk {
        allowed: tables.iter().map(|t| (*t).to_owned()).collect(),
        ..GuardWalk::default()
    };
    collect_ctes(query, &mut walk.allowed);
    match query.visit(&mut walk) {
        ControlFlow::Break(refusal) => Err(refusal),
        ControlFlow::Continue(()) => {
            walk.named.tables.retain(|table| tables.contains(&table.as_str()));
            Ok(walk.named)
        }
    }
}

#[derive(Default)]
struct GuardWalk {
    allowed: BTreeSet<String>,
    named: QueryNames,
}

fn collect_ctes(query: &Query, names: &mut BTreeSet<String>) {
    for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
        names.insert(cte.alias.name.value.to_lowercase());
        collect_ctes(&cte.query, names);
    }
}

fn last(name: &ObjectName) -> String {
    name.0
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
        .trim_matches(['"', '`'])
        .to_lowercase()
}

impl GuardWalk {
    fn word(&mut self, ident: &Ident) {
        self.named.words.insert(ident.value.to_lowercase());
    }

    fn function(&self, function: &Function) -> ControlFlow<String> {
        let name = last(&function.name);
        if let Some((_, why)) = REFUSED.iter().find(|(prefix, _)| name.starts_with(prefix)) {
            return ControlFlow::Break(format!("{name}() is refused: {why}"));
        }
        let ordered = match &function.over {
            Some(WindowType::WindowSpec(spec)) => !spec.order_by.is_empty() || spec.window_frame.is_some(),
            Some(WindowType::NamedWindow(_)) => true,
            None => false,
        };
        if ordered && !RANKING.contains(&name.as_str()) {
            return ControlFlow::Break(format!(
                "{name}() OVER (ORDER BY …) is refused: the engine gives wrong running values for it; group by a \
                 bucket (ts_ms - ts_ms % 300000) instead"
            ));
        }
        ControlFlow::Continue(())
    }
}

/// Window functions that need an order and are right.
const RANKING: [&str; 6] = ["row_number", "rank", "dense_rank", "lag", "lead", "first_value"];

/// Functions by the beginning of their name, and why they are refused.
const REFUSED: [(&str, &str); 9] = [
    ("read_", "it reads files"),
    ("scan_", "it reads files"),
    ("file", "it reads files"),
    ("url", "it reads from the network"),
    (
        "date_trunc",
        "the engine has none; a bucket is ts_ms - ts_ms % 300000 (milliseconds)",
    ),
    (
        "tostartof",
        "the embedded engine has none; a bucket is ts_ms - ts_ms % 300000 (milliseconds)",
    ),
    (
        "now",
        "the engine has none; give times in milliseconds, or use --since and --until",
    ),
    (
        "current_timestamp",
        "the engine has none; give times in milliseconds, or use --since and --until",
    ),
    ("random", "answers must be repeatable"),
];

impl Visitor for GuardWalk {
    type Break = String;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        match query.body.as_ref() {
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                return ControlFlow::Break("only SELECT is allowed here".to_owned());
            }
            SetExpr::Select(select) => {
                if select.into.is_some() {
                    return ControlFlow::Break("SELECT INTO is refused: it writes".to_owned());
                }
                for item in &select.projection {
                    match item {
                        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => self.named.wildcard = true,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<String> {
        let name = last(relation);
        if relation.0.len() != 1 || !self.allowed.contains(&name) {
            let tables: Vec<&str> = self.allowed.iter().map(String::as_str).collect();
            return ControlFlow::Break(format!(
                "no table `{}`; there are {}",
                relation.to_string().escape_debug(),
                tables.join(", ")
            ));
        }
        self.named.tables.insert(name);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<String> {
        match table {
            TableFactor::Table { args: None, .. } | TableFactor::Derived { .. } | TableFactor::NestedJoin { .. } => {
                ControlFlow::Continue(())
            }
            other => ControlFlow::Break(format!(
                "`{}` is refused: table functions can read files",
                other.to_string().escape_debug()
            )),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<String> {
        match expr {
            Expr::Identifier(ident) => self.word(ident),
            Expr::CompoundIdentifier(idents) => idents.iter().for_each(|ident| self.word(ident)),
            Expr::Function(function) => {
                if let FunctionArguments::List(list) = &function.args
                    && list.args.iter().any(|arg| arg.to_string().ends_with(".*"))
                {
                    self.named.wildcard = true;
                }
                return self.function(function);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: [&str; 3] = ["events", "rates", "sources"];

    #[test]
    fn a_select_names_its_tables_and_columns() {
        let named = check(
            "SELECT service, SUM(messages) FROM rates r WHERE r.kind = 'x' GROUP BY 1",
            &TABLES,
        )
        .unwrap();
        assert_eq!(named.tables, BTreeSet::from(["rates".to_owned()]));
        assert!(
            ["service", "messages", "kind"]
                .iter()
                .all(|word| named.words.contains(*word))
        );
        assert!(!named.wildcard);
        assert!(
            check("WITH x AS (SELECT * FROM events) SELECT COUNT(*) FROM x", &TABLES)
                .unwrap()
                .wildcard
        );
    }

    #[test]
    fn what_reads_files_or_writes_is_refused() {
        for sql in [
            "SELECT * FROM read_parquet('/etc/passwd')",
            "SELECT * FROM read_csv('/etc/passwd')",
            "SELECT * FROM '/etc/passwd'",
            "SELECT * FROM events, read_json('/x')",
            "SELECT * FROM (SELECT * FROM read_ipc('/x')) t",
            "WITH a AS (SELECT * FROM read_parquet('x')) SELECT * FROM a",
            "SELECT * FROM events WHERE service IN (SELECT a FROM read_csv('/x'))",
            "DROP TABLE events",
            "INSERT INTO events VALUES (1)",
            "SELECT 1; SELECT 2",
            "SELECT * INTO x FROM events",
            "SELECT * FROM system.tables",
            "CREATE TABLE a AS SELECT 1",
            "",
        ] {
            assert!(check(sql, &TABLES).is_err(), "{sql}");
        }
    }

    #[test]
    fn what_the_engine_gets_wrong_is_refused_with_the_reason() {
        let refusal = check("SELECT AVG(messages) OVER (ORDER BY ts_ms) FROM rates", &TABLES).unwrap_err();
        assert!(refusal.contains("wrong running values"), "{refusal}");
        assert!(
            check("SELECT date_trunc('hour', ts) FROM events", &TABLES)
                .unwrap_err()
                .contains("ts_ms % 300000")
        );
        assert!(check("SELECT ROW_NUMBER() OVER (ORDER BY ts_ms) FROM rates", &TABLES).is_ok());
        assert!(check("SELECT SUM(messages) OVER (PARTITION BY service) FROM rates", &TABLES).is_ok());
    }
}

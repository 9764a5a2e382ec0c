//! The same for a ClickHouse, which knows more of SQL: only what would be answered wrongly or read elsewhere is rewritten
//! or refused. Its tree is changed, never its text.

use super::functions::name_of;
use super::parse::one_select_of_server;
use super::refusal::{refused, short};
use super::times::{HINT, interval_ms, is_time_type, literal_ms};
use crate::model::time::UtcMs;
use crate::query::columns::TABLES;
use crate::query::window::Window;
use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Query, Select,
    SelectItem, SetExpr, TableAlias, TableFactor, TypedString, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// A query of a user's for a server, cut to a window; and which names of its answer are points in time.
///
/// # Errors
/// One short line: what is wrong or must not run, and the hint.
pub(crate) fn for_server(text: &str, window: Window) -> Result<(String, Vec<String>), String> {
    let mut query = one_select_of_server(text)?;
    checked(&mut query)?;
    let times = literals(&mut query)?;
    let shown = named(&mut query, &times);
    Ok((finished(query, window, None)?, shown))
}

/// One of our own, with its values in it.
///
/// # Errors
/// It is no SQL.
pub(crate) fn trusted_for_server(text: &str, window: Window) -> Result<String, String> {
    finished(one_select_of_server(text)?, window, None)
}

/// The same with another SELECT in the place of the table `rates`, which gives the same sums; it is cut to the window.
///
/// # Errors
/// One of them is no SQL.
pub(crate) fn trusted_with_rates(text: &str, window: Window, rates: &str) -> Result<String, String> {
    finished(one_select_of_server(text)?, window, Some(one_select_of_server(rates)?))
}

fn finished(mut query: Query, window: Window, rates: Option<Query>) -> Result<String, String> {
    let mut shape = ServerDialect { window, rates };
    match query.visit(&mut shape) {
        ControlFlow::Break(why) => Err(why),
        ControlFlow::Continue(()) => Ok(query.to_string()),
    }
}

/// Functions that read files or from the network, lower case.
const FOREIGN: [&str; 12] = [
    "file",
    "url",
    "urlcluster",
    "s3",
    "s3cluster",
    "remote",
    "remotesecure",
    "mysql",
    "postgresql",
    "mongodb",
    "executable",
    "dictionary",
];

/// What stands in FROM is one of our tables, or made of them.
fn checked(query: &mut Query) -> Result<(), String> {
    let mut names = CteNames::default();
    let _: ControlFlow<()> = query.visit(&mut names);
    let mut walk = TableCheck { allowed: names.ctes };
    walk.allowed.extend(TABLES.iter().map(|table| (*table).to_owned()));
    match query.visit(&mut walk) {
        ControlFlow::Break(why) => Err(why),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn last(name: &ObjectName) -> String {
    let word = name.0.last().map(ToString::to_string).unwrap_or_default();
    word.trim_matches(['"', '`']).to_lowercase()
}

#[derive(Default)]
struct CteNames {
    ctes: BTreeSet<String>,
}

impl VisitorMut for CteNames {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
        self.ctes.extend(ctes.map(|cte| cte.alias.name.value.to_lowercase()));
        ControlFlow::Continue(())
    }
}

struct TableCheck {
    allowed: BTreeSet<String>,
}

impl VisitorMut for TableCheck {
    type Break = String;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<String> {
        if query.format_clause.is_some() {
            return ControlFlow::Break("FORMAT is refused here; --format chooses the form".to_owned());
        }
        match query.body.as_ref() {
            SetExpr::Select(select) if select.into.is_some() => {
                ControlFlow::Break("SELECT INTO is refused: it writes".to_owned())
            }
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) | SetExpr::Table(_) => {
                ControlFlow::Break("only SELECT is allowed here".to_owned())
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<String> {
        if relation.0.len() == 1 && self.allowed.contains(&last(relation)) {
            return ControlFlow::Continue(());
        }
        let tables: Vec<&str> = self.allowed.iter().map(String::as_str).collect();
        ControlFlow::Break(format!(
            "no table `{}`; there are {}",
            relation.to_string().escape_debug(),
            tables.join(", ")
        ))
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<String> {
        match table {
            TableFactor::Table { args: None, .. } | TableFactor::Derived { .. } | TableFactor::NestedJoin { .. } => {
                ControlFlow::Continue(())
            }
            other => ControlFlow::Break(format!("`{}` is refused: table functions can read files", short(other))),
        }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        if let Expr::Function(function) = expr {
            let name = name_of(function);
            if FOREIGN.contains(&name.as_str()) {
                return ControlFlow::Break(format!("{name}() is refused: it reads files or from the network"));
            }
        }
        ControlFlow::Continue(())
    }
}

/// Names of columns that are points in time: `ts`, `ts_ms`, and what is made of them.
fn time_names(query: &mut Query) -> BTreeSet<String> {
    struct Aliases {
        times: BTreeSet<String>,
    }
    impl VisitorMut for Aliases {
        type Break = ();

        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
            for item in &select.projection {
                if let SelectItem::ExprWithAlias { expr, alias } = item
                    && is_time(expr, &self.times)
                {
                    self.times.insert(alias.value.to_lowercase());
                }
            }
            ControlFlow::Continue(())
        }
    }
    let mut aliases = Aliases {
        times: BTreeSet::from(["ts".to_owned(), "ts_ms".to_owned()]),
    };
    loop {
        let before = aliases.times.len();
        let _: ControlFlow<()> = query.visit(&mut aliases);
        if aliases.times.len() == before {
            return aliases.times;
        }
    }
}

/// Whether an expression is a point in time, in milliseconds.
fn is_time(expr: &Expr, times: &BTreeSet<String>) -> bool {
    match expr {
        Expr::Identifier(name) => times.contains(&name.value.to_lowercase()),
        Expr::CompoundIdentifier(names) => names
            .last()
            .is_some_and(|name| times.contains(&name.value.to_lowercase())),
        Expr::Nested(inner) => is_time(inner, times),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Minus,
            right,
        } => is_time(left, times) && !is_time(right, times),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Plus,
            right,
        } => is_time(left, times) != is_time(right, times),
        Expr::Function(function) => {
            let keeps = [
                "min", "max", "any", "coalesce", "ifnull", "greatest", "least", "anylast",
            ];
            keeps.contains(&name_of(function).as_str()) && args(function).first().is_some_and(|arg| is_time(arg, times))
        }
        _ => false,
    }
}

fn args(function: &Function) -> Vec<&Expr> {
    let FunctionArguments::List(list) = &function.args else {
        return Vec::new();
    };
    let arg = |arg| match arg {
        &FunctionArg::Unnamed(FunctionArgExpr::Expr(ref expr)) => Some(expr),
        _ => None,
    };
    list.args.iter().filter_map(arg).collect()
}

fn number(value: i64) -> Expr {
    Expr::value(Value::Number(value.to_string(), false))
}

/// Makes milliseconds of literals beside times.
fn literals(query: &mut Query) -> Result<BTreeSet<String>, String> {
    let times = time_names(query);
    let mut walk = Literals { times: &times };
    match query.visit(&mut walk) {
        ControlFlow::Break(why) => Err(why),
        ControlFlow::Continue(()) => Ok(times),
    }
}

struct Literals<'t> {
    times: &'t BTreeSet<String>,
}

impl Literals<'_> {
    /// What stands beside a point in time.
    fn beside_time(&self, expr: &mut Expr) -> Result<(), String> {
        match expr {
            Expr::Nested(inner) => return self.beside_time(inner),
            Expr::Value(ValueWithSpan {
                value: Value::SingleQuotedString(text),
                ..
            }) => *expr = number(literal_ms(text)?),
            Expr::TypedString(TypedString { data_type, value, .. }) if is_time_type(data_type) => {
                if let Value::SingleQuotedString(text) = &value.value {
                    *expr = number(literal_ms(text)?);
                }
            }
            Expr::Cast {
                expr: inner, data_type, ..
            } if is_time_type(data_type) => match inner.as_ref() {
                Expr::Value(ValueWithSpan {
                    value: Value::SingleQuotedString(text),
                    ..
                }) => {
                    *expr = number(literal_ms(text)?);
                }
                _ => return Err(clock(expr)),
            },
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Plus | BinaryOperator::Minus,
                right,
            } => {
                self.beside_time(left)?;
                if let Expr::Interval(interval) = right.as_ref() {
                    **right = number(interval_ms(interval)?);
                }
            }
            Expr::Function(function) => {
                let name = name_of(function);
                let dated = [
                    "now",
                    "now64",
                    "today",
                    "yesterday",
                    "makedate",
                    "makedatetime",
                    "current_timestamp",
                ];
                let made = name.starts_with("todate") || name.starts_with("parsedate") || name.starts_with("tostartof");
                if made || dated.contains(&name.as_str()) || name.starts_with("fromunixtimestamp") {
                    return Err(clock(expr));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn compared(&self, expr: &mut Expr) -> Result<(), String> {
        let time = |expr: &Expr| is_time(expr, self.times);
        match expr {
            Expr::BinaryOp { left, op, right } if compares(op) => {
                if time(left) {
                    self.beside_time(right)?;
                } else if time(right) {
                    self.beside_time(left)?;
                }
            }
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Plus | BinaryOperator::Minus,
                right,
            } if time(left) => {
                if let Expr::Interval(interval) = right.as_ref() {
                    **right = number(interval_ms(interval)?);
                }
            }
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) if time(left) => {
                self.beside_time(right)?;
            }
            Expr::Between { expr, low, high, .. } if time(expr) => {
                self.beside_time(low)?;
                self.beside_time(high)?;
            }
            Expr::InList { expr, list, .. } if time(expr) => {
                for element in list {
                    self.beside_time(element)?;
                }
            }
            Expr::Like { expr: value, .. } | Expr::ILike { expr: value, .. } if time(value) => {
                let why = "a time is no text; write ts >= '2018-06-06' AND ts < '2018-06-07'";
                return Err(refused(expr, why));
            }
            _ => {}
        }
        Ok(())
    }
}

/// A time of ClickHouse's own beside milliseconds: it would compare seconds with them.
fn clock(expr: &Expr) -> String {
    refused(
        expr,
        &format!("ts and ts_ms are milliseconds; {HINT}, or toUnixTimestamp64Milli(…)"),
    )
}

fn compares(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq
            | BinaryOperator::Spaceship
    )
}

impl VisitorMut for Literals<'_> {
    type Break = String;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        match self.compared(expr) {
            Ok(()) => ControlFlow::Continue(()),
            Err(why) => ControlFlow::Break(why),
        }
    }
}

/// Calls columns as the embedded engine does: by the text of the query. Returns the names of those that are times.
fn named(query: &mut Query, times: &BTreeSet<String>) -> Vec<String> {
    let mut body = query.body.as_mut();
    let select = loop {
        match body {
            SetExpr::Select(select) => break select,
            SetExpr::SetOperation { left, .. } => body = left.as_mut(),
            SetExpr::Query(query) => body = query.body.as_mut(),
            _ => return vec!["ts".to_owned()],
        }
    };
    let mut shown = vec!["ts".to_owned()];
    for item in &mut select.projection {
        let prints = |expr: &Expr| is_time(expr, times) && !names_ms(expr);
        match item {
            SelectItem::ExprWithAlias { expr, alias } if prints(expr) => shown.push(alias.value.clone()),
            SelectItem::UnnamedExpr(Expr::Identifier(_) | Expr::CompoundIdentifier(_)) => {}
            SelectItem::UnnamedExpr(expr) => {
                let name = expr.to_string();
                if prints(expr) {
                    shown.push(name.clone());
                }
                *item = SelectItem::ExprWithAlias {
                    expr: expr.clone(),
                    alias: Ident::with_quote('`', name.replace(['`', '\\'], "")),
                };
            }
            _ => {}
        }
    }
    shown
}

/// Whether it is made of `ts_ms`, which answers print as a number.
fn names_ms(expr: &Expr) -> bool {
    let text = expr.to_string();
    text.contains("_ms")
}

/// The last changes, which mean the same to the server.
struct ServerDialect {
    window: Window,
    /// What stands in the place of `rates`.
    rates: Option<Query>,
}

impl VisitorMut for ServerDialect {
    type Break = String;

    /// Behind UNION, EXCEPT and INTERSECT the server takes ORDER BY and LIMIT for the last SELECT's alone.
    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<String> {
        let sorted = query.order_by.is_some() || query.limit_clause.is_some();
        if !sorted || !matches!(query.body.as_ref(), SetExpr::SetOperation { .. }) {
            return ControlFlow::Continue(());
        }
        let mut around = match one_select_of_server("SELECT * FROM (SELECT 1) AS both_sides") {
            Ok(around) => around,
            Err(why) => return ControlFlow::Break(why),
        };
        if let SetExpr::Select(select) = around.body.as_mut()
            && let Some(TableFactor::Derived { subquery, .. }) = select.from.first_mut().map(|from| &mut from.relation)
        {
            std::mem::swap(&mut subquery.body, &mut query.body);
            query.body = around.body;
        }
        ControlFlow::Continue(())
    }

    /// A backslash escapes there.
    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<String> {
        if let Value::SingleQuotedString(text) = &mut value.value {
            *text = text.replace('\\', "\\\\").replace('\'', "\\'");
        }
        ControlFlow::Continue(())
    }

    /// `QUANTILE_DISC(x, q)`: the smallest value at or below which the share `q` of all stands. ClickHouse's own quantiles
    /// take the next one where `q` times the count is whole, but for the one that keeps how often each value came.
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        if let Expr::Function(function) = expr
            && name_of(function) == "quantile_disc"
        {
            let args = args(function);
            let value = args.first().map(ToString::to_string).unwrap_or_default();
            let share = args.get(1).map_or("0.5".to_owned(), ToString::to_string);
            let text = format!("if(count({value}) = 0, NULL, quantileExactWeighted({share})({value}, 1))");
            return match sqlparser::parser::Parser::new(&sqlparser::dialect::ClickHouseDialect {})
                .try_with_sql(&text)
                .and_then(|mut parser| parser.parse_expr())
            {
                Ok(made) => {
                    *expr = made;
                    ControlFlow::Continue(())
                }
                Err(error) => ControlFlow::Break(error.to_string()),
            };
        }
        ControlFlow::Continue(())
    }

    /// A table is cut to the window.
    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<String> {
        if self.window == Window::ALL && self.rates.is_none() {
            return ControlFlow::Continue(());
        }
        if let TableFactor::Table { name, alias, .. } = factor
            && let Some(table) = TABLES.iter().find(|table| name.0.len() == 1 && last(name) == **table)
        {
            let [since_ms, until_ms] = [self.window.since_ms, self.window.until_ms].map(UtcMs::get);
            let text = format!("SELECT * FROM {table} WHERE ts_ms >= {since_ms} AND ts_ms < {until_ms}");
            let subquery = match (&self.rates, one_select_of_server(&text)) {
                (Some(rates), _) if *table == "rates" => Box::new(rates.clone()),
                (_, Ok(query)) => Box::new(query),
                (_, Err(why)) => return ControlFlow::Break(why),
            };
            let alias = alias.clone().unwrap_or_else(|| TableAlias {
                explicit: true,
                name: Ident::new(*table),
                columns: Vec::new(),
                at: None,
            });
            *factor = TableFactor::Derived {
                lateral: false,
                subquery,
                alias: Some(alias),
                sample: None,
            };
        }
        ControlFlow::Continue(())
    }
}

//! Levels below a SELECT list: what groups make and what windows make gets a column of its own, which the expressions above
//! name.

use super::clauses::SortOrder;
use super::node::{SqlExpr, Typed, filled};

/// A level that groups.
#[derive(Default)]
pub(super) struct GroupLevel {
    pub keys: Vec<(String, SqlExpr)>,
    /// Columns that go into functions.
    pub args: Vec<(String, String)>,
    /// Functions over them.
    pub made: Vec<(String, String)>,
}

fn named_among(list: &mut Vec<(String, String)>, prefix: &str, sql: String) -> String {
    if let Some((name, _)) = list.iter().find(|(_, known)| *known == sql) {
        return name.clone();
    }
    let name = format!("{prefix}{}", list.len());
    list.push((name.clone(), sql));
    name
}

pub(super) fn listed(items: &[(String, String)]) -> Vec<String> {
    items.iter().map(|(name, sql)| format!("{sql} AS {name}")).collect()
}

/// A value that an inner level made, as SQL means it.
fn value_of(name: &str, count: Option<&str>, is_count: bool) -> SqlExpr {
    match (is_count, count) {
        (true, _) => SqlExpr::Made(format!("CAST({name} AS BIGINT)")),
        (false, Some(count)) => SqlExpr::Made(format!("(CASE WHEN {count} > 0 THEN {name} END)")),
        (false, None) => SqlExpr::Made(name.to_owned()),
    }
}

impl GroupLevel {
    /// The expression over the columns of this level.
    pub(super) fn lift(&mut self, node: &SqlExpr) -> Result<SqlExpr, String> {
        node.replaced(&mut |node| {
            if let Some((name, _)) = self.keys.iter().find(|(_, key)| key == node) {
                return Ok(Some(SqlExpr::Made(name.clone())));
            }
            match node {
                SqlExpr::Aggregate(aggregate) => {
                    let arg = aggregate
                        .arg
                        .as_ref()
                        .map(|arg| named_among(&mut self.args, "a", arg.sql()));
                    let made = arg.clone().map(SqlExpr::Made);
                    let name = named_among(&mut self.made, "g", filled(&aggregate.template, made.as_ref()));
                    let count = match (&arg, aggregate.null_if_none) {
                        (Some(arg), true) => Some(named_among(&mut self.made, "g", format!("COUNT({arg})"))),
                        _ => None,
                    };
                    Ok(Some(value_of(&name, count.as_deref(), aggregate.is_count)))
                }
                SqlExpr::Column(_, name) => {
                    let name = name.split_once('_').map_or("", |(_, name)| name);
                    Err(format!(
                        "`{name}` must stand in GROUP BY, or in a function such as MIN()"
                    ))
                }
                _ => Ok(None),
            }
        })
    }
}

/// A level of windows.
#[derive(Default)]
pub(super) struct WindowLevel {
    pub args: Vec<(String, String)>,
    pub made: Vec<(String, String)>,
}

impl WindowLevel {
    pub(super) fn lift(&mut self, node: &SqlExpr) -> Result<SqlExpr, String> {
        node.replaced(&mut |node| {
            let SqlExpr::Window(window) = node else { return Ok(None) };
            let inner = window.arg.iter().map(|arg| &**arg).chain(&window.partition);
            if inner
                .chain(window.order.iter().map(|(node, _)| node))
                .any(SqlExpr::has_window)
            {
                return Err("a window over a window is refused; write the inner one in a subquery".to_owned());
            }
            let mut column = |node: &SqlExpr| named_among(&mut self.args, "v", node.sql());
            let arg = window.arg.as_ref().map(|arg| column(arg));
            let mut over = Vec::new();
            let partition: Vec<String> = window.partition.iter().map(&mut column).collect();
            if !partition.is_empty() {
                over.push(format!("PARTITION BY {}", partition.join(", ")));
            }
            let order: Vec<String> = window
                .order
                .iter()
                .map(|(node, down)| format!("{}{}", column(node), if *down { " DESC" } else { "" }))
                .collect();
            if !order.is_empty() {
                over.push(format!("ORDER BY {}", order.join(", ")));
            }
            let over = over.join(" ");
            let made = arg.clone().map(SqlExpr::Made);
            let call = format!("{} OVER ({over})", filled(&window.template, made.as_ref()));
            let name = named_among(&mut self.made, "w", call);
            let count = match (&arg, window.null_if_none) {
                (Some(arg), true) => Some(named_among(&mut self.made, "w", format!("COUNT({arg}) OVER ({over})"))),
                _ => None,
            };
            Ok(Some(value_of(&name, count.as_deref(), window.is_count)))
        })
    }
}

/// What a query is sorted by: an expression, or one of its columns.
pub(super) enum SortKey {
    Column(usize),
    Node(SqlExpr),
}

pub(super) struct Sorted {
    pub key: SortKey,
    pub order: SortOrder,
}

/// What the columns of the result and its order are made of.
pub(super) fn nodes<'n>(
    items: &'n mut [(String, Typed)],
    sorted: &'n mut [Sorted],
) -> impl Iterator<Item = &'n mut SqlExpr> {
    let by = sorted.iter_mut().filter_map(|by| match &mut by.key {
        SortKey::Node(node) => Some(node),
        SortKey::Column(_) => None,
    });
    items.iter_mut().map(|(_, item)| &mut item.node).chain(by)
}

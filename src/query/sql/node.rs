//! Expressions whose names are resolved and whose types are known, on their way to the engine.

use std::collections::BTreeSet;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// NULL, of any type.
    Null,
    /// A whole number.
    Int,
    /// A number.
    Float,
    Text,
    /// True or false.
    Bool,
    /// A point in time, UTC milliseconds; answers print it as RFC 3339.
    Time,
    /// A point in time, UTC milliseconds; answers print the number.
    TimeMs,
}

impl Type {
    pub(super) fn is_time(self) -> bool {
        matches!(self, Type::Time | Type::TimeMs)
    }

    /// A whole number, whatever it stands for.
    pub(super) fn is_int(self) -> bool {
        self == Type::Int || self.is_time()
    }

    pub(super) fn is_number(self) -> bool {
        self.is_int() || self == Type::Float
    }

    /// As messages call it.
    pub(super) fn words(self) -> &'static str {
        match self {
            Type::Null => "NULL",
            Type::Int | Type::Float => "a number",
            Type::Text => "text",
            Type::Bool => "true or false",
            Type::Time | Type::TimeMs => "a time",
        }
    }

    /// The type that values of both have, if there is one.
    pub(super) fn common(self, other: Type) -> Option<Type> {
        match (self, other) {
            (a, b) if a == b => Some(a),
            (Type::Null, other) | (other, Type::Null) => Some(other),
            (a, b) if a.is_time() && b.is_time() => Some(Type::TimeMs),
            (a, b) if a.is_int() && b.is_int() => Some(Type::Int),
            (a, b) if a.is_number() && b.is_number() => Some(Type::Float),
            _ => None,
        }
    }
}

/// A function over the rows of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AggregateFunction {
    /// Its text, with `{}` where the argument goes.
    pub template: String,
    /// The argument; none for `COUNT(*)`.
    pub arg: Option<Box<SqlExpr>>,
    /// Of no values it is NULL where the engine would say 0.
    pub null_if_none: bool,
    /// The engine's counts are unsigned.
    pub is_count: bool,
}

/// A function over a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WindowFunction {
    /// The function; with `{}` where the argument goes.
    pub template: String,
    /// The argument.
    pub arg: Option<Box<SqlExpr>>,
    /// PARTITION BY.
    pub partition: Vec<SqlExpr>,
    /// ORDER BY, and whether it goes down.
    pub order: Vec<(SqlExpr, bool)>,
    /// Of no values it is NULL where the engine would say 0.
    pub null_if_none: bool,
    /// The engine's counts are unsigned.
    pub is_count: bool,
}

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SqlExpr {
    /// A column of a table of the FROM clause: which, and its name there.
    Column(usize, String),
    /// Text in quotes.
    Text(String),
    /// A number, TRUE, FALSE or NULL, as it is written.
    Literal(String),
    /// Text and expressions in turn.
    Parts(Vec<SqlPart>),
    /// Over a group.
    Aggregate(AggregateFunction),
    /// Over a window.
    Window(WindowFunction),
    /// A column that an inner SELECT made.
    Made(String),
}

/// A piece of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SqlPart {
    /// Words of SQL.
    Words(&'static str),
    /// An expression.
    Node(SqlExpr),
    /// SQL made here.
    Sql(String),
}

/// An expression with its type.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    pub node: SqlExpr,
    pub kind: Type,
}

/// Puts expressions in between: `parts!["(", a, " + ", b, ")"]`.
macro_rules! parts {
    ($($part:expr),* $(,)?) => { $crate::query::sql::node::SqlExpr::Parts(vec![$($crate::query::sql::node::SqlPart::from($part)),*]) };
}
pub(super) use parts;

impl From<&'static str> for SqlPart {
    fn from(words: &'static str) -> Self {
        SqlPart::Words(words)
    }
}

impl From<SqlExpr> for SqlPart {
    fn from(node: SqlExpr) -> Self {
        SqlPart::Node(node)
    }
}

impl From<&SqlExpr> for SqlPart {
    fn from(node: &SqlExpr) -> Self {
        SqlPart::Node(node.clone())
    }
}

impl From<String> for SqlPart {
    fn from(sql: String) -> Self {
        SqlPart::Sql(sql)
    }
}

/// A text as a literal of SQL.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl SqlExpr {
    /// A whole number.
    pub(super) fn int(value: i64) -> SqlExpr {
        SqlExpr::Literal(value.to_string())
    }

    /// As the engine reads it. Functions over groups and windows are to be taken out first.
    pub(super) fn sql(&self) -> String {
        match self {
            SqlExpr::Column(_, name) | SqlExpr::Made(name) => name.clone(),
            SqlExpr::Text(text) => quoted(text),
            SqlExpr::Literal(text) => text.clone(),
            SqlExpr::Parts(_) if binary(self).is_some() => format!("({})", self.chained()),
            SqlExpr::Parts(parts) => parts
                .iter()
                .map(|part| match part {
                    SqlPart::Words(words) => (*words).to_owned(),
                    SqlPart::Node(node) => node.sql(),
                    SqlPart::Sql(sql) => sql.clone(),
                })
                .collect(),
            SqlExpr::Aggregate(aggregate) => filled(&aggregate.template, aggregate.arg.as_deref()),
            SqlExpr::Window(window) => filled(&window.template, window.arg.as_deref()),
        }
    }

    /// A chain of one operator: the parser of the engine bounds how deep parentheses may be, and its evaluation how deep
    /// conditions.
    fn chained(&self) -> String {
        let Some((_, words, _)) = binary(self) else {
            return self.sql();
        };
        let mut right_first = Vec::new();
        let mut node = self;
        while let Some((left, inner, right)) = binary(node)
            && inner == words
        {
            right_first.push(right.sql());
            node = left;
        }
        right_first.push(node.sql());
        right_first.reverse();
        match words {
            // The engine takes ANDs apart and puts them together again, at a cost that doubles with some of them.
            " AND " if right_first.len() > 16 => {
                let negated: Vec<String> = right_first.iter().map(|one| format!("(NOT {one})")).collect();
                format!("NOT ({})", balanced(&negated, " OR "))
            }
            " AND " | " OR " => balanced(&right_first, words),
            _ => right_first.join(words),
        }
    }

    /// Whether it is the same for every row.
    pub(super) fn is_literal(&self) -> bool {
        matches!(self, SqlExpr::Literal(_) | SqlExpr::Text(_))
    }

    fn each(&self, visit: &mut dyn FnMut(&SqlExpr)) {
        visit(self);
        match self {
            SqlExpr::Parts(parts) => parts.iter().for_each(|part| {
                if let SqlPart::Node(node) = part {
                    node.each(visit);
                }
            }),
            SqlExpr::Aggregate(aggregate) => {
                if let Some(arg) = &aggregate.arg {
                    arg.each(visit);
                }
            }
            SqlExpr::Window(window) => {
                let order = window.order.iter().map(|(node, _)| node);
                let nodes = window
                    .arg
                    .iter()
                    .map(|arg| &**arg)
                    .chain(&window.partition)
                    .chain(order);
                nodes.for_each(|node| node.each(visit));
            }
            SqlExpr::Column(..) | SqlExpr::Text(_) | SqlExpr::Literal(_) | SqlExpr::Made(_) => {}
        }
    }

    /// The conditions that must all be true for it to be.
    pub(super) fn conjuncts(&self) -> Vec<&SqlExpr> {
        let mut all = Vec::new();
        let mut pending = vec![self];
        while let Some(node) = pending.pop() {
            match binary(node) {
                Some((left, " AND ", right)) => pending.extend([right, left]),
                _ => all.push(node),
            }
        }
        all
    }

    /// The columns that it names.
    pub(super) fn columns(&self) -> BTreeSet<String> {
        let mut columns = BTreeSet::new();
        self.each(&mut |node| {
            if let SqlExpr::Column(_, name) | SqlExpr::Made(name) = node {
                columns.insert(name.clone());
            }
        });
        columns
    }

    /// Whether a function over groups is in it.
    pub(super) fn has_aggregate(&self) -> bool {
        let mut has = false;
        self.each(&mut |node| has |= matches!(node, SqlExpr::Aggregate(_)));
        has
    }

    /// Whether a function over a window is in it.
    pub(super) fn has_window(&self) -> bool {
        let mut has = false;
        self.each(&mut |node| has |= matches!(node, SqlExpr::Window(_)));
        has
    }

    /// The tables of the FROM clause that it needs.
    pub(super) fn tables(&self) -> BTreeSet<usize> {
        let mut tables = BTreeSet::new();
        self.each(&mut |node| {
            if let SqlExpr::Column(table, _) = node {
                tables.insert(*table);
            }
        });
        tables
    }

    /// The same with some of its parts replaced, from outside in.
    pub(super) fn replaced(
        &self,
        replace: &mut dyn FnMut(&SqlExpr) -> Result<Option<SqlExpr>, String>,
    ) -> Result<SqlExpr, String> {
        if let Some(node) = replace(self)? {
            return Ok(node);
        }
        let boxed = |arg: &Option<Box<SqlExpr>>,
                     replace: &mut dyn FnMut(&SqlExpr) -> Result<Option<SqlExpr>, String>| {
            arg.as_ref().map(|arg| arg.replaced(replace).map(Box::new)).transpose()
        };
        Ok(match self {
            SqlExpr::Parts(parts) => {
                let mut made = Vec::with_capacity(parts.len());
                for part in parts {
                    made.push(match part {
                        SqlPart::Node(node) => SqlPart::Node(node.replaced(replace)?),
                        other => other.clone(),
                    });
                }
                SqlExpr::Parts(made)
            }
            SqlExpr::Aggregate(aggregate) => SqlExpr::Aggregate(AggregateFunction {
                arg: boxed(&aggregate.arg, replace)?,
                ..aggregate.clone()
            }),
            SqlExpr::Window(window) => {
                let mut made = WindowFunction {
                    arg: boxed(&window.arg, replace)?,
                    ..window.clone()
                };
                for node in &mut made.partition {
                    *node = node.replaced(replace)?;
                }
                for (node, _) in &mut made.order {
                    *node = node.replaced(replace)?;
                }
                SqlExpr::Window(made)
            }
            other => other.clone(),
        })
    }
}

/// NULL, where a condition stands.
pub(super) fn null_bool() -> SqlExpr {
    SqlExpr::Literal("CAST(NULL AS BOOLEAN)".to_owned())
}

/// One word where a condition is true and another where it is false; NULL stays NULL.
pub(super) fn by_truth(condition: &SqlExpr, yes: &str, no: &str) -> SqlExpr {
    parts![
        "(CASE WHEN ",
        condition,
        format!(" THEN {yes} WHEN NOT "),
        condition,
        format!(" THEN {no} END)")
    ]
}

/// Both sides of an operator that may stand in a chain, from the left.
fn binary(node: &SqlExpr) -> Option<(&SqlExpr, &'static str, &SqlExpr)> {
    let SqlExpr::Parts(parts) = node else { return None };
    match parts.as_slice() {
        [
            SqlPart::Words("("),
            SqlPart::Node(left),
            SqlPart::Words(words),
            SqlPart::Node(right),
            SqlPart::Words(")"),
        ] if [" AND ", " OR ", " + ", " - ", " * ", " || "].contains(words) => Some((left, words, right)),
        _ => None,
    }
}

/// The same conditions, no deeper than need be.
fn balanced(conditions: &[String], words: &str) -> String {
    match conditions {
        [] => String::new(),
        [one] => one.clone(),
        more if more.len() <= 8 => more.join(words),
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            format!("({}){words}({})", balanced(left, words), balanced(right, words))
        }
    }
}

/// A function's text with its argument in it.
pub(super) fn filled(template: &str, arg: Option<&SqlExpr>) -> String {
    match arg {
        Some(arg) => template.replacen("{}", &arg.sql(), 1),
        None => template.to_owned(),
    }
}

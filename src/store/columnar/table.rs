//! Rows of an answer, as they leave this room.

/// Rows of an answer, column by column.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// Columns of equal length.
    pub columns: Vec<Column>,
}

/// One column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Name as in the query.
    pub name: String,
    /// Values.
    pub values: Values,
}

/// Values of one type; None is null.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Whole numbers.
    Int(Vec<Option<i64>>),
    /// Numbers.
    Float(Vec<Option<f64>>),
    /// Text.
    Text(Vec<Option<String>>),
    /// True or false.
    Bool(Vec<Option<bool>>),
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Values::Int(v) => v.len(),
            Values::Float(v) => v.len(),
            Values::Text(v) => v.len(),
            Values::Bool(v) => v.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Table {
    /// A table of named columns.
    pub fn of<'n>(columns: impl IntoIterator<Item = (&'n str, Values)>) -> Self {
        let column = |(name, values): (&str, Values)| Column {
            name: name.to_owned(),
            values,
        };
        Table {
            columns: columns.into_iter().map(column).collect(),
        }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.values.len())
    }

    /// The text in a column's row; empty for null, and where the column has none.
    pub fn text(&self, column: usize, row: usize) -> &str {
        match self.columns.get(column).map(|column| &column.values) {
            Some(Values::Text(texts)) => texts[row].as_deref().unwrap_or_default(),
            _ => "",
        }
    }

    /// The whole number in a column's row; none for null, and where the column has none.
    pub fn number(&self, column: usize, row: usize) -> Option<i64> {
        match self.columns.get(column).map(|column| &column.values) {
            Some(Values::Int(numbers)) => numbers[row],
            _ => None,
        }
    }
}

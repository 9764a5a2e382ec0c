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
}

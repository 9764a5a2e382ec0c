//! The only room where polars lives: Parquet out, Parquet in, and SQL over what was read. Nothing of polars stands in
//! a public signature; rows leave as a [`Table`].

mod any;
mod checks;
mod contain;
mod describe;
mod difference;
mod events;
mod file;
mod hops;
mod ids;
mod merge;
mod pack;
mod rates;
mod read;
mod rewrite;
mod segment;
mod senders;
mod sql;
mod texts;
mod write;

pub use describe::{Described, describe, thinned};
pub use difference::{difference, taken_back};
pub use events::{EventRow, events_between};
pub use hops::{ArrivalRow, Learnt, LearntById, arrivals, cover, keys, relink};
pub use ids::{event_ids, times};
pub use merge::{Parts, concatenate};
pub use read::{RateBlock, read_rates, read_texts, verify};
pub use rewrite::{amend, rates_of};
pub use segment::{EncodedSegment, Encoder, SEGMENT_ROWS_MAX};
pub use senders::{Attribute, Attributed, Sender, reattribute, senders};
pub use sql::{Broken, Input, LOGICAL, NUMBERS, select};
pub use texts::Texts;

/// The missing number; see [`super::batch::NONE`].
const NONE_NUMBER: u64 = super::batch::NONE;

/// What went wrong in a columnar file or in a query.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine's own words.
    #[error("{0}")]
    Engine(#[from] polars::error::PolarsError),
    /// A file could not be read.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what the catalogue says.
    #[error("{path}: {what}")]
    Damaged {
        /// Which file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl Error {
    /// The engine's words, with the file that they are about.
    fn of(self, path: &std::path::Path) -> Self {
        match self {
            Error::Engine(words) => Error::Damaged {
                path: path.to_owned(),
                what: words.to_string(),
            },
            error => error,
        }
    }

    /// Whether it is about what stands in a file, or about a file that is not there: whoever reads several can go on with
    /// the others. A disk that is full, or a file that may not be read, is another matter.
    pub fn is_about_a_file(&self) -> bool {
        match self {
            Error::Damaged { .. } => true,
            Error::Io { source, .. } => !matches!(
                source.kind(),
                std::io::ErrorKind::PermissionDenied
                    | std::io::ErrorKind::StorageFull
                    | std::io::ErrorKind::QuotaExceeded
            ),
            Error::Engine(_) => false,
        }
    }
}

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

//! What becomes of a question: rows, or why there are none.

use crate::store::StoreError;
use crate::store::catalogue::CatalogueError;
use crate::store::columnar::{ColumnarError, Table};

/// A table, and which of its columns are points in time, UTC milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryAnswer {
    /// The rows.
    pub table: Table,
    /// Names of columns.
    pub times: Vec<String>,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The question is wrong.
    #[error("{0}")]
    Question(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server failed, or refused.
    #[error(transparent)]
    ClickHouse(#[from] crate::store::clickhouse::ClickHouseError),
    /// The engine refused.
    #[error("query: {0}")]
    Engine(#[from] ColumnarError),
}

impl From<CatalogueError> for QueryError {
    fn from(error: CatalogueError) -> Self {
        QueryError::Store(error.into())
    }
}

impl QueryError {
    /// Whether a segment was merged away between the list and the reading.
    pub(super) fn is_gone(&self) -> bool {
        let error = match self {
            QueryError::Engine(error) | QueryError::Store(StoreError::Columnar(error)) => error,
            _ => return false,
        };
        matches!(error, ColumnarError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }
}

//! What goes wrong with columnar files.

/// What went wrong in a columnar file or in a query.
#[derive(Debug, thiserror::Error)]
pub enum ColumnarError {
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

impl ColumnarError {
    /// The engine's words, with the file that they are about.
    pub(super) fn of(self, path: &std::path::Path) -> Self {
        match self {
            ColumnarError::Engine(words) => ColumnarError::Damaged {
                path: path.to_owned(),
                what: words.to_string(),
            },
            error => error,
        }
    }

    /// Whether it is about what stands in a file, or about a file that is not there: whoever reads several can go on with
    /// the others. A disk that is full, or a file that may not be read, is another matter.
    pub(crate) fn is_about_a_file(&self) -> bool {
        match self {
            ColumnarError::Damaged { .. } => true,
            ColumnarError::Io { source, .. } => !matches!(
                source.kind(),
                std::io::ErrorKind::PermissionDenied
                    | std::io::ErrorKind::StorageFull
                    | std::io::ErrorKind::QuotaExceeded
            ),
            ColumnarError::Engine(_) => false,
        }
    }
}

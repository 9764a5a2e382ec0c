//! The files of payloads.

use crate::store::catalogue::PayloadKind;
use std::path::{Path, PathBuf};

/// Where a store's payloads are.
pub(crate) fn outbox_folder(store: &Path) -> PathBuf {
    store.join("outbox")
}

/// The file of a payload.
pub(crate) fn payload_path(store: &Path, id: i64, kind: PayloadKind) -> PathBuf {
    let end = if kind == PayloadKind::Minutes {
        "json"
    } else {
        "parquet"
    };
    outbox_folder(store).join(format!("{id}.{}.{end}", kind.as_str()))
}

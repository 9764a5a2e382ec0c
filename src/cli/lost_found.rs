//! What stands in `lost+found`, for all who say it.

use super::output;
use crate::model::human;
use crate::store::Store;
use std::io;

/// Says how many files nothing refers to; nothing where there is none.
pub(super) fn print(store: &Store) -> io::Result<()> {
    let lost = store.lost_found();
    if lost.files == 0 {
        return Ok(());
    }
    output::line(&format!(
        "lost+found: {} files that nothing refers to, {}",
        lost.files,
        human::size(lost.bytes)
    ))
}

//! Who may read a store, and what is said to who may not.

use super::catalogue::{CatalogueError, Connection, numbers};
use super::columnar::ColumnarError;
use super::error::StoreError;
use crate::files;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Whether others than owner and group have been shut out, in the catalogue.
const CLOSED: &str = "closed_to_others";

/// Says who may read, where this user may not.
pub(super) fn refused(error: StoreError) -> StoreError {
    match error {
        StoreError::Io { path, source } | StoreError::Columnar(ColumnarError::Io { path, source })
            if source.kind() == io::ErrorKind::PermissionDenied =>
        {
            StoreError::Unreadable {
                hint: readers(&path).unwrap_or_else(|| "run as a user who may read there".to_owned()),
                path,
                source,
            }
        }
        other => other,
    }
}

/// Who may read a file of a store, and how somebody else may too; none where nothing of its path can be looked at.
pub fn readers(path: &Path) -> Option<String> {
    // What stands in a folder that may not be entered cannot be looked at; the folder can.
    let found = path.ancestors().find_map(|path| fs::symlink_metadata(path).ok())?;
    let owner = name_of("/etc/passwd", found.uid());
    let group = name_of("/etc/group", found.gid());
    Some(match found.gid() != 0 && found.mode() & 0o040 != 0 {
        true => format!(
            "the user {owner} and the group {group} may read there: add this user to the group (`usermod -aG {group} USER`, \
             then log in again), or run as {owner}"
        ),
        false => format!(
            "only {owner} may read there: run as {owner}, or let a group read (`chgrp -R GROUP` and `chmod -R g+rX` on the \
             store's folder)"
        ),
    })
}

/// The group whose members may read a file, if it is not root's.
pub fn group_that_reads(path: &Path) -> Option<String> {
    let found = fs::metadata(path).ok()?;
    (found.gid() != 0 && found.mode() & 0o040 != 0).then(|| name_of("/etc/group", found.gid()))
}

/// A name in a file like `/etc/group`; the number where there is none.
fn name_of(file: &str, id: u32) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let named = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id.to_string()).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| id.to_string())
}

/// Takes from others what they may do with a store that an earlier version made, once: what its owner allows later stays.
pub(super) fn close_to_others(store: &Path, connection: &Connection) -> Result<(), CatalogueError> {
    if numbers::get(connection, CLOSED)? == 1 {
        return Ok(());
    }
    let mut folders = vec![store.to_owned()];
    while let Some(folder) = folders.pop() {
        files::close_to_others(&folder);
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            match path.is_dir() && !path.is_symlink() {
                true => folders.push(path),
                false => files::close_to_others(&path),
            }
        }
    }
    numbers::put(connection, CLOSED, 1)
}

//! The hosts whose MTA's logs are in the store.

use crate::model::log_kinds::is_mta;
use crate::normalise::hosts::HostNumbers;
use crate::store::catalogue::{CatalogueError, Connection, source_names};
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

/// The hosts whose MTA's logs are in the store.
pub struct Mtas {
    /// They.
    pub hosts: HostNumbers,
    /// Host of a source.
    pub of_source: HashMap<i64, u32, FxBuildHasher>,
}

/// All of them.
///
/// # Errors
/// The catalogue cannot be read.
pub(crate) fn mtas(connection: &Connection) -> Result<Mtas, CatalogueError> {
    let mut mtas = Mtas {
        hosts: HostNumbers::default(),
        of_source: HashMap::default(),
    };
    for (id, (host, kind)) in source_names(connection)? {
        if is_mta(&kind) {
            mtas.of_source.insert(id, mtas.hosts.add(&host));
        }
    }
    Ok(mtas)
}

//! The beginning of a file's content.

use super::{Codec, Content, Limits, SourceError};
use std::path::Path;

/// The first bytes of a file's content, for recognising what kind of log it is.
#[derive(Debug, Clone)]
pub struct ContentSample {
    /// How the file is packed.
    pub codec: Codec,
    /// The content.
    pub bytes: Vec<u8>,
    /// The content ends here.
    pub whole: bool,
}

/// Reads the first `kib` KiB of a file's content. A damaged archive gives what stands before the damage; only when
/// that is nothing, the damage is the answer.
pub fn sample(path: &Path, kib: usize, limits: &Limits) -> Result<ContentSample, SourceError> {
    let mut content = Content::open(path, limits)?;
    let bytes = content.peek(kib << 10)?.to_vec();
    Ok(ContentSample {
        codec: content.stamp().codec,
        whole: bytes.len() < kib << 10,
        bytes,
    })
}

//! Keeping the store small and honest.

mod compact;
mod export;
pub mod forget;
mod privacy;
mod reclassify;
mod verify;

pub use compact::{Compacted, compact, compact_small};
pub use export::{Exported, export};
pub use privacy::settle_privacy;
pub use reclassify::{Reclassified, reclassify};
pub use verify::{Verified, spot_check, verify};
pub(crate) use verify::{has_hash, verify_file};

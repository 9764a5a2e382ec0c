//! The embedded store: Parquet segments in a folder and a catalogue that says which of them count.
//!
//! ```text
//! STORE/catalogue.sqlite        segments, positions, open messages, counters   (catalogue/)
//! STORE/catalogue.id            which catalogue the segments belong to         (condition.rs)
//! STORE/copies/                 the catalogue as it was, an hour apart         (copies.rs)
//! STORE/segments/N.events.parquet, N.rates.parquet                             (columnar/)
//! STORE/lost+found/             files that nothing refers to                   (segments/)
//! STORE/outbox/                 what is to be sent to another store            (outbox/)
//! STORE/key                     key of the pseudonyms
//! STORE/lock                    who writes
//! ```
//!
//! A segment is written whole (temporary name, fsync, rename, fsync of the folder) before the transaction that names
//! it. A crash in between leaves a file that nobody names; the next writer moves it to `lost+found` and reads its lines
//! again. A catalogue that is lost is never started afresh beside segments: `recovery/` makes it anew.

pub mod attribution;
pub mod batch;
pub mod catalogue;
pub mod clickhouse;
pub mod columnar;
pub mod commit;
mod condition;
pub mod copies;
mod error;
mod handle;
pub mod linker;
pub mod maintenance;
pub mod outbox;
mod permissions;
pub mod recovery;
pub mod retention;
pub mod segments;

pub use error::{Lost, StoreError};
pub use handle::Store;
pub use permissions::{group_that_reads, readers};

//! Where bytes come from.
//!
//! ```text
//! scan ──▶ unpack ──▶ chunks ──▶ lines
//! paths    content    1 MiB      (offset, bytes)
//!             └──▶ identity: is this a log that we know, and from where do we read on?
//! ```
//!
//! * [`scan`] expands files, folders and globs into families of rotated siblings, oldest first.
//! * [`unpack`] opens one file and gives its *content*: plain or decompressed, with caps against bombs.
//! * [`chunks`] cuts content into line-aligned chunks whose offsets are true, whatever had to be skipped.
//! * [`identity`] decides, without any I/O of its own, whether a file is new, grown, moved, copied, compressed or
//!   truncated.
//!
//! An **offset** is always an offset in content, so that it stays the same when the log is compressed. Nothing here
//! knows what a line means, stores a position, or writes a file.

pub mod chunks;
mod codec;
pub mod fault;
pub mod identity;
pub mod journal;
mod limits;
mod sample;
pub mod scan;
mod stamp;
pub mod stdin;
pub mod unpack;
pub mod watch;

pub use chunks::{Chunk, Chunks, Pool};
pub use codec::Codec;
pub use fault::{Note, SourceError};
pub use limits::Limits;
pub use sample::{ContentSample, sample};
pub use scan::{Family, Found};
pub use stamp::Stamp;
pub use unpack::Content;

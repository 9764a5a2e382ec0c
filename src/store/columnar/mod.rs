//! The only room where polars lives: Parquet out, Parquet in, and SQL over what was read. Nothing of polars stands in
//! a public signature; rows leave as a [`Table`].

mod any;
mod checks;
mod contain;
mod describe;
mod difference;
mod error;
mod events;
mod file;
mod hops;
mod ids;
mod merge;
mod pack;
mod rates;
mod read;
mod rewrite;
mod segment;
mod senders;
mod sql;
mod table;
mod texts;
mod write;

pub use describe::{Described, describe, thinned};
pub use difference::{difference, taken_back};
pub use error::ColumnarError;
pub use events::{EventRow, events_between};
pub use hops::{ArrivalRow, Learnt, LearntById, arrivals, cover, keys, relink};
pub use ids::{event_ids, times};
pub use merge::{Parts, concatenate};
pub use read::{RateBlock, read_rates, read_texts, verify};
pub use rewrite::{amend, rates_of};
pub use segment::{EncodedSegment, Encoder, SEGMENT_ROWS_MAX};
pub use senders::{Attribute, Attributed, StoredSender, reattribute, senders};
pub use sql::{Broken, Input, LOGICAL, NUMBERS, select};
pub use table::{Column, Table, Values};
pub use texts::TextColumn;

//! The only room where polars lives: Parquet out, Parquet in, and SQL over what was read. Nothing of polars stands in
//! a public signature; rows leave as a [`Table`].

mod any;
mod checks;
mod contain;
mod day_tallies;
mod describe;
mod difference;
mod error;
mod events;
mod file;
mod flow_difference;
mod frame;
mod hops;
mod ids;
mod merge;
mod pack;
mod rates;
mod read;
mod rewrite;
mod rollups;
mod scan;
mod segment;
mod senders;
mod sql;
mod table;
mod tally;
mod texts;
mod write;

pub use describe::{Described, describe, thinned};
pub use difference::{difference, taken_back};
pub use error::ColumnarError;
pub use events::{EventRow, MailRow, events_between, mails_between};
pub use flow_difference::first_difference;
pub use frame::{Broken, LOGICAL, NUMBERS};
pub use hops::{ArrivalRow, Learnt, LearntById, arrivals, cover, keys, relink};
pub use ids::{event_ids, times};
pub use merge::{Parts, concatenate};
pub use read::{FlowBlock, RateBlock, read_flows, read_names, read_rates, verify};
pub use rewrite::{amend, rates_of};
pub use rollups::{ROLLUP_ROWS_MIN, RollUp, RollUps};
pub use scan::{Reduction, RowStep, ScanFile, ScanPart, ScanTest, Summary, TableScan, WEIGHT};
pub use segment::{EncodedSegment, Encoder, SEGMENT_ROWS_MAX};
pub use senders::{Attribute, Attributed, StoredSender, reattribute, senders};
pub use sql::{Input, select};
pub use table::{Column, Table, Values};
pub use texts::TextColumn;

//! ClickHouse as a second engine: the schema and its migrations, the sending of the outbox, and questions.
//!
//! ```text
//! outbox ──▶ ship ──▶ client ──▶ server      every committed batch, oldest first, each exactly once
//!            migrate ──┘   └──── query       the tables of sql/schema/; the same questions as to the embedded store
//! ```
//!
//! The driver is asynchronous; everything here waits for it on a small runtime of its own, so that no other room knows.

mod client;
mod endpoint;
mod error;
mod fill;
mod insert_settings;
pub mod keep;
pub mod migrate;
pub mod query;
pub mod settings;
pub mod ship;
mod tls;

pub use client::{ClickHouseClient, ClientOptions};
pub use endpoint::Endpoint;
pub use error::ClickHouseError;
pub use insert_settings::InsertSettings;
pub use tls::ServerAuthorities;

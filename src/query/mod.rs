//! Questions to the store: SQL by name or of one's own, and rates as series for graphs and detection.

mod answer;
mod bucket;
mod coarsest;
mod columns;
mod embedded;
pub mod guard;
pub mod history;
pub mod history_version;
pub mod named;
mod plan;
pub mod rates;
mod remote;
pub mod series;
pub mod sql;
pub mod viewed;
mod window;
mod witnesses;

pub use answer::{QueryAnswer, QueryError};
pub use coarsest::SumsOf;
pub use columns::TABLES;
pub use embedded::{add_up, ask, look_up, select, steadily};
pub use sql::quoted;
pub use window::Window;

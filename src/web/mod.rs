//! Pages, JSON API, and metrics over a store.
//!
//! ```text
//! server (connections) ─▶ guard (who may ask what) ─▶ pages, api, metrics ─▶ answers (the store, in a bounded pool)
//! ```
//!
//! The pages show what `analysis` and `query` answer, and compute nothing themselves. A text of a log becomes part of a page only
//! through the escaping of `html`, and an address only through `links`.

mod access;
mod answers;
mod api;
mod app;
mod chosen;
mod failure;
mod graphs;
mod guard;
mod html;
mod json;
mod kept_places;
mod links;
mod live;
mod metrics;
mod overview;
mod pages;
mod queue_count;
mod router;
mod server;
mod shared;
mod spark;
mod streams;
mod timed_stream;
mod waiting_mail;
mod warm_up;
mod zone;

pub(crate) use app::{App, AppOptions, ServedPaths, StopServing};
pub(crate) use metrics::commits::CommitMetrics;
pub(crate) use server::{bind, serve};
pub(crate) use warm_up::{warm_up, warm_up_graphs};

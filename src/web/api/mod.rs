//! The JSON API: GET only, with limits on time and rows, and a reason for every refusal. `openapi` describes it, and is made of
//! the same table as the routes.

mod answers;
mod board;
mod openapi;
mod written;

pub(super) use answers::routes;

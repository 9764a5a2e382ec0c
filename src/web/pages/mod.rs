//! The pages, one file each, and what they have in common.

pub(super) mod alarms;
pub(super) mod blocks;
pub(super) mod frame;
pub(super) mod incident;
mod marks;
pub(super) mod now;
pub(super) mod range;
mod reply;
pub(super) mod routes;
pub(super) mod sources;
pub(super) mod statics;
pub(super) mod subject;
pub(super) mod trace;

pub(super) use reply::failure_page;

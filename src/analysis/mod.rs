//! Answers: what rows and findings mean together. Questions go to `query`, judgement to `detect`; nothing is printed here.

pub mod alarms;
pub mod backlog;
pub mod blindness;
pub mod clients;
pub mod completeness;
pub mod expected;
pub mod failovers;
pub mod fleet;
pub mod health;
pub mod incident;
pub mod incomplete;
pub mod kept;
pub mod live;
mod log_minutes;
mod mail_history;
pub mod pending;
pub mod planned_work;
pub mod present;
pub mod providers;
pub mod routes;
pub mod severity;
pub mod shared_logs;
pub mod sources;
pub mod trace;

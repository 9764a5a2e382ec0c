//! Integration tests: the program as people run it, on logs of a real Exim and of the simulator.
//!
//! One crate, a module a subject; a test is named after what would break.

mod backfill;
mod bad_input;
mod demo;
mod exim_lab;
mod flow;
mod graph;
mod headers;
mod kill;
mod query;
mod rotation;
mod util;

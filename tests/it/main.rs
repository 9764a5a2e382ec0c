//! Integration tests: the program as people run it, on logs of a real Exim and of the simulator.
//!
//! One crate, a module a subject; a test is named after what would break. `lab`, `logs` and `util` hold no tests.

mod apps;
mod backfill;
mod bad_input;
mod browser;
mod cases;
mod changed_format;
mod clickhouse;
mod clocks;
mod demo;
mod detect;
mod exim_lab;
mod flow;
mod full_disk;
mod graph;
mod headers;
mod health;
mod hops;
mod incident;
mod injected;
mod journal;
mod kill;
mod lab;
mod logs;
mod mistakes;
mod package;
mod postfix_lab;
mod postfix_queue;
mod query;
mod rotation;
mod routes;
mod seeds;
mod sources;
mod stdin;
mod store_files;
mod store_lost;
mod tail;
mod two_hosts;
mod util;
mod watch;
mod watch_live;
mod watch_tls;

//! Following logs: every fault of tailing by its name, a model that does all of it in any order, the real logrotate,
//! and the real process under `kill -9`.

pub(crate) mod backup;
pub(crate) mod bench;
mod blind;
mod clocks;
mod compaction;
mod faults_archives;
mod faults_files;
mod faults_lines;
mod faults_split;
mod faults_store;
mod logrotate;
mod metrics;
mod model;
pub(crate) mod process;
mod zones;

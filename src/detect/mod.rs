//! Detecting that mail stopped: pure arithmetic over counts, without files and clocks. `engine` steps through a fleet,
//! minute by minute; `detector` watches count series; `impact` says afterwards what an outage cost.

pub mod alarm;
pub mod burst;
pub mod calibrate;
pub mod channels;
pub mod civil;
pub mod cusum;
pub mod detector;
pub mod engine;
pub mod episode;
pub mod evidence;
pub mod fleet;
pub mod group;
pub mod habit;
pub mod history;
pub mod holidays;
pub mod host;
pub mod ics;
pub mod impact;
pub mod learn;
pub mod level;
pub mod noise;
pub mod profile;
pub mod queue;
pub mod replay;
pub mod routes;
pub mod series;
pub mod sight;
pub mod silence;
pub mod tuning;
pub mod verdict;
pub mod volume;
pub mod weekly;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

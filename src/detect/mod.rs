pub mod alarm;
pub mod burst;
pub mod calibrate;
pub mod civil;
pub mod cusum;
pub mod engine;
pub mod evidence;
pub mod fleet;
pub mod group;
pub mod habit;
pub mod history;
pub mod holidays;
pub mod host;
pub mod ics;
pub mod impact;
pub mod level;
pub mod noise;
pub mod profile;
pub mod queue;
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

//! One line of JSON a notice, on standard output.

use super::delivery::one_by_one;
use super::{AlertChannel, Notice, Results, Undelivered, body};
use std::io::Write as _;

/// Standard output.
#[derive(Debug)]
pub struct Stdout;

impl AlertChannel for Stdout {
    fn name(&self) -> String {
        "stdout".to_owned()
    }

    fn deliver(&self, notices: &[Notice], _now: i64) -> Results {
        one_by_one(notices, |notice| {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}", body(&notice.json()))
                .and_then(|()| out.flush())
                .map_err(|why| Undelivered::channel(format!("stdout: {why}")))
        })
    }
}

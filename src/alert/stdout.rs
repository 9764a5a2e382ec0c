//! One line of JSON a notice, on standard output.

use super::delivery::one_by_one;
use super::told::json;
use super::{AlertChannel, Notice, NoticeLinks, Results, Undelivered, body};
use crate::model::time::UtcS;
use std::io::Write as _;

/// Standard output.
#[derive(Debug)]
pub(crate) struct Stdout(pub NoticeLinks);

impl AlertChannel for Stdout {
    fn name(&self) -> String {
        "stdout".to_owned()
    }

    fn deliver(&self, notices: &[Notice], _now: UtcS) -> Results {
        one_by_one(notices, |notice| {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}", body(&json(notice, &self.0)))
                .and_then(|()| out.flush())
                .map_err(|why| Undelivered::channel(format!("stdout: {why}")))
        })
    }
}

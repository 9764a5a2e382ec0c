//! 42: the log is renamed to a dated name, the one before becomes a .gz, and its inode is used again.

use super::following::{Following, pause};
use crate::logs::gzip;
use std::fs;

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_log_that_is_renamed_packed_and_whose_inode_is_used_again() {
    let mut tail = Following::start("0.log*");
    let mut previous: Option<String> = None;
    for round in 0..6 {
        for _ in 0..4 {
            tail.append("0.log", 50);
            pause(50);
        }
        let new = format!("0.log.20230810-08{round:02}46");
        tail.rename("0.log", &new);
        if let Some(previous) = previous.replace(new) {
            gzip(&tail.path(&previous));
        }
        fs::File::create(tail.path("0.log")).unwrap();
        pause(1_200);
    }
    tail.ends_with_each_line_once();
}

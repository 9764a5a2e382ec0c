//! 45: rotation without delaycompress: the plain file vanishes, and a .gz is new.

use super::following::{Following, pause};
use crate::logs::gzip;
use std::fs;

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_log_that_is_compressed_as_soon_as_it_is_rotated() {
    let mut tail = Following::start("mainlog*");
    for day in 0..4 {
        tail.append("mainlog", 300);
        let copy = format!("mainlog-2023081{day}");
        fs::copy(tail.path("mainlog"), tail.place.path("copy")).unwrap();
        gzip(&tail.place.path("copy"));
        fs::rename(tail.place.path("copy.gz"), tail.path(&format!("{copy}.gz"))).unwrap();
        fs::remove_file(tail.path("mainlog")).unwrap();
        fs::File::create(tail.path("mainlog")).unwrap();
        pause(1_000);
    }
    tail.ends_with_each_line_once();
}

//! 43: five generations are renamed in a chain, and the oldest is deleted.

use super::following::{Following, pause};
use std::fs;

#[test]
#[ignore = "slow: tests/run runs it"]
fn five_generations_renamed_in_a_chain() {
    let mut tail = Following::start("app.log*");
    for _ in 0..12 {
        tail.append("app.log", 150);
        pause(700);
        let _ = fs::remove_file(tail.path("app.log.5"));
        for generation in (1..5).rev() {
            if tail.path(&format!("app.log.{generation}")).exists() {
                tail.rename(&format!("app.log.{generation}"), &format!("app.log.{}", generation + 1));
            }
        }
        tail.rename("app.log", "app.log.1");
    }
    tail.ends_with_each_line_once();
}

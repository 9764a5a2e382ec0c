//! From when on two files of rates say something else.

use super::FlowBlock;
use crate::model::time::{Minute, UtcMs};
use std::collections::HashMap;

/// What a row of rates is counted under, and its counts.
type FlowSums<'b> = HashMap<(i64, [&'b str; 6], bool), [i64; 3]>;

/// The first minute of which two blocks of rates say something else; none if they say the same.
pub fn first_difference(old: &FlowBlock, new: &FlowBlock) -> Option<Minute> {
    let (old, new) = (sums(old), sums(new));
    let differing = |one: &FlowSums<'_>, other: &FlowSums<'_>| {
        let differs = one.iter().filter(|(key, counts)| other.get(key) != Some(counts));
        differs.map(|(key, _)| key.0).min()
    };
    let firsts = [differing(&old, &new), differing(&new, &old)];
    firsts
        .into_iter()
        .flatten()
        .min()
        .map(|start| UtcMs::new(start).minute())
}

fn sums(block: &FlowBlock) -> FlowSums<'_> {
    let mut sums = FlowSums::new();
    for row in 0..block.ts_ms.len() {
        let key = (
            block.ts_ms[row],
            [
                word(&block.service, row),
                word(&block.hostgroup, row),
                word(&block.relay, row),
                word(&block.kind, row),
                word(&block.origin, row),
                word(&block.provider, row),
            ],
            block.first_hop[row],
        );
        let sum = sums.entry(key).or_default();
        let counts = [block.messages[row], block.attempts[row], block.recipients[row]];
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    sums.retain(|_, counts| *counts != [0; 3]);
    sums
}

fn word(column: &super::TextColumn, row: usize) -> &str {
    column.values[column.codes[row] as usize].as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(rows: &[(i64, &str, i64)]) -> FlowBlock {
        let mut block = FlowBlock::default();
        for (ts_ms, service, messages) in rows {
            block.ts_ms.push(*ts_ms);
            block.messages.push(*messages);
            block.attempts.push(0);
            block.recipients.push(*messages);
            block.first_hop.push(true);
            for (column, value) in [
                (&mut block.service, *service),
                (&mut block.hostgroup, ""),
                (&mut block.relay, "mx1001"),
                (&mut block.kind, "accepted"),
                (&mut block.origin, "ours"),
                (&mut block.provider, ""),
            ] {
                let code = column.code(value);
                column.codes.push(code);
            }
        }
        block
    }

    #[test]
    fn the_first_minute_that_differs_is_found_in_either_direction() {
        let one = block(&[(60_000, "a", 2), (120_000, "a", 1), (180_000, "b", 1)]);
        // The same counts in other rows, in another order, under other codes.
        let same = block(&[(180_000, "b", 1), (60_000, "a", 1), (120_000, "a", 1), (60_000, "a", 1)]);
        assert_eq!(first_difference(&one, &same), None);
        let renamed = block(&[(60_000, "a", 2), (120_000, "b", 1), (180_000, "b", 1)]);
        assert_eq!(first_difference(&one, &renamed), Some(Minute::new(2)));
        let more = block(&[(0, "a", 1), (60_000, "a", 2), (120_000, "a", 1), (180_000, "b", 1)]);
        assert_eq!(first_difference(&one, &more), Some(Minute::EPOCH));
        assert_eq!(first_difference(&more, &one), Some(Minute::EPOCH));
    }
}

//! What becomes of names by what became of their rows.

use crate::store::catalogue::Moved;
use std::collections::BTreeMap;

/// A name that loses this part of its mail, or gets so much more, is another series.
const LOST: f64 = 0.05;
const GAINED: f64 = 0.5;

/// Names with what became of their rows.
#[derive(Debug, Default)]
pub(crate) struct NameTally(BTreeMap<String, NameRows>);

#[derive(Debug, Default, Clone, Copy)]
struct NameRows {
    /// That bear the name.
    had: u64,
    /// Of these, that are others' for sure.
    lost: u64,
    /// Of others, that are its for sure.
    gained: u64,
    /// That may bear it still.
    kept: u64,
}

impl NameTally {
    /// Rows of `from` that are `to` for sure.
    pub(super) fn moved(&mut self, from: &str, to: &str, rows: u64) {
        if from == to {
            self.stayed(from, true, rows);
            return;
        }
        let one = self.of(from);
        (one.had, one.lost) = (one.had + rows, one.lost + rows);
        self.of(to).gained += rows;
    }

    /// Rows of which nobody can say whose they are; they may be that name's or not.
    pub(super) fn stayed(&mut self, name: &str, may_be: bool, rows: u64) {
        let one = self.of(name);
        one.had += rows;
        one.kept += if may_be { rows } else { 0 };
    }

    /// Whether rows of a name were counted.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn of(&mut self, name: &str) -> &mut NameRows {
        if !self.0.contains_key(name) {
            self.0.insert(name.to_owned(), NameRows::default());
        }
        self.0.entry(name.to_owned()).or_default()
    }

    /// The same where rows of the new names are followed by rows of the old ones again.
    pub(crate) fn undone(&self) -> Moved {
        let named = || self.0.iter().filter(|(name, _)| !name.is_empty());
        let names = |pick: &dyn Fn(&NameRows) -> bool| {
            let picked = named().filter(|(_, rows)| pick(rows));
            picked.map(|(name, _)| name.clone()).collect()
        };
        Moved {
            ended: names(&|rows| rows.had == 0),
            changed: names(&|rows| rows.had > 0 && rows.lost + rows.gained > 0),
        }
    }

    /// The names that end, and those that are other series now. No name is no series.
    pub(super) fn result(&self) -> Moved {
        let named = || self.0.iter().filter(|(name, rows)| !name.is_empty() && rows.had > 0);
        let ends = |rows: &NameRows| rows.kept + rows.gained == 0;
        let part = |some: u64, rows: &NameRows| some as f64 / rows.had as f64;
        let is_other = |rows: &NameRows| part(rows.lost, rows) >= LOST || part(rows.gained, rows) >= GAINED;
        let names = |pick: &dyn Fn(&NameRows) -> bool| {
            let picked = named().filter(|(_, rows)| pick(rows));
            picked.map(|(name, _)| name.clone()).collect()
        };
        Moved {
            ended: names(&ends),
            changed: names(&|rows| !ends(rows) && is_other(rows)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_rows_ends_and_one_with_others_is_another_series() {
        let mut tally = NameTally::default();
        tally.moved("gone", "new", 10);
        tally.moved("split", "new", 1);
        tally.moved("split", "split", 9);
        tally.moved("nearly", "new", 1);
        tally.moved("nearly", "nearly", 99);
        tally.moved("swollen", "swollen", 2);
        tally.moved("gone", "swollen", 1);
        tally.stayed("perhaps", true, 5);
        tally.stayed("never", false, 5);
        tally.moved("", "grouped", 5);
        let moved = tally.result();
        assert_eq!(moved.ended, ["gone", "never"]);
        assert_eq!(moved.changed, ["split", "swollen"]);
    }
}

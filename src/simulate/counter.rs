//! Lines of a relay, counted while they are written.

use super::form::{FORMS, LineForm};
use super::impact::Phase;
use super::roster;

/// Lines of one relay by service, phase and form, while they are written.
pub(super) struct Counter {
    cells: Vec<u64>,
    pub(super) lines: u64,
    pub(super) bytes: u64,
}

impl Counter {
    /// All zero.
    pub(super) fn new() -> Self {
        Self {
            cells: vec![0; roster::COUNT * 3 * LineForm::COUNT],
            lines: 0,
            bytes: 0,
        }
    }

    /// One line.
    pub(super) fn add(&mut self, service: usize, phase: Phase, form: LineForm, bytes: usize) {
        self.cells[(service * 3 + phase as usize) * LineForm::COUNT + form as usize] += 1;
        self.lines += 1;
        self.bytes += bytes as u64;
    }

    /// How many lines there are by service, phase and form; what did not occur is left out.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, Phase, LineForm, u64)> {
        let cells = self.cells.iter().enumerate().filter(|(_, n)| **n > 0);
        cells.map(|(cell, &n)| {
            let (row, form) = (cell / LineForm::COUNT, FORMS[cell % LineForm::COUNT]);
            (roster::name(row / 3), Phase::ALL[row % 3], form, n)
        })
    }
}

//! Which files of segments count, of those that a catalogue does not know: a segment that took the place of others has their
//! rows, and a higher number.

use crate::model::time::CivilDay;
use crate::store::columnar::{self, Described};
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A source and a day: no segment has rows of two.
pub(super) type SourceDay = (String, String, CivilDay);

/// A segment that the catalogue names.
#[derive(Debug)]
pub(super) struct NamedSegment {
    pub(super) number: i64,
    pub(super) rows: u64,
    /// Its file, if it is there.
    pub(super) path: Option<PathBuf>,
}

/// A file that the catalogue does not name.
#[derive(Debug)]
pub(super) struct UnnamedFile {
    pub(super) number: i64,
    pub(super) described: Described,
}

/// What is to become of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FileVerdict {
    /// It counts.
    Counts,
    /// All of its rows stand in newer ones.
    Replaced,
    /// Some of its rows stand in newer ones: those that are false go.
    Overlaps(Vec<bool>),
}

/// What is to become of the files of a group.
#[derive(Debug, Default)]
pub(super) struct JudgedFiles {
    /// By number, highest first.
    pub(super) verdicts: Vec<(i64, FileVerdict)>,
    /// Whether the rows of all named segments are there, in whichever file.
    pub(super) complete: bool,
}

/// Puts found files to their groups.
pub(super) fn grouped(found: Vec<UnnamedFile>) -> BTreeMap<SourceDay, Vec<UnnamedFile>> {
    let mut groups: BTreeMap<SourceDay, Vec<UnnamedFile>> = BTreeMap::new();
    for file in found {
        let Described { host, source, day, .. } = &file.described;
        let group = (host.clone(), source.clone(), *day);
        groups.entry(group).or_default().push(file);
    }
    groups
}

/// Judges the files of a group. `position` gives how far a log had been read when the catalogue was copied, if it is told:
/// rows before it must be there.
pub(super) fn judge(
    found: &[UnnamedFile],
    named: &[NamedSegment],
    position: &dyn Fn(u64) -> Option<i64>,
) -> JudgedFiles {
    let mut files: Vec<(i64, Vec<(u64, i64)>)> = Vec::new();
    let mut judged = JudgedFiles::default();
    files.extend(found.iter().map(|file| (file.number, file.described.ids.clone())));
    for (number, path) in named
        .iter()
        .filter_map(|named| Some((named.number, named.path.as_ref()?)))
    {
        let mut ids = Vec::new();
        // One that cannot be read is another fault; it stays named.
        if columnar::event_ids(path, |log, offset| ids.push((log, offset as i64))).is_ok() {
            files.push((number, ids));
        }
    }
    files.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    let mut seen: FxHashSet<(u64, i64)> = FxHashSet::default();
    let mut before_copy = 0;
    for (number, ids) in files {
        let keep: Vec<bool> = ids.iter().map(|id| !seen.contains(id)).collect();
        let old = |(log, offset): &(u64, i64)| position(*log).is_none_or(|position| *offset < position);
        before_copy += ids.iter().zip(&keep).filter(|(id, keep)| **keep && old(id)).count() as u64;
        let kept = keep.iter().filter(|keep| **keep).count();
        let verdict = match kept {
            0 => FileVerdict::Replaced,
            _ if kept == keep.len() => FileVerdict::Counts,
            _ => FileVerdict::Overlaps(keep),
        };
        judged.verdicts.push((number, verdict));
        seen.extend(ids);
    }
    judged.complete = before_copy >= named.iter().map(|named| named.rows).sum();
    judged
}

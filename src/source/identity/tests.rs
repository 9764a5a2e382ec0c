//! The table, row by row.

use crate::model::time::UtcMs;
use std::io;

use super::super::{Codec, Stamp};
use super::{
    Candidate, HEAD_BYTES, HeadHash, KnownIdentity, LogVerdict, OldFile, Position, ReadMark, TAIL_BYTES, decide,
    first_line, log_id, next_rung, tail_hash,
};

const FILE: Stamp = Stamp {
    dev: 1,
    ino: 10,
    size: 0,
    mtime_ms: UtcMs::new(1000),
    codec: Codec::Plain,
};

fn log(tag: &str, lines: usize) -> Vec<u8> {
    (0..lines)
        .flat_map(|line| format!("2018-06-06 {tag} line {line}\n").into_bytes())
        .collect()
}

/// A log of which `content[..offset]` was read from a file with `stamp`.
fn known(content: &[u8], offset: usize, stamp: Stamp) -> KnownIdentity {
    let stamp = Stamp {
        size: content.len() as u64,
        ..stamp
    };
    let mut position = Position::start(stamp, content, 0);
    let rung = |end: u64| (end, tail_hash(&content[..end as usize]));
    let ladder = std::iter::successors(Some(next_rung(0)), |rung| Some(next_rung(*rung)));
    let rungs: Vec<_> = ladder.take_while(|end| *end <= offset as u64).map(rung).collect();
    let mark = ReadMark {
        offset: offset as u64,
        tail: tail_hash(&content[..offset]),
        partial_flushed: false,
    };
    position.advance(mark, &rungs);
    position.complete = offset == content.len();
    KnownIdentity {
        base: Some(base(content)),
        ordinal: 0,
        position,
        old_file: OldFile::Gone,
    }
}

fn base(content: &[u8]) -> u64 {
    log_id("mx1001", "exim", first_line(content, true).unwrap_or_default(), 0)
}

fn judged_but(known: &[KnownIdentity], content: &[u8], stamp: Stamp, refuted: &[usize]) -> LogVerdict {
    let plain = stamp.codec == Codec::Plain;
    let stamp = Stamp {
        size: content.len() as u64,
        ..stamp
    };
    let head = &content[..content.len().min(HEAD_BYTES)];
    let content_len = plain.then_some(content.len() as u64);
    let candidate = Candidate {
        stamp,
        base: Some(base(content)),
        head,
        content_len,
        refuted,
        forgotten: None,
        settled: true,
    };
    let mut read = |offset: u64, len: usize| -> io::Result<Option<Vec<u8>>> {
        let end = offset as usize;
        Ok(if plain {
            content.get(end - len..end).map(<[u8]>::to_vec)
        } else {
            None
        })
    };
    decide(known, &candidate, &mut read).unwrap()
}

fn judged(known: &[KnownIdentity], content: &[u8], stamp: Stamp) -> LogVerdict {
    judged_but(known, content, stamp, &[])
}

const LATER: Stamp = Stamp {
    mtime_ms: UtcMs::new(2000),
    ..FILE
};
const OTHER: Stamp = Stamp { ino: 11, ..LATER };
const PACKED: Stamp = Stamp {
    codec: Codec::Gzip,
    ..OTHER
};

#[test]
fn nothing_is_known() {
    assert_eq!(
        judged(&[], &log("a", 5), FILE),
        LogVerdict::New {
            ordinal: 0,
            resembles: None
        }
    );
    assert_eq!(
        judged(&[], b"", FILE),
        LogVerdict::New {
            ordinal: 0,
            resembles: None
        }
    );
}

#[test]
fn same_file_grown_is_resumed() {
    for lines in [1, 3, 500] {
        let old = log("a", lines);
        let grown = [old.clone(), log("b", 3)].concat();
        let offset = old.len() as u64;
        let verdict = judged(&[known(&old, old.len(), FILE)], &grown, LATER);
        assert_eq!(
            verdict,
            LogVerdict::Resume {
                known: 0,
                offset,
                unverified: false
            }
        );
    }
}

#[test]
fn an_untouched_file_that_was_delivered_is_not_opened() {
    let content = log("a", 5);
    for stamp in [FILE, PACKED] {
        assert_eq!(
            judged(&[known(&content, content.len(), stamp)], &content, stamp),
            LogVerdict::Complete { known: 0 }
        );
    }
    let half = known(&content, 40, FILE);
    assert!(matches!(judged(&[half], &content, FILE), LogVerdict::Resume { .. }));
}

#[test]
fn same_file_shorter_or_other_at_the_mark_was_truncated() {
    let content = log("a", 500);
    let truncated = LogVerdict::Truncated {
        known: 0,
        epoch: 1,
        ordinal: 1,
        lost_bytes_possible: 1000,
    };
    let known = [known(&content, content.len() - 1000, FILE)];
    assert_eq!(judged(&known, &content[..2000], LATER), truncated);
    let regrown = [&content[..2000], &log("b", 900)].concat();
    assert_eq!(judged(&known, &regrown, LATER), truncated);
    // What has no first line yet has no twin either.
    let emptied = LogVerdict::Truncated {
        known: 0,
        epoch: 1,
        ordinal: 0,
        lost_bytes_possible: 1000,
    };
    assert_eq!(judged(&known, b"", LATER), emptied);
}

#[test]
fn a_file_that_is_being_written_anew_is_waited_for() {
    let content = log("a", 500);
    let known = [known(&content, content.len(), FILE)];
    let writing = |now: &[u8]| {
        let mut read =
            |offset: u64, len: usize| Ok(now.get(offset as usize - len..offset as usize).map(<[u8]>::to_vec));
        let candidate = Candidate {
            stamp: Stamp {
                size: now.len() as u64,
                ..LATER
            },
            base: Some(base(now)),
            head: &now[..now.len().min(HEAD_BYTES)],
            content_len: Some(now.len() as u64),
            refuted: &[],
            forgotten: None,
            settled: false,
        };
        decide(&known, &candidate, &mut read).unwrap()
    };
    let line = content.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for len in [line, 600, 1_500, 5_000, content.len() - 1] {
        assert_eq!(writing(&content[..len]), LogVerdict::Unfinished { known: 0 }, "{len}");
    }
    let offset = content.len() as u64;
    let resumed = LogVerdict::Resume {
        known: 0,
        offset,
        unverified: false,
    };
    assert_eq!(writing(&[content.clone(), log("b", 3)].concat()), resumed);
    // Other bytes at the last rung, or another first line: it is not waited for.
    let other = [&content[..3_000], &log("b", 150)].concat();
    assert!(matches!(writing(&other), LogVerdict::Truncated { .. }));
    assert!(matches!(writing(&log("b", 10)), LogVerdict::New { .. }));
}

#[test]
fn a_reused_inode_is_a_new_log() {
    let known = [known(&log("a", 500), 2000, FILE)];
    assert_eq!(
        judged(&known, &log("b", 500), LATER),
        LogVerdict::New {
            ordinal: 0,
            resembles: None
        }
    );
}

#[test]
fn moved_copied_or_compressed_goes_on_where_it_was() {
    let content = log("a", 500);
    let mut known = [known(&content, 3000, FILE)];
    let elsewhere = |unverified| LogVerdict::SameLogElsewhere {
        known: 0,
        offset: 3000,
        unverified,
    };
    assert_eq!(judged(&known, &content, OTHER), elsewhere(false));
    assert_eq!(judged(&known, &content, PACKED), elsewhere(true));
    // copytruncate: the copy is seen while the old file is still there, or already cut.
    known[0].old_file = OldFile::Alive {
        size: content.len() as u64 + 100,
        mtime_ms: UtcMs::new(3000),
    };
    assert_eq!(judged(&known, &content, OTHER), elsewhere(false));
    known[0].old_file = OldFile::Alive {
        size: 0,
        mtime_ms: UtcMs::new(3000),
    };
    assert_eq!(judged(&known, &content, OTHER), elsewhere(false));
}

#[test]
fn equal_heads_are_not_enough() {
    let header = vec![b'#'; 2000];
    let (a, b) = (
        [header.clone(), log("a", 200)].concat(),
        [header, log("b", 200)].concat(),
    );
    let known = [known(&a, 5000, FILE)];
    assert_eq!(
        judged(&known, &b, OTHER),
        LogVerdict::New {
            ordinal: 1,
            resembles: Some(0)
        }
    );
    // An archive shows it only when it is decoded; then it is asked again.
    assert!(matches!(
        judged(&known, &b, PACKED),
        LogVerdict::SameLogElsewhere { unverified: true, .. }
    ));
    assert_eq!(
        judged_but(&known, &b, PACKED, &[0]),
        LogVerdict::New {
            ordinal: 1,
            resembles: Some(0)
        }
    );
}

#[test]
fn a_first_line_in_common_while_the_first_log_grows() {
    let header = b"log opened\n".to_vec();
    let mut known = [known(&header, header.len(), FILE)];
    known[0].old_file = OldFile::Alive {
        size: 500,
        mtime_ms: UtcMs::new(3000),
    };
    let second = [header.clone(), log("b", 2)].concat();
    assert_eq!(
        judged(&known, &second, OTHER),
        LogVerdict::New {
            ordinal: 1,
            resembles: Some(0)
        }
    );
    // At rest it is a copy.
    known[0].old_file = OldFile::Alive {
        size: header.len() as u64,
        mtime_ms: FILE.mtime_ms,
    };
    assert!(matches!(
        judged(&known, &header, OTHER),
        LogVerdict::SameLogElsewhere { offset: 11, .. }
    ));
}

#[test]
fn a_copy_that_was_made_earlier_adds_nothing() {
    let content = log("a", 2000);
    let mut known = [known(&content, content.len(), FILE)];
    known[0].old_file = OldFile::Alive {
        size: content.len() as u64,
        mtime_ms: FILE.mtime_ms,
    };
    let verdict = judged(&known, &content[..20_000], OTHER);
    assert_eq!(
        verdict,
        LogVerdict::ShorterCopy {
            known: 0,
            agreed_to: 16384
        }
    );
    // Other bytes at the rung: another log.
    let other = [&content[..2000], &log("b", 800)].concat();
    assert_eq!(
        judged(&known, &other, OTHER),
        LogVerdict::New {
            ordinal: 1,
            resembles: Some(0)
        }
    );
}

#[test]
fn an_empty_file_is_known_by_its_inode_only() {
    let empty = known(b"", 0, FILE);
    let mut unread = empty.clone();
    unread.position.complete = false;
    let resume = LogVerdict::Resume {
        known: 0,
        offset: 0,
        unverified: false,
    };
    assert_eq!(judged(&[unread.clone()], b"", LATER), resume);
    assert_eq!(judged(&[unread.clone()], &log("a", 3), LATER), resume);
    assert_eq!(
        judged(&[unread], &log("a", 3), OTHER),
        LogVerdict::New {
            ordinal: 0,
            resembles: None
        }
    );
    assert_eq!(judged(&[empty], b"", FILE), LogVerdict::Complete { known: 0 });
}

#[test]
fn a_head_grows_with_its_log() {
    let content = log("a", 500);
    for len in [1, 20, 1023] {
        let head = HeadHash::of(&content[..len]);
        assert!(head.begins(&content[..HEAD_BYTES]) && usize::from(head.len) == len);
        assert!(!head.begins(&content[..len - 1]));
    }
    assert_eq!(HeadHash::of(&content), HeadHash::of(&content[..HEAD_BYTES]));
}

#[test]
fn of_two_alike_the_longer_proof_wins() {
    let content = log("a", 500);
    let (short, long) = (
        known(&content[..60], 30, FILE),
        known(&content, 9000, Stamp { ino: 12, ..FILE }),
    );
    assert!(matches!(
        judged(&[short, long], &content, OTHER),
        LogVerdict::SameLogElsewhere { known: 1, .. }
    ));
}

#[test]
fn the_old_epoch_stays_known() {
    let old = log("a", 500);
    let new = [&old[..1500], &log("b", 500)].concat();
    let mut epochs = [known(&old, old.len(), FILE), known(&new, 4000, FILE)];
    epochs[1].position.epoch = 1;
    assert!(matches!(
        judged(&epochs, &new, LATER),
        LogVerdict::Resume {
            known: 1,
            offset: 4000,
            ..
        }
    ));
    assert!(matches!(
        judged(&epochs, &old, OTHER),
        LogVerdict::SameLogElsewhere { known: 0, .. }
    ));
    assert!(matches!(
        judged(&epochs, &old[..1500], LATER),
        LogVerdict::Truncated { known: 1, epoch: 2, .. }
    ));
}

#[test]
fn the_identity_of_a_log_is_stable() {
    // Stored in every event: a change of this number is a change of the format.
    let id = log_id("mx1001", "exim", b"2018-06-06 00:00:01 exim 4.84 daemon started", 0);
    assert_eq!(id, 0x7ac0_62ab_b33e_e3f2);
    let all = [
        log_id("mx1001", "exim", b"x", 0),
        log_id("mx1001", "exim", b"x", 1),
        log_id("mx100", "1exim", b"x", 0),
    ];
    assert!(all[0] != all[1] && all[0] != all[2]);
    assert_eq!(first_line(b"one\ntwo", false), Some(b"one".as_slice()));
    assert_eq!(
        (first_line(b"one", false), first_line(b"one", true)),
        (None, Some(b"one".as_slice()))
    );
    assert_eq!(first_line(&[b'x'; 3000], false).map(<[u8]>::len), Some(HEAD_BYTES));
}

#[test]
fn the_ladder_has_four_rungs_a_doubling() {
    let ladder: Vec<u64> = std::iter::successors(Some(next_rung(0)), |rung| Some(next_rung(*rung)))
        .take(9)
        .collect();
    assert_eq!(ladder, [2048, 2560, 3072, 3584, 4096, 5120, 6144, 7168, 8192]);
    assert_eq!((next_rung(2047), next_rung(5000), next_rung(5120)), (2048, 5120, 6144));
    assert!(next_rung(u64::MAX) == u64::MAX && TAIL_BYTES < HEAD_BYTES);
}

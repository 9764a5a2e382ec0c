//! Lines and their offsets, against a naive split; the faults of a log's content; reading on.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::super::identity::{Marks, Position, ReadMark};
use super::super::unpack::tests::{bz2, gz, log_lines, xz, zst};
use super::super::{Content, Limits, SourceError};
use super::{Chunks, GapKind, Partial, Pool, ResumeError};

type Line = (u64, Vec<u8>);

fn limits(chunk_bytes: usize, line_bytes_max: usize) -> Limits {
    Limits {
        chunk_bytes,
        line_bytes_max,
        ..Limits::default()
    }
}

fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("mainlog");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn open(path: &Path, limits: &Limits) -> Chunks {
    Chunks::new(Content::open(path, limits).unwrap(), limits, &Pool::new(limits, 2))
}

/// Reads to the end; checks on the way that chunks join and that nothing is unaccounted for.
fn drain(chunks: &mut Chunks) -> Result<Vec<Line>, (Vec<Line>, SourceError)> {
    let mut lines = Vec::new();
    loop {
        let at = chunks.end().offset;
        match chunks.next_chunk() {
            Ok(None) => return Ok(lines),
            Ok(Some(chunk)) => {
                let skipped: u64 = chunk.gaps().iter().map(|gap| gap.skipped).sum();
                assert_eq!(chunk.offset(), at);
                assert_eq!(chunk.end().offset, at + chunk.bytes().len() as u64 + skipped);
                assert_eq!(chunk.end(), chunks.end());
                lines.extend(chunk.lines().map(|(offset, line)| (offset, line.to_vec())));
            }
            Err(error) => return Err((lines, error)),
        }
    }
}

/// What the lines are by definition. The last one counts only with `flush`.
fn naive(content: &[u8], max: usize, flush: bool) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut start = 0;
    for piece in content.split_inclusive(|byte| *byte == b'\n') {
        let whole = piece.ends_with(b"\n");
        let line = piece.strip_suffix(b"\n").unwrap_or(piece);
        let nuls = line.iter().take_while(|byte| **byte == 0).count();
        let line = &line[nuls..];
        let line = &line[..line.len().min(max)];
        if whole || (flush && !line.is_empty()) {
            lines.push(((start + nuls) as u64, line.strip_suffix(b"\r").unwrap_or(line).to_vec()));
        }
        start += piece.len();
    }
    lines
}

/// Bytes in which newlines, NULs and CRs are frequent.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => Just(b'a'), 2 => Just(b'\n'), 2 => Just(0u8), 1 => Just(b'\r'), 1 => any::<u8>()];
    let run = (byte, 1..40usize).prop_map(|(byte, len)| vec![byte; if byte == b'\n' { len % 3 + 1 } else { len }]);
    prop::collection::vec(run, 0..60).prop_map(|runs| runs.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn chunks_give_the_lines_of_a_naive_split(
        content in bytes(), chunk in 1..200usize, max in 1..100usize, flush: bool, packed: bool,
    ) {
        let (_folder, path) = file(&if packed { gz(&content) } else { content.clone() });
        let limits = limits(chunk, max);
        let mut chunks = open(&path, &limits);
        chunks.flush_partial(flush);
        prop_assert_eq!(drain(&mut chunks).unwrap(), naive(&content, max, flush));
        let undelivered = chunks.partial().map_or(0, |partial| partial.len);
        prop_assert_eq!(chunks.end().offset + undelivered, content.len() as u64);
    }

    #[test]
    fn stopping_anywhere_and_resuming_gives_the_same_lines(
        content in bytes(), chunk in 1..200usize, max in 1..100usize, stop in 0..8usize, packed: bool,
    ) {
        let (_folder, path) = file(&if packed { zst(&content) } else { content.clone() });
        let limits = limits(chunk, max);
        let mut first = open(&path, &limits);
        let mut lines = Vec::new();
        for chunk in first.by_ref().take(stop) {
            lines.extend(chunk.unwrap().lines().map(|(offset, line)| (offset, line.to_vec())));
        }
        let (content_again, pool) = (Content::open(&path, &limits).unwrap(), Pool::new(&limits, 2));
        let mut second = Chunks::resume(content_again, &first.end(), &Marks::default(), &limits, &pool).unwrap();
        second.flush_partial(true);
        lines.extend(drain(&mut second).unwrap());
        prop_assert_eq!(lines, naive(&content, max, true));
    }

    #[test]
    fn growing_byte_by_byte_gives_the_same_lines(content in bytes(), chunk in 1..200usize, max in 1..100usize) {
        let (_folder, path) = file(b"");
        let mut chunks = open(&path, &limits(chunk, max));
        let mut lines = Vec::new();
        let mut log = OpenOptions::new().append(true).open(&path).unwrap();
        for piece in content.chunks(7) {
            log.write_all(piece).unwrap();
            lines.extend(drain(&mut chunks).unwrap());
        }
        prop_assert_eq!(lines, naive(&content, max, false));
    }
}

#[test]
fn a_line_of_ten_megabytes_is_cut_and_its_neighbours_are_true() {
    let content = [b"first\n".to_vec(), vec![b'x'; 10 << 20], b"\nlast\n".to_vec()].concat();
    for bytes in [content.clone(), gz(&content), xz(&content)] {
        let (_folder, path) = file(&bytes);
        let mut chunks = open(&path, &Limits::default());
        let (mut lines, mut cut, mut skipped) = (Vec::new(), 0, 0);
        while let Some(chunk) = chunks.next_chunk().unwrap() {
            cut += chunk.overlong_lines();
            skipped += chunk.skipped(GapKind::Overlong);
            lines.extend(chunk.lines().map(|(offset, line)| (offset, line.len())));
        }
        assert_eq!(lines, [(0, 5), (6, 64 << 10), (6 + (10 << 20) + 1, 4)]);
        assert_eq!((cut, skipped), (1, (10 << 20) - (64 << 10)));
    }
}

#[test]
fn a_nul_block_is_skipped_and_counted() {
    let content = [b"before\n".to_vec(), vec![0; 3 << 20], b"after\nmid\0dle\n".to_vec()].concat();
    let (_folder, path) = file(&content);
    let mut chunks = open(&path, &Limits::default());
    let mut nuls = 0;
    let mut lines = Vec::new();
    while let Some(chunk) = chunks.next_chunk().unwrap() {
        nuls += chunk.skipped(GapKind::Nul);
        lines.extend(chunk.lines().map(|(offset, line)| (offset, line.to_vec())));
    }
    let after = 7 + (3 << 20);
    assert_eq!(nuls, 3 << 20);
    assert_eq!(
        lines,
        [
            (0, b"before".to_vec()),
            (after, b"after".to_vec()),
            (after + 6, b"mid\0dle".to_vec())
        ]
    );
}

#[test]
fn nuls_at_the_end_are_no_line_and_stay_unread_while_the_file_may_fill() {
    let content = [b"line\n".to_vec(), vec![0; 100]].concat();
    let (_folder, path) = file(&content);
    let mut chunks = open(&path, &Limits::default());
    chunks.flush_partial(true);
    assert_eq!(drain(&mut chunks).unwrap().len(), 1);
    assert_eq!(
        chunks.partial(),
        Some(Partial {
            offset: 5,
            len: 100,
            nul_bytes: 100
        })
    );

    let (_folder, path) = file(&bz2(&content));
    let mut chunks = open(&path, &Limits::default());
    chunks.flush_partial(true);
    assert_eq!(drain(&mut chunks).unwrap().len(), 1);
    assert_eq!((chunks.partial(), chunks.end().offset), (None, 105));
}

#[test]
fn a_flushed_last_line_makes_one_event_whatever_follows() {
    let (_folder, path) = file(b"one\ntwo");
    let limits = Limits::default();
    let mut chunks = open(&path, &limits);
    assert_eq!(drain(&mut chunks).unwrap(), [(0, b"one".to_vec())]);
    assert_eq!(
        chunks.partial(),
        Some(Partial {
            offset: 4,
            len: 3,
            nul_bytes: 0
        })
    );
    chunks.flush_partial(true);
    assert_eq!(drain(&mut chunks).unwrap(), [(4, b"two".to_vec())]);
    let flushed = chunks.end();
    assert!(flushed.partial_flushed && flushed.offset == 7 && chunks.partial().is_none());

    OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap()
        .write_all(b" and more\nthree\n")
        .unwrap();
    let (content, pool) = (Content::open(&path, &limits).unwrap(), Pool::new(&limits, 2));
    let mut later = Chunks::resume(content, &flushed, &Marks::default(), &limits, &pool).unwrap();
    for chunks in [&mut chunks, &mut later] {
        assert_eq!(drain(chunks).unwrap(), [(17, b"three".to_vec())]);
        assert_eq!((chunks.end().offset, chunks.end().partial_flushed), (23, false));
    }
}

#[test]
fn a_damaged_archive_gives_its_whole_lines_then_the_error() {
    let log = log_lines(50_000);
    let archive = gz(&log);
    let (_folder, path) = file(&archive[..archive.len() / 2]);
    let mut chunks = open(&path, &Limits::default());
    chunks.flush_partial(true);
    let (lines, error) = drain(&mut chunks).unwrap_err();
    assert!(matches!(error, SourceError::CutOff { .. }));
    assert!(lines.len() > 10_000);
    assert!(!chunks.end().partial_flushed, "a torn line is never delivered");
    assert_eq!(lines, naive(&log[..chunks.end().offset as usize], 1 << 16, false));
    assert!(chunks.next_chunk().unwrap().is_none());
}

/// Reads a log whole, as the store would know it then.
fn known(path: &Path) -> Position {
    let limits = limits(64 << 10, 64 << 10);
    let mut chunks = open(path, &limits);
    let mut position = Position::start(*chunks.content().stamp(), b"", 0);
    while let Some(chunk) = chunks.next_chunk().unwrap() {
        position.advance(chunk.end(), chunk.rungs());
    }
    position
}

#[test]
fn an_archive_is_compared_while_it_is_skipped() {
    let log = log_lines(20_000);
    let (_folder, path) = file(&log);
    let Position { mark, marks, .. } = known(&path);
    assert_eq!(mark.offset, log.len() as u64);
    assert!(marks.iter().count() > 30 && Marks::from_bytes(&marks.to_bytes()) == marks);

    let limits = Limits::default();
    let resume = |content: &[u8], from: &ReadMark| {
        let (folder, path) = file(&gz(content));
        let (content, pool) = (Content::open(&path, &limits).unwrap(), Pool::new(&limits, 2));
        (folder, Chunks::resume(content, from, &marks, &limits, &pool))
    };
    let grown = [log.clone(), b"new\n".to_vec()].concat();
    let lines = drain(&mut resume(&grown, &mark).1.ok().unwrap()).unwrap();
    assert_eq!(lines, [(log.len() as u64, b"new".to_vec())]);

    let mut other = log.clone();
    other[5000..6000].fill(b'?');
    let (_folder, Err(ResumeError::Marker(mismatch))) = resume(&other, &mark) else {
        panic!()
    };
    assert_eq!((mismatch.agreed_to, mismatch.content_len), (4096, None));

    let half = log.len() / 2;
    let (_folder, Err(ResumeError::Marker(mismatch))) = resume(&log[..half], &mark) else {
        panic!()
    };
    assert_eq!(mismatch.content_len, Some(half as u64));
    assert!(mismatch.agreed_to > half as u64 * 3 / 4);
}

#[test]
fn a_plain_file_is_asked_for_the_bytes_before_the_mark() {
    let log = log_lines(1000);
    let (_folder, path) = file(&log);
    let Position { mark, marks, .. } = known(&path);
    let limits = Limits::default();
    let pool = Pool::new(&limits, 2);
    let resume = || Chunks::resume(Content::open(&path, &limits).unwrap(), &mark, &marks, &limits, &pool);
    assert!(drain(&mut resume().ok().unwrap()).unwrap().is_empty());
    std::fs::write(&path, vec![b'x'; log.len()]).unwrap();
    assert!(matches!(resume(), Err(ResumeError::Marker(mismatch)) if mismatch.content_len.is_none()));
    std::fs::write(&path, b"short\n").unwrap();
    assert!(matches!(resume(), Err(ResumeError::Marker(mismatch)) if mismatch.content_len == Some(6)));
}

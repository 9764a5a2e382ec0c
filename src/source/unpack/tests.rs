//! Archives, whole and damaged.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::super::{Codec, Limits, Note, SourceError, sample};
use super::Content;
use super::open::codec_of;

pub(in super::super) fn gz(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub(in super::super) fn zst(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 3).unwrap()
}

pub(in super::super) fn bz2(content: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(1));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub(in super::super) fn xz(content: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

type Packer = fn(&[u8]) -> Vec<u8>;
const PACKERS: [(Codec, Packer); 4] = [
    (Codec::Gzip, gz),
    (Codec::Zstd, zst),
    (Codec::Bzip2, bz2),
    (Codec::Xz, xz),
];

/// Lines that compress about as well as a log does.
pub(in super::super) fn log_lines(lines: u64) -> Vec<u8> {
    let mut log = Vec::new();
    for line in 0..lines {
        let noise = line.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
        writeln!(
            log,
            "2018-06-06 18:{:02}:{:02} 1fQ{noise:x}-0001 <= a@b.example S={noise}",
            line / 60 % 60,
            line % 60
        )
        .unwrap();
    }
    log
}

/// Writes, opens, reads in pieces of `piece`; gives what came before the end or the error.
fn read_in(bytes: &[u8], limits: &Limits, piece: usize) -> (Vec<u8>, Option<SourceError>, Vec<Note>) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("mainlog");
    std::fs::write(&path, bytes).unwrap();
    let mut content = match Content::open(&path, limits) {
        Ok(content) => content,
        Err(error) => return (Vec::new(), Some(error), Vec::new()),
    };
    let (mut all, mut buf) = (Vec::new(), vec![0; piece]);
    loop {
        match content.read_some(&mut buf) {
            Ok(0) => return (all, None, content.notes().to_vec()),
            Ok(got) => all.extend_from_slice(&buf[..got]),
            Err(error) => {
                assert_eq!(content.read_some(&mut buf).unwrap(), 0, "an error is told once");
                return (all, Some(error), content.notes().to_vec());
            }
        }
    }
}

fn read(bytes: &[u8]) -> (Vec<u8>, Option<SourceError>, Vec<Note>) {
    read_in(bytes, &Limits::default(), 1 << 20)
}

#[test]
fn every_codec_with_several_members() {
    let (one, two) = (log_lines(3000), b"2018-06-07 00:00:00 the second member\n".to_vec());
    for (codec, pack) in PACKERS {
        let bytes = [pack(&one), pack(b""), pack(&two)].concat();
        assert_eq!(codec_of(&bytes), Ok(codec));
        let (content, error, notes) = read(&bytes);
        assert!(error.is_none() && notes.is_empty(), "{codec}: {error:?} {notes:?}");
        assert!(content == [one.clone(), two.clone()].concat(), "{codec}");
    }
}

#[test]
fn an_empty_file_and_empty_archives() {
    assert!(matches!(read(b""), (content, None, _) if content.is_empty()));
    for (codec, pack) in PACKERS {
        let (content, error, _) = read(&pack(b""));
        assert!(content.is_empty() && error.is_none(), "{codec}: {error:?}");
    }
}

#[test]
fn a_cut_off_archive_gives_what_it_has_and_says_where() {
    let log = log_lines(40_000);
    for (codec, pack) in PACKERS {
        let bytes = pack(&log);
        for cut in [bytes.len() / 2, bytes.len() - 3] {
            let (content, error, _) = read(&bytes[..cut]);
            let Some(SourceError::CutOff {
                archive_offset,
                content_offset,
                ..
            }) = &error
            else {
                panic!("{codec}, {cut}: {error:?}");
            };
            assert_eq!(*content_offset, content.len() as u64, "{codec}");
            assert!(*archive_offset <= cut as u64);
            assert!(
                content.len() > log.len() / 4,
                "{codec}: {} of {}",
                content.len(),
                log.len()
            );
            assert!(log.starts_with(&content), "{codec}");
            assert!(error.unwrap().to_string().contains("run again later"));
        }
    }
}

#[test]
fn damage_in_the_middle_loses_nothing_before_it() {
    let log = log_lines(60_000);
    for (codec, pack) in PACKERS {
        // The first member is good to the end; whatever the buffer, all of it must come out.
        let good = pack(&log);
        let mut bytes = [good.clone(), pack(&log)].concat();
        let middle = good.len() + good.len() / 2;
        bytes[middle..middle + 64].fill(0xff);
        let (content, error, _) = read(&bytes);
        assert!(matches!(error, Some(SourceError::Corrupt { .. })), "{codec}: {error:?}");
        assert!(
            content.len() > log.len() + log.len() / 4,
            "{codec}: {} of {}",
            content.len(),
            log.len()
        );
        assert!(content.starts_with(&log), "{codec}");
        // In pieces of another size the same bytes come out: offsets of what was stored stay true.
        let (again, ..) = read_in(&bytes, &Limits::default(), 1000);
        assert!(
            content.len().abs_diff(again.len()) <= 1,
            "{codec}: {} and {}",
            content.len(),
            again.len()
        );
    }
}

#[test]
fn a_wrong_checksum_is_damage() {
    let mut bytes = gz(&log_lines(100));
    let crc = bytes.len() - 8;
    bytes[crc] ^= 1;
    let (content, error, _) = read(&bytes);
    assert_eq!(content, log_lines(100));
    assert!(matches!(error, Some(SourceError::Corrupt { .. })), "{error:?}");
}

#[test]
fn padding_and_garbage_after_gzip_are_told_and_cost_nothing() {
    let log = log_lines(100);
    for (tail, zeros) in [
        (vec![0; 3], true),
        (vec![0; 700_000], true),
        (b"garbage after the end".to_vec(), false),
    ] {
        let bytes = [gz(&log), gz(&log), tail.clone()].concat();
        let (content, error, notes) = read(&bytes);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(content.len(), 2 * log.len());
        let archive_offset = (bytes.len() - tail.len()) as u64;
        assert_eq!(
            notes,
            [Note::Trailing {
                archive_offset,
                bytes: tail.len() as u64,
                zeros
            }]
        );
    }
}

#[test]
fn a_member_behind_a_broken_header_is_damage_not_garbage() {
    let log = log_lines(100);
    let mut broken = gz(&log);
    broken[0] = 0;
    let (content, error, _) = read(&[gz(&log), broken, gz(&log)].concat());
    assert_eq!(content, log);
    assert!(matches!(error, Some(SourceError::Corrupt { .. })), "{error:?}");
    for header_bytes in [2, 3, 9] {
        let (content, error, _) = read(&[gz(&log), gz(&log)[..header_bytes].to_vec()].concat());
        assert_eq!(content, log);
        assert!(
            matches!(error, Some(SourceError::CutOff { .. })),
            "{header_bytes}: {error:?}"
        );
    }
}

#[test]
fn a_bomb_is_stopped_by_ratio_and_by_size() {
    let nuls = vec![0; 8 << 20];
    let ratio = Limits {
        ratio_from_bytes: 1 << 20,
        ratio_max: 500,
        ..Limits::default()
    };
    let size = Limits {
        content_bytes_max: 1 << 20,
        ..Limits::default()
    };
    for limits in [ratio, size] {
        let (content, error, _) = read_in(&gz(&nuls), &limits, 64 << 10);
        assert!(matches!(error, Some(SourceError::Bomb { .. })), "{error:?}");
        assert!(content.len() > 1 << 20 && content.len() < 2 << 20, "{}", content.len());
    }
    let (content, error, _) = read(&gz(&nuls));
    assert!(
        error.is_none() && content.len() == nuls.len(),
        "a NUL-filled log is no bomb"
    );
}

#[test]
fn a_dictionary_beyond_the_memory_limit_is_refused_with_a_hint() {
    let limits = Limits {
        decoder_memory_bytes_max: 1 << 20,
        ..Limits::default()
    };
    let log = log_lines(200_000);
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(23).unwrap();
    encoder.write_all(&log).unwrap();
    for bytes in [encoder.finish().unwrap(), { xz(&log) }] {
        let (_, error, _) = read_in(&bytes, &limits, 1 << 20);
        assert!(matches!(error, Some(SourceError::Memory { .. })), "{error:?}");
    }
}

#[test]
fn the_codec_is_told_by_bytes_not_by_name() {
    assert_eq!(codec_of(b"BZh9 is how this log line begins"), Ok(Codec::Plain));
    assert_eq!(codec_of(b""), Ok(Codec::Plain));
    assert_eq!(codec_of(&bz2(b"")), Ok(Codec::Bzip2));
    assert_eq!(codec_of(b"\x50\x2a\x4d\x18\x04\0\0\0"), Ok(Codec::Zstd));
    let (_, error, _) = read(b"PK\x03\x04rest");
    assert!(matches!(error, Some(SourceError::UnknownArchive { format: "zip", .. })));
}

#[test]
fn peeking_takes_nothing_away_and_holds_the_error_back() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x");
    let log = log_lines(5000);
    let archive = gz(&log);
    for (bytes, whole) in [
        (log.clone(), true),
        (archive.clone(), true),
        (archive[..archive.len() / 2].to_vec(), false),
    ] {
        std::fs::write(&path, &bytes).unwrap();
        let mut content = Content::open(&path, &Limits::default()).unwrap();
        assert_eq!(content.peek(1024).unwrap(), &log[..1024]);
        let ahead = content.peek(1 << 20).unwrap();
        assert!(ahead.len() > 1024 && log.starts_with(ahead));
        assert_eq!(content.read_before(500, 64).unwrap().unwrap(), &log[436..500]);
        let (mut all, mut buf) = (Vec::new(), [0; 777]);
        let end = loop {
            match content.read_some(&mut buf) {
                Ok(0) => break Ok(()),
                Ok(got) => all.extend_from_slice(&buf[..got]),
                Err(error) => break Err(error),
            }
        };
        assert!(log.starts_with(&all));
        assert_eq!((all.len() == log.len(), end.is_ok()), (whole, whole));
    }
    let small = sample(&path, 2, &Limits::default()).unwrap();
    assert_eq!(
        (small.codec, small.bytes.len(), small.whole),
        (Codec::Gzip, 2048, false)
    );
}

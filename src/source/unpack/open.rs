//! Opening a file: only a regular one, and by its bytes the codec.

use std::fs::{self, File};
use std::path::Path;

use super::super::{Codec, SourceError};
use super::decode::read_at_retrying;

/// How many bytes [`codec_of`] wants to see.
pub(crate) const MAGIC_BYTES: usize = 10;

/// The codec that the first bytes of a file tell, or the name of a format that is not supported.
pub(crate) fn codec_of(first: &[u8]) -> Result<Codec, &'static str> {
    let is = |magic: &[u8]| first.starts_with(magic);
    let bzip2_block = |at: &[u8]| at.starts_with(b"1AY&SY") || at.starts_with(b"\x17rE8P\x90");
    Ok(match first {
        _ if is(b"\x1f\x8b") => Codec::Gzip,
        _ if is(b"\x28\xb5\x2f\xfd") => Codec::Zstd,
        // A skippable frame: pzstd writes one first.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Codec::Zstd,
        [b'B', b'Z', b'h', b'1'..=b'9', block @ ..] if bzip2_block(block) => Codec::Bzip2,
        _ if is(b"\xfd7zXZ\0") => Codec::Xz,
        _ if is(b"\x1f\x9d") => return Err("compress (.Z)"),
        _ if is(b"\x04\x22\x4d\x18") => return Err("lz4"),
        _ if is(b"PK\x03\x04") => return Err("zip"),
        _ if is(b"7z\xbc\xaf\x27\x1c") => return Err("7-Zip"),
        _ if is(b"LZIP") => return Err("lzip"),
        _ => Codec::Plain,
    })
}

/// Opens a regular file and recognises its codec.
pub(in super::super) fn open_regular(path: &Path) -> Result<(File, Codec), SourceError> {
    let metadata = fs::metadata(path).map_err(|error| SourceError::unreadable(path, error))?;
    if !metadata.is_file() {
        return Err(SourceError::NotAFile {
            path: path.to_owned(),
            what: kind_of(&metadata),
        });
    }
    let file = File::open(path).map_err(|error| SourceError::unreadable(path, error))?;
    let mut first = [0; MAGIC_BYTES];
    let got = read_at_retrying(&file, &mut first, 0).map_err(|error| SourceError::unreadable(path, error))?;
    match codec_of(&first[..got]) {
        Ok(codec) => Ok((file, codec)),
        Err(format) => Err(SourceError::UnknownArchive {
            path: path.to_owned(),
            format,
        }),
    }
}

/// What a thing is that is no regular file.
pub(in super::super) fn kind_of(metadata: &fs::Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    if kind.is_dir() {
        "folder"
    } else if kind.is_fifo() {
        "FIFO"
    } else if kind.is_socket() {
        "socket"
    } else {
        "device"
    }
}

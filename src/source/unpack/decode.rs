//! The decoders behind one `read`, and the reader that feeds them.
//!
//! The feeding reader uses `pread`, so that a second decoder over the same descriptor never disturbs the first, and
//! it keeps two numbers outside of itself: how far the decoder has consumed the archive, and where it last asked for
//! more. Of the gzip decoder the second is the place where a member begins, if the decoder fails in a header: the
//! one way to tell trailing bytes from damage.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Error as XzError, Stream};
use zstd::stream::read::Decoder as ZstdDecoder;

use super::super::{Codec, Limits};

/// One system call feeds a decoder this much.
const FEED_BYTES: usize = 256 << 10;

/// How far a decoder has come in its archive.
#[derive(Debug, Default)]
pub(super) struct Meter {
    consumed: AtomicU64,
    asked_at: AtomicU64,
}

impl Meter {
    pub(super) fn consumed(&self) -> u64 {
        self.consumed.load(Relaxed)
    }

    pub(super) fn asked_at(&self) -> u64 {
        self.asked_at.load(Relaxed)
    }
}

/// The bytes of an archive, for a decoder.
pub(super) struct ArchiveBytes {
    file: Arc<File>,
    buf: Box<[u8]>,
    start: usize,
    end: usize,
    next_read_at: u64,
    meter: Arc<Meter>,
}

impl ArchiveBytes {
    fn new(file: Arc<File>, meter: Arc<Meter>) -> ArchiveBytes {
        ArchiveBytes {
            file,
            buf: vec![0; FEED_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            next_read_at: 0,
            meter,
        }
    }

    fn position(&self) -> u64 {
        self.next_read_at - (self.end - self.start) as u64
    }

    fn refill(&mut self) -> io::Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.end = read_at_retrying(&self.file, &mut self.buf, self.next_read_at)?;
            self.next_read_at += self.end as u64;
        }
        Ok(())
    }
}

impl BufRead for ArchiveBytes {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.refill()?;
        self.meter.asked_at.store(self.position(), Relaxed);
        Ok(&self.buf[self.start..self.end])
    }

    fn consume(&mut self, amount: usize) {
        self.start = (self.start + amount).min(self.end);
        self.meter.consumed.store(self.position(), Relaxed);
    }
}

/// The gzip decoder reads headers and trailers this way; `asked_at` stays where the member began.
impl Read for ArchiveBytes {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.refill()?;
        let amount = into.len().min(self.end - self.start);
        into[..amount].copy_from_slice(&self.buf[self.start..self.start + amount]);
        self.consume(amount);
        Ok(amount)
    }
}

/// `pread` that is not disturbed by signals.
pub(super) fn read_at_retrying(file: &File, into: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file.read_at(into, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => return result,
        }
    }
}

/// One of the decoders. All of them go on with the next member, frame or stream.
pub(super) enum Decoder {
    Gzip(Box<MultiGzDecoder<ArchiveBytes>>),
    Zstd(Box<ZstdDecoder<'static, ArchiveBytes>>),
    Bzip2(Box<MultiBzDecoder<ArchiveBytes>>),
    Xz(Box<XzDecoder<ArchiveBytes>>),
}

impl Decoder {
    /// A decoder from the start of the archive; none for a plain file.
    pub(super) fn new(
        codec: Codec,
        file: &Arc<File>,
        meter: &Arc<Meter>,
        limits: &Limits,
    ) -> io::Result<Option<Decoder>> {
        let feed = || ArchiveBytes::new(Arc::clone(file), Arc::clone(meter));
        Ok(Some(match codec {
            Codec::Plain => return Ok(None),
            Codec::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(feed()))),
            Codec::Bzip2 => Decoder::Bzip2(Box::new(MultiBzDecoder::new(feed()))),
            Codec::Zstd => {
                let mut decoder = ZstdDecoder::with_buffer(feed())?;
                decoder.window_log_max(limits.decoder_memory_bytes_max.max(1 << 10).ilog2().min(31))?;
                Decoder::Zstd(Box::new(decoder))
            }
            Codec::Xz => {
                let stream = Stream::new_stream_decoder(limits.decoder_memory_bytes_max, CONCATENATED)?;
                Decoder::Xz(Box::new(XzDecoder::new_stream(feed(), stream)))
            }
        }))
    }

    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Decoder::Gzip(decoder) => decoder.read(into),
            Decoder::Zstd(decoder) => decoder.read(into),
            Decoder::Bzip2(decoder) => decoder.read(into),
            Decoder::Xz(decoder) => decoder.read(into),
        }
    }

    /// After an error: it came from a gzip header, not from a body or a trailer.
    pub(super) fn failed_in_header(&self) -> bool {
        matches!(self, Decoder::Gzip(decoder) if decoder.header().is_none())
    }
}

/// Whether a decoder stopped because of its memory limit.
pub(super) fn is_memory_limit(error: &io::Error) -> bool {
    let xz = error.get_ref().and_then(|inner| inner.downcast_ref::<XzError>());
    xz.is_some_and(|inner| *inner == XzError::MemLimit) || error.to_string().contains("too much memory")
}

/// What follows the last good gzip member, looked at from `from` to the end of the file.
pub(super) struct Rest {
    pub(super) bytes: u64,
    pub(super) zeros: bool,
    /// A member header stands in it: then it is no padding, but a damaged archive.
    pub(super) has_member: bool,
}

impl Rest {
    pub(super) fn look(file: &File, from: u64) -> io::Result<Rest> {
        let mut rest = Rest {
            bytes: 0,
            zeros: true,
            has_member: false,
        };
        let mut buf = vec![0; 64 << 10];
        let mut carried = 0;
        loop {
            let got = read_at_retrying(file, &mut buf[carried..], from + rest.bytes)?;
            if got == 0 {
                // A beginning of a header at the very end is a member that was cut off.
                rest.has_member |= buf[..carried].starts_with(&[0x1f, 0x8b]) && rest.bytes == carried as u64;
                return Ok(rest);
            }
            let seen = &buf[..carried + got];
            rest.bytes += got as u64;
            rest.zeros &= seen.iter().all(|&byte| byte == 0);
            let headers = seen.windows(4).filter(|window| window.starts_with(&[0x1f, 0x8b, 0x08]));
            rest.has_member |= headers.into_iter().any(|window| window[3] & 0xe0 == 0);
            let keep = seen.len().min(3);
            let from_index = seen.len() - keep;
            buf.copy_within(from_index..from_index + keep, 0);
            carried = keep;
        }
    }
}

//! The bytes inside Parquet pages, for the encodings that segments use: the hybrid of runs and packed bits, and
//! packed deltas. The generic encoders of polars-parquet go over a column several times and one value at a time; here a
//! column is integers that lie in memory already, and this is most of what writing a segment costs.

/// Groups of eight in one packed run: its header stays one byte.
const GROUPS_MAX: usize = 63;
/// Values of a block of deltas; each quarter of it has a width of its own.
const BLOCK: usize = 128;
const MINIBLOCK: usize = 32;

/// How many bits the numbers up to `max` take.
pub(super) fn width_of(max: u32) -> u32 {
    32 - max.leading_zeros()
}

/// Runs and packed groups of eight ("RLE/bit-packing hybrid"); every code must fit `width` bits.
pub(super) fn hybrid(codes: &[u32], width: u32, out: &mut Vec<u8>) {
    /// Shifts by numbers that are known while this is compiled are a third of the work.
    macro_rules! by_width {
        ($($known:literal)*) => {
            match width {
                $($known => hybrid_of::<$known>(codes, width, out),)*
                _ => hybrid_of::<ANY>(codes, width, out),
            }
        };
    }
    by_width!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
}

/// The width is not known while this is compiled.
const ANY: u32 = 0;

fn hybrid_of<const WIDTH: u32>(codes: &[u32], width: u32, out: &mut Vec<u8>) {
    let width = if WIDTH == ANY { width } else { WIDTH };
    let mut rest = codes;
    // Where the header of the packed run in hand stands, and its groups so far.
    let mut packed: Option<(usize, usize)> = None;
    while let Some((group, after)) = rest.split_first_chunk::<8>() {
        let first = group[0];
        if *group == [first; 8] {
            let more = after.iter().take_while(|code| **code == first).count();
            packed = None;
            run(8 + more, first, width, out);
            rest = &after[more..];
            continue;
        }
        let groups = match &mut packed {
            Some((_, groups)) if *groups < GROUPS_MAX => groups,
            _ => {
                out.push(0);
                &mut packed.insert((out.len() - 1, 0)).1
            }
        };
        *groups += 1;
        let header = (*groups << 1 | 1) as u8;
        if let Some((at, _)) = packed {
            out[at] = header;
        }
        pack_group(group, width, out);
        rest = after;
    }
    if !rest.is_empty() {
        // The last group is filled up; readers know the number of values.
        let mut group = [0; 8];
        group[..rest.len()].copy_from_slice(rest);
        out.push(3);
        pack_group(&group, width, out);
    }
}

/// The hybrid of whether each number is there, which are codes of one bit. Those that are go to the front of `present`, which
/// has room for eight more than all; gives how many there are.
pub(super) fn presence(numbers: &[u64], none: u64, present: &mut [i64], out: &mut Vec<u8>) -> usize {
    let mut bits = Bits::new(out);
    let mut count = 0;
    let mut take = |group: &[u64; 8], len: usize| {
        let places = &mut present[count..count + 8];
        let (mut byte, mut used) = (0, 0);
        // Without a branch a value: what is missing comes in no order that a processor could guess.
        for (at, number) in group.iter().enumerate() {
            let here = *number != none;
            places[used % 8] = *number as i64;
            used += usize::from(here);
            byte |= u8::from(here) << at;
        }
        count += used;
        bits.push(byte, len);
    };
    let (groups, rest) = numbers.as_chunks::<8>();
    groups.iter().for_each(|group| take(group, 8));
    if !rest.is_empty() {
        let mut last = [none; 8];
        last[..rest.len()].copy_from_slice(rest);
        take(&last, rest.len());
    }
    bits.finish();
    count
}

/// Flags on their way into the hybrid, eight at a time.
struct Bits<'o> {
    out: &'o mut Vec<u8>,
    /// Bytes of equal flags so far, and their value.
    equal: usize,
    value: u8,
    /// Where the header of the packed run in hand stands, and its groups so far.
    packed: Option<(usize, usize)>,
}

impl<'o> Bits<'o> {
    fn new(out: &'o mut Vec<u8>) -> Self {
        Bits {
            out,
            equal: 0,
            value: 0,
            packed: None,
        }
    }

    /// The next `len` flags: eight of them, or the last.
    #[inline]
    fn push(&mut self, byte: u8, len: usize) {
        let is_run = len == 8 && matches!(byte, 0 | 0xff);
        if self.equal > 0 && !(is_run && self.value == byte) {
            self.end_run();
        }
        if is_run {
            (self.equal, self.value) = (self.equal + 1, byte);
            return;
        }
        match &mut self.packed {
            Some((header, groups)) if *groups < GROUPS_MAX => {
                *groups += 1;
                self.out[*header] = (*groups << 1 | 1) as u8;
            }
            _ => {
                self.packed = Some((self.out.len(), 1));
                self.out.push(3);
            }
        }
        self.out.push(byte);
    }

    fn end_run(&mut self) {
        run(8 * self.equal, u32::from(self.value & 1), 1, self.out);
        (self.equal, self.packed) = (0, None);
    }

    fn finish(mut self) {
        if self.equal > 0 {
            self.end_run();
        }
    }
}

/// Every eight flags as a byte, the first as its lowest bit.
pub(super) fn bytes_of(flags: impl Iterator<Item = bool>, out: &mut Vec<u8>) {
    let (mut byte, mut len) = (0u8, 0);
    for flag in flags {
        byte = byte >> 1 | u8::from(flag) << 7;
        len += 1;
        if len == 8 {
            out.push(byte);
            len = 0;
        }
    }
    if len > 0 {
        out.push(byte >> (8 - len));
    }
}

/// So many equal codes, as a run of the hybrid.
pub(super) fn run(len: usize, code: u32, width: u32, out: &mut Vec<u8>) {
    uleb128((len as u64) << 1, out);
    out.extend_from_slice(&code.to_le_bytes()[..width.div_ceil(8) as usize]);
}

/// Eight codes make `width` bytes.
#[inline(always)]
fn pack_group(group: &[u32; 8], width: u32, out: &mut Vec<u8>) {
    if width <= 8 {
        // By pairs: three steps one after the other instead of eight.
        let pairs: [u64; 4] = std::array::from_fn(|i| u64::from(group[2 * i]) | u64::from(group[2 * i + 1]) << width);
        let (low, high) = (pairs[0] | pairs[1] << (2 * width), pairs[2] | pairs[3] << (2 * width));
        let bits = low | high << (4 * width);
        // A copy of known length, and what is too much of it cut off.
        out.extend_from_slice(&bits.to_le_bytes());
        out.truncate(out.len() - (8 - width as usize));
        return;
    }
    let half = |codes: &[u32]| (0..4).fold(0u128, |bits, i| bits | u128::from(codes[i]) << (i as u32 * width));
    let (low, high) = (half(&group[..4]), half(&group[4..]));
    let mut bytes = [0; 32];
    if width <= 16 {
        bytes[..16].copy_from_slice(&(low | high << (4 * width)).to_le_bytes());
    } else {
        // 4 × width bits are 8 to 16 bytes, perhaps with half a byte that both halves share.
        bytes[..16].copy_from_slice(&low.to_le_bytes());
        let at = (width / 2) as usize;
        if width.is_multiple_of(2) {
            bytes[at..at + 16].copy_from_slice(&high.to_le_bytes());
        } else {
            let shared = bytes[at] | (high as u8) << 4;
            bytes[at] = shared;
            bytes[at + 1..at + 17].copy_from_slice(&(high >> 4).to_le_bytes());
        }
    }
    out.extend_from_slice(&bytes);
    out.truncate(out.len() - (32 - width as usize));
}

pub(super) fn deltas(values: impl ExactSizeIterator<Item = i64>, out: &mut Vec<u8>) {
    let mut values = values;
    for number in [BLOCK, BLOCK / MINIBLOCK, values.len()] {
        uleb128(number as u64, out);
    }
    let mut previous = values.next().unwrap_or(0);
    zigzag(previous, out);
    let mut block = [0i64; BLOCK];
    while values.len() > 0 {
        let count = values.len().min(BLOCK);
        let mut least = i64::MAX;
        for (slot, value) in block[..count].iter_mut().zip(&mut values) {
            *slot = value.wrapping_sub(previous);
            least = least.min(*slot);
            previous = value;
        }
        block[count..].fill(least);
        zigzag(least, out);
        let widths_at = out.len();
        out.extend_from_slice(&[0; BLOCK / MINIBLOCK]);
        for (at, deltas) in block.as_chunks::<MINIBLOCK>().0.iter().enumerate() {
            // A part without values has no bytes.
            if at * MINIBLOCK >= count {
                break;
            }
            let deltas = deltas.map(|delta| delta.wrapping_sub(least) as u64);
            let width = 64 - deltas.iter().fold(0, |bits, delta| bits | delta).leading_zeros();
            out[widths_at + at] = width as u8;
            pack_wide(&deltas, width, out);
        }
    }
}

/// Memory for [`increments`].
#[derive(Default)]
pub(super) struct IncrementScratch {
    lengths: [Vec<u32>; 2],
    bytes: Vec<u8>,
}

/// DELTA_BYTE_ARRAY: of each text how much of the one before it begins with, and the rest of it.
pub(super) fn increments<'a>(
    texts: impl ExactSizeIterator<Item = &'a [u8]>,
    scratch: &mut IncrementScratch,
    out: &mut Vec<u8>,
) {
    let IncrementScratch { lengths, bytes } = scratch;
    // As many as there are texts: a push to each would ask each time whether there is room.
    for lengths in lengths.iter_mut() {
        lengths.resize(texts.len(), 0);
    }
    let [shared, rest] = &mut *lengths;
    bytes.clear();
    let mut previous: &[u8] = b"";
    for ((text, shared), rest) in texts.zip(shared).zip(rest) {
        // The same text at the same place is the same message once more.
        let same = match std::ptr::eq(text, previous) {
            true => text.len(),
            false => shared_len(text, previous),
        };
        (*shared, *rest) = (same as u32, (text.len() - same) as u32);
        bytes.extend_from_slice(&text[same..]);
        previous = text;
    }
    for lengths in lengths {
        deltas(lengths.iter().map(|len| i64::from(*len)), out);
    }
    out.extend_from_slice(bytes);
}

/// With how many bytes both begin.
fn shared_len(a: &[u8], b: &[u8]) -> usize {
    let ((a_words, _), (b_words, _)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (at, (a, b)) in a_words.iter().zip(b_words).enumerate() {
        let differ = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differ != 0 {
            return 8 * at + differ.trailing_zeros() as usize / 8;
        }
    }
    let words = 8 * a_words.len().min(b_words.len());
    let rest = a[words..].iter().zip(&b[words..]);
    words + rest.take_while(|(a, b)| a == b).count()
}

/// 32 numbers make 4 × `width` bytes.
fn pack_wide(numbers: &[u64; MINIBLOCK], width: u32, out: &mut Vec<u8>) {
    /// Where each number begins is known while this is compiled: a third of the work.
    macro_rules! by_width {
        ($($known:literal)*) => {
            match width {
                // All are equal: most lengths and many times.
                0 => {}
                $($known => pack_known::<$known>(numbers, out),)*
                _ => pack_any(numbers, width, out),
            }
        };
    }
    by_width!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24);
}

fn pack_known<const WIDTH: u32>(numbers: &[u64; MINIBLOCK], out: &mut Vec<u8>) {
    let mut words = [0u64; 13];
    // One by one, so that `words` are registers: a loop over them is not unrolled.
    macro_rules! put {
        ($($at:literal)*) => {
            $(
                let (word, shift) = (($at * WIDTH / 64) as usize, $at * WIDTH % 64);
                words[word] |= numbers[$at] << shift;
                if shift + WIDTH > 64 {
                    words[word + 1] |= numbers[$at] >> (64 - shift);
                }
            )*
        };
    }
    put!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
    let bytes = words.map(u64::to_le_bytes);
    out.extend_from_slice(&bytes.as_flattened()[..4 * WIDTH as usize]);
}

fn pack_any(numbers: &[u64; MINIBLOCK], width: u32, out: &mut Vec<u8>) {
    let (mut bits, mut filled) = (0u64, 0);
    for number in numbers {
        bits |= number << filled;
        filled += width;
        if filled >= 64 {
            out.extend_from_slice(&bits.to_le_bytes());
            filled -= 64;
            // What did not fit; nothing where the number ended with the word.
            bits = number.checked_shr(width - filled).unwrap_or(0);
        }
    }
    out.extend_from_slice(&bits.to_le_bytes()[..filled.div_ceil(8) as usize]);
}

fn zigzag(number: i64, out: &mut Vec<u8>) {
    uleb128((number << 1 ^ number >> 63) as u64, out);
}

#[inline]
fn uleb128(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the hybrid back, by the words of the format's specification.
    fn unpack(mut bytes: &[u8], width: u32, len: usize) -> Vec<u32> {
        let mut codes = Vec::new();
        while codes.len() < len {
            let (mut header, mut shift) = (0u64, 0);
            loop {
                let byte = bytes[0];
                bytes = &bytes[1..];
                header |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    break;
                }
            }
            if header & 1 == 0 {
                let used = width.div_ceil(8) as usize;
                let code = bytes[..used]
                    .iter()
                    .rev()
                    .fold(0, |code, byte| code << 8 | u32::from(*byte));
                codes.extend(std::iter::repeat_n(code, (header >> 1) as usize));
                bytes = &bytes[used..];
            } else {
                let groups = (header >> 1) as usize;
                let bit = |at: usize| u32::from(bytes[at / 8] >> (at % 8) & 1);
                codes.extend(
                    (0..groups * 8)
                        .map(|i| (0..width as usize).fold(0, |code, b| code | bit(i * width as usize + b) << b)),
                );
                bytes = &bytes[groups * width as usize..];
            }
        }
        assert!(bytes.is_empty());
        codes.truncate(len);
        codes
    }

    #[test]
    fn wide_numbers_come_back_at_every_width() {
        for width in 0..=64u32 {
            let mask = if width == 0 { 0 } else { u64::MAX >> (64 - width) };
            let numbers: [u64; MINIBLOCK] =
                std::array::from_fn(|i| (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) & mask);
            let mut out = vec![7];
            pack_wide(&numbers, width, &mut out);
            assert_eq!(out.len(), 1 + 4 * width as usize);
            let bit = |at: u32| u64::from(out[1 + at as usize / 8] >> (at % 8) & 1);
            for (i, number) in (0..).zip(numbers) {
                let back = (0..width).fold(0, |bits, b| bits | bit(i * width + b) << b);
                assert_eq!(back, number, "width {width}, number {i}");
            }
        }
    }

    #[test]
    fn what_is_there_comes_back() {
        for len in [0, 1, 7, 8, 9, 16, 100, 511, 512, 600, 2000, 5000] {
            for stretch in [1, 3, 8, 40, 1000] {
                let is_here = |i: &usize| i / stretch % 2 == 1 || i % 97 == 5;
                let number = |i: usize| if is_here(&i) { i as u64 } else { 7777 };
                let (mut out, mut present) = (Vec::new(), vec![0; len + 8]);
                let count = presence(&(0..len).map(number).collect::<Vec<_>>(), 7777, &mut present, &mut out);
                let codes: Vec<u32> = (0..len).map(|i| u32::from(is_here(&i))).collect();
                assert_eq!(unpack(&out, 1, len), codes, "{len} flags");
                let here = (0..len).filter(is_here).map(|i| i as i64);
                assert_eq!(present[..count], here.collect::<Vec<_>>(), "{len} numbers");
            }
        }
    }

    #[test]
    fn what_was_packed_comes_back_at_every_width() {
        for width in 0..=32u32 {
            let mask = if width == 0 { 0 } else { u32::MAX >> (32 - width) };
            for len in [0, 1, 7, 8, 9, 100, 511, 512, 600, 2000] {
                let codes: Vec<u32> = (0..len as u32)
                    .map(|i| {
                        if i / 50 % 3 == 1 {
                            mask
                        } else {
                            i.wrapping_mul(0x9e37_79b9) & mask
                        }
                    })
                    .collect();
                let mut out = Vec::new();
                hybrid(&codes, width, &mut out);
                assert_eq!(unpack(&out, width, len), codes, "width {width}, {len} codes");
            }
        }
    }
}

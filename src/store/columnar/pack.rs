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
    let mut rest = codes;
    // Where the header of the packed run in hand stands, and its groups so far.
    let mut packed: Option<(usize, usize)> = None;
    while let Some((group, after)) = rest.split_first_chunk::<8>() {
        let first = group[0];
        if group.iter().fold(0, |bits, code| bits | (code ^ first)) == 0 {
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

/// The hybrid of flags, which are codes of one bit.
pub(super) fn bits(flags: impl Iterator<Item = bool>, out: &mut Vec<u8>) {
    // Equal flags so far, in bytes, or the header of the packed run in hand and its groups.
    let (mut equal, mut value) = (0, 0);
    let mut packed: Option<(usize, usize)> = None;
    bytes_of(flags, |byte, len| {
        let is_run = len == 8 && matches!(byte, 0 | 0xff);
        if equal > 0 && !(is_run && value == byte) {
            run(8 * equal, u32::from(value & 1), 1, out);
            (equal, packed) = (0, None);
        }
        if is_run {
            (equal, value) = (equal + 1, byte);
            return;
        }
        match &mut packed {
            Some((header, groups)) if *groups < GROUPS_MAX => {
                *groups += 1;
                out[*header] = (*groups << 1 | 1) as u8;
            }
            _ => {
                packed = Some((out.len(), 1));
                out.push(3);
            }
        }
        out.push(byte);
    });
    if equal > 0 {
        run(8 * equal, u32::from(value & 1), 1, out);
    }
}

/// Gives every eight flags as a byte, the first as its lowest bit, with their number.
pub(super) fn bytes_of(flags: impl Iterator<Item = bool>, mut to: impl FnMut(u8, u32)) {
    let (mut byte, mut len) = (0u8, 0);
    for flag in flags {
        byte = byte >> 1 | u8::from(flag) << 7;
        len += 1;
        if len == 8 {
            to(byte, len);
            len = 0;
        }
    }
    if len > 0 {
        to(byte >> (8 - len), len);
    }
}

/// So many equal codes, as a run of the hybrid.
pub(super) fn run(len: usize, code: u32, width: u32, out: &mut Vec<u8>) {
    uleb128((len as u64) << 1, out);
    out.extend_from_slice(&code.to_le_bytes()[..width.div_ceil(8) as usize]);
}

/// Eight codes make `width` bytes.
#[inline]
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

/// DELTA_BINARY_PACKED.
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
pub(super) fn increments<'a>(texts: impl Iterator<Item = &'a [u8]>, scratch: &mut IncrementScratch, out: &mut Vec<u8>) {
    let IncrementScratch { lengths, bytes } = scratch;
    let [shared, rest] = lengths;
    shared.clear();
    rest.clear();
    bytes.clear();
    let mut previous: &[u8] = b"";
    for text in texts {
        // The same text at the same place is the same message once more.
        if std::ptr::eq(text, previous) {
            shared.push(text.len() as u32);
            rest.push(0);
            continue;
        }
        let same = shared_len(text, previous);
        shared.push(same as u32);
        rest.push((text.len() - same) as u32);
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
    let same = |a: &[u8], b: &[u8]| a.iter().zip(b).take_while(|(a, b)| a == b).count();
    match (a.split_first_chunk::<8>(), b.split_first_chunk::<8>()) {
        (Some((a, a_rest)), Some((b, b_rest))) => match u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b) {
            0 => 8 + same(a_rest, b_rest),
            differ => differ.trailing_zeros() as usize / 8,
        },
        _ => same(a, b),
    }
}

/// 32 numbers make 4 × `width` bytes.
fn pack_wide(numbers: &[u64; MINIBLOCK], width: u32, out: &mut Vec<u8>) {
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
    fn flags_come_back() {
        for len in [0, 1, 7, 8, 9, 16, 100, 511, 512, 600, 2000, 5000] {
            for stretch in [1, 3, 8, 40, 1000] {
                let flags = (0..len).map(|i: usize| i / stretch % 2 == 1 || i % 97 == 5);
                let mut out = Vec::new();
                bits(flags.clone(), &mut out);
                let codes: Vec<u32> = flags.map(u32::from).collect();
                assert_eq!(unpack(&out, 1, len), codes, "{len} flags");
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

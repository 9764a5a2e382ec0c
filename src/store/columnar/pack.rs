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

fn run(len: usize, code: u32, width: u32, out: &mut Vec<u8>) {
    uleb128((len as u64) << 1, out);
    out.extend_from_slice(&code.to_le_bytes()[..width.div_ceil(8) as usize]);
}

/// Eight codes make `width` bytes.
#[inline]
fn pack_group(group: &[u32; 8], width: u32, out: &mut Vec<u8>) {
    if width <= 8 {
        let bits = (0..8).fold(0u64, |bits, i| bits | u64::from(group[i]) << (i as u32 * width));
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

/// DELTA_BYTE_ARRAY: of each text how much of the one before it begins with, and the rest of it. `lengths` is scratch.
pub(super) fn increments<'a>(texts: impl Iterator<Item = &'a [u8]>, lengths: &mut [Vec<u32>; 2], out: &mut Vec<u8>) {
    let [shared, rest] = lengths;
    shared.clear();
    rest.clear();
    let mut previous: &[u8] = b"";
    let mut bytes = Vec::new();
    for text in texts {
        // The same text at the same place is the same message once more.
        let same = if std::ptr::eq(text, previous) {
            text.len()
        } else {
            text.iter().zip(previous).take_while(|(a, b)| a == b).count()
        };
        shared.push(same as u32);
        rest.push((text.len() - same) as u32);
        bytes.extend_from_slice(&text[same..]);
        previous = text;
    }
    for lengths in lengths {
        deltas(lengths.iter().map(|len| i64::from(*len)), out);
    }
    out.extend_from_slice(&bytes);
}

/// 32 numbers make 4 × `width` bytes.
fn pack_wide(numbers: &[u64; MINIBLOCK], width: u32, out: &mut Vec<u8>) {
    let (mut bits, mut filled) = (0u128, 0);
    for number in numbers {
        bits |= u128::from(*number) << filled;
        filled += width;
        if filled >= 64 {
            out.extend_from_slice(&(bits as u64).to_le_bytes());
            bits >>= 64;
            filled -= 64;
        }
    }
    out.extend_from_slice(&(bits as u64).to_le_bytes()[..filled.div_ceil(8) as usize]);
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

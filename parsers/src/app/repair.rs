//! Lines that are JSON but for their characters: Latin-1 bytes, and half surrogate pairs as Python writes them.

/// The line with U+FFFD for bytes that are no UTF-8 and for escaped surrogates without their other half; `None` if it
/// has neither.
#[cold]
pub(super) fn repair(line: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(line.len() + 16);
    let mut changed = false;
    for chunk in line.utf8_chunks() {
        changed |= lone_surrogates(chunk.valid().as_bytes(), &mut out);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
            changed = true;
        }
    }
    changed.then_some(out)
}

/// Copies `text`; says whether an escape had to be replaced.
fn lone_surrogates(text: &[u8], out: &mut Vec<u8>) -> bool {
    let mut rest = text;
    let mut changed = false;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let used = match (surrogate(rest), rest.get(6..).and_then(surrogate)) {
            (None, _) => rest.len().min(2),
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(_), _) => {
                out.extend_from_slice(br"\ufffd");
                changed = true;
                rest = &rest[6..];
                continue;
            }
        };
        out.extend_from_slice(&rest[..used]);
        rest = &rest[used..];
    }
    out.extend_from_slice(rest);
    changed
}

/// The value of `\ud800` to `\udfff` at the start.
fn surrogate(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(br"\u")?.get(..4)?;
    let value = u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (0xd800..=0xdfff).contains(&value).then_some(value)
}

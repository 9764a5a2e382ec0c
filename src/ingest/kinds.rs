//! What kind of log a file is, by its content.

use mailpulse_parsers::{exim, sniff, syslog};

/// How the lines of a log are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As the program writes them to its own file.
    Plain,
    /// In syslog's envelope.
    Syslog,
}

/// Lines that are looked at.
const LINES_MAX: usize = 200;

/// The format of a sample of a `kind` log, or what the file looks like instead and what to do.
pub fn recognise(kind: &str, sample: &[u8]) -> Result<Format, String> {
    let complete = match memchr::memrchr(b'\n', sample) {
        Some(end) => &sample[..end],
        None => sample,
    };
    let lines = || {
        complete
            .split(|b| *b == b'\n')
            .filter(|line| !line.is_empty())
            .take(LINES_MAX)
    };
    let exim = |line: &[u8]| exim::parse(line).is_ok();
    if lines().any(exim) {
        return Ok(Format::Plain);
    }
    let in_syslog = |line: &[u8]| syslog::envelope(line).is_ok_and(|envelope| envelope.tag.starts_with(b"exim"));
    if lines().any(in_syslog) {
        return Ok(Format::Syslog);
    }
    let looks = match sniff::sniff(sample) {
        Some(other) => format!("looks like {}", other.as_str()),
        None if sample.contains(&0) => "looks like binary data".to_owned(),
        None => "looks like no mail log that is known here".to_owned(),
    };
    Err(format!(
        "not a log of kind {kind}: it {looks}; none of its first lines parses. Leave it out, or name its kind in a \
         [[source]]; `mailpulse parse --explain` shows where a line stops to parse. Nothing of it was stored"
    ))
}

//! What an Exim in the foreground prints (`exim -bd -v`, the way of many containers): the log as debug output.
//!
//! ```text
//! entry = [pid " "] "LOG: MAIN" {" " log} newline [pid " "] "  " text
//! ```
//!
//! No time and no message ID is printed; the text is that of the main log behind them. The time must come from around
//! the line. Between entries stands other debug output (`SMTP>> 220 …`).

use crate::prim::decimal;

/// A line of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreground<'a> {
    /// The first line of an entry, and whether the main log is among the logs that it went to.
    Mark {
        /// Process ID, where the output has that column.
        pid: Option<u32>,
        /// The main log has the entry too; without it, only the reject or panic log does.
        main: bool,
    },
    /// An indented line: the text of the entry whose mark stands before it, or debug output.
    Text {
        /// Process ID, where the output has that column.
        pid: Option<u32>,
        /// The line without process ID and the two spaces before the text.
        text: &'a [u8],
    },
    /// Other debug output: what Exim does, not what it logs.
    Other,
}

/// Reads a line.
///
/// ```
/// use mailpulse_parsers::exim::{Foreground, foreground};
///
/// assert_eq!(foreground(b"   11 LOG: MAIN"), Foreground::Mark { pid: Some(11), main: true });
/// let text = &b"=> b@example.net R=dnslookup"[..];
/// assert_eq!(foreground(b"   11   => b@example.net R=dnslookup"), Foreground::Text { pid: Some(11), text });
/// assert_eq!(foreground(b"   11 Connecting to mx.example.net"), Foreground::Other);
/// ```
#[must_use]
pub fn foreground(line: &[u8]) -> Foreground<'_> {
    let (pid, rest) = pid(line);
    if let Some(logs) = rest.strip_prefix(b"LOG: ") {
        let known = |log: &[u8]| matches!(log, b"MAIN" | b"PANIC" | b"DIE" | b"REJECT");
        if logs.split(|byte| *byte == b' ').all(known) {
            let main = logs.starts_with(b"MAIN");
            return Foreground::Mark { pid, main };
        }
    }
    match rest.strip_prefix(b"  ") {
        Some(text) => Foreground::Text { pid, text },
        None => Foreground::Other,
    }
}

/// `%5d `, where it is printed.
fn pid(line: &[u8]) -> (Option<u32>, &[u8]) {
    let digits = line.trim_ascii_start();
    let found = decimal(digits)
        .ok()
        .and_then(|(rest, pid)| Some((u32::try_from(pid).ok()?, rest.strip_prefix(b" ")?)));
    match found {
        // Five columns, or as many as it has digits.
        Some((pid, rest)) if line.len() - rest.len() == 6.max(1 + digits.len() - rest.len() - 1) => (Some(pid), rest),
        _ => (None, line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_texts_and_talk() {
        let mark = |pid, main| Foreground::Mark { pid, main };
        let text = |pid, text: &'static str| Foreground::Text {
            pid,
            text: text.as_bytes(),
        };
        for (line, found) in [
            ("    1 LOG: MAIN", mark(Some(1), true)),
            ("123456 LOG: MAIN REJECT", mark(Some(123_456), true)),
            ("LOG: MAIN PANIC DIE", mark(None, true)),
            ("   11 LOG: REJECT", mark(Some(11), false)),
            ("    9   <= a@b H=(web)", text(Some(9), "<= a@b H=(web)")),
            ("  Completed", text(None, "Completed")),
            ("   10   SMTP<< 250 OK", text(Some(10), "SMTP<< 250 OK")),
            ("   10 Connecting to mx", Foreground::Other),
            ("LOG: something", Foreground::Other),
            ("1 LOG: MAIN", Foreground::Other),
            ("", Foreground::Other),
        ] {
            assert_eq!(foreground(line.as_bytes()), found, "{line}");
        }
    }
}

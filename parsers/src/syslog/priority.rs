//! Words for facilities, severities and levels.

use crate::cut::Cut;

/// A level in capitals, as loggers print it: a host of that name is written in small letters.
///
/// ```
/// use mailpulse_parsers::syslog::is_level;
/// assert!(is_level(b"WARNING") && !is_level(b"mail"));
/// ```
#[must_use]
pub fn is_level(word: &[u8]) -> bool {
    const LEVELS: [&[u8]; 12] = [
        b"DEBUG",
        b"INFO",
        b"NOTICE",
        b"WARN",
        b"WARNING",
        b"ERR",
        b"ERROR",
        b"CRIT",
        b"CRITICAL",
        b"ALERT",
        b"EMERG",
        b"FATAL",
    ];
    LEVELS.contains(&word)
}

/// `mail.info`, `mail:info`.
pub(super) fn is_priority(word: &[u8]) -> bool {
    const SEVERITIES: [&[u8]; 11] = [
        b"emerg", b"panic", b"alert", b"crit", b"err", b"error", b"warning", b"warn", b"notice", b"info", b"debug",
    ];
    let Some(at) = word.iter().position(|byte| matches!(byte, b'.' | b':')) else {
        return false;
    };
    is_facility(word.until(at)) && SEVERITIES.contains(&word.past(at + 1))
}

/// `mail`.
pub(super) fn is_facility(word: &[u8]) -> bool {
    const FACILITIES: [&[u8]; 22] = [
        b"kern",
        b"user",
        b"mail",
        b"daemon",
        b"auth",
        b"authpriv",
        b"syslog",
        b"lpr",
        b"news",
        b"uucp",
        b"cron",
        b"ftp",
        b"ntp",
        b"security",
        b"local0",
        b"local1",
        b"local2",
        b"local3",
        b"local4",
        b"local5",
        b"local6",
        b"local7",
    ];
    FACILITIES.contains(&word)
}

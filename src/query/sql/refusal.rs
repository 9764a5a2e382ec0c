//! Why SQL is refused, in words.

/// Why nothing asks for a calendar.
pub(super) const NO_CALENDAR: &str = "the engine has no calendar; a bucket is ts_ms - ts_ms % 300000 (milliseconds)";

/// Beginning of a piece of SQL, for messages.
pub(super) fn short(sql: &impl std::fmt::Display) -> String {
    let text = sql.to_string();
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.escape_debug().to_string()
}

pub(super) fn refused(what: &impl std::fmt::Display, why: &str) -> String {
    format!("`{}` is refused: {why}", short(what))
}

pub(super) const NOT_HERE: &str = "the embedded engine does not know it";

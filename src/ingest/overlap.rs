//! When a log reaches back into time that other logs of its source have covered, its lines may be theirs: one line in
//! `mail.log` and `syslog`, a file that was written anew or cut at its front. Logs that follow one another, as rotation
//! makes them, do not overlap; then nothing is compared, and nothing is asked of the store.

use super::open_log::OpenLog;
use super::wrapping::Wrapping;
use crate::model::log_kinds::is_mta;
use crate::model::time::{HOUR_MS, SECOND_MS, UtcMs};
use crate::store::catalogue::LogState;
use crate::store::segments::Compared;
use std::os::unix::ffi::OsStrExt;

/// Around a rotation programs write to the old file and to the new one. What repeats within so little is found by what
/// the messages remember.
const ROTATION_MS: i64 = 2_000;
/// Lines are out of order by less.
const DISORDER_MS: i64 = HOUR_MS;
/// What is known of the times of a source's logs.
#[derive(Debug, Clone)]
pub(super) struct LogSpan {
    log_id: u64,
    path: Vec<u8>,
    last_ms: UtcMs,
}

impl LogSpan {
    /// Whether it is that log's.
    pub(super) fn is_of(&self, state: &LogState) -> bool {
        self.log_id == state.log_id
    }

    /// Adds what rows say of their logs.
    pub(super) fn widen(spans: &mut Vec<LogSpan>, logs: Vec<(u64, UtcMs)>) {
        for (log_id, last_ms) in logs {
            match spans.iter_mut().find(|span| span.log_id == log_id) {
                Some(span) => span.last_ms = span.last_ms.max(last_ms),
                None => spans.push(LogSpan {
                    log_id,
                    path: Vec::new(),
                    last_ms,
                }),
            }
        }
    }

    /// Of a log with times.
    pub(super) fn of(state: &LogState) -> Option<LogSpan> {
        let (_, last_ms) = state.span_ms?;
        let path = state.path.clone();
        Some(LogSpan {
            log_id: state.log_id,
            path,
            last_ms,
        })
    }
}

/// What is to be read of a log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ahead {
    /// The first time.
    pub from_ms: UtcMs,
    /// It begins with its first line.
    pub begins: bool,
    /// It goes on here where an earlier life of the reader has left it.
    pub before: Option<u64>,
}

impl Ahead {
    /// Of a log whose first chunk, or whose first run of a journal's entries, is in hand; `first_ms` looks for the first time
    /// in it. None if nothing says from when on it is.
    pub(super) fn of(
        log: &OpenLog,
        first_ms: impl FnOnce() -> Option<UtcMs>,
        is_of_another_life: bool,
    ) -> Option<Ahead> {
        let read_to = log
            .state
            .span_ms
            .filter(|_| log.place.is_none())
            .map(|(_, last_ms)| last_ms);
        let before = log.position.mark.offset;
        Some(Ahead {
            from_ms: read_to.or_else(first_ms)?,
            begins: log.state.span_ms.is_none(),
            before: (read_to.is_some() && is_of_another_life).then_some(before),
        })
    }
}

/// Which rows the log in hand is compared with; none if it does not reach back.
pub(super) fn compared(spans: &[LogSpan], log: &OpenLog, kind: &str, source: i64, ahead: Ahead) -> Option<Compared> {
    let own = log.path.as_os_str().as_bytes();
    let Ahead { from_ms, begins, .. } = ahead;
    let since = if begins { from_ms + ROTATION_MS } else { from_ms };
    let journal = log.form.wrapping == Wrapping::Journal && log.place.is_some();
    // A journal's sequences are read side by side, and hold different entries.
    let is_own = |span: &&LogSpan| span.log_id == log.state.log_id || journal && span.path == own;
    let others = || spans.iter().filter(|span| !is_own(span) && span.last_ms >= since);
    let by_id = is_mta(kind);
    let same_file: Vec<u64> = others()
        .filter(|span| span.path == own)
        .map(|span| span.log_id)
        .collect();
    let before = ahead.before.filter(|_| by_id);
    let relevant = others().filter(|span| by_id || same_file.contains(&span.log_id));
    let until_ms = relevant.map(|span| span.last_ms).chain(before.map(|_| from_ms)).max()?;
    let of_own = spans.iter().filter(is_own).map(|span| span.log_id);
    Some(Compared {
        source,
        own: of_own.chain([log.state.log_id]).collect(),
        before,
        has_copies: log.state.counts.duplicates > 0,
        span_ms: (from_ms - DISORDER_MS, until_ms + SECOND_MS),
        by_id,
        without_id: by_id && log.form.wrapping != Wrapping::Plain,
        all_of: same_file,
    })
}

/// Which rows a log that is read again is compared with: those that others of its source's logs, all in the order in which
/// they were read first, have given of its time. Rows that name no message are counted with those of earlier logs alone: as
/// many as these have are copies.
pub(super) fn compared_again(logs: &[LogState], log: &OpenLog, kind: &str, source: i64) -> Option<Compared> {
    let by_id = is_mta(kind);
    let own = logs.iter().position(|one| one.log_id == log.state.log_id)?;
    let (first_ms, last_ms) = logs[own].span_ms?;
    let is_alike = |one: &LogState| one.path == log.state.path || by_id && log.form.wrapping != Wrapping::Plain;
    let overlaps = |one: &&LogState| one.span_ms.is_some_and(|(from, to)| from <= last_ms && to >= first_ms);
    let others = logs.iter().filter(|one| one.log_id != log.state.log_id);
    let until_ms = others
        .filter(overlaps)
        .filter_map(|one| one.span_ms)
        .map(|span| span.1)
        .max()?;
    let earlier = logs[..own].iter().filter(overlaps).filter(|one| is_alike(one));
    Some(Compared {
        source,
        own: vec![log.state.log_id],
        before: None,
        has_copies: false,
        span_ms: (first_ms, until_ms.min(last_ms) + SECOND_MS),
        by_id,
        without_id: false,
        all_of: earlier.map(|one| one.log_id).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::wrapping::WrappingForm;
    use crate::source::identity::Position;
    use crate::source::{Codec, Stamp};
    use crate::store::catalogue::Counts;

    use crate::model::time::MINUTE_MS;

    fn state(log_id: u64, path: &str, span_ms: Option<(UtcMs, UtcMs)>) -> LogState {
        LogState {
            log_id,
            path: path.as_bytes().to_vec(),
            position: String::new(),
            size: 0,
            mtime_ms: UtcMs::new(0),
            span_ms,
            follows: false,
            damaged: None,
            counts: Counts::default(),
            skipped_bytes: 0,
            ahead: 0,
        }
    }

    fn log(log_id: u64, path: &str, wrapping: Wrapping) -> OpenLog {
        let stamp = Stamp {
            dev: 1,
            ino: 1,
            size: 0,
            mtime_ms: UtcMs::new(0),
            codec: Codec::Plain,
        };
        OpenLog {
            path: path.into(),
            form: WrappingForm::plain(wrapping),
            by_line: false,
            base: None,
            ordinal: 0,
            position: Position::start(stamp, b"", 0),
            place: None,
            state: state(log_id, path, None),
            first_day: None,
        }
    }

    fn begins(from_ms: UtcMs) -> Ahead {
        Ahead {
            from_ms,
            begins: true,
            before: None,
        }
    }

    #[test]
    fn logs_that_follow_one_another_are_not_compared() {
        let spans: Vec<LogSpan> = [
            state(1, "mainlog.1", Some((UtcMs::new(0), UtcMs::new(10 * MINUTE_MS)))),
            state(2, "x", None),
        ]
        .iter()
        .filter_map(LogSpan::of)
        .collect();
        let next = log(3, "mainlog", Wrapping::Plain);
        // The moment of the rotation stands in both.
        for from_ms in [10 * MINUTE_MS - 1_000, 10 * MINUTE_MS, 11 * MINUTE_MS] {
            assert!(
                compared(&spans, &next, "exim", 1, begins(UtcMs::new(from_ms))).is_none(),
                "{from_ms}"
            );
        }
        let back = compared(&spans, &next, "exim", 1, begins(UtcMs::new(5 * MINUTE_MS))).expect("it reaches back");
        assert!(back.by_id && !back.without_id && back.all_of.is_empty());
        assert!(back.span_ms.0 < UtcMs::new(5 * MINUTE_MS) && back.span_ms.1 > UtcMs::new(10 * MINUTE_MS));
        // Refusals are compared where lines have an envelope, or where the file held the others before.
        let syslog = log(3, "syslog", Wrapping::Syslog);
        assert!(compared(&spans, &syslog, "postfix", 1, begins(UtcMs::new(0))).is_some_and(|rows| rows.without_id));
        let rewritten = log(3, "mainlog.1", Wrapping::Plain);
        assert!(compared(&spans, &rewritten, "exim", 1, begins(UtcMs::new(0))).is_some_and(|rows| rows.all_of == [1]));
        // An application's logs are compared only with what their own file held.
        assert!(compared(&spans, &next, "gerrit", 1, begins(UtcMs::new(0))).is_none());
        assert!(compared(&spans, &rewritten, "gerrit", 1, begins(UtcMs::new(0))).is_some_and(|rows| !rows.by_id));
    }

    #[test]
    fn a_log_that_goes_on_is_compared_with_what_is_as_new() {
        let spans = [LogSpan {
            log_id: 1,
            path: b"mail.log".to_vec(),
            last_ms: UtcMs::new(10 * MINUTE_MS),
        }];
        let syslog = log(2, "syslog", Wrapping::Syslog);
        let goes_on = |from_ms, before| Ahead {
            from_ms,
            begins: false,
            before,
        };
        assert!(compared(&spans, &syslog, "postfix", 1, goes_on(UtcMs::new(10 * MINUTE_MS), None)).is_some());
        assert!(compared(&spans, &syslog, "postfix", 1, goes_on(UtcMs::new(11 * MINUTE_MS), None)).is_none());
        let after = compared(
            &spans,
            &syslog,
            "postfix",
            1,
            goes_on(UtcMs::new(11 * MINUTE_MS), Some(500)),
        );
        assert!(
            after.is_some_and(
                |rows| rows.before == Some(500) && rows.span_ms.1 == UtcMs::new(11 * MINUTE_MS + SECOND_MS)
            )
        );
        assert!(
            compared(
                &spans,
                &syslog,
                "gerrit",
                1,
                goes_on(UtcMs::new(11 * MINUTE_MS), Some(500))
            )
            .is_none()
        );
    }
}

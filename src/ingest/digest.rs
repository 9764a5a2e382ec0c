//! The parsing side: lines → records → events → sealed batches, with everything that a commit needs beside them.

use super::feed::{Item, OpenLog};
use super::kinds::Format;
use super::position;
use super::report::{Problem, SourceReport};
use super::shapes::{Shapes, why};
use super::writer::Draft;
use crate::normalise::exim::EximNormaliser;
use crate::normalise::join::Recall;
use crate::normalise::redact::text;
use crate::source::Chunk;
use crate::source::chunks::GapKind;
use crate::store::batch::{Batch, SealedBatch};
use crate::store::commit::{Counts, LogState};
use mailpulse_parsers::Stamp;
use mailpulse_parsers::exim;
use mailpulse_parsers::syslog::{self, Envelope, Pushed, Reassembler};
use rustc_hash::FxHashMap;

const MINUTE_MS: i64 = 60_000;

/// Turns one source's items into drafts of commits.
pub struct Digest<'c, R: Recall> {
    normaliser: EximNormaliser<'c>,
    recall: R,
    host: String,
    kind: &'static str,
    batch: Batch,
    log: Option<Box<OpenLog>>,
    touched: Vec<LogState>,
    minutes: FxHashMap<i64, Counts>,
    minute: (i64, Counts),
    shapes: Shapes,
    reassembler: Reassembler,
    /// What is told at the end.
    pub report: SourceReport,
}

impl<'c, R: Recall> Digest<'c, R> {
    /// A digest for the logs of `host`.
    pub fn new(normaliser: EximNormaliser<'c>, recall: R, host: &str, kind: &'static str) -> Self {
        Digest {
            normaliser,
            recall,
            host: host.to_owned(),
            kind,
            batch: Batch::new(1, None),
            log: None,
            touched: Vec::new(),
            minutes: FxHashMap::default(),
            minute: (0, Counts::default()),
            shapes: Shapes::default(),
            reassembler: Reassembler::default(),
            report: SourceReport {
                host: host.to_owned(),
                kind,
                ..SourceReport::default()
            },
        }
    }

    /// Whether the batch should be sealed. Not between the pieces of a split line: a kill would lose those that are
    /// read. Twice the size is the end of patience with a line that nobody finishes.
    pub fn is_full(&self, rows_max: usize, bytes_max: usize) -> bool {
        let reached =
            |times: usize| self.batch.rows.len() >= times * rows_max || self.batch.memory() >= times * bytes_max;
        reached(1) && (self.reassembler.is_empty() || reached(2))
    }

    /// Whether something waits to be committed.
    pub fn has_news(&self) -> bool {
        !self.batch.rows.is_empty() || !self.touched.is_empty() || self.log.is_some()
    }

    /// Whether memory should be trimmed at the next moment when everything is committed.
    pub fn wants_trim(&self, open_max: usize) -> bool {
        self.normaliser.wants_trim(open_max)
    }

    /// Trims memory; everything must be committed.
    pub fn trim(&mut self, open_max: usize) {
        self.normaliser.trim(open_max);
    }

    /// Takes what the reading side sends.
    pub fn item(&mut self, item: Item) {
        match item {
            Item::Open(log) => {
                self.report.files_read += 1;
                self.batch.set_log(log.state.log_id);
                self.log = Some(log);
            }
            Item::Chunk(chunk) => self.chunk(&chunk),
            Item::Close { complete, damaged } => self.close(complete, damaged),
            Item::Known(_) => self.report.files_known += 1,
            Item::Empty(_) => self.report.files_empty += 1,
            Item::Problem(problem) => self.report.problems.push(problem),
        }
    }

    fn chunk(&mut self, chunk: &Chunk) {
        let Some(mut log) = self.log.take() else { return };
        let before = log.state.counts;
        for (offset, line) in chunk.lines() {
            match log.format {
                Format::Plain => self.line(&mut log, offset, line),
                Format::Syslog => self.syslog_line(&mut log, offset, line),
            }
        }
        self.report.overlong_lines += chunk.overlong_lines() as u64;
        let skipped = chunk.skipped(GapKind::Overlong) + chunk.skipped(GapKind::Nul);
        self.report.skipped_bytes += skipped;
        log.state.skipped_bytes += skipped;
        let counts = &log.state.counts;
        self.report.counts.add(&Counts {
            lines: counts.lines - before.lines,
            events: counts.events - before.events,
            ignored: counts.ignored - before.ignored,
            unparsed: counts.unparsed - before.unparsed,
            bytes: counts.bytes - before.bytes,
        });
        log.position.advance(chunk.end(), chunk.rungs());
        self.log = Some(log);
    }

    fn line(&mut self, log: &mut OpenLog, offset: u64, line: &[u8]) {
        let outcome = match exim::parse(line) {
            Ok(record) => {
                let ts_ms = self.normaliser.utc_ms(&record);
                self.at(log, ts_ms);
                match self
                    .normaliser
                    .record(&record, ts_ms, offset, &mut self.recall, &mut self.batch)
                {
                    true => Outcome::Event,
                    false => Outcome::Ignored,
                }
            }
            // What belongs to the line before (a wrapped panic, an empty line) tells nothing of its own.
            Err(_) if exim::is_continuation(line) => Outcome::Ignored,
            Err(reject) => {
                self.shapes.add(line, &why(&reject), &text(&log.state.path));
                Outcome::Unparsed
            }
        };
        self.count(log, outcome, line.len());
    }

    /// A line in syslog's envelope. Exim splits what syslog would cut; the event has the offset of the last part.
    fn syslog_line(&mut self, log: &mut OpenLog, offset: u64, line: &[u8]) {
        let envelope = match syslog::envelope(line) {
            Ok(envelope) => envelope,
            Err(reject) => {
                self.shapes.add(line, &why(&reject), &text(&log.state.path));
                return self.count(log, Outcome::Unparsed, line.len());
            }
        };
        if !envelope.tag.starts_with(b"exim") {
            return self.count(log, Outcome::Ignored, line.len());
        }
        let outcome = match self.reassembler.push(&envelope) {
            Pushed::Whole(_) => self.syslog_record(log, offset, line, &envelope),
            Pushed::Lines(lines) => {
                // Usually none (more pieces follow) or one; a second one is a line that was given up.
                let mut outcome = Outcome::Ignored;
                for whole in &lines {
                    let joined = Envelope {
                        rest: &whole.text,
                        ..envelope
                    };
                    outcome = self.syslog_record(log, offset, &whole.text, &joined);
                }
                outcome
            }
        };
        self.count(log, outcome, line.len());
    }

    fn syslog_record(&mut self, log: &mut OpenLog, offset: u64, line: &[u8], envelope: &Envelope<'_>) -> Outcome {
        match exim::parse_in_syslog(envelope) {
            Ok(mut record) => {
                if record.stamp.year == 0 {
                    record.stamp.year = year_by_mtime(&record.stamp, log.state.mtime_ms);
                }
                let ts_ms = self.normaliser.utc_ms(&record);
                self.at(log, ts_ms);
                let event = self
                    .normaliser
                    .record(&record, ts_ms, offset, &mut self.recall, &mut self.batch);
                if event { Outcome::Event } else { Outcome::Ignored }
            }
            Err(reject) => {
                self.shapes.add(line, &why(&reject), &text(&log.state.path));
                Outcome::Unparsed
            }
        }
    }

    /// Moves to the minute of a line.
    #[inline]
    fn at(&mut self, log: &mut OpenLog, ts_ms: i64) {
        let minute = ts_ms.div_euclid(MINUTE_MS);
        if minute != self.minute.0 {
            self.turn_minute(minute);
        }
        match &mut log.state.span_ms {
            Some((first, last)) => {
                *first = (*first).min(ts_ms);
                *last = (*last).max(ts_ms);
            }
            none => *none = Some((ts_ms, ts_ms)),
        }
    }

    fn turn_minute(&mut self, minute: i64) {
        let (old, counts) = std::mem::replace(&mut self.minute, (minute, Counts::default()));
        if old == 0 {
            // Lines before the first time: they belong to it.
            self.minute.1 = counts;
        } else if counts.lines > 0 {
            self.minutes.entry(old).or_default().add(&counts);
        }
    }

    #[inline]
    fn count(&mut self, log: &mut OpenLog, outcome: Outcome, len: usize) {
        let (events, ignored, unparsed) = match outcome {
            Outcome::Event => (1, 0, 0),
            Outcome::Ignored => (0, 1, 0),
            Outcome::Unparsed => (0, 0, 1),
        };
        let one = Counts {
            lines: 1,
            events,
            ignored,
            unparsed,
            bytes: len as u64 + 1,
        };
        log.state.counts.add(&one);
        self.minute.1.add(&one);
    }

    fn close(&mut self, complete: bool, damaged: Option<String>) {
        if let Some(mut log) = self.log.take() {
            for rest in self.reassembler.finish() {
                self.shapes.add(
                    &rest.text,
                    "a split line of syslog whose other pieces are missing",
                    &text(&log.state.path),
                );
            }
            log.position.complete = complete;
            log.state.damaged = damaged;
            if let Some((first, last)) = log.state.span_ms {
                let (from, to) = self.report.span_ms.unwrap_or((first, last));
                self.report.span_ms = Some((from.min(first), to.max(last)));
            }
            self.touch(&log);
        }
    }

    fn touch(&mut self, log: &OpenLog) {
        let mut state = log.state.clone();
        state.position = position::to_json(log.base, log.ordinal, &log.position);
        self.touched.retain(|known| known.log_id != state.log_id);
        self.touched.push(state);
    }

    /// Everything since the last call, as the draft of one commit. `sequence` must be new; `used` is a batch to use again.
    pub fn seal(&mut self, sequence: u32, used: Option<Batch>) -> Draft {
        if let Some(log) = self.log.take() {
            self.touch(&log);
            self.log = Some(log);
        }
        self.turn_minute(self.minute.0);
        let mut next = Batch::new(sequence, used);
        next.rows.reserve(self.batch.rows.len());
        let batch = std::mem::replace(&mut self.batch, next);
        if let Some(log) = &self.log {
            self.batch.set_log(log.state.log_id);
        }
        let mut minutes: Vec<_> = self.minutes.drain().collect();
        minutes.sort_unstable_by_key(|(minute, _)| *minute);
        let unparsed = self.shapes.take();
        merge_shapes(&mut self.report, &unparsed);
        Draft {
            sealed: SealedBatch {
                batch,
                origins: self.normaliser.attributor.origins.table(),
                host: self.host.clone(),
                source: self.kind,
            },
            logs: std::mem::take(&mut self.touched),
            minutes,
            changes: self.normaliser.changes(),
            unparsed,
        }
    }

    /// The report, with what only shows at the end.
    pub fn finish(mut self) -> SourceReport {
        if let Some(ahead_ms) = self.normaliser.zone_error_ms() {
            let hours = ahead_ms as f64 / 3_600_000.0;
            self.report.problems.push(Problem {
                path: std::path::PathBuf::from(&self.host),
                what: format!(
                    "the log's clock is {hours:+} h from the times inside its message IDs: its zone is not what was \
                     assumed, and all times are off by as much. Set `timezone` of this source (or --timezone), then \
                     backfill into a fresh store"
                ),
                error: false,
            });
        }
        self.report
    }
}

/// RFC 3164 has no year: it is the one in which the line is not younger than its file.
fn year_by_mtime(stamp: &Stamp, mtime_ms: i64) -> i16 {
    let year = jiff::Timestamp::from_millisecond(mtime_ms).map_or(1970, |t| t.to_zoned(jiff::tz::TimeZone::UTC).year());
    let in_year = Stamp { year, ..*stamp };
    // A day of grace, for zones and for clocks.
    if in_year.utc_ms() > mtime_ms + 86_400_000 {
        year - 1
    } else {
        year
    }
}

enum Outcome {
    Event,
    Ignored,
    Unparsed,
}

fn merge_shapes(report: &mut SourceReport, shapes: &[crate::store::commit::UnparsedShape]) {
    for shape in shapes {
        match report.unparsed.iter_mut().find(|known| known.shape == shape.shape) {
            Some(known) => known.count += shape.count,
            None => report.unparsed.push(shape.clone()),
        }
    }
    report.unparsed.sort_by_key(|shape| std::cmp::Reverse(shape.count));
    report.unparsed.truncate(20);
}

//! Hue: `[%(asctime)s] %(module)-12s %(levelname)-8s %(message)s` to the log of a process and, from ERROR on, to
//! `error.log` too. The same record in two files is one failure.

use super::super::prng::Rng;
use super::application::Application;
use super::attempts::{Attempt, AttemptOutcome};
use super::log_writer::{LogWriter, RecordMark};
use super::phrases::{python, recipient, times, user, within, words};
use super::stamps::Moment;

pub(super) struct Hue {
    /// The process's log, and the errors of all.
    journals: Vec<LogWriter>,
    is_started: bool,
}

/// A record's line.
fn line(ms: i64, module: &str, level: &str, message: &str) -> String {
    format!("[{}] {module:<12} {level:<8} {message}\n", Moment::new(ms).hue())
}

impl Hue {
    pub(super) fn new(journals: Vec<LogWriter>) -> Self {
        Self {
            journals,
            is_started: false,
        }
    }

    /// An error goes into both files.
    fn error(&mut self, ms: i64, mark: RecordMark, text: String) {
        self.journals[0].push(ms, mark, text.clone());
        self.journals[1].push(ms, RecordMark::Everyday, text);
    }

    fn everyday(&mut self, ms: i64, rng: &mut Rng) {
        let name = user(rng);
        match rng.below(25) {
            0 => {
                let frames = [(
                    "/usr/lib/hue/desktop/core/src/desktop/lib/thrift_util.py",
                    429,
                    "wrapper",
                    "ret = res(*args, **kwargs)",
                )];
                let message = "Thrift saw a transport exception: TSocket read 0 bytes";
                let text = line(ms, "thrift_util", "ERROR", message)
                    + &python(&frames, "TTransportException: TSocket read 0 bytes");
                self.error(ms, RecordMark::Everyday, text);
            }
            1 => {
                let message = "Failed to connect to the Resource Manager: [Errno 111] Connection refused";
                self.error(ms, RecordMark::Everyday, line(ms, "rm_ha", "ERROR", message));
            }
            2..=4 => {
                let message = format!("Query of {name} has no results yet; its e-mail notification is on");
                self.journals[0].push(ms, RecordMark::Everyday, line(ms, "views", "INFO", &message));
            }
            5..=6 => {
                let message = words("Operation handle {h32} not found in the session", rng);
                self.journals[0].push(
                    ms,
                    RecordMark::Everyday,
                    line(ms, "hive_server2_lib", "WARNING", &message),
                );
            }
            _ => {
                let calls = [
                    "notebook/api/check_status",
                    "beeswax/api/query",
                    "filebrowser/view=/user",
                    "jobbrowser/jobs",
                ];
                let (call, took) = (rng.pick(&calls), rng.below(900));
                let message = format!("10.64.53.26 {name} - \"POST /{call} HTTP/1.1\" -- 200 {took}ms");
                self.journals[0].push(ms, RecordMark::Everyday, line(ms, "access", "INFO", &message));
            }
        }
    }
}

impl Application for Hue {
    fn hour(&mut self, t: i64, rng: &mut Rng) {
        // So the two files do not begin with the same line, by which a log is known.
        if !std::mem::replace(&mut self.is_started, true) {
            let message = "starting server with options: {'host': '0.0.0.0', 'port': '8888', 'threads': '40'}";
            self.journals[0].push(
                t * 1000,
                RecordMark::Everyday,
                line(t * 1000, "runcpserver", "INFO", message),
            );
        }
        for ms in times(t, 14.0, rng) {
            self.everyday(ms, rng);
        }
    }

    fn mail(&mut self, attempt: &Attempt, rng: &mut Rng) {
        let cause = match attempt.outcome {
            AttemptOutcome::Accepted => return,
            AttemptOutcome::Refused => "[Errno 111] Connection refused".to_owned(),
            AttemptOutcome::TimedOut => "[Errno 110] Connection timed out".to_owned(),
            AttemptOutcome::Rejected => {
                let to = recipient(&attempt.mail);
                format!("{{u'{to}': (550, 'Previous (cached) callout verification failure')}}")
            }
        };
        let ms = within(attempt.t, rng);
        let message = format!("Failed to send query completion notification via e-mail: {cause}");
        self.error(ms, RecordMark::Failed, line(ms, "views", "ERROR", &message));
    }

    fn journals(&mut self) -> &mut [LogWriter] {
        &mut self.journals
    }
}

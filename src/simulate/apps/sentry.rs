//! Sentry's worker in its human format, which has a time and no date: `19:02:11 [INFO] sentry.mail: mail.sent (…)`.
//!
//! It alone logs success: `mail.queued` when the task is made, `mail.sent` after the SMTP call. A task that fails is
//! Celery's ERROR, with a traceback in lines of their own; the mail is lost.

use super::super::letter;
use super::super::prng::Rng;
use super::application::Application;
use super::attempts::{Attempt, AttemptOutcome};
use super::log_writer::{LogWriter, RecordMark};
use super::phrases::{Frame, python, times, uuid, within, words};
use super::stamps::Moment;

pub(super) struct Sentry {
    journals: Vec<LogWriter>,
}

fn line(ms: i64, level: &str, logger: &str, event: &str) -> String {
    format!("{} [{level}] {logger}: {event}\n", Moment::new(ms).time())
}

/// A task that raised: Celery's record with the exception's `repr`, and the traceback with its `str`.
fn raised(ms: i64, task: &str, (exception, last): (&str, &str), frames: &[Frame], rng: &mut Rng) -> String {
    let id = uuid(rng);
    let quoted = exception.replace('"', "\\\"");
    let data = format!(
        "{{'hostname': 'celery@sentry1001', 'id': '{id}', 'name': '{task}', 'exc': \"{quoted}\", 'args': '[]', \
         'kwargs': '{{}}', 'description': 'raised unexpected', 'internal': False}}"
    );
    let event = format!("Task {task}[{id}] raised unexpected: {exception} (data={data})");
    line(ms, "ERROR", "celery.app.trace", &event) + &python(frames, last)
}

impl Sentry {
    pub(super) fn new(journals: Vec<LogWriter>) -> Self {
        Self { journals }
    }

    /// Events that come and go; the refused connection is Redis's.
    fn everyday(ms: i64, rng: &mut Rng) -> String {
        match rng.below(12) {
            0..=5 => {
                let took = words("0.{d4}", rng);
                let event = format!(
                    "{} (batch_size={} duration={took})",
                    "process_pending.done",
                    rng.below(100)
                );
                line(ms, "INFO", "sentry.buffer", &event)
            }
            6..=8 => {
                let event = words(
                    "event.dropped (project_id={d2} reason='rate_limited' ip='10.64.48.{d2}')",
                    rng,
                );
                line(ms, "WARNING", "sentry.coreapi", &event)
            }
            9..=10 => {
                let event = words(
                    "post_process.skipped (group_id={d6} reason='duplicate' event_id='{h32}')",
                    rng,
                );
                line(ms, "INFO", "sentry.errors.events", &event)
            }
            _ => {
                let exception = (
                    "ConnectionError('Error 111 connecting to localhost:6379. Connection refused.')",
                    "redis.exceptions.ConnectionError: Error 111 connecting to localhost:6379. Connection refused.",
                );
                let frames = [(
                    "/srv/sentry/lib/redis/connection.py",
                    489,
                    "connect",
                    "raise ConnectionError(message)",
                )];
                raised(
                    ms,
                    "sentry.tasks.process_buffer.process_pending",
                    exception,
                    &frames,
                    rng,
                )
            }
        }
    }
}

impl Application for Sentry {
    fn hour(&mut self, t: i64, rng: &mut Rng) {
        for ms in times(t, 4.0, rng) {
            self.journals[0].push(ms, RecordMark::Everyday, Self::everyday(ms, rng));
        }
    }

    fn mail(&mut self, attempt: &Attempt, rng: &mut Rng) {
        let (draft, journal) = (
            letter::draft(&attempt.mail, attempt.outcome == AttemptOutcome::Accepted),
            &mut self.journals[0],
        );
        let to: Vec<&str> = draft.recipients.iter().map(|to| to.address.as_str()).collect();
        let ms = within(draft.t, rng);
        let (id, size) = (&draft.message_id, draft.size);
        let kind = rng.pick(&["notify.error", "notify.error", "report.weekly", "notify.activity"]);
        let addresses = to.join(", ");
        let event = format!("mail.queued (message_type={kind:?} message_id='<{id}>' message_to={addresses:?})");
        journal.push(
            ms,
            RecordMark::Everyday,
            line(ms, "INFO", "sentry.mail", &event.replace('"', "'")),
        );
        let exception = match attempt.outcome {
            AttemptOutcome::Accepted => {
                let event = format!("mail.sent (message_id='<{id}>' size={size})");
                // The relay's answer comes after the mail.
                let ms = draft.t * 1000 + 999;
                return journal.push(ms, RecordMark::Submitted, line(ms, "INFO", "sentry.mail", &event));
            }
            AttemptOutcome::Refused => (
                "ConnectionRefusedError(111, 'Connection refused')".to_owned(),
                "ConnectionRefusedError: [Errno 111] Connection refused".to_owned(),
            ),
            AttemptOutcome::TimedOut => (
                "SMTPServerDisconnected('Connection unexpectedly closed: timed out')".to_owned(),
                "smtplib.SMTPServerDisconnected: Connection unexpectedly closed: timed out".to_owned(),
            ),
            AttemptOutcome::Rejected => {
                let to = to.first().copied().unwrap_or_default();
                let refused = format!("{{'{to}': (550, b'Previous (cached) callout verification failure')}}");
                (
                    format!("SMTPRecipientsRefused({refused})"),
                    format!("smtplib.SMTPRecipientsRefused: {refused}"),
                )
            }
        };
        let frames = [
            (
                "/srv/sentry/lib/sentry/tasks/email.py",
                40,
                "send_email",
                "send_messages([message])",
            ),
            (
                "/usr/lib/python3.5/smtplib.py",
                306,
                "_get_socket",
                "self.source_address)",
            ),
        ];
        let exception = (exception.0.as_str(), exception.1.as_str());
        let text = raised(ms, "sentry.tasks.email.send_email", exception, &frames, rng);
        journal.push(ms, RecordMark::Failed, text);
    }

    fn journals(&mut self) -> &mut [LogWriter] {
        &mut self.journals
    }
}

//! Gerrit 2.15: `error_log` in log4j's layout `[%d] [%t] %-5p %c %x: %m%n`, and on the second host `error_log.json`.
//!
//! A mail that cannot be sent is an ERROR with a stack trace, and lost. Success is not logged.

use serde_json::json;

use super::super::prng::Rng;
use super::application::Application;
use super::attempts::{Attempt, AttemptOutcome};
use super::log_writer::{LogWriter, RecordMark};
use super::phrases::{RELAY, java, recipient, times, user, within, words};
use super::stamps::Moment;

/// One record.
struct Record {
    level: &'static str,
    thread: String,
    logger: &'static str,
    message: String,
    /// Class and message of the exception, and its stack.
    exception: Option<(&'static str, String, String)>,
}

/// What cannot be mailed: logger and message before the change's number, and the stack below the sender.
struct Occasion {
    logger: &'static str,
    message: &'static str,
    caller: &'static str,
}

const OCCASIONS: [Occasion; 4] = [
    Occasion {
        logger: "com.google.gerrit.server.change.EmailReviewComments",
        message: "Cannot email comments for {change},{patch}",
        caller: "com.google.gerrit.server.change.EmailReviewComments.run(EmailReviewComments.java:134)",
    },
    Occasion {
        logger: "com.google.gerrit.server.git.receive.ReplaceOp",
        message: "Cannot send email for new patch set {change},{patch}",
        caller: "com.google.gerrit.server.git.receive.ReplaceOp$1.run(ReplaceOp.java:421)",
    },
    Occasion {
        logger: "com.google.gerrit.server.change.PostReviewersEmail",
        message: "Cannot send email to new reviewers of change {change}",
        caller: "com.google.gerrit.server.change.PostReviewersEmail.emailReviewers(PostReviewersEmail.java:92)",
    },
    Occasion {
        logger: "com.google.gerrit.server.change.AbandonOp",
        message: "Cannot email update for change {change}",
        caller: "com.google.gerrit.server.change.AbandonOp.postUpdate(AbandonOp.java:118)",
    },
];

pub(super) const EMAIL_EXCEPTION: &str = "com.google.gerrit.common.errors.EmailException";
const OPEN: &str = "com.google.gerrit.server.mail.send.SmtpEmailSender.open(SmtpEmailSender.java:366)";
const SEND: [&str; 2] = [
    "com.google.gerrit.server.mail.send.SmtpEmailSender.send(SmtpEmailSender.java:196)",
    "com.google.gerrit.server.mail.send.OutgoingEmail.send(OutgoingEmail.java:160)",
];

pub(super) struct Gerrit {
    journals: Vec<LogWriter>,
}

impl Gerrit {
    pub(super) fn new(journals: Vec<LogWriter>) -> Self {
        Self { journals }
    }

    /// The first host serves most of the people.
    fn log(&mut self, ms: i64, mark: RecordMark, record: &Record, rng: &mut Rng) {
        let host = usize::from(rng.chance(0.3));
        let journal = &mut self.journals[host];
        let text = match host {
            0 => record.text(ms),
            _ => record.json(ms, journal.host),
        };
        journal.push(ms, mark, text);
    }
}

impl Record {
    fn text(&self, ms: i64) -> String {
        let (
            stamp,
            Self {
                level, thread, logger, ..
            },
        ) = (Moment::new(ms).log4j(), self);
        let head = format!("[{stamp}] [{thread}] {level:<5} {logger} : {}\n", self.message);
        match &self.exception {
            None => head,
            Some((class, message, stack)) => format!("{head}{class}: {message}\n{stack}"),
        }
    }

    fn json(&self, ms: i64, host: &str) -> String {
        let mut object = json!({
            "@timestamp": Moment::new(ms).rfc3339(),
            "source_host": host,
            "message": self.message,
            "level": self.level,
            "logger_name": self.logger,
            "thread_name": self.thread,
        });
        if let Some((class, message, stack)) = &self.exception {
            object["exception"] = json!({
                "exception_class": class,
                "exception_message": message,
                "stacktrace": format!("{class}: {message}\n{}", stack.trim_end()),
            });
        }
        object["@version"] = json!(1);
        format!("{object}\n")
    }

    fn new(level: &'static str, thread: String, logger: &'static str, message: String) -> Self {
        Self {
            level,
            thread,
            logger,
            message,
            exception: None,
        }
    }

    fn with(mut self, class: &'static str, message: &str, frames: &[&str]) -> Self {
        self.exception = Some((class, message.to_owned(), java(frames)));
        self
    }
}

/// What everybody's Gerrit writes on any day. Some of it looks like mail, or like a refused connection, and is not.
fn everyday(rng: &mut Rng) -> Record {
    let (http, ssh) = (
        words("HTTP-{d4}", rng),
        words("SSH git-upload-pack '/{list}' ({user})", rng),
    );
    let change = 400_000 + rng.below(38_000);
    match rng.below(20) {
        0..=7 => {
            let address = words("/10.64.0.{d2}:{d5}", rng);
            let message = format!("Exception caught in session of {}@{address}", user(rng));
            Record::new("WARN", ssh, "com.google.gerrit.sshd.GerritServerSession", message).with(
                "java.io.IOException",
                "Connection reset by peer",
                &[
                    "sun.nio.ch.FileDispatcherImpl.read0(Native Method)",
                    "sun.nio.ch.SocketDispatcher.read(SocketDispatcher.java:39)",
                    "org.apache.sshd.common.io.nio2.Nio2Session.doReadCycle(Nio2Session.java:283)",
                ],
            )
        }
        8..=11 => {
            let logger = "com.google.gerrit.httpd.restapi.RestApiServlet";
            Record::new(
                "ERROR",
                http,
                logger,
                format!("Error in GET /changes/{change}/detail?O=404"),
            )
            .with(
                "com.google.gwtorm.server.OrmException",
                "cannot open ReviewDb",
                &[
                    "com.google.gerrit.server.query.change.ChangeData.reloadChange(ChangeData.java:541)",
                    "com.google.gerrit.httpd.restapi.RestApiServlet.service(RestApiServlet.java:441)",
                    "javax.servlet.http.HttpServlet.service(HttpServlet.java:790)",
                ],
            )
        }
        12..=14 => {
            let message = format!(
                "Cannot replicate to git@github.com:wikimedia/{}.git",
                words("{list}", rng)
            );
            let logger = "com.googlesource.gerrit.plugins.replication.PushOne";
            Record::new("ERROR", words("ReplicateTo-github-{d1}", rng), logger, message).with(
                "org.eclipse.jgit.errors.TransportException",
                "git@github.com: java.net.ConnectException: Connection refused",
                &["org.eclipse.jgit.transport.JschConfigSessionFactory.getSession(JschConfigSessionFactory.java:159)"],
            )
        }
        15..=16 => {
            let message = words(
                "Not emailing {list}-list@wikimedia.org (prohibited by sendemail.allowrcpt)",
                rng,
            );
            let logger = "com.google.gerrit.server.mail.send.SmtpEmailSender";
            Record::new("WARN", words("SendEmail-{d1}", rng), logger, message)
        }
        _ => {
            let message = format!("Slow query for change {change}: {} ms", 1000 + rng.below(9000));
            Record::new(
                "INFO",
                http,
                "com.google.gerrit.server.index.change.ChangeIndexer",
                message,
            )
        }
    }
}

impl Application for Gerrit {
    fn hour(&mut self, t: i64, rng: &mut Rng) {
        for ms in times(t, 3.2, rng) {
            let record = everyday(rng);
            self.log(ms, RecordMark::Everyday, &record, rng);
        }
    }

    fn mail(&mut self, attempt: &Attempt, rng: &mut Rng) {
        let (cause, frames, root) = match attempt.outcome {
            AttemptOutcome::Accepted => return,
            AttemptOutcome::Refused => (
                "Connection refused (Connection refused)".to_owned(),
                [OPEN, SEND[0], SEND[1]],
                Some("java.net.ConnectException"),
            ),
            AttemptOutcome::TimedOut => (
                "connect timed out".to_owned(),
                [OPEN, SEND[0], SEND[1]],
                Some("java.net.SocketTimeoutException"),
            ),
            AttemptOutcome::Rejected => {
                let to = recipient(&attempt.mail);
                let reply = format!("550 Previous (cached) callout verification failure for <{to}>");
                let frame = "com.google.gerrit.server.mail.send.SmtpEmailSender.send(SmtpEmailSender.java:213)";
                let cause = format!("Server {RELAY} rejected recipient {to}: {reply}");
                (cause, [frame, SEND[1], SEND[1]], None)
            }
        };
        let occasion = &OCCASIONS[rng.weighted([5, 4, 2, 1].into_iter())];
        let numbers = (437_000 + (attempt.t - 1_526_000_000).max(0) / 900, 1 + rng.below(9));
        let message = occasion.message.replace("{change}", &numbers.0.to_string());
        let message = message.replace("{patch}", &numbers.1.to_string());
        let mut stack = java(&frames[..if root.is_some() { 3 } else { 2 }]);
        stack += &java(&[
            occasion.caller,
            "java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:1149)",
            "java.lang.Thread.run(Thread.java:748)",
        ]);
        if let Some(class) = root {
            stack += &format!("Caused by: {class}: {cause}\n");
            stack += &java(&["java.net.PlainSocketImpl.socketConnect(Native Method)"]);
            stack += "\t... 6 more\n";
        }
        let record = Record {
            level: "ERROR",
            thread: format!("SendEmail-{}", 1 + rng.below(2)),
            logger: occasion.logger,
            message,
            exception: Some((EMAIL_EXCEPTION, cause, stack)),
        };
        self.log(within(attempt.t, rng), RecordMark::Failed, &record, rng);
    }

    fn journals(&mut self) -> &mut [LogWriter] {
        &mut self.journals
    }
}

//! Oozie: `%d{ISO8601} %5p %c{1}:%L - %m%n`, rolled every hour.
//!
//! An e-mail action that fails is a WARN with EM007 and a stack trace, whose end names the cause; the mail is lost. One
//! that succeeds looks like any other action that was started and done.

use super::super::prng::Rng;
use super::application::Application;
use super::attempts::{Attempt, AttemptOutcome};
use super::log_writer::{LogWriter, RecordMark};
use super::phrases::{RELAY, java, recipient, times, within};
use super::stamps::Moment;

pub(super) struct Oozie {
    journals: Vec<LogWriter>,
    /// Number of the last workflow.
    job: u64,
}

const WORKFLOWS: [(&str, &str); 5] = [
    ("analytics", "webrequest-load-wf-text"),
    ("analytics", "pageview-hourly-wf"),
    ("hdfs", "mediacounts-archive-wf"),
    ("analytics", "aqs-hourly-wf"),
    ("hdfs", "projectview-geo-wf"),
];
const EM007: &str = "EM007: Encountered an error while sending the email message over SMTP.";

/// A workflow's action, and the prefix that its lines have.
struct Action {
    id: String,
    prefix: String,
}

fn line(ms: i64, level: &str, class: &str, message: &str) -> String {
    format!("{} {level:>5} {class} - {message}\n", Moment::new(ms).log4j())
}

impl Oozie {
    pub(super) fn new(journals: Vec<LogWriter>) -> Self {
        Self { journals, job: 1200 }
    }

    /// An action of a new workflow.
    fn action(&mut self, name: &str, rng: &mut Rng) -> Action {
        self.job += 1;
        let (user, app) = rng.pick(&WORKFLOWS);
        let job = format!("{:07}-180501000000000-oozie-oozi-W", self.job);
        Action {
            id: format!("{job}@{name}"),
            prefix: format!("USER[{user}] GROUP[-] TOKEN[] APP[{app}] JOB[{job}] ACTION[{job}@{name}]"),
        }
    }

    fn push(&mut self, ms: i64, level: &str, class: &str, message: &str) {
        self.journals[0].push(ms, RecordMark::Everyday, line(ms, level, class, message));
    }

    fn start(&mut self, ms: i64, action: &Action) {
        let Action { id, prefix } = action;
        let state = "userRetryCount [0], userRetryMax [0], userRetryInterval [10]";
        let message = format!("{prefix} Start action [{id}] with user-retry state : {state}");
        self.push(ms, "INFO", "ActionStartXCommand:520", &message);
    }

    fn done(&mut self, ms: i64, action: &Action) {
        let Action { id, prefix } = action;
        for what in ["Action status=DONE", "Action updated in DB!"] {
            self.push(
                ms,
                "INFO",
                "ActionStartXCommand:520",
                &format!("{prefix} [***{id}***]{what}"),
            );
        }
    }

    /// What is wrong on any day; the refused connection is YARN's.
    fn trouble(&mut self, ms: i64, rng: &mut Rng) {
        let action = self.action("refine", rng);
        let cause = "JA006: Call From an-coord1001/10.64.21.104 to an-master1001.eqiad.wmnet:8032 failed on connection \
                     exception: java.net.ConnectException: Connection refused; For more details see:  \
                     http://wiki.apache.org/hadoop/ConnectionRefused";
        let message = format!(
            "{} Error starting action [refine]. ErrorType [TRANSIENT], ErrorCode [JA006], Message [{cause}]",
            action.prefix
        );
        let stack = java(&[
            "org.apache.oozie.action.ActionExecutor.convertExceptionHelper(ActionExecutor.java:418)",
            "org.apache.oozie.action.hadoop.JavaActionExecutor.submitLauncher(JavaActionExecutor.java:987)",
        ]);
        let head = line(ms, "WARN", "ActionStartXCommand:523", &message);
        let text = format!("{head}org.apache.oozie.action.ActionExecutorException: {cause}\n{stack}");
        self.journals[0].push(ms, RecordMark::Everyday, text);
    }
}

/// The stack of a mail that failed; its end names the cause.
fn stack(attempt: &Attempt) -> String {
    let open = java(&[
        "com.sun.mail.smtp.SMTPTransport.openServer(SMTPTransport.java:1934)",
        "javax.mail.Transport.send(Transport.java:124)",
    ]);
    let connect = |exception: &str| {
        format!(
            "Caused by: javax.mail.MessagingException: Could not connect to SMTP host: {RELAY}, port: 25;\n  \
             nested exception is:\n\t{exception}\n{open}"
        )
    };
    let cause = match attempt.outcome {
        AttemptOutcome::Rejected => {
            let to = recipient(&attempt.mail);
            format!(
                "Caused by: javax.mail.SendFailedException: Invalid Addresses;\n  nested exception is:\n\t\
                 com.sun.mail.smtp.SMTPAddressFailedException: 550 Unrouteable address <{to}>\n{open}"
            )
        }
        AttemptOutcome::TimedOut => connect("java.net.SocketTimeoutException: connect timed out"),
        _ => connect("java.net.ConnectException: Connection refused (Connection refused)"),
    };
    let own = java(&[
        "org.apache.oozie.action.email.EmailActionExecutor.email(EmailActionExecutor.java:309)",
        "org.apache.oozie.action.email.EmailActionExecutor.start(EmailActionExecutor.java:99)",
        "org.apache.oozie.command.wf.ActionStartXCommand.execute(ActionStartXCommand.java:232)",
    ]);
    format!("org.apache.oozie.action.ActionExecutorException: {EM007}\n{own}{cause}\t... 9 more\n")
}

impl Application for Oozie {
    fn hour(&mut self, t: i64, rng: &mut Rng) {
        for minute in (0..60).step_by(15) {
            let ms = (t + 60 * minute) * 1000 + 41 + rng.secs(400);
            let message = "USER[-] GROUP[-] TOKEN[-] APP[-] JOB[-] ACTION[-] Acquired lock for \
                           [org.apache.oozie.service.StatusTransitService]";
            self.push(ms, "INFO", "StatusTransitService$StatusTransitRunnable:520", message);
        }
        for ms in times(t, 3.0, rng) {
            let action = self.action("refine", rng);
            self.start(ms, &action);
            self.done(ms + 40 + rng.secs(4000), &action);
        }
        for ms in times(t, 0.15, rng) {
            self.trouble(ms, rng);
        }
    }

    fn mail(&mut self, attempt: &Attempt, rng: &mut Rng) {
        let action = self.action("send_error_email", rng);
        let ms = within(attempt.t, rng);
        self.start(ms, &action);
        if attempt.outcome == AttemptOutcome::Accepted {
            return self.done(ms + 30 + rng.secs(500), &action);
        }
        // Both within the attempt's second.
        let ms = (ms + 7).min(attempt.t * 1000 + 999);
        let message = format!(
            "{} Error starting action [send_error_email]. ErrorType [ERROR], ErrorCode [EM007], Message [{EM007}]",
            action.prefix
        );
        let text = line(ms, "WARN", "ActionStartXCommand:523", &message) + &stack(attempt);
        self.journals[0].push(ms, RecordMark::Failed, text);
        let message = format!("{} Setting Action Status to [DONE]", action.prefix);
        self.push(ms, "WARN", "ActionStartXCommand:523", &message);
    }

    fn journals(&mut self) -> &mut [LogWriter] {
        &mut self.journals
    }
}

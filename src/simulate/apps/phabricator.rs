//! Phabricator's `daemons.log`: PHP puts its own date before every line, so each line of a trace is a record.
//!
//! A mail is a task. One that cannot be handed in is tried again after 15 s for every failure so far, and each failure
//! is logged: a mail is a task ID, not a line. Success is not logged.

use super::super::clock::RESTARTED;
use super::super::prng::Rng;
use super::application::Application;
use super::attempts::{Attempt, AttemptOutcome};
use super::log_writer::{LogWriter, RecordMark};
use super::phrases::{recipient, times, words};
use super::stamps::Moment;

pub(super) struct Phabricator {
    journals: Vec<LogWriter>,
    /// The last task's ID.
    task: i64,
}

/// What a trace begins with, and its innermost frames; the rest is left out, for there are many traces.
const VERSIONS: &str = "arcanist(head=wmf/stable, ref.wmf/stable=a5a2d8e8e4f1), \
     phabricator(head=wmf/stable, ref.wmf/stable=c1d4b7a0be55), phutil(head=wmf/stable, ref.wmf/stable=b48cc0ba9ae0)";
const CONNECT: [&str; 2] = [
    "PHPMailer::SmtpConnect() called at [<phabricator>/externals/phpmailer/class.phpmailer-lite.php:501]",
    "PhabricatorMetaMTAMail::sendNow() called at \
     [<phabricator>/src/applications/metamta/PhabricatorMetaMTAWorker.php:27]",
];
const SEND: [&str; 2] = [
    "PHPMailer::SmtpSend(string, string) called at [<phabricator>/externals/phpmailer/class.phpmailer-lite.php:460]",
    CONNECT[1],
];

/// A line as PHP's `error_log` writes it.
fn php(at: &Moment, text: &str) -> String {
    format!("[{}] {text}\n", at.php())
}

/// An exception and its trace.
fn exception(ms: i64, chain: &str, place: &str, frames: &[&str]) -> String {
    let at = Moment::new(ms);
    let head = format!("[{}] EXCEPTION: {chain} at [{place}]", at.plain());
    let mut text = php(&at, &head) + &php(&at, VERSIONS);
    for (n, frame) in frames.iter().enumerate() {
        text += &php(&at, &format!("  #{n} <#2> {frame}"));
    }
    text
}

/// A mail's exception.
fn failure(ms: i64, task: i64, (class, message): (&str, &str), place: &str, frames: &[&str]) -> String {
    let chain = format!("(PhutilProxyException) Error while executing Task ID {task}. {{>}} ({class}) {message}");
    exception(ms, &chain, place, frames)
}

/// When a mail fails that is first tried at `first` and handed in at `accepted`, in seconds.
///
/// After the n-th failure a task waits n × 15 s. When the relay takes it is the relay's story; all waits are stretched
/// to end there, as they are where taskmasters are busy. Only the last wait of a mail that was tried in the very last
/// seconds of the outage may be shorter.
pub(super) fn failures(first: i64, accepted: i64) -> Vec<i64> {
    let triangle = |n: i64| n * (n + 1) / 2;
    let span = accepted - first;
    let nth = |n: i64, of: i64| first + span * triangle(n) / triangle(of);
    let mut n = 1;
    while 15 * triangle(n + 1) <= span {
        n += 1;
    }
    // Before the restart all fail, and after it none does.
    while n > 1 && first < RESTARTED && accepted > RESTARTED && nth(n - 1, n) >= RESTARTED {
        n -= 1;
    }
    (0..n).map(|at| nth(at, n)).collect()
}

impl Phabricator {
    pub(super) fn new(journals: Vec<LogWriter>) -> Self {
        Self { journals, task: 0 }
    }

    /// A fresh task's ID.
    fn next_task(&mut self, t: i64) -> i64 {
        self.task = (self.task + 1).max(7_000_000 + (t - 1_526_000_000) / 4);
        self.task
    }

    /// What the overseer and other tasks write on any day. The refused connection is a repository's.
    fn everyday(&mut self, ms: i64, rng: &mut Rng) -> String {
        let at = Moment::new(ms);
        match rng.below(12) {
            0..=5 => {
                let pid = words("{d5}", rng);
                let messages = [
                    ("PID ", format!("Daemon PID {pid} is running.")),
                    ("HIBR", format!("Daemon {pid} is hibernating for 180 seconds.")),
                    (
                        "STDE",
                        format!("[Daemon {pid}] Unable to lock working copy; another process holds it."),
                    ),
                ];
                let (kind, message) = &messages[rng.below(3) as usize];
                format!("{} [{}] {message}\n", at.twelve_hours(), kind.trim_end())
            }
            6..=8 => {
                let list = words("{list}", rng);
                let chain = format!(
                    "(CommandException) Command failed with error #128! {{>}} fatal: unable to connect to \
                     git.wikimedia.org: {list}: Connection refused"
                );
                let frame = "PhabricatorRepositoryPullEngine::pullRepository() called at \
                     [<phabricator>/src/applications/repository/daemon/PhabricatorRepositoryPullLocalDaemon.php:389]";
                exception(ms, &chain, "<phutil>/src/future/exec/ExecFuture.php:380", &[frame])
            }
            _ => {
                let chain = format!(
                    "(PhutilProxyException) Error while executing Task ID {}. {{>}} \
                     (AphrontConnectionLostQueryException) #2006: MySQL server has gone away",
                    self.next_task(ms / 1000)
                );
                let frame = "PhabricatorWorkerActiveTask::executeTask() called at \
                     [<phabricator>/src/infrastructure/daemon/workers/PhabricatorTaskmasterDaemon.php:22]";
                let place = "<phutil>/src/aphront/storage/connection/mysql/AphrontBaseMySQLDatabaseConnection.php:353";
                exception(ms, &chain, place, &[frame])
            }
        }
    }
}

impl Application for Phabricator {
    fn hour(&mut self, t: i64, rng: &mut Rng) {
        let mut all = times(t, 3.5, rng);
        all.sort_unstable();
        for ms in all {
            let text = self.everyday(ms, rng);
            self.journals[0].push(ms, RecordMark::Everyday, text);
        }
    }

    fn mail(&mut self, attempt: &Attempt, _: &mut Rng) {
        let (task, t) = (self.next_task(attempt.t), attempt.t);
        let journal = &mut self.journals[0];
        let message = match (attempt.outcome, attempt.accepted) {
            (AttemptOutcome::Accepted, _) => return,
            (AttemptOutcome::Rejected, _) | (_, None) => {
                let message = format!(
                    "SMTP Error: The following recipients failed: {}",
                    recipient(&attempt.mail)
                );
                let class = "PhabricatorMetaMTAPermanentFailureException";
                let place = "<phabricator>/src/applications/metamta/storage/PhabricatorMetaMTAMail.php:812";
                let end = format!("Task \"{task}\" encountered a permanent failure and was cancelled.");
                let text = failure(t * 1000, task, (class, &message), place, &SEND);
                return journal.push(t * 1000, RecordMark::Failed, text + &php(&Moment::new(t * 1000), &end));
            }
            // PHPMailer does not say why.
            (AttemptOutcome::Refused | AttemptOutcome::TimedOut, _) => "SMTP Error: Could not connect to SMTP host.",
        };
        let place = "<phabricator>/externals/phpmailer/class.phpmailer.php:804";
        let mut mark = RecordMark::Failed;
        for at in failures(t, attempt.accepted.unwrap_or(t)) {
            let text = failure(at * 1000, task, ("phpmailerException", message), place, &CONNECT);
            journal.push(at * 1000, mark, text);
            mark = RecordMark::FailedAgain;
        }
    }

    fn journals(&mut self) -> &mut [LogWriter] {
        &mut self.journals
    }
}

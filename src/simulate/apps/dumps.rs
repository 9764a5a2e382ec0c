//! The dump workers of the snapshot hosts. Their own lines are dated; a mail that could not be sent is a `print` without
//! a date, then the whole mail over many lines. The cause is not said, and the mail is lost.

use super::super::letter;
use super::super::prng::Rng;
use super::application::Application;
use super::attempts::{Attempt, AttemptOutcome};
use super::log_writer::{LogWriter, RecordMark};
use super::phrases::{times, wiki, within};
use super::stamps::Moment;

pub(super) struct Dumps {
    /// One a host.
    journals: Vec<LogWriter>,
}

impl Dumps {
    pub(super) fn new(journals: Vec<LogWriter>) -> Self {
        Self { journals }
    }
}

/// A dated line.
fn line(ms: i64, text: &str) -> String {
    format!("{}: {text}\n", Moment::new(ms).plain())
}

/// Date of the month's run: `20180601`.
fn run(ms: i64) -> String {
    Moment::new(ms).year_and_month() + "01"
}

/// What a run says of itself. Commands are printed without a date.
fn everyday(ms: i64, rng: &mut Rng) -> String {
    let (wiki, run, dir) = (wiki(rng), run(ms), "/mnt/dumpsdata/xmldatadumps/public");
    match rng.below(10) {
        0 => {
            let script = "/srv/mediawiki/multiversion/MWScript.php dumpBackup.php";
            let command = format!("command /usr/bin/php7.0 {script} --wiki={wiki} --full --stub --report=1000");
            let pid = 1000 + rng.below(31_000);
            line(ms, &format!("{wiki} Creating split stubs")) + &format!("{command} ({pid}) started... \n")
        }
        1..=2 => line(ms, &format!("{wiki} Checkdir dir {dir}/{wiki}/{run} ...")),
        3 => line(
            ms,
            &format!("{wiki} Checksums: md5, sha1 for {wiki}-{run}-site_stats.sql.gz"),
        ),
        _ => {
            let (pages, rate) = (1000 * (1 + rng.below(900)), 20.0 + 400.0 * rng.unit());
            let (eta, max) = (
                Moment::new(ms + 1000 * rng.secs(90_000)).plain(),
                800_000_000 + rng.below(50_000_000),
            );
            let text = format!(
                "{wiki} (ID {}) {pages} pages ({rate:.1}|{:.1}/sec all|curr), {} revs ({:.1}|{:.1}/sec all|curr), \
                 ETA {eta} [max {max}]",
                1000 + rng.below(31_000),
                rate * 1.1,
                pages * 7,
                rate * 7.0,
                rate * 7.7
            );
            line(ms, &text)
        }
    }
}

/// The mail as Python 2 prints a message: an mbox line, the headers, the text.
fn mail(ms: i64, wiki: &str, host: &str, to: &str) -> String {
    let at = Moment::new(ms);
    format!(
        "From nobody {}\n\
         Content-Type: text/plain; charset=\"us-ascii\"\n\
         MIME-Version: 1.0\n\
         Content-Transfer-Encoding: 7bit\n\
         Subject: Dump failure for {wiki}\n\
         From: ops-dumps@wikimedia.org\n\
         To: {to}\n\
         \n\
         A problem with the dump of {wiki} on {host}, which failed at {}.\n\
         \n\
         More at https://dumps.wikimedia.org/{wiki}/{}/\n\
         \n",
        at.asctime(),
        at.plain(),
        run(ms)
    )
}

impl Application for Dumps {
    fn hour(&mut self, t: i64, rng: &mut Rng) {
        for journal in &mut self.journals {
            for ms in times(t, 1.8, rng) {
                journal.push(ms, RecordMark::Everyday, everyday(ms, rng));
            }
        }
    }

    fn mail(&mut self, attempt: &Attempt, rng: &mut Rng) {
        if attempt.outcome == AttemptOutcome::Accepted {
            return;
        }
        let draft = letter::draft(&attempt.mail, false);
        let own = |journal: &&mut LogWriter| draft.host().split('.').next() == Some(journal.host);
        let Some(journal) = self.journals.iter_mut().find(own) else {
            return;
        };
        let (ms, wiki) = (within(attempt.t, rng), wiki(rng));
        let text = line(
            ms,
            &format!("{wiki} Rerunning of failed jobs gave up: metahistory7zdump"),
        ) + "MAIL SEND FAILED! GODDAMIT! Was sending this mail:\n"
            + &mail(ms, &wiki, journal.host, "xmldatadumps-admin@wikimedia.org");
        journal.push(ms, RecordMark::Failed, text);
    }

    fn journals(&mut self) -> &mut [LogWriter] {
        &mut self.journals
    }
}

//! The eight services' own logs, beside the relays': what each application wrote about its mail, amid what it writes
//! on every other day.
//!
//! ```text
//! traffic ─▶ attempts ─▶ gerrit, hue, … ─▶ journal (records in order of time) ─▶ files (rotation)
//!            (one service's mails)            └▶ truth
//! ```
//!
//! The mails are those of the relays' logs: what the relay took is no failure here, what the outage refused is one,
//! at the planned time. Only the few failures outside the outage are an application's own (`attempts`).
//! One file an application; each knows its format and its phrases, and nothing of files or of the outage.

mod attempts;
mod dumps;
mod files;
mod gerrit;
mod hue;
mod journal;
mod oozie;
mod phabricator;
mod phrases;
mod sentry;
mod slimapp;
mod stamps;
#[cfg(test)]
mod tests;
mod truth;

use std::io;
use std::path::Path;

use super::clock::{DAY, HOUR, UNTIL};
use super::outage::Outage2018;
use super::prng::Rng;
use attempts::Attempt;
use files::Rotation;
use journal::Journal;
pub use truth::{AppTruth, Submissions};

/// An application and the logs that it keeps.
trait Application {
    /// Plans what it logs in the hour that starts at `t` (seconds) and says nothing of mail.
    fn hour(&mut self, t: i64, rng: &mut Rng);

    /// Plans what it logs about a mail; not earlier than ten minutes before the attempt.
    fn mail(&mut self, attempt: &Attempt, rng: &mut Rng);

    /// Its logs.
    fn journals(&mut self) -> &mut [Journal];
}

/// One log of one service on one host.
pub(super) struct Log {
    /// Kind of source that reads it.
    pub(super) kind: &'static str,
    pub(super) service: &'static str,
    pub(super) host: &'static str,
    /// Name of the file that is written to.
    pub(super) file: &'static str,
    /// What matches this file and all that are rotated of it, and what else belongs to the same source.
    pub(super) glob: &'static str,
    rotation: Rotation,
}

/// A log: kind, service and host, file and glob, rotation.
const fn log(
    kind: &'static str,
    (service, host): (&'static str, &'static str),
    (file, glob): (&'static str, &'static str),
    rotation: Rotation,
) -> Log {
    Log {
        kind,
        service,
        host,
        file,
        glob,
        rotation,
    }
}

const DAILY: Rotation = Rotation::Numbered { every: DAY };
const WEEKLY: Rotation = Rotation::Numbered { every: 7 * DAY };
const BY_DATE: Rotation = Rotation::Dated { every: DAY, plain: 1 };
const BY_HOUR: Rotation = Rotation::Dated { every: HOUR, plain: 12 };

/// All logs, in order of service.
pub(super) static LOGS: [Log; 14] = [
    log(
        "phabricator",
        ("phabricator", "phab1001"),
        ("daemons.log", "daemons.log*"),
        DAILY,
    ),
    log("gerrit", ("gerrit", "cobalt"), ("error_log", "error_log*"), BY_DATE),
    log(
        "gerrit",
        ("gerrit", "gerrit2001"),
        ("error_log.json", "error_log.json*"),
        BY_DATE,
    ),
    log(
        "hue",
        ("hue", "thorium"),
        ("runcpserver.log", "*.log*"),
        Rotation::Sized(250_000),
    ),
    log(
        "hue",
        ("hue", "thorium"),
        ("error.log", "*.log*"),
        Rotation::Sized(50_000),
    ),
    log(
        "slimapp",
        ("iegreview", "krypton"),
        ("iegreview.log", "iegreview.log*"),
        WEEKLY,
    ),
    log("oozie", ("oozie", "an-coord1001"), ("oozie.log", "oozie.log*"), BY_HOUR),
    log(
        "slimapp",
        ("wikimania_scholarships", "krypton"),
        ("scholarships.log", "scholarships.log*"),
        WEEKLY,
    ),
    log("sentry", ("sentry", "sentry1001"), ("worker.log", "worker.log*"), DAILY),
    dumps("snapshot1005"),
    dumps("snapshot1006"),
    dumps("snapshot1007"),
    dumps("snapshot1008"),
    dumps("snapshot1009"),
];

/// The log of a snapshot host.
const fn dumps(host: &'static str) -> Log {
    log("dumps", ("snapshot", host), ("dumps.log", "dumps.log*"), WEEKLY)
}

/// Names of the services that keep a log, in order.
fn services() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    LOGS.iter()
        .map(|log| log.service)
        .filter(move |&service| std::mem::replace(&mut last, service) != service)
}

/// The application of a service.
fn application(service: &str, journals: Vec<Journal>) -> Box<dyn Application> {
    match service {
        "phabricator" => Box::new(phabricator::Phabricator::new(journals)),
        "gerrit" => Box::new(gerrit::Gerrit::new(journals)),
        "hue" => Box::new(hue::Hue::new(journals)),
        "oozie" => Box::new(oozie::Oozie::new(journals)),
        "sentry" => Box::new(sentry::Sentry::new(journals)),
        "iegreview" => Box::new(slimapp::Slimapp::new(journals, &slimapp::IEGREVIEW)),
        "wikimania_scholarships" => Box::new(slimapp::Slimapp::new(journals, &slimapp::SCHOLARSHIPS)),
        "snapshot" => Box::new(dumps::Dumps::new(journals)),
        _ => unreachable!("every service of LOGS has its application"),
    }
}

/// Lines may be planned this long before their mail, in seconds.
const LAG: i64 = 600;

/// Writes `dir/HOST/FILE` and what is rotated of it, for all of `LOGS`.
pub(super) fn write(dir: &Path, spec: &Outage2018, from: i64) -> io::Result<AppTruth> {
    let mut truth = AppTruth::default();
    for (number, service) in services().enumerate() {
        let logs: Vec<&Log> = LOGS.iter().filter(|log| log.service == service).collect();
        let journals = logs.iter().map(|log| Journal::create(dir, log, from));
        let mut app = application(service, journals.collect::<io::Result<_>>()?);
        let mut planned = attempts::plan(spec, service, from);
        truth.add_plan(service, &planned);
        planned.attempts.sort_by_key(|attempt| (attempt.t, attempt.mail.key));
        let mut attempts = planned.attempts.iter().peekable();
        for hour in (from..UNTIL).step_by(HOUR as usize) {
            app.hour(hour, &mut Rng::stream(spec.seed, &[71, number as u64, hour as u64]));
            while let Some(attempt) = attempts.next_if(|attempt| attempt.t < hour + HOUR) {
                app.mail(attempt, &mut Rng::stream(attempt.mail.key, &[70]));
            }
            for journal in app.journals() {
                journal.drain(hour + HOUR - LAG)?;
            }
        }
        for (journal, log) in app.journals().iter_mut().zip(logs) {
            journal.drain(UNTIL)?;
            truth.add_journal(log, journal.finish()?);
        }
    }
    Ok(truth)
}

//! The eight services' own logs, beside the relays': what each application wrote about its mail, amid what it writes
//! on every other day.
//!
//! ```text
//! traffic ─▶ attempts ─▶ gerrit, hue, … ─▶ log_writer (records in order of time) ─▶ files (rotation)
//!            (one service's mails)            └▶ truth
//! ```
//!
//! The mails are those of the relays' logs: what the relay took is no failure here, what the outage refused is one,
//! at the planned time. Only the few failures outside the outage are an application's own (`attempts`).
//! One file an application; each knows its format and its phrases, and nothing of files or of the outage.

mod application;
mod attempts;
mod dumps;
mod files;
mod gerrit;
mod hue;
mod log_writer;
mod logs;
mod oozie;
mod phabricator;
mod phrases;
mod sentry;
mod slimapp;
mod stamps;
mod submissions;
#[cfg(test)]
mod tests;
mod truth;

use std::io;
use std::path::Path;

use super::clock::{HOUR, UNTIL};
use super::prng::Rng;
use super::scenario::Outage2018;
use application::Application;
use log_writer::LogWriter;
pub(super) use logs::LOGS;
use logs::{Log, services};
pub use submissions::Submissions;
pub use truth::AppTruth;

/// The application of a service.
fn application(service: &str, journals: Vec<LogWriter>) -> Box<dyn Application> {
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
        let journals = logs.iter().map(|log| LogWriter::create(dir, log, from));
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

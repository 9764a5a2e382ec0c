//! Which logs the applications keep, where, and how they are rotated.

use super::super::clock::{DAY, HOUR};
use super::files::Rotation;

/// One log of one service on one host.
pub(in crate::simulate) struct Log {
    /// Kind of source that reads it.
    pub(in crate::simulate) kind: &'static str,
    pub(in crate::simulate) service: &'static str,
    pub(in crate::simulate) host: &'static str,
    /// Name of the file that is written to.
    pub(in crate::simulate) file: &'static str,
    /// What matches this file and all that are rotated of it, and what else belongs to the same source.
    pub(in crate::simulate) glob: &'static str,
    pub(super) rotation: Rotation,
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
pub(in crate::simulate) static LOGS: [Log; 14] = [
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
pub(super) fn services() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    LOGS.iter()
        .map(|log| log.service)
        .filter(move |&service| std::mem::replace(&mut last, service) != service)
}

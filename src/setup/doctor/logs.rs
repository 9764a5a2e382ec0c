//! The logs: may they be read by who is to follow them?

use super::finding::{FaultArea, Finding, NextStep};
use super::service_user::ServiceUser;
use crate::model::human::counted;
use crate::setup::plan::Plan;
use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;

/// Files that are looked at; a central log tree has thousands.
const FILES_MAX: usize = 2_000;

/// Logs that cannot be read, in one finding.
pub(super) fn of(plan: &Plan, user: Option<&ServiceUser>) -> Option<Finding> {
    let paths = plan.files().map(|file| &file.path).chain(plan.refused());
    let paths: Vec<PathBuf> = paths.take(FILES_MAX).cloned().collect();
    let is_refused = |path: &PathBuf| File::open(path).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
    let refused: Vec<PathBuf> = match user {
        Some(user) => user.may_not("-r", &paths),
        None => paths.into_iter().filter(is_refused).collect(),
    };
    let first = refused.first()?;
    let more = match refused.len() {
        1 => String::new(),
        all => format!(" and {} more", counted(all as u64 - 1, "log")),
    };
    let who = user.map_or("this user".to_owned(), |user| format!("the user {}", user.name));
    let member = user.map_or("USER", |user| &user.name);
    Some(Finding::new(
        FaultArea::Permissions,
        "log_unreadable",
        format!("{}{more}: {who} may not read it", first.display()),
        NextStep::Words(match crate::store::group_that_reads(first) {
            Some(group) => format!("usermod -aG {group} {member}, then restart mailpulse"),
            None => format!("setfacl -m u:{member}:r {}, then restart mailpulse", first.display()),
        }),
    ))
}

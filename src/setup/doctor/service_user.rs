//! What the user of the daemons may read and write: tried as that user, because groups and access lists decide it too.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Who runs the units of the package.
const PACKAGED: &str = "mailpulse";
const UNIT: &str = "mailpulse.service";
/// Files of one call.
const FILES_MAX: usize = 500;

/// A user other than the one who asks.
#[derive(Debug)]
pub(super) struct ServiceUser {
    /// The name.
    pub(super) name: String,
    /// All groups, by names or numbers.
    groups: Vec<String>,
}

impl ServiceUser {
    /// The user who is named, or that of the unit, or of the package. None where nobody but root can act as others, or where
    /// there is no such user: then what this user may do is looked at.
    pub(super) fn of(named: Option<&str>) -> Option<ServiceUser> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let of_unit = unit();
        let name = named
            .map(str::to_owned)
            .or(of_unit.user)
            .unwrap_or_else(|| PACKAGED.to_owned());
        let own_group = own_group(&std::fs::read_to_string("/etc/passwd").unwrap_or_default(), &name)?;
        let mut groups = vec![own_group];
        let text = std::fs::read_to_string("/etc/group").unwrap_or_default();
        groups.extend(groups_of(&text, &name));
        groups.extend(of_unit.groups.into_iter().filter(|group| is_group(&text, group)));
        Some(ServiceUser { name, groups })
    }

    /// Which of the paths this user may not read (`-r`) or write (`-w`); nothing where it cannot be tried.
    pub(super) fn may_not(&self, test: &str, paths: &[PathBuf]) -> Vec<PathBuf> {
        let [group, ..] = self.groups.as_slice() else {
            return Vec::new();
        };
        let script = "t=$1; shift; for path; do test \"$t\" \"$path\" || printf '%s\\0' \"$path\"; done";
        let tried = |paths: &[PathBuf]| {
            let output = Command::new("setpriv")
                .args(["--reuid", &self.name, "--regid", group])
                .args(["--groups", &self.groups.join(",")])
                .args(["--", "sh", "-c", script, "sh", test])
                .args(paths)
                .stdin(Stdio::null())
                .output();
            let bytes = output.map(|output| output.stdout).unwrap_or_default();
            let names = bytes.split(|byte| *byte == 0).filter(|name| !name.is_empty());
            names
                .map(|name| PathBuf::from(OsStr::from_bytes(name)))
                .collect::<Vec<PathBuf>>()
        };
        paths.chunks(FILES_MAX).flat_map(tried).collect()
    }
}

/// What a unit's file and its drop-ins say.
#[derive(Debug, Default, PartialEq, Eq)]
struct UnitUser {
    user: Option<String>,
    groups: Vec<String>,
}

/// What systemd knows of the unit; nothing where it does not run.
fn unit() -> UnitUser {
    if !Path::new("/run/systemd/system").exists() {
        return UnitUser::default();
    }
    let output = Command::new("systemctl")
        .args(["show", "--property=User,SupplementaryGroups", UNIT])
        .stdin(Stdio::null())
        .output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    unit_of(std::str::from_utf8(&text).unwrap_or_default())
}

fn unit_of(text: &str) -> UnitUser {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
    UnitUser {
        user: value("User=").filter(|user| !user.is_empty()).map(str::to_owned),
        groups: value("SupplementaryGroups=")
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
    }
}

/// A user's own group, by its number, in a text like `/etc/passwd`.
fn own_group(passwd: &str, user: &str) -> Option<String> {
    let mut lines = passwd.lines().map(|line| line.split(':'));
    lines.find_map(|mut fields| (fields.next() == Some(user)).then(|| fields.nth(2).map(str::to_owned))?)
}

/// Groups that list a user, in a text like `/etc/group`.
fn groups_of(group: &str, user: &str) -> Vec<String> {
    let lines = group.lines().filter_map(|line| {
        let (name, rest) = line.split_once(':')?;
        let members = rest.rsplit(':').next()?;
        members.split(',').any(|member| member == user).then(|| name.to_owned())
    });
    lines.collect()
}

fn is_group(group: &str, name: &str) -> bool {
    group
        .lines()
        .any(|line| line.split_once(':').is_some_and(|(known, _)| known == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_a_user_are_all_that_count() {
        let passwd = "root:x:0:0::/root:/bin/sh\nmailpulse:x:998:997::/var/lib/mailpulse:/usr/sbin/nologin\n";
        assert_eq!(own_group(passwd, "mailpulse"), Some("997".to_owned()));
        assert_eq!(own_group(passwd, "mail"), None);
        let group = "adm:x:4:syslog,mailpulse\nmail:x:8:\nmailpulse:x:997:\n";
        assert_eq!(groups_of(group, "mailpulse"), ["adm"]);
        assert!(is_group(group, "mail") && !is_group(group, "systemd-journal"));
        let unit = unit_of("User=mailpulse\nSupplementaryGroups=adm systemd-journal\n");
        assert_eq!(unit.user.as_deref(), Some("mailpulse"));
        assert_eq!(unit.groups, ["adm", "systemd-journal"]);
        assert_eq!(unit_of("User=\nSupplementaryGroups=\n"), UnitUser::default());
    }
}

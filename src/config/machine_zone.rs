//! The zone of this machine: what its programs write their logs in, unless they are told otherwise.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::zone::parse_timezone;

/// Larger is no file of a zone's rules.
const RULES_BYTES_MAX: u64 = 64 << 10;
/// Names of zones that are compared with a copy, at most.
const NAMES_MAX: usize = 5_000;
/// Links that are followed from `/etc/localtime`.
const LINKS_MAX: usize = 8;

/// A zone, and what said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MachineZone {
    /// Its IANA name, or an offset.
    pub name: String,
    /// Its rules.
    pub zone: TimeZone,
    /// What said so: `TZ`, `/etc/localtime`.
    pub from: &'static str,
}

impl MachineZone {
    /// Name and rules, for messages.
    #[must_use]
    pub(crate) fn named(self) -> (String, TimeZone) {
        (self.name, self.zone)
    }
}

/// The zone of the machine below a root (`/` for this one), in the order in which programs ask: `TZ` of this process (`tz`)
/// and of the first process, the link or copy `/etc/localtime`, and the files that name it on systems without a link.
/// Rules that have no name here are given as the offset of `now`. `None` where nothing says anything: libc takes UTC then.
#[must_use]
pub(crate) fn machine_zone(root: &Path, tz: Option<&str>, now: Timestamp) -> Option<MachineZone> {
    let below = |path: &str| root.join(path.trim_start_matches('/'));
    let named = |from, name: &str| zone_named(name).map(|(name, zone)| MachineZone { name, zone, from });
    tz.and_then(|text| named("TZ", text))
        .or_else(|| named("TZ of the first process", &first_process(&below("/proc/1/environ"))?))
        .or_else(|| named("/etc/localtime", &linked(&below("/etc/localtime"))?))
        .or_else(|| copied(&below("/etc/localtime"), &below("/usr/share/zoneinfo"), now))
        .or_else(|| named("/etc/timezone", &text_of(&below("/etc/timezone"))?))
        .or_else(|| {
            named(
                "/etc/sysconfig/clock",
                &assigned(&text_of(&below("/etc/sysconfig/clock"))?)?,
            )
        })
        .or_else(|| named("/etc/conf.d/clock", &assigned(&text_of(&below("/etc/conf.d/clock"))?)?))
        .or_else(|| named("/var/db/zoneinfo", &text_of(&below("/var/db/zoneinfo"))?))
        .or_else(|| named("/etc/TZ", &text_of(&below("/etc/TZ"))?))
}

/// What `TZ` may say: a name, with or without a colon, or a path. Rules of their own (`CET-1CEST`) have no name.
fn zone_named(text: &str) -> Option<(String, TimeZone)> {
    let text = text.trim().trim_start_matches(':');
    let name = text.split_once("zoneinfo/").map_or(text, |(_, name)| name);
    let name = ["posix/", "right/"]
        .iter()
        .find_map(|folder| name.strip_prefix(folder))
        .unwrap_or(name);
    if name.is_empty() || name.starts_with('/') {
        return None;
    }
    Some((name.to_owned(), parse_timezone(name).ok()?))
}

fn first_process(environ: &Path) -> Option<String> {
    let text = text_of(environ)?;
    text.split('\0')
        .find_map(|pair| pair.strip_prefix("TZ="))
        .map(str::to_owned)
}

/// Where a link leads, through others: `/etc/alternatives` and the like.
fn linked(path: &Path) -> Option<String> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let to = fs::read_link(&path).ok()?;
        if let Some((_, name)) = to.to_str()?.split_once("zoneinfo/") {
            return Some(name.to_owned());
        }
        path = path.parent()?.join(to);
    }
    None
}

/// A copy is known by its content; of the names that have it, one that stands in `zone1970.tab`.
fn copied(path: &Path, names: &Path, now: Timestamp) -> Option<MachineZone> {
    let rules = bytes_of(path).filter(|rules| rules.starts_with(b"TZif"))?;
    let canonical = text_of(&names.join("zone1970.tab")).unwrap_or_default();
    let rank = |name: &str| !canonical.split(['\t', '\n']).any(|word| word == name);
    let name = same_rules(names, &rules)
        .into_iter()
        .min_by_key(|name| (rank(name), name.clone()));
    let zone = TimeZone::tzif("/etc/localtime", &rules).ok()?;
    let (name, zone) = match name.and_then(|name| zone_named(&name)) {
        Some(named) => named,
        // Rules that nobody names here: the offset of today.
        None => {
            let seconds = zone.to_offset(now).seconds();
            let sign = if seconds < 0 { '-' } else { '+' };
            let minutes = seconds.abs() / 60;
            zone_named(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60))?
        }
    };
    Some(MachineZone {
        name,
        zone,
        from: "/etc/localtime",
    })
}

/// Names below a folder whose files have this content.
fn same_rules(folder: &Path, rules: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    let mut left = NAMES_MAX;
    while let Some(next) = folders.pop() {
        let Ok(entries) = fs::read_dir(&next) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if left == 0 {
                return found;
            }
            left -= 1;
            let name = path.strip_prefix(folder).ok().and_then(Path::to_str).map(str::to_owned);
            let Some(name) = name else { continue };
            if path.is_dir() {
                // The same zones once more, and with leap seconds.
                if !matches!(name.as_str(), "posix" | "right") {
                    folders.push(path);
                }
            } else if fs::metadata(&path).is_ok_and(|found| found.len() == rules.len() as u64)
                && !matches!(name.as_str(), "localtime" | "posixrules")
                && bytes_of(&path).is_some_and(|bytes| bytes == rules)
            {
                found.push(name);
            }
        }
    }
    found
}

/// `ZONE="Europe/Berlin"` or `TIMEZONE=…`.
fn assigned(text: &str) -> Option<String> {
    let value = |line: &str| {
        let (key, value) = line.split_once('=')?;
        matches!(key.trim(), "ZONE" | "TIMEZONE").then(|| value.trim().trim_matches(['"', '\'']).to_owned())
    };
    text.lines().find_map(value).filter(|name| !name.is_empty())
}

fn text_of(path: &Path) -> Option<String> {
    bytes_of(path).and_then(|bytes| String::from_utf8(bytes).ok())
}

fn bytes_of(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).ok()?;
    file.take(RULES_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn machine(files: &[(&str, &[u8])], links: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let make = |path: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            path
        };
        files
            .iter()
            .for_each(|(path, bytes)| fs::write(make(path), bytes).unwrap());
        links.iter().for_each(|(path, to)| symlink(to, make(path)).unwrap());
        root
    }

    fn name(root: &tempfile::TempDir, tz: Option<&str>) -> Option<String> {
        machine_zone(root.path(), tz, Timestamp::UNIX_EPOCH).map(|zone| zone.name)
    }

    #[test]
    fn every_way_in_which_a_system_says_its_zone() {
        let berlin = Some("Europe/Berlin".to_owned());
        let files: [(&str, &[u8]); 7] = [
            ("etc/timezone", b"Europe/Berlin\n"),
            ("etc/sysconfig/clock", b"# clock\nZONE=\"Europe/Berlin\"\nUTC=true\n"),
            ("etc/conf.d/clock", b"TIMEZONE='Europe/Berlin'\n"),
            ("var/db/zoneinfo", b"Europe/Berlin\n"),
            ("etc/TZ", b"Europe/Berlin\n"),
            ("proc/1/environ", b"PATH=/bin\0TZ=Europe/Berlin\0"),
            ("proc/1/environ", b"TZ=:/usr/share/zoneinfo/Europe/Berlin"),
        ];
        for file in files {
            assert_eq!(name(&machine(&[file], &[]), None), berlin, "{file:?}");
        }
        for to in [
            "/usr/share/zoneinfo/Europe/Berlin",
            "../usr/share/zoneinfo/posix/Europe/Berlin",
            "/usr/share/zoneinfo/right/Europe/Berlin",
        ] {
            assert_eq!(name(&machine(&[], &[("etc/localtime", to)]), None), berlin, "{to}");
        }
        let through = machine(
            &[],
            &[
                ("etc/localtime", "alternatives/localtime"),
                ("etc/alternatives/localtime", "/usr/share/zoneinfo/Europe/Berlin"),
            ],
        );
        assert_eq!(name(&through, None), berlin);
        // What is set for this process goes before the machine's files, as in libc.
        let utc = machine(
            &[("etc/timezone", b"Etc/UTC\n")],
            &[("etc/localtime", "/usr/share/zoneinfo/Etc/UTC")],
        );
        assert_eq!(name(&utc, Some(":Europe/Berlin")), berlin);
        assert_eq!(name(&utc, None).as_deref(), Some("Etc/UTC"));
        assert_eq!(
            name(&utc, Some("CET-1CEST,M3.5.0,M10.5.0/3")).as_deref(),
            Some("Etc/UTC")
        );
        assert_eq!(name(&machine(&[], &[]), None), None);
        assert_eq!(
            name(&machine(&[("etc/timezone", b"Europe/Atlantis\n")], &[]), None),
            None
        );
    }

    #[test]
    fn a_copy_is_known_by_its_content() {
        let rules = fs::read("/usr/share/zoneinfo/Europe/Berlin").expect("tzdata is installed");
        let other = fs::read("/usr/share/zoneinfo/Asia/Tokyo").unwrap();
        let root = machine(
            &[
                ("etc/localtime", &rules),
                ("usr/share/zoneinfo/Arctic/Longyearbyen", &rules),
                ("usr/share/zoneinfo/Europe/Berlin", &rules),
                ("usr/share/zoneinfo/Asia/Tokyo", &other),
                (
                    "usr/share/zoneinfo/zone1970.tab",
                    b"DE,DK\t+5230+01322\tEurope/Berlin\tmost\n",
                ),
            ],
            &[],
        );
        assert_eq!(name(&root, None).as_deref(), Some("Europe/Berlin"));
        // Without names there is the offset.
        let bare = machine(&[("etc/localtime", &other)], &[]);
        assert_eq!(name(&bare, None).as_deref(), Some("+09:00"));
        assert_eq!(name(&machine(&[("etc/localtime", b"junk")], &[]), None), None);
    }
}

//! Which files are generations of one log, and in which order they were written: told by their names.

use std::cmp::Reverse;

/// Endings of archives, which say nothing about the generation.
const ARCHIVE_ENDINGS: [&[u8]; 5] = [b".gz", b".zst", b".bz2", b".xz", b".Z"];

/// Endings that no log has, whatever stands before.
const OTHER_ENDINGS: [&[u8]; 22] = [
    b"tar", b"tgz", b"zip", b"html", b"htm", b"png", b"svg", b"pos", b"lock", b"tmp", b"part", b"swp", b"conf", b"py",
    b"pl", b"rs", b"md", b"db", b"parquet", b"sqlite", b"idx", b"journal",
];

/// Stems of logs that do not have "log" in their name.
const LOG_STEMS: [&[u8]; 6] = [b"mail", b"mail.info", b"mail.warn", b"mail.err", b"messages", b"exim"];

/// Which generation a file is. In this order the oldest comes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Age {
    /// By date, as digits from the year on, and a number after it.
    Dated(Vec<u8>, Reverse<u32>),
    /// By number: the higher, the older.
    Numbered(Reverse<u32>),
    /// The one that is being written.
    Live,
}

/// A file name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// What all generations share.
    pub(super) stem: Vec<u8>,
    pub(super) age: Age,
}

impl Name {
    /// `mainlog.2.gz` is `mainlog`, numbered 2; `main-20180606.log` is `main.log`, of that date.
    pub(super) fn parse(name: &[u8]) -> Name {
        let bare = without_archive_ending(name);
        if let Some((stem, age)) = generation(bare) {
            return Name {
                stem: stem.to_vec(),
                age,
            };
        }
        if let Some(before) = bare.strip_suffix(b".log")
            && let Some((stem, age)) = generation(before)
        {
            return Name {
                stem: [stem, b".log"].concat(),
                age,
            };
        }
        Name {
            stem: bare.to_vec(),
            age: Age::Live,
        }
    }

    /// Whether a file found in a folder is worth opening.
    pub(super) fn looks_like_log(&self) -> bool {
        let stem = self.stem.to_ascii_lowercase();
        let mut words = stem.split(|byte| b".-_".contains(byte));
        let ending = stem
            .rsplit(|byte| *byte == b'.')
            .next()
            .filter(|ending| ending.len() < stem.len());
        if stem.ends_with(b"~") || ending.is_some_and(|ending| OTHER_ENDINGS.contains(&ending)) {
            return false;
        }
        // Binary, in every /var/log.
        if stem == b"lastlog" || stem == b"faillog" {
            return false;
        }
        let by_ending = ending.is_some_and(|ending| [b"jsonl".as_slice(), b"ndjson", b"err"].contains(&ending));
        by_ending || LOG_STEMS.contains(&stem.as_slice()) || words.any(|word| word.ends_with(b"log") || word == b"logs")
    }
}

fn without_archive_ending(name: &[u8]) -> &[u8] {
    ARCHIVE_ENDINGS
        .iter()
        .find_map(|ending| name.strip_suffix(*ending))
        .filter(|bare| !bare.is_empty())
        .unwrap_or(name)
}

/// The stem and the generation, if the name ends in one.
fn generation(name: &[u8]) -> Option<(&[u8], Age)> {
    if let Some((stem, number)) = numbered(name) {
        return Some(match dated(stem) {
            Some((stem, date)) => (stem, Age::Dated(date, Reverse(number))),
            None => (stem, Age::Numbered(Reverse(number))),
        });
    }
    dated(name).map(|(stem, date)| (stem, Age::Dated(date, Reverse(0))))
}

/// `stem.N`, up to four digits.
fn numbered(name: &[u8]) -> Option<(&[u8], u32)> {
    let dot = memchr::memrchr(b'.', name).filter(|dot| *dot > 0)?;
    let digits = &name[dot + 1..];
    let plausible = (1..=4).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    plausible.then(|| {
        (
            &name[..dot],
            digits
                .iter()
                .fold(0, |number, digit| number * 10 + u32::from(digit - b'0')),
        )
    })
}

/// `stem-20180606`, `stem.2018-06-06_23-59`, `stem-201806`: a date, and perhaps a time or a count of seconds.
fn dated(name: &[u8]) -> Option<(&[u8], Vec<u8>)> {
    let starts = (1..name.len()).filter(|at| b".-_".contains(&name[*at]));
    starts
        .into_iter()
        .find_map(|at| date_digits(&name[at + 1..]).map(|digits| (&name[..at], digits)))
}

/// The digits of a date, if there is nothing else but separators.
fn date_digits(text: &[u8]) -> Option<Vec<u8>> {
    let separators = b"-_.:TZ+";
    if !text.first()?.is_ascii_digit()
        || !text
            .iter()
            .all(|byte| byte.is_ascii_digit() || separators.contains(byte))
    {
        return None;
    }
    let digits: Vec<u8> = text.iter().copied().filter(u8::is_ascii_digit).collect();
    let number = |from: usize, to: usize| {
        let digits = digits.get(from..to)?;
        Some(
            digits
                .iter()
                .fold(0u32, |number, digit| number * 10 + u32::from(digit - b'0')),
        )
    };
    let year = number(0, 4).is_some_and(|year| (1990..2100).contains(&year));
    let month = number(4, 6).is_some_and(|month| (1..=12).contains(&month));
    let day = digits.len() == 6 || number(6, 8).is_some_and(|day| (1..=31).contains(&day));
    (year && month && day).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(name: &str) -> (String, String) {
        let Name { stem, age } = Name::parse(name.as_bytes());
        let age = match age {
            Age::Dated(digits, Reverse(0)) => String::from_utf8(digits).unwrap(),
            Age::Dated(digits, Reverse(n)) => format!("{}#{n}", String::from_utf8(digits).unwrap()),
            Age::Numbered(Reverse(n)) => format!("#{n}"),
            Age::Live => "live".to_owned(),
        };
        (String::from_utf8(stem).unwrap(), age)
    }

    #[test]
    fn names_of_every_rotation_scheme() {
        for (name, stem, age) in [
            ("mainlog", "mainlog", "live"),
            ("mainlog.1", "mainlog", "#1"),
            ("mainlog.02", "mainlog", "#2"),
            ("mainlog.10.gz", "mainlog", "#10"),
            ("mail.1.log.xz", "mail.log", "#1"),
            ("mail.log.1", "mail.log", "#1"),
            ("mainlog-20180606.gz", "mainlog", "20180606"),
            ("mainlog.20180606", "mainlog", "20180606"),
            ("mainlog-2018-06-06_00-00-01.zst", "mainlog", "20180606000001"),
            ("mainlog-20180606T120000Z", "mainlog", "20180606120000"),
            ("mainlog-20180606-1528243200", "mainlog", "201806061528243200"),
            ("mainlog-20180606.2.bz2", "mainlog", "20180606#2"),
            ("main-20180606.log", "main.log", "20180606"),
            ("main-201806.log", "main.log", "201806"),
            ("main-20181399.log", "main-20181399.log", "live"),
            ("mx1001-mainlog", "mx1001-mainlog", "live"),
            (".gz", ".gz", "live"),
            ("20180606", "20180606", "live"),
        ] {
            assert_eq!(parsed(name), (stem.to_owned(), age.to_owned()), "{name}");
        }
    }

    #[test]
    fn only_names_of_logs_are_taken_from_a_folder() {
        let logs = [
            "mainlog",
            "rejectlog.2.gz",
            "mail.log",
            "mail.info.1",
            "messages-20180606.xz",
            "gerrit_log.json",
        ];
        let more = ["sentry.jsonl", "syslog", "main-20180606.log", "logs", "EXIM.LOG"];
        for name in logs.into_iter().chain(more) {
            assert!(Name::parse(name.as_bytes()).looks_like_log(), "{name}");
        }
        let others = [
            "mainlog.tar.gz",
            "logo.png",
            "login.html",
            "log.py",
            "mainlog~",
            "mainlog.swp",
            "README",
            "lastlog",
        ];
        for name in others
            .into_iter()
            .chain(["core", "wtmp", "mainlog.2.gz.part", "data.parquet"])
        {
            assert!(!Name::parse(name.as_bytes()).looks_like_log(), "{name}");
        }
    }
}

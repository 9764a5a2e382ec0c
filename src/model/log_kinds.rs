//! Kinds of logs, as the configuration, the catalogue and the commands name them: the one list of them.

use mailpulse_parsers::sniff;

/// What reads a kind of log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KindReader {
    /// Exim's main log.
    Exim,
    /// Postfix.
    Postfix,
    /// An application's format that is built in.
    BuiltIn,
    /// An application's format that the configuration describes.
    Described,
}

/// A kind of log.
#[derive(Debug)]
pub struct LogKind {
    /// Its name.
    pub name: &'static str,
    /// What reads it.
    pub reader: KindReader,
    /// The service that it is usually of.
    pub usual_service: Option<&'static str>,
    /// It tells of messages that pass from host to host.
    pub is_mta: bool,
    /// Its program writes one record into several files.
    pub writes_copies: bool,
    /// What its content looks like.
    looks: &'static [sniff::Kind],
}

/// Exim's main log.
pub const EXIM: &str = "exim";
/// Postfix' log.
pub const POSTFIX: &str = "postfix";

/// Of a format that is described.
const fn described(name: &'static str) -> LogKind {
    LogKind {
        name,
        reader: KindReader::Described,
        usual_service: None,
        is_mta: false,
        writes_copies: false,
        looks: &[],
    }
}

const fn mta(name: &'static str, reader: KindReader, looks: &'static [sniff::Kind]) -> LogKind {
    LogKind {
        name,
        reader,
        usual_service: None,
        is_mta: true,
        writes_copies: false,
        looks,
    }
}

const fn app(name: &'static str, usual_service: Option<&'static str>, looks: &'static [sniff::Kind]) -> LogKind {
    LogKind {
        name,
        reader: KindReader::BuiltIn,
        usual_service,
        is_mta: false,
        writes_copies: false,
        looks,
    }
}

/// All kinds. A new one is added here, and where the configuration's text is read (`config::raw`).
pub static LOG_KINDS: [LogKind; KINDS_COUNT] = TABLE;

const KINDS_COUNT: usize = 11;

const TABLE: [LogKind; KINDS_COUNT] = {
    use sniff::Kind;
    [
        mta(
            EXIM,
            KindReader::Exim,
            &[Kind::EximMain, Kind::EximSyslog, Kind::EximForeground],
        ),
        mta(POSTFIX, KindReader::Postfix, &[Kind::Postfix]),
        app("gerrit", Some("gerrit"), &[Kind::Gerrit]),
        app("phabricator", Some("phabricator"), &[Kind::Phabricator]),
        LogKind {
            writes_copies: true,
            ..app("hue", Some("hue"), &[Kind::Hue])
        },
        app("oozie", Some("oozie"), &[Kind::Oozie]),
        app("sentry", Some("sentry"), &[Kind::Sentry]),
        app("slimapp", None, &[Kind::Slimapp]),
        app("dumps", Some("snapshot"), &[Kind::Dumps]),
        described("json"),
        described("pattern"),
    ]
};

/// The names of all kinds.
pub const KIND_NAMES: [&str; KINDS_COUNT] = {
    let mut names = [""; KINDS_COUNT];
    let mut at = 0;
    while at < KINDS_COUNT {
        names[at] = TABLE[at].name;
        at += 1;
    }
    names
};

impl LogKind {
    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static LogKind> {
        LOG_KINDS.iter().find(|kind| kind.name == name)
    }

    /// The kind that reads what a sample looks like.
    #[must_use]
    pub fn of_look(look: sniff::Kind) -> Option<&'static LogKind> {
        LOG_KINDS.iter().find(|kind| kind.looks.contains(&look))
    }
}

/// Whether a kind's logs tell of messages that pass from host to host.
#[must_use]
pub fn is_mta(kind: &str) -> bool {
    LogKind::named(kind).is_some_and(|kind| kind.is_mta)
}

/// The service that a kind of log is usually of.
#[must_use]
pub fn usual_service(kind: &str) -> Option<&'static str> {
    LogKind::named(kind)?.usual_service
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailpulse_parsers::app::Format;

    #[test]
    fn every_kind_has_a_reader_of_its_name() {
        for kind in &LOG_KINDS {
            let format = Format::named(kind.name).map(|format| format.as_str());
            let is_built_in = kind.reader == KindReader::BuiltIn;
            assert_eq!(format, is_built_in.then_some(kind.name), "{}", kind.name);
            assert_eq!(
                kind.looks.is_empty(),
                kind.reader == KindReader::Described,
                "{}",
                kind.name
            );
            assert!(
                kind.looks
                    .iter()
                    .all(|look| LogKind::of_look(*look).unwrap().name == kind.name)
            );
        }
        assert!(is_mta("exim") && is_mta("postfix") && !is_mta("gerrit") && !is_mta("x"));
    }
}

//! The corpus of replies: a line has the expected reason, who says it, the provider's own code or nothing, and the text.

use mailpulse_parsers::reply::{
    Enhanced, Reason, Reply, classify, classify_own, classify_with_dsn, classify_with_errno,
};
use std::path::Path;

/// A line of the corpus.
pub(crate) struct Entry {
    /// The reason that is right.
    pub expected: String,
    /// `reply` a remote host's, `own` an answer of this host, `app` an application's, `exim[:errno]`, `postfix:dsn`.
    pub speaker: String,
    /// The provider's own code; empty where the corpus does not say.
    pub provider_code: String,
    /// The text.
    pub text: String,
}

impl Entry {
    /// What the parser says of it.
    pub(crate) fn read(&self) -> Reply {
        let text = self.text.as_bytes();
        match self.speaker.split_once(':').unwrap_or((&self.speaker, "")) {
            ("own", _) => classify_own(text, None),
            ("exim", errno) => classify_with_errno(text, errno.parse().ok()),
            ("postfix", dsn) => classify_with_dsn(text, Some(enhanced(dsn))),
            _ => classify(text),
        }
    }
}

fn enhanced(dsn: &str) -> Enhanced {
    let parts: Vec<u16> = dsn.split('.').map(|part| part.parse().expect("a number")).collect();
    Enhanced {
        class: u8::try_from(parts[0]).expect("a class"),
        subject: parts[1],
        detail: parts[2],
    }
}

/// The lines of a file of the corpus.
pub(crate) fn entries(name: &str) -> Vec<Entry> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/replies").join(name);
    let text = std::fs::read_to_string(&path).expect("a corpus");
    let entry = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [expected, speaker, provider_code, text] = fields[..] else {
            panic!("four fields: {line}");
        };
        Entry {
            expected: expected.to_owned(),
            speaker: speaker.to_owned(),
            provider_code: provider_code.to_owned(),
            text: text.to_owned(),
        }
    };
    text.lines().filter(|line| !line.starts_with('#')).map(entry).collect()
}

/// A line a class that occurs: its name, how many there are, how many are read as such, and as what else.
pub(crate) struct Row {
    /// The class.
    pub class: &'static str,
    /// Lines of the class.
    pub lines: usize,
    /// Those that are read so.
    pub right: usize,
    /// What the others are read as, with their number.
    pub wrong: Vec<(&'static str, usize)>,
}

/// The confusion matrix.
pub(crate) fn matrix(entries: &[Entry]) -> Vec<Row> {
    let row = |class: &Reason| {
        let class = class.as_str();
        let of_class = entries.iter().filter(|entry| entry.expected == class);
        let read: Vec<&str> = of_class.map(|entry| entry.read().reason.as_str()).collect();
        let count = |name: &str| read.iter().filter(|known| **known == name).count();
        let others = Reason::ALL
            .iter()
            .map(|reason| (reason.as_str(), count(reason.as_str())));
        Row {
            class,
            lines: read.len(),
            right: count(class),
            wrong: others.filter(|(name, lines)| *name != class && *lines > 0).collect(),
        }
    };
    Reason::ALL.iter().map(row).filter(|row| row.lines > 0).collect()
}

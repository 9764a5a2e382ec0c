//! What works, and is probably not meant.

/// What a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WarningTopic {
    /// The text of the configuration.
    Text,
    /// A folder of logs that does not exist.
    Folder,
    /// A folder of logs that this user may not enter.
    ClosedFolder,
    /// A log that is there, and that this user may not read.
    RefusedLog,
    /// A path that no file matches.
    Paths,
    /// What the lines of a log are.
    Kind,
    /// The zone of a log.
    Zone,
    /// How many relays services have.
    Redundancy,
    /// Who is ours.
    Ours,
    /// A file that the configuration names.
    NamedFile,
}

/// What works, and is probably not meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigWarning {
    /// What it is about.
    pub topic: WarningTopic,
    /// What is wrong and what to do, for people.
    pub words: String,
}

impl WarningTopic {
    /// A warning about it.
    pub(super) fn says(self, words: impl std::fmt::Display) -> ConfigWarning {
        ConfigWarning {
            topic: self,
            words: words.to_string(),
        }
    }
}

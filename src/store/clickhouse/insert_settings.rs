//! What inserts are sent with.

/// Settings for inserts, agreed with a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InsertSettings(pub(super) Vec<(&'static str, &'static str)>);

impl InsertSettings {
    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.0.iter().copied()
    }
}

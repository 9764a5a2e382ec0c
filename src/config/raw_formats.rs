//! The keys of a `[[source]]` that describe a log of kind `pattern` or `json`, as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::raw::At;

/// A shape that records have, and what such a record means.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTemplate {
    /// What a record of this shape means.
    #[schemars(required)]
    pub outcome: Option<At<RawOutcome>>,
    /// The shape: text, and names in braces for what varies: {time:%Y-%m-%d %H:%M:%S} {level:word} {reason}. `{_}` is
    /// read over, `{{` and `}}` are braces.
    #[schemars(required)]
    pub text: Option<At<String>>,
    /// The application tries such a failure again by itself; default false.
    pub retried: Option<At<bool>>,
}

/// What a record means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawOutcome {
    /// A mail was handed in.
    Submitted,
    /// It was not.
    Failed,
    /// Nothing about mail.
    Other,
}

/// Where a JSON object has what: paths, names joined by dots.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawFields {
    /// The time; without it, records have none.
    pub time: Option<At<String>>,
    /// Form of the time: rfc3339, epoch, epoch_ms, or directives of strftime; default by the value's type.
    pub time_format: Option<At<String>>,
    /// The level.
    pub level: Option<At<String>>,
    /// The logger, class or channel.
    pub logger: Option<At<String>>,
    /// The host that wrote.
    pub host: Option<At<String>>,
    /// The message: the reason where `reason` says nothing.
    pub message: Option<At<String>>,
    /// What identifies the mail or its task across retries; default the Message-ID.
    pub key: Option<At<String>>,
    /// The sender.
    pub sender: Option<At<String>>,
    /// The recipient: an address, a text with addresses, or a list.
    pub recipient: Option<At<String>>,
    /// The mail server.
    pub relay: Option<At<String>>,
    /// The Message-ID.
    pub message_id: Option<At<String>>,
    /// Why it failed.
    pub reason: Option<At<String>>,
}

/// Conditions by field: all of them must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct RawConditions(pub BTreeMap<String, At<RawTest>>);

/// What must hold for a field. A text with `*` or `?` is a glob, any other must be equal.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum RawTest {
    /// As a text.
    Text(String),
    /// As a table.
    Table(RawTestTable),
}

/// One of these.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unknown" = "a field inside another is written in quotes, `\"exception.class\" = …`"))]
pub(super) struct RawTestTable {
    /// The whole text is this.
    pub equals: Option<String>,
    /// This stands in it.
    pub contains: Option<String>,
    /// The whole text matches: `*` is any text, `?` one character.
    pub glob: Option<String>,
    /// Whether the field is there.
    pub present: Option<bool>,
}

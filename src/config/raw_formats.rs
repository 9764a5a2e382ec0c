//! The keys of a `[[source]]` that describe a log of kind `pattern` or `json`, as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::at::At;

/// A template of records, and the meaning of a record that matches it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTemplate {
    /// The meaning of a record that matches.
    #[schemars(required, example = &"failed")]
    pub outcome: Option<At<RawOutcome>>,
    /// Text with placeholders in braces for the parts that vary. `{_}` skips a part; `{{` and `}}` are literal braces.
    #[schemars(required, example = &"{time:%Y-%m-%d %H:%M:%S} ERROR mail to {recipient} failed: {reason}")]
    pub text: Option<At<String>>,
    /// Whether the application retries such a failure.
    #[schemars(example = true, extend("default" = false))]
    pub retried: Option<At<bool>>,
}

/// The meaning of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawOutcome {
    /// A mail was submitted.
    Submitted,
    /// A submission failed.
    Failed,
    /// The record is not about mail.
    Other,
}

/// The paths of the fields of a JSON object. A path is names joined by dots.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawFields {
    /// The timestamp. Without it, records have no time.
    #[schemars(example = &"time")]
    pub time: Option<At<String>>,
    /// Format of the timestamp: `rfc3339`, `epoch`, `epoch_ms`, or `strftime` directives.
    #[schemars(example = &"epoch_ms", extend("x-default" = "determined by the type of the value"))]
    pub time_format: Option<At<String>>,
    /// The severity level.
    #[schemars(example = &"level")]
    pub level: Option<At<String>>,
    /// The logger, class, or channel.
    #[schemars(example = &"logger")]
    pub logger: Option<At<String>>,
    /// The host that wrote the record.
    #[schemars(example = &"host.name")]
    pub host: Option<At<String>>,
    /// The message. It is the reason of a failure if `reason` is empty.
    #[schemars(example = &"message")]
    pub message: Option<At<String>>,
    /// Identifies the mail or its job across retries.
    #[schemars(example = &"job_id", extend("x-default" = "the Message-ID"))]
    pub key: Option<At<String>>,
    /// The sender.
    #[schemars(example = &"mail.from")]
    pub sender: Option<At<String>>,
    /// The recipient: an address, a text with addresses, or a list.
    #[schemars(example = &"mail.to")]
    pub recipient: Option<At<String>>,
    /// The mail server.
    #[schemars(example = &"smtp.host")]
    pub relay: Option<At<String>>,
    /// The Message-ID.
    #[schemars(example = &"mail.message_id")]
    pub message_id: Option<At<String>>,
    /// The reason of the failure.
    #[schemars(example = &"error.message")]
    pub reason: Option<At<String>>,
}

/// Conditions by field: all of them must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct RawConditions(pub BTreeMap<String, At<RawTest>>);

/// The condition on a field. A text with `*` or `?` is a glob; any other text must be equal.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum RawTest {
    /// As a text.
    Text(String),
    /// As a table.
    Table(RawTestTable),
}

/// A condition on a field. Specify one of the keys.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unknown" = "a field inside another is written in quotes, `\"exception.class\" = …`"))]
pub(super) struct RawTestTable {
    /// The text is equal to this value.
    #[schemars(example = &"mail.sent")]
    pub equals: Option<String>,
    /// The text contains this value.
    #[schemars(example = &"SMTP")]
    pub contains: Option<String>,
    /// The text matches this glob: `*` is any text, `?` is one character.
    #[schemars(example = &"mail.*")]
    pub glob: Option<String>,
    /// Whether the field exists.
    #[schemars(example = true)]
    pub present: Option<bool>,
}

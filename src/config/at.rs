//! Values of the configuration with their places in the text.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use std::borrow::Cow;
use std::ops::Range;

/// A value that knows where it stands.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct At<T>(toml::Spanned<T>);

impl<T> At<T> {
    /// Where the value stands.
    pub(super) fn at(&self) -> Range<usize> {
        self.0.span()
    }

    /// The value.
    pub(super) fn get(&self) -> &T {
        self.0.get_ref()
    }

    /// The value alone.
    pub(super) fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

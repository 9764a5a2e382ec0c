//! The lines of a log, with what is known of all of them, and where what they say goes.

use super::reasons::ReasonCounts;
use crate::cli::output;
use crate::ingest::spec::{Grammar, Spec};
use crate::ingest::with_year;
use crate::model::time::UtcMs;
use crate::normalise::attribution::Attribution;
use anyhow::Result;
use mailpulse_parsers::Stamp;
use mailpulse_parsers::app::Format;
use mailpulse_parsers::syslog::Envelope;
use serde_json::{Map, Value};
use std::io::Write;

/// What is read, and how.
pub(super) struct LineSource {
    pub(super) spec: Spec,
    pub(super) host: String,
    /// When the log was written last; tells the year of stamps without one.
    pub(super) mtime_ms: UtcMs,
    /// With `--explain`.
    pub(super) attribution: Option<Attribution>,
}

impl LineSource {
    pub(super) fn with_year(&self, stamp: &mut Stamp) {
        with_year(stamp, &self.spec, self.mtime_ms);
    }

    /// The envelope with a year.
    pub(super) fn dated<'e>(&self, envelope: &Envelope<'e>) -> Envelope<'e> {
        let mut dated = *envelope;
        self.with_year(&mut dated.stamp);
        dated
    }

    /// How many conditions of a JSON source tell failures.
    pub(super) fn failed_conditions(&self) -> usize {
        match &self.spec.grammar {
            Grammar::App(format) => match format.as_ref() {
                Format::Json(mapping) => mapping.conditions().0,
                _ => 0,
            },
            _ => 0,
        }
    }
}

/// Where the objects go, one a line of input.
pub(super) struct LineOutput<'w> {
    pub(super) out: &'w mut dyn Write,
    pub(super) told: u64,
    /// With `--reasons`, what is told at the end instead.
    pub(super) reasons: Option<ReasonCounts>,
}

impl LineOutput<'_> {
    /// Number of the line that is told next.
    pub(super) fn next(&self) -> u64 {
        self.told + 1
    }

    pub(super) fn tell(&mut self, fields: Map<String, Value>) -> Result<()> {
        self.told += 1;
        if let Some(reasons) = &mut self.reasons {
            reasons.add(&fields);
            return Ok(());
        }
        let mut map = Map::new();
        map.insert("line".into(), self.told.into());
        map.extend(fields);
        writeln!(self.out, "{}", output::compact(&Value::Object(map)))?;
        Ok(())
    }
}

//! `parse --reasons`: how often each reason is given, and the shapes of the replies that no rule knows.

use crate::cli::output;
use crate::ingest::accounting::UnparsedShapes;
use crate::normalise::redact::{LocalParts, Redactor};
use anyhow::Result;
use mailpulse_parsers::reply::{Reason, classify_own};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Write;

/// Shapes that are shown.
const SHAPES_SHOWN: usize = 50;

/// What `parse` calls lines that say why mail failed, but for refusals of Exim.
const FAILURES: [&str; 11] = [
    "bounced",
    "deferred",
    "expired",
    "failed",
    "milter_reject",
    "proxy_reject",
    "reject",
    "soft_bounce",
    "submit_failed",
    "suppressed",
    "unqueued",
];

/// What the lines so far say.
pub(super) struct ReasonCounts {
    counts: BTreeMap<&'static str, u64>,
    unknown: UnparsedShapes,
    redactor: Redactor,
}

impl Default for ReasonCounts {
    fn default() -> Self {
        ReasonCounts {
            counts: BTreeMap::new(),
            unknown: UnparsedShapes::default(),
            // Nothing is stored, so no key is needed.
            redactor: Redactor::new(LocalParts::Drop, [0; 32]),
        }
    }
}

impl ReasonCounts {
    /// Takes what `parse` says of a line.
    pub(super) fn add(&mut self, fields: &Map<String, Value>) {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
        // What succeeds has words too.
        let is_failure = FAILURES.contains(&text("what")) || text("what").starts_with("rejected_");
        if text("status") != "event" || !is_failure {
            return;
        }
        let known = |name: &str| Reason::ALL.iter().find(|reason| reason.as_str() == name).copied();
        let (reason, words) = match known(text("reason")) {
            Some(reason) => (reason, text("text")),
            // A refusal of Exim's has its words there.
            None if text("what").starts_with("rejected_") => {
                (classify_own(text("reason").as_bytes(), None).reason, text("reason"))
            }
            None => return,
        };
        *self.counts.entry(reason.as_str()).or_default() += 1;
        if reason == Reason::Other {
            self.unknown.add(words.as_bytes(), "", "", &self.redactor);
        }
    }

    /// An object a reason, the most frequent first; `other` has its shapes.
    pub(super) fn tell(mut self, out: &mut dyn Write) -> Result<()> {
        let all: u64 = self.counts.values().sum();
        let mut counts: Vec<_> = self.counts.into_iter().collect();
        counts.sort_by_key(|(reason, lines)| (std::cmp::Reverse(*lines), *reason));
        for (reason, lines) in counts {
            let percent = (lines as f64 * 1000.0 / all as f64).round() / 10.0;
            let mut object = json!({"reason": reason, "lines": lines, "percent": percent});
            if reason == Reason::Other.as_str() {
                let shapes = self.unknown.take().into_iter().take(SHAPES_SHOWN);
                let shapes =
                    shapes.map(|known| json!({"shape": known.shape, "lines": known.count, "sample": known.sample}));
                object["shapes"] = shapes.collect();
            }
            writeln!(out, "{}", output::compact(&object))?;
        }
        Ok(())
    }
}

//! The end of an answer that lacks something: stderr names what, and the exit code is 3. It goes before 1: what was found
//! in a part says nothing of the rest.

use crate::model::time::rfc3339;
use crate::store::segments::{AnswerLack, Incomplete};

/// Lacks that are named one by one.
const NAMED_MAX: usize = 20;

/// What is lacking, a line each, and what helps; None if nothing is.
pub(crate) fn lines(incomplete: &Incomplete) -> Option<Vec<String>> {
    let (lacks, more) = incomplete.lacks();
    if lacks.is_empty() {
        return None;
    }
    let mut lines = vec!["incomplete: the answer lacks what could not be read".to_owned()];
    lines.extend(lacks.iter().take(NAMED_MAX).map(line));
    let more = more + lacks.len().saturating_sub(NAMED_MAX) as u64;
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    let cure = match lacks.iter().any(|lack| lack.path.is_some()) {
        true => {
            "`mailpulse store verify` reads everything, `mailpulse store repair` repairs it; then `mailpulse \
             backfill` or `tail` \
             reads what is missing again"
        }
        false => "`mailpulse backfill` or `tail` reads it again from the logs",
    };
    lines.push(cure.to_owned());
    Some(lines)
}

fn line(lack: &AnswerLack) -> String {
    let [from, to] = [lack.span_ms.0, lack.span_ms.1].map(rfc3339);
    let what = format!(
        "{} events of {} ({}) from {from} to {to}",
        lack.rows, lack.host, lack.kind
    );
    match &lack.path {
        Some(path) => format!("  {}: {}; {what}", path.display(), lack.why),
        None => format!("  missing: {what}"),
    }
}

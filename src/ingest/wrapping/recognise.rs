//! What a log is, told by the beginning of its content: how its lines are wrapped, or why it is not read.

use super::form::{Wrapping, WrappingForm};
use super::peel::TIMELESS;
use super::survey::{Survey, is_mark, lines};
use crate::ingest::spec::{Grammar, Spec};
use crate::model::log_kinds::{LogKind, is_mta};
use mailpulse_parsers::app::{AppBody, Format as AppFormat, Time, UNDATED};
use mailpulse_parsers::layers::Mta;
use mailpulse_parsers::{exim, sniff, syslog, wrap};

/// Whether a line is a record of its own in this format.
fn is_record(format: &AppFormat, line: &[u8]) -> bool {
    format.starts(line)
        && match format.parse(line) {
            Ok(record) => record.time != Time::Undated || record.body != AppBody::Other,
            // It is about mail: an application that renamed the field, whose lines are counted as unparsed.
            Err(reject) => reject.expected == UNDATED,
        }
}

/// How a sample of a log is read, or what the file looks like instead and what to do.
pub fn recognise(spec: &Spec, sample: &[u8]) -> Result<WrappingForm, String> {
    let any = |test: &dyn Fn(&[u8]) -> bool| lines(sample).any(test);
    let mta = match &spec.grammar {
        Grammar::App(format) if any(&|line| is_record(format, line)) => {
            return Ok(WrappingForm::plain(Wrapping::Plain));
        }
        Grammar::App(_) => return Err(foreign(spec.kind, sample)),
        Grammar::Exim => Mta::Exim,
        Grammar::Postfix => Mta::Postfix,
    };
    // What nearly every log is, told by its first lines.
    if mta == Mta::Exim && any(&|line| exim::parse(line).is_ok_and(|record| record.id.is_some())) {
        return Ok(WrappingForm::plain(Wrapping::Plain));
    }
    let talks = mta == Mta::Exim && any(&is_mark);
    if !talks && any(&|line| syslog::envelope(line).is_ok_and(|envelope| mta.owns(envelope.tag))) {
        return Ok(WrappingForm::plain(Wrapping::Syslog));
    }
    let survey = Survey::of(spec, mta, sample);
    if survey.is_timeless() {
        return Err(format!("it cannot be dated: {TIMELESS}{NOT_STORED}"));
    }
    if let Some(form) = survey.form() {
        return Ok(form);
    }
    // A file in which this program has not spoken yet is right all the same.
    if survey.is_journal() {
        return Ok(WrappingForm::plain(Wrapping::Journal));
    }
    if sniff::sniff(sample) == Some(sniff::Kind::Syslog) {
        return Ok(WrappingForm::plain(Wrapping::Syslog));
    }
    Err(foreign(spec.kind, sample))
}

/// How the words of [`recognise`] end, for those who store.
pub const NOT_STORED: &str = ". Nothing of it was stored";

fn foreign(kind: &str, sample: &[u8]) -> String {
    let looks = match sniff::sniff(sample) {
        Some(other) => format!("looks like {}", other.as_str()),
        None if sample.contains(&0) => "looks like binary data".to_owned(),
        None => "looks like no mail log that is known here".to_owned(),
    };
    let runtime = lines(sample).find_map(wrap::unwrap).map(|wrapped| wrapped.runtime);
    if let Some(runtime) = runtime
        && !is_mta(kind)
    {
        return format!(
            "not a log of kind {kind}: its lines are in the wrapper of {}, which is taken off for exim and postfix only. \
             Read what `docker logs NAME` or `kubectl logs NAME` prints instead{NOT_STORED}",
            runtime.as_str()
        );
    }
    let hint = match sniff::sniff(sample).and_then(LogKind::of_look) {
        Some(other) if other.name != kind => format!("Name its kind: `kind = \"{}\"`", other.name),
        _ => "Leave it out, or name its kind in a [[source]]".to_owned(),
    };
    format!(
        "not a log of kind {kind}: it {looks}; none of its first lines parses. {hint}; `mailpulse parse --explain` \
         shows where a line stops to parse{NOT_STORED}"
    )
}

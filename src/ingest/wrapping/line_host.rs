//! The host that stands in a line's head.

use super::form::{Wrapping, WrappingForm};
use super::journal_entry::JournalEntry;
use super::survey::lines;
use mailpulse_parsers::layers::Mta;
use mailpulse_parsers::syslog::{self, Envelope};

/// The host that a line names, and whether it is a line of this program, under its own tag or one of `tags`; beside what `take`
/// makes of it, the line's envelope of syslog, where it has a usual one: heads are not parsed twice.
#[inline]
pub(crate) fn with_host<'l, T>(
    form: &WrappingForm,
    line: &'l [u8],
    (mta, tags): (Mta, &[String]),
    take: impl FnOnce(&[u8], bool) -> T,
) -> (Option<T>, Option<Envelope<'l>>) {
    let is_own =
        |envelope: &Envelope<'_>| mta.owns(envelope.tag) || tags.iter().any(|tag| tag.as_bytes() == envelope.tag);
    match form.wrapping {
        Wrapping::Journal => {
            let entry = JournalEntry::parse(line).ok();
            let of = entry.as_ref().map(JournalEntry::envelope);
            (of.map(|envelope| take(envelope.host, is_own(&envelope))), None)
        }
        Wrapping::Container => (None, None),
        Wrapping::Plain | Wrapping::Syslog => {
            let usual = syslog::envelope(line).ok();
            let taken = match usual.filter(&is_own) {
                Some(own) => Some(take(own.host, true)),
                None => syslog::any_envelope(line)
                    .ok()
                    .map(|envelope| take(envelope.host, is_own(&envelope))),
            };
            (taken, usual)
        }
    }
}

/// The hosts of a mail server's own lines in a sample.
pub(crate) fn hosts_of_sample(mta: Mta, sample: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines(sample).filter_map(move |line| {
        let envelope = syslog::any_envelope(line).ok()?;
        mta.owns(envelope.tag).then_some(envelope.host)
    })
}

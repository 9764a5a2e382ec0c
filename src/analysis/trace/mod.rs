//! One mail's story: what all logs say of it, over all hosts and hops.
//!
//! It is found by its queue ID, its Message-ID, or an address. What an MTA calls by one queue ID is a stay in one queue;
//! stays whose arrivals have the same Message-ID are one mail. Local parts of addresses are compared as they are stored.

mod follow;
mod question;
mod rows;
mod search;
mod story;
mod written;

pub(crate) use question::TraceQuestion;
pub(crate) use story::{TraceEvent, TracedMail};
pub(crate) use written::{mail_json, mail_json_without_addresses};

use self::follow::{STAYS_MAX, follow};
use self::search::Search;
use crate::model::time::UtcMs;
use crate::query::history::MailHistory;
use crate::query::{QueryError, Window};

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// The mails, the oldest first.
    pub mails: Vec<TracedMail>,
    /// Whether there are more, which are older.
    pub is_cut: bool,
    /// From when to when the store has events, within the window; none without any.
    pub searched: Option<(UtcMs, UtcMs)>,
}

/// Follows the newest `mails_max` mails that a question means and that have a row in `window`. It reads from the newest rows on, and
/// only until it has found so many.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn trace(
    store: &dyn MailHistory,
    question: &TraceQuestion,
    window: Window,
    mails_max: usize,
) -> Result<Trace, QueryError> {
    let Some((first, last)) = store.span(window.until_ms.saturating_sub(1))? else {
        return Ok(Trace::default());
    };
    let searched = (window.since_ms.max(first), last);
    let mut search = Search::new(store, question, window, searched)?;
    // One more tells that there are others.
    let mut stays = mails_max + 1;
    let (mut mails, is_cut) = loop {
        search.find(stays)?;
        let found = search.newest(stays);
        let mut mails = story::mails(follow(store, &found, last)?);
        mails.retain(|mail| mail.events.iter().any(|event| found.contains(event)));
        let is_all = search.has_no_more_than(stays);
        if mails.len() > mails_max || is_all || stays >= STAYS_MAX {
            break (mails, !is_all);
        }
        // A mail stays in a queue on each hop.
        stays = (4 * stays).min(STAYS_MAX);
    };
    let older = mails.len().saturating_sub(mails_max);
    mails.drain(..older);
    Ok(Trace {
        mails,
        is_cut: is_cut || older > 0,
        searched: Some(searched),
    })
}

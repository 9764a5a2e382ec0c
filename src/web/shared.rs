//! What pages of several subjects are cut from: a table of all services is asked for once, and each page takes its rows. Kept until
//! rows of its time come or change.

use super::kept_places::KeptPlaces;
use crate::analysis::incomplete::lines;
use crate::model::time::UtcMs;
use crate::query::Window;
use crate::query::history::{Backend, MailHistory};
use crate::query::history_version::HistoryVersion;
use crate::store::segments::Incomplete;
use anyhow::Result;
use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

/// Answers that are kept: those of two windows.
const KEPT_MAX: usize = 16;

/// A question and the time that it is about.
type SharedKey = (String, UtcMs, UtcMs);

/// Who has it computes; others wait for the same answer.
type SharedPlace = Arc<Mutex<Option<SharedAnswer>>>;

/// An answer, and what the history was like before it was read.
#[derive(Debug)]
struct SharedAnswer {
    value: Arc<dyn Any + Send + Sync>,
    mark: HistoryVersion,
}

/// Answers that pages share.
#[derive(Debug)]
pub(super) struct SharedAnswers(KeptPlaces<SharedKey, SharedPlace>);

impl Default for SharedAnswers {
    fn default() -> Self {
        SharedAnswers(KeptPlaces::new(KEPT_MAX))
    }
}

impl SharedAnswers {
    /// The answer to a question about a window, which no other question has the name of. One that lacks something is not kept:
    /// each page is to say so. Nor is a server's, which is not asked what changed.
    ///
    /// # Errors
    /// The question has no answer.
    pub(super) fn of<T: Send + Sync + 'static>(
        &self,
        (backend, incomplete): (&Backend, &Incomplete),
        (name, window): (&str, Window),
        ask: impl FnOnce() -> Result<T>,
    ) -> Result<Arc<T>> {
        let Backend::Embedded(store) = backend else {
            return Ok(Arc::new(ask()?));
        };
        let place = self.0.of(&(name.to_owned(), window.since_ms, window.until_ms));
        let mut kept = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = kept.as_ref()
            && is_still_true(&answer.mark, window, store.as_ref())
            && let Ok(value) = Arc::clone(&answer.value).downcast()
        {
            return Ok(value);
        }
        // Before a row is read: what comes meanwhile makes the answer old.
        let mark = MailHistory::version(store.as_ref(), Window::ALL)?;
        let value = Arc::new(ask()?);
        *kept = lines(incomplete).is_none().then(|| SharedAnswer {
            value: Arc::clone(&value) as Arc<dyn Any + Send + Sync>,
            mark,
        });
        Ok(value)
    }
}

/// Whether no row of a window came or changed.
fn is_still_true(mark: &HistoryVersion, window: Window, store: &dyn MailHistory) -> bool {
    let (from, to) = (window.since_ms.minute(), window.until_ms.minute().saturating_add(1));
    store.first_change(mark, from, to).is_ok_and(|first| first.is_none())
}

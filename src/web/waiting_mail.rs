//! What waits in the queues. To count it, days of events are read, which takes half a minute of processor time for a hundred
//! million: it is counted beside the pages, which show the last count and say of when it is.

use super::answers::{Answers, QuestionKey, StoreAnswer, end_of_time};
use super::app::App;
use super::failure::Failure;
use super::queue_count::CountedQueues;
use crate::analysis::backlog::{BacklogQuestion, backlog};
use crate::model::time::UtcMs;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Who asks waits so long for a count that has begun.
const PATIENCE: Duration = Duration::from_secs(2);
/// The same of who asks once, and has nothing to show meanwhile.
const FIRST_COUNT: Duration = Duration::from_secs(10);
/// So often it looks whether the count is there.
const LOOK: Duration = Duration::from_millis(100);

/// What waits at a moment, or now; none while it is being counted for the first time.
pub(super) async fn waiting(app: &Arc<App>, at_ms: Option<UtcMs>) -> Option<Arc<StoreAnswer<CountedQueues>>> {
    let job = match at_ms {
        None if !app.waiting.begin() => None,
        None => Some(tokio::spawn(count_now(Arc::clone(app)))),
        Some(at_ms) => Some(tokio::spawn(counted(Arc::clone(&app.answers), Some(at_ms)))),
    };
    if at_ms.is_none() && app.waiting.last().is_some() {
        return app.waiting.last();
    }
    match job {
        Some(job) => tokio::time::timeout(PATIENCE, job).await.ok()?.ok()?,
        None => None,
    }
}

/// What waits now, for who asks once: the first count is waited for.
pub(super) async fn first_count(app: &Arc<App>) -> Option<Arc<StoreAnswer<CountedQueues>>> {
    let end = Instant::now() + FIRST_COUNT;
    loop {
        let found = waiting(app, None).await;
        if found.is_some() || Instant::now() >= end {
            return found;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn count_now(app: Arc<App>) -> Option<Arc<StoreAnswer<CountedQueues>>> {
    let begin = Instant::now();
    let found = counted(Arc::clone(&app.answers), None).await;
    app.waiting.end(found.clone(), begin.elapsed());
    found
}

async fn counted(answers: Arc<Answers>, at_ms: Option<UtcMs>) -> Option<Arc<StoreAnswer<CountedQueues>>> {
    // One question however long it takes: of the next minute it would be another one, which is counted beside the first, and
    // takes a thread from the pages.
    let key = QuestionKey::until(&format!("backlog {at_ms:?}"), answers.now_ms());
    loop {
        let asked = answers.ask(key.clone(), move |asker| {
            let end_ms = end_of_time(asker)?.at_ms;
            let at_ms = at_ms.unwrap_or(end_ms).min(end_ms);
            let backlog = backlog(asker.store(), BacklogQuestion::at(at_ms)).ok();
            Ok(CountedQueues { at_ms, backlog })
        });
        match asked.await {
            Ok(found) => return Some(found),
            // It is being computed all the same.
            Err(Failure::Late) => {}
            Err(_) => return None,
        }
    }
}

//! What waits in the queues. To count it, days of events are read, which takes half a minute of processor time for a hundred
//! million: it is counted beside the pages, which show the last count and say of when it is.

use super::answers::{Answers, Asker, QuestionKey, StoreAnswer, end_of_time};
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
    let count = move |asker: &Asker<'_>| {
        let end_ms = end_of_time(asker)?.at_ms;
        let at_ms = at_ms.unwrap_or(end_ms).min(end_ms);
        let backlog = backlog(asker.store(), BacklogQuestion::at(at_ms)).ok();
        Ok(CountedQueues { at_ms, backlog })
    };
    let name = format!("backlog {at_ms:?}");
    until_answered(&name, || answers.now_ms(), |key| answers.ask(key, count)).await
}

/// Asks until there is an answer, or none can be had. It is one question however long it takes: of the next minute it would be
/// another one, which is computed beside the first, and takes a thread from the pages.
async fn until_answered<T, A: Future<Output = Result<T, Failure>>>(
    name: &str,
    now_ms: impl Fn() -> UtcMs,
    mut ask: impl FnMut(QuestionKey) -> A,
) -> Option<T> {
    let key = QuestionKey::until(name, now_ms());
    loop {
        match ask(key.clone()).await {
            Ok(found) => return Some(found),
            // It is being computed all the same.
            Err(Failure::Late) => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::MINUTE_MS;
    use std::cell::{Cell, RefCell};

    #[tokio::test]
    async fn a_count_that_takes_minutes_stays_one_question() {
        let now_ms = Cell::new(UtcMs::EPOCH);
        let asked = RefCell::new(Vec::new());
        let found = until_answered(
            "backlog",
            || now_ms.get(),
            |key| {
                now_ms.set(now_ms.get() + MINUTE_MS);
                asked.borrow_mut().push(key);
                let times = asked.borrow().len();
                std::future::ready(if times < 4 { Err(Failure::Late) } else { Ok(times) })
            },
        );
        assert_eq!(found.await, Some(4));
        let asked = asked.into_inner();
        assert!(asked.iter().all(|key| *key == asked[0]), "{asked:?}");
        let refused = until_answered(
            "backlog",
            || UtcMs::EPOCH,
            |_| std::future::ready(Err::<(), _>(Failure::Busy)),
        );
        assert_eq!(refused.await, None);
    }
}

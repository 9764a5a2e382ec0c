//! Failovers: while a relay was silent, which services' mail went another way, and which had no other way or did not
//! take it.

use crate::analysis::alarms::rounded;
use crate::analysis::incident::judge_window;
use crate::analysis::kept::Kept;
use crate::analysis::mail_history::PastMail;
use crate::analysis::present::{Replay, minutes_until, replay};
use crate::detect::alarm::{Cause, Layer, State};
use crate::detect::engine::Options;
use crate::detect::fleet::Names;
use crate::detect::group::Groups;
use crate::detect::impact::{Impact, ServiceImpact};
use crate::model::time::{Minute, UtcMs, rfc3339};
use crate::query::Window;
use crate::query::history::MailHistory;
use crate::store::columnar::{Table, Values};
use anyhow::Result;
use serde_json::{Value, json};

/// A share of its mail from which a service is said to have used a relay.
const USED: f64 = 0.1;

/// One service, while one relay was silent.
#[derive(Debug)]
pub(crate) struct Failover {
    pub service: String,
    /// The silent relay.
    pub relay: String,
    /// Its first minute without mail.
    pub silent_from: Minute,
    /// The minute in which mail came back.
    pub silent_to: Option<Minute>,
    /// Whether the mail went another way; `None` if there was too little mail to say.
    pub moved: Option<bool>,
    /// Relays that took it, with messages in that time.
    pub moved_to: Vec<(String, u64)>,
    /// Numbers and verdict.
    pub impact: ServiceImpact,
}

/// Failovers in a window, in the order of time; what happened before it teaches what is usual.
pub(crate) fn failovers(
    store: &dyn MailHistory,
    kept: &Kept,
    options: Options,
    window: Window,
    now_ms: UtcMs,
) -> Result<Vec<Failover>> {
    let from = window.since_ms.minute();
    let span = (window.until_ms, window.until_ms);
    let rhythms = options.rhythms.clone();
    // A volume below expectation is no silence, and what it costs to look for it is most of a replay.
    let history = match Replay::resume(store, kept, &options, span, now_ms)? {
        Some(kept) => kept.finish()?,
        None => replay(
            store,
            kept,
            Options {
                volume: false,
                ..options
            },
            window.until_ms,
            now_ms,
        )?,
    };
    let groups = without_volumes(history.engine.groups);
    let minutes = minutes_until(store, window.until_ms, now_ms)?;
    let end = minutes.1;
    let mut past = PastMail::open(store, history.names, minutes)?;
    let mut all = Vec::new();
    for cause in causes(&groups, from) {
        let to = cause.silent_to.unwrap_or(end).max(cause.silent_from + 1);
        let window = Window {
            since_ms: cause.silent_from.start(),
            until_ms: to.start(),
        };
        let judged = judge_window(&mut past, &groups, &rhythms, window)?;
        // Two relays may be silent at once; each is judged in its own time.
        if judged.cause.as_ref().is_some_and(|found| found.relay != cause.relay) {
            continue;
        }
        let used = judged.services.into_iter().filter(|one| one.share >= USED);
        all.extend(used.map(|one| failover(one, cause, &past.names)));
    }
    all.sort_by(|a, b| (a.silent_from, &a.relay, &a.service).cmp(&(b.silent_from, &b.relay, &b.service)));
    Ok(all)
}

/// Alarms that something else tells of than a volume.
fn without_volumes(mut groups: Groups) -> Groups {
    let of_volumes = |layer: &Layer| matches!(layer, Layer::Gap | Layer::Declared | Layer::Schedule | Layer::Volume);
    groups
        .alarms
        .retain(|alarm| !alarm.layers.iter().all(|(layer, _)| of_volumes(layer)));
    groups
}

/// Silences of relays that lasted after a minute.
fn causes(groups: &Groups, from: Minute) -> Vec<&Cause> {
    let silent = groups
        .told()
        .filter(|alarm| matches!(alarm.state, State::Dropped | State::Refused));
    let causes = silent.filter_map(|alarm| alarm.cause.as_ref());
    causes
        .filter(|cause| cause.silent_to.is_none_or(|to| to > from))
        .collect()
}

fn failover(one: ServiceImpact, cause: &Cause, names: &Names) -> Failover {
    let moved = match one.impact {
        Impact::Rerouted => Some(true),
        Impact::Lost | Impact::Delayed | Impact::Waiting => Some(false),
        Impact::Unknown if one.open => Some(false),
        Impact::Bounced | Impact::None | Impact::Unknown => None,
    };
    let to = one.instead.iter().filter(|_| moved == Some(true));
    Failover {
        service: names.service(one.service).to_owned(),
        relay: names.host(cause.relay).to_owned(),
        silent_from: cause.silent_from,
        silent_to: cause.silent_to,
        moved,
        moved_to: to.map(|(host, count)| (names.host(*host).to_owned(), *count)).collect(),
        impact: one,
    }
}

fn percent(share: f64) -> f64 {
    (share * 1000.0).round() / 10.0
}

impl Failover {
    /// What happened, in words.
    fn what(&self) -> &'static str {
        match self.moved {
            Some(true) => "moved",
            Some(false) => "did not move",
            None if self.impact.observed == 0 && self.impact.expected < 0.05 => "had no mail",
            None => "unknown",
        }
    }

    /// As one entry of a service's `failovers`.
    pub(crate) fn json(&self) -> Value {
        let to = |(relay, messages): &(String, u64)| json!({ "relay": relay, "messages": messages });
        json!({
            "relay": self.relay,
            "silent_from": rfc3339(self.silent_from.start()),
            "silent_to": self.silent_to.map(|at| rfc3339(at.start())),
            "share_before_percent": percent(self.impact.share),
            "moved": self.moved,
            "moved_to": self.moved_to.iter().map(to).collect::<Vec<_>>(),
            "impact": self.impact.impact.as_str(),
            "expected": rounded(self.impact.expected),
            "observed": self.impact.observed,
            "missing": self.impact.missing,
            "submit_failed": self.impact.submit_failed,
            "evidence": self.impact.evidence,
        })
    }
}

/// One line a service and silence.
pub(crate) fn table(all: &[Failover]) -> Table {
    let text = |say: &dyn Fn(&Failover) -> Option<String>| Values::Text(all.iter().map(say).collect());
    let time = |pick: &dyn Fn(&Failover) -> Option<Minute>| {
        Values::Int(all.iter().map(|one| pick(one).map(|at| at.start().get())).collect())
    };
    let count = |pick: &dyn Fn(&Failover) -> u64| Values::Int(all.iter().map(|one| Some(pick(one) as i64)).collect());
    let number = |pick: &dyn Fn(&Failover) -> f64| Values::Float(all.iter().map(|one| Some(pick(one))).collect());
    let to = |one: &Failover| {
        let relays: Vec<&str> = one.moved_to.iter().map(|(relay, _)| relay.as_str()).collect();
        (!relays.is_empty()).then(|| relays.join(", "))
    };
    Table::of([
        ("service", text(&|one| Some(one.service.clone()))),
        ("silent_relay", text(&|one| Some(one.relay.clone()))),
        ("silent_from", time(&|one| Some(one.silent_from))),
        ("silent_to", time(&|one| one.silent_to)),
        ("share_before_percent", number(&|one| percent(one.impact.share))),
        ("failover", text(&|one| Some(one.what().to_owned()))),
        ("moved_to", text(&to)),
        ("expected", number(&|one| rounded(one.impact.expected))),
        ("observed", count(&|one| one.impact.observed)),
        ("missing", count(&|one| one.impact.missing)),
    ])
}

/// Columns of [`table`] that are times.
pub(crate) const TIMES: [&str; 2] = ["silent_from", "silent_to"];

//! Who judges stored rows anew, by today's rules and from what they still say of their senders.

use super::senders::{JUDGED_MAX, SenderKey, facts, sender_key};
use super::tally::NameTally;
use crate::model::event::Kind;
use crate::model::service_names::{UNATTRIBUTED, is_reserved};
use crate::model::time::UtcMs;
use crate::normalise::attribution::Attribution;
use crate::normalise::judge::{Beside, Judgement, RowEvidence, Undecided, hostgroup, judge};
use crate::store::columnar::{ArrivalRow, Attribute, Attributed, StoredSender};
use hashbrown::{HashMap, HashSet};
use std::collections::BTreeMap;
use std::hash::RandomState;

/// What attributing anew did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relabelled {
    /// Rows that were looked at.
    pub rows: u64,
    /// Rows whose service is another now, by the one before and the one after.
    pub moved: BTreeMap<(String, String), u64>,
    /// Rows of which nobody can say whose they are, by the service that they keep and what is not stored.
    pub unjudged: BTreeMap<(String, Undecided), u64>,
    /// Segments that were written anew.
    pub segments: u64,
}

/// What is to be attributed anew.
#[derive(Debug, Clone, Copy)]
pub struct Relabel<'a> {
    /// Today's attribution.
    pub with: &'a Attribution,
    /// Services that sources' configuration, or their kind, gives to whole logs.
    pub of_logs: &'a [String],
    /// First event and the one after the last, UTC milliseconds; widened to whole minutes.
    pub window_ms: (UtcMs, UtcMs),
    /// Only tells what would be done.
    pub is_dry: bool,
}

/// Messages in a queue: when they arrived, and service and hostgroup that their arrivals have got.
pub(super) type OpenArrivals = HashMap<(i64, String), (UtcMs, Option<(String, String)>), RandomState>;

/// What has been done so far.
#[derive(Default)]
pub(super) struct RelabelProgress {
    /// Nothing is written.
    pub(super) is_dry: bool,
    pub(super) told: Relabelled,
    pub(super) services: NameTally,
    pub(super) hostgroups: NameTally,
    /// Rows that nobody can judge.
    pub(super) left: NameTally,
    pub(super) open: OpenArrivals,
}

/// Who judges.
pub(super) struct Judges<'a> {
    pub(super) what: &'a Relabel<'a>,
    pub(super) window: (UtcMs, UtcMs),
    pub(super) sources: BTreeMap<i64, (String, String)>,
    /// Names that rows may bear, by source.
    pub(super) derived: BTreeMap<i64, HashSet<String, RandomState>>,
    /// Those among them that have a place.
    pub(super) kept: BTreeMap<i64, HashSet<String, RandomState>>,
    /// Names that were derived and are not stored yet.
    pub(super) new: Vec<(i64, String)>,
    pub(super) judged: HashMap<SenderKey, (Attributed, bool), RandomState>,
}

impl Judges<'_> {
    /// What rows with this sender become, and whether those that nobody can judge may keep their name.
    fn judge(&mut self, source: i64, sender: &StoredSender<'_>) -> (Attributed, bool) {
        let Some((host, kind)) = self.sources.get(&source).cloned() else {
            return (stays(sender, Undecided::Application), true);
        };
        let (with, facts) = (self.what.with, facts(sender, &host, &kind));
        let key = sender_key(source, &facts);
        if let Some(known) = self.judged.get(&key) {
            return known.clone();
        }
        let derived = self.derived.entry(source).or_default();
        let kept = self.kept.entry(source).or_default();
        let beside = Beside {
            is_derived: &|name| is_reserved(name) || derived.contains(name),
            of_logs: self.what.of_logs,
        };
        let judged = judge(with, &facts, &beside);
        let hostgroup = hostgroup(with, &facts).to_owned();
        let answer = match judged {
            Judgement::Is(service) => {
                let is_its = service == sender.service && derived.contains(&service);
                let is_known = is_its
                    || kept.contains(&service)
                    || service == UNATTRIBUTED
                    || is_reserved(&service)
                    || with.services.spelt(&service).is_some();
                let is_own = facts.told == RowEvidence::Application && self.what.of_logs.contains(&service);
                let service = if is_known || is_own {
                    service
                } else if kept.len() < with.services_max {
                    kept.insert(service.clone());
                    derived.insert(service.clone());
                    self.new.push((source, service.clone()));
                    service
                } else {
                    UNATTRIBUTED.to_owned()
                };
                let is = Attributed {
                    service,
                    hostgroup,
                    lacks: None,
                };
                (is, true)
            }
            ref unsure @ Judgement::Unknown { lacks, .. } => {
                let is = Attributed {
                    hostgroup,
                    ..stays(sender, lacks)
                };
                (is, unsure.may_be(sender.service))
            }
        };
        if self.judged.len() >= JUDGED_MAX {
            self.judged.clear();
        }
        self.judged.insert(key, answer.clone());
        answer
    }

    /// What an arrival says of its sender, as it is to be.
    pub(super) fn arrival(&mut self, source: i64, row: &mut ArrivalRow) {
        if row.ts_ms < self.window.0 || row.ts_ms >= self.window.1 {
            return;
        }
        let [client_ip, sender_local, sender_domain] = &row.sender;
        let sender = StoredSender {
            kind: Kind::Accepted.as_str(),
            service: &row.service,
            hostgroup: &row.hostgroup,
            client: &row.client,
            client_ip,
            sender_local,
            sender_domain,
            origin: &row.origin,
        };
        let (is, _) = self.judge(source, &sender);
        (row.service, row.hostgroup) = (is.service, is.hostgroup);
    }
}

fn stays(sender: &StoredSender<'_>, lacks: Undecided) -> Attributed {
    Attributed {
        service: sender.service.to_owned(),
        hostgroup: sender.hostgroup.to_owned(),
        lacks: Some(lacks),
    }
}

/// One segment.
pub(super) struct SegmentJudge<'p, 'a> {
    pub(super) source: i64,
    pub(super) orphans: HashSet<String, RandomState>,
    pub(super) judges: &'p mut Judges<'a>,
    pub(super) done: &'p mut RelabelProgress,
}

impl Attribute for SegmentJudge<'_, '_> {
    fn decide(&mut self, sender: &StoredSender<'_>) -> Attributed {
        let (is, may_keep) = self.judges.judge(self.source, sender);
        if is.lacks.is_some() {
            self.done.left.stayed(sender.service, may_keep, 1);
        }
        is
    }

    fn is_orphan(&self, queue_id: &str) -> bool {
        self.orphans.contains(queue_id)
    }

    fn count(&mut self, (from, hostgroup): (&str, &str), is: &Attributed, rows: u64) {
        self.done.hostgroups.moved(hostgroup, &is.hostgroup, rows);
        let told = &mut self.done.told;
        told.rows += rows;
        if let Some(lacks) = is.lacks {
            *told.unjudged.entry((from.to_owned(), lacks)).or_default() += rows;
            return self.done.services.stayed(from, true, rows);
        }
        self.done.services.moved(from, &is.service, rows);
        if from != is.service {
            *told.moved.entry((from.to_owned(), is.service.clone())).or_default() += rows;
        }
    }

    fn arrived(&mut self, queue_id: &str, ts_ms: UtcMs, is: &Attributed) {
        if self.done.open.is_empty() {
            return;
        }
        if let Some((arrival_ms, becomes)) = self.done.open.get_mut(&(self.source, queue_id.to_owned()))
            && *arrival_ms == ts_ms
        {
            *becomes = Some((is.service.clone(), is.hostgroup.clone()));
        }
    }
}

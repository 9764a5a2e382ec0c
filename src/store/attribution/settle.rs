//! What a change of attribution does to the series that a store has: which names end by it, and which get other mail.

use super::senders::{JUDGED_MAX, SenderKey, facts, sender_key};
use super::tally::NameTally;
use crate::model::log_kinds::is_mta;
use crate::model::service_names::{AUTHENTICATED, INBOUND, is_reserved};
use crate::model::time::{DAY_MS, UtcMs};
use crate::normalise::attribution::Attribution;
use crate::normalise::judge::{Beside, Judgement, RowEvidence, Undecided, hostgroup, judge};
use crate::store::catalogue::{AttributionNote, Moved, Reason};
use crate::store::columnar::{self, StoredSender};
use crate::store::error::StoreError;
use crate::store::handle::Store;
use crate::store::segments::SegmentPart;
use hashbrown::{HashMap, HashSet};
use std::collections::BTreeMap;
use std::hash::RandomState;

/// What is older than this before the newest event bears no series any more.
const RECENT_MS: i64 = 28 * DAY_MS;
/// Rows that are looked at, the newest.
const ROWS_MAX: u64 = 2_000_000;

/// Before a run writes: if its attribution is another than that of the newest rows, its first rows will note so. `of_logs`
/// are services that sources' configuration, or their kind, gives to whole logs.
///
/// # Errors
/// The store cannot be read.
pub fn settle_attribution(store: &Store, with: &Attribution, of_logs: &[String]) -> Result<(), StoreError> {
    let version = with.version();
    let known = store.attribution().version()?;
    if known == Some(version) {
        store.expected_attribution().clear();
        return Ok(());
    }
    let is_same_program = known.is_some_and(|known| known & 0xff == version & 0xff);
    let (services, hostgroups) = moved_by(store, with, of_logs)?;
    let note = AttributionNote {
        reason: if is_same_program {
            Reason::Rules
        } else {
            Reason::Upgrade
        },
        services,
        hostgroups,
    };
    store.expected_attribution().expect(version, note);
    Ok(())
}

/// What becomes of the names that the newest rows bear: services and hostgroups.
fn moved_by(store: &Store, with: &Attribution, of_logs: &[String]) -> Result<(Moved, Moved), StoreError> {
    let mut tallies = [NameTally::default(), NameTally::default()];
    let Some((_, newest)) = store.coverage().span()? else {
        return Ok(Default::default());
    };
    let mut segments = store.segments().between(newest - RECENT_MS, UtcMs::MAX)?;
    segments.reverse();
    let sources = store.positions().names()?;
    let mut derived: BTreeMap<i64, HashSet<String, RandomState>> = BTreeMap::new();
    for source in sources.keys() {
        derived.insert(*source, store.services().borne(*source)?.into_iter().collect());
    }
    let mut judged: HashMap<SenderKey, Judgement, RandomState> = HashMap::default();
    let mut rows = 0;
    for segment in &segments {
        let Some((host, kind)) = sources.get(&segment.source) else {
            continue;
        };
        rows += segment.rows;
        if rows > ROWS_MAX && rows > segment.rows {
            break;
        }
        let derived = derived.get(&segment.source);
        let beside = Beside {
            is_derived: &|name| is_reserved(name) || derived.is_some_and(|names| names.contains(name)),
            of_logs,
        };
        let mut each = |sender: &StoredSender<'_>, rows: u64| {
            let facts = facts(sender, host, kind);
            // What is sent makes series; deliveries follow their messages.
            if facts.told == RowEvidence::Delivery || facts.told == RowEvidence::Refused {
                return;
            }
            let [services, hostgroups] = &mut tallies;
            let key = sender_key(segment.source, &facts);
            if judged.len() >= JUDGED_MAX {
                judged.clear();
            }
            match judged.entry(key).or_insert_with(|| judge(with, &facts, &beside)) {
                Judgement::Is(is) => services.moved(sender.service, is, rows),
                // What comes from a client outside is the world's from now on, unless somebody was authenticated.
                Judgement::Unknown { lacks, .. } if *lacks == Undecided::Origin && sender.service != AUTHENTICATED => {
                    services.moved(sender.service, INBOUND, rows);
                }
                unknown => services.stayed(sender.service, unknown.may_be(sender.service), rows),
            }
            hostgroups.moved(sender.hostgroup, hostgroup(with, &facts), rows);
        };
        store
            .segments()
            .read_part(segment, SegmentPart::Events, |path| columnar::senders(path, &mut each))?;
    }
    let [mut services, hostgroups] = tallies;
    // Those that were not met among the rows: with their names no mail is named any more.
    for (source, names) in derived.iter().filter(|_| !with.derive) {
        let is_of_mta = sources.get(source).is_some_and(|(_, kind)| is_mta(kind));
        let is_over = |name: &&String| is_of_mta && !services.knows(name) && with.services.spelt(name).is_none();
        let over: Vec<&String> = names.iter().filter(is_over).collect();
        over.into_iter().for_each(|name| services.stayed(name, false, 1));
    }
    Ok((services.result(), hostgroups.result()))
}

//! What a change of attribution does to the series that a store has: which names end by it, and which get other mail.

use super::attributed::{AttributionNote, Moved, Reason};
use super::columnar::{self, Sender};
use super::incomplete::Part;
use super::{Error, Store};
use crate::model::event::Kind;
use crate::model::service_names::is_reserved;
use crate::normalise::attribution::Attribution;
use crate::normalise::hops::is_mta;
use crate::normalise::judge::{Beside, Judged, StoredFacts, Told, hostgroup, judge};
use hashbrown::{HashMap, HashSet};
use std::collections::BTreeMap;
use std::hash::RandomState;

/// What is older than this before the newest event bears no series any more.
const RECENT_MS: i64 = 28 * super::batch::DAY_MS;
/// Rows that are looked at, the newest.
const ROWS_MAX: u64 = 2_000_000;
/// A name that loses this part of its mail, or gets so much more, is another series.
const LOST: f64 = 0.05;
const GAINED: f64 = 0.5;

/// Names with what became of their rows.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<String, Rows>);

#[derive(Debug, Default, Clone, Copy)]
struct Rows {
    /// That bear the name.
    had: u64,
    /// Of these, that are others' for sure.
    lost: u64,
    /// Of others, that are its for sure.
    gained: u64,
    /// That may bear it still.
    kept: u64,
}

impl Tally {
    /// Rows of `from` that are `to` for sure.
    pub(super) fn moved(&mut self, from: &str, to: &str, rows: u64) {
        if from == to {
            self.stayed(from, true, rows);
            return;
        }
        let one = self.of(from);
        (one.had, one.lost) = (one.had + rows, one.lost + rows);
        self.of(to).gained += rows;
    }

    /// Rows of which nobody can say whose they are; they may be that name's or not.
    pub(super) fn stayed(&mut self, name: &str, may_be: bool, rows: u64) {
        let one = self.of(name);
        one.had += rows;
        one.kept += if may_be { rows } else { 0 };
    }

    fn knows(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn of(&mut self, name: &str) -> &mut Rows {
        if !self.0.contains_key(name) {
            self.0.insert(name.to_owned(), Rows::default());
        }
        self.0.entry(name.to_owned()).or_default()
    }

    /// The same where rows of the new names are followed by rows of the old ones again.
    pub(super) fn undone(&self) -> Moved {
        let named = || self.0.iter().filter(|(name, _)| !name.is_empty());
        let names = |pick: &dyn Fn(&Rows) -> bool| {
            let picked = named().filter(|(_, rows)| pick(rows));
            picked.map(|(name, _)| name.clone()).collect()
        };
        Moved {
            ended: names(&|rows| rows.had == 0),
            changed: names(&|rows| rows.had > 0 && rows.lost + rows.gained > 0),
        }
    }

    /// The names that end, and those that are other series now. No name is no series.
    pub(super) fn result(&self) -> Moved {
        let named = || self.0.iter().filter(|(name, rows)| !name.is_empty() && rows.had > 0);
        let ends = |rows: &Rows| rows.kept + rows.gained == 0;
        let part = |some: u64, rows: &Rows| some as f64 / rows.had as f64;
        let is_other = |rows: &Rows| part(rows.lost, rows) >= LOST || part(rows.gained, rows) >= GAINED;
        let names = |pick: &dyn Fn(&Rows) -> bool| {
            let picked = named().filter(|(_, rows)| pick(rows));
            picked.map(|(name, _)| name.clone()).collect()
        };
        Moved {
            ended: names(&ends),
            changed: names(&|rows| !ends(rows) && is_other(rows)),
        }
    }
}

/// What a source's rows of a kind tell.
pub(super) fn told(source_kind: &str, kind: &str) -> Told {
    match kind {
        _ if !is_mta(source_kind) => Told::Application,
        kind if kind == Kind::Accepted.as_str() => Told::Arrival,
        kind if kind == Kind::Rejected.as_str() => Told::Refused,
        _ => Told::Delivery,
    }
}

/// A segment's sender, for a judge.
pub(super) fn facts<'a>(sender: &Sender<'a>, host: &'a str, source_kind: &str) -> StoredFacts<'a> {
    StoredFacts {
        told: told(source_kind, sender.kind),
        service: sender.service,
        client: sender.client,
        client_ip: sender.client_ip,
        sender_local: sender.sender_local,
        sender_domain: sender.sender_domain,
        host,
    }
}

/// A sender as rows of a source have it: service, client, address, local part, domain.
pub(super) type SenderKey = (i64, Told, [String; 5]);

/// Senders whose service is remembered.
pub(super) const JUDGED_MAX: usize = 100_000;

pub(super) fn sender_key(source: i64, facts: &StoredFacts<'_>) -> SenderKey {
    let texts = [
        facts.service,
        facts.client,
        facts.client_ip,
        facts.sender_local,
        facts.sender_domain,
    ];
    (source, facts.told, texts.map(str::to_owned))
}

/// Names that were derived for a source's mails, those that gave way to others too: rows may bear them.
pub(super) fn derived_of(store: &Store, source: i64) -> Result<Vec<String>, Error> {
    let names = store.derived_services(source)?.into_iter().map(|state| state.name);
    Ok(names.chain(store.account_services(source)?).collect())
}

impl Store {
    /// Before a run writes: if its attribution is another than that of the newest rows, its first rows will note so. `of_logs`
    /// are services that sources' configuration, or their kind, gives to whole logs.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn settle_attribution(&self, with: &Attribution, of_logs: &[String]) -> Result<(), Error> {
        let version = with.version();
        let known = self.attribution_version()?;
        if known == Some(version) {
            self.expected_is_noted();
            return Ok(());
        }
        let is_same_program = known.is_some_and(|known| known & 0xff == version & 0xff);
        let (services, hostgroups) = self.moved_by(with, of_logs)?;
        let note = AttributionNote {
            reason: if is_same_program {
                Reason::Rules
            } else {
                Reason::Upgrade
            },
            services,
            hostgroups,
        };
        self.expect_attribution(version, note);
        Ok(())
    }

    /// What becomes of the names that the newest rows bear: services and hostgroups.
    fn moved_by(&self, with: &Attribution, of_logs: &[String]) -> Result<(Moved, Moved), Error> {
        let mut tallies = [Tally::default(), Tally::default()];
        let Some((_, newest)) = self.span()? else {
            return Ok(Default::default());
        };
        let mut segments = self.segments(newest - RECENT_MS, i64::MAX)?;
        segments.reverse();
        let sources = self.sources_by_id()?;
        let mut derived: BTreeMap<i64, HashSet<String, RandomState>> = BTreeMap::new();
        for source in sources.keys() {
            derived.insert(*source, derived_of(self, *source)?.into_iter().collect());
        }
        let mut judged: HashMap<SenderKey, Judged, RandomState> = HashMap::default();
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
            let mut each = |sender: &Sender<'_>, rows: u64| {
                let facts = facts(sender, host, kind);
                // What is sent makes series; deliveries follow their messages.
                if facts.told == Told::Delivery || facts.told == Told::Refused {
                    return;
                }
                let [services, hostgroups] = &mut tallies;
                let key = sender_key(segment.source, &facts);
                if judged.len() >= JUDGED_MAX {
                    judged.clear();
                }
                match judged.entry(key).or_insert_with(|| judge(with, &facts, &beside)) {
                    Judged::Is(is) => services.moved(sender.service, is, rows),
                    unknown => services.stayed(sender.service, unknown.may_be(sender.service), rows),
                }
                hostgroups.moved(sender.hostgroup, hostgroup(with, &facts), rows);
            };
            self.read_part(segment, Part::Events, |path| columnar::senders(path, &mut each))?;
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

    /// Host and kind of each source, by number.
    pub(super) fn sources_by_id(&self) -> Result<BTreeMap<i64, (String, String)>, Error> {
        let connection = self.connection();
        let mut all = connection.prepare("SELECT id, host, kind FROM source")?;
        let rows = all.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_rows_ends_and_one_with_others_is_another_series() {
        let mut tally = Tally::default();
        tally.moved("gone", "new", 10);
        tally.moved("split", "new", 1);
        tally.moved("split", "split", 9);
        tally.moved("nearly", "new", 1);
        tally.moved("nearly", "nearly", 99);
        tally.moved("swollen", "swollen", 2);
        tally.moved("gone", "swollen", 1);
        tally.stayed("perhaps", true, 5);
        tally.stayed("never", false, 5);
        tally.moved("", "grouped", 5);
        let moved = tally.result();
        assert_eq!(moved.ended, ["gone", "never"]);
        assert_eq!(moved.changed, ["split", "swollen"]);
    }
}

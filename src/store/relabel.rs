//! `services relabel`: stored rows are attributed anew, by today's rules and from what they still say of their senders, as
//! corrections: a server that has them gets the old rows with sign −1 and the new ones with +1, as after late arrivals.
//!
//! Day by day, a segment a transaction. What was done before a kill is not done again: judging a row again gives the same.
//! A mail that passes several hosts is its first host's, whatever the others would say ([`super::hops`]).

use super::attributed::{self, AttributionNote, Moved, Reason};
use super::batch::DAY_MS;
use super::catalogue::{self, Segment};
use super::columnar::{self, ArrivalRow, Attribute, Attributed, EncodedSegment, Sender};
use super::hops::{LearntBySource, Mtas};
use super::incomplete::Part;
use super::moved::{JUDGED_MAX, SenderKey, Tally, derived_of, facts, sender_key};
use super::{Error, Store, derived, outbox};
use crate::model::event::Kind;
use crate::model::service_names::{UNATTRIBUTED, is_reserved};
use crate::model::text::text;
use crate::normalise::attribution::Attribution;
use crate::normalise::join::OpenRecord;
use crate::normalise::judge::{Beside, Judged, Lack, Told, hostgroup, judge};
use hashbrown::{HashMap, HashSet};
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::RandomState;

const MINUTE_MS: i64 = 60_000;
/// Set while rows have been attributed anew and nothing says so yet.
const UNDER_WAY: &str = "relabelling";

/// What attributing anew did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relabelled {
    /// Rows that were looked at.
    pub rows: u64,
    /// Rows whose service is another now, by the one before and the one after.
    pub moved: BTreeMap<(String, String), u64>,
    /// Rows of which nobody can say whose they are, by the service that they keep and what is not stored.
    pub unjudged: BTreeMap<(String, Lack), u64>,
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
    pub window_ms: (i64, i64),
    /// Only tells what would be done.
    pub is_dry: bool,
}

impl Store {
    /// Attributes stored rows anew. What was done stays when it is broken off; done again it changes nothing.
    ///
    /// # Errors
    /// The store cannot be read or written; the outbox is full: what is done by then is done.
    pub fn relabel(&self, what: &Relabel<'_>) -> Result<Relabelled, Error> {
        let (since, until) = what.window_ms;
        let whole = |ms: i64| ms.saturating_sub(ms.rem_euclid(MINUTE_MS));
        let window = match until.checked_add(MINUTE_MS - 1) {
            Some(until) => (whole(since), whole(until)),
            None => (whole(since), until),
        };
        if what.is_dry {
            return Ok(self.attribute_anew(what, window, true)?.told);
        }
        let notes = self.attribution_changes()?.last().map_or(0, |change| change.number);
        if window != WHOLE {
            // Names end and begin at the window's edges, also for who looks while it is under way or after a kill.
            self.note_edges(&self.attribute_anew(what, window, true)?, window)?;
        }
        let done = self.attribute_anew(what, window, false)?;
        self.relabel_open(&done)?;
        self.note_relabelled(what, window, &done, notes)?;
        Ok(done.told)
    }

    /// Whether rows are being attributed anew, or that was broken off.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn is_half_relabelled(&self) -> Result<bool, Error> {
        Ok(outbox::get(&self.connection(), UNDER_WAY)? == 1)
    }

    fn attribute_anew(&self, what: &Relabel<'_>, window: (i64, i64), is_dry: bool) -> Result<Done, Error> {
        let mut judges = Judges {
            what,
            window,
            sources: self.sources_by_id()?,
            derived: BTreeMap::new(),
            kept: BTreeMap::new(),
            new: Vec::new(),
            judged: HashMap::default(),
        };
        for source in judges.sources.keys().copied().collect::<Vec<_>>() {
            judges
                .derived
                .insert(source, derived_of(self, source)?.into_iter().collect());
            let kept = self
                .derived_services(source)?
                .into_iter()
                .filter(|state| state.waits.is_none());
            let kept = kept.map(|state| state.name).chain(self.account_services(source)?);
            judges.kept.insert(source, kept.collect());
        }
        let mut done = Done {
            open: self.open_arrivals()?,
            is_dry,
            ..Done::default()
        };
        let mtas = self.mtas()?;
        let all = self.segments(window.0, window.1)?;
        let days: BTreeSet<i64> = all.iter().map(|segment| segment.day).collect();
        for day in days {
            self.relabel_day(&mtas, day, &mut judges, &mut done)?;
        }
        Ok(done)
    }

    fn relabel_day(&self, mtas: &Mtas, day: i64, judges: &mut Judges<'_>, done: &mut Done) -> Result<(), Error> {
        let mut segments = self.segments(day * DAY_MS, (day + 1) * DAY_MS)?;
        segments.retain(|segment| segment.day == day);
        let mut learnt = LearntBySource::default();
        if mtas.hosts.len() > 1 {
            let mut anew = |segment: &Segment, row: &mut ArrivalRow| judges.arrival(segment.source, row);
            learnt = self.learn(mtas, day, &segments, Some(&mut anew))?.1;
        }
        for segment in &segments {
            let orphans = self.orphans_of(segment.id)?;
            let window = judges.window;
            let mut piece = Piece {
                source: segment.source,
                orphans,
                judges: &mut *judges,
                done: &mut *done,
            };
            let of_source = learnt.get(&segment.source);
            let encoded = self.read_part(segment, Part::Events, |path| {
                columnar::reattribute(path, window, of_source, &mut piece)
            })?;
            let Some(encoded) = encoded.flatten() else { continue };
            done.told.segments += 1;
            if !done.is_dry {
                self.put_relabelled(segment, &encoded, &judges.new)?;
                judges.new.clear();
            }
        }
        Ok(())
    }

    /// A segment in the place of one that says otherwise, and names that were derived for it.
    fn put_relabelled(&self, segment: &Segment, encoded: &EncodedSegment, new: &[(i64, String)]) -> Result<(), Error> {
        self.put_in_place(segment, encoded, |transaction| {
            self.outbox_has_room(transaction)?;
            outbox::put(transaction, UNDER_WAY, 1)?;
            new.iter()
                .try_for_each(|(source, name)| derived::take_place(transaction, *source, name, segment.day))
        })
    }

    /// Messages of a segment whose arrival nobody has read.
    fn orphans_of(&self, segment: i64) -> Result<HashSet<String, RandomState>, Error> {
        let connection = self.connection();
        let mut find = connection.prepare_cached("SELECT queue_id FROM orphan WHERE segment = ?1")?;
        let ids = find.query_map([segment], |row| Ok(text(&row.get::<_, Vec<u8>>(0)?)))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// Messages that are in a queue still, by source and ID.
    fn open_arrivals(&self) -> Result<Open, Error> {
        let mut open = Open::default();
        each_open(&self.connection(), |source, id, record| {
            if let Some(arrival_ms) = record.arrival_ms.filter(|_| source > 0) {
                open.insert((source, text(id)), (arrival_ms, None));
            }
            Ok(())
        })?;
        Ok(open)
    }

    /// Lines that are still to come of a message carry what its arrival has become.
    fn relabel_open(&self, done: &Done) -> Result<(), Error> {
        let mut connection = self.connection();
        let transaction = catalogue::begin(&mut connection)?;
        let mut changed: Vec<(i64, Vec<u8>, String)> = Vec::new();
        each_open(&transaction, |source, id, mut record| {
            let known = done.open.get(&(source, text(id)));
            let Some((_, Some((service, hostgroup)))) = known.filter(|known| Some(known.0) == record.arrival_ms) else {
                return Ok(());
            };
            if record.origin.service == *service && record.origin.hostgroup == *hostgroup {
                return Ok(());
            }
            record.origin.service.clone_from(service);
            record.origin.hostgroup.clone_from(hostgroup);
            let state = serde_json::to_string(&record).map_err(catalogue::Error::from)?;
            changed.push((source, id.to_vec(), state));
            Ok(())
        })?;
        for (source, id, state) in changed {
            transaction.execute(
                "UPDATE open_message SET state = ?3 WHERE source = ?1 AND queue_id = ?2",
                params![source, id, state],
            )?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Notes what the rows of the window do to the series at its ends.
    fn note_edges(&self, done: &Done, (since, until): (i64, i64)) -> Result<(), Error> {
        if done.told.segments == 0 {
            return Ok(());
        }
        let mut connection = self.connection();
        let transaction = catalogue::begin(&mut connection)?;
        let (first, last): (Option<i64>, Option<i64>) =
            transaction.query_row("SELECT min(first_ms), max(last_ms) FROM segment", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        if first.is_some_and(|first| first < since) {
            let begun = relabelled(done.services.result(), done.hostgroups.result());
            attributed::note_at(&transaction, since.div_euclid(MINUTE_MS) - 1, &begun)?;
        }
        if last.is_some_and(|last| last >= until) {
            let over = relabelled(done.services.undone(), done.hostgroups.undone());
            attributed::note_at(&transaction, until.div_euclid(MINUTE_MS) - 1, &over)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Older notes within the window say nothing any more, but of names that rows have kept because nobody can judge them.
    /// `notes` is the last of them.
    fn note_relabelled(
        &self,
        what: &Relabel<'_>,
        (since, until): (i64, i64),
        done: &Done,
        notes: i64,
    ) -> Result<(), Error> {
        let mut connection = self.connection();
        let transaction = catalogue::begin(&mut connection)?;
        let minutes = (since.div_euclid(MINUTE_MS), until.div_euclid(MINUTE_MS));
        let kept: BTreeSet<&str> = done.told.unjudged.keys().map(|(service, _)| service.as_str()).collect();
        attributed::settle_notes(&transaction, notes, minutes, &|name| kept.contains(name))?;
        if (since, until) == WHOLE {
            // What is stored is of today's attribution, as far as anybody can say.
            attributed::put_version(&transaction, what.with.version())?;
        }
        if outbox::get(&transaction, UNDER_WAY)? == 1 {
            outbox::put(&transaction, UNDER_WAY, 0)?;
            // Whoever watches learns anew, also what was done before a kill. Names that only rows bear that cannot be judged end here.
            let left = Moved {
                ended: done.left.result().ended,
                changed: Vec::new(),
            };
            attributed::note(&transaction, &relabelled(left, Moved::default()))?;
        }
        transaction.commit()?;
        Ok(())
    }
}

fn relabelled(services: Moved, hostgroups: Moved) -> AttributionNote {
    AttributionNote {
        reason: Reason::Relabelled,
        services,
        hostgroups,
    }
}

/// A window without ends.
const WHOLE: (i64, i64) = (i64::MIN, i64::MAX);

fn each_open(
    connection: &Connection,
    mut each: impl FnMut(i64, &[u8], OpenRecord) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut all = connection.prepare("SELECT source, queue_id, state FROM open_message")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let (source, id, state): (i64, Vec<u8>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let record = serde_json::from_str(&state).map_err(catalogue::Error::from)?;
        each(source, &id, record)?;
    }
    Ok(())
}

/// Messages in a queue: when they arrived, and service and hostgroup that their arrivals have got.
type Open = HashMap<(i64, String), (i64, Option<(String, String)>), RandomState>;

/// What has been done so far.
#[derive(Default)]
struct Done {
    /// Nothing is written.
    is_dry: bool,
    told: Relabelled,
    services: Tally,
    hostgroups: Tally,
    /// Rows that nobody can judge.
    left: Tally,
    open: Open,
}

/// Who judges.
struct Judges<'a> {
    what: &'a Relabel<'a>,
    window: (i64, i64),
    sources: BTreeMap<i64, (String, String)>,
    /// Names that rows may bear, by source.
    derived: BTreeMap<i64, HashSet<String, RandomState>>,
    /// Those among them that have a place.
    kept: BTreeMap<i64, HashSet<String, RandomState>>,
    /// Names that were derived and are not stored yet.
    new: Vec<(i64, String)>,
    judged: HashMap<SenderKey, (Attributed, bool), RandomState>,
}

impl Judges<'_> {
    /// What rows with this sender become, and whether those that nobody can judge may keep their name.
    fn judge(&mut self, source: i64, sender: &Sender<'_>) -> (Attributed, bool) {
        let Some((host, kind)) = self.sources.get(&source).cloned() else {
            return (stays(sender, Lack::Application), true);
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
            Judged::Is(service) => {
                let is_its = service == sender.service && derived.contains(&service);
                let is_known = is_its
                    || kept.contains(&service)
                    || service == UNATTRIBUTED
                    || is_reserved(&service)
                    || with.services.spelt(&service).is_some();
                let is_own = facts.told == Told::Application && self.what.of_logs.contains(&service);
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
            ref unsure @ Judged::Unknown { lacks, .. } => {
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
    fn arrival(&mut self, source: i64, row: &mut ArrivalRow) {
        if row.ts_ms < self.window.0 || row.ts_ms >= self.window.1 {
            return;
        }
        let [client_ip, sender_local, sender_domain] = &row.sender;
        let sender = Sender {
            kind: Kind::Accepted.as_str(),
            service: &row.service,
            hostgroup: &row.hostgroup,
            client: &row.client,
            client_ip,
            sender_local,
            sender_domain,
        };
        let (is, _) = self.judge(source, &sender);
        (row.service, row.hostgroup) = (is.service, is.hostgroup);
    }
}

fn stays(sender: &Sender<'_>, lacks: Lack) -> Attributed {
    Attributed {
        service: sender.service.to_owned(),
        hostgroup: sender.hostgroup.to_owned(),
        lacks: Some(lacks),
    }
}

/// One segment.
struct Piece<'p, 'a> {
    source: i64,
    orphans: HashSet<String, RandomState>,
    judges: &'p mut Judges<'a>,
    done: &'p mut Done,
}

impl Attribute for Piece<'_, '_> {
    fn decide(&mut self, sender: &Sender<'_>) -> Attributed {
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

    fn arrived(&mut self, queue_id: &str, ts_ms: i64, is: &Attributed) {
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

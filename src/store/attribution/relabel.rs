//! `services relabel`: stored rows are attributed anew, by today's rules and from what they still say of their senders, as
//! corrections: a server that has them gets the old rows with sign −1 and the new ones with +1, as after late arrivals.
//!
//! Day by day, a segment a transaction. What was done before a kill is not done again: judging a row again gives the same.
//! A mail that passes several hosts is its first host's, whatever the others would say ([`crate::store::linker`]).

use super::judges::{Judges, OpenArrivals, Relabel, RelabelProgress, Relabelled, SegmentJudge};
use crate::model::text::text;
use crate::model::time::{CivilDay, MINUTE_MS, UtcMs};
use crate::normalise::join::OpenRecord;
use crate::store::catalogue::{
    AttributionNote, Moved, Reason, Segment, each_open, is_relabelling, note_attribution, note_attribution_at,
    orphans_of, put_attribution_version, put_open_message, put_relabelling, settle_attribution_notes, span_until,
    take_place,
};
use crate::store::columnar::{self, ArrivalRow, EncodedSegment};
use crate::store::commit::put_in_place;
use crate::store::error::StoreError;
use crate::store::handle::Store;
use crate::store::linker::{LearntBySource, Mtas, learn, mtas};
use crate::store::segments::SegmentPart;
use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet};

/// Attributes stored rows anew. What was done stays when it is broken off; done again it changes nothing.
///
/// # Errors
/// The store cannot be read or written; the outbox is full: what is done by then is done.
pub fn relabel(store: &Store, what: &Relabel<'_>) -> Result<Relabelled, StoreError> {
    let (since, until) = what.window_ms;
    let whole = |at: UtcMs| at.floor_to(MINUTE_MS);
    let window = match until.checked_add(MINUTE_MS - 1) {
        Some(until) => (whole(since), whole(until)),
        None => (whole(since), until),
    };
    if what.is_dry {
        return Ok(attribute_anew(store, what, window, true)?.told);
    }
    let notes = store.attribution().changes()?.last().map_or(0, |change| change.number);
    if window != WHOLE {
        // Names end and begin at the window's edges, also for who looks while it is under way or after a kill.
        note_edges(store, &attribute_anew(store, what, window, true)?, window)?;
    }
    let done = attribute_anew(store, what, window, false)?;
    relabel_open(store, &done)?;
    note_relabelled(store, what, window, &done, notes)?;
    Ok(done.told)
}

fn attribute_anew(
    store: &Store,
    what: &Relabel<'_>,
    window: (UtcMs, UtcMs),
    is_dry: bool,
) -> Result<RelabelProgress, StoreError> {
    let mut judges = Judges {
        what,
        window,
        sources: store.positions().names()?,
        derived: BTreeMap::new(),
        kept: BTreeMap::new(),
        new: Vec::new(),
        judged: HashMap::default(),
    };
    for source in judges.sources.keys().copied().collect::<Vec<_>>() {
        let services = store.services();
        judges
            .derived
            .insert(source, services.borne(source)?.into_iter().collect());
        let kept = services
            .derived(source)?
            .into_iter()
            .filter(|state| state.waits.is_none());
        let kept = kept.map(|state| state.name).chain(services.accounts(source)?);
        judges.kept.insert(source, kept.collect());
    }
    let mut done = RelabelProgress {
        open: open_arrivals(store)?,
        is_dry,
        ..RelabelProgress::default()
    };
    let mtas = mtas(&store.catalogue().connection())?;
    let all = store.segments().between(window.0, window.1)?;
    let days: BTreeSet<CivilDay> = all.iter().map(|segment| segment.day).collect();
    for day in days {
        relabel_day(store, &mtas, day, &mut judges, &mut done)?;
    }
    Ok(done)
}

fn relabel_day(
    store: &Store,
    mtas: &Mtas,
    day: CivilDay,
    judges: &mut Judges<'_>,
    done: &mut RelabelProgress,
) -> Result<(), StoreError> {
    let mut segments = store.segments().between(day.start(), (day + 1).start())?;
    segments.retain(|segment| segment.day == day);
    let mut learnt = LearntBySource::default();
    if mtas.hosts.len() > 1 {
        let mut anew = |segment: &Segment, row: &mut ArrivalRow| judges.arrival(segment.source, row);
        learnt = learn(store, mtas, day, &segments, Some(&mut anew))?.1;
    }
    for segment in &segments {
        let orphans = orphans_of(&store.catalogue().connection(), segment.id)?;
        let window = judges.window;
        let mut piece = SegmentJudge {
            source: segment.source,
            orphans,
            judges: &mut *judges,
            done: &mut *done,
        };
        let of_source = learnt.get(&segment.source);
        let encoded = store.segments().read_part(segment, SegmentPart::Events, |path| {
            columnar::reattribute(path, window, of_source, &mut piece)
        })?;
        let Some(encoded) = encoded.flatten() else { continue };
        done.told.segments += 1;
        if !done.is_dry {
            put_relabelled(store, segment, &encoded, &judges.new)?;
            judges.new.clear();
        }
    }
    Ok(())
}

/// A segment in the place of one that says otherwise, and names that were derived for it.
fn put_relabelled(
    store: &Store,
    segment: &Segment,
    encoded: &EncodedSegment,
    new: &[(i64, String)],
) -> Result<(), StoreError> {
    put_in_place(store, segment, encoded, |transaction| {
        store.outbox().has_room(transaction)?;
        put_relabelling(transaction, true)?;
        for (source, name) in new {
            take_place(transaction, *source, name, segment.day)?;
        }
        Ok(())
    })
}

/// Messages that are in a queue still, by source and ID.
fn open_arrivals(store: &Store) -> Result<OpenArrivals, StoreError> {
    let mut open = OpenArrivals::default();
    each_open(&store.catalogue().connection(), |source, id, record| {
        if let Some(arrival_ms) = record.arrival_ms.filter(|_| source > 0) {
            open.insert((source, text(id)), (arrival_ms, None));
        }
        Ok(())
    })?;
    Ok(open)
}

/// Lines that are still to come of a message carry what its arrival has become.
fn relabel_open(store: &Store, done: &RelabelProgress) -> Result<(), StoreError> {
    let mut connection = store.catalogue().connection();
    let transaction = connection.begin()?;
    let mut changed: Vec<(i64, Vec<u8>, OpenRecord)> = Vec::new();
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
        changed.push((source, id.to_vec(), record));
        Ok(())
    })?;
    for (source, id, record) in &changed {
        put_open_message(&transaction, *source, id, record)?;
    }
    transaction.commit()?;
    Ok(())
}

/// Notes what the rows of the window do to the series at its ends.
fn note_edges(store: &Store, done: &RelabelProgress, (since, until): (UtcMs, UtcMs)) -> Result<(), StoreError> {
    if done.told.segments == 0 {
        return Ok(());
    }
    let mut connection = store.catalogue().connection();
    let transaction = connection.begin()?;
    let Some((first, last)) = span_until(&transaction, UtcMs::MAX)? else {
        return Ok(());
    };
    if first < since {
        let begun = relabelled(done.services.result(), done.hostgroups.result());
        note_attribution_at(&transaction, since.minute() - 1, &begun)?;
    }
    if last >= until {
        let over = relabelled(done.services.undone(), done.hostgroups.undone());
        note_attribution_at(&transaction, until.minute() - 1, &over)?;
    }
    transaction.commit()?;
    Ok(())
}

/// Older notes within the window say nothing any more, but of names that rows have kept because nobody can judge them.
/// `notes` is the last of them.
fn note_relabelled(
    store: &Store,
    what: &Relabel<'_>,
    (since, until): (UtcMs, UtcMs),
    done: &RelabelProgress,
    notes: i64,
) -> Result<(), StoreError> {
    let mut connection = store.catalogue().connection();
    let transaction = connection.begin()?;
    let minutes = (since.minute(), until.minute());
    let kept: BTreeSet<&str> = done.told.unjudged.keys().map(|(service, _)| service.as_str()).collect();
    settle_attribution_notes(&transaction, notes, minutes, &|name| kept.contains(name))?;
    if (since, until) == WHOLE {
        // What is stored is of today's attribution, as far as anybody can say.
        put_attribution_version(&transaction, what.with.version())?;
    }
    if is_relabelling(&transaction)? {
        put_relabelling(&transaction, false)?;
        // Whoever watches learns anew, also what was done before a kill. Names that only rows bear that cannot be judged end here.
        let left = Moved {
            ended: done.left.result().ended,
            changed: Vec::new(),
        };
        note_attribution(&transaction, &relabelled(left, Moved::default()))?;
    }
    transaction.commit()?;
    Ok(())
}

fn relabelled(services: Moved, hostgroups: Moved) -> AttributionNote {
    AttributionNote {
        reason: Reason::Relabelled,
        services,
        hostgroups,
    }
}

/// A window without ends.
const WHOLE: (UtcMs, UtcMs) = (UtcMs::MIN, UtcMs::MAX);

//! The catalogue, made anew beside the old one and put in its place whole.

use super::adopt::{self, FileVerdict, JudgedFiles, NamedSegment, UnnamedFile};
use crate::files;
use crate::model::time::{HOUR_MS, MINUTE_MS, UtcMs};
use crate::store::catalogue::{self, Connection, Segment, numbers};
use crate::store::columnar::{self, Described};
use crate::store::condition;
use crate::store::copies::{self, Copy};
use crate::store::error::{Lost, StoreError};
use crate::store::outbox;
use crate::store::segments::{LostFound, segment_files, segments_folder};
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What became of a catalogue that was made anew.
#[derive(Debug)]
pub struct Rebuilt {
    /// What was wrong.
    pub lost: Lost,
    /// When the copy was made that it stands on, UTC milliseconds; none: it stands on the segments alone.
    pub copy_ms: Option<UtcMs>,
    /// Copies that were no good, and why.
    pub bad_copies: Vec<(PathBuf, String)>,
    /// Segments that the copy named and that stay.
    pub kept: u64,
    /// Segments that only their files told of.
    pub adopted: u64,
    /// Rows of these.
    pub adopted_rows: u64,
    /// Files whose rows stand in newer ones.
    pub replaced: u64,
    /// Files that cannot be read, and why: they go to `lost+found`.
    pub unreadable: Vec<(PathBuf, String)>,
    /// Minutes whose lines and heartbeats are not known.
    pub gaps: Vec<MinuteGap>,
    /// What was sent to a ClickHouse is not known any more: see [`StoreError::ShipUndecided`].
    pub ship_undecided: bool,
}

/// Minutes of a source that are stored without what was counted of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinuteGap {
    /// Host.
    pub host: String,
    /// Kind of source.
    pub kind: String,
    /// First minute, UTC milliseconds.
    pub from_ms: UtcMs,
    /// End of the last, UTC milliseconds.
    pub to_ms: UtcMs,
}

/// Gaps that are told one by one, at most; further ones of a source become one.
const GAPS_MAX: usize = 100;
/// A tail beats every ten seconds; after so long without it there was none.
const BEATS_MS: i64 = HOUR_MS;

/// Makes the catalogue of a store anew. The caller holds its lock.
pub(super) fn rebuild(store: &Path, lost: Lost, lost_found_max: u64, now_ms: UtcMs) -> Result<Rebuilt, StoreError> {
    let path = store.join("catalogue.rebuilt.tmp");
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::Io { path, source }
    };
    remove_database(&path);
    let (copy, bad_copies) = base(store, &path)?;
    let mut work = Rebuilding {
        store,
        connection: catalogue::open(&path)?,
        rebuilt: Rebuilt {
            lost,
            copy_ms: copy.map(|copy| copy.taken_ms),
            bad_copies,
            kept: 0,
            adopted: 0,
            adopted_rows: 0,
            replaced: 0,
            unreadable: Vec::new(),
            gaps: Vec::new(),
            ship_undecided: false,
        },
    };
    work.reconcile()?;
    work.note_gaps(now_ms)?;
    work.stop_sending()?;
    let id = match numbers::id_of(&work.connection)? {
        0 => numbers::new_id(&work.connection)?,
        id => id,
    };
    // What was judged by the old one is none of this one's.
    numbers::put(&work.connection, numbers::REBUILT, numbers::random())?;
    let Rebuilding {
        connection, rebuilt, ..
    } = work;
    // One file, so that one rename puts it in place.
    connection.close_as_one_file()?;
    fs::File::open(&path)
        .and_then(|file| file.sync_all())
        .map_err(io(&path))?;
    condition::write_id(store, id)?;
    // The log of changes beside the old catalogue would be taken for the new one's.
    let old = ["", "-wal", "-shm", "-journal"].map(|end| store.join(format!("catalogue.sqlite{end}")));
    let bad = rebuilt.bad_copies.iter().map(|(path, _)| path.clone());
    let aside: Vec<PathBuf> = old.into_iter().chain(bad).collect();
    let moved = LostFound::of(store, lost_found_max).take(&aside);
    moved.map_err(|(path, source)| StoreError::Io { path, source })?;
    let place = store.join(catalogue::FILE);
    fs::rename(&path, &place).map_err(io(&place))?;
    files::sync_folder(store).map_err(io(store))?;
    Ok(rebuilt)
}

/// Copies that are damaged, and how.
type DamagedCopies = Vec<(PathBuf, String)>;

/// Puts the newest copy that is good in place of a new catalogue, if there is one.
fn base(store: &Path, to: &Path) -> Result<(Option<Copy>, DamagedCopies), StoreError> {
    let mut bad = Vec::new();
    for copy in copies::list(store) {
        match copy.unpack(to) {
            Ok(()) => return Ok((Some(copy), bad)),
            Err(why) => bad.push((copy.path, why)),
        }
        remove_database(to);
    }
    Ok((None, bad))
}

fn remove_database(path: &Path) {
    for end in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        let _ = fs::remove_file(PathBuf::from(name));
    }
}

struct Rebuilding<'s> {
    store: &'s Path,
    connection: Connection,
    rebuilt: Rebuilt,
}

impl Rebuilding<'_> {
    /// Brings the segments of the copy and the files of the folder together.
    fn reconcile(&mut self) -> Result<(), StoreError> {
        let named = catalogue::segments(&self.connection, UtcMs::MIN, UtcMs::MAX)?;
        let last = catalogue::next_segment(&self.connection)? - 1;
        let files: BTreeMap<i64, PathBuf> = segment_files(self.store)?.into_iter().collect();
        let names: HashMap<i64, &Segment> = named.iter().map(|segment| (segment.id, segment)).collect();
        let mut found = Vec::new();
        for (number, path) in files.iter().filter(|(number, _)| !names.contains_key(*number)) {
            // The copy was made after another had taken its place, or it was never committed.
            if *number <= last {
                continue;
            }
            match columnar::describe(path) {
                Ok(described) => found.push(UnnamedFile {
                    number: *number,
                    described,
                }),
                Err(why) => self.rebuilt.unreadable.push((path.clone(), why.to_string())),
            }
        }
        let mut next = files.keys().last().copied().unwrap_or(0).max(last) + 1;
        let positions = catalogue::offsets_by_log(&self.connection)?;
        let sources: BTreeMap<(String, String), i64> = catalogue::source_names(&self.connection)?
            .into_iter()
            .map(|(id, name)| (name, id))
            .collect();
        for ((host, kind, day), found) in adopt::grouped(found) {
            let source = sources.get(&(host.clone(), kind.clone()));
            let alike = named
                .iter()
                .filter(|segment| Some(&segment.source) == source && segment.day == day);
            let alike: Vec<NamedSegment> = alike
                .map(|segment| NamedSegment {
                    number: segment.id,
                    rows: segment.rows,
                    path: files.get(&segment.id).cloned(),
                })
                .collect();
            // Of a log that it does not know nothing had been read.
            let position = |log: u64| positions.get(&log).copied().unwrap_or(Some(0));
            let judged = adopt::judge(&found, &alike, &position);
            self.take_over(found, &alike, judged, &mut next)?;
        }
        catalogue::raise_last_segment(&self.connection, next - 1)?;
        self.rebuilt.kept = catalogue::count_segments(&self.connection)? - self.rebuilt.adopted;
        Ok(())
    }

    /// Does what was judged of a group.
    fn take_over(
        &mut self,
        found: Vec<UnnamedFile>,
        named: &[NamedSegment],
        judged: JudgedFiles,
        next: &mut i64,
    ) -> Result<(), StoreError> {
        let mut found: HashMap<i64, UnnamedFile> = found.into_iter().map(|file| (file.number, file)).collect();
        let transaction = self.connection.begin()?;
        for (number, verdict) in judged.verdicts {
            let mut path = segments_folder(self.store).join(format!("{number}.events.parquet"));
            let mut number = number;
            let mut described = found.remove(&number).map(|file| file.described);
            match verdict {
                // What the copy names and nothing has taken the place of.
                FileVerdict::Counts if described.is_none() => continue,
                FileVerdict::Counts => {}
                FileVerdict::Replaced => {
                    self.rebuilt.replaced += 1;
                    catalogue::remove_segment(&transaction, number)?;
                    continue;
                }
                FileVerdict::Overlaps(keep) => {
                    let thinned = columnar::thinned(&path, &keep)?;
                    catalogue::remove_segment(&transaction, number)?;
                    number = *next;
                    *next += 1;
                    path = segments_folder(self.store).join(format!("{number}.events.parquet"));
                    write(&path, &thinned.events)?;
                    described = Some(columnar::describe(&path)?);
                }
            }
            if let Some(described) = described {
                self.rebuilt.adopted += 1;
                self.rebuilt.adopted_rows += described.ids.len() as u64;
                adopt_segment(&transaction, number, &path, &described)?;
                self.rebuilt.gaps.push(MinuteGap {
                    host: described.host,
                    kind: described.source,
                    from_ms: described.span_ms.0,
                    to_ms: described.span_ms.1,
                });
            }
        }
        if judged.complete {
            for gone in named.iter().filter(|named| named.path.is_none()) {
                catalogue::remove_segment(&transaction, gone.number)?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Which minutes have rows, or had a tail that read, and nothing that says so.
    fn note_gaps(&mut self, now_ms: UtcMs) -> Result<(), StoreError> {
        let mut gaps = std::mem::take(&mut self.rebuilt.gaps);
        if let Some(copy_ms) = self.rebuilt.copy_ms {
            let beating = catalogue::beating_since(&self.connection, (copy_ms - BEATS_MS).minute())?;
            gaps.extend(beating.into_iter().map(|(host, kind)| MinuteGap {
                host,
                kind,
                from_ms: copy_ms,
                to_ms: now_ms.max(copy_ms),
            }));
        }
        self.rebuilt.gaps = joined(gaps);
        Ok(())
    }

    /// Nothing is sent before somebody says what the server keeps.
    fn stop_sending(&mut self) -> Result<(), StoreError> {
        let folder = outbox::outbox_folder(self.store);
        let posted = fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some());
        // Without a copy a folder for it is all that is left of what was sent.
        let unknown = self.rebuilt.copy_ms.is_none() && folder.is_dir();
        if posted || unknown || outbox::was_shipping(&self.connection)? {
            outbox::leave_undecided(&self.connection)?;
            self.rebuilt.ship_undecided = true;
        }
        Ok(())
    }
}

fn adopt_segment(connection: &Connection, number: i64, path: &Path, described: &Described) -> Result<(), StoreError> {
    let rates_path = path.with_file_name(format!("{number}.rates.parquet"));
    // What stands there may be damaged, and says nothing that the rows do not.
    write(&rates_path, &described.rates)?;
    let events = fs::read(path).map_err(|source| StoreError::Io {
        path: path.to_owned(),
        source,
    })?;
    let source = catalogue::source(connection, &described.host, &described.source)?;
    catalogue::insert_segment(
        connection,
        &Segment {
            id: number,
            source,
            day: described.day,
            first_ms: described.span_ms.0,
            last_ms: described.span_ms.1,
            rows: described.ids.len() as u64,
            events_bytes: events.len() as u64,
            rates_bytes: described.rates.len() as u64,
            events_hash: blake3::hash(&events).to_hex().to_string(),
            rates_hash: blake3::hash(&described.rates).to_hex().to_string(),
        },
    )?;
    catalogue::adopt(connection, number)?;
    catalogue::note_logs(connection, number, &spans(&described.ids))?;
    catalogue::note_orphans(connection, source, number, &described.orphans)?;
    Ok(())
}

/// First and last offset of each log.
fn spans(ids: &[(u64, i64)]) -> Vec<(u64, i64, i64)> {
    let mut spans: Vec<(u64, i64, i64)> = Vec::new();
    for (log, offset) in ids {
        match spans.iter_mut().find(|(known, ..)| known == log) {
            Some((_, first, last)) => (*first, *last) = ((*first).min(*offset), (*last).max(*offset)),
            None => spans.push((*log, *offset, *offset)),
        }
    }
    spans
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(path);
    files::write_whole(path, bytes)
        .and_then(|()| files::sync_folder(folder))
        .map_err(|source| StoreError::Io {
            path: path.to_owned(),
            source,
        })
}

/// Gaps in whole minutes, those of a source that meet as one.
fn joined(mut gaps: Vec<MinuteGap>) -> Vec<MinuteGap> {
    for gap in &mut gaps {
        gap.from_ms = gap.from_ms.floor_to(MINUTE_MS);
        gap.to_ms = gap.to_ms.floor_to(MINUTE_MS) + MINUTE_MS;
    }
    gaps.sort_by(|a, b| (&a.host, &a.kind, a.from_ms).cmp(&(&b.host, &b.kind, b.from_ms)));
    let too_many = gaps.len() > GAPS_MAX;
    let mut joined: Vec<MinuteGap> = Vec::new();
    for gap in gaps {
        match joined.last_mut() {
            Some(last)
                if (&last.host, &last.kind) == (&gap.host, &gap.kind) && (too_many || gap.from_ms <= last.to_ms) =>
            {
                last.to_ms = last.to_ms.max(gap.to_ms);
            }
            _ => joined.push(gap),
        }
    }
    joined
}

//! The catalogue, made anew beside the old one and put in its place whole.

use super::super::catalogue::{self, Segment};
use super::super::condition::{self, Lost};
use super::super::copies::{self, Copy};
use super::super::lost_found::LostFound;
use super::super::outbox::{self, get, put};
use super::super::{Error, columnar};
use super::adopt::{self, Found, Named, Verdict};
use crate::files;
use hashbrown::HashMap;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What became of a catalogue that was made anew.
#[derive(Debug)]
pub struct Rebuilt {
    /// What was wrong.
    pub lost: Lost,
    /// When the copy was made that it stands on, UTC milliseconds; none: it stands on the segments alone.
    pub copy_ms: Option<i64>,
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
    pub gaps: Vec<Gap>,
    /// What was sent to a ClickHouse is not known any more: see [`Error::ShipUndecided`].
    pub ship_undecided: bool,
}

/// Minutes of a source that are stored without what was counted of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Host.
    pub host: String,
    /// Kind of source.
    pub kind: String,
    /// First minute, UTC milliseconds.
    pub from_ms: i64,
    /// End of the last, UTC milliseconds.
    pub to_ms: i64,
}

/// Gaps that are told one by one, at most; further ones of a source become one.
const GAPS_MAX: usize = 100;
const MINUTE_MS: i64 = 60_000;
/// A tail beats every ten seconds; after so long without it there was none.
const BEATS_MS: i64 = 3_600_000;

/// Makes the catalogue of a store anew. The caller holds its lock.
pub(super) fn rebuild(store: &Path, lost: Lost, lost_found_max: u64, now_ms: i64) -> Result<Rebuilt, Error> {
    let path = store.join("catalogue.rebuilt.tmp");
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    };
    remove_database(&path);
    let (copy, bad_copies) = base(store, &path)?;
    let mut work = Work {
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
    let id = match condition::id_of(&work.connection)? {
        0 => condition::new_id(&work.connection)?,
        id => id,
    };
    let Work {
        connection, rebuilt, ..
    } = work;
    // One file, so that one rename puts it in place.
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE")?;
    connection.close().map_err(|(_, error)| error)?;
    fs::File::open(&path)
        .and_then(|file| file.sync_all())
        .map_err(io(&path))?;
    condition::write_id(store, id)?;
    // The log of changes beside the old catalogue would be taken for the new one's.
    let old = ["", "-wal", "-shm", "-journal"].map(|end| store.join(format!("catalogue.sqlite{end}")));
    let bad = rebuilt.bad_copies.iter().map(|(path, _)| path.clone());
    let aside: Vec<PathBuf> = old.into_iter().chain(bad).collect();
    let moved = LostFound::of(store, lost_found_max).take(&aside);
    moved.map_err(|(path, source)| Error::Io { path, source })?;
    let place = store.join("catalogue.sqlite");
    fs::rename(&path, &place).map_err(io(&place))?;
    files::sync_folder(store).map_err(io(store))?;
    Ok(rebuilt)
}

/// Copies that are damaged, and how.
type BadCopies = Vec<(PathBuf, String)>;

/// Puts the newest copy that is good in place of a new catalogue, if there is one.
fn base(store: &Path, to: &Path) -> Result<(Option<Copy>, BadCopies), Error> {
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

struct Work<'s> {
    store: &'s Path,
    connection: Connection,
    rebuilt: Rebuilt,
}

impl Work<'_> {
    /// Brings the segments of the copy and the files of the folder together.
    fn reconcile(&mut self) -> Result<(), Error> {
        let named = catalogue::segments(&self.connection, i64::MIN, i64::MAX)?;
        let last = catalogue::next_segment(&self.connection)? - 1;
        let files: BTreeMap<i64, PathBuf> = condition::segment_files(self.store)?.into_iter().collect();
        let names: HashMap<i64, &Segment> = named.iter().map(|segment| (segment.id, segment)).collect();
        let mut found = Vec::new();
        for (number, path) in files.iter().filter(|(number, _)| !names.contains_key(*number)) {
            // The copy was made after another had taken its place, or it was never committed.
            if *number <= last {
                continue;
            }
            match columnar::describe(path) {
                Ok(described) => found.push(Found {
                    number: *number,
                    described,
                }),
                Err(why) => self.rebuilt.unreadable.push((path.clone(), why.to_string())),
            }
        }
        let mut next = files.keys().last().copied().unwrap_or(0).max(last) + 1;
        let positions = self.positions()?;
        let sources = self.sources()?;
        for ((host, kind, day), found) in adopt::grouped(found) {
            let source = sources.get(&(host.clone(), kind.clone()));
            let alike = named
                .iter()
                .filter(|segment| Some(&segment.source) == source && segment.day == day);
            let alike: Vec<Named> = alike
                .map(|segment| Named {
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
        self.connection.execute(
            "INSERT INTO sqlite_sequence (name, seq) SELECT 'segment', 0
             WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'segment')",
            [],
        )?;
        self.connection.execute(
            "UPDATE sqlite_sequence SET seq = max(seq, ?1) WHERE name = 'segment'",
            [next - 1],
        )?;
        let named: i64 = self
            .connection
            .query_row("SELECT count(*) FROM segment", [], |row| row.get(0))?;
        self.rebuilt.kept = named as u64 - self.rebuilt.adopted;
        Ok(())
    }

    /// How far each log had been read when the copy was made; None where its position is no offset.
    fn positions(&self) -> Result<HashMap<u64, Option<i64>>, Error> {
        let mut statement = self.connection.prepare("SELECT log_id, position FROM log")?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
        let mut positions = HashMap::new();
        for row in rows {
            let (log, position) = row?;
            let position: Option<serde_json::Value> = serde_json::from_str(&position).ok();
            let offset = position.and_then(|position| position.get("offset")?.as_i64());
            positions.insert(log as u64, offset);
        }
        Ok(positions)
    }

    fn sources(&self) -> Result<HashMap<(String, String), i64>, Error> {
        let mut statement = self.connection.prepare("SELECT host, kind, id FROM source")?;
        let rows = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Does what was judged of a group.
    fn take_over(
        &mut self,
        found: Vec<Found>,
        named: &[Named],
        judged: adopt::Judged,
        next: &mut i64,
    ) -> Result<(), Error> {
        let mut found: HashMap<i64, Found> = found.into_iter().map(|file| (file.number, file)).collect();
        let transaction = self.connection.unchecked_transaction()?;
        for (number, verdict) in judged.verdicts {
            let mut path = self.store.join("segments").join(format!("{number}.events.parquet"));
            let mut number = number;
            let mut described = found.remove(&number).map(|file| file.described);
            match verdict {
                // What the copy names and nothing has taken the place of.
                Verdict::Counts if described.is_none() => continue,
                Verdict::Counts => {}
                Verdict::Replaced => {
                    self.rebuilt.replaced += 1;
                    forget(&transaction, number)?;
                    continue;
                }
                Verdict::Overlaps(keep) => {
                    let thinned = columnar::thinned(&path, &keep)?;
                    forget(&transaction, number)?;
                    number = *next;
                    *next += 1;
                    path = self.store.join("segments").join(format!("{number}.events.parquet"));
                    write(&path, &thinned.events)?;
                    described = Some(columnar::describe(&path)?);
                }
            }
            if let Some(described) = described {
                self.rebuilt.adopted += 1;
                self.rebuilt.adopted_rows += described.ids.len() as u64;
                adopt_segment(&transaction, number, &path, &described)?;
                self.rebuilt.gaps.push(Gap {
                    host: described.host,
                    kind: described.source,
                    from_ms: described.span_ms.0,
                    to_ms: described.span_ms.1,
                });
            }
        }
        if judged.complete {
            for gone in named.iter().filter(|named| named.path.is_none()) {
                forget(&transaction, gone.number)?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Which minutes have rows, or had a tail that read, and nothing that says so.
    fn note_gaps(&mut self, now_ms: i64) -> Result<(), Error> {
        let mut gaps = std::mem::take(&mut self.rebuilt.gaps);
        if let Some(copy_ms) = self.rebuilt.copy_ms {
            let mut beating = self.connection.prepare(
                "SELECT host, kind FROM source WHERE id IN
                 (SELECT source FROM source_minute WHERE heartbeats > 0 AND minute >= ?1) ORDER BY host, kind",
            )?;
            let rows = beating.query_map([(copy_ms - BEATS_MS) / MINUTE_MS], |row| {
                Ok(Gap {
                    host: row.get(0)?,
                    kind: row.get(1)?,
                    from_ms: copy_ms,
                    to_ms: now_ms.max(copy_ms),
                })
            })?;
            gaps.extend(rows.collect::<Result<Vec<_>, _>>()?);
        }
        self.rebuilt.gaps = joined(gaps);
        Ok(())
    }

    /// Nothing is sent before somebody says what the server keeps.
    fn stop_sending(&mut self) -> Result<(), Error> {
        let connection = &self.connection;
        let posted = fs::read_dir(self.store.join("outbox")).is_ok_and(|mut entries| entries.next().is_some());
        let sent = get(connection, "shipping")? != 0 || get(connection, outbox::UNDECIDED)? != 0;
        // Without a copy a folder for it is all that is left of what was sent.
        let unknown = self.rebuilt.copy_ms.is_none() && self.store.join("outbox").is_dir();
        if !(posted || sent || unknown) {
            return Ok(());
        }
        connection.execute("DELETE FROM outbox", [])?;
        let generation = get(connection, "generation")? + 1;
        for (name, value) in [
            (outbox::UNDECIDED, 1),
            ("shipping", 0),
            ("ship_gap", 0),
            ("outbox_bytes", 0),
            ("generation", generation),
            // No token of the new catalogue is one of the old.
            ("store_id", outbox::random() & i64::MAX),
        ] {
            put(connection, name, value)?;
        }
        self.rebuilt.ship_undecided = true;
        Ok(())
    }
}

/// A segment of the copy that another has taken the place of.
fn forget(connection: &Connection, number: i64) -> Result<(), Error> {
    connection.execute("DELETE FROM orphan WHERE segment = ?1", [number])?;
    connection.execute("DELETE FROM segment WHERE id = ?1", [number])?;
    Ok(())
}

fn adopt_segment(
    connection: &Connection,
    number: i64,
    path: &Path,
    described: &columnar::Described,
) -> Result<(), Error> {
    let rates_path = path.with_file_name(format!("{number}.rates.parquet"));
    // What stands there may be damaged, and says nothing that the rows do not.
    write(&rates_path, &described.rates)?;
    let events = fs::read(path).map_err(|source| Error::Io {
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
    connection.execute("INSERT INTO adopted VALUES (?1)", [number])?;
    let mut span = connection.prepare_cached(
        "INSERT INTO segment_log VALUES (?1, ?2, ?3, ?3) ON CONFLICT DO UPDATE SET
         first_offset = min(first_offset, excluded.first_offset), last_offset = max(last_offset, excluded.last_offset)",
    )?;
    for (log, first, last) in spans(&described.ids) {
        span.execute(params![number, log as i64, first])?;
        span.execute(params![number, log as i64, last])?;
    }
    let mut orphan = connection.prepare_cached("INSERT OR IGNORE INTO orphan VALUES (?1, ?2, ?3)")?;
    for id in &described.orphans {
        orphan.execute(params![source, id.as_bytes(), number])?;
    }
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

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(path);
    files::write_whole(path, bytes)
        .and_then(|()| files::sync_folder(folder))
        .map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })
}

/// Gaps in whole minutes, those of a source that meet as one.
fn joined(mut gaps: Vec<Gap>) -> Vec<Gap> {
    for gap in &mut gaps {
        gap.from_ms = gap.from_ms.div_euclid(MINUTE_MS) * MINUTE_MS;
        gap.to_ms = gap.to_ms.div_euclid(MINUTE_MS) * MINUTE_MS + MINUTE_MS;
    }
    gaps.sort_by(|a, b| (&a.host, &a.kind, a.from_ms).cmp(&(&b.host, &b.kind, b.from_ms)));
    let too_many = gaps.len() > GAPS_MAX;
    let mut joined: Vec<Gap> = Vec::new();
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

//! A segment with some columns changed: amendments correct who sent some messages. The other columns pass through as
//! they are; rates are made anew from the rows.

use super::ColumnarError;
use super::any_column::AnyColumn;
use super::key_filter::{LookupKey, SegmentKeys, domain_number};
use super::rates::{RateRow, Rates, codes_in, destination_names, direction_names, kind_names};
use super::read::SegmentReader;
use super::rollups::ROLLUP_ROWS_MIN;
use super::segment::EncodedSegment;
use super::tally::{Tallies, TalliesOf, TallyRow, is_silent, two_digits};
use super::texts::TextColumn;
use super::write::{Columns, DIRECTION, ORIGIN, PROVIDER, Scratch};
use crate::model::direction::{Direction, MailOrigin};
use crate::model::event::{Destination, Kind, Origin};
use crate::model::time::UtcMs;
use crate::normalise::join::Amendment;
use crate::normalise::provider::in_rates;
use crate::store::batch::NONE;
use hashbrown::HashMap;
use std::io::{Cursor, Read, Seek};
use std::path::{Path, PathBuf};

/// Picks one column's value.
type RewrittenField = fn(&Origin) -> &String;

/// The segment at `path` with the senders of some messages corrected.
pub(crate) fn amend(path: &Path, amendments: &[&Amendment]) -> Result<EncodedSegment, ColumnarError> {
    let mut rows = EventColumns::read(path)?;
    let by_id: HashMap<String, &Amendment> = amendments
        .iter()
        .map(|amendment| (crate::model::text::text(amendment.queue_id.as_bytes()), *amendment))
        .collect();
    let ids = rows.texts("queue_id")?;
    let of_code: Vec<Option<&Amendment>> = ids.values.iter().map(|id| by_id.get(id).copied()).collect();
    let times = rows.numbers("ts_ms")?;
    let of_row: Vec<Option<&Amendment>> = ids
        .codes
        .iter()
        .zip(times)
        .map(|(code, time)| of_code[*code as usize].filter(|amendment| *time as i64 >= amendment.from_ms.get()))
        .collect();
    let fields: [(&str, RewrittenField); 7] = [
        ("service", |o| &o.service),
        ("hostgroup", |o| &o.hostgroup),
        ("client", |o| &o.client),
        ("client_ip", |o| &o.client_ip),
        ("sender_local", |o| &o.sender_local),
        ("sender_domain", |o| &o.sender_domain),
        (ORIGIN, |o| &o.origin),
    ];
    for (name, field) in fields {
        let column = rows.texts_mut(name)?;
        for (row, amendment) in of_row.iter().enumerate() {
            if let Some(amendment) = amendment {
                column.codes[row] = column.code(field(&amendment.origin));
            }
        }
    }
    if let Some(AnyColumn::Flags(flags)) = rows.column_mut("first_hop") {
        for (flag, amendment) in flags.iter_mut().zip(&of_row) {
            *flag = amendment.map_or(*flag, |amendment| amendment.first_hop);
        }
    }
    let origins: Vec<MailOrigin> = of_row
        .iter()
        .map(|amendment| amendment.map_or_else(MailOrigin::default, |of| MailOrigin::named(&of.origin.origin)))
        .collect();
    rows.correct_directions(&origins)?;
    rows.encode()
}

/// The rates of a file of events.
pub(crate) fn rates_of(path: &Path) -> Result<Vec<u8>, ColumnarError> {
    EventColumns::read(path)?.rates()
}

/// Columns of which keys are made, those together of which one is.
const KEY_COLUMNS: [&[&str]; 3] = [
    &["sender_local", "sender_domain"],
    &["recipient_local", "recipient_domain"],
    &["queue_id"],
];

/// By which keys the rows of a file that is not written yet may be found. It is never in memory as a whole.
pub(super) fn add_keys_of(path: &Path, events: &[u8], keys: &mut SegmentKeys) -> Result<(), ColumnarError> {
    let mut reader = SegmentReader::of(path, Cursor::new(events))?;
    let len = reader.rows();
    for names in KEY_COLUMNS {
        let columns = names.iter().map(|name| Ok(((*name).to_owned(), reader.any(name)?)));
        let columns = EventColumns {
            len,
            path: path.to_owned(),
            columns: columns.collect::<Result<_, ColumnarError>>()?,
        };
        columns.add_keys_in(names, keys)?;
    }
    Ok(())
}

/// A copy whose message's origin became known, with its direction before and after.
#[derive(Debug, Clone, Copy)]
struct CorrectedCopy {
    row: usize,
    before: Option<Direction>,
    after: Option<Direction>,
}

impl CorrectedCopy {
    /// What nothing tells counted among what leaves us.
    fn was_away(&self) -> bool {
        self.before.is_none_or(Direction::is_away)
    }

    fn turned_out_to_stay(&self) -> bool {
        self.was_away() && self.after.is_some_and(|after| !after.is_away())
    }
}

/// All columns of a file of events.
pub(super) struct EventColumns {
    len: usize,
    path: PathBuf,
    columns: Vec<(String, AnyColumn)>,
}

impl EventColumns {
    pub(super) fn read(path: &Path) -> Result<Self, ColumnarError> {
        EventColumns::all(path, SegmentReader::open(path)?)
    }

    /// The same of a file that is not written yet.
    pub(super) fn of(path: &Path, events: &[u8]) -> Result<Self, ColumnarError> {
        EventColumns::all(path, SegmentReader::of(path, Cursor::new(events))?)
    }

    fn all<F: Read + Seek>(path: &Path, mut reader: SegmentReader<'_, F>) -> Result<Self, ColumnarError> {
        Ok(EventColumns {
            len: reader.rows(),
            path: path.to_owned(),
            columns: reader.all()?,
        })
    }

    /// Other columns in the place of these.
    pub(super) fn with(self, len: usize, columns: Vec<(String, AnyColumn)>) -> Self {
        EventColumns { len, columns, ..self }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn columns(&self) -> &[(String, AnyColumn)] {
        &self.columns
    }

    pub(super) fn column_mut(&mut self, name: &str) -> Option<&mut AnyColumn> {
        self.columns
            .iter_mut()
            .find(|(known, _)| known == name)
            .map(|(_, column)| column)
    }

    pub(super) fn damaged(&self, name: &str) -> ColumnarError {
        ColumnarError::Damaged {
            path: self.path.clone(),
            what: format!("no column {name} of the right type"),
        }
    }

    pub(super) fn texts(&self, name: &str) -> Result<&TextColumn, ColumnarError> {
        match self.columns.iter().find(|(known, _)| known == name) {
            Some((_, AnyColumn::Texts(texts))) => Ok(texts),
            _ => Err(self.damaged(name)),
        }
    }

    /// Text in either form.
    fn strings(&self, name: &str) -> Result<Box<dyn Iterator<Item = &str> + '_>, ColumnarError> {
        match self.columns.iter().find(|(known, _)| known == name) {
            Some((_, AnyColumn::Plain(strings))) => Ok(Box::new(strings.iter())),
            _ => {
                let texts = self.texts(name)?;
                Ok(Box::new(
                    texts.codes.iter().map(|code| texts.values[*code as usize].as_str()),
                ))
            }
        }
    }

    pub(super) fn texts_mut(&mut self, name: &str) -> Result<&mut TextColumn, ColumnarError> {
        let error = self.damaged(name);
        match self.column_mut(name) {
            Some(AnyColumn::Texts(texts)) => Ok(texts),
            _ => Err(error),
        }
    }

    /// Gives copies of messages whose origin became known the direction that follows; those of the others stay. Whether
    /// anything changed.
    pub(super) fn correct_directions(&mut self, origins: &[MailOrigin]) -> Result<bool, ColumnarError> {
        let is_copy = |kind: &String| {
            let copies = [Kind::Discarded, Kind::Suppressed];
            Kind::named(kind).is_ok_and(|kind| kind.is_attempt() || copies.contains(&kind))
        };
        let (kinds, destinations) = (self.texts("kind")?, self.texts("destination")?);
        let copies: Vec<bool> = kinds.values.iter().map(is_copy).collect();
        // Rows of earlier versions have no direction: of these, where they went tells what stayed.
        let stays = |to: &String| !["", Destination::Remote.as_str(), Destination::Discard.as_str()].contains(&&**to);
        let staying: Vec<bool> = destinations.values.iter().map(stays).collect();
        let of_copy = |row: usize| {
            let is_copy = copies[kinds.codes[row] as usize];
            is_copy.then(|| staying[destinations.codes[row] as usize].then_some(Direction::Internal))
        };
        let of_rows: Vec<Option<Option<Direction>>> = (0..self.len).map(of_copy).collect();
        let column = self.texts_mut(DIRECTION)?;
        let mut changed = false;
        let mut corrected = Vec::new();
        for ((row, stored), origin) in of_rows.into_iter().enumerate().zip(origins) {
            let Some(by_destination) = stored.filter(|_| *origin != MailOrigin::Unknown) else {
                continue;
            };
            let before = Direction::named(&column.values[column.codes[row] as usize]).or(by_destination);
            let after = Direction::corrected(before, *origin);
            let code = column.code(after.map_or("", Direction::as_str));
            changed |= std::mem::replace(&mut column.codes[row], code) != code;
            corrected.push(CorrectedCopy { row, before, after });
        }
        let stays = |row: &usize| {
            let direction = Direction::named(&column.values[column.codes[*row] as usize]);
            direction.is_some_and(|direction| !direction.is_away())
        };
        let staying: Vec<usize> = (0..origins.len()).filter(stays).collect();
        self.count_by_direction(&corrected)?;
        Ok(changed | self.without_provider(&staying)?)
    }

    /// Counts messages anew whose copies were taken for ones that leave us, and of which some turned out to stay: each
    /// direction has a first copy of its own. What stands in another segment is not seen: there, a direction that begins
    /// later than the other one stays without.
    fn count_by_direction(&mut self, corrected: &[CorrectedCopy]) -> Result<(), ColumnarError> {
        let (ids, kinds) = (self.texts("queue_id")?, self.texts("kind")?);
        let key = |copy: &CorrectedCopy| (ids.codes[copy.row], kinds.codes[copy.row]);
        let mut of_message: HashMap<(u32, u32), Vec<CorrectedCopy>> = HashMap::new();
        for copy in corrected.iter().filter(|copy| copy.turned_out_to_stay()) {
            of_message.entry(key(copy)).or_default();
        }
        if of_message.is_empty() {
            return Ok(());
        }
        for copy in corrected {
            if let Some(copies) = of_message.get_mut(&key(copy)) {
                copies.push(*copy);
            }
        }
        let Some(AnyColumn::Numbers(messages)) = self.column_mut("messages") else {
            return Err(self.damaged("messages"));
        };
        for copies in of_message.values() {
            let taken: Vec<&CorrectedCopy> = copies.iter().filter(|copy| copy.was_away()).collect();
            if taken.iter().all(|copy| messages[copy.row] == 0) {
                continue;
            }
            taken.iter().for_each(|copy| messages[copy.row] = 0);
            let has_inside = taken.len() < copies.len();
            let leaves = taken.iter().find(|copy| !copy.turned_out_to_stay());
            let stays = taken.iter().find(|copy| copy.turned_out_to_stay() && !has_inside);
            leaves.into_iter().chain(stays).for_each(|copy| messages[copy.row] = 1);
        }
        Ok(())
    }

    /// What stays with us has no provider.
    fn without_provider(&mut self, rows: &[usize]) -> Result<bool, ColumnarError> {
        let column = self.texts_mut(PROVIDER)?;
        let none = column.code("");
        let mut changed = false;
        for row in rows {
            changed |= std::mem::replace(&mut column.codes[*row], none) != none;
        }
        Ok(changed)
    }

    /// Copies that turned out to have stayed with us.
    pub(super) fn keep_inside(&mut self, rows: &[usize]) -> Result<(), ColumnarError> {
        let column = self.texts_mut(DIRECTION)?;
        for row in rows {
            if let Some(known) = Direction::named(&column.values[column.codes[*row] as usize]) {
                column.codes[*row] = column.code(known.kept_inside().as_str());
            }
        }
        self.without_provider(rows)?;
        Ok(())
    }

    pub(super) fn numbers(&self, name: &str) -> Result<&[u64], ColumnarError> {
        match self.columns.iter().find(|(known, _)| known == name) {
            Some((_, AnyColumn::Numbers(numbers) | AnyColumn::Optional(numbers))) => Ok(numbers),
            _ => Err(self.damaged(name)),
        }
    }

    pub(super) fn encode(self) -> Result<EncodedSegment, ColumnarError> {
        let times = self.numbers("ts_ms")?;
        let span = times
            .iter()
            .map(|t| UtcMs::new(*t as i64))
            .fold((UtcMs::MAX, UtcMs::MIN), |(a, b), t| (a.min(t), b.max(t)));
        let rates = self.rates()?;
        let len = self.len;
        let mut out = Columns::new(len)?;
        for (name, column) in self.columns {
            column.write(&mut out, &name)?;
        }
        Ok(EncodedSegment {
            day: span.0.day(),
            rows: len as u64,
            span_ms: span,
            events: out.encode()?,
            rates,
            orphans: Vec::new(),
            logs: Vec::new(),
        })
    }

    pub(super) fn rates(&self) -> Result<Vec<u8>, ColumnarError> {
        let [service, hostgroup, kind, destination, relay] =
            ["service", "hostgroup", "kind", "destination", "relay"].map(|name| self.texts(name));
        let (service, hostgroup, kind, destination) = (service?, hostgroup?, kind?, destination?);
        let [times, messages, recipients, bytes] =
            ["ts_ms", "messages", "recipients", "bytes"].map(|name| self.numbers(name));
        let (times, messages, recipients, bytes) = (times?, messages?, recipients?, bytes?);
        let Some((_, AnyColumn::Flags(first_hop))) = self.columns.iter().find(|(name, _)| name == "first_hop") else {
            return Err(self.damaged("first_hop"));
        };
        let kinds = codes_in(&kind_names(), kind);
        let destinations = codes_in(&destination_names(), destination);
        let mut rates = Rates::default();
        let relay = relay?;
        let [origin, direction, provider] = [ORIGIN, DIRECTION, PROVIDER].map(|name| self.texts(name));
        let (origin, direction, provider) = (origin?, direction?, provider?);
        let directions = codes_in(&direction_names(), direction);
        let numbered = |name: &String| rates.provider(in_rates(name).as_bytes());
        let providers: Vec<u16> = provider.values.iter().map(numbered).collect();
        for row in 0..self.len {
            let group = rates.group([service, hostgroup, relay, origin].map(|texts| texts.at(row)));
            rates.add(RateRow {
                ts_ms: times[row] as i64,
                group,
                kind: kinds[kind.codes[row] as usize],
                destination: destinations[destination.codes[row] as usize],
                direction: directions[direction.codes[row] as usize],
                provider: providers[provider.codes[row] as usize],
                first_hop: first_hop[row],
                messages: messages[row] as i64,
                recipients: recipients[row] as i64,
                bytes: if bytes[row] == NONE { 0 } else { bytes[row] as i64 },
            });
        }
        let tallies = match self.len as u64 >= ROLLUP_ROWS_MIN {
            true => Some(self.tallies()?),
            false => None,
        };
        rates.encode(tallies, &mut Scratch::default())
    }

    /// Which rows are alike.
    pub(super) fn tallies(&self) -> Result<Tallies, ColumnarError> {
        let texts = |names: [&str; 4]| names.map(|name| self.texts(name));
        let [kind, destination, reason, remote_host] = texts(["kind", "destination", "reason", "remote_host"]);
        let (kind, destination, reason, remote_host) = (kind?, destination?, reason?, remote_host?);
        let [service, hostgroup, relay, host] = texts(["service", "hostgroup", "relay", "host"]);
        let (service, hostgroup, relay, host) = (service?, hostgroup?, relay?, host?);
        let (origin, direction) = (self.texts(ORIGIN)?, self.texts(DIRECTION)?);
        let [times, messages, recipients] = ["ts_ms", "messages", "recipients"].map(|name| self.numbers(name));
        let (times, messages, recipients) = (times?, messages?, recipients?);
        let [queue_ms, delivery_ms, smtp_code] =
            ["queue_ms", "delivery_ms", "smtp_code"].map(|name| self.numbers(name));
        let (queue_ms, delivery_ms, smtp_code) = (queue_ms?, delivery_ms?, smtp_code?);
        let Some((_, AnyColumn::Flags(first_hop))) = self.columns.iter().find(|(name, _)| name == "first_hop") else {
            return Err(self.damaged("first_hop"));
        };
        let kinds = codes_in(&kind_names(), kind);
        let destinations = codes_in(&destination_names(), destination);
        let mut tallies = Tallies::default();
        for row in 0..self.len {
            let kind = Kind::ALL[usize::from(kinds[kind.codes[row] as usize])];
            let code = usize::from(destinations[destination.codes[row] as usize]);
            let destination = code.checked_sub(1).and_then(|code| Destination::ALL.get(code).copied());
            let reason = reason.at(row).1;
            let of = TalliesOf::event(kind, destination, is_silent(reason), messages[row]);
            if !of.any() {
                continue;
            }
            let row = TallyRow {
                ts_ms: times[row] as i64,
                kind,
                destination,
                service: service.at(row).1,
                hostgroup: hostgroup.at(row).1,
                origin: origin.at(row).1,
                direction: direction.at(row).1,
                relay: relay.at(row).1,
                host: host.at(row).1,
                first_hop: first_hop[row],
                remote_host: remote_host.at(row).1,
                reason,
                smtp_code: smtp_code[row],
                messages: messages[row],
                recipients: recipients[row],
                queue_ms: two_digits(queue_ms[row]),
                delivery_ms: two_digits(delivery_ms[row]),
            };
            tallies.add(of, &row, 1);
        }
        tallies.seen(times.iter().map(|ms| *ms as i64).max().unwrap_or(0));
        self.add_keys(&mut tallies.keys)?;
        Ok(tallies)
    }

    /// By which keys the rows may be found.
    fn add_keys(&self, keys: &mut SegmentKeys) -> Result<(), ColumnarError> {
        KEY_COLUMNS.iter().try_for_each(|names| self.add_keys_in(names, keys))
    }

    fn add_keys_in(&self, names: &[&str], keys: &mut SegmentKeys) -> Result<(), ColumnarError> {
        match names {
            [local, domain] => {
                let (locals, domains) = (self.strings(local)?, self.texts(domain)?);
                let numbers: Vec<u64> = domains.values.iter().map(|domain| domain_number(domain)).collect();
                for (local, domain) in locals.zip(&domains.codes).filter(|(local, _)| !local.is_empty()) {
                    keys.add(LookupKey::in_domain(local.as_bytes(), numbers[*domain as usize]));
                }
            }
            _ => {
                let ids = self.texts("queue_id")?.values.iter().filter(|id| !id.is_empty());
                let some = ids.filter_map(|id| LookupKey::of_queue_id(id.as_bytes()));
                some.for_each(|key| keys.add(key));
            }
        }
        Ok(())
    }
}

//! A store's mail, a day at a time, as far as an outage is judged by it: what relays took, what applications could not hand in, and
//! what failed. Of what the detection reads this is the smallest part, and the only one that is read of all minutes.

use super::fleet::{Books, ShownRows, each_outcome, minutes_of, renamed_at, retried};
use crate::detect::bounced::{CopiesByService, CopyCounts};
use crate::detect::fleet::{Flow, FlowKind, Id, NONE, Names, Renamed};
use crate::detect::mail_part::{MailPart, MinuteCounts};
use crate::detect::routes::Routes;
use crate::model::time::{DAY_MS, MINUTE_MS, Minute};
use crate::query::history::MailHistory;
use crate::query::{QueryError, steadily};
use crate::store::catalogue::AttributionChange;
use crate::store::columnar::{FlowGrain, MailKinds};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// Messages by service, hostgroup, host, and whether they were taken where they enter the mail system.
type WaySums = FxHashMap<(Id, Id, Id, FlowKind), i64>;

/// The mail up to a minute.
pub(crate) struct PastMail<'s> {
    /// Where it is read.
    pub store: &'s dyn MailHistory,
    /// Names, those that reading brings included.
    pub names: Names,
    /// The first minute, and the one after the last.
    pub span: (Minute, Minute),
    books: Books,
    changes: Vec<AttributionChange>,
    /// Services whose applications' logs have told of mail, failed or not.
    tells: BTreeSet<Id>,
}

/// The mail before a minute, in sums.
#[derive(Debug)]
pub(crate) struct PastWays {
    /// By which relays it went.
    pub routes: Routes,
    /// Services whose applications' logs have told of mail, whenever.
    pub tells: Vec<Id>,
    /// What became of services' copies.
    pub copies: CopiesByService,
}

/// What is read of it.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    /// Of the minutes `[from, to)`.
    span: (Minute, Minute),
    /// Parts end here.
    cuts: [Minute; 2],
    /// Nothing but the ways is.
    only_ways: bool,
    /// In these minutes what became of copies.
    copies: (Minute, Minute),
    /// From this minute on, how often failures came again.
    retried_from: Minute,
}

/// How much of a part is read.
#[derive(Debug, Clone, Copy)]
struct Detail {
    grain: FlowGrain,
    kinds: MailKinds,
    /// Whether failures that came again are counted apart.
    is_exact: bool,
}

impl Wanted {
    fn detail(&self, from: Minute) -> Detail {
        Detail {
            grain: match self.only_ways {
                true => FlowGrain::Days,
                false => FlowGrain::Minutes,
            },
            kinds: match (self.copies.0..self.copies.1).contains(&from) {
                true => MailKinds::TakenAndDone,
                false => MailKinds::Taken,
            },
            is_exact: !self.only_ways && from >= self.retried_from,
        }
    }
}

/// The mail of a part that is being read.
struct OpenPart {
    span: (Minute, Minute),
    counts: Vec<Vec<MinuteCounts>>,
    ways: WaySums,
    tells: BTreeSet<Id>,
    copies: CopiesByService,
    detail: Detail,
}

impl<'s> PastMail<'s> {
    /// Of the minutes of `span`; names that are known keep their numbers.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn open(
        store: &'s dyn MailHistory,
        names: Names,
        span: (Minute, Minute),
    ) -> Result<PastMail<'s>, QueryError> {
        let changes = if span.1 > span.0 {
            store.attribution_changes()?
        } else {
            Vec::new()
        };
        Ok(PastMail {
            store,
            books: Books::of(&names),
            names,
            span,
            changes,
            tells: BTreeSet::new(),
        })
    }

    /// The mail before a minute.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn ways(&mut self, before: Minute) -> Result<PastWays, QueryError> {
        let (mut routes, mut copies) = (Routes::default(), CopiesByService::new());
        let wanted = Wanted {
            span: self.span,
            cuts: [before; 2],
            only_ways: true,
            copies: (Minute::MIN, before),
            retried_from: Minute::MAX,
        };
        self.read(wanted, &mut |_, part| {
            if part.span.0 < before {
                routes.add(part.span.0, &part.ways);
            }
            for (service, counts) in &part.copies {
                copies.entry(*service).or_default().add(*counts);
            }
        })?;
        Ok(PastWays {
            routes,
            tells: self.tells.iter().copied().collect(),
            copies,
        })
    }

    /// Shows all mail up to a minute, in parts that a judgement of the minutes `[from, to)` takes. What became of copies is told of
    /// these alone.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn show(
        &mut self,
        (from, to): (Minute, Minute),
        until: Minute,
        each: &mut dyn FnMut(&Names, &MailPart),
    ) -> Result<(), QueryError> {
        let wanted = Wanted {
            span: (self.span.0, self.span.1.min(until)),
            cuts: [from, to],
            only_ways: false,
            copies: (from, to),
            retried_from: from,
        };
        self.read(wanted, each)
    }

    fn read(&mut self, wanted: Wanted, each: &mut dyn FnMut(&Names, &MailPart)) -> Result<(), QueryError> {
        let (mut from, end) = wanted.span;
        while from < end {
            let day = DAY_MS / MINUTE_MS;
            let begins = self.changes.iter().map(|change| change.minute + 1);
            let cuts = begins.chain(wanted.cuts).filter(|cut| *cut > from);
            let to = cuts.min().unwrap_or(end).min(from.floor_to(day) + day).min(end);
            let store = self.store;
            let (part, books) = steadily(|| {
                let mut books = self.books.clone();
                Ok((
                    OpenPart::read(store, (from, to), &mut books, wanted.detail(from))?,
                    books,
                ))
            })?;
            if books.count() > self.books.count() {
                self.names = books.names();
            }
            self.books = books;
            self.tells.extend(&part.tells);
            each(&self.names, &part.close(self.renamed(from)));
            from = to;
        }
        Ok(())
    }

    /// Names that change with a minute.
    fn renamed(&self, at: Minute) -> Renamed {
        let mut all = Renamed::default();
        for change in self.changes.iter().filter(|change| change.minute + 1 == at) {
            renamed_at(change, &self.names, &mut all);
        }
        all
    }
}

impl OpenPart {
    fn read(
        store: &dyn MailHistory,
        span: (Minute, Minute),
        books: &mut Books,
        detail: Detail,
    ) -> Result<OpenPart, QueryError> {
        let mut part = OpenPart {
            span,
            counts: Vec::new(),
            ways: WaySums::default(),
            tells: BTreeSet::new(),
            copies: CopiesByService::new(),
            detail,
        };
        let window = minutes_of(span.0, span.1);
        store.mail_flows(window, (detail.grain, detail.kinds), &mut |block| {
            let shown = ShownRows {
                block,
                window,
                view: store.view(),
            };
            let ids = books.ids(&shown);
            part.add(&ids, &shown);
            if detail.kinds == MailKinds::TakenAndDone {
                part.add_copies(&ids, &shown);
            }
        })?;
        if detail.is_exact {
            for ((at, service), count) in retried(store, window, books)? {
                if let Some(counts) = part.counts(service, at) {
                    counts[2] += count;
                }
            }
        }
        Ok(part)
    }

    /// Adds a segment's rates.
    fn add(&mut self, [by_service, by_group, by_host]: &[Vec<Id>; 3], shown: &ShownRows<'_>) {
        let block = shown.block;
        let is_judged = shown.judged();
        let is_kind = |name: &str| block.kind.values.iter().position(|kind| kind == name);
        let [accepted, failed, submitted] = ["accepted", "submit_failed", "submitted"].map(is_kind);
        for (row, ts_ms) in shown.within() {
            let (kind, messages) = (Some(block.kind.codes[row] as usize), block.messages[row]);
            let service = by_service[block.service.codes[row] as usize];
            let at = ts_ms.div_euclid(MINUTE_MS);
            if !is_judged(row) {
                // Nobody's mail, but their relay's.
                if kind == accepted {
                    let host = by_host[block.relay.codes[row] as usize];
                    *self.ways.entry((NONE, NONE, host, FlowKind::Foreign)).or_default() += messages;
                }
                continue;
            }
            if kind == accepted {
                let what = match block.first_hop[row] {
                    true => FlowKind::Accepted,
                    false => FlowKind::Passed,
                };
                if let Some(counts) = self
                    .counts(service, Minute::new(at))
                    .filter(|_| what == FlowKind::Accepted)
                {
                    counts[0] += messages;
                }
                let hostgroup = by_group[block.hostgroup.codes[row] as usize];
                let host = by_host[block.relay.codes[row] as usize];
                *self.ways.entry((service, hostgroup, host, what)).or_default() += messages;
            } else if kind == failed {
                self.tells.insert(service);
                let again = i64::from(!self.detail.is_exact && messages == 0);
                if let Some(counts) = self.counts(service, Minute::new(at)) {
                    counts[1] += messages;
                    counts[2] += again;
                }
            } else if kind == submitted && messages > 0 {
                self.tells.insert(service);
            }
        }
    }

    /// Adds what became of copies in a segment.
    fn add_copies(&mut self, [by_service, ..]: &[Vec<Id>; 3], shown: &ShownRows<'_>) {
        let block = shown.block;
        each_outcome(shown, &mut |row, [done, failed, ..]| {
            let counts = CopyCounts {
                done: u64::try_from(done).unwrap_or(0),
                failed: u64::try_from(failed).unwrap_or(0),
                first: (failed > 0)
                    .then(|| block.ts_ms[row].div_euclid(MINUTE_MS))
                    .map(Minute::new),
            };
            let service = by_service[block.service.codes[row] as usize];
            self.copies.entry(service).or_default().add(counts);
        });
    }

    /// A service's counts of a minute.
    fn counts(&mut self, service: Id, at: Minute) -> Option<&mut MinuteCounts> {
        if service == NONE {
            return None;
        }
        let (from, to) = self.span;
        let place = service as usize;
        if place >= self.counts.len() {
            self.counts.resize(place + 1, Vec::new());
        }
        let counts = self.counts.get_mut(place)?;
        if counts.is_empty() {
            counts.resize((to - from) as usize, MinuteCounts::default());
        }
        counts.get_mut((at - from) as usize)
    }

    fn close(self, renamed: Renamed) -> MailPart {
        let mut ways: Vec<Flow> = self
            .ways
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|((service, hostgroup, host, what), count)| Flow {
                service,
                hostgroup,
                host,
                what,
                count: count.min(i64::from(u32::MAX)) as u32,
            })
            .collect();
        // The same store gives the same sums.
        ways.sort_unstable_by_key(|way| (way.service, way.hostgroup, way.host, way.what));
        MailPart {
            span: self.span,
            counts: self.counts,
            ways,
            copies: self.copies,
            renamed,
        }
    }
}

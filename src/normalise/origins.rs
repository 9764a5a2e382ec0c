//! The table of senders of one log: facts of an arrival line → [`Origin`], remembered, because a log names the
//! same few senders again and again and matching hundreds of rules for each line would be waste.
//!
//! An origin is kept as seven numbers, one a field: refused strangers and senders with a code of their own in every
//! message make tens of thousands of origins that differ in one field, and no one of them is worth seven strings.

use super::derived::{Epoch, Holds};
use crate::model::dictionary::{Dictionary, DictionaryValues};
use crate::model::direction::MailOrigin;
use crate::model::event::{Origin, OriginId};
use crate::model::text::text;
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

/// Senders remembered before the memo starts anew. One entry takes about 200 bytes.
const MEMO_MAX: usize = 50_000;

/// Where facts lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderOrigin {
    /// Who sent it.
    pub origin: OriginId,
    /// The message enters the mail system here.
    pub first_hop: bool,
}

/// The fields of an [`Origin`], in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum OriginField {
    /// See [`Origin::service`].
    Service,
    /// See [`Origin::hostgroup`].
    Hostgroup,
    /// See [`Origin::client`].
    Client,
    /// See [`Origin::client_ip`].
    ClientIp,
    /// See [`Origin::sender_local`].
    SenderLocal,
    /// See [`Origin::sender_domain`].
    SenderDomain,
    /// See [`Origin::origin`]; numbered as [`MailOrigin`] is.
    Origin,
}

/// How many there are.
const FIELDS: usize = 7;

/// An origin as the numbers of its fields' values.
pub(crate) type Codes = [u32; FIELDS];

/// What is known of whoever hands mail in, by name and address.
#[derive(Debug, Clone, Copy)]
pub(super) struct OriginClient {
    /// Numbers of name, address and hostgroup.
    pub client: u32,
    pub client_ip: u32,
    pub hostgroup: u32,
    /// Mail of this client enters the mail system here.
    pub first_hop: bool,
    /// Whose its mail is.
    pub origin: MailOrigin,
}

/// Where facts led.
#[derive(Debug, Clone, Copy)]
struct Remembered {
    sender: SenderOrigin,
    holds: Holds,
}

impl Remembered {
    fn now(&self, epoch: Epoch) -> Option<SenderOrigin> {
        epoch.has(self.holds).then_some(self.sender)
    }
}

/// Numbered [`Origin`]s with a memo from raw facts.
#[derive(Debug)]
pub struct OriginInterner {
    items: Vec<Codes>,
    by_codes: HashMap<Codes, OriginId, FxBuildHasher>,
    texts: [Dictionary; FIELDS],
    memo: Dictionary,
    senders: Vec<Remembered>,
    client_memo: Dictionary,
    clients: Vec<OriginClient>,
}

impl Default for OriginInterner {
    fn default() -> Self {
        let mut origins = OriginInterner {
            items: Vec::new(),
            by_codes: HashMap::default(),
            texts: Default::default(),
            memo: Dictionary::default(),
            senders: Vec::new(),
            client_memo: Dictionary::default(),
            clients: Vec::new(),
        };
        origins.number_mail_origins();
        origins
    }
}

/// The origins at one moment, for the thread that encodes them.
#[derive(Debug, Default)]
pub(crate) struct OriginTable {
    items: Vec<Codes>,
    texts: [DictionaryValues; FIELDS],
}

impl OriginTable {
    /// How many origins there are.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Number of the value of a field; an index into [`OriginTable::values`].
    #[inline]
    pub(crate) fn code(&self, origin: OriginId, field: OriginField) -> u32 {
        self.items[origin as usize][field as usize]
    }

    /// All values of a field, by number; UTF-8.
    pub(crate) fn values(&self, field: OriginField) -> &DictionaryValues {
        &self.texts[field as usize]
    }
}

impl OriginInterner {
    /// The origin with this number.
    pub fn get(&self, id: OriginId) -> Origin {
        let codes = self.items[id as usize];
        let field = |field: OriginField| text(self.texts[field as usize].get(codes[field as usize]));
        Origin {
            service: field(OriginField::Service),
            hostgroup: field(OriginField::Hostgroup),
            client: field(OriginField::Client),
            client_ip: field(OriginField::ClientIp),
            sender_local: field(OriginField::SenderLocal),
            sender_domain: field(OriginField::SenderDomain),
            origin: field(OriginField::Origin),
        }
    }

    /// Whose mail an origin's is.
    #[inline]
    pub(crate) fn mail_origin(&self, id: OriginId) -> MailOrigin {
        let code = self.items[id as usize][OriginField::Origin as usize];
        MailOrigin::ALL.get(code as usize).copied().unwrap_or_default()
    }

    /// Their numbers are the codes of [`MailOrigin`].
    fn number_mail_origins(&mut self) {
        for origin in MailOrigin::ALL {
            let code = self.text(OriginField::Origin, origin.as_str());
            debug_assert_eq!(code, origin as u32);
        }
    }

    /// All origins, by number, as they are now; `table` is an old one, whose memory is used again.
    pub(crate) fn write_table(&self, table: &mut OriginTable) {
        table.items.clone_from(&self.items);
        for (values, texts) in table.texts.iter_mut().zip(&self.texts) {
            values.copy_from(texts.values());
        }
    }

    /// Number of an origin.
    pub(crate) fn intern(&mut self, origin: Origin) -> OriginId {
        let codes = [
            self.text(OriginField::Service, &origin.service),
            self.text(OriginField::Hostgroup, &origin.hostgroup),
            self.text(OriginField::Client, &origin.client),
            self.text(OriginField::ClientIp, &origin.client_ip),
            self.text(OriginField::SenderLocal, &origin.sender_local),
            self.text(OriginField::SenderDomain, &origin.sender_domain),
            MailOrigin::named(&origin.origin) as u32,
        ];
        self.intern_codes(codes)
    }

    /// Number of an origin whose fields have numbers.
    pub(super) fn intern_codes(&mut self, codes: Codes) -> OriginId {
        let items = &mut self.items;
        *self.by_codes.entry(codes).or_insert_with(|| {
            items.push(codes);
            items.len() as OriginId - 1
        })
    }

    /// Number of a field's value.
    #[inline]
    pub(super) fn text(&mut self, field: OriginField, value: &str) -> u32 {
        self.texts[field as usize].code(value.as_bytes())
    }

    /// What is known of a client, by a key of name and address.
    pub(super) fn client(&mut self, key: &[u8]) -> Option<OriginClient> {
        self.client_memo.find(key).map(|at| self.clients[at as usize])
    }

    /// Remembers a client that [`OriginInterner::client`] did not know.
    pub(super) fn remember_client(&mut self, key: &[u8], client: OriginClient) {
        let at = self.client_memo.code(key) as usize;
        debug_assert_eq!(at, self.clients.len());
        self.clients.push(client);
    }

    /// The sender of what nobody has sent yet.
    pub fn nobody(&mut self) -> OriginId {
        self.intern(Origin::default())
    }

    /// What these facts (as one byte key) led to before, if it still holds, and their number.
    pub fn remembered(&mut self, key: &[u8], epoch: Epoch) -> Option<(u32, SenderOrigin)> {
        let at = self.memo.find(key)?;
        Some((at, self.senders[at as usize].now(epoch)?))
    }

    /// What the facts with this number led to, if they are still those that are asked for.
    #[inline]
    pub(crate) fn recalled(&self, at: u32, is_key: impl FnOnce(&[u8]) -> bool, epoch: Epoch) -> Option<SenderOrigin> {
        let known = self.senders.get(at as usize).filter(|_| is_key(self.memo.get(at)))?;
        known.now(epoch)
    }

    /// Remembers where facts lead that [`OriginInterner::remembered`] did not know, as long as it holds.
    pub fn remember(&mut self, key: &[u8], sender: SenderOrigin, holds: Holds) {
        let at = self.memo.code(key) as usize;
        let known = Remembered { sender, holds };
        match self.senders.get_mut(at) {
            Some(old) => *old = known,
            None => self.senders.push(known),
        }
    }

    /// Whether the table has outgrown its limit and wants `OriginInterner::compact` at the next batch border.
    pub fn is_full(&self) -> bool {
        self.items.len() > MEMO_MAX || self.memo.len() > 2 * MEMO_MAX || self.clients.len() > 2 * MEMO_MAX
    }

    /// Forgets all but the origins in `used`; gives their new numbers.
    pub(super) fn compact(&mut self, used: &[OriginId]) -> HashMap<OriginId, OriginId, FxBuildHasher> {
        let mut used: Vec<(OriginId, Origin)> = used.iter().map(|id| (*id, Origin::default())).collect();
        used.sort_unstable_by_key(|(id, _)| *id);
        used.dedup_by_key(|(id, _)| *id);
        used.iter_mut().for_each(|(id, origin)| *origin = self.get(*id));
        // Emptied, not dropped: fresh memory is dear, and the tables grow to the same size again.
        self.items.clear();
        self.by_codes.clear();
        self.texts.iter_mut().for_each(Dictionary::clear);
        self.number_mail_origins();
        self.memo.clear();
        self.senders.clear();
        self.client_memo.clear();
        self.clients.clear();
        used.into_iter().map(|(id, origin)| (id, self.intern(origin))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compaction_keeps_what_is_used() {
        let mut origins = OriginInterner::default();
        let origin = |service: &str| Origin {
            service: service.to_owned(),
            client: format!("{service}.example.org"),
            ..Origin::default()
        };
        let ids: Vec<_> = ["a", "b", "c", "a"].map(|s| origins.intern(origin(s))).to_vec();
        assert_eq!(ids, [0, 1, 2, 0]);
        let mut table = OriginTable::default();
        origins.write_table(&mut table);
        assert_eq!(table.code(2, OriginField::Client), 2);
        let map = origins.compact(&[2, 2, 1]);
        assert_eq!(
            (map.len(), origins.get(map[&2]), origins.get(map[&1])),
            (2, origin("c"), origin("b"))
        );
        origins.write_table(&mut table);
        assert_eq!((table.len(), table.values(OriginField::Client).len()), (2, 2));
    }
}

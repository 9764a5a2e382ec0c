//! The table of senders of one log: facts of an arrival line → [`Origin`], remembered, because a log names the
//! same few senders again and again and matching hundreds of rules for each line would be waste.

use super::event::{Origin, OriginId};
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

/// Senders remembered before the memo starts anew. One entry takes about 300 bytes.
const MEMO_MAX: usize = 50_000;

/// Where facts lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// Who sent it.
    pub origin: OriginId,
    /// The message enters the mail system here.
    pub first_hop: bool,
}

/// Numbered [`Origin`]s with a memo from raw facts.
#[derive(Debug, Default)]
pub struct Origins {
    items: Vec<Origin>,
    by_value: HashMap<Origin, OriginId, FxBuildHasher>,
    memo: HashMap<Box<[u8]>, Sender, FxBuildHasher>,
}

impl Origins {
    /// The origin with this number.
    pub fn get(&self, id: OriginId) -> &Origin {
        &self.items[id as usize]
    }

    /// All origins, by number.
    pub fn items(&self) -> &[Origin] {
        &self.items
    }

    /// Number of an origin.
    pub fn intern(&mut self, origin: Origin) -> OriginId {
        if let Some(&id) = self.by_value.get(&origin) {
            return id;
        }
        let id = self.items.len() as OriginId;
        self.items.push(origin.clone());
        self.by_value.insert(origin, id);
        id
    }

    /// The sender of what nobody has sent yet.
    pub fn nobody(&mut self) -> OriginId {
        self.intern(Origin::default())
    }

    /// What these facts (as one byte key) led to before.
    pub fn remembered(&self, key: &[u8]) -> Option<Sender> {
        self.memo.get(key).copied()
    }

    /// Remembers where facts lead.
    pub fn remember(&mut self, key: &[u8], sender: Sender) {
        self.memo.insert(key.into(), sender);
    }

    /// Whether the table has outgrown its limit and wants `Origins::compact` at the next batch border.
    pub fn is_full(&self) -> bool {
        self.items.len() > MEMO_MAX || self.memo.len() > 2 * MEMO_MAX
    }

    /// Forgets all but the origins in `used`; gives their new numbers.
    pub(super) fn compact(&mut self, used: &[OriginId]) -> HashMap<OriginId, OriginId, FxBuildHasher> {
        let old = std::mem::take(self);
        let mut map = HashMap::default();
        for &id in used {
            map.entry(id)
                .or_insert_with(|| self.intern(old.items[id as usize].clone()));
        }
        map
    }
}

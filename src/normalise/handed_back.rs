//! Arrivals of late, by their Message-ID: a scanner on loopback takes a mail and hands it back, under another ID, as if it were
//! its own. Whose mail it is, the first arrival tells.

use crate::model::queue_id::QueueId;

/// A scanner has no more mails in hand at once. A power of two.
const RECENT: usize = 64;

/// The last arrivals of a log.
#[derive(Debug, Default)]
pub(super) struct RecentArrivals {
    all: Vec<(u64, QueueId)>,
    next: usize,
}

impl RecentArrivals {
    /// A message with this key arrived.
    #[inline]
    pub(super) fn note(&mut self, key: Option<u64>, id: QueueId) {
        let Some(key) = key else { return };
        if self.all.len() < RECENT {
            self.all.push((key, id));
            return;
        }
        self.all[self.next % RECENT] = (key, id);
        self.next += 1;
    }

    /// The message with this key that arrived last, if that is another one.
    pub(super) fn after(&self, key: u64, id: QueueId) -> Option<QueueId> {
        self.newest_first()
            .find(|(known, _)| *known == key)
            .map(|(_, newest)| newest)
            .filter(|newest| *newest != id)
    }

    /// The newest other message with this key.
    pub(super) fn before(&self, key: u64, id: QueueId) -> Option<QueueId> {
        let mut same = self
            .newest_first()
            .filter(|(known, other)| *known == key && *other != id);
        same.next().map(|(_, other)| other)
    }

    fn newest_first(&self) -> impl Iterator<Item = (u64, QueueId)> {
        (0..self.all.len()).map(|back| {
            let at = (self.next + self.all.len() - 1 - back) % self.all.len();
            self.all[at]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_those_that_are_remembered_is_found() {
        let id = |n: u64| QueueId::new(format!("1fQaaa-{n:06}-Aa").as_bytes()).unwrap();
        let mut recent = RecentArrivals::default();
        assert_eq!(recent.before(7, id(0)), None);
        recent.note(None, id(1));
        for n in 0..3 * RECENT as u64 {
            recent.note(Some(n / 2), id(n));
            assert_eq!(recent.before(n / 2, id(n)), (n % 2 == 1).then(|| id(n - 1)), "{n}");
            assert_eq!(recent.before(n / 2, id(n + 1)), Some(id(n)));
            assert_eq!(recent.after(n / 2, id(n)), None, "{n}");
            assert_eq!(recent.after(n / 2, id(n + 1)), Some(id(n)));
        }
        assert_eq!(recent.before(0, id(9)), None, "long ago");
    }
}

//! How many streams are open, in all and of one client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Streams of one client.
const CLIENT_MAX: usize = 64;

/// Streams that are open, by client.
#[derive(Debug, Default, Clone)]
pub(super) struct Streams(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of them.
#[derive(Debug)]
pub(super) struct StreamPlace {
    streams: Streams,
    client: IpAddr,
}

impl Streams {
    /// A place for one stream more, if there is one.
    pub(super) fn take(&self, client: IpAddr, all_max: usize) -> Option<StreamPlace> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let own = open.get(&client).copied().unwrap_or(0);
        if all >= all_max || own >= CLIENT_MAX {
            return None;
        }
        *open.entry(client).or_default() += 1;
        Some(StreamPlace {
            streams: self.clone(),
            client,
        })
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_so_many_and_gives_them_back() {
        let (streams, one, other) = (
            Streams::default(),
            IpAddr::from([192, 0, 2, 1]),
            IpAddr::from([192, 0, 2, 2]),
        );
        let held: Vec<_> = (0..CLIENT_MAX).map(|_| streams.take(one, 100).unwrap()).collect();
        assert!(streams.take(one, 100).is_none());
        let more: Vec<_> = (0..36).map(|_| streams.take(other, 100).unwrap()).collect();
        assert!(streams.take(other, 100).is_none(), "100 in all");
        drop(held);
        assert!(streams.take(one, 100).is_some());
        drop(more);
        assert!(streams.0.lock().unwrap().is_empty());
    }
}

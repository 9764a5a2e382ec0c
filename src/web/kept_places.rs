//! Places in which answers are kept by their questions, a bounded number: the one that was used least of late gives way.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Places of answers, each with the time of its last use. Clones of a place are the same place.
#[derive(Debug)]
pub(super) struct KeptPlaces<K, P> {
    places: Mutex<HashMap<K, (P, Instant)>>,
    max: usize,
}

impl<K: Hash + Eq + Clone, P: Default + Clone> KeptPlaces<K, P> {
    /// At most so many.
    pub(super) fn new(max: usize) -> KeptPlaces<K, P> {
        KeptPlaces {
            places: Mutex::default(),
            max,
        }
    }

    /// Where the answer to a question is kept.
    pub(super) fn of(&self, key: &K) -> P {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= self.max && !places.contains_key(key) {
            let oldest = places.iter().min_by_key(|(_, (_, used))| *used);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.and_then(|oldest| places.remove(&oldest));
        }
        let fresh = || (P::default(), Instant::now());
        let (place, used) = places.entry(key.clone()).or_insert_with(fresh);
        *used = Instant::now();
        place.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn the_place_that_was_used_least_of_late_gives_way() {
        let places: KeptPlaces<u8, Arc<Mutex<u8>>> = KeptPlaces::new(2);
        *places.of(&1).lock().unwrap() = 10;
        *places.of(&2).lock().unwrap() = 20;
        assert_eq!(*places.of(&1).lock().unwrap(), 10);
        *places.of(&3).lock().unwrap() = 30;
        assert_eq!(
            *places.of(&2).lock().unwrap(),
            0,
            "the second one was used before the first"
        );
        assert_eq!(*places.of(&3).lock().unwrap(), 30);
        assert_eq!(places.places.lock().unwrap().len(), 2);
    }
}

//! A small cache that keeps what was used last.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// At most so many values by key; the one unused for longest makes room. Looked through from end to
/// end, which for the few dozen places of a fleet is as fast as hashing.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    most: usize,
    entries: Mutex<Vec<(K, V)>>,
}

impl<K: PartialEq, V: Clone> Recent<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, entries: Mutex::default() }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        used(&mut self.entries(), key)
    }

    /// Keeps the value, unless another was kept meanwhile: then that one is returned.
    pub(crate) fn keep(&self, key: K, value: V) -> V {
        let mut entries = self.entries();
        if let Some(kept) = used(&mut entries, &key) {
            return kept;
        }
        if entries.len() >= self.most {
            entries.remove(0);
        }
        entries.push((key, value.clone()));
        value
    }

    fn entries(&self) -> MutexGuard<'_, Vec<(K, V)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value of that key, which is now the one used last.
fn used<K: PartialEq, V: Clone>(entries: &mut Vec<(K, V)>, key: &K) -> Option<V> {
    let at = entries.iter().position(|(has, _)| has == key)?;
    let entry = entries.remove(at);
    let value = entry.1.clone();
    entries.push(entry);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_unused_for_longest_makes_room() {
        let cache = Recent::new(2);
        cache.keep("a", 1);
        cache.keep("b", 2);
        assert_eq!(cache.get(&"a"), Some(1));
        cache.keep("c", 3);
        assert_eq!((cache.get(&"a"), cache.get(&"b"), cache.get(&"c")), (Some(1), None, Some(3)));
        assert_eq!(cache.keep("c", 4), 3);
    }
}

//! Masks of states that were seen before.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// Most masks kept: 1.2 MiB for a vocabulary of 150,000.
const MAX_MASKS: usize = 64;

/// The masks used last, by state.
#[derive(Clone, Debug, Default)]
pub(crate) struct MaskCache {
    entries: Vec<Entry>,
    clock: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    state: u32,
    used: u64,
    words: Box<[u64]>,
}

impl MaskCache {
    /// The mask of a state, if it is kept.
    pub(crate) fn get(&mut self, state: u32) -> Option<&[u64]> {
        self.clock += 1;
        let entry = self.entries.iter_mut().find(|entry| entry.state == state)?;
        entry.used = self.clock;
        Some(&entry.words)
    }

    /// Keeps a mask in place of the one that was not used for longest.
    pub(crate) fn put(&mut self, state: u32, words: &[u64]) {
        self.clock += 1;
        if self.entries.len() >= MAX_MASKS {
            let oldest = (0..self.entries.len()).min_by_key(|&at| self.entries[at].used);
            oldest.map(|at| self.entries.swap_remove(at));
        }
        self.entries.push(Entry { state, used: self.clock, words: words.into() });
    }

    /// Forgets all: states have new numbers.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_not_used_for_longest_gives_its_place() {
        let mut cache = MaskCache::default();
        let count = u32::try_from(MAX_MASKS).unwrap();
        (0..count).for_each(|state| cache.put(state, &[u64::from(state)]));
        assert_eq!(cache.get(0), Some([0].as_slice()));
        cache.put(count, &[7]);
        assert_eq!(cache.get(1), None);
        assert_eq!(cache.get(0), Some([0].as_slice()));
        assert_eq!(cache.get(count), Some([7].as_slice()));
    }
}

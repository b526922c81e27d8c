//! Byte strings by number, and numbers by byte string.

use alloc::vec::Vec;
use core::hash::BuildHasher as _;
use hashbrown::{DefaultHashBuilder, HashTable};

/// Byte strings, numbered from 0, in one allocation.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    /// Appends what `write` writes.
    pub(super) fn push<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let written = write(&mut self.bytes);
        self.ends.push(self.bytes.len());
        written
    }

    /// The text of that number; empty where there is none.
    pub(super) fn text(&self, number: u32) -> &[u8] {
        let at = number as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.ends.get(before).copied().unwrap_or(0));
        self.ends.get(at).and_then(|&end| self.bytes.get(start..end)).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }
}

/// Numbers of [`Texts`] by what they say. Holds numbers alone: each call names the texts again.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Index {
    /// An index with room for `count` texts.
    pub(super) fn with_capacity(count: usize) -> Self {
        Self { numbers: HashTable::with_capacity(count), hasher: DefaultHashBuilder::default() }
    }

    /// Adds a text. Files repeat unused tokens; the first one counts.
    pub(super) fn insert(&mut self, texts: &Texts, number: u32) {
        let text = texts.text(number);
        if self.find(texts, text).is_none() {
            let hash = |&number: &u32| self.hasher.hash_one(texts.text(number));
            self.numbers.insert_unique(self.hasher.hash_one(text), number, hash);
        }
    }

    /// The number of a text.
    pub(super) fn find(&self, texts: &Texts, text: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(text);
        self.numbers.find(hash, |&number| texts.text(number) == text).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_by_number_and_a_number_by_text() {
        let mut texts = Texts::default();
        let mut index = Index::with_capacity(0);
        for (number, text) in (0..).zip(["a", "", "bc", "a"]) {
            texts.push(|bytes| bytes.extend_from_slice(text.as_bytes()));
            index.insert(&texts, number);
        }
        assert_eq!(texts.len(), 4);
        assert_eq!(
            [0, 1, 2, 3, 4].map(|number| texts.text(number)),
            ["a", "", "bc", "a", ""].map(str::as_bytes)
        );
        let found = ["a", "", "bc", "b"].map(|text| index.find(&texts, text.as_bytes()));
        assert_eq!(found, [Some(0), Some(1), Some(2), None]);
    }
}

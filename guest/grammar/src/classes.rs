//! Bytes that no rule tells apart.

use alloc::vec::Vec;
use hashbrown::HashMap;

use crate::expr::ByteSet;

/// A partition of the bytes such that every set of a grammar is a union of classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Classes {
    of_byte: [u8; 256],
    count: usize,
    /// For each set, its classes.
    sets: Vec<ByteSet>,
}

impl Classes {
    /// The coarsest partition for these sets.
    pub(crate) fn new(sets: &[ByteSet]) -> Self {
        let mut of_byte = [0; 256];
        let mut count = 1;
        for set in sets {
            count = refine(&mut of_byte, set);
        }
        let classes = sets.iter().map(|set| {
            let mut classes = ByteSet::default();
            let inside = (0..=255).filter(|&byte| set.has(byte));
            inside.for_each(|byte| classes.insert(of_byte[usize::from(byte)]));
            classes
        });
        Self { sets: classes.collect(), of_byte, count }
    }

    /// How many there are: 1 to 256.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn of(&self, byte: u8) -> u8 {
        self.of_byte[usize::from(byte)]
    }

    /// Whether a set holds the bytes of a class.
    pub(crate) fn has(&self, set: u32, class: u8) -> bool {
        self.sets[set as usize].has(class)
    }
}

/// Splits each class by a set; gives how many there are then.
fn refine(of_byte: &mut [u8], set: &ByteSet) -> usize {
    let mut known: HashMap<(u8, bool), u8> = HashMap::new();
    let mut next = 0;
    for (byte, class) in (0..=255).zip(of_byte) {
        *class = *known.entry((*class, set.has(byte))).or_insert_with(|| {
            next += 1;
            u8::try_from(next - 1).unwrap_or(u8::MAX)
        });
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_share_a_class_where_every_set_has_both_or_none() {
        let classes = Classes::new(&[ByteSet::range(b'a', b'f'), ByteSet::range(b'd', b'z')]);
        assert_eq!(classes.count(), 4);
        assert_eq!(classes.of(b'a'), classes.of(b'c'));
        assert_ne!(classes.of(b'c'), classes.of(b'd'));
        assert_eq!(classes.of(0), classes.of(255));
        assert!(classes.has(0, classes.of(b'd')) && !classes.has(1, classes.of(b'a')));
    }

    #[test]
    fn all_bytes_may_differ() {
        let sets: Vec<_> = (0..=255).map(|byte| ByteSet::range(byte, byte)).collect();
        assert_eq!(Classes::new(&sets).count(), 256);
    }
}

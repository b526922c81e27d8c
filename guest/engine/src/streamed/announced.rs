//! What will be wanted next, of what not every pass requires.

use alloc::collections::VecDeque;
use vial_plan::Leaves;

use super::cursor::Cursor;

/// Leaves that are wanted in turn.
#[derive(Debug, Default)]
pub(super) struct Announced {
    leaves: VecDeque<Leaves>,
    /// What is to be read next.
    next: Cursor,
}

impl Announced {
    /// These, in turn; none of them is read yet.
    pub(super) fn new(leaves: impl Iterator<Item = Leaves>) -> Self {
        Self { leaves: leaves.collect(), next: Cursor::default() }
    }

    /// Whether these are wanted first.
    pub(super) fn is_first(&self, leaves: Leaves) -> bool {
        self.leaves.front() == Some(&leaves)
    }

    /// What is to be read next, at most `most` bytes; `None` if nothing is.
    pub(super) fn next(&self, most: usize) -> Option<Leaves> {
        self.leaves.get(self.next.number).map(|leaves| self.next.part(leaves, most))
    }

    /// Goes on behind so many bytes.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.next.advance(self.leaves.get(self.next.number), bytes);
    }

    /// The first have come: all of them had been asked for.
    pub(super) fn pop(&mut self) {
        self.leaves.pop_front();
        self.next.number = self.next.number.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const LEAF: u64 = 128 << 10;

    #[test]
    fn parts_come_in_turn_and_go_on_when_the_first_have_come() {
        let leaves = [5, 0, 9].map(|leaf| Leaves::of(&(leaf * LEAF..(leaf + 2) * LEAF - 1), 20 * LEAF));
        let mut announced = Announced::new(leaves.into_iter());
        let leaf = usize::try_from(LEAF).unwrap();
        let parts = |announced: &mut Announced, count: usize| {
            let mut part = || announced.next(leaf).inspect(|part| announced.advance(part.len));
            (0..count).filter_map(|_| part().map(|part| part.first())).collect::<Vec<_>>()
        };
        assert_eq!(parts(&mut announced, 3), [5, 6, 0]);
        assert!(announced.is_first(leaves[0]) && !announced.is_first(leaves[1]));
        announced.pop();
        assert!(announced.is_first(leaves[1]));
        assert_eq!(parts(&mut announced, 9), [1, 9, 10]);
        (0..3).for_each(|_| announced.pop());
        assert!(parts(&mut announced, 1).is_empty());
    }
}

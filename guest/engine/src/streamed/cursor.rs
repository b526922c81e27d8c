//! A place in a list of leaves that are read in turn.

use vial_plan::Leaves;

/// What is read next: which leaves of a list, and from which of their bytes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) number: usize,
    at: usize,
}

impl Cursor {
    /// The start of number `number`.
    pub(super) fn new(number: usize) -> Self {
        Self { number, at: 0 }
    }

    /// What is left of these leaves, to which this points, at most `most` bytes.
    pub(super) fn part(self, leaves: &Leaves, most: usize) -> Leaves {
        leaves.part(self.at, most)
    }

    /// Goes on behind so many bytes of these leaves, to which this points, or of none.
    pub(super) fn advance(&mut self, leaves: Option<&Leaves>, bytes: usize) {
        let is_done = leaves.is_none_or(|leaves| self.at + bytes >= leaves.len);
        *self = if is_done { Self::new(self.number + 1) } else { Self { at: self.at + bytes, ..*self } };
    }
}

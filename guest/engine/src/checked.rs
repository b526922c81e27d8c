//! How much was checked.

use core::ops::Add;

/// What was compared with a tree since the start, counted each time it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Bytes of weights.
    pub bytes: u64,
    /// Leaves of them.
    pub leaves: u64,
}

impl Add for Checked {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, leaves: self.leaves + other.leaves }
    }
}

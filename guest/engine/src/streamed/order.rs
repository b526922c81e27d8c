//! What passes require in turn, and what is to be read next.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use vial_plan::{Leaves, Streaming};

use super::cursor::Cursor;

/// Ranges that every pass requires in turn.
#[derive(Debug)]
pub(super) struct Order {
    leaves: Vec<Leaves>,
    /// Number of each by where it starts in the file.
    numbers: BTreeMap<u64, usize>,
    /// Those that stay in memory once they have come: the first so many.
    staying: usize,
    /// What is to be read next.
    next: Cursor,
}

impl Order {
    /// As was planned.
    pub(super) fn new(streaming: &Streaming) -> Self {
        let (ranges, file_bytes) = (streaming.ranges(), streaming.file_bytes());
        let leaves = ranges.iter().map(|range| Leaves::of(range, file_bytes)).collect();
        let numbers = ranges.iter().enumerate().map(|(number, range)| (range.start, number)).collect();
        Self { leaves, numbers, staying: streaming.staying(), next: Cursor::default() }
    }

    /// The number of the range that starts there and lies in those leaves, if it is one of them.
    pub(super) fn number(&self, start: u64, leaves: Leaves) -> Option<usize> {
        self.numbers.get(&start).copied().filter(|number| self.leaves.get(*number) == Some(&leaves))
    }

    /// Whether number `number` stays in memory.
    pub(super) fn stays(&self, number: usize) -> bool {
        number < self.staying
    }

    /// Bytes of what stays.
    pub(super) fn staying_bytes(&self) -> u64 {
        self.leaves.iter().take(self.staying).map(|leaves| leaves.len as u64).sum()
    }

    /// Whether reading ahead goes on with the start of `number`.
    pub(super) fn is_next(&self, number: usize) -> bool {
        self.next == Cursor::new(number)
    }

    /// Lets reading ahead go on with the start of `number`.
    pub(super) fn go_to(&mut self, number: usize) {
        self.next = Cursor::new(number);
    }

    /// What is to be read next, at most `most` bytes; `None` if nothing is.
    pub(super) fn next(&self, most: usize) -> Option<Leaves> {
        self.leaves.get(self.next.number).map(|leaves| self.next.part(leaves, most))
    }

    /// Goes on behind so many bytes: from the last range to the first that does not stay.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.next.advance(self.leaves.get(self.next.number), bytes);
        if self.next.number >= self.leaves.len() {
            self.next = Cursor::new(self.staying);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAF: u64 = 128 << 10;

    /// Three ranges: of one leaf, of parts of three, and of the short one at the end.
    fn order(room: u64) -> Order {
        let ranges = [10..20, LEAF + 5..3 * LEAF + 5, 3 * LEAF + 5..3 * LEAF + 50];
        Order::new(&Streaming::new(ranges.to_vec(), 3 * LEAF + 60, LEAF, room))
    }

    fn some(order: &mut Order, count: usize, most: u64) -> Vec<(u64, usize)> {
        let mut next = || {
            let leaves = order.next(usize::try_from(most).unwrap()).unwrap();
            order.advance(leaves.len);
            (leaves.start / LEAF, leaves.len)
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn reading_goes_through_all_ranges_and_round() {
        let leaf = usize::try_from(LEAF).unwrap();
        let expected = [(0, leaf), (1, 2 * leaf), (3, 60), (3, 60), (0, leaf)];
        assert_eq!(some(&mut order(0), 5, 2 * LEAF), expected);
        let expected = [(0, leaf), (1, 2 * leaf + 60), (3, 60), (0, leaf)];
        assert_eq!(some(&mut order(LEAF - 1), 4, 4 * LEAF), expected);
    }

    #[test]
    fn what_stays_is_read_once() {
        let mut order = order(LEAF);
        assert!(order.stays(0) && !order.stays(1));
        let starts: Vec<_> = some(&mut order, 5, 4 * LEAF).iter().map(|(leaf, _)| *leaf).collect();
        assert_eq!(starts, [0, 1, 3, 1, 3]);
    }

    #[test]
    fn where_all_stays_nothing_is_read_again() {
        let mut order = order(1 << 30);
        some(&mut order, 3, 4 * LEAF);
        assert_eq!(order.next(usize::MAX), None);
    }
}

//! Streams from a disk that answers in whatever order, late, or not at all.

mod experts;

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use vial_model::weights::{Weights as _, WeightsError};
use vial_plan::Streaming;
use vial_tensor::{Alone, Team};
use vial_user::virtio::DeviceError;
use vial_user::virtio::block::Filled;
use vial_weights::tree::TreeBuilder;
use vial_weights::{Lanes, Tree};

extern crate std;
use std::sync::OnceLock;

use super::{CopyOut, Disk, Sealed, Streamed, Timing};

const LEAF: u64 = 128 << 10;
const DISK_OFFSET: u64 = 4096;
/// Bytes of a file of ten leaves and a bit.
const FILE: u64 = 10 * LEAF + 1000;
const FILE_LEN: usize = 10 * 131_072 + 1000;
const SLOTS: usize = 4;
const SLOT: usize = 2 * 131_072;

/// A clock that goes on by one each time somebody looks: a read has so many looks to come.
const TIMING: Timing = Timing { now: tick, patience: 500 };

fn tick() -> u64 {
    static TICKS: AtomicU64 = AtomicU64::new(0);
    TICKS.fetch_add(1, Ordering::Relaxed)
}

fn content() -> &'static [u8] {
    static CONTENT: OnceLock<Vec<u8>> = OnceLock::new();
    CONTENT.get_or_init(made)
}

fn made() -> Vec<u8> {
    (0..=250_u8)
        .cycle()
        .zip((0..=4_u8).cycle().flat_map(|page| [page; 4099]))
        .map(|(a, b)| a + b)
        .take(FILE_LEN)
        .collect()
}

/// A disk that fills slots newest first, one at each second look, and spoils what it is told to.
struct FakeDisk {
    bytes: Vec<u8>,
    slots: Vec<Vec<u8>>,
    free: Vec<usize>,
    started: Vec<(usize, u64, usize)>,
    looks: usize,
    reads: Vec<u64>,
    /// Reads from there fail so often.
    failing: (u64, usize),
    /// Reads from there are not answered so often.
    silent: (u64, usize),
    /// The slots of those.
    kept: Vec<usize>,
    /// Whether it answers nothing any more.
    is_dead: bool,
}

impl FakeDisk {
    fn new() -> Self {
        let mut bytes = vec![0xEE; usize::try_from(DISK_OFFSET).unwrap()];
        bytes.extend(content());
        bytes.resize(bytes.len().next_multiple_of(512), 0xEE);
        let slots = vec![vec![0; SLOT]; SLOTS];
        let free = (0..SLOTS).collect();
        Self {
            bytes,
            slots,
            free,
            started: vec![],
            looks: 0,
            reads: vec![],
            failing: (u64::MAX, 0),
            silent: (u64::MAX, 0),
            kept: vec![],
            is_dead: false,
        }
    }
}

struct Slots<'a>(&'a [Vec<u8>]);

impl CopyOut for Slots<'_> {
    fn copy_out(&self, slot: usize, offset: usize, to: &mut [u8]) {
        to.copy_from_slice(&self.0[slot][offset..][..to.len()]);
    }
}

impl Disk for FakeDisk {
    fn slot_bytes(&self) -> usize {
        SLOT
    }

    fn window_bytes(&self) -> u64 {
        (SLOTS * SLOT) as u64
    }

    fn free_slots(&self) -> usize {
        self.free.len()
    }

    fn start(&mut self, offset: u64, len: usize) -> Result<Option<usize>, DeviceError> {
        assert!(offset.is_multiple_of(512) && len.is_multiple_of(512) && len <= SLOT);
        assert!(offset + len as u64 <= self.bytes.len() as u64);
        let slot = self.free.pop();
        self.started.extend(slot.map(|slot| (slot, offset, len)));
        Ok(slot)
    }

    fn notify(&mut self) {}

    fn poll(&mut self) -> Result<Option<Filled>, DeviceError> {
        self.looks += 1;
        if self.looks.is_multiple_of(2) || self.is_dead {
            return Ok(None);
        }
        let Some((slot, offset, len)) = self.started.pop() else { return Ok(None) };
        self.reads.push((offset - DISK_OFFSET) / LEAF);
        if offset - DISK_OFFSET == self.failing.0 && self.failing.1 > 0 {
            self.failing.1 -= 1;
            return Ok(Some(Filled { slot, result: Err(DeviceError::Failed { status: 1 }) }));
        }
        if offset - DISK_OFFSET == self.silent.0 && self.silent.1 > 0 {
            self.silent.1 -= 1;
            self.kept.push(slot);
            return Ok(None);
        }
        let at = usize::try_from(offset).unwrap();
        self.slots[slot][..len].copy_from_slice(&self.bytes[at..at + len]);
        Ok(Some(Filled { slot, result: Ok(()) }))
    }

    fn slots(&self) -> impl CopyOut + '_ {
        Slots(&self.slots)
    }

    fn release(&mut self, slot: usize) {
        assert!(!self.free.contains(&slot), "slot {slot} twice");
        self.free.push(slot);
    }
}

/// Ranges of a pass: two together, one of several slots, one that ends the file.
fn order() -> Vec<Range<u64>> {
    vec![5..LEAF + 9, LEAF + 9..2 * LEAF, 2 * LEAF..8 * LEAF + 77, 8 * LEAF + 77..FILE - 3]
}

fn sealed() -> Sealed {
    let bytes = content();
    let mut tree = TreeBuilder::new(Lanes::Baseline, FILE);
    tree.add(bytes);
    let (values, root) = tree.finish().unwrap();
    Sealed { tree: Tree::new(values.leak(), FILE, &root).unwrap(), disk_offset: DISK_OFFSET, decryptor: None }
}

fn streamed(staying: u64) -> Streamed<FakeDisk> {
    let streaming = Streaming::new(order(), FILE, 7 * LEAF, staying);
    Streamed::new((FakeDisk::new(), TIMING), Lanes::Baseline, sealed(), &streaming).unwrap()
}

fn require(weights: &mut Streamed<FakeDisk>, ranges: &[Range<u64>]) -> Result<(), WeightsError> {
    weights.require(&Team::new(1, &Alone), ranges)?;
    for range in ranges {
        let place = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        assert!(weights.bytes(range.clone()) == &content()[place], "{range:?}");
    }
    Ok(())
}

fn pass(weights: &mut Streamed<FakeDisk>) -> Result<(), WeightsError> {
    let order = order();
    require(weights, core::slice::from_ref(&(40..50)))?;
    weights.keep(3 * LEAF - 3..3 * LEAF + 3)?;
    for ranges in [&order[..2], &order[2..3], &order[3..]] {
        require(weights, ranges)?;
        let kept = weights.bytes(3 * LEAF - 3..3 * LEAF + 3);
        let at = usize::try_from(3 * LEAF).unwrap();
        assert_eq!(kept, &content()[at - 3..at + 3]);
    }
    Ok(())
}

#[test]
fn passes_get_what_they_require_with_whatever_room() {
    for staying in [0, 2 * LEAF, 3 * LEAF, 10 * LEAF, 1 << 30] {
        let mut weights = streamed(staying);
        for _ in 0..3 {
            pass(&mut weights).unwrap();
        }
    }
}

#[test]
fn every_pass_reads_and_checks_again_what_does_not_stay() {
    let mut weights = streamed(0);
    pass(&mut weights).unwrap();
    let first = weights.checked().bytes;
    pass(&mut weights).unwrap();
    let second = weights.checked().bytes - first;
    // Ranges share leaves at their ends; a vector is read but once.
    assert_eq!(second, first - 2 * LEAF);
    let mut weights = streamed(1 << 30);
    pass(&mut weights).unwrap();
    let (first, reads) = (weights.checked().bytes, weights.intake.disk.reads.len());
    pass(&mut weights).unwrap();
    assert_eq!(weights.checked().bytes - first, LEAF, "the row of the embedding");
    assert_eq!(weights.intake.disk.reads.len() - reads, 1);
}

#[test]
fn the_next_pass_is_read_ahead_while_the_last_weights_are_used() {
    let mut weights = streamed(0);
    pass(&mut weights).unwrap();
    for _ in 0..8 {
        weights.poll();
    }
    let reads = weights.intake.disk.reads.len();
    let order = order();
    require(&mut weights, &order[..2]).unwrap();
    // The first two reads were there: nothing of them was read again.
    assert!(
        weights.intake.disk.reads[reads..].iter().all(|leaf| *leaf >= 2),
        "{:?}",
        weights.intake.disk.reads
    );
}

#[test]
fn a_pass_that_leaves_the_end_out_begins_anew() {
    let mut weights = streamed(0);
    let order = order();
    for _ in 0..3 {
        require(&mut weights, &order[..2]).unwrap();
        require(&mut weights, &order[2..3]).unwrap();
    }
    pass(&mut weights).unwrap();
}

#[test]
fn a_leaf_that_changes_between_passes_stops_all_that_follow() {
    let mut weights = streamed(0);
    pass(&mut weights).unwrap();
    let at = usize::try_from(DISK_OFFSET + 6 * LEAF + 5).unwrap();
    weights.intake.disk.bytes[at] ^= 1;
    assert_eq!(pass(&mut weights), Err(WeightsError::Differs { leaf: 6 }));
    weights.intake.disk.bytes[at] ^= 1;
    assert_eq!(pass(&mut weights), Err(WeightsError::Differs { leaf: 6 }));
    assert_eq!(weights.keep(0..5), Err(WeightsError::Differs { leaf: 6 }));
    assert_eq!(weights.failure(), Some(&WeightsError::Differs { leaf: 6 }));
}

#[test]
fn a_read_that_fails_is_tried_again_and_not_for_ever() {
    let mut weights = streamed(0);
    weights.intake.disk.failing = (4 * LEAF, 2);
    pass(&mut weights).unwrap();
    weights.intake.disk.failing = (4 * LEAF, 3);
    assert_eq!(pass(&mut weights), Err(WeightsError::Read { leaf: 4 }));
    assert_eq!(pass(&mut weights), Err(WeightsError::Read { leaf: 4 }));
}

#[test]
fn a_read_that_does_not_come_is_asked_for_again_and_not_for_ever() {
    let mut weights = streamed(0);
    weights.intake.disk.silent = (4 * LEAF, 2);
    pass(&mut weights).unwrap();
    // What comes after all is nobody's any more, and its slot is free again.
    let answered: Vec<_> = weights.intake.disk.kept.drain(..).collect();
    assert_eq!(answered.len(), 2);
    weights.intake.disk.started.extend(answered.into_iter().map(|slot| (slot, DISK_OFFSET, 512)));
    pass(&mut weights).unwrap();
    pass(&mut weights).unwrap();
    weights.intake.disk.silent = (4 * LEAF, 3);
    assert_eq!(pass(&mut weights), Err(WeightsError::Read { leaf: 4 }));
}

#[test]
fn a_disk_that_answers_nothing_at_all_is_given_up() {
    let mut weights = streamed(0);
    pass(&mut weights).unwrap();
    weights.intake.disk.is_dead = true;
    assert!(matches!(pass(&mut weights), Err(WeightsError::Read { .. })));
}

#[test]
fn slots_that_are_not_given_back_are_done_without_and_none_at_all_is_no_disk() {
    for taken in 1..=SLOTS {
        let mut weights = streamed(0);
        let slots: Vec<_> = weights.intake.disk.free.drain(..taken).collect();
        let expected = if taken < SLOTS { Ok(()) } else { Err(WeightsError::Read { leaf: 0 }) };
        assert_eq!(pass(&mut weights), expected, "{slots:?}");
    }
}

#[test]
fn what_passes_waited_for_is_counted() {
    let mut weights = streamed(0);
    pass(&mut weights).unwrap();
    let (spent, leaves) = (weights.spent(), weights.checked().leaves);
    assert!(spent.disk > 0 && spent.check > 0, "{spent:?}");
    assert_eq!(leaves, weights.checked().bytes.div_ceil(LEAF));
    assert_eq!(weights.window().bytes, 4 * 2 * LEAF);
    for _ in 0..8 {
        weights.poll();
    }
    assert!((LEAF..=2 * 2 * LEAF).contains(&weights.window().filled_bytes), "{:?}", weights.window());
}

#[test]
fn more_than_there_is_room_for_is_refused_by_its_range() {
    let mut weights = streamed(0);
    let (most, rest) = (0..8 * LEAF, 3 * LEAF..FILE);
    let refused = require(&mut weights, &[most, rest.clone()]);
    assert_eq!(refused, Err(WeightsError::Room { range: rest, room_bytes: 15 * LEAF }));
    pass(&mut weights).unwrap();
}

#[test]
fn ranges_outside_the_file_are_refused_and_nothing_breaks() {
    let mut weights = streamed(0);
    for range in [FILE - 1..FILE + 1, 7..7, u64::MAX - 1..u64::MAX] {
        let refused = require(&mut weights, core::slice::from_ref(&range));
        assert_eq!(refused, Err(WeightsError::Outside { range, file_bytes: FILE }));
    }
    pass(&mut weights).unwrap();
}

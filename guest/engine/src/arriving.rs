//! Weights on their way into memory: read ahead with several requests in flight, copied out of the DMA window, and
//! checked leaf by leaf on the private copy.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::hint::spin_loop;
use core::ops::Range;
use vial_model::weights::{Weights, WeightsError};
use vial_user::virtio::{Block, DeviceError};
use vial_weights::{LEAF_BYTES, Lanes, Tree};

/// Bytes of the unit disks are read in.
const SECTOR: usize = 512;

/// A file of weights of which the front is in memory and checked.
///
/// Invariant: every byte of `file` was compared with the tree after it was copied here; nobody else can write it.
#[derive(Debug)]
pub struct Arriving {
    disk: Block,
    tree: Tree<'static>,
    lanes: Lanes,
    /// First byte of the file on the disk.
    start: u64,
    file: Vec<u8>,
    /// Bytes asked for.
    requested: u64,
    /// Reads in flight in order: slot, length, whether it is filled.
    in_flight: VecDeque<(usize, usize, bool)>,
    failure: Option<WeightsError>,
}

impl Arriving {
    /// Weights at `start` of `disk`, with memory for all of them. `None` if there is not so much.
    #[must_use]
    pub fn new(disk: Block, tree: Tree<'static>, lanes: Lanes, start: u64) -> Option<Self> {
        let mut file = Vec::new();
        file.try_reserve_exact(usize::try_from(tree.file_bytes()).ok()?).ok()?;
        Some(Self { disk, tree, lanes, start, file, requested: 0, in_flight: VecDeque::new(), failure: None })
    }

    /// Bytes that are in memory and checked.
    #[must_use]
    pub fn checked_bytes(&self) -> u64 {
        self.file.len() as u64
    }

    /// Whether all of them are.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.checked_bytes() == self.tree.file_bytes()
    }

    /// Why no more will come.
    #[must_use]
    pub fn failure(&self) -> Option<&WeightsError> {
        self.failure.as_ref()
    }

    /// Takes in what has arrived and asks for more; `true` if there is still something to come.
    pub fn poll(&mut self) -> bool {
        if self.failure.is_none() && !self.is_whole() {
            let advanced = self.advance();
            if let Err(_misbehaves) = advanced {
                self.failure = Some(WeightsError::Read { leaf: self.checked_bytes() / LEAF_BYTES });
            }
        }
        self.failure.is_none() && !self.is_whole()
    }

    fn advance(&mut self) -> Result<(), DeviceError> {
        self.ask()?;
        while let Some(filled) = self.disk.poll()? {
            filled.result?;
            let entry = self.in_flight.iter_mut().find(|(slot, ..)| *slot == filled.slot);
            entry.into_iter().for_each(|(.., is_filled)| *is_filled = true);
        }
        while let Some(&(slot, len, true)) = self.in_flight.front() {
            self.in_flight.pop_front();
            self.take(slot, len);
            self.disk.release(slot);
            if self.failure.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn ask(&mut self) -> Result<(), DeviceError> {
        let all = self.tree.file_bytes();
        while self.requested < all {
            let rest = usize::try_from(all - self.requested).unwrap_or(usize::MAX);
            let len = rest.min(self.disk.slot_bytes());
            let Some(slot) = self.disk.start(self.start + self.requested, len.next_multiple_of(SECTOR))?
            else {
                break;
            };
            self.in_flight.push_back((slot, len, false));
            self.requested += len as u64;
        }
        self.disk.notify();
        Ok(())
    }

    /// Copies a filled slot to its place and checks the copy; one that differs is dropped again.
    fn take(&mut self, slot: usize, len: usize) {
        let start = self.file.len();
        self.file.resize(start + len, 0);
        self.disk.copy_out(slot, 0, &mut self.file[start..]);
        let first = start as u64 / LEAF_BYTES;
        let leaf_bytes = usize::try_from(LEAF_BYTES).unwrap_or(usize::MAX);
        for (leaf, bytes) in (first..).zip(self.file[start..].chunks(leaf_bytes)) {
            if self.tree.check(self.lanes, leaf, bytes).is_err() {
                self.failure = Some(WeightsError::Differs { leaf });
                self.file.truncate(start);
                return;
            }
        }
    }
}

impl Weights for Arriving {
    fn require(&mut self, range: Range<u64>) -> Result<(), WeightsError> {
        if range.end > self.tree.file_bytes() {
            return Err(WeightsError::Outside { range, file_bytes: self.tree.file_bytes() });
        }
        // A failure anywhere stops every pass: what else the disk changed is not known.
        while self.failure.is_none() && self.checked_bytes() < range.end {
            self.poll();
            spin_loop();
        }
        self.failure.clone().map_or(Ok(()), Err)
    }

    fn bytes(&self, range: Range<u64>) -> &[u8] {
        let place = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        place.and_then(|(start, end)| self.file.get(start..end)).unwrap_or_default()
    }
}

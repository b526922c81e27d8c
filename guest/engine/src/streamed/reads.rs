//! Reads in flight and done: of what is wanted now, and ahead of what will be.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use vial_plan::Leaves;
use vial_user::virtio::DeviceError;

use super::disk::Disk;
use super::sealed::Sealed;

/// How often a read that fails is tried.
const TRIES: u32 = 3;
/// Slots that reads ahead leave free, so that what is wanted now does not wait for them to be used.
const KEPT_FREE: usize = 2;

/// Which reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Of what is wanted now.
    Now,
    /// Ahead.
    Ahead,
}

/// A read of some leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) leaves: Leaves,
    pub(super) slot: usize,
    is_filled: bool,
    failed: u32,
}

/// Why no bytes come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReadError {
    /// These leaves could not be read, however often that was tried.
    Failed(Leaves),
    /// The device misbehaves.
    Device(DeviceError),
}

impl From<DeviceError> for ReadError {
    fn from(error: DeviceError) -> Self {
        Self::Device(error)
    }
}

/// Reads of one disk, each kind in the order in which it is wanted.
#[derive(Debug, Default)]
pub(super) struct Reads {
    now: VecDeque<Read>,
    ahead: VecDeque<Read>,
    /// Slots of reads in flight that nobody wants any more.
    orphans: Vec<usize>,
}

impl Reads {
    fn queue(&self, when: When) -> &VecDeque<Read> {
        match when {
            When::Now => &self.now,
            When::Ahead => &self.ahead,
        }
    }

    fn queue_mut(&mut self, when: When) -> &mut VecDeque<Read> {
        match when {
            When::Now => &mut self.now,
            When::Ahead => &mut self.ahead,
        }
    }

    /// Starts a read behind the others; `false` while no slot is free for it.
    pub(super) fn start(
        &mut self,
        disk: &mut impl Disk,
        file: &Sealed,
        (when, leaves): (When, Leaves),
    ) -> Result<bool, ReadError> {
        if when == When::Ahead && disk.free_slots() <= KEPT_FREE {
            return Ok(false);
        }
        let (offset, len) = file.on_disk(leaves);
        let Some(slot) = disk.start(offset, len)? else { return Ok(false) };
        self.queue_mut(when).push_back(Read { leaves, slot, is_filled: false, failed: 0 });
        Ok(true)
    }

    /// Takes in what has arrived; what failed is started again.
    pub(super) fn poll(&mut self, disk: &mut impl Disk, file: &Sealed) -> Result<(), ReadError> {
        while let Some(filled) = disk.poll()? {
            if let Some(at) = self.orphans.iter().position(|slot| *slot == filled.slot) {
                self.orphans.swap_remove(at);
                disk.release(filled.slot);
                continue;
            }
            let mut reads = self.now.iter_mut().chain(&mut self.ahead);
            match reads.find(|read| read.slot == filled.slot && !read.is_filled) {
                Some(read) if filled.result.is_err() => read.again(disk, file)?,
                Some(read) => read.is_filled = true,
                // The driver tells each read once, so there is none such.
                None => {}
            }
        }
        Ok(())
    }

    /// The first leaves.
    pub(super) fn front(&self, when: When) -> Option<Leaves> {
        self.queue(when).front().map(|read| read.leaves)
    }

    /// How many of the first `most` reads are filled without one before them that is not.
    pub(super) fn ready(&self, when: When, most: usize) -> usize {
        self.queue(when).iter().take(most).take_while(|read| read.is_filled).count()
    }

    /// The slots of the first reads, in order.
    pub(super) fn slots(&self, when: When, count: usize) -> impl Iterator<Item = usize> {
        self.queue(when).iter().take(count).map(|read| read.slot)
    }

    /// Gives the slots of the first reads back.
    pub(super) fn release(&mut self, disk: &mut impl Disk, when: When, count: usize) {
        self.queue_mut(when).drain(..count).for_each(|read| disk.release(read.slot));
    }

    /// Wants none of them any more.
    pub(super) fn forget(&mut self, disk: &mut impl Disk, when: When) {
        for read in core::mem::take(self.queue_mut(when)) {
            if read.is_filled {
                disk.release(read.slot);
            } else {
                self.orphans.push(read.slot);
            }
        }
    }
}

impl Read {
    fn again(&mut self, disk: &mut impl Disk, file: &Sealed) -> Result<(), ReadError> {
        self.failed += 1;
        disk.release(self.slot);
        let (offset, len) = file.on_disk(self.leaves);
        let slot = if self.failed < TRIES { disk.start(offset, len)? } else { None };
        self.slot = slot.ok_or(ReadError::Failed(self.leaves))?;
        disk.notify();
        Ok(())
    }
}

//! Reads in flight and done: of what is wanted now, and ahead of what will be.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use vial_plan::Leaves;
use vial_user::virtio::DeviceError;

use super::disk::Disk;
use super::sealed::Sealed;
use super::timing::{TRIES, Timing};

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
    /// When the disk was asked, in ticks.
    asked: u64,
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
#[derive(Debug)]
pub(super) struct Reads {
    /// Slots that reads ahead leave free, so that what is wanted now does not wait for them to be used.
    kept_free: usize,
    now: VecDeque<Read>,
    ahead: VecDeque<Read>,
    /// Slots of reads in flight that nobody wants any more.
    orphans: Vec<usize>,
}

impl Reads {
    /// None yet; reads ahead leave `kept_free` slots free.
    pub(super) fn new(kept_free: usize) -> Self {
        let (now, ahead, orphans) = (VecDeque::new(), VecDeque::new(), Vec::new());
        Self { kept_free, now, ahead, orphans }
    }

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
        timing: Timing,
        (when, leaves): (When, Leaves),
    ) -> Result<bool, ReadError> {
        // Slots that the disk does not give back do not stop reading ahead.
        if when == When::Ahead && !self.ahead.is_empty() && disk.free_slots() <= self.kept_free {
            return Ok(false);
        }
        let (offset, len) = file.on_disk(leaves);
        let Some(slot) = disk.start(offset, len)? else { return Ok(false) };
        let asked = (timing.now)();
        self.queue_mut(when).push_back(Read { leaves, slot, is_filled: false, failed: 0, asked });
        Ok(true)
    }

    /// Takes in what has arrived; what failed, or does not come, is started again.
    pub(super) fn poll(
        &mut self,
        disk: &mut impl Disk,
        file: &Sealed,
        timing: Timing,
    ) -> Result<(), ReadError> {
        let now = (timing.now)();
        while let Some(filled) = disk.poll()? {
            if let Some(at) = self.orphans.iter().position(|slot| *slot == filled.slot) {
                self.orphans.swap_remove(at);
                disk.release(filled.slot);
                continue;
            }
            let mut reads = self.now.iter_mut().chain(&mut self.ahead);
            match reads.find(|read| read.slot == filled.slot && !read.is_filled) {
                Some(read) if filled.result.is_err() => {
                    disk.release(read.slot);
                    read.slot = read.again(disk, file, now)?.ok_or(ReadError::Failed(read.leaves))?;
                }
                Some(read) => read.is_filled = true,
                // The driver tells each read once, so there is none such.
                None => {}
            }
        }
        let late = |read: &&mut Read| !read.is_filled && now.saturating_sub(read.asked) > timing.patience;
        for read in self.now.iter_mut().chain(&mut self.ahead).filter(late) {
            // The old slot is the disk's until it answers after all; without another the old read goes on.
            if let Some(slot) = read.again(disk, file, now)? {
                self.orphans.push(core::mem::replace(&mut read.slot, slot));
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

    /// Bytes that wait to be used.
    pub(super) fn filled_bytes(&self) -> u64 {
        let filled = self.now.iter().chain(&self.ahead).filter(|read| read.is_filled);
        filled.map(|read| read.leaves.len as u64).sum()
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
    /// Asks the disk again; gives the new slot, if there is one.
    fn again(&mut self, disk: &mut impl Disk, file: &Sealed, now: u64) -> Result<Option<usize>, ReadError> {
        self.failed += 1;
        self.asked = now;
        if self.failed >= TRIES {
            return Err(ReadError::Failed(self.leaves));
        }
        let (offset, len) = file.on_disk(self.leaves);
        let slot = disk.start(offset, len)?;
        disk.notify();
        Ok(slot)
    }
}

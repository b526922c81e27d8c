//! What is wanted of a disk: reads into slots that the host fills.

use vial_user::virtio::block::{Filled, SlotBytes};
use vial_user::virtio::{Block, DeviceError};

/// A disk with many reads in flight.
pub trait Disk {
    /// Longest read in bytes.
    fn slot_bytes(&self) -> usize;

    /// Bytes of all slots.
    fn window_bytes(&self) -> u64;

    /// Slots no read has.
    fn free_slots(&self) -> usize;

    /// Starts a read of whole sectors; gives its slot, or `None` while none is free.
    ///
    /// # Errors
    /// It lies outside the disk.
    fn start(&mut self, offset: u64, len: usize) -> Result<Option<usize>, DeviceError>;

    /// Tells the device of the reads started.
    fn notify(&mut self);

    /// A read that is done, if there is one.
    ///
    /// # Errors
    /// The device misbehaves.
    fn poll(&mut self) -> Result<Option<Filled>, DeviceError>;

    /// The bytes of slots, for cpus that copy them out.
    fn slots(&self) -> impl CopyOut + '_;

    /// Gives a slot back.
    fn release(&mut self, slot: usize);
}

/// Copies bytes out of slots.
pub trait CopyOut: Sync {
    /// Copies a filled slot's bytes from `offset` to private memory. The host may change them meanwhile: check the copy.
    fn copy_out(&self, slot: usize, offset: usize, to: &mut [u8]);
}

impl Disk for Block {
    fn slot_bytes(&self) -> usize {
        self.slot_bytes()
    }

    fn window_bytes(&self) -> u64 {
        self.window_bytes()
    }

    fn free_slots(&self) -> usize {
        self.free_slots()
    }

    fn start(&mut self, offset: u64, len: usize) -> Result<Option<usize>, DeviceError> {
        self.start(offset, len)
    }

    fn notify(&mut self) {
        self.notify();
    }

    fn poll(&mut self) -> Result<Option<Filled>, DeviceError> {
        self.poll()
    }

    fn slots(&self) -> impl CopyOut + '_ {
        self.slots()
    }

    fn release(&mut self, slot: usize) {
        self.release(slot);
    }
}

impl CopyOut for SlotBytes<'_> {
    fn copy_out(&self, slot: usize, offset: usize, to: &mut [u8]) {
        SlotBytes::copy_out(*self, slot, offset, to);
    }
}

//! A disk with many reads in flight.
//!
//! Each read has a slot of the DMA window. [`Block::start`] gives reads to the device, [`Block::poll`] tells
//! which slots are filled, [`Block::copy_out`] brings their bytes to private memory, where they can be checked.

use super::DeviceError;
use super::mmio::{Device, Slot};
use super::ring::{Part, Ring};
use super::run::Run;
use crate::dma::{Buffer, Window};
use crate::width::word;
use alloc::vec;
use alloc::vec::Vec;

/// Bytes of the unit a disk is read in.
pub const SECTOR_BYTES: u64 = 512;
const READ: u32 = 0;
/// Descriptors of one read: header, data, status.
const PARTS: usize = 3;
/// Header and status of one slot, kept on lines of their own.
const HEADER_STRIDE: usize = 64;
const HEADER_BYTES: usize = 16;
const STATUS_OFFSET: usize = 32;

/// How much of the DMA window the disk gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// Most reads in flight.
    pub count: usize,
    /// Longest read in bytes, a multiple of 4096.
    pub bytes: usize,
}

/// A read the device has done with; its slot is the caller's until [`Block::release`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filled {
    /// What [`Block::start`] returned.
    pub slot: usize,
    /// Whether the device read it all.
    pub result: Result<(), DeviceError>,
}

/// A block device, read only. Spec: virtio 1.2 §5.2.
#[derive(Debug)]
pub struct Block {
    device: Device,
    ring: Ring,
    headers: Buffer,
    data: Buffer,
    slots: Slots,
    free: Vec<usize>,
    /// Slot of each request in flight, by its token.
    in_flight: Vec<Option<usize>>,
    bytes: u64,
}

impl Block {
    /// Starts the device.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn new(slot: Slot, window: &mut Window, slots: Slots) -> Result<Self, DeviceError> {
        let device = slot.start(0)?;
        let entries = u16::try_from((PARTS * slots.count).next_power_of_two());
        let ring = device.queue(0, entries.map_err(|_| DeviceError::Range)?, window)?;
        let headers = window.take(HEADER_STRIDE * slots.count).ok_or(DeviceError::Window)?;
        let data = window.take_unwritten(slots.bytes * slots.count).ok_or(DeviceError::Window)?;
        let bytes = device.config_pair(0).saturating_mul(SECTOR_BYTES);
        device.go();
        let free = (0..slots.count).rev().collect();
        let in_flight = vec![None; (PARTS * slots.count).next_power_of_two()];
        Ok(Self { device, ring, headers, data, slots, free, in_flight, bytes })
    }

    /// Length of the disk. From the host: untrusted.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Longest read in bytes.
    #[must_use]
    pub fn slot_bytes(&self) -> usize {
        self.slots.bytes
    }

    /// Bytes of all slots.
    #[must_use]
    pub fn window_bytes(&self) -> u64 {
        (self.slots.count * self.slots.bytes) as u64
    }

    /// How many reads can be started now.
    #[must_use]
    pub fn free_slots(&self) -> usize {
        self.free.len()
    }

    /// Starts a read of whole sectors; [`Self::notify`] sends it. Gives its slot, or `None` while none is free.
    ///
    /// # Errors
    /// It is not of whole sectors inside the disk, or longer than a slot.
    pub fn start(&mut self, offset: u64, len: usize) -> Result<Option<usize>, DeviceError> {
        let sectors = word(SECTOR_BYTES);
        let is_whole = offset.is_multiple_of(SECTOR_BYTES) && len.is_multiple_of(sectors) && len > 0;
        let end = offset.checked_add(len as u64).filter(|&end| end <= self.bytes);
        if !is_whole || end.is_none() || len > self.slots.bytes {
            return Err(DeviceError::Range);
        }
        let Some(slot) = self.free.pop() else { return Ok(None) };
        let parts = self.request(slot, offset / SECTOR_BYTES, len);
        let token = self.ring.add(&parts).ok_or(DeviceError::Range)?;
        if let Some(entry) = self.in_flight.get_mut(usize::from(token)) {
            *entry = Some(slot);
        }
        Ok(Some(slot))
    }

    /// Tells the device of the reads started.
    pub fn notify(&mut self) {
        self.device.notify(&mut self.ring);
    }

    /// A read that is done, if there is one.
    ///
    /// # Errors
    /// The device misbehaves.
    pub fn poll(&mut self) -> Result<Option<Filled>, DeviceError> {
        let Some(used) = self.ring.pop()? else { return Ok(None) };
        let entry = self.in_flight.get_mut(usize::from(used.token)).and_then(Option::take);
        let slot = entry.ok_or(DeviceError::Entry { found: used.token.into() })?;
        let status: u8 = self.headers.read(HEADER_STRIDE * slot + STATUS_OFFSET);
        let result = if status == 0 { Ok(()) } else { Err(DeviceError::Failed { status }) };
        Ok(Some(Filled { slot, result }))
    }

    /// Copies a filled slot's bytes from `offset` to private memory. The host may have changed them meanwhile:
    /// check the copy.
    ///
    /// # Panics
    /// If they lie outside the slot: a caller's bug.
    pub fn copy_out(&self, slot: usize, offset: usize, to: &mut [u8]) {
        self.slots().copy_out(slot, offset, to);
    }

    /// The slots' bytes, for other cpus to copy out.
    #[must_use]
    pub fn slots(&self) -> SlotBytes<'_> {
        SlotBytes { data: &self.data, bytes: self.slots.bytes }
    }

    /// Gives a filled slot back.
    pub fn release(&mut self, slot: usize) {
        debug_assert!(slot < self.slots.count && !self.free.contains(&slot));
        self.free.push(slot);
    }

    /// Whether the device is to interrupt when reads are done. After switching on, [`Self::poll`] once more
    /// before waiting.
    pub fn set_interrupts(&mut self, has_interrupts: bool) {
        self.ring.set_interrupts(has_interrupts);
    }

    /// Lowers the interrupt line after a wait.
    pub fn acknowledge(&mut self) {
        self.device.acknowledge();
    }

    /// Reads `to.len()` bytes from `offset`, at any alignment, with all slots in flight.
    ///
    /// # Errors
    /// They lie outside the disk, or a read failed.
    pub fn read_into(&mut self, offset: u64, to: &mut [u8]) -> Result<(), DeviceError> {
        let mut rest = to;
        self.read_pieces(offset, rest.len() as u64, |disk, slot, piece| {
            let (head, tail) = core::mem::take(&mut rest).split_at_mut(piece.len);
            disk.copy_out(slot, piece.skip, head);
            rest = tail;
            Ok(())
        })
    }

    /// Reads `len` bytes from `offset` in order, slot by slot, the next ones in flight meanwhile. `take` copies
    /// what it wants out of each slot.
    ///
    /// # Errors
    /// They lie outside the disk, a read failed, or `take`'s own.
    pub fn read_pieces<E: From<DeviceError>>(
        &mut self,
        offset: u64,
        len: u64,
        mut take: impl FnMut(&mut Self, usize, Piece) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut run = Run::new(self, offset, len)?;
        let read = self.take_pieces(&mut run, &mut take);
        if read.is_err() {
            run.abandon(self)?;
        }
        read
    }

    fn take_pieces<E: From<DeviceError>>(
        &mut self,
        run: &mut Run,
        take: &mut impl FnMut(&mut Self, usize, Piece) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some((slot, piece)) = run.next(self)? {
            let taken = take(self, slot, piece);
            self.release(slot);
            taken?;
        }
        Ok(())
    }

    fn request(&mut self, slot: usize, sector: u64, len: usize) -> [Part; PARTS] {
        let header = HEADER_STRIDE * slot;
        self.headers.write(header, READ);
        self.headers.write(header + 4, 0_u32);
        self.headers.write(header + 8, sector);
        self.headers.write(header + STATUS_OFFSET, u8::MAX);
        let at = |buffer: &Buffer, offset, len, is_written| Part::new(buffer.pa(offset), len, is_written);
        [
            at(&self.headers, header, HEADER_BYTES, false),
            at(&self.data, slot * self.slots.bytes, len, true),
            at(&self.headers, header + STATUS_OFFSET, 1, true),
        ]
    }
}

/// The bytes of a disk's slots, which the host may change at any time.
#[derive(Clone, Copy, Debug)]
pub struct SlotBytes<'a> {
    data: &'a Buffer,
    bytes: usize,
}

impl SlotBytes<'_> {
    /// As [`Block::copy_out`].
    ///
    /// # Panics
    /// As [`Block::copy_out`].
    pub fn copy_out(self, slot: usize, offset: usize, to: &mut [u8]) {
        assert!(offset + to.len() <= self.bytes, "outside the slot");
        self.data.copy_out(slot * self.bytes + offset, to);
    }
}

/// The wanted bytes of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Offset on the disk.
    pub offset: u64,
    /// Bytes before it in the slot.
    pub skip: usize,
    /// Its length.
    pub len: usize,
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::dma::tests::window;
    use crate::virtio::fake::{FakeSlot, read, write};
    use crate::virtio::{Kind, find};
    use core::sync::atomic::{AtomicBool, Ordering};

    const SLOTS: Slots = Slots { count: 4, bytes: 4096 };
    const SECTORS: u32 = 100;

    fn disk() -> (Block, FakeSlot) {
        let (fake, slot) = FakeSlot::new(2, &[SECTORS, 0]);
        let mut slots = vec![slot];
        let slot = find(&mut slots, Kind::Block).unwrap();
        (Block::new(slot, &mut window(8), SLOTS).unwrap(), fake)
    }

    /// The byte that stands at `offset` of the disk.
    fn content(offset: u64) -> u8 {
        (offset % 251) as u8
    }

    /// Answers reads, newest first, until `is_done`; reads of `bad_sector` fail.
    fn serve(fake: &FakeSlot, is_done: &AtomicBool, bad_sector: u64) {
        let mut queue = fake.queue();
        while !is_done.load(Ordering::Acquire) {
            let requests: Vec<_> = core::iter::from_fn(|| queue.take()).collect();
            for request in requests.into_iter().rev() {
                let [header, data, status] = request.parts[..] else { unreachable!() };
                let sector = read::<u64>(header.pa + 8);
                for at in 0..u64::from(data.len) {
                    write(data.pa + at, content(sector * SECTOR_BYTES + at));
                }
                write(status.pa, u8::from(sector == bad_sector));
                queue.give_back(request.token.into(), data.len + 1);
            }
            std::thread::yield_now();
        }
    }

    fn served<T>(bad_sector: u64, work: impl FnOnce(&mut Block) -> T) -> T {
        let (mut disk, fake) = disk();
        let (fake, is_done) = (&fake, &AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(move || serve(fake, is_done, bad_sector));
            let result = work(&mut disk);
            is_done.store(true, Ordering::Release);
            result
        })
    }

    #[test]
    fn bytes_at_any_alignment_arrive_in_order() {
        served(u64::MAX, |disk| {
            for (offset, len) in [(0, 512), (1, 1), (511, 2), (4000, 9000), (3, 40_000), (51_199, 1)] {
                let mut bytes = vec![0xEE; len];
                disk.read_into(offset, &mut bytes).unwrap();
                let expected: Vec<u8> = (offset..offset + len as u64).map(content).collect();
                assert!(bytes == expected, "{len} bytes at {offset}");
            }
            assert_eq!(disk.free_slots(), SLOTS.count);
        });
    }

    #[test]
    fn a_failed_read_is_named_and_leaves_the_disk_usable() {
        served(16, |disk| {
            let failed = disk.read_into(0, &mut [0; 40_000]);
            assert_eq!(failed, Err(DeviceError::Failed { status: 1 }));
            assert_eq!(disk.free_slots(), SLOTS.count);
            assert_eq!(disk.read_into(100, &mut [0; 100]), Ok(()));
        });
    }

    #[test]
    fn reads_outside_the_disk_are_not_sent() {
        let (mut disk, fake) = disk();
        let end = u64::from(SECTORS) * SECTOR_BYTES;
        for (offset, len) in
            [(end, 512), (end - 512, 1024), (1, 512), (0, 100), (0, 8192), (u64::MAX - 511, 512)]
        {
            assert_eq!(disk.start(offset, len), Err(DeviceError::Range), "{len} at {offset}");
        }
        assert_eq!(disk.read_into(end - 1, &mut [0; 2]), Err(DeviceError::Range));
        assert!(fake.queue().take().is_none());
    }

    #[test]
    fn all_slots_are_in_flight_at_once_and_no_more() {
        let (mut disk, fake) = disk();
        for _ in 0..SLOTS.count {
            assert!(disk.start(0, 4096).unwrap().is_some());
        }
        assert_eq!(disk.start(0, 4096), Ok(None));
        disk.notify();
        let mut queue = fake.queue();
        assert_eq!(core::iter::from_fn(|| queue.take()).count(), SLOTS.count);
    }
}

//! The device's side of a queue, and a slot's registers, in plain memory.
#![expect(unsafe_code, reason = "plays the device: reads and writes shared memory by its address")]

use super::mmio::Slot;
use super::ring::Part;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// A request as the device sees it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) token: u16,
    pub(super) parts: Vec<Part>,
}

/// The device's side of a queue; addresses are those of the test's own memory.
#[derive(Debug)]
pub(super) struct FakeQueue {
    descriptors: u64,
    driver: u64,
    device: u64,
    entries: u16,
    taken: u16,
    given: u16,
}

impl FakeQueue {
    pub(super) fn new([descriptors, driver, device]: [u64; 3], entries: u16) -> Self {
        Self { descriptors, driver, device, entries, taken: 0, given: 0 }
    }

    /// The next request, if there is one.
    pub(super) fn take(&mut self) -> Option<Request> {
        if read::<u16>(self.driver + 2) == self.taken {
            return None;
        }
        let token = read::<u16>(self.driver + 4 + 2 * u64::from(self.taken % self.entries));
        self.taken = self.taken.wrapping_add(1);
        Some(Request { token, parts: self.parts(token) })
    }

    fn parts(&self, first: u16) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut next = Some(first);
        while let Some(index) = next {
            let at = self.descriptors + 16 * u64::from(index);
            let flags = read::<u16>(at + 12);
            parts.push(Part { pa: read(at), len: read(at + 8), is_written: flags & 2 != 0 });
            next = (flags & 1 != 0).then(|| read(at + 14));
        }
        parts
    }

    /// Returns an entry, honest or not.
    pub(super) fn give_back(&mut self, token: u32, written_bytes: u32) {
        let at = self.device + 4 + 8 * u64::from(self.given % self.entries);
        write(at, token);
        write(at + 4, written_bytes);
        self.given = self.given.wrapping_add(1);
        write(self.device + 2, self.given);
    }

    /// Wants to be told of the next request.
    pub(super) fn ask_for_notice(&self, has_events: bool) {
        if has_events {
            write(self.device + 4 + 8 * u64::from(self.entries), self.taken);
        }
    }

    /// Whether the driver wants to be told of the next entry given back.
    pub(super) fn interrupt_wanted(&self, has_events: bool) -> bool {
        if has_events {
            read::<u16>(self.driver + 4 + 2 * u64::from(self.entries)) == self.given
        } else {
            read::<u16>(self.driver) & 1 == 0
        }
    }
}

/// A slot's registers: what is written is what is read, and reset takes no time.
#[derive(Debug)]
pub(super) struct FakeSlot {
    registers: *mut u8,
}

// SAFETY: registers are read and written by address, and tests tell drivers and devices apart by time.
unsafe impl Sync for FakeSlot {}

impl FakeSlot {
    pub(super) fn new(device_id: u32, config: &[u32]) -> (Self, Slot) {
        let registers = Box::leak(vec![0_u64; 64].into_boxed_slice()).as_mut_ptr().cast::<u8>();
        let fake = Self { registers };
        fake.set(0, u32::from_le_bytes(*b"virt"));
        fake.set(4, 2);
        fake.set(8, device_id);
        fake.set(0x10, 1 << 29);
        fake.set(0x34, 256);
        for (offset, &word) in (0x100..).step_by(4).zip(config) {
            fake.set(offset, word);
        }
        // SAFETY: leaked memory, large enough for a slot.
        let slot = unsafe { Slot::new(registers, 0) };
        (fake, slot)
    }

    pub(super) fn set(&self, register: u64, value: u32) {
        write(self.registers.expose_provenance() as u64 + register, value);
    }

    pub(super) fn value(&self, register: u64) -> u32 {
        read(self.registers.expose_provenance() as u64 + register)
    }

    /// The queue set up last.
    pub(super) fn queue(&self) -> FakeQueue {
        let address = |register| u64::from(self.value(register + 4)) << 32 | u64::from(self.value(register));
        let entries = u16::try_from(self.value(0x38)).unwrap();
        FakeQueue::new([address(0x80), address(0x90), address(0xA0)], entries)
    }
}

/// Reads the test's own memory.
pub(super) fn read<T: Copy>(at: u64) -> T {
    let at = usize::try_from(at).unwrap();
    // SAFETY: the driver under test wrote addresses of memory that the test leaked.
    unsafe { core::ptr::with_exposed_provenance::<T>(at).read_volatile() }
}

/// Writes the test's own memory.
pub(super) fn write<T: Copy>(at: u64, value: T) {
    let at = usize::try_from(at).unwrap();
    // SAFETY: the driver under test wrote addresses of memory that the test leaked.
    unsafe { core::ptr::with_exposed_provenance_mut::<T>(at).write_volatile(value) };
}

//! A driver's side of a ring, for tests.

use std::sync::MutexGuard;
use virtio_queue::QueueT as _;
use vm_memory::{Bytes as _, GuestAddress};

use crate::{Lane, Lanes, Memory, Transport};

/// Descriptor flags. Spec: virtio 1.2 §2.7.5.
const NEXT: u16 = 1;
pub(crate) const WRITE: u16 = 2;
const TABLE: u64 = 0x1000;
const AVAILABLE: u64 = 0x2000;
const USED: u64 = 0x3000;
/// Where tests put data.
pub(crate) const DATA: u64 = 0x1_0000;

/// A ring of 16 entries in 1 MiB of memory.
pub(crate) struct Ring {
    pub(crate) memory: Memory,
    lanes: Lanes,
    offered: u16,
}

impl Ring {
    pub(crate) fn new() -> Self {
        let memory = Memory::from_ranges(&[(GuestAddress(0), 1 << 20)]).unwrap();
        let mut device = Transport::new(1, 0, Vec::new(), 1, 16);
        for (register, value) in [(0x038, 16), (0x080, TABLE), (0x090, AVAILABLE), (0x0A0, USED), (0x044, 1)]
        {
            device.write(register, &u32::try_from(value).unwrap().to_le_bytes());
        }
        Self { memory, lanes: device.lanes(), offered: 0 }
    }

    /// Offers one chain of (address, length, flags).
    pub(crate) fn offer(&mut self, parts: &[(u64, u32, u16)]) {
        for (at, &(address, len, flags)) in (0_u16..).zip(parts) {
            let entry = TABLE + 16 * u64::from(at);
            let is_last = usize::from(at) + 1 == parts.len();
            let flags = flags | if is_last { 0 } else { NEXT };
            self.memory.write_obj(address, GuestAddress(entry)).unwrap();
            self.memory.write_obj(len, GuestAddress(entry + 8)).unwrap();
            self.memory.write_obj(flags, GuestAddress(entry + 12)).unwrap();
            self.memory.write_obj(at + 1, GuestAddress(entry + 14)).unwrap();
        }
        let slot = AVAILABLE + 4 + 2 * u64::from(self.offered % 16);
        self.memory.write_obj(0_u16, GuestAddress(slot)).unwrap();
        self.offered += 1;
        self.memory.write_obj(self.offered, GuestAddress(AVAILABLE + 2)).unwrap();
    }

    pub(crate) fn lane(&self) -> MutexGuard<'_, Lane> {
        let lane = self.lanes.ready(0, &self.memory).unwrap();
        assert!(lane.queue.ready());
        lane
    }
}

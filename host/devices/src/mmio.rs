//! Registers of one virtio-mmio slot. Spec: virtio 1.2 §4.2.2.

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use virtio_queue::{Queue, QueueT as _};

use crate::Memory;

const MAGIC: u32 = u32::from_le_bytes(*b"virt");
const MODERN: u32 = 2;
const VENDOR: u32 = u32::from_le_bytes(*b"vial");
/// Features: virtio 1, and event indexes. Spec: §6.
const VERSION_1: u64 = 1 << 32;
const EVENT_INDEX: u64 = 1 << 29;
/// Status bits. Spec: §2.1.
const DRIVER_OK: u32 = 4;
/// The device has used buffers. Spec: §4.2.2.
const USED: u32 = 1;

/// One queue and which life of the device it belongs to: a reset begins the next.
#[derive(Debug)]
pub struct Lane {
    /// The ring.
    pub queue: Queue,
    /// Counts resets, so that work begun before one is not answered after it.
    pub life: u64,
}

/// A device's queues, shared by its registers and the threads that serve it.
#[derive(Clone, Debug)]
pub struct Lanes {
    lanes: Arc<[Mutex<Lane>]>,
    pending: Arc<AtomicU32>,
}

impl Lanes {
    fn new(queues: usize, size: u16) -> Self {
        // Only a size that is no power of two is refused.
        let queue = || Queue::new(size).ok().map(|queue| Mutex::new(Lane { queue, life: 0 }));
        Self { lanes: (0..queues).filter_map(|_| queue()).collect(), pending: Arc::default() }
    }

    /// Queue `index`, if the driver has set it up.
    #[must_use]
    pub fn ready(&self, index: usize, memory: &Memory) -> Option<MutexGuard<'_, Lane>> {
        let lane = self.lane(index)?;
        (lane.queue.ready() && lane.queue.is_valid(memory)).then_some(lane)
    }

    /// Gives a chain back to the driver; `true` if it wants an interrupt. Nothing happens after a reset.
    #[must_use]
    pub fn give_back(&self, index: usize, memory: &Memory, head: u16, written: u32, life: u64) -> bool {
        let Some(mut lane) = self.ready(index, memory).filter(|lane| lane.life == life) else { return false };
        if lane.queue.add_used(memory, head, written).is_err() {
            return false;
        }
        let wants_interrupt = lane.queue.needs_notification(memory).unwrap_or(true);
        if wants_interrupt {
            self.pending.fetch_or(USED, Ordering::SeqCst);
        }
        wants_interrupt
    }

    fn lane(&self, index: usize) -> Option<MutexGuard<'_, Lane>> {
        // A panic of ours under the lock leaves a queue as consistent as a guest could make it.
        self.lanes.get(index).map(|lane| lane.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn reset(&self) {
        for index in 0..self.lanes.len() {
            if let Some(mut lane) = self.lane(index) {
                lane.queue.reset();
                lane.life += 1;
            }
        }
        self.pending.store(0, Ordering::SeqCst);
    }
}

/// The registers.
#[derive(Debug)]
pub struct Transport {
    device: u32,
    features: u64,
    config: Vec<u8>,
    lanes: Lanes,
    size: u16,
    status: u32,
    accepted: u64,
    feature_word: u32,
    driver_word: u32,
    selected: u32,
}

impl Transport {
    /// A device of type `device` with `queues` queues of at most `size` entries.
    #[must_use]
    pub fn new(device: u32, features: u64, config: Vec<u8>, queues: usize, size: u16) -> Self {
        Self {
            device,
            features: features | VERSION_1 | EVENT_INDEX,
            config,
            lanes: Lanes::new(queues, size),
            size,
            status: 0,
            accepted: 0,
            feature_word: 0,
            driver_word: 0,
            selected: 0,
        }
    }

    /// The queues, for the threads that serve them.
    #[must_use]
    pub fn lanes(&self) -> Lanes {
        self.lanes.clone()
    }

    /// Answers a load of `to.len()` bytes at `offset` of the slot.
    pub fn read(&self, offset: u64, to: &mut [u8]) {
        to.fill(0);
        if let Some(at) = offset.checked_sub(0x100).and_then(|at| usize::try_from(at).ok()) {
            for (to, from) in to.iter_mut().zip(self.config.iter().skip(at)) {
                *to = *from;
            }
        } else if to.len() == 4 {
            to.copy_from_slice(&self.register(offset).to_le_bytes());
        }
    }

    fn register(&self, offset: u64) -> u32 {
        match offset {
            0x000 => MAGIC,
            0x004 => MODERN,
            0x008 => self.device,
            0x00C => VENDOR,
            0x010 => half(self.features, self.feature_word),
            0x034 => self.selected_lane().map_or(0, |_| self.size.into()),
            0x044 => self.selected_lane().map_or(0, |lane| lane.queue.ready().into()),
            0x060 => self.lanes.pending.load(Ordering::SeqCst),
            0x070 => self.status,
            _ => 0,
        }
    }

    /// Takes a store of 32 bits at `offset`; others are ignored.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) {
        let Ok(bytes) = bytes.try_into() else { return };
        let value = u32::from_le_bytes(bytes);
        match offset {
            0x014 => self.feature_word = value,
            0x020 => self.accept(value),
            0x024 => self.driver_word = value,
            0x030 => self.selected = value,
            0x064 => {
                self.lanes.pending.fetch_and(!value, Ordering::SeqCst);
            }
            0x070 => self.set_status(value),
            _ => self.set_queue(offset, value),
        }
    }

    fn accept(&mut self, value: u32) {
        let shift = if self.driver_word == 0 { 0 } else { 32 };
        if self.driver_word < 2 {
            self.accepted = self.accepted & !(u64::from(u32::MAX) << shift) | u64::from(value) << shift;
        }
    }

    /// Zero resets. `FEATURES_OK` stays off when the driver took what was not offered.
    fn set_status(&mut self, value: u32) {
        if value == 0 {
            self.lanes.reset();
            (self.status, self.accepted, self.selected) = (0, 0, 0);
            return;
        }
        let is_accepted = self.accepted & !self.features == 0 && self.accepted & VERSION_1 != 0;
        self.status = if is_accepted { value } else { value & !8 };
        if self.status & DRIVER_OK != 0 {
            self.set_event_index();
        }
    }

    fn set_event_index(&self) {
        for index in 0..self.lanes.lanes.len() {
            if let Some(mut lane) = self.lanes.lane(index) {
                lane.queue.set_event_idx(self.accepted & EVENT_INDEX != 0);
            }
        }
    }

    fn set_queue(&self, offset: u64, value: u32) {
        let Some(mut lane) = self.selected_lane() else { return };
        let queue = &mut lane.queue;
        match offset {
            0x038 => queue.set_size(u16::try_from(value).unwrap_or(0)),
            0x044 => queue.set_ready(value == 1),
            0x080 => queue.set_desc_table_address(Some(value), None),
            0x084 => queue.set_desc_table_address(None, Some(value)),
            0x090 => queue.set_avail_ring_address(Some(value), None),
            0x094 => queue.set_avail_ring_address(None, Some(value)),
            0x0A0 => queue.set_used_ring_address(Some(value), None),
            0x0A4 => queue.set_used_ring_address(None, Some(value)),
            _ => {}
        }
    }

    fn selected_lane(&self) -> Option<MutexGuard<'_, Lane>> {
        self.lanes.lane(usize::try_from(self.selected).ok()?)
    }
}

fn half(value: u64, word: u32) -> u32 {
    let shifted = match word {
        0 => value,
        1 => value >> 32,
        _ => 0,
    };
    u32::try_from(shifted & u64::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> Transport {
        Transport::new(2, 1 << 5, vec![1, 2, 3, 4, 5, 6, 7, 8], 1, 64)
    }

    fn load(device: &Transport, offset: u64) -> u32 {
        let mut bytes = [0; 4];
        device.read(offset, &mut bytes);
        u32::from_le_bytes(bytes)
    }

    #[test]
    fn a_driver_finds_what_the_device_is() {
        let mut device = device();
        assert_eq!([load(&device, 0), load(&device, 4), load(&device, 8)], [MAGIC, 2, 2]);
        assert_eq!(load(&device, 0x104), u32::from_le_bytes([5, 6, 7, 8]));
        device.write(0x014, &1_u32.to_le_bytes());
        assert_eq!(load(&device, 0x010), 1);
        assert_eq!(load(&device, 0x034), 64);
        device.write(0x030, &7_u32.to_le_bytes());
        assert_eq!(load(&device, 0x034), 0);
    }

    #[test]
    fn features_that_were_not_offered_are_refused() {
        for (word, is_ok) in [(1 << 5, true), (1 << 6, false)] {
            let mut device = device();
            device.write(0x020, &u32::to_le_bytes(word));
            device.write(0x024, &1_u32.to_le_bytes());
            device.write(0x020, &1_u32.to_le_bytes());
            device.write(0x070, &11_u32.to_le_bytes());
            assert_eq!(load(&device, 0x070) & 8 != 0, is_ok);
        }
    }

    #[test]
    fn a_reset_forgets_queues_and_begins_another_life() {
        let mut device = device();
        device.write(0x044, &1_u32.to_le_bytes());
        assert_eq!(load(&device, 0x044), 1);
        device.write(0x070, &0_u32.to_le_bytes());
        assert_eq!(load(&device, 0x044), 0);
        assert_eq!(device.lanes().lane(0).unwrap().life, 1);
    }
}

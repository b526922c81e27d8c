//! A split virtqueue. Spec: virtio 1.2 §2.7.
//!
//! Invariant: what the driver relies on lies in private memory ([`Ring::chains`]); of the shared ring it reads
//! only the device's index and used entries, and takes none that it has not given.

use super::DeviceError;
use crate::dma::{Buffer, Window};
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{Ordering, fence};

const DESCRIPTOR_BYTES: usize = 16;
const USED_BYTES: usize = 8;
const HAS_NEXT: u16 = 1;
const DEVICE_WRITES: u16 = 2;
const NO_INTERRUPT: u16 = 1;
const NO_NOTIFY: u16 = 1;
/// Far enough from any index that it is not crossed before it is moved on.
const FAR: u16 = 0x4000;

/// What a queue is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Its number.
    pub(super) index: u16,
    /// Its length, a power of two.
    pub(super) entries: u16,
    /// Whether event indexes are agreed on.
    pub(super) has_events: bool,
}

/// One piece of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where the device finds it.
    pub pa: u64,
    /// Length in bytes.
    pub len: u32,
    /// Whether the device writes it; it reads it otherwise. Parts that it writes come last.
    pub is_written: bool,
}

impl Part {
    /// A piece of `len` bytes; a buffer is never larger than the DMA window, so its length fits.
    pub(super) fn new(pa: u64, len: usize, is_written: bool) -> Self {
        Self { pa, len: u32::try_from(len).unwrap_or_default(), is_written }
    }
}

/// A request the device has done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// What [`Ring::add`] returned.
    pub token: u16,
    /// Bytes the device says it wrote. Untrusted.
    pub written_bytes: u32,
}

/// One queue.
#[derive(Debug)]
pub struct Ring {
    shape: Shape,
    memory: Buffer,
    free: Vec<u16>,
    /// Descriptors of each request in flight, by its first one.
    chains: Vec<Vec<u16>>,
    in_flight: u16,
    available: u16,
    noticed: u16,
    used: u16,
    has_interrupts: bool,
}

impl Ring {
    pub(super) fn new(shape: Shape, window: &mut Window) -> Option<Self> {
        let entries = shape.entries;
        let memory = window.take(used_offset(entries) + 6 + USED_BYTES * usize::from(entries))?;
        let chains = vec![Vec::new(); entries.into()];
        let free = (0..entries).rev().collect();
        let mut ring = Self {
            shape,
            memory,
            free,
            chains,
            in_flight: 0,
            available: 0,
            noticed: 0,
            used: 0,
            has_interrupts: false,
        };
        ring.set_interrupts(false);
        Some(ring)
    }

    pub(super) fn index(&self) -> u16 {
        self.shape.index
    }

    /// Where the device finds descriptors, available ring and used ring.
    pub(super) fn addresses(&self) -> [u64; 3] {
        [0, self.available_offset(), self.used_offset()].map(|offset| self.memory.pa(offset))
    }

    /// Gives the device a request; `None` while the ring has no room. Its token is the first descriptor.
    pub fn add(&mut self, parts: &[Part]) -> Option<u16> {
        let from = self.free.len().checked_sub(parts.len())?;
        let chain: Vec<u16> = self.free.drain(from..).collect();
        let &token = chain.first()?;
        for (at, (part, &descriptor)) in parts.iter().zip(&chain).enumerate() {
            self.describe(descriptor, part, chain.get(at + 1).copied());
        }
        *self.chains.get_mut(usize::from(token))? = chain;
        let entry = self.available_offset() + 4 + 2 * self.entry(self.available);
        self.memory.write(entry, token);
        self.in_flight += 1;
        self.available = self.available.wrapping_add(1);
        // The device must see the request before the index that covers it.
        fence(Ordering::Release);
        self.memory.write(self.available_offset() + 2, self.available);
        Some(token)
    }

    /// Takes back a request the device has done with.
    ///
    /// # Errors
    /// The device returned one that it was not given.
    pub fn pop(&mut self) -> Result<Option<Used>, DeviceError> {
        let used: u16 = self.memory.read(self.used_offset() + 2);
        if used == self.used {
            return Ok(None);
        }
        if used.wrapping_sub(self.used) > self.in_flight {
            return Err(DeviceError::Entry { found: used.into() });
        }
        fence(Ordering::Acquire);
        let entry = self.used_offset() + 4 + USED_BYTES * self.entry(self.used);
        let (found, written_bytes) = (self.memory.read::<u32>(entry), self.memory.read::<u32>(entry + 4));
        let token = self.reclaim(found).ok_or(DeviceError::Entry { found })?;
        self.used = self.used.wrapping_add(1);
        self.tell_interrupts();
        Ok(Some(Used { token, written_bytes }))
    }

    /// Whether the device is to interrupt when it has done with requests. After switching on, look once more
    /// with [`Self::pop`] before waiting.
    pub fn set_interrupts(&mut self, has_interrupts: bool) {
        self.has_interrupts = has_interrupts;
        self.tell_interrupts();
        // The next look at the used index must not come before this.
        fence(Ordering::SeqCst);
    }

    /// Whether the device wants to be told of what was added since the last question.
    pub(super) fn wants_notice(&mut self) -> bool {
        let (old, new) = (core::mem::replace(&mut self.noticed, self.available), self.available);
        // The device must see the index before its wish is read.
        fence(Ordering::SeqCst);
        if old == new {
            return false;
        }
        if !self.shape.has_events {
            return self.memory.read::<u16>(self.used_offset()) & NO_NOTIFY == 0;
        }
        let event: u16 = self.memory.read(self.used_offset() + 4 + USED_BYTES * self.entries());
        // Spec: §2.7.10: it lies among the entries added.
        new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old)
    }

    fn tell_interrupts(&mut self) {
        if self.shape.has_events {
            let event = if self.has_interrupts { self.used } else { self.used.wrapping_add(FAR) };
            self.memory.write(self.available_offset() + 4 + 2 * self.entries(), event);
        } else {
            let flags = if self.has_interrupts { 0 } else { NO_INTERRUPT };
            self.memory.write(self.available_offset(), flags);
        }
    }

    fn describe(&mut self, descriptor: u16, part: &Part, next: Option<u16>) {
        let at = DESCRIPTOR_BYTES * usize::from(descriptor);
        let written = if part.is_written { DEVICE_WRITES } else { 0 };
        self.memory.write(at, part.pa);
        self.memory.write(at + 8, part.len);
        self.memory.write(at + 12, written | next.map_or(0, |_| HAS_NEXT));
        self.memory.write(at + 14, next.unwrap_or_default());
    }

    /// Frees the request that starts at descriptor `found`, if there is one.
    fn reclaim(&mut self, found: u32) -> Option<u16> {
        let token = u16::try_from(found).ok()?;
        let chain = core::mem::take(self.chains.get_mut(usize::from(token))?);
        self.free.extend(chain.iter().rev());
        self.in_flight -= u16::from(!chain.is_empty());
        chain.first().copied()
    }

    fn entries(&self) -> usize {
        self.shape.entries.into()
    }

    fn entry(&self, index: u16) -> usize {
        usize::from(index) % self.entries()
    }

    fn available_offset(&self) -> usize {
        DESCRIPTOR_BYTES * self.entries()
    }

    fn used_offset(&self) -> usize {
        used_offset(self.shape.entries)
    }
}

/// Behind descriptors and available ring, on the next word.
fn used_offset(entries: u16) -> usize {
    (DESCRIPTOR_BYTES * usize::from(entries) + 6 + 2 * usize::from(entries)).next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dma::tests::window;
    use crate::virtio::fake::FakeQueue;

    fn ring(has_events: bool) -> (Ring, FakeQueue) {
        let shape = Shape { index: 0, entries: 8, has_events };
        let ring = Ring::new(shape, &mut window(1)).unwrap();
        let device = FakeQueue::new(ring.addresses(), 8);
        (ring, device)
    }

    const PART: Part = Part { pa: 0x1000, len: 16, is_written: false };

    #[test]
    fn requests_reach_the_device_and_come_back_in_any_order() {
        let (mut ring, mut device) = ring(true);
        let first = ring.add(&[PART, Part { is_written: true, ..PART }]).unwrap();
        let second = ring.add(&[PART]).unwrap();
        let (one, two) = (device.take().unwrap(), device.take().unwrap());
        assert_eq!(one.parts, [PART, Part { is_written: true, ..PART }]);
        device.give_back(two.token.into(), 7);
        device.give_back(one.token.into(), 0);
        assert_eq!(ring.pop(), Ok(Some(Used { token: second, written_bytes: 7 })));
        assert_eq!(ring.pop(), Ok(Some(Used { token: first, written_bytes: 0 })));
        assert_eq!(ring.pop(), Ok(None));
    }

    #[test]
    fn a_full_ring_takes_no_more_until_one_is_back() {
        let (mut ring, mut device) = ring(true);
        for _ in 0..4 {
            assert!(ring.add(&[PART; 2]).is_some());
        }
        assert_eq!(ring.add(&[PART]), None);
        let token = device.take().unwrap().token;
        device.give_back(token.into(), 0);
        ring.pop().unwrap();
        assert!(ring.add(&[PART; 2]).is_some());
    }

    #[test]
    fn entries_the_device_invents_are_refused() {
        for found in [5, 8, 70_000] {
            let (mut ring, mut device) = ring(true);
            ring.add(&[PART]).unwrap();
            device.take().unwrap();
            device.give_back(found, 0);
            assert_eq!(ring.pop(), Err(DeviceError::Entry { found }));
        }
        let (mut ring, mut device) = ring(true);
        let token = ring.add(&[PART]).unwrap();
        device.give_back(token.into(), 0);
        device.give_back(token.into(), 0);
        assert_eq!(ring.pop(), Err(DeviceError::Entry { found: 2 }), "more than were given");
    }

    #[test]
    fn notices_and_interrupts_are_asked_for_across_the_wrap() {
        for has_events in [false, true] {
            let (mut ring, mut device) = ring(has_events);
            let mut notices = 0;
            for _ in 0..0x1_8000_u32 {
                let token = ring.add(&[PART]).unwrap();
                notices += u32::from(ring.wants_notice());
                device.take().unwrap();
                device.ask_for_notice(has_events);
                assert!(!device.interrupt_wanted(has_events));
                device.give_back(token.into(), 0);
                ring.pop().unwrap().unwrap();
            }
            assert_eq!(notices, 0x1_8000, "events: {has_events}");
            ring.set_interrupts(true);
            assert!(device.interrupt_wanted(has_events));
        }
    }

    #[test]
    fn a_busy_device_is_left_alone() {
        let (mut ring, mut device) = ring(true);
        ring.add(&[PART]).unwrap();
        assert!(ring.wants_notice(), "it waits for the first");
        ring.add(&[PART]).unwrap();
        assert!(!ring.wants_notice(), "it has not looked since");
        assert!(!ring.wants_notice(), "nothing new");
        device.take().unwrap();
    }
}

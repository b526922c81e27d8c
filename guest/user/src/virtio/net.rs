//! A network card: whole Ethernet frames. What they held is wiped from the window as soon as it was copied out or sent: the
//! host has seen it, and nobody need find it there later.

use super::DeviceError;
use super::mmio::{Device, Slot};
use super::ring::{Part, Ring};
use crate::dma::{Buffer, Window};
use alloc::vec;
use alloc::vec::Vec;

/// Longest frame in bytes: 1500 of payload behind an Ethernet header.
pub const FRAME_BYTES: usize = 1514;
/// `virtio_net_hdr` with virtio 1; all zero, as no offloads are agreed on. Spec: virtio 1.2 §5.1.6.
const HEADER_BYTES: usize = 12;
const STRIDE: usize = 2048;
/// Feature: the configuration holds an address. Spec: virtio 1.2 §5.1.3.
const HAS_MAC: u64 = 1 << 5;
const RECEIVE: u16 = 0;
const TRANSMIT: u16 = 1;

/// One direction: a queue with one buffer an entry.
#[derive(Debug)]
struct Lane {
    ring: Ring,
    frames: Buffer,
    /// Frame of each request in flight, by its token.
    in_flight: Vec<Option<usize>>,
    free: Vec<usize>,
    is_written: bool,
}

impl Lane {
    fn new(device: &Device, index: u16, entries: u16, window: &mut Window) -> Result<Self, DeviceError> {
        let count = usize::from(entries);
        let ring = device.queue(index, entries, window)?;
        let frames = window.take(STRIDE * count).ok_or(DeviceError::Window)?;
        let (in_flight, free) = (vec![None; count], (0..count).rev().collect());
        Ok(Self { ring, frames, in_flight, free, is_written: index == RECEIVE })
    }

    fn give(&mut self, frame: usize, len: usize) -> Result<(), DeviceError> {
        let part = Part::new(self.frames.pa(frame * STRIDE), len, self.is_written);
        let token = self.ring.add(&[part]).ok_or(DeviceError::Range)?;
        if let Some(entry) = self.in_flight.get_mut(usize::from(token)) {
            *entry = Some(frame);
        }
        Ok(())
    }

    /// A frame the device has done with, and the bytes it says it wrote.
    fn take(&mut self) -> Result<Option<(usize, usize)>, DeviceError> {
        let Some(used) = self.ring.pop()? else { return Ok(None) };
        let entry = self.in_flight.get_mut(usize::from(used.token)).and_then(Option::take);
        let frame = entry.ok_or(DeviceError::Entry { found: used.token.into() })?;
        Ok(Some((frame, used.written_bytes as usize)))
    }
}

/// A network device.
#[derive(Debug)]
pub struct Net {
    device: Device,
    receive: Lane,
    transmit: Lane,
    mac: [u8; 6],
}

impl Net {
    /// Starts the device with `entries` frames each way, a power of two.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn new(slot: Slot, window: &mut Window, entries: u16) -> Result<Self, DeviceError> {
        let device = slot.start(HAS_MAC)?;
        let mut receive = Lane::new(&device, RECEIVE, entries, window)?;
        let transmit = Lane::new(&device, TRANSMIT, entries, window)?;
        while let Some(frame) = receive.free.pop() {
            receive.give(frame, STRIDE)?;
        }
        let [low, high] = [device.config(0).to_le_bytes(), device.config(4).to_le_bytes()];
        let mac = [low[0], low[1], low[2], low[3], high[0], high[1]];
        device.go();
        let mut net = Self { device, receive, transmit, mac };
        net.notify();
        Ok(net)
    }

    /// Its address. From the host: untrusted.
    #[must_use]
    pub fn mac(&self) -> [u8; 6] {
        self.mac
    }

    /// Copies the next frame into `to` and gives its length; the rest of one that is longer is cut off.
    ///
    /// # Errors
    /// The device misbehaves.
    pub fn receive(&mut self, to: &mut [u8]) -> Result<Option<usize>, DeviceError> {
        self.take_back_sent()?;
        let Some((frame, written)) = self.receive.take()? else { return Ok(None) };
        let len = written.min(STRIDE).saturating_sub(HEADER_BYTES).min(to.len());
        self.receive.frames.copy_out(frame * STRIDE + HEADER_BYTES, to.get_mut(..len).unwrap_or_default());
        self.receive.frames.wipe(frame * STRIDE, written.min(STRIDE));
        self.receive.give(frame, STRIDE)?;
        Ok(Some(len))
    }

    /// Whether [`Self::send`] has room.
    ///
    /// # Errors
    /// The device misbehaves.
    pub fn can_send(&mut self) -> Result<bool, DeviceError> {
        self.take_back_sent()?;
        Ok(!self.transmit.free.is_empty())
    }

    /// Wipes the frames that were sent, for others to use.
    fn take_back_sent(&mut self) -> Result<(), DeviceError> {
        while let Some((frame, _)) = self.transmit.take()? {
            self.transmit.frames.wipe(frame * STRIDE, STRIDE);
            self.transmit.free.push(frame);
        }
        Ok(())
    }

    /// Queues a frame; [`Self::notify`] sends it. `false` while there is no room.
    ///
    /// # Errors
    /// The frame is too long, or the device misbehaves.
    pub fn send(&mut self, frame: &[u8]) -> Result<bool, DeviceError> {
        if frame.len() > FRAME_BYTES {
            return Err(DeviceError::Range);
        }
        if !self.can_send()? {
            return Ok(false);
        }
        let Some(at) = self.transmit.free.pop() else { return Ok(false) };
        self.transmit.frames.copy_in(at * STRIDE + HEADER_BYTES, frame);
        self.transmit.give(at, HEADER_BYTES + frame.len())?;
        Ok(true)
    }

    /// Tells the device of frames queued and buffers given back.
    pub fn notify(&mut self) {
        self.device.notify(&mut self.receive.ring);
        self.device.notify(&mut self.transmit.ring);
    }

    /// Whether the device is to interrupt when a frame arrives. After switching on, [`Self::receive`] once more
    /// before waiting.
    pub fn set_interrupts(&mut self, has_interrupts: bool) {
        self.receive.ring.set_interrupts(has_interrupts);
    }

    /// Whether sent frames are to interrupt too: for a sender that waits for room.
    pub fn set_sent_interrupts(&mut self, has_interrupts: bool) {
        self.transmit.ring.set_interrupts(has_interrupts);
    }

    /// Lowers the interrupt line after a wait.
    pub fn acknowledge(&mut self) {
        self.device.acknowledge();
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::dma::tests::window;
    use crate::virtio::fake::{FakeQueue, FakeSlot, read, write};

    const MAC: [u32; 2] = [0x0012_3402, 0x0000_0156];

    /// A card, and the device's side of the queue set up last, [`TRANSMIT`].
    fn card() -> (Net, FakeQueue, FakeQueue) {
        let (fake, slot) = FakeSlot::new(1, &MAC);
        let net = Net::new(slot, &mut window(20), 8).unwrap();
        let receive = FakeQueue::new(net.receive.ring.addresses(), 8);
        (net, receive, fake.queue())
    }

    #[test]
    fn frames_arrive_without_their_header() {
        let (mut net, mut device, _) = card();
        let request = device.take().unwrap();
        for (at, byte) in (0..).zip([9, 8, 7]) {
            write::<u8>(request.parts[0].pa + HEADER_BYTES as u64 + at, byte);
        }
        device.give_back(request.token.into(), 15);
        let mut frame = [0; FRAME_BYTES];
        assert_eq!(net.receive(&mut frame), Ok(Some(3)));
        assert_eq!(frame[..4], [9, 8, 7, 0]);
        assert_eq!(net.receive(&mut frame), Ok(None));
        assert_eq!(core::iter::from_fn(|| device.take()).count(), 8, "the buffer was given back");
    }

    #[test]
    fn what_was_copied_out_or_sent_is_wiped() {
        let (mut net, mut receiving, mut sending) = card();
        let request = receiving.take().unwrap();
        let pa = request.parts[0].pa;
        (0..40).for_each(|at| write::<u8>(pa + at, 9));
        receiving.give_back(request.token.into(), 40);
        assert_eq!(net.receive(&mut [0; FRAME_BYTES]), Ok(Some(28)));
        assert!((0..40).all(|at| read::<u8>(pa + at) == 0));
        assert_eq!(net.send(&[7; 300]), Ok(true));
        let request = sending.take().unwrap();
        let pa = request.parts[0].pa + HEADER_BYTES as u64;
        assert_eq!(read::<u8>(pa + 299), 7);
        sending.give_back(request.token.into(), 0);
        assert_eq!(net.receive(&mut [0; FRAME_BYTES]), Ok(None));
        assert!((0..300).all(|at| read::<u8>(pa + at) == 0));
    }

    #[test]
    fn a_length_the_device_invents_is_cut() {
        let (mut net, mut device, _) = card();
        for (written, expected) in [(u32::MAX, FRAME_BYTES), (3, 0)] {
            let request = device.take().unwrap();
            device.give_back(request.token.into(), written);
            assert_eq!(net.receive(&mut [0; FRAME_BYTES]), Ok(Some(expected)));
        }
    }

    #[test]
    fn frames_are_sent_until_there_is_no_room() {
        let (mut net, _, mut device) = card();
        for _ in 0..8 {
            assert_eq!(net.send(&[1, 2, 3]), Ok(true));
        }
        assert_eq!(net.send(&[1]), Ok(false));
        let request = device.take().unwrap();
        assert_eq!(request.parts[0].len as usize, HEADER_BYTES + 3);
        assert_eq!(read::<u8>(request.parts[0].pa + HEADER_BYTES as u64 + 2), 3);
        device.give_back(request.token.into(), 0);
        assert_eq!(net.send(&[1]), Ok(true));
        assert_eq!(net.send(&[0; FRAME_BYTES + 1]), Err(DeviceError::Range));
    }

    #[test]
    fn the_address_is_read_in_order() {
        assert_eq!(card().0.mac(), [0x02, 0x34, 0x12, 0x00, 0x56, 0x01]);
    }
}

//! Random numbers of the host: untrusted. Never a key's only source, see [`crate::random`].

use super::DeviceError;
use super::mmio::{Device, Slot};
use super::ring::{Part, Ring};
use crate::dma::{Buffer, Window};
use core::hint::spin_loop;

const CHUNK_BYTES: usize = 64;

/// An entropy device. Spec: virtio 1.2 §5.4.
#[derive(Debug)]
pub struct Rng {
    device: Device,
    ring: Ring,
    buffer: Buffer,
}

impl Rng {
    /// Starts the device.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn new(slot: Slot, window: &mut Window) -> Result<Self, DeviceError> {
        let device = slot.start(0)?;
        let ring = device.queue(0, 4, window)?;
        let buffer = window.take(CHUNK_BYTES).ok_or(DeviceError::Window)?;
        device.go();
        Ok(Self { device, ring, buffer })
    }

    /// Fills `to`; waits for the device.
    ///
    /// # Errors
    /// The device misbehaves.
    pub fn fill(&mut self, to: &mut [u8]) -> Result<(), DeviceError> {
        let mut filled = 0;
        while let Some(rest) = to.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            filled += self.fill_some(rest)?;
        }
        Ok(())
    }

    fn fill_some(&mut self, to: &mut [u8]) -> Result<usize, DeviceError> {
        let whole = Part::new(self.buffer.pa(0), CHUNK_BYTES, true);
        self.ring.add(&[whole]).ok_or(DeviceError::Range)?;
        self.device.notify(&mut self.ring);
        let used = loop {
            if let Some(used) = self.ring.pop()? {
                break used;
            }
            spin_loop();
        };
        let len = to.len().min(CHUNK_BYTES).min(used.written_bytes as usize);
        self.buffer.copy_out(0, to.get_mut(..len).unwrap_or_default());
        Ok(len)
    }
}

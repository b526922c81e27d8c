//! What instructions do elsewhere: ports, model-specific registers, device registers, sleeping. Spec: AMD 56421 rev 2.03 §4.1.

use crate::ghcb::{Ghcb, Register, Wish};
use crate::processor::{Processor, Refusal};
use crate::shared;

const HALT: u64 = 0x78;
const PORT: u64 = 0x7B;
const MODEL_SPECIFIC: u64 = 0x7C;
const READ_DEVICE: u64 = 0x8000_0001;
const WRITE_DEVICE: u64 = 0x8000_0002;
/// Bits of a port exit's first word. Spec: AMD APM vol. 2 §15.10.2.
const INPUT: u64 = 1;
const ADDRESS_64: u64 = 1 << 9;

/// Bytes that go through a port at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// One.
    Byte,
    /// Four.
    Word,
}

impl Width {
    const fn flag(self) -> u64 {
        match self {
            Self::Byte => 1 << 4,
            Self::Word => 1 << 6,
        }
    }
}

impl<P: Processor> Ghcb<'_, P> {
    /// Writes to a port.
    ///
    /// # Errors
    /// [`Refusal::Host`].
    pub fn write_port(&mut self, port: u16, width: Width, value: u32) -> Result<(), Refusal> {
        let info = u64::from(port) << 16 | ADDRESS_64 | width.flag();
        self.ask(&wish(PORT, [info, 0], &[(Register::A, value.into())]))
    }

    /// Reads a byte from a port. From the host: untrusted.
    ///
    /// # Errors
    /// [`Refusal::Host`].
    pub fn read_port(&mut self, port: u16) -> Result<u8, Refusal> {
        let info = u64::from(port) << 16 | ADDRESS_64 | Width::Byte.flag() | INPUT;
        self.ask(&wish(PORT, [info, 0], &[(Register::A, 0)]))?;
        let [byte, ..] = self.answer(Register::A).to_le_bytes();
        Ok(byte)
    }

    /// Reads a model-specific register. From the host: untrusted.
    ///
    /// # Errors
    /// [`Refusal::Host`].
    pub fn read_msr(&mut self, register: u32) -> Result<u64, Refusal> {
        self.ask(&wish(MODEL_SPECIFIC, [0, 0], &[(Register::C, register.into())]))?;
        let [low, high] = [Register::A, Register::D].map(|half| self.answer(half) & 0xFFFF_FFFF);
        Ok(low | high << 32)
    }

    /// Writes a model-specific register.
    ///
    /// # Errors
    /// [`Refusal::Host`].
    pub fn write_msr(&mut self, register: u32, value: u64) -> Result<(), Refusal> {
        let halves = [(Register::A, value & 0xFFFF_FFFF), (Register::D, value >> 32)];
        let [low, high] = halves;
        self.ask(&wish(MODEL_SPECIFIC, [1, 0], &[(Register::C, register.into()), low, high]))
    }

    /// Reads a device's 32-bit register at a physical address. From the host: untrusted.
    ///
    /// # Errors
    /// [`Refusal::Host`].
    pub fn read_device(&mut self, pa: u64) -> Result<u32, Refusal> {
        self.ask(&device(READ_DEVICE, pa))?;
        let mut word = [0; 4];
        shared::take(self.processor, self.buffer(), &mut word);
        Ok(u32::from_le_bytes(word))
    }

    /// Writes a device's 32-bit register.
    ///
    /// # Errors
    /// [`Refusal::Host`].
    pub fn write_device(&mut self, pa: u64, value: u32) -> Result<(), Refusal> {
        let buffer = self.buffer();
        shared::put(self.processor, buffer, &value.to_le_bytes());
        self.ask(&device(WRITE_DEVICE, pa))
    }

    /// Sleeps until an interrupt was served.
    pub fn halt(&mut self) {
        self.wait(&wish(HALT, [0, 0], &[]));
    }
}

const fn wish<'a>(code: u64, info: [u64; 2], registers: &'a [(Register, u64)]) -> Wish<'a> {
    Wish { code, info, registers, has_buffer: false }
}

const fn device(code: u64, pa: u64) -> Wish<'static> {
    Wish { code, info: [pa, 4], registers: &[], has_buffer: true }
}

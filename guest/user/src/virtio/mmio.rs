//! Registers of a virtio-mmio slot. Spec: virtio 1.2 §4.2.2.
#![expect(unsafe_code, reason = "device registers are raw memory")]

use super::ring::{Ring, Shape};
use super::{DeviceError, Kind};
use crate::dma::Window;
use crate::syscall;
use core::hint::spin_loop;
use vial_abi::memory::VIRTIO_SLOT_BYTES;

const MAGIC: usize = 0x000;
const VERSION: usize = 0x004;
const DEVICE_ID: usize = 0x008;
const DEVICE_FEATURES: usize = 0x010;
const DEVICE_FEATURES_SELECT: usize = 0x014;
const DRIVER_FEATURES: usize = 0x020;
const DRIVER_FEATURES_SELECT: usize = 0x024;
const QUEUE_SELECT: usize = 0x030;
const QUEUE_MAX: usize = 0x034;
const QUEUE_SIZE: usize = 0x038;
const QUEUE_READY: usize = 0x044;
const QUEUE_NOTIFY: usize = 0x050;
const INTERRUPT_STATUS: usize = 0x060;
const INTERRUPT_ACK: usize = 0x064;
const STATUS: usize = 0x070;
const QUEUE_DESCRIPTORS: usize = 0x080;
const QUEUE_DRIVER: usize = 0x090;
const QUEUE_DEVICE: usize = 0x0A0;
const CONFIG_GENERATION: usize = 0x0FC;
const CONFIG: usize = 0x100;

const MAGIC_VALUE: u32 = u32::from_le_bytes(*b"virt");
const MODERN: u32 = 2;

/// Bits of [`STATUS`]. Spec: §2.1.
const ACKNOWLEDGE: u32 = 1;
const DRIVER: u32 = 2;
const DRIVER_OK: u32 = 4;
const FEATURES_OK: u32 = 8;

/// Feature: virtio 1. Spec: §6.
const VERSION_1: u64 = 1 << 32;
/// Feature: each side says at which index it wants to be told. Spec: §6.
pub(super) const EVENT_INDEX: u64 = 1 << 29;

/// A slot whose device nobody drives yet.
#[derive(Debug)]
pub struct Slot {
    registers: Registers,
    index: u64,
}

/// How registers are reached.
#[derive(Clone, Copy, Debug)]
enum Registers {
    /// They are mapped here.
    Mapped(*mut u8),
    /// By calls of ring 0, from this byte of the slots on.
    Called(u64),
}

// SAFETY: registers belong to the slot, whichever cpu holds it.
unsafe impl Send for Slot {}

impl Slot {
    /// Slot `index`.
    ///
    /// # Safety
    /// `registers` is where its registers are mapped, uncached, and nothing else uses them.
    #[must_use]
    pub const unsafe fn new(registers: *mut u8, index: u64) -> Self {
        Self { registers: Registers::Mapped(registers), index }
    }

    /// Slot `index` where no registers are mapped: ring 0 is asked for each.
    #[must_use]
    pub const fn called(index: u64) -> Self {
        Self { registers: Registers::Called(index * VIRTIO_SLOT_BYTES), index }
    }

    /// Number of the slot.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// What is in it, if it is a device we drive.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        let kind = match self.read(DEVICE_ID) {
            1 => Kind::Net,
            2 => Kind::Block,
            4 => Kind::Rng,
            _ => return None,
        };
        (self.read(MAGIC) == MAGIC_VALUE).then_some(kind)
    }

    /// Resets the device and agrees on features: virtio 1, event indexes and `wanted` where offered, nothing
    /// else.
    pub(super) fn start(self, wanted: u64) -> Result<Device, DeviceError> {
        if self.read(VERSION) != MODERN {
            return Err(DeviceError::Legacy);
        }
        self.write(STATUS, 0);
        while self.read(STATUS) != 0 {
            spin_loop();
        }
        self.write(STATUS, ACKNOWLEDGE | DRIVER);
        let features = self.offered() & (EVENT_INDEX | wanted) | VERSION_1;
        for (select, half) in [(0, features & 0xFFFF_FFFF), (1, features >> 32)] {
            self.write(DRIVER_FEATURES_SELECT, select);
            self.write(DRIVER_FEATURES, u32::try_from(half).unwrap_or_default());
        }
        self.write(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
        let is_accepted = self.read(STATUS) & FEATURES_OK != 0;
        is_accepted.then_some(Device { slot: self, features }).ok_or(DeviceError::Features)
    }

    /// The low half of the offered features: of the high one only virtio 1 matters, which is asked for anyway.
    fn offered(&self) -> u64 {
        self.write(DEVICE_FEATURES_SELECT, 0);
        self.read(DEVICE_FEATURES).into()
    }

    fn read(&self, register: usize) -> u32 {
        match self.registers {
            Registers::Mapped(start) => {
                let at = start.wrapping_add(register).cast::<u32>();
                // SAFETY: registers are mapped and aligned, as the slot's maker promised.
                unsafe { at.read_volatile() }
            }
            Registers::Called(start) => syscall::read_device(start + register as u64),
        }
    }

    fn write(&self, register: usize, value: u32) {
        match self.registers {
            Registers::Mapped(start) => {
                let at = start.wrapping_add(register).cast::<u32>();
                // SAFETY: registers are mapped and aligned, as the slot's maker promised.
                unsafe { at.write_volatile(value) }
            }
            Registers::Called(start) => syscall::write_device(start + register as u64, value),
        }
    }

    fn write_address(&self, register: usize, pa: u64) {
        for (offset, half) in [(0, pa & 0xFFFF_FFFF), (4, pa >> 32)] {
            self.write(register + offset, u32::try_from(half).unwrap_or_default());
        }
    }
}

/// A device being driven.
#[derive(Debug)]
pub(super) struct Device {
    slot: Slot,
    features: u64,
}

impl Device {
    /// Sets up queue `index` with `expected` entries.
    pub(super) fn queue(&self, index: u16, expected: u16, window: &mut Window) -> Result<Ring, DeviceError> {
        self.slot.write(QUEUE_SELECT, index.into());
        let found = self.slot.read(QUEUE_MAX);
        if found < expected.into() {
            return Err(DeviceError::Queue { found, expected });
        }
        let shape = Shape { index, entries: expected, has_events: self.features & EVENT_INDEX != 0 };
        let ring = Ring::new(shape, window).ok_or(DeviceError::Window)?;
        self.slot.write(QUEUE_SIZE, expected.into());
        let [descriptors, driver, device] = ring.addresses();
        self.slot.write_address(QUEUE_DESCRIPTORS, descriptors);
        self.slot.write_address(QUEUE_DRIVER, driver);
        self.slot.write_address(QUEUE_DEVICE, device);
        self.slot.write(QUEUE_READY, 1);
        Ok(ring)
    }

    /// The device may use its queues from now on.
    pub(super) fn go(&self) {
        self.slot.write(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    }

    /// Tells the device of new entries, if it wants to be told.
    pub(super) fn notify(&self, ring: &mut Ring) {
        if ring.wants_notice() {
            self.slot.write(QUEUE_NOTIFY, ring.index().into());
        }
    }

    /// Lowers the device's interrupt line.
    pub(super) fn acknowledge(&self) {
        let raised = self.slot.read(INTERRUPT_STATUS);
        if raised != 0 {
            self.slot.write(INTERRUPT_ACK, raised);
        }
    }

    /// A word of device configuration at `offset`. From the host: untrusted.
    pub(super) fn config(&self, offset: usize) -> u32 {
        self.slot.read(CONFIG + offset)
    }

    /// Two words at `offset` that belong together.
    pub(super) fn config_pair(&self, offset: usize) -> u64 {
        loop {
            let generation = self.slot.read(CONFIG_GENERATION);
            let (low, high) = (self.config(offset), self.config(offset + 4));
            if self.slot.read(CONFIG_GENERATION) == generation {
                return u64::from(high) << 32 | u64::from(low);
            }
        }
    }
}

impl Drop for Device {
    /// Resets the device, so that it touches the window no more.
    fn drop(&mut self) {
        self.slot.write(STATUS, 0);
        while self.slot.read(STATUS) != 0 {
            spin_loop();
        }
    }
}

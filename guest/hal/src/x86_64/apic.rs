//! Access to the interrupt controllers.

use super::Ring0;
use crate::apic::{ApicRegisters, IoApicRegisters, Register};
use crate::platform::Msrs as _;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};

const APIC_BASE: u32 = 0x1B;
const APIC_ENABLE: u64 = 1 << 11;
const X2APIC_ENABLE: u64 = 1 << 10;
const X2APIC: u32 = 0x800;
const X2APIC_COMMAND: u32 = 0x830;
/// Physical address of the local APIC's registers.
pub(crate) const LOCAL_PA: usize = 0xFEE0_0000;
const COMMAND_LOW: usize = 0x300;
const COMMAND_HIGH: usize = 0x310;
const COMMAND_PENDING: u32 = 1 << 12;
/// Physical address of the I/O APIC's registers.
const IO_PA: usize = 0xFEC0_0000;
const IO_DATA: usize = 0x10;

/// How the local APIC answers, set by [`LocalApic::switch_on`].
static HAS_X2APIC: AtomicBool = AtomicBool::new(false);

/// The local APIC of the running cpu.
#[derive(Clone, Copy, Debug)]
pub enum LocalApic {
    /// By model-specific register.
    Msr(Ring0),
    /// By memory.
    Memory,
}

impl LocalApic {
    /// Switches the running cpu's APIC to the mode all cpus use.
    pub fn switch_on(mut ring0: Ring0, has_x2apic: bool) -> Self {
        let mode = if has_x2apic { APIC_ENABLE | X2APIC_ENABLE } else { APIC_ENABLE };
        let base = ring0.read_msr(APIC_BASE);
        ring0.write_msr(APIC_BASE, base | mode);
        HAS_X2APIC.store(has_x2apic, Ordering::Relaxed);
        Self::current()
    }

    /// The APIC as it was switched on.
    pub(super) fn current() -> Self {
        if HAS_X2APIC.load(Ordering::Relaxed) {
            // SAFETY: this crate's code runs in ring 0 once an APIC was switched on.
            Self::Msr(unsafe { Ring0::assume() })
        } else {
            Self::Memory
        }
    }
}

impl ApicRegisters for LocalApic {
    fn read(&self, register: Register) -> u32 {
        match self {
            Self::Msr(ring0) => ring0.read_msr(X2APIC + register as u32) as u32,
            Self::Memory => read(LOCAL_PA + 16 * register as usize),
        }
    }

    fn write(&mut self, register: Register, value: u32) {
        match self {
            Self::Msr(ring0) => ring0.write_msr(X2APIC + register as u32, value.into()),
            Self::Memory => write(LOCAL_PA + 16 * register as usize, value),
        }
    }

    fn send(&mut self, to: u32, command: u32) {
        match self {
            Self::Msr(ring0) => ring0.write_msr(X2APIC_COMMAND, u64::from(to) << 32 | u64::from(command)),
            Self::Memory => {
                write(LOCAL_PA + COMMAND_HIGH, to << 24);
                write(LOCAL_PA + COMMAND_LOW, command);
                while read(LOCAL_PA + COMMAND_LOW) & COMMAND_PENDING != 0 {}
            }
        }
    }
}

/// The I/O APIC.
#[derive(Clone, Copy, Debug)]
pub struct IoApic;

impl IoApicRegisters for IoApic {
    fn write_io_apic(&mut self, register: u8, value: u32) {
        write(IO_PA, register.into());
        write(IO_PA + IO_DATA, value);
    }
}

fn read(address: usize) -> u32 {
    let register = ptr::with_exposed_provenance::<u32>(address);
    // SAFETY: a register of an interrupt controller, mapped uncached for ring 0 by the kernel's tables.
    unsafe { register.read_volatile() }
}

fn write(address: usize, value: u32) {
    let register = ptr::with_exposed_provenance_mut::<u32>(address);
    // SAFETY: as above; the registers in use change no memory.
    unsafe { register.write_volatile(value) }
}

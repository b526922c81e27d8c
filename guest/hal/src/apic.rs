//! Interrupt controllers. Spec: Intel SDM vol. 3 §10 (local APIC, x2APIC); 82093AA data sheet §3 (I/O APIC).

use crate::trap::{SPURIOUS_VECTOR, WAKE_VECTOR};
use vial_abi::launch_page::Machine;
use vial_abi::memory::{DEVICE_VECTOR, VIRTIO_IRQ, VIRTIO_SLOTS};

/// Registers of the local APIC, by their x2APIC number (MMIO offset / 16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Register {
    /// Identifier.
    Id = 0x02,
    /// Task priority.
    TaskPriority = 0x08,
    /// End of interrupt.
    EndOfInterrupt = 0x0B,
    /// Spurious vector and enable bit.
    Spurious = 0x0F,
    /// Timer entry of the local vector table.
    TimerVector = 0x32,
    /// Timer's first count.
    TimerInitial = 0x38,
    /// Timer's count.
    TimerCurrent = 0x39,
    /// Timer's divider.
    TimerDivide = 0x3E,
}

/// Access to the local APIC of the running cpu.
pub trait ApicRegisters {
    /// Reads a register.
    fn read(&self, register: Register) -> u32;
    /// Writes a register.
    fn write(&mut self, register: Register, value: u32);
    /// Sends an interrupt to the cpu with APIC identifier `to`.
    fn send(&mut self, to: u32, command: u32);
}

/// Access to the I/O APIC.
pub trait IoApicRegisters {
    /// Writes a register.
    fn write_io_apic(&mut self, register: u8, value: u32);
}

const ENABLE: u32 = 1 << 8;
const TIMER_TSC_DEADLINE: u32 = 0b10 << 17;
const MASKED: u32 = 1 << 16;
const DIVIDE_BY_1: u32 = 0b1011;
const ASSERT: u32 = 1 << 14;
const INIT: u32 = 0b101 << 8;
const START_UP: u32 = 0b110 << 8;
const LEVEL: u32 = 1 << 15;
const REDIRECTION: u8 = 0x10;

/// How deadlines are armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// By time stamp counter value.
    TscDeadline,
    /// By a count of the APIC's own clock.
    OneShot,
}

/// Enables the running cpu's APIC, timer included.
pub fn enable(apic: &mut impl ApicRegisters, timer: Timer) {
    apic.write(Register::Spurious, ENABLE | u32::from(SPURIOUS_VECTOR));
    apic.write(Register::TaskPriority, 0);
    apic.write(Register::TimerDivide, DIVIDE_BY_1);
    let mode = match timer {
        Timer::TscDeadline => TIMER_TSC_DEADLINE,
        Timer::OneShot => 0,
    };
    apic.write(Register::TimerVector, mode | u32::from(WAKE_VECTOR));
}

/// Starts the timer silently, for calibration.
pub fn start_count(apic: &mut impl ApicRegisters) {
    apic.write(Register::TimerDivide, DIVIDE_BY_1);
    apic.write(Register::TimerVector, MASKED | u32::from(WAKE_VECTOR));
    apic.write(Register::TimerInitial, u32::MAX);
}

/// Ticks since [`start_count`].
pub fn counted(apic: &impl ApicRegisters) -> u32 {
    u32::MAX - apic.read(Register::TimerCurrent)
}

/// Ends another cpu's wait.
pub fn wake(apic: &mut impl ApicRegisters, cpu: u32) {
    apic.send(cpu, ASSERT | u32::from(WAKE_VECTOR));
}

/// Starts another cpu in real mode at `page` * 4096: INIT, then start-up twice, as §8.4.4 asks.
pub fn start_cpu(apic: &mut impl ApicRegisters, cpu: u32, page: u8) {
    apic.send(cpu, ASSERT | INIT);
    for _ in 0..2 {
        apic.send(cpu, ASSERT | START_UP | u32::from(page));
    }
}

/// Routes the virtio pins of QEMU to cpu 0. Level-triggered: a device that still has news interrupts again. Our own VMM
/// sends messages instead, which need no route.
pub fn route_devices(io_apic: &mut impl IoApicRegisters, machine: Machine) {
    if machine == Machine::Vial {
        return;
    }
    let first = u8::try_from(VIRTIO_IRQ).unwrap_or(0);
    let pins = u8::try_from(VIRTIO_SLOTS).unwrap_or(0);
    for pin in first..first + pins {
        io_apic.write_io_apic(REDIRECTION + 2 * pin + 1, 0);
        io_apic.write_io_apic(REDIRECTION + 2 * pin, LEVEL | u32::from(DEVICE_VECTOR));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeMachine;

    #[test]
    fn the_timer_wakes_by_the_chosen_mode() {
        let mut machine = FakeMachine::default();
        enable(&mut machine, Timer::TscDeadline);
        assert_eq!(machine.apic[&(Register::TimerVector as u8)], 0x4_0020);
        enable(&mut machine, Timer::OneShot);
        assert_eq!(machine.apic[&(Register::TimerVector as u8)], 0x20);
        assert_eq!(machine.apic[&(Register::Spurious as u8)], 0x121);
    }

    #[test]
    fn a_cpu_gets_init_and_two_start_ups() {
        let mut machine = FakeMachine::default();
        start_cpu(&mut machine, 3, 8);
        assert_eq!(machine.interrupts, [(3, 0x4500), (3, 0x4608), (3, 0x4608)]);
    }

    #[test]
    fn the_eight_virtio_pins_of_qemu_are_routed() {
        let mut machine = FakeMachine::default();
        route_devices(&mut machine, Machine::Vial);
        assert!(machine.io_apic.is_empty());
        route_devices(&mut machine, Machine::Qemu);
        assert_eq!(machine.io_apic.len(), 16);
        assert_eq!(machine.io_apic[&(0x10 + 2 * 5)], 0x8022);
        assert_eq!(machine.io_apic[&(0x10 + 2 * 12 + 1)], 0);
    }
}

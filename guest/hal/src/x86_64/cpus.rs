//! Starting other cpus.

use super::secure::{join, let_go, secure};
use super::segments::{self, Stacks};
use super::snp::publish_stacks;
use super::{Hardware, LocalApic, Lock, Ring0, Start, enter};
use crate::apic::{self, Timer};
use crate::features::Features;
use core::ptr;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use vial_abi::ExitCode;
use vial_abi::call::CallError;
use vial_abi::memory::{STACK_STRIDE, STACKS_VA, TRAMPOLINE_PA};

/// A cpu that does not answer for so long is given up.
const PATIENCE_MS: u64 = 1000;

/// What started cpus have in common. Set once by the kernel, before it enters ring 3.
#[derive(Clone, Copy, Debug)]
pub struct Starting {
    /// Root of the kernel's tables, below 4 GiB.
    pub root: u32,
    /// What the processor offers.
    pub features: Features,
    /// First address above ring 0's stack of cpu 0.
    pub first_stack_top: u64,
    /// Distance between two cpus' stacks.
    pub stack_stride: u64,
    /// First address above the double-fault stack.
    pub fault_stack_top: u64,
}

struct Order {
    starting: Option<Starting>,
    start: Option<(u32, Start)>,
    running: u64,
}

static ORDER: Lock<Order> = Lock::new(Order { starting: None, start: None, running: 1 });
/// Number of cpus that took their order.
static STARTED: AtomicU32 = AtomicU32::new(0);
/// Read by `entry.rs`.
#[unsafe(no_mangle)]
static VIAL_STARTED_ROOT: AtomicU32 = AtomicU32::new(0);
/// Read by `entry.rs`.
#[unsafe(no_mangle)]
static VIAL_STARTED_STACK: AtomicU64 = AtomicU64::new(0);

impl Starting {
    /// Stacks of `cpu`.
    #[must_use]
    pub const fn stacks(&self, cpu: u32) -> Stacks {
        let trap = self.first_stack_top + self.stack_stride * cpu as u64;
        Stacks { trap, fault: self.fault_stack_top }
    }

    /// Makes these what [`crate::platform::Cpus::start`] uses.
    pub fn publish(self) {
        VIAL_STARTED_ROOT.store(self.root, Ordering::Relaxed);
        publish_stacks(self.first_stack_top, self.stack_stride);
        ORDER.with(|order| order.starting = Some(self));
    }
}

/// Gives ring 3 of the running cpu its vector state, and sets the protections the processor offers.
pub fn prepare_vectors(ring0: Ring0, features: Features) {
    ring0.set_cr4(features.cr4);
    if let Some(xcr0) = features.xcr0 {
        ring0.set_xcr0(xcr0);
    }
    ring0.reset_x87();
}

/// Sets the running cpu's interrupts up; needs the kernel's tables. With SEV-SNP and TDX the local APIC is one that answers by
/// MSR: no page of the host's is mapped.
pub fn prepare_interrupts(ring0: Ring0, features: Features) -> Timer {
    if let Some(secure) = secure().filter(|_| !features.has_x2apic) {
        secure.refuse_processor(ring0);
    }
    let timer = if features.has_tsc_deadline { Timer::TscDeadline } else { Timer::OneShot };
    apic::enable(&mut LocalApic::switch_on(ring0, features.has_x2apic), timer);
    timer
}

/// Starts `cpu` at `entry` and waits until it is on its way.
pub(super) fn start(on: &Hardware, cpu: u32, entry: u64, argument: u64) -> Result<(), CallError> {
    // As after a call: the entry is a function, which expects its stack so.
    let stack_top = STACKS_VA + STACK_STRIDE * (u64::from(cpu) + 1) - 8;
    let expected = ORDER.with(|order| {
        let starting = order.starting.ok_or(CallError::BadArgument)?;
        if order.start.is_some() || order.running >> cpu & 1 == 1 {
            return Err(CallError::BadArgument);
        }
        order.running |= 1 << cpu;
        order.start = Some((cpu, Start { entry, stack_top, argument }));
        VIAL_STARTED_STACK.store(starting.stacks(cpu).trap, Ordering::Release);
        Ok(STARTED.load(Ordering::Relaxed) + 1)
    })?;
    let deadline = on.ring0.tsc() + PATIENCE_MS * on.tsc_khz;
    if let_go(cpu, started_cpu()) {
        apic::start_cpu(&mut LocalApic::current(), cpu, (TRAMPOLINE_PA >> 12) as u8);
    }
    while STARTED.load(Ordering::Acquire) != expected {
        if on.ring0.tsc() > deadline {
            super::exit(on.ring0, ExitCode::CpuStart.value());
        }
        core::hint::spin_loop();
    }
    Ok(())
}

/// First Rust code of a started cpu.
#[unsafe(no_mangle)]
extern "C" fn vial_started() -> ! {
    // SAFETY: reached from the trampoline only, in ring 0.
    let ring0 = unsafe { Ring0::assume() };
    let order = ORDER.with(|order| order.starting.zip(order.start.take()));
    let Some((starting, (cpu, start))) = order else { ring0.hlt_forever() };
    join(ring0, cpu);
    // SAFETY: this cpu's first and only load; its number is below the limit, as the kernel checked, and its
    // stacks are the kernel's own.
    unsafe { segments::load(cpu as usize, starting.stacks(cpu)) };
    prepare_vectors(ring0, starting.features);
    prepare_interrupts(ring0, starting.features);
    STARTED.fetch_add(1, Ordering::Release);
    enter(ring0, start)
}

/// 32-bit code of started cpus whose segments are those of all memory.
#[cfg(target_os = "none")]
fn started_cpu() -> u32 {
    unsafe extern "C" {
        static vial_started_cpu_flat: u8;
    }
    (&raw const vial_started_cpu_flat).addr() as u32
}

#[cfg(not(target_os = "none"))]
const fn started_cpu() -> u32 {
    0
}

/// Puts the real-mode code where started cpus begin.
///
/// # Safety
/// - The page at [`TRAMPOLINE_PA`] is mapped writable at its physical address and holds nothing in use.
pub unsafe fn write_trampoline() {
    let to = ptr::with_exposed_provenance_mut::<u8>(TRAMPOLINE_PA as usize);
    let code = trampoline();
    // SAFETY: the caller's duty; the code is far shorter than a page and lies in the kernel's text.
    unsafe { ptr::copy_nonoverlapping(code.as_ptr(), to, code.len()) };
}

#[cfg(target_os = "none")]
fn trampoline() -> &'static [u8] {
    unsafe extern "C" {
        static vial_trampoline: u8;
        static vial_trampoline_end: u8;
    }
    let first = &raw const vial_trampoline;
    let len = (&raw const vial_trampoline_end).addr() - first.addr();
    // SAFETY: both symbols bound the code in `entry.rs`.
    unsafe { core::slice::from_raw_parts(first, len) }
}

#[cfg(not(target_os = "none"))]
const fn trampoline() -> &'static [u8] {
    &[]
}

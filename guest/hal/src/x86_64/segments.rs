//! Segments, task state and interrupt descriptors. Spec: Intel SDM vol. 3 §3.4.5, §6.11, §7.7.

use super::traps;
use crate::trap::{STUB_BYTES, STUBS};
use core::arch::asm;
use core::cell::UnsafeCell;
use vial_abi::call;
use vial_abi::memory::MAX_CPUS;

/// Selector of ring 3's stack and data.
pub(super) const USER_DATA: u64 = 0x1B;
/// Selector of ring 3's code.
pub(super) const USER_CODE: u64 = 0x23;
const KERNEL_CODE: u64 = 0x08;
const TASK: u16 = 0x28;
const DOUBLE_FAULT: usize = 8;
const VECTORS: usize = 256;
const CPUS: usize = MAX_CPUS as usize;

/// Null, kernel code, kernel data, user data, user code; accessed bits set.
const SEGMENTS: [u64; 5] =
    [0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, 0x00CF_F300_0000_FFFF, 0x00AF_FB00_0000_FFFF];
const TASK_BYTES: u64 = 104;
const TASK_AVAILABLE: u64 = 0x89 << 40;
const GATE: u64 = 0x8E << 40;
const USER_GATE: u64 = 0xEE << 40;
const FAULT_STACK: u64 = 1 << 32;

/// Stacks of one cpu's ring 0, as first addresses above them.
#[derive(Clone, Copy, Debug)]
pub struct Stacks {
    /// For traps from ring 3.
    pub trap: u64,
    /// For double faults.
    pub fault: u64,
}

/// One cpu's descriptors and task state (as 32-bit words, which its layout packs).
#[repr(C, align(16))]
struct Area {
    gdt: [u64; 7],
    task: [u32; 26],
}

#[repr(C, align(16))]
struct Idt([[u64; 2]; VECTORS]);

struct Static<T>(UnsafeCell<T>);

// SAFETY: each cpu touches its own area; the interrupt descriptors are written by cpu 0 before others start.
unsafe impl<T> Sync for Static<T> {}

static AREAS: Static<[Area; CPUS]> =
    Static(UnsafeCell::new([const { Area { gdt: [0; 7], task: [0; 26] } }; CPUS]));
static IDT: Static<Idt> = Static(UnsafeCell::new(Idt([[0; 2]; VECTORS])));

#[repr(C, packed)]
struct Pointer {
    limit: u16,
    base: u64,
}

/// Loads segments, task state and interrupt descriptors of `cpu`; cpu 0 fills the latter.
///
/// # Safety
/// - Runs in ring 0 on that cpu, with code and data selectors 8 and 16 loaded, once for each cpu, cpu 0 first.
/// - `cpu` is below [`MAX_CPUS`]; `stacks` are mapped, supervisor-only and not used by another cpu (the fault
///   stack may be shared: a double fault ends the appliance).
pub unsafe fn load(cpu: usize, stacks: Stacks) {
    if cpu == 0 {
        // SAFETY: only cpu 0 comes here, before any other cpu runs.
        let idt = unsafe { &mut *IDT.0.get() };
        fill(idt, traps::stubs());
    }
    let areas = AREAS.0.get().cast::<Area>();
    // SAFETY: `cpu` is below the number of areas by the caller's duty.
    let area = unsafe { areas.add(cpu) };
    // SAFETY: the area belongs to this cpu, which lends it only here.
    let area = unsafe { &mut *area };
    area.task = task(stacks);
    area.gdt = descriptors((&raw const area.task).addr() as u64);
    load_gdt(&area.gdt);
    load_idt();
    load_task();
}

fn load_gdt(gdt: &'static [u64; 7]) {
    let pointer = Pointer { limit: 7 * 8 - 1, base: gdt.as_ptr().addr() as u64 };
    // SAFETY: ring 0; the table is static and has the same kernel selectors as the one in use.
    unsafe { asm!("lgdt [{}]", in(reg) &raw const pointer, options(readonly, nostack)) };
}

fn load_idt() {
    let pointer = Pointer { limit: (VECTORS * 16 - 1) as u16, base: IDT.0.get().addr() as u64 };
    // SAFETY: ring 0; the table is static and filled.
    unsafe { asm!("lidt [{}]", in(reg) &raw const pointer, options(readonly, nostack)) };
}

fn load_task() {
    // SAFETY: ring 0; the selector names the task state just written; it writes the descriptor's busy bit.
    unsafe { asm!("ltr {:x}", in(reg) TASK, options(nostack)) };
}

fn fill(idt: &mut Idt, stubs: u64) {
    let mut stub = stubs;
    for (vector, gate) in idt.0.iter_mut().take(STUBS).enumerate() {
        let fault_stack = if vector == DOUBLE_FAULT { FAULT_STACK } else { 0 };
        *gate = interrupt_gate(stub, GATE | fault_stack);
        stub += STUB_BYTES as u64;
    }
    idt.0[usize::from(call::VECTOR)] = interrupt_gate(stub, USER_GATE);
}

const fn interrupt_gate(target: u64, flags: u64) -> [u64; 2] {
    [target & 0xFFFF | KERNEL_CODE << 16 | flags | (target >> 16 & 0xFFFF) << 48, target >> 32]
}

const fn descriptors(task: u64) -> [u64; 7] {
    let [null, code, data, user_data, user_code] = SEGMENTS;
    let low = (TASK_BYTES - 1) | (task & 0xFF_FFFF) << 16 | TASK_AVAILABLE | (task >> 24 & 0xFF) << 56;
    [null, code, data, user_data, user_code, low, task >> 32]
}

/// Task state: stack for ring 0 at byte 4, first interrupt stack at byte 36, no port bitmap.
const fn task(stacks: Stacks) -> [u32; 26] {
    let mut words = [0; 26];
    [words[1], words[2]] = [stacks.trap as u32, (stacks.trap >> 32) as u32];
    [words[9], words[10]] = [stacks.fault as u32, (stacks.fault >> 32) as u32];
    words[25] = (TASK_BYTES as u32) << 16;
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_have_the_bits_of_the_manual() {
        let [.., low, high] = descriptors(0x1_1234_5678);
        assert_eq!((low, high), (0x1200_8934_5678_0067, 1));
        let gate = interrupt_gate(0xA0_1234, USER_GATE | FAULT_STACK);
        assert_eq!(gate, [0x00A0_EE01_0008_1234, 0]);
    }

    #[test]
    fn the_task_state_holds_both_stacks() {
        let words = task(Stacks { trap: 0x2_0000_1000, fault: 0x3_0000_2000 });
        assert_eq!((words[1], words[2], words[9], words[10]), (0x1000, 2, 0x2000, 3));
        assert_eq!(words[25], 104 << 16);
    }
}

//! Fixed pages of physical memory that firmware and kernel read or change.

use super::tables::slot;
use core::arch::asm;
use core::ptr;
use vial_abi::launch_page::HEAD_BYTES;
use vial_abi::memory::{HANDOFF_PA, LAUNCH_PAGE_PA};

/// Bytes of ring 0's stack for each cpu.
pub const STACK_BYTES: u64 = 0x2000;

/// Copy of the launch page's head.
///
/// # Safety
/// - The launch page is mapped at its physical address and readable for ring 0.
#[must_use]
pub unsafe fn launch_head() -> [u8; HEAD_BYTES] {
    let head = ptr::with_exposed_provenance::<[u8; HEAD_BYTES]>(LAUNCH_PAGE_PA as usize);
    // SAFETY: the caller's duty; no device or other cpu writes there.
    unsafe { head.read_volatile() }
}

/// The handoff page.
///
/// # Safety
/// - It is mapped at its physical address and writable for ring 0, and stays so.
/// - This is called once; ring 3 is entered only after the reference's last use.
#[must_use]
pub unsafe fn handoff_page() -> &'static mut [u8; 4096] {
    let page = ptr::with_exposed_provenance_mut::<[u8; 4096]>(HANDOFF_PA as usize);
    // SAFETY: the caller's duty.
    unsafe { &mut *page }
}

/// Replaces an entry of a live table that maps `va`.
///
/// # Safety
/// - `table` is a table in use, writable at its physical address.
/// - Nothing in use depends on the old entry.
pub unsafe fn patch_entry(table: u64, index: usize, entry: u64, va: u64) {
    // SAFETY: the caller's duty.
    unsafe { slot(table, index).write_volatile(entry) };
    // SAFETY: ring 0; drops one cached translation.
    unsafe { asm!("invlpg [{}]", in(reg) va, options(nostack)) };
}

//! Page tables in physical memory, which ring 0 sees at the same virtual address.

use crate::page::{ENTRIES, Table};
use crate::space::TableMemory;
use core::arch::asm;
use core::ptr;

/// Fresh tables out of a run of zeroed memory.
#[derive(Debug)]
pub struct TablePool {
    next: u64,
    end: u64,
}

impl TablePool {
    /// A pool of `count` tables at `first`.
    ///
    /// # Safety
    /// - `first` is the address, physical and virtual, of `count` writable pages of zeros.
    /// - Nothing else uses them.
    #[must_use]
    pub const unsafe fn new(first: u64, count: u64) -> Self {
        Self { next: first, end: first + count * size_of::<Table>() as u64 }
    }
}

impl TableMemory for TablePool {
    fn allocate(&mut self) -> Option<u64> {
        let table = self.next;
        (table < self.end).then(|| self.next += size_of::<Table>() as u64)?;
        Some(table)
    }

    fn entry(&self, table: u64, index: usize) -> u64 {
        let entry = slot(table, index);
        // SAFETY: `table` came from this pool and `index` is masked, so the slot is ours.
        unsafe { entry.read_volatile() }
    }

    fn fill(&mut self, table: u64, first: usize, count: usize, entry: u64, step: u64) {
        let count = count.min(ENTRIES - (first & (ENTRIES - 1)));
        // SAFETY: as in `entry`; the run ends inside the table.
        unsafe { store_run(slot(table, first), count, entry, step) };
    }
}

/// Stores `entry`, `entry + step` and so on: two instructions an entry, since ring 0 is emulated on some hosts
/// and tables are most of the kernel's start.
///
/// # Safety
/// - `to` is writable for `count` entries.
unsafe fn store_run(to: *mut u64, count: usize, entry: u64, step: u64) {
    // SAFETY: the caller's duty; the direction flag is clear.
    unsafe {
        asm!(
            "jrcxz 3f",
            "2:", "stosq", "add rax, {step}", "stosq", "add rax, {step}",
            "stosq", "add rax, {step}", "stosq", "add rax, {step}",
            "stosq", "add rax, {step}", "stosq", "add rax, {step}",
            "stosq", "add rax, {step}", "stosq", "add rax, {step}",
            "loop 2b",
            "3:", "mov rcx, {rest}", "jrcxz 5f",
            "4:", "stosq", "add rax, {step}", "loop 4b",
            "5:",
            step = in(reg) step, rest = in(reg) count % 8,
            inout("rdi") to => _, inout("rcx") count / 8 => _, inout("rax") entry => _, options(nostack)
        );
    }
}

pub(super) fn slot(table: u64, index: usize) -> *mut u64 {
    ptr::with_exposed_provenance_mut::<u64>(table as usize + (index & (ENTRIES - 1)) * 8)
}

/// Makes the tables at `root` the running cpu's.
///
/// # Safety
/// - They map the running code, its stack and everything ring 0 uses, at the same addresses as before.
pub unsafe fn switch_to(root: u64) {
    // SAFETY: the caller's duty.
    unsafe { asm!("mov cr3, {}", in(reg) root, options(nostack)) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_any_length_is_stored_and_no_more() {
        for count in [0, 1, 7, 8, 9, 16, 511] {
            let mut table = Table::EMPTY;
            // SAFETY: the table has 512 entries.
            unsafe { store_run(table.0.as_mut_ptr(), count, 100, 3) };
            for (at, &entry) in table.0.iter().enumerate() {
                let expected = if at < count { 100 + 3 * at as u64 } else { 0 };
                assert_eq!(entry, expected, "{count} {at}");
            }
        }
    }
}

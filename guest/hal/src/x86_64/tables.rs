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
        let mut value = entry;
        for index in first..first + count {
            let entry = slot(table, index);
            // SAFETY: as in `entry`.
            unsafe { entry.write_volatile(value) };
            value = value.wrapping_add(step);
        }
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

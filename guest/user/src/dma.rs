//! The DMA window: the only memory a device reads or writes.
//!
//! Invariant: no reference to its bytes is ever made. They are copied in and out, because the device may write
//! them at any time; what was copied out is private and can be checked.
#![expect(unsafe_code, reason = "raw copies to and from memory shared with devices")]

use crate::bytes::{move_bytes, wipe};
use crate::width::word;
use vial_abi::memory::PAGE;

/// The part of the window not yet taken.
#[derive(Debug)]
pub struct Window {
    rest: Buffer,
}

/// A run of the window that belongs to one driver.
#[derive(Debug)]
pub struct Buffer {
    start: *mut u8,
    pa: u64,
    len: usize,
}

// SAFETY: the memory belongs to the buffer, whichever cpu holds it.
unsafe impl Send for Buffer {}
// SAFETY: through a shared buffer bytes are only copied out, by code that expects them to change meanwhile.
unsafe impl Sync for Buffer {}

impl Window {
    /// The window.
    ///
    /// # Safety
    /// `start` is readable and writable for `len` bytes, on a page, used by nothing else but devices, and seen by
    /// them at `pa`.
    #[must_use]
    pub unsafe fn new(start: *mut u8, pa: u64, len: usize) -> Self {
        Self { rest: Buffer { start, pa, len } }
    }

    /// Takes whole pages for `len` bytes, zeroed; `None` if they are not left.
    #[must_use]
    pub fn take(&mut self, len: usize) -> Option<Buffer> {
        let buffer = self.take_unwritten(len)?;
        // SAFETY: the run lies in the window and was taken just now.
        unsafe { wipe(buffer.start, len) };
        Some(buffer)
    }

    /// Takes whole pages for `len` bytes as they are, for a device to fill: untouched memory stays so.
    #[must_use]
    pub fn take_unwritten(&mut self, len: usize) -> Option<Buffer> {
        let taken = len.checked_next_multiple_of(word(PAGE))?;
        let rest = self.rest.len.checked_sub(taken)?;
        let buffer = Buffer { start: self.rest.start, pa: self.rest.pa, len };
        let start = self.rest.start.wrapping_add(taken);
        self.rest = Buffer { start, pa: self.rest.pa + taken as u64, len: rest };
        Some(buffer)
    }
}

impl Buffer {
    /// Address at which devices see byte `offset`.
    #[must_use]
    pub fn pa(&self, offset: usize) -> u64 {
        self.pa + offset as u64
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies bytes from `offset` out to private memory.
    ///
    /// # Panics
    /// If they are not all inside: a driver's bug.
    pub fn copy_out(&self, offset: usize, to: &mut [u8]) {
        let from = self.checked(offset, to.len());
        // SAFETY: checked to lie inside; no reference is made to the shared side.
        unsafe { move_bytes(to.as_mut_ptr(), from, to.len()) };
    }

    /// Copies private bytes in at `offset`.
    ///
    /// # Panics
    /// If they are not all inside: a driver's bug.
    pub fn copy_in(&mut self, offset: usize, from: &[u8]) {
        let to = self.checked(offset, from.len());
        // SAFETY: checked to lie inside; no reference is made to the shared side.
        unsafe { move_bytes(to, from.as_ptr(), from.len()) };
    }

    /// Overwrites `len` bytes at `offset` with zeros.
    ///
    /// # Panics
    /// If they are not all inside: a driver's bug.
    pub fn wipe(&mut self, offset: usize, len: usize) {
        const ZEROS: [u8; 256] = [0; 256];
        let end = offset + len;
        for at in (offset..end).step_by(ZEROS.len()) {
            self.copy_in(at, ZEROS.get(..(end - at).min(ZEROS.len())).unwrap_or(&ZEROS));
        }
    }

    /// Reads a value that fits an aligned machine word, in one access.
    pub(crate) fn read<T: Word>(&self, offset: usize) -> T {
        let from = self.checked(offset, size_of::<T>()).cast::<T>();
        debug_assert!(from.is_aligned());
        // SAFETY: inside, aligned, and every bit pattern is a value; volatile, because the device writes it.
        unsafe { from.read_volatile() }
    }

    #[expect(clippy::needless_pass_by_ref_mut, reason = "it does change what lies behind the pointer")]
    /// Writes a value that fits an aligned machine word, in one access.
    pub(crate) fn write<T: Word>(&mut self, offset: usize, value: T) {
        let to = self.checked(offset, size_of::<T>()).cast::<T>();
        debug_assert!(to.is_aligned());
        // SAFETY: inside and aligned; volatile, because the device reads it.
        unsafe { to.write_volatile(value) };
    }

    fn checked(&self, offset: usize, len: usize) -> *mut u8 {
        let end = offset.checked_add(len);
        assert!(end.is_some_and(|end| end <= self.len), "driver bug: outside its buffer");
        self.start.wrapping_add(offset)
    }
}

/// Integers a device shares with its driver.
pub(crate) trait Word: Copy {}
impl Word for u8 {}
impl Word for u16 {}
impl Word for u32 {}
impl Word for u64 {}

#[cfg(test)]
pub(crate) mod tests {
    extern crate std;
    use super::*;
    use std::boxed::Box;
    use std::vec;

    /// A window of its own in host memory, seen by "devices" at its own address.
    pub(crate) fn window(pages: usize) -> Window {
        let bytes = vec![0_u8; (pages + 1) * 4096].into_boxed_slice();
        let start = Box::leak(bytes).as_mut_ptr();
        let start = start.wrapping_add(start.align_offset(4096));
        // SAFETY: leaked and page-aligned.
        unsafe { Window::new(start, start.expose_provenance() as u64, pages * 4096) }
    }

    #[test]
    fn buffers_are_pages_apart_and_the_end_is_the_end() {
        let mut window = window(3);
        let (first, second) = (window.take(1).unwrap(), window.take(4097).unwrap());
        assert_eq!(second.pa(0), first.pa(0) + 4096);
        assert!(window.take(1).is_none());
    }

    #[test]
    fn bytes_copied_in_are_copied_out() {
        let mut buffer = window(1).take(16).unwrap();
        buffer.copy_in(4, &[1, 2, 3, 4]);
        let mut out = [0; 5];
        buffer.copy_out(3, &mut out);
        assert_eq!(out, [0, 1, 2, 3, 4]);
        assert_eq!(buffer.read::<u32>(4), 0x0403_0201);
    }

    #[test]
    #[should_panic(expected = "outside its buffer")]
    fn a_copy_past_the_end_is_a_bug() {
        window(1).take(16).unwrap().copy_out(12, &mut [0; 5]);
    }
}

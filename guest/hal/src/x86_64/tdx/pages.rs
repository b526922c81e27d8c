//! Pages that the module or the host reads and writes: reached by whole words, and never lent.

use crate::x86_64::Lock;
use core::cell::UnsafeCell;
use core::ptr;
use vial_abi::memory::{QUOTE_BYTES, QUOTE_PA};
use vial_tdx::{PrivatePage, SharedBit, SharedGpa, SharedPages};

/// Operands in memory, used by one cpu at a time.
pub(super) static OPERANDS: Lock<Operands> = Lock::new(Operands(UnsafeCell::new([0; 4096])));

/// A page of ring 0's own, mapped at its physical address.
#[repr(C, align(4096))]
pub(super) struct Operands(UnsafeCell<[u8; 4096]>);

/// The pages in which report and quote go to and from the host.
pub(super) struct QuotePages(pub(super) SharedBit);

impl PrivatePage for Operands {
    fn gpa(&self) -> u64 {
        self.0.get().expose_provenance() as u64
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        put(self.gpa() + at as u64, bytes);
    }

    fn read(&self, at: usize, to: &mut [u8]) {
        take(self.gpa() + at as u64, to);
    }
}

impl SharedPages for QuotePages {
    fn gpa(&self) -> SharedGpa {
        self.0.share(QUOTE_PA)
    }

    fn len_bytes(&self) -> usize {
        QUOTE_BYTES as usize
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        put(QUOTE_PA + at as u64, bytes);
    }

    fn read(&self, at: usize, to: &mut [u8]) {
        take(QUOTE_PA + at as u64, to);
    }
}

/// Copies `bytes` to `address`, a multiple of eight; the last word is filled up with zeros.
fn put(address: u64, bytes: &[u8]) {
    for (place, chunk) in (address..).step_by(8).zip(bytes.chunks(8)) {
        let mut word = [0; 8];
        word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        let place = ptr::with_exposed_provenance_mut::<u64>(place as usize);
        // SAFETY: `vial-tdx` writes operands, reports and headers alone, all within their pages, which are mapped by the duty of
        // `Secure::publish`; module or host may read and write them at any time, hence volatile.
        unsafe { place.write_volatile(u64::from_le_bytes(word)) };
    }
}

/// Copies from `address` on, a multiple of eight, each word once.
fn take(address: u64, to: &mut [u8]) {
    for (place, chunk) in (address..).step_by(8).zip(to.chunks_mut(8)) {
        let place = ptr::with_exposed_provenance::<u64>(place as usize);
        // SAFETY: as above; `vial-tdx` reads no more than the pages have.
        let word = unsafe { place.read_volatile() };
        chunk.iter_mut().zip(word.to_le_bytes()).for_each(|(to, from)| *to = from);
    }
}

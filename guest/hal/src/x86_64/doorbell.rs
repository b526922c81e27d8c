//! The page in which our VMM answers for the simulated TEE.

use crate::tee::DoorbellPage;
use core::cell::UnsafeCell;

/// Used under the lock of responses.
pub(super) static HOST_PAGE: HostPage = HostPage(UnsafeCell::new([0; 4096]));

/// The page our VMM writes a response to. Never lent; bytes leave it by volatile copies.
#[repr(C, align(4096))]
pub(super) struct HostPage(UnsafeCell<[u8; 4096]>);

// SAFETY: used under the lock of `RESPONSE`; the host's writes are read as volatile.
unsafe impl Sync for HostPage {}

impl DoorbellPage for &HostPage {
    fn number(&self) -> u32 {
        (self.0.get().addr() >> 12) as u32
    }

    fn write(&mut self, report_data: &[u8; 64]) {
        let start = self.0.get().cast::<[u8; 64]>();
        // SAFETY: inside a static page, written by one cpu at a time.
        unsafe { start.write_volatile(*report_data) };
    }

    fn read(&self, to: &mut [u8]) {
        let from = self.0.get().cast::<u64>();
        for (at, chunk) in to.chunks_mut(8).enumerate() {
            // SAFETY: `to` is at most a page long, as the transport checks.
            let word = unsafe { from.add(at) };
            // SAFETY: inside a static page; the host may write it at any time, hence volatile.
            let word = unsafe { word.read_volatile() }.to_le_bytes();
            chunk.copy_from_slice(word.get(..chunk.len()).unwrap_or_default());
        }
    }
}

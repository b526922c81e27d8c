//! What boot logic asks of the machine it runs on.

use vial_abi::Mark;
use vial_abi::call::{CallError, REPORT_OUT_BYTES};
use vial_weights::{Lanes, ReadAt};

/// Ring 0 and memory.
pub trait Machine {
    /// Puts a mark on the timeline.
    fn mark(&mut self, mark: Mark);

    /// Asks the TEE for a report; gives the length of the response.
    ///
    /// # Errors
    /// Why there is none.
    fn report(
        &mut self,
        report_data: &[u8; 64],
        response: &mut [u8; REPORT_OUT_BYTES],
    ) -> Result<usize, CallError>;

    /// Extends a run-time register of a trust domain; `false` if the module refuses.
    fn extend(&mut self, register: u8, digest: &[u8; 48]) -> bool;

    /// Copies bytes to a successor's place; `false` if that is not one.
    fn put(&mut self, pa: u64, bytes: &[u8]) -> bool;

    /// Zeroes a successor's place; `false` if that is not one.
    fn clear(&mut self, pa: u64, len: u64) -> bool;

    /// The vector unit that hashes.
    fn lanes(&self) -> Lanes;
}

/// The disk. From the host: untrusted; what it gives are private copies.
pub trait Disk: ReadAt<Error: core::fmt::Display> {
    /// Its length in bytes.
    fn bytes(&self) -> u64;

    /// Reads `len` bytes from `offset` in order with several reads in flight; calls `take` with pieces of whole leaves,
    /// but for the last. Ends early when `take` says `false`.
    ///
    /// # Errors
    /// A read failed.
    fn stream(
        &mut self,
        offset: u64,
        len: u64,
        take: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), Self::Error>;
}

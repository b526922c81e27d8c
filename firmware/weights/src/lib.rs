//! What is sealed, and how it is checked: manifest, sealed header, BLAKE3 tree, encrypted leaves, bundle archive, event log.
//!
//! One crate for both sides: `vial build` writes with it, firmware and engine check with it, and the verifier
//! replays with it.
//!
//! Trust: every byte parsed here comes from a disk or a network that the host can change.
//! Invariant: no I/O, clock or global; readers of a disk come in as [`ReadAt`].
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions)
)]

extern crate alloc;

pub mod bundle;
mod chunk;
pub mod cipher;
pub mod event_log;
pub mod gpt;
pub mod header;
pub mod manifest;
pub mod rtmr;
pub mod signature;
pub mod tree;

pub use chunk::Lanes;
pub use header::SealedHeader;
pub use manifest::Manifest;
pub use tree::{LEAF_BYTES, Tree};

use sha2::{Digest as _, Sha384};

/// SHA-384 of `bytes`.
#[must_use]
pub fn sha384(bytes: &[u8]) -> [u8; 48] {
    Sha384::digest(bytes).into()
}

/// A disk or partition that can be read at any byte.
pub trait ReadAt {
    /// Why a read fails.
    type Error;

    /// Fills `to` from `offset`.
    ///
    /// # Errors
    /// The bytes lie outside, or the device failed.
    fn read_at(&mut self, offset: u64, to: &mut [u8]) -> Result<(), Self::Error>;
}

/// Bytes in memory, as tests and parsers of whole files read them.
impl ReadAt for &[u8] {
    type Error = OutOfBounds;

    fn read_at(&mut self, offset: u64, to: &mut [u8]) -> Result<(), OutOfBounds> {
        let start = usize::try_from(offset).map_err(|_| OutOfBounds)?;
        let end = start.checked_add(to.len()).ok_or(OutOfBounds)?;
        to.copy_from_slice(self.get(start..end).ok_or(OutOfBounds)?);
        Ok(())
    }
}

/// A read past the end of bytes in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfBounds;
